"""Signals: what is usual at such a time, when a value left its band, and what nothing is said about."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import spend
from spend import Call

from infercost import schema
from infercost.analyze import signals, windows
from infercost.analyze.report import Signal

NOW = datetime(2026, 11, 18, tzinfo=UTC)
"""spend.SINCE, day 0, is Monday 9 November; the window is the week from it."""


def traffic(first: int, last: int, change: Callable[[Call], Call] = lambda call: call) -> list[Call]:
    """Return the calls of days, fewer at weekends: every tenth fails at first, every third reads from the cache."""
    found = []
    for day in range(first, last):
        for number in range(20 if day % 7 > 4 else 60):
            call = Call(
                day,
                hour=number % 24,
                number=2 * number + 1,
                request=f"{day}-{number}",
                prompt=1000 + 37 * (number % 7) + 5 * (day % 5),
                cached=600 if number % 3 == 0 else 0,
                model="large" if number % 4 == 0 else "small",
            )
            found.append(change(call))
            if number % 10 == 0:
                found.append(replace(found[-1], status="error", number=2 * number))
    return found


def measured(calls: list[Call], since: str = "7d", zone: str = "UTC", until: str = "2026-11-15") -> dict[str, Signal]:
    window = windows.resolve_window(since, until, NOW, zone)
    with spend.store(calls) as connection:
        found = signals.signals(connection, window, windows.baseline_window(window, "previous"), None)
    return {each.name: each for each in found}


def test_nothing_leaves_its_band_in_a_week_like_the_others() -> None:
    found = measured(traffic(-28, 7))
    assert {name: each.outside for name, each in found.items()} == dict.fromkeys(found, ())
    assert {"token_rate", "prompt_length", "prompt_cache_share", "retry_rate"} <= set(found)
    assert all(each.is_judged and each.effect is None for each in found.values())
    assert found["retry_rate"].current == pytest.approx(0.1)
    assert found["prompt_cache_share"].baseline == pytest.approx(found["prompt_cache_share"].current, rel=0.01)


CHANGES: dict[str, tuple[str, Callable[[Call], Call]]] = {
    "twice the prompt": ("prompt_length", lambda call: replace(call, prompt=call.prompt * 2, cached=call.cached * 2)),
    "no cache": ("prompt_cache_share", lambda call: replace(call, cached=0)),
    "failures": ("retry_rate", lambda call: replace(call, status="error")),
}


@pytest.mark.parametrize(("name", "change"), CHANGES.values(), ids=CHANGES)
def test_a_signal_leaves_its_band_on_the_day_of_the_change(name: str, change: Callable[[Call], Call]) -> None:
    found = measured([*traffic(-28, 3), *traffic(3, 7, change)])[name]
    # Of the few requests of a weekend, chance alone may make one without a cache read.
    assert found.outside[:2] == tuple(datetime(2026, 11, day, tzinfo=UTC) for day in (12, 13))
    for value, usual, low, high in zip(found.values, found.usual, found.low, found.high, strict=True):
        assert value is not None
        assert usual is not None
        assert low is not None
        assert high is not None
        assert low <= usual <= high


def test_with_less_than_three_weeks_it_says_that_it_cannot_judge() -> None:
    found = measured([*traffic(-20, 3), *traffic(3, 7, lambda call: replace(call, status="error"))])["retry_rate"]
    assert not found.is_judged
    assert found.outside == ()
    assert set(found.low) == set(found.high) == {None}
    assert found.usual[0] == pytest.approx(0.1)


def test_weekends_are_held_against_weekends() -> None:
    found = measured(traffic(-28, 7))["token_rate"]
    weekday, weekend = found.usual[2], found.usual[6]
    assert weekday is not None
    assert weekend is not None
    assert weekend < weekday / 2


def test_a_short_window_is_cut_into_hours_of_its_zone() -> None:
    found = measured(traffic(-28, 7), since="24h", zone="Asia/Kolkata")["token_rate"]
    assert found.bucket_unit == "hour"
    assert len(found.buckets) == 20
    assert all(each.minute == 0 and each.utcoffset() is not None for each in found.buckets)
    assert found.outside == ()


def test_a_window_whose_history_is_empty_has_its_values() -> None:
    found = measured(traffic(0, 7))["token_rate"]
    assert found.current is not None
    assert found.baseline is None
    assert set(found.usual) == {None}


def test_the_share_of_a_tier_is_that_of_the_one_that_moved_most() -> None:
    def tier(call: Call, more: bool) -> Call:
        place = call.number // 2 % 4
        name = "frontier" if place == 0 or (more and place == 1) else "small" if place == 2 else "mid"
        return replace(call, more={"model_tier": name})

    calls = [*(tier(call, more=False) for call in traffic(-28, 0)), *(tier(call, more=True) for call in traffic(0, 7))]
    found = measured(calls)["routing_share"]
    assert found.title == "Routing to frontier"
    assert found.baseline == pytest.approx(0.25, abs=0.02)
    assert found.current == pytest.approx(0.5, abs=0.02)
    assert len(found.outside) >= 5


def test_a_tier_that_is_gone_has_the_share_nothing() -> None:
    def tier(call: Call, last: str) -> Call:
        place = call.number // 2 % 8
        return replace(call, more={"model_tier": last if place in (0, 4) else "mid" if place < 4 else "small"})

    before, after = ([tier(call, "old") for call in traffic(-28, 0)], traffic(0, 7))
    calls = [*before, *(tier(call, "mid" if call.number // 2 % 8 else "small") for call in after)]
    found = measured(calls)["routing_share"]
    assert (found.title, found.current) == ("Routing to old", 0.0)
    assert found.baseline == pytest.approx(0.25, abs=0.02)
    assert set(found.values) == {0.0}
    # Of the few requests of a weekend day chance alone may leave none.
    assert [each.weekday() for each in found.outside] == [0, 1, 2, 3, 4]


def test_without_tiers_there_is_no_share_of_one() -> None:
    calls = [replace(call, more={"model_tier": schema.UNATTRIBUTED}) for call in traffic(-8, 7)]
    assert "routing_share" not in measured(calls)
