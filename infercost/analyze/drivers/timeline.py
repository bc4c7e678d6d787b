"""Spreads each driver's effect over the time of the window, exactly, and finds when it began.

An effect is a slope (what a unit of its ratio is worth on a leaf) times the change of the ratio. The ratio of a window
is the mean of its hours, weighted by their denominators, so its change is a sum over hours: what the hour adds to the
current ratio, less what the hours matched with it add to the baseline's. Summed over the window this is the effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import log
from typing import TYPE_CHECKING

from infercost import engine, schema
from infercost.analyze.drivers import factors, split
from infercost.analyze.drivers.effects import dollars
from infercost.analyze.explanation import Child, SplitTable

if TYPE_CHECKING:
    import duckdb

LIKELY = 3.84
"""Twice the difference in log-likelihood that a change point may lie from the best one: 95 %."""

DAY, HOUR = "day", "hour"

_COME_OR_GONE = "SEMI JOIN (FROM driver_by_feature WHERE NOT continues) AS changed USING (feature)"
_CONTINUING = "SEMI JOIN (FROM driver_by_feature WHERE continues) AS kept USING (feature)"


@dataclass(frozen=True)
class Spread:
    """Effects over time, in picodollars: those of each driver by bucket, and what the buckets cost.

    The buckets of a driver add up to its effect; the calendar's are 0, because it is what the baseline is matched by.
    `expected` is the matched baseline of each bucket, `actual` what it cost.
    """

    buckets: tuple[datetime, ...]
    series: dict[str, list[int]]
    expected: list[int]
    actual: list[int]


def spread(
    connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], unit: str, zone: str, where: str = "TRUE"
) -> Spread:
    """Return the effects over the leaves of `where` in the buckets of the window; `unit` is day or hour of `zone`."""
    _bucket(connection, kinds, unit, zone)
    _slopes(connection, where)
    moved = _moved(connection, where)
    rows = " UNION ALL ".join(_parts(kinds, where, moved))
    found = connection.execute(f"""
        SELECT bucket, driver, sum(amount) FROM ({rows}) WHERE bucket IS NOT NULL GROUP BY ALL ORDER BY ALL
    """).fetchall()
    buckets = [row[0] for row in connection.execute("SELECT DISTINCT bucket FROM driver_buckets ORDER BY 1").fetchall()]
    place = {bucket: number for number, bucket in enumerate(buckets)}
    amounts = {name: [0.0] * len(buckets) for name in factors.NAMES}
    for bucket, driver, amount in found:
        amounts[driver][place[bucket]] += amount or 0.0
    spent = {
        bucket: sums
        for bucket, *sums in connection.execute(
            f"SELECT bucket, sum({_spend(kinds, 0)}), sum({_spend(kinds, 1)}) FROM driver_buckets "
            f"WHERE {where} GROUP BY 1"
        ).fetchall()
    }
    expected, actual = ([round(spent.get(each, (0, 0))[side] or 0) for each in buckets] for side in (0, 1))
    return Spread(tuple(buckets), _closed(connection, amounts, where), expected, actual)


def table(unit: str, found: Spread, whole: Child, names: Sequence[str]) -> SplitTable:
    """Return the split of `whole` by bucket, largest change first; `names` are those of the buckets.

    What the calendar did is taken off the matched baselines in proportion.
    """
    expected = _scaled(found.expected, _picodollars(whole.before + whole.effects["calendar"]))
    before = _scaled(found.expected, _picodollars(whole.before))
    after = _scaled(found.actual, _picodollars(whole.after))
    rows = []
    for place, name in enumerate(names):
        effects = {driver: series[place] for driver, series in found.series.items()}
        effects["calendar"] = expected[place] - before[place]
        effects[factors.SHIFTS] = after[place] - before[place] - sum(effects.values())
        rows.append(
            Child(
                (name,),
                dollars(before[place]),
                dollars(after[place]),
                {driver: dollars(effect) for driver, effect in effects.items()},
            )
        )
    return SplitTable((unit,), tuple(sorted(rows, key=lambda each: (-abs(each.after - each.before), each.values))))


def _picodollars(amount: Decimal) -> int:
    return int(amount * schema.PICODOLLARS_PER_DOLLAR)


def _scaled(amounts: list[int], total: int) -> list[int]:
    """Return whole amounts in the proportions of `amounts` that add up to `total`; the largest takes what is left."""
    size = sum(amounts)
    found = [amount * total // size if size else 0 for amount in amounts]
    if found:
        found[max(range(len(found)), key=lambda place: abs(amounts[place]))] += total - sum(found)
    return found


def _spend(kinds: tuple[str, ...], side: int) -> str:
    return " + ".join(f"cost_{kind}_{side}" for kind in kinds) or "0"


def _bucket(connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], unit: str, zone: str) -> None:
    """Create `driver_buckets`: the sums of every leaf in each bucket (_1), and of the hours matched with it (_0)."""
    names = (*split.COUNTS, *(f"{measure}_{kind}" for kind in kinds for measure in split.MEASURES))
    start = f"date_trunc('{unit}', {{hour}} AT TIME ZONE {engine.literal(zone)}) AT TIME ZONE {engine.literal(zone)}"
    now = ", ".join(f"sum({name})::DOUBLE AS {name}_1, 0e0 AS {name}_0" for name in names)
    then = ", ".join(f"0e0 AS {name}_1, sum({name} * weight)::DOUBLE AS {name}_0" for name in names)
    both = ", ".join(f"sum({name}_{side}) AS {name}_{side}" for name in names for side in (0, 1))
    keys = ", ".join(split.KEYS)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_buckets AS
        SELECT *, {split.prompt_units(kinds)} FROM (
            SELECT bucket, {keys}, {both} FROM (
                SELECT {start.format(hour="hour")} AS bucket, {keys}, {now}
                FROM driver_cells WHERE period = 'current' GROUP BY ALL
                UNION ALL
                SELECT {start.format(hour="driver_matches.hour")} AS bucket, {keys}, {then}
                FROM driver_cells
                INNER JOIN driver_matches ON driver_cells.hour = driver_matches.baseline_hour
                WHERE period = 'baseline' GROUP BY ALL
            ) GROUP BY ALL
        )
    """)


