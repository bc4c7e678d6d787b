"""What each driver is: one thing changes between two weeks, and its driver alone has the dollars."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import log
from typing import Any

import pytest
import small_store
import spend
from spend import SINCE, WEEK, Call

from infercost.analyze.drivers import cells, details, effects, factors, matches, split, timeline, tokenizers

CENT = Decimal("0.01")


def week(**change: Any) -> list[Call]:
    """Return calls of two features through a week, some cached, of two models; `change` goes into all of them."""
    found = []
    for day in range(-7, 0):
        for place in range(4):
            found.append(Call(day, hour=9 + place, model=("small", "large")[place % 2], cached=500 * (place % 2)))
            found.append(Call(day, feature="search", hour=9 + place, prompt=4000, output=400, reasoning=50))
    return [replace(each, **change) for each in found]


def later(calls: list[Call], change: Callable[[Call], Call] = lambda call: call) -> list[Call]:
    """Return the calls a week later, changed."""
    return [replace(change(call), day=call.day + 7) for call in calls]


BEFORE = week()

CASES: dict[str, tuple[str, Callable[[Call], Call]]] = {
    "longer answers": ("output_length", lambda call: replace(call, output=call.output * 2)),
    "more reasoning": ("reasoning", lambda call: replace(call, reasoning=call.reasoning * 3)),
    "a dearer model": (
        "routing",
        lambda call: replace(call, model="large" if call.feature == "search" else call.model),
    ),
    "a new dearer model for all": ("routing", lambda call: replace(call, model="new")),
    "text that is not cached is added": ("prompt_length", lambda call: replace(call, prompt=call.prompt + 100)),
    "cached text is added": (
        "prompt_length",
        lambda call: replace(call, prompt=call.prompt + 900, cached=call.cached and call.cached + 900),
    ),
    "the cached part is read to its half": ("prompt_cache", lambda call: replace(call, cached=call.cached // 2)),
    "the cache is read no more": ("prompt_cache", lambda call: replace(call, cached=0)),
    "batch instead of standard": ("service_tier", lambda call: replace(call, lane="batch")),
    "a raise of the list price": ("list_price", lambda call: replace(call, raised=True)),
    "a discount": ("discount", lambda call: replace(call, paid=Decimal("0.8"))),
    "a customer group takes over": ("cohort_mix", lambda call: replace(call, cohort="pro")),
    "prices become unknown": ("unpriced", lambda call: replace(call, priced=False)),
}


@pytest.mark.parametrize(("driver", "change"), CASES.values(), ids=CASES)
def test_one_change_is_one_driver(driver: str, change: Callable[[Call], Call]) -> None:
    child = spend.bridge([*BEFORE, *later(BEFORE, change)])
    found = spend.moved(child)
    # Equal costs of all groups: a change of who calls costs nothing.
    expected = set() if driver == "cohort_mix" else {driver}
    assert {name for name, effect in found.items() if abs(effect) >= CENT / 1000} == expected
    assert sum(found.values()) == child.after - child.before


def test_twice_the_requests_are_volume() -> None:
    assert set(spend.moved(spend.bridge([*BEFORE, *later(BEFORE), *later(BEFORE)]))) == {"volume"}


def test_a_feature_that_grows_is_volume_and_mix() -> None:
    grown = [call for call in BEFORE if call.feature == "search"]
    child = spend.bridge([*BEFORE, *later(BEFORE), *later(grown)])
    assert set(spend.moved(child)) == {"volume", "feature_mix"}
    extra = sum((call.row()["effective_cost"] for call in grown), Decimal(0))
    assert child.effects["volume"] + child.effects["feature_mix"] == extra


def test_longer_prompts_are_prompt_length_although_they_change_their_band() -> None:
    calls = [replace(call, cached=0) for call in BEFORE]
    child = spend.bridge([*calls, *later(calls, lambda call: replace(call, prompt=call.prompt * 3))])
    assert set(spend.moved(child)) == {"prompt_length"}


def test_answers_that_stay_as_they_are_take_nothing_when_prompts_grow() -> None:
    calls = [
        Call(day, hour=9 + place, prompt=prompt, output=output)
        for day in range(-7, 0)
        for place, (prompt, output) in enumerate(((1000, 100), (1500, 300), (2200, 900), (3300, 1200)))
    ]
    child = spend.bridge([*calls, *later(calls, lambda call: replace(call, prompt=call.prompt * 3 // 2))])
    assert set(spend.moved(child)) == {"prompt_length"}


@pytest.mark.parametrize("prompt", [1000, 1020, 1023])
def test_routing_has_its_dollars_although_all_prompts_cross_a_power_of_two(prompt: int) -> None:
    calls = [Call(day, hour=9 + place, prompt=prompt, output=0) for day in range(-7, 0) for place in range(4)]
    longer = later(calls, lambda call: replace(call, prompt=1030))
    rerouted = [replace(call, model="large") if call.hour < 11 else call for call in longer]
    found = spend.moved(spend.bridge([*calls, *rerouted]))
    assert set(found) == {"prompt_length", "routing"}
    # Half of the prompts cost five times as much. An eighth of them counts in another band, which loses half of that.
    mean = sum(spend.money(call.prompt * spend.rate(call, "input_uncached")) for call in (*calls, *longer)) / 2
    assert found["routing"] == pytest.approx(2 * mean, rel=Decimal("0.07"))


def test_features_that_come_and_go_are_drivers_of_their_own() -> None:
    child = spend.bridge([*BEFORE, *week(feature="old"), *later(BEFORE), *later(week(feature="fresh"))])
    found = spend.moved(child)
    assert set(found) == {"new_features", "vanished_features"}
    assert found["new_features"] == -found["vanished_features"]


def test_answers_of_the_gateways_cache_save_volume_elsewhere_nothing() -> None:
    missed = week(gateway_cache="miss")
    hit = [replace(call, gateway_cache="exact") if call.hour == 9 else call for call in missed]
    assert set(spend.moved(spend.bridge([*missed, *later(hit)]))) <= {"gateway_cache", "routing", "prompt_cache"}
    alike = [call for call in missed if call.feature == "search"]
    half = [replace(call, gateway_cache="exact") if call.hour < 11 else call for call in alike]
    assert set(spend.moved(spend.bridge([*alike, *later(half)]))) == {"gateway_cache"}


def test_retries_and_fallbacks_are_no_routing_and_no_volume() -> None:
    named = [replace(call, request=f"r{place}") for place, call in enumerate(BEFORE)]
    after = later(named)
    failed = [replace(call, status="error") for call in after if call.hour == 9]
    again = [replace(call, number=2, model="large") for call in after if call.hour == 9]
    rest = [call for call in after if call.hour != 9]
    found = spend.moved(spend.bridge([*named, *failed, *again, *rest]))
    assert set(found) == {"retries"}
    assert found["retries"] == sum((call.row()["effective_cost"] for call in again), Decimal(0))


def test_failures_without_usage_are_failures_and_no_shorter_prompts() -> None:
    empty = {
        f"{kind}_tokens": None
        for kind in ("input_uncached", "cache_read", "output_text", "reasoning", "input", "output")
    }
    costs = {f"{kind}_cost": None for kind in ("input_uncached", "cache_read", "output_text", "reasoning")}
    more = {**empty, **costs, "effective_cost": Decimal(0), "list_cost": Decimal(0), "price_basis": "rule"}
    alike = [call for call in BEFORE if call.feature == "search"]
    after = later(alike, lambda call: replace(call, status="error", more=more) if call.hour == 9 else call)
    assert set(spend.moved(spend.bridge([*alike, *after]))) == {"retries"}


SEARCHES = [replace(call, prompt=2200, cached=0) for call in BEFORE if call.feature == "search"]


def fallbacks(first: int, *answered: int) -> list[Call]:
    """Return requests of another feature, one a day, that failed with 1,000 tokens and were answered with others."""
    found = []
    for day, prompt in enumerate(answered, start=first):
        call = Call(day, feature="mail", request=f"fallback {day}")
        found += [replace(call, status="error"), replace(call, number=2, model="new", prompt=prompt)]
    return found


def to_another_tokenizer(call: Call) -> Call:
    return replace(call, model="new", prompt=call.prompt * 13 // 10)


def test_another_tokenizer_makes_no_longer_prompts_where_fallbacks_show_it() -> None:
    shown = [*SEARCHES, *fallbacks(-7, 1300, 1300), *fallbacks(0, 1300, 1300)]
    assert set(spend.moved(spend.bridge([*shown, *later(SEARCHES, to_another_tokenizer)]))) == {"routing"}
    alone = spend.moved(spend.bridge([*SEARCHES, *later(SEARCHES, to_another_tokenizer)]))
    assert set(alone) == {"routing", "prompt_length"}


def test_prompts_that_differ_between_attempts_say_nothing_about_tokenizers() -> None:
    unlike = [*fallbacks(-7, 1300, 1700), *fallbacks(0, 1300, 1700)]
    moved = spend.moved(spend.bridge([*SEARCHES, *unlike, *later(SEARCHES, to_another_tokenizer)]))
    assert set(moved) == {"routing", "prompt_length"}


def test_tokenizers_are_linked_along_the_most_prompts() -> None:
    pairs = [("a", "b", 9, 0.1), ("b", "c", 5, 0.2), ("a", "c", 2, 0.9), ("x", "y", 50, 0.3), ("a", "d", 4, 3.0)]
    found = tokenizers.ratios(pairs, "a")
    assert {name: round(log(factor), 12) for name, factor in found.items()} == {"a": 0, "b": 0.1, "c": 0.3}


def test_requests_that_move_between_equal_routes_cost_nothing() -> None:
    alike = [replace(call, model="small", cached=0) for call in BEFORE if call.feature == "chat"]
    for rising in (10, 11, 12):
        moved = [replace(call, route="auto") if call.hour < rising else call for call in later(alike)]
        found = spend.moved(spend.bridge([*alike, *moved, *later(alike)]))
        assert all(abs(effect) < CENT / 1000 for name, effect in found.items() if name != "volume")


def test_windows_of_other_lengths_differ_by_the_calendar_alone() -> None:
    month = [replace(call, day=call.day - 7 * back) for back in range(4) for call in BEFORE]
    longer = cells.Span(SINCE, SINCE + WEEK, SINCE - 4 * WEEK, SINCE)
    assert set(spend.moved(spend.bridge([*month, *later(BEFORE)], longer))) == {"calendar"}


def test_weekdays_are_matched() -> None:
    busy = [replace(call, number=each) for call in BEFORE for each in range(3) if call.day < -2 or each == 0]
    weekend = cells.Span(SINCE + timedelta(days=5), SINCE + WEEK, SINCE - WEEK, SINCE)
    assert set(spend.moved(spend.bridge([*busy, *later(busy)], weekend))) == {"calendar"}


def test_time_of_day_stands_in_where_the_weekday_is_missing() -> None:
    day = cells.Span(SINCE, SINCE + timedelta(days=1), SINCE - timedelta(days=1), SINCE)
    assert not spend.moved(spend.bridge([*BEFORE, *later(BEFORE)], day))


def test_a_teams_price_of_a_model_of_ones_own_is_a_discount() -> None:
    calls = [replace(call, more={"list_price_id": None, "list_cost": None}) for call in SEARCHES]
    scoped = {"price_id": "small-team", "list_price_id": None, "list_cost": None}
    after = later(calls, lambda call: replace(call, paid=Decimal("0.8"), more=scoped))
    (plain,) = spend.price_rows(calls)
    rates = {name: amount * 8 // 10 for name, amount in plain.items() if name.endswith("_rate")}
    rows = [call.row() for call in (*calls, *after)]
    prices = [plain, {**plain, **rates, "price_id": "small-team", "scope": "team=core"}]
    connection = small_store.store(rows, prices=prices)
    kinds = cells.build(connection, spend.SPAN)
    matches.match(connection, spend.SPAN, "UTC")
    split.split(connection, kinds)
    assert set(spend.moved(effects.whole(connection))) == {"discount"}


def test_pools_have_no_list_price() -> None:
    pool = {"price_basis": "pool", "list_price_id": None, "list_cost": None}
    before = week(more=pool)
    child = spend.bridge([*before, *later(before, lambda call: replace(call, paid=Decimal(2)))])
    assert set(spend.moved(child)) == {"capacity"}


def test_every_driver_but_rare_kinds_is_shown_by_a_case() -> None:
    shown = {driver for driver, _ in CASES.values()}
    elsewhere = {
        "calendar", "volume", "feature_mix", "new_features", "vanished_features", "gateway_cache", "retries",
        "prompt_length", "capacity",
    }  # fmt: skip
    assert set(factors.NAMES) - shown - elsewhere == {"audio_image", "tool_fees", factors.SHIFTS}


def test_audio_images_and_searches_are_drivers_of_their_own() -> None:
    def with_extras(call: Call) -> Call:
        extras = {
            "input_image_tokens": 100,
            "input_image_cost": Decimal("0.01"),
            "web_search_requests": 2,
            "fee_cost": Decimal("0.02"),
        }
        return replace(call, more={**extras, "effective_cost": call.row()["effective_cost"] + Decimal("0.03")})

    found = spend.moved(spend.bridge([*BEFORE, *later(BEFORE, with_extras)]))
    assert found == {"audio_image": CENT * len(BEFORE), "tool_fees": 2 * CENT * len(BEFORE)}


def test_only_this_and_undo_are_the_ends_of_the_range() -> None:
    after = later(BEFORE, lambda call: replace(call, output=call.output * 2, raised=True))
    with spend.split_calls([*BEFORE, *after]) as connection:
        whole, alone = effects.whole(connection), effects.alone(connection)
    for name in ("output_length", "list_price"):
        only, undo = alone[name]
        assert only < whole.effects[name] < undo
    # Longer answers at the old price, and at the new one.
    output = sum(call.output * spend.rate(call, "output_text") for call in BEFORE) / 1e12
    assert [float(each) for each in alone["output_length"]] == pytest.approx([output, output * 5 / 4])


WITHOUT_CACHE = ("input_uncached", "output_text")


def test_a_price_moves_every_session_class_by_its_share_and_shifts_nothing() -> None:
    sessions = ["long"] * 6 + ["short"] + [None] * 2
    calls = [Call(-5, hour=9 + place, more={"session_id": name}) for place, name in enumerate(sessions)]
    raised = [replace(call, raised=True) for call in later(calls)]
    with spend.split_calls([*calls, *raised], sessions=True) as connection:
        table = details.table(connection, WITHOUT_CACHE, (factors.SESSION,))
    found = {row.values[0]: row for row in table.rows}
    assert set(found) == {"5 to 19 requests", "1 request", "no session"}
    assert all(spend.moved(row) == {"list_price": row.after - row.before} for row in table.rows)
    assert found["5 to 19 requests"].effects["list_price"] == found["1 request"].effects["list_price"] * 6


def test_sessions_that_get_longer_shift_between_rows() -> None:
    calls = [Call(-5, hour=9 + place, more={"session_id": f"s{place}"}) for place in range(7)]
    joined = [replace(call, more={"session_id": f"t{place // 3}"}) for place, call in enumerate(later(calls))]
    with spend.split_calls([*calls, *joined], sessions=True) as connection:
        table = details.table(connection, WITHOUT_CACHE, (factors.SESSION,))
        assert not spend.moved(effects.whole(connection))
    assert {row.values[0] for row in table.rows} == {"1 request", "2 to 4 requests"}
    assert all(set(spend.moved(row)) == {factors.SHIFTS} for row in table.rows)


def test_longer_answers_of_the_last_days_are_in_the_last_days() -> None:
    before = week()
    after = [replace(call, output=call.output * (2 if call.day >= 4 else 1)) for call in later(before)]
    with spend.split_calls([*before, *after]) as connection:
        spread = timeline.spread(connection, spend.KINDS, "day", "UTC")
        table = timeline.table("day", spread, effects.whole(connection), [f"{day:%a}" for day in spread.buckets])
    grown = {row.values[0]: row.after - row.before for row in table.rows if row.after != row.before}
    assert set(grown) == {"Fri", "Sat", "Sun"}
    assert {row.values[0] for row in table.rows if row.effects["output_length"]} == set(grown)


def test_added_text_is_dated_by_when_it_came() -> None:
    def day_of(day: int) -> list[Call]:
        # Long prompts are read from the cache in some hours only; over the week their share hardly changes.
        added = 300 if day >= 3 else 0
        short = [Call(day, hour=9 + place, prompt=1000 + added, cached=600) for place in range(4)]
        long = [
            Call(day, hour=14 + place, prompt=9000, cached=(600 + (day == 6)) * ((place + day % 3) % 3 == 0))
            for place in range(4)
        ]
        return short + long

    with spend.split_calls([call for day in range(-7, 7) for call in day_of(day)]) as connection:
        spread = timeline.spread(connection, spend.KINDS[:3], "day", "UTC")
    total = sum(spread.series["prompt_length"])
    assert total > 0
    # Which prompts are read changes by day, and so does their mean length; spread by shares it would be double.
    assert max(map(abs, spread.series["prompt_length"][:3])) < 0.3 * total
    assert sum(spread.series["prompt_length"][3:]) > 0.9 * total
