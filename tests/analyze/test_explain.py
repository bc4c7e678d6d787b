"""The whole answer over small stores: where, since when, how sure, what was new, and what cannot be asked."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import spend
from spend import SINCE, Call

from infercost.analyze import windows
from infercost.analyze.drivers import events, noise, onset
from infercost.analyze.drivers.cells import Span
from infercost.analyze.explain import Question, explain, make_explanation
from infercost.analyze.explanation import BEYOND, UNKNOWN, WITHIN, DriverLine, Explanation
from infercost.config import Config
from infercost.errors import NoDataError, UsageError
from infercost.render import why

ZONE = "UTC"
NOW = datetime(2026, 11, 16, 6, tzinfo=UTC)
BY = (("feature",), ("model",))


def answer(calls: list[Call], where: tuple[tuple[str, str], ...] = (), compare: str = "previous") -> Explanation:
    window = windows.resolve_window("7d", "2026-11-15", NOW, ZONE)
    baseline = windows.explained_baseline(window, compare)
    assert baseline is not None
    with spend.store(calls) as connection:
        return explain(connection, Question(window, baseline, BY, where), ZONE, NOW)


def line(explanation: Explanation, driver: str) -> DriverLine:
    return next(each for each in explanation.drivers if each.name == driver)


def days(first: int, last: int, change: Callable[[Call], Call] = lambda call: call) -> list[Call]:
    """Return four calls of three features on each of the days, the last one left out."""
    found = []
    for day in range(first, last):
        for hour in (3, 9, 15, 21):
            cohort = "pro" if hour > 10 else "free"
            found += [
                Call(day, feature=feature, hour=hour, cohort=cohort, number=hour)
                for feature in ("chat", "search", "mail")
            ]
            # Wednesdays are busier.
            if day % 7 == 2:
                found.append(Call(day, hour=hour, number=30))
    return [change(call) for call in found]


def longer(call: Call) -> Call:
    return replace(call, output=call.output * 4) if call.feature == "search" else call


QUIET = days(-7, 0)


def test_the_answer_closes_and_so_does_every_part_of_it() -> None:
    found = answer([*QUIET, *days(0, 7, longer)])
    assert found.residual == 0
    assert found.change == sum(each.effect for each in found.drivers) > 0
    for table in found.tables:
        assert all(row.before + sum(row.effects.values()) == row.after for row in table.rows)
        for driver in found.drivers:
            assert sum(row.effects[driver.name] for row in table.rows) == driver.effect
    assert sum(each.effect for each in found.contributions) == found.change - line(found, "calendar").effect
    for driver in found.drivers:
        assert driver.name == "calendar" or sum(driver.series) == driver.effect
    assert len(found.buckets) == 7


def test_a_part_is_a_filter_over_the_same_effects() -> None:
    calls = [*QUIET, *days(0, 7, longer)]
    whole, part = answer(calls), answer(calls, (("feature", "search"),))
    assert line(part, "output_length").effect == line(whole, "output_length").effect
    assert (part.after - part.before) == next(
        row.after - row.before for row in whole.tables[0].rows if row.values == ("search",)
    )
    assert not line(answer(calls, (("feature", "chat"), ("cohort", "pro"))), "output_length").effect


def test_the_segment_is_the_one_that_changed() -> None:
    segment = line(answer([*QUIET, *days(0, 7, longer)]), "output_length").segment
    assert segment is not None
    assert segment.values == (("search",),)
    assert segment.share == pytest.approx(1)


def test_two_conditions_are_found() -> None:
    def only_pro(call: Call) -> Call:
        return longer(call) if call.cohort == "pro" else call

    segment = line(answer([*QUIET, *days(0, 7, only_pro)]), "output_length").segment
    assert segment is not None
    assert dict(segment.conditions) == {"feature": "search", "cohort": "pro"}


def test_what_everybody_does_is_broad() -> None:
    segment = line(
        answer([*QUIET, *days(0, 7, lambda call: replace(call, output=call.output * 3))]), "output_length"
    ).segment
    assert segment is not None
    assert segment.is_broad


def test_offsetting_moves_are_shown_and_not_netted() -> None:
    def swap(call: Call) -> Call:
        factor = {"search": 4, "mail": 0}.get(call.feature, 1)
        return replace(call, output=call.output * factor)

    found = answer([*QUIET, *days(0, 7, swap)])
    effects = {each.conditions: each.effect for each in found.contributions if each.driver == "output_length"}
    assert effects[(("feature", "search"),)] > 0 > effects[(("feature", "mail"),)]


@pytest.mark.parametrize("began", [2, 4])
def test_a_step_is_dated(began: int) -> None:
    found = answer([*QUIET, *days(0, began), *days(began, 7, longer)])
    onset = line(found, "output_length").onset
    assert onset is not None
    assert onset.began == SINCE + timedelta(days=began)
    assert onset.earliest <= onset.began <= onset.latest
    assert onset.shape == "step"


def test_what_was_there_from_the_start_says_so() -> None:
    onset = line(answer([*QUIET, *days(0, 7, longer)]), "output_length").onset
    assert onset is not None
    assert onset.shape == "throughout"


def test_a_ramp_is_told_from_a_step() -> None:
    ramp = [0, 0, 10, 20, 30, 40, 50, 60]
    step = [0, 0, 0, 40, 41, 39, 40, 40]
    assert onset.onset(ramp, [100] * 8) == (2, 2, 2, "gradual")
    assert onset.onset(step, [100] * 8) == (3, 3, 3, "step")
    assert onset.onset([0, 0, 0], [1, 1, 1]) is None
    assert onset.onset([5, 5], [0, 0]) is None


def test_quiet_weekends_do_not_hide_a_step() -> None:
    effects = [0, 0, 50, 50, 50, 5, 5]
    assert onset.onset(effects, [100, 100, 100, 100, 100, 10, 10]) == (2, 2, 2, "step")


def test_noise_is_what_past_weeks_did() -> None:
    rest = [
        replace(call, day=call.day - 7 * back, output=call.output + back * back % 5)
        for back in range(8)
        for call in days(-7, 0)
    ]
    found = answer([*rest, *days(0, 7, longer)])
    assert found.placebo_weeks == 7
    assert line(found, "output_length").verdict == BEYOND
    assert (line(found, "output_length").noise or 0) > 0
    assert line(found, "routing").verdict == WITHIN
    # The same move as in any other week is nothing to talk about.
    usual = answer([*rest, *days(0, 7, lambda call: replace(call, output=call.output + 2))])
    assert line(usual, "output_length").verdict == WITHIN


def test_too_little_history_is_said() -> None:
    found = answer([*QUIET, *days(0, 7, longer)])
    assert found.placebo_weeks == 0
    assert line(found, "output_length").verdict == UNKNOWN


def test_past_weeks_lie_before_the_window() -> None:
    zone = ZoneInfo("UTC")
    since = datetime(2026, 11, 9, tzinfo=zone)
    week = Span(since, since + timedelta(days=7), since - timedelta(days=28), since)
    long = Span(since, since + timedelta(days=30), since - timedelta(days=30), since)
    oldest = datetime(2026, 1, 1, tzinfo=zone)
    for span in (week, long):
        past = noise.past_spans(span, oldest)
        assert len(past) == noise.MOST_WEEKS
        assert all(each.until <= span.since and each.baseline_until <= each.since for each in past)
        assert all(each.first >= noise.history_since(span) for each in past)
    assert noise.past_spans(week, since - timedelta(days=40)) == noise.past_spans(week, oldest)[:1]


def test_new_names_and_prices_are_events() -> None:
    def moved(call: Call) -> Call:
        changed = replace(call, raised=True, more={"tags": {"prompt_version": "v2", "trace": call.price_id}})
        return replace(changed, route="auto") if call.day >= 3 else changed

    before = days(-7, 0, lambda call: replace(call, more={"tags": {"prompt_version": "v1"}}))
    events = {(event.kind, event.name): event for event in answer([*before, *days(0, 7, moved)]).events}
    assert events["new route", "auto"].when.date() == (SINCE + timedelta(days=3)).date()
    assert ("new prompt_version", "v2") in events
    assert events["price took effect", "acme small"].when == SINCE
    assert not any(kind == "new feature" for kind, _ in events)


def test_a_name_of_long_ago_is_not_new_and_the_first_one_of_a_column_neither() -> None:
    old = Call(-40, route="auto", feature="batch")
    calls = [old, Call(-9), Call(1, route="auto"), Call(1, route="other", more={"region": "eu"})]
    with spend.store(calls) as connection:
        found = {(each.kind, each.name) for each in events.find(connection, spend.SPAN)}
    assert found == {("new route", "other")}


def test_requests_that_moved_most_are_of_the_segment() -> None:
    found = answer([*QUIET, *days(0, 7, longer)])
    assert found.requests
    assert {each.feature for each in found.requests} == {"search"}
    assert all(each.cost > each.usual for each in found.requests)
    assert list(found.requests) == sorted(found.requests, key=lambda each: -(each.cost - each.usual))


def test_requests_are_of_the_part_that_is_asked_for() -> None:
    found = answer([*QUIET, *days(0, 7, lambda call: replace(call, output=call.output * 3))], (("cohort", "pro"),))
    assert found.requests
    assert all(each.started_at.hour > 10 for each in found.requests)


def test_a_whole_that_moves_though_no_part_does_is_said() -> None:
    dear = [replace(call, model="large") if call.feature == "search" else call for call in QUIET]
    after = [replace(call, day=call.day + 7) for call in dear]
    more = [replace(call, number=40 + place) for call in after if call.feature == "search" for place in range(3)]
    found = answer([*dear, *after, *more])
    assert len(found.notes) == 1
    assert "in no feature and cohort did it by itself" in found.notes[0]
    assert not answer([*QUIET, *days(0, 7, longer)]).notes


def test_a_longer_baseline_is_matched() -> None:
    month = [replace(call, day=call.day - 7 * back) for back in range(4) for call in QUIET]
    found = answer([*month, *days(0, 7)], compare="4w")
    assert found.before == 4 * found.matched
    assert {each.name for each in found.drivers if each.effect} == {"calendar"}


def test_a_short_window_is_followed_by_the_hour() -> None:
    window = windows.resolve_window("2026-11-09", "2026-11-09", NOW, ZONE)
    baseline = windows.baseline_window(window, "previous")
    assert baseline is not None
    with spend.store([*QUIET, *days(0, 1, longer)]) as connection:
        found = explain(connection, Question(window, baseline, BY, ()), ZONE, NOW)
    assert found.bucket_unit == "hour"
    assert len(found.buckets) == 4
    assert "other weekdays" in found.matching


def test_nothing_to_compare_with_is_an_error_that_says_where_the_store_begins() -> None:
    with pytest.raises(NoDataError, match="the baseline") as caught:
        answer(days(0, 7))
    assert "2026-11-09" in str(caught.value.hint)


def ask(by: str, where: tuple[str, ...], compare: str) -> Explanation:
    """Ask wrongly: no store is opened before the question is understood."""
    nowhere: Any = None
    return make_explanation(nowhere, Config(), since="7d", until=None, compare=compare, by=by, where=where, now=NOW)


@pytest.mark.parametrize(
    ("by", "where", "message"),
    [
        ("colour", (), "not split by 'colour'"),
        ("feature", ("colour=red",), "not split by 'colour'"),
        ("feature", ("feature",), "is no condition"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(by: str, where: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        ask(by, where, "previous")
    assert "feature" in str(caught.value.hint)


def test_a_part_that_does_not_exist_is_told_from_one_that_did_not_change() -> None:
    with pytest.raises(NoDataError, match="nothing in either window where feature = serch") as caught:
        answer([*QUIET, *days(0, 7, longer)], (("feature", "serch"),))
    assert "search" in str(caught.value.hint)


def test_routing_is_told_by_the_shares_of_all_models() -> None:
    def moved(call: Call) -> Call:
        return replace(call, model="large") if call.hour < 10 else call

    found = answer([*QUIET, *days(0, 7, moved)], (("model", "large"),))
    (share,) = line(found, "routing").measures
    assert share.before == 0
    assert share.after == pytest.approx(0.5, abs=0.05)


def test_a_change_needs_a_baseline() -> None:
    with pytest.raises(UsageError, match="needs a baseline"):
        ask("", (), "none")


def test_the_counterfactual_is_the_cost_with_the_driver_put_back() -> None:
    both = [*QUIET, *days(0, 7, lambda call: replace(longer(call), raised=True))]
    found = answer(both)
    undone = answer([*QUIET, *days(0, 7, lambda call: replace(call, raised=True))])
    assert found.after - line(found, "output_length").undo == pytest.approx(undone.after, abs=Decimal("1e-9"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda call: call, "Every driver is where it was: not one moved a dollar."),
        (
            lambda call: replace(call, paid=Decimal(0)),
            "Nothing was spent in either window, so there is nothing to explain.",
        ),
        (
            lambda call: replace(call, priced=False),
            "No attempt of either window has a price, so there are no dollars to explain.",
        ),
    ],
    ids=["the same", "for nothing", "without a price"],
)
def test_where_nothing_moved_it_says_so(change: Callable[[Call], Call], said: str) -> None:
    found = answer(days(-7, 7, change))
    assert found.main_lines == ()
    assert why.quiet_text(found) == said
    assert why.quiet_text(answer([*days(-7, 0, change), *days(0, 7, longer)])) is None