def _slopes(connection: "duckdb.DuckDBPyConnection", where: str) -> None:
    """Create `driver_slopes`: what one unit of each factor is worth on each leaf, where the factor changed."""
    slopes = ", ".join(
        f"CASE WHEN a{place} = b{place} THEN 0e0 ELSE {split.slope(place)} END AS k{place}" for place in split.PLACES
    )
    keys = ", ".join(split.KEYS)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_slopes AS
        WITH slopes AS (
            SELECT {keys}, kind, {slopes} FROM (
                SELECT *, {split.products()} FROM driver_leaves WHERE continues AND {where}
            )
        )
        SELECT driver_wide.*, slopes.* EXCLUDE ({keys}) FROM slopes INNER JOIN driver_wide USING ({keys})
    """)


def _moved(connection: "duckdb.DuckDBPyConnection", where: str) -> set[tuple[str, bool, str]]:
    """Return the (driver, is_pool, kind) that had an effect on any leaf; nothing else needs to be spread."""
    sums = ", ".join(f"bool_or({name} <> 0)" for name in factors.NAMES)
    rows = connection.execute(f"SELECT is_pool, kind, {sums} FROM driver_effects WHERE {where} GROUP BY ALL").fetchall()
    return {
        (name, is_pool, kind)
        for is_pool, kind, *found in rows
        for name, did in zip(factors.NAMES, found, strict=True)
        if did
    }


def _parts(kinds: tuple[str, ...], where: str, moved: set[tuple[str, bool, str]]) -> list[str]:
    """Return a SELECT of (bucket, driver, amount) for every ratio that moved, and for features come and gone."""
    parts = [
        f"SELECT bucket, '{name}' AS driver, {amount} AS amount FROM driver_buckets {_COME_OR_GONE} "
        f"WHERE {where} GROUP BY ALL"
        for name, amount in (
            ("new_features", f"sum({_spend(kinds, 1)})"),
            ("vanished_features", f"-sum({_spend(kinds, 0)})"),
        )
    ]
    for leaves in split.classes():
        for place, (driver, factor) in enumerate(zip(leaves.drivers, leaves.chain, strict=True), start=1):
            occurring = [kind for kind in leaves.kinds if (driver, leaves.is_pool, kind) in moved]
            for number, ratio in enumerate(factor.ratios if occurring else ()):
                slope = _own_slope(factor, place, number)
                parts += _of_ratio(driver, leaves.condition, slope, ratio, occurring)
    return parts


def _own_slope(factor: factors.Factor, place: int, number: int) -> str:
    """Return the slope of one ratio: that of its factor, times the mean of the factor's other ratio in both windows."""
    if len(factor.ratios) == 1:
        return f"k{place}"
    top, bottom = factor.ratios[1 - number]
    means = [split.ratio(top, bottom, side, "") for side in (0, 1)]
    return f"k{place} * (({means[0]}) + ({means[1]})) / 2"


def _of_ratio(driver: str, condition: str, slope: str, names: tuple[str, str], kinds: list[str]) -> list[str]:
    """Return the SELECTs of what a ratio's numerator and its denominator do in each bucket."""
    if any(name.endswith("_kind") for name in names):
        found = []
        for kind in kinds:
            own = (names[0].replace("_kind", f"_{kind}"), names[1].replace("_kind", f"_{kind}"))
            found += _halves(driver, f"{condition} AND kind = '{kind}'", slope, own, kind)
        return found
    return _halves(driver, condition, slope, names, None)


