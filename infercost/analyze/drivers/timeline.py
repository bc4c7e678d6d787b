"""Spreads each driver's effect over the time of the window, exactly, and finds when it began.

An effect is a slope (what a unit of its ratio is worth on a leaf) times the change of the ratio. The ratio of a window
is the mean of its hours, weighted by their denominators, so its change is a sum over hours: what the hour adds to the
current ratio, less what the hours matched with it add to the baseline's. Summed over the window this is the effect.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from infercost import engine, schema
from infercost.analyze.drivers import factors, split
from infercost.analyze.drivers.effects import dollars
from infercost.analyze.explanation import Child, SplitTable

if TYPE_CHECKING:
    import duckdb

DAY, HOUR = "day", "hour"

_NUMBERS = ", ".join(name for name in split.NUMBERS.values() if name != "leaf")

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


@dataclass(frozen=True)
class _Part:
    """What one sum of a ratio does in each bucket: `column` summed over `level`, weighted by the slopes of the leaves.

    A unit of it is worth `now` in the current window and `then` in the baseline, on the leaves of `condition`.
    `continuing` says that features that come or go are not in the sum.
    """

    driver: str
    condition: str
    now: str
    then: str
    level: tuple[str, ...]
    column: str
    continuing: bool


def spread(
    connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], unit: str, zone: str, where: str = "TRUE"
) -> Spread:
    """Return the effects over the leaves of `where` in the buckets of the window; `unit` is day or hour of `zone`."""
    parts = _parts(_moved(connection, where))
    _bucket(connection, kinds, {part.column for part in parts}, unit, zone)
    _slopes(connection, parts, where)
    found = _come_or_gone(connection, kinds, where)
    with engine.one_thread(connection):
        for level in sorted({(each.level, each.continuing) for each in parts}):
            found += _amounts(connection, [each for each in parts if (each.level, each.continuing) == level])
    buckets = [row[0] for row in connection.execute("SELECT DISTINCT bucket FROM driver_buckets ORDER BY 1").fetchall()]
    place = {bucket: number for number, bucket in enumerate(buckets)}
    amounts = {name: [0.0] * len(buckets) for name in factors.NAMES}
    for bucket, driver, amount in found:
        amounts[driver][place[bucket]] += amount or 0.0
    spent = {
        bucket: sums
        for bucket, *sums in connection.execute(
            f"SELECT bucket, sum({_spend(kinds, 0)}), sum({_spend(kinds, 1)}) "
            f"FROM driver_buckets {_of(where)} GROUP BY 1"
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


def _of(where: str) -> str:
    """Return the rows of `driver_buckets` that are of the leaves of a condition."""
    return f"SEMI JOIN (FROM driver_both WHERE {where}) AS meant USING (leaf)"


def _spend(kinds: tuple[str, ...], side: int) -> str:
    return " + ".join(f"cost_{kind}_{side}" for kind in kinds) or "0"


def _bucket(
    connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], needed: set[str], unit: str, zone: str
) -> None:
    """Create `driver_buckets`: the sums of every leaf in each bucket (_1), and of the hours matched with it (_0).

    Columns are costs, and those that are `needed`.
    """
    keys = "bucket, leaf"
    spent = {f"cost_{kind}" for kind in kinds}
    prompts = {f"units_{kind}" for kind in kinds if kind in factors.PROMPT_KINDS and "prompt_units" in needed}
    names = [name for name in split.measures(kinds) if name in needed | spent | prompts]
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_hours AS
        WITH hours AS (
            SELECT hour, date_trunc('{unit}', hour AT TIME ZONE {engine.literal(zone)})
                AT TIME ZONE {engine.literal(zone)} AS bucket
            FROM (SELECT DISTINCT hour FROM driver_matches UNION SELECT hour FROM driver_cells WHERE period = 'current')
        )
        SELECT 'current' AS period, hour, bucket, {split.weight_parts("1e0")} AS weight FROM hours
        UNION ALL
        SELECT 'baseline', baseline_hour, bucket, {split.weight_parts("sum(weight)")}
        FROM driver_matches INNER JOIN hours USING (hour) GROUP BY ALL
    """)
    (weights,) = connection.execute(
        "SELECT count(DISTINCT weight) FROM driver_hours WHERE period = 'baseline'"
    ).fetchall()[0]
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_buckets AS
        WITH hourly AS (FROM driver_cells INNER JOIN driver_hours USING (period, hour)),
        {split.by_period("hourly", keys, names, is_even=weights <= 1)},
        sided AS ({split.sided(keys, names)}),
        numbers AS (SELECT leaf, {_NUMBERS} FROM driver_wide)
        SELECT *{f", {split.prompt_units(kinds)}" if prompts else ""}
        FROM sided INNER JOIN numbers USING (leaf) ORDER BY {keys}
    """)


def _slopes(connection: "duckdb.DuckDBPyConnection", parts: list[_Part], where: str) -> None:
    """Create `driver_slopes`: what one unit of each factor is worth on each leaf where it changed, and its sums."""
    used = " ".join(f"{part.condition} {part.now} {part.then}" for part in parts)
    words = set(re.findall(r"\w+", used))
    slopes = "".join(
        f", CASE WHEN a{place} = b{place} THEN 0e0 ELSE {split.slope(place)} END AS k{place}"
        for place in split.PLACES
        if f"k{place}" in words
    )
    wide = [row[0] for row in connection.execute("DESCRIBE driver_wide").fetchall()]
    sums = "".join(f", {name}" for name in wide if name in words and name not in split.KEYS)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_slopes AS
        WITH slopes AS (
            SELECT leaf, is_pool, kind{slopes} FROM (
                SELECT *, {split.products()} FROM driver_leaves WHERE continues AND {where}
            )
        )
        SELECT slopes.*, {_NUMBERS}{sums} FROM slopes INNER JOIN driver_wide USING (leaf)
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


def _come_or_gone(
    connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], where: str
) -> list[tuple[datetime, str, float]]:
    """Return (bucket, driver, picodollars) of the features that have no spend in one of the windows."""
    return connection.execute(f"""
        WITH spent AS (
            SELECT bucket, sum({_spend(kinds, 1)}) AS new_features, -sum({_spend(kinds, 0)}) AS vanished_features
            FROM driver_buckets {_COME_OR_GONE} {_of(where)} GROUP BY bucket
        )
        SELECT bucket, driver, amount
        FROM (UNPIVOT spent ON new_features, vanished_features INTO NAME driver VALUE amount) ORDER BY ALL
    """).fetchall()


def _amounts(connection: "duckdb.DuckDBPyConnection", parts: list[_Part]) -> list[tuple[datetime, str, float]]:
    """Return (bucket, driver, picodollars) of parts that are summed over the same level."""
    number = split.NUMBERS.get(parts[0].level, "")
    keys, by = f"{number}, " if number else "", number or "()"
    slopes = ", ".join(
        f"sum({worth}) FILTER (WHERE {part.condition}) AS {side}{place}"
        for place, part in enumerate(parts)
        for side, worth in (("now", part.now), ("then_", part.then))
    )
    columns = sorted({part.column for part in parts})
    sums = ", ".join(f"sum({column}_{side}) AS {column}_{side}" for column in columns for side in (0, 1))
    drivers: dict[str, list[str]] = {}
    for place, part in enumerate(parts):
        amount = f"cast(coalesce(now{place} * {part.column}_1 - then_{place} * {part.column}_0, 0) AS BIGINT)"
        drivers.setdefault(part.driver, []).append(amount)
    amounts = ", ".join(f"sum({' + '.join(each)}) AS {driver}" for driver, each in drivers.items())
    return connection.execute(f"""
        WITH moved AS (SELECT {keys} {slopes} FROM driver_slopes GROUP BY {by}),
        series AS (
            SELECT bucket, {keys} {sums}
            FROM driver_buckets {_CONTINUING if parts[0].continuing else ""} GROUP BY bucket, {by}
        ),
        spread AS (
            SELECT bucket, {amounts} FROM series {f"INNER JOIN moved USING ({by})" if number else "CROSS JOIN moved"}
            GROUP BY bucket
        )
        SELECT bucket, driver, amount
        FROM (UNPIVOT spread ON {", ".join(drivers)} INTO NAME driver VALUE amount) ORDER BY ALL
    """).fetchall()


def _parts(moved: set[tuple[str, bool, str]]) -> list[_Part]:
    """Return the parts of every ratio that moved."""
    parts = []
    for leaves in split.classes():
        for place, (driver, factor) in enumerate(zip(leaves.drivers, leaves.chain, strict=True), start=1):
            occurring = [kind for kind in leaves.kinds if (driver, leaves.is_pool, kind) in moved]
            for number, ratio in enumerate(factor.ratios if occurring else ()):
                # What is no sum of one kind is the same for all kinds of these leaves.
                by_kind = any("_kind" in name for each in factor.ratios for name in (each.top, each.bottom))
                for kind in occurring if by_kind else occurring[:1]:
                    condition = f"{leaves.condition} AND kind = '{kind}'" if by_kind else leaves.condition
                    parts += _halves(driver, condition, _own_slope(factor, place, number, kind), ratio.of(kind))
    return parts


def _own_slope(factor: factors.Factor, place: int, number: int, kind: str) -> str:
    """Return the slope of one ratio: that of its factor, times what the factor's other ratios are along the way.

    The ratios of a factor share its change like factors share that of spend: by their Shapley values.
    """
    others = [each.of(kind) for each in (*factor.ratios[:number], *factor.ratios[number + 1 :])]
    if not others:
        return f"k{place}"
    sides = [[split.value(each, side) for side in (0, 1)] for each in others]
    if len(others) == 1:
        return f"k{place} * (({sides[0][0]}) + ({sides[0][1]})) / 2"
    (one_0, one_1), (other_0, other_1) = sides
    return (
        f"k{place} * (2 * ({one_0}) * ({other_0}) + ({one_0}) * ({other_1}) + ({one_1}) * ({other_0})"
        f" + 2 * ({one_1}) * ({other_1})) / 6"
    )


def _halves(driver: str, condition: str, slope: str, ratio: factors.Ratio) -> list[_Part]:
    """Return the parts of a ratio: its numerator's and its denominator's."""
    if ratio.like:
        change, alike = (f"(({split.value(each, 1)}) - ({split.value(each, 0)}))" for each in (ratio, ratio.like))
        return _halves(driver, condition, f"({slope}) * coalesce({change} / nullif({alike}, 0), 0)", ratio.like)
    top, bottom = ratio.top, ratio.bottom
    sums = {0: f"{bottom}_0", 1: f"{bottom}_1"} if bottom != factors.ONE else {0: "1.0", 1: "1.0"}
    guard = f"{condition} AND {split.known(ratio, 0)} AND {split.known(ratio, 1)}"
    worth = {top: slope}
    if bottom != factors.ONE:
        worth[bottom] = f"-({slope}) * ({top}_0 / {sums[0]})"
    return [
        _Part(
            driver,
            guard,
            f"{value} / {sums[1]}",
            f"{value} / {sums[0]}",
            *split.level_of(name),
            continuing=name == "requests_all",
        )
        for name, value in worth.items()
    ]


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
