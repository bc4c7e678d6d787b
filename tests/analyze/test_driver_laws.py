"""Whatever the spend: its drivers add up at every level, do not depend on order, and turn round with time."""

import random
from dataclasses import replace
from decimal import Decimal
from math import factorial, prod
from typing import TYPE_CHECKING

import pytest
import spend
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spend import Call

from infercost.analyze.drivers import details, effects, factors, timeline
from infercost.analyze.drivers.quadrature import nodes
from infercost.analyze.explanation import Child, SplitTable

if TYPE_CHECKING:
    import duckdb

PICODOLLAR = Decimal("1e-12")

call = st.builds(
    Call,
    day=st.integers(-7, 6),
    hour=st.integers(0, 23),
    feature=st.sampled_from(("chat", "search", "mail")),
    model=st.sampled_from(("small", "large", "new")),
    cohort=st.sampled_from(("free", "pro")),
    route=st.sampled_from(("main", "auto")),
    prompt=st.integers(0, 50_000),
    output=st.integers(0, 4_000),
    reasoning=st.integers(0, 2_000),
    request=st.one_of(st.none(), st.sampled_from([f"r{number}" for number in range(8)])),
    number=st.integers(1, 4),
    status=st.sampled_from(("ok", "ok", "error")),
    gateway_cache=st.sampled_from((None, None, "miss", "exact")),
    priced=st.sampled_from((True, True, True, False)),
    lane=st.sampled_from(("standard", "batch")),
    paid=st.sampled_from((Decimal(1), Decimal("0.9"), Decimal(0))),
)