def _halves(driver: str, condition: str, slope: str, names: tuple[str, str], kind: str | None) -> list[str]:
    top, bottom = names
    sums = {0: f"{bottom}_0", 1: f"{bottom}_1"} if bottom != "one" else {0: "1.0", 1: "1.0"}
    start = f"({top}_0 / {sums[0]})"
    guard = f"{condition} AND {sums[0]} > 0 AND {sums[1]} > 0"
    halves = [_half(driver, guard, f"{slope} / {sums[1]}", f"{slope} / {sums[0]}", top, kind)]
    if bottom != "one":
        halves.append(
            _half(driver, guard, f"-({slope}) * {start} / {sums[1]}", f"-({slope}) * {start} / {sums[0]}", bottom, kind)
        )
    return halves


def _half(driver: str, guard: str, now: str, then: str, name: str, kind: str | None) -> str:
    """Return the amounts of one sum: its buckets, weighted by the slopes of the leaves below it."""
    level, column = split.level_of(name, kind)
    keys = ", ".join(level) or "TRUE"
    on = " AND ".join(f"moved.{key} = series.{key}" for key in level) or "TRUE"
    moved_keys = f"{', '.join(level)}, " if level else ""
    return f"""
        SELECT series.bucket, '{driver}' AS driver,
            sum(moved.now * series.x_1 - moved.then * series.x_0) AS amount
        FROM (
            SELECT {moved_keys} sum({now}) AS now, sum({then}) AS then
            FROM driver_slopes WHERE {guard} GROUP BY {keys if level else "()"}
        ) AS moved
        INNER JOIN (
            SELECT bucket, {moved_keys} sum({column}_0) AS x_0, sum({column}_1) AS x_1
            FROM driver_buckets {_CONTINUING if name == "requests_all" else ""} GROUP BY ALL
        ) AS series ON {on}
        GROUP BY series.bucket"""


def _closed(
    connection: "duckdb.DuckDBPyConnection", amounts: dict[str, list[float]], where: str
) -> dict[str, list[int]]:
    """Return whole picodollars that add up to each driver's effect; what rounding leaves goes to the largest bucket."""
    sums = ", ".join(f"coalesce(sum({name}), 0)::BIGINT" for name in amounts)
    totals = connection.execute(f"SELECT {sums} FROM driver_effects WHERE {where}").fetchall()[0]
    found = {}
    for (name, series), total in zip(amounts.items(), totals, strict=True):
        whole = [round(amount) for amount in series]
        if whole and name != "calendar":
            whole[max(range(len(whole)), key=lambda place: abs(whole[place]))] += total - sum(whole)
        found[name] = whole
    return found


def onset(effects: list[int], expected: list[int]) -> tuple[int, int, int, str] | None:
    """Return (first bucket of the effect, earliest, latest, shape), or None when there is no effect to date.

    The effect of a bucket is taken relative to its expected spend, so that quiet days weigh as little as they spend.
    A step at any bucket is tried, and a ramp from any bucket; the interval holds the steps whose likelihood is near
    the best one's.
    """
    weights = [max(each, 0) for each in expected]
    if not any(effects) or len(effects) < 2 or sum(1 for each in weights if each) < 2:
        return None
    values = [effect / weight if weight else 0.0 for effect, weight in zip(effects, weights, strict=True)]
    steps = [
        _misfit(values, weights, [1.0 if place >= start else 0.0 for place in range(len(values))])
        for start in range(len(values))
    ]
    ramps = [
        _misfit(values, weights, [max(0, place - start + 1) for place in range(len(values))])
        for start in range(len(values) - 1)
    ]
    best = min(range(len(steps)), key=steps.__getitem__)
    if ramps and min(ramps) < _CLEARLY * steps[best]:
        best, steps, shape = min(range(len(ramps)), key=ramps.__getitem__), ramps, "gradual"
    else:
        shape = "throughout" if best == 0 else "step"
    floor = max(min(steps), 1e-18)
    count = sum(1 for each in weights if each)
    likely = [place for place, each in enumerate(steps) if count * log(max(each, floor) / floor) <= LIKELY]
    return best, min(likely), max(likely), shape


_CLEARLY = 0.7
"""A ramp is said where it leaves less than this share of what the best step leaves unexplained."""


def _misfit(values: list[float], weights: list[int], shape: list[float]) -> float:
    """Return the weighted squares that the best multiple of `shape` leaves."""
    norm = sum(weight * each * each for weight, each in zip(weights, shape, strict=True))
    size = sum(weight * each * value for weight, each, value in zip(weights, shape, values, strict=True)) / (norm or 1)
    return sum(
        weight * (value - size * each) ** 2 for weight, each, value in zip(weights, shape, values, strict=True)
    ) / sum(weights)