def _sensible(found: list[Call]) -> list[Call]:
    """Return the calls with some of their prompt cached, and with the prices of their window."""
    return [
        replace(each, cached=each.prompt // 3 if each.hour % 2 else 0, raised=each.day >= 0 and each.model == "large")
        for each in found
    ]


calls = st.lists(call, max_size=25).map(_sensible)
some = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


@some
@given(calls)
def test_drivers_add_up_to_the_change_on_every_level(found: list[Call]) -> None:
    with spend.split_calls(found) as connection:
        whole = effects.whole(connection)
        assert whole.before + sum(whole.effects.values()) == whole.after
        paid = {True: Decimal(0), False: Decimal(0)}
        for each in found:
            paid[each.day >= 0] += each.row()["effective_cost"] or 0
        assert (whole.before, whole.after) == (paid[False], paid[True])
        for by in (*((name,) for name in factors.DIMENSIONS), ("feature", "model", "outcome")):
            check_adds_up(effects.table(connection, by), whole)


def check_adds_up(table: SplitTable, whole: Child) -> None:
    """Every row's effects make its change, and the rows of every driver make the whole's effect."""
    assert all(row.before + sum(row.effects.values()) == row.after for row in table.rows)
    for name in factors.NAMES:
        assert sum((row.effects[name] for row in table.rows), Decimal(0)) == whole.effects[name], name
    sides = (sum((row.before for row in table.rows), Decimal(0)), sum((row.after for row in table.rows), Decimal(0)))
    assert sides == (whole.before, whole.after)


@some
@given(calls)
def test_sessions_days_and_hours_add_up_to_the_whole(found: list[Call]) -> None:
    named = [replace(each, more={"session_id": f"s{each.prompt % 3}" if each.prompt % 4 else None}) for each in found]
    with spend.split_calls(named, sessions=True) as connection:
        kinds = tuple(kind for kind in spend.KINDS if f"units_{kind}_0" in columns_of(connection))
        whole = effects.whole(connection)
        for by in ((factors.SESSION,), ("feature", factors.SESSION)):
            check_adds_up(details.table(connection, kinds, by), whole)
        for unit in factors.TIMES:
            spread = timeline.spread(connection, kinds, unit, "UTC")
            names = [bucket.isoformat() for bucket in spread.buckets]
            check_adds_up(timeline.table(unit, spread, whole, names), whole)


def columns_of(connection: "duckdb.DuckDBPyConnection") -> set[str]:
    return {row[0] for row in connection.execute("DESCRIBE driver_both").fetchall()}


@some
@given(calls, st.randoms(use_true_random=False))
def test_the_order_of_the_records_does_not_count(found: list[Call], shuffler: random.Random) -> None:
    named = [replace(each, more={"attempt_id": f"a{place}"}) for place, each in enumerate(found)]
    other = list(named)
    shuffler.shuffle(other)
    before, after = spend.bridge(named), spend.bridge(other)
    for name in factors.NAMES:
        # Sums of doubles in another order differ in their last digits.
        assert abs(before.effects[name] - after.effects[name]) <= 1000 * PICODOLLAR


@some
@given(calls)
def test_turning_time_round_turns_every_effect_round(found: list[Call]) -> None:
    named = [replace(each, more={"attempt_id": f"a{place}"}) for place, each in enumerate(found)]
    turned = [replace(each, day=each.day - 7 if each.day >= 0 else each.day + 7, more={**each.more}) for each in named]
    # The raise of a price is dated, so here all prices stay.
    here = spend.bridge([replace(each, raised=False) for each in named])
    there = spend.bridge([replace(each, raised=False) for each in turned])
    swapped = {"new_features": "vanished_features", "vanished_features": "new_features"}
    for name in factors.NAMES:
        assert abs(here.effects[name] + there.effects[swapped.get(name, name)]) <= 1000 * PICODOLLAR, name


@some
@given(calls)
def test_what_does_not_change_gets_nothing(found: list[Call]) -> None:
    """The same week twice, and one thing changed in the second: only its driver moves."""
    week = [replace(each, day=-7 + each.day % 7, raised=False, request=None) for each in found]
    again = [replace(each, day=each.day + 7) for each in week]
    assert not spend.moved(spend.bridge([*week, *again]))
    raised = [replace(each, raised=True) for each in again]
    assert set(spend.moved(spend.bridge([*week, *raised]))) <= {"list_price"}
    discounted = [replace(each, paid=each.paid / 2) for each in again]
    # Half of an odd number of picodollars is not half of it on every leaf alike.
    others = spend.moved(spend.bridge([*week, *discounted]))
    assert set(others) <= {"discount"}


@pytest.mark.parametrize("count", [1, 2, 3, 7, 10, 12])
def test_the_quadrature_is_the_shapley_value(count: int) -> None:
    draws = random.Random(count)  # noqa: S311
    for _ in range(10):
        before = [draws.choice((0.0, draws.uniform(0, 3))) for _ in range(count)]
        after = [draws.choice((0.0, draws.uniform(0, 3))) for _ in range(count)]
        for place in range(count):
            found = sum(
                weight
                * (after[place] - before[place])
                * prod(before[each] + point * (after[each] - before[each]) for each in range(count) if each != place)
                for point, weight in nodes(count)
            )
            assert found == pytest.approx(_shapley(before, after, place), rel=1e-12, abs=1e-12)


def _shapley(before: list[float], after: list[float], place: int) -> float:
    """Return the mean over all orders of what switching one factor does, by counting subsets."""
    count = len(before)
    others = [each for each in range(count) if each != place]
    total = 0.0
    for mask in range(2 ** len(others)):
        switched = {each for number, each in enumerate(others) if mask >> number & 1}
        weight = factorial(len(switched)) * factorial(count - len(switched) - 1) / factorial(count)
        rest = prod(after[each] if each in switched else before[each] for each in others)
        total += weight * (after[place] - before[place]) * rest
    return total


def test_every_factor_list_has_one_length_and_each_driver_once() -> None:
    chains = [factors.chain(kind) for kind in factors.KINDS]
    assert len({len(chain) for chain in chains}) == 1
    for kind, chain in zip(factors.KINDS, chains, strict=True):
        drivers = [factor.of(kind) for factor in chain]
        assert len(set(drivers)) == len(drivers)
        assert set(drivers) <= set(factors.NAMES)
