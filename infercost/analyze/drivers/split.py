"""Splits the change of spend into drivers on every leaf, in SQL that is generated from the list of factors.

The effect of a factor on a leaf is its Shapley value: its change, times the integral of the other factors along the
straight line from the baseline to the current window. For a product that integral is exact with few nodes. Effects
are whole picodollars that add up to the change of the leaf, so they add up over any leaves in any order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infercost import engine
from infercost.analyze.drivers import dilution, factors
from infercost.analyze.drivers.quadrature import literals
from infercost.errors import InternalError

if TYPE_CHECKING:
    import duckdb

KEYS: tuple[str, ...] = (*factors.CELL, "band", *factors.FIRST, *factors.BILLED)
"""Columns that make a leaf, beside the token kind."""

LEAF: tuple[str, ...] = (*KEYS, "kind")
"""Columns that make a leaf of one token kind: a row of `driver_leaves` and of `driver_effects`."""

_CELL = factors.CELL
_BAND = (*_CELL, "band")
_FIRST = (*_BAND, *factors.FIRST)
_WAY = (*_CELL, *factors.FIRST, *factors.BILLED)

COUNTS = (
    *("requests", "dispatched", "answered", "priced", "attempts", "request_tokens", "priced_tokens"),
    *dilution.SUMS,
)
MEASURES = ("units", "base", "list", "cost")

_PARTS = 2**3
_TOKEN_PARTS = 2**13
"""Parts that cells count in: a request is shared in eighths, its tokens are 1024ths."""

_WEIGHT_PARTS = 2**36
"""Parts of a weight: so few that weights which differ by floating point only have the same number of them."""

PLACES = range(1, len(factors.PROMPT_CHAIN) + 1)
"""Places of the factors of a leaf, whatever its kind: a1, a2, ... in the baseline, b1, b2, ... now."""

Points = tuple[tuple[str, str], ...]
"""Points between the windows, each with its weight in an integral; SQL literals."""

POINTS: Points = literals(len(PLACES))
"""Those with which the integral of all factors but one is exact."""

_TOLERANCE = 1_000_000
"""Picodollars (a micro-dollar) that floating point may leave over on a leaf before it is an error."""


@dataclass(frozen=True)
class Sums:
    """A sum that the ratios of factors are made of: the column, and the level it is summed over."""

    column: str
    level: tuple[str, ...]


SUMS: dict[str, Sums] = {
    "requests_all": Sums("requests", ()),
    "requests_feature": Sums("requests", ("feature",)),
    "requests_cell": Sums("requests", _CELL),
    "dispatched_cell": Sums("dispatched", _CELL),
    "answered_cell": Sums("answered", _CELL),
    "tokens_band": Sums("request_tokens", _BAND),
    "priced_tokens_band": Sums("priced_tokens", _BAND),
    "calls_band": Sums("answered", _BAND),
    "priced_calls_band": Sums("priced", _BAND),
    "tokens_first": Sums("priced_tokens", _FIRST),
    "calls_first": Sums("priced", _FIRST),
    "tokens_leaf": Sums("prompt_units", KEYS),
    "attempts_leaf": Sums("attempts", KEYS),
    "attempts_way": Sums("attempts", _WAY),
    **{f"{name}_way": Sums(name, _WAY) for name in (*dilution.SUMS, *(f"units_{kind}" for kind in factors.KINDS))},
}
"""Every sum that a ratio may name, with its level; beside them are MEASURES of one kind on a leaf, and factors.ONE."""

_LEVELS = {"cell": _CELL, "band": _BAND, "first": _FIRST, "way": _WAY}
"""Levels between the features and the leaves, each with its table `driver_by_<level>`."""

NUMBERS: dict[tuple[str, ...], str] = {
    ("feature",): "feature",
    **{keys: f"{level}_leaf" for level, keys in _LEVELS.items()},
    KEYS: "leaf",
}
"""The one column of `driver_wide` that tells the rows of a level apart: its least leaf stands for all leaves of one."""


def split(connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], cells: str = "driver_cells") -> None:
    """Create `driver_leaves` (factors of both windows) and `driver_effects` (picodollars of each driver) from `cells`.

    `driver_matches` weighs the hours of the baseline. Raises InternalError when the factors do not multiply to the
    cost of a leaf, which would make the split a guess.
    """
    _pivot(connection, kinds, cells)
    with engine.one_thread(connection):
        _totals(connection, kinds)
        dilution.create(connection, kinds, _WAY)
    _leaves(connection, kinds)
    make_effects(connection)


def weigh(connection: "duckdb.DuckDBPyConnection", cells: str) -> bool:
    """Create the view `driver_weighted`: `cells` of both windows with their `weight`, in parts of it.

    Returns whether all hours of a window weigh the same.
    """
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_weights AS
        SELECT baseline_hour AS hour, {weight_parts("sum(weight)")} AS weight FROM driver_matches GROUP BY baseline_hour
    """)
    connection.execute(f"""
        CREATE OR REPLACE TEMP VIEW driver_weighted AS
        SELECT cells.*, CASE period WHEN 'current' THEN {_WEIGHT_PARTS} ELSE coalesce(weights.weight, 0) END AS weight
        FROM {cells} AS cells LEFT JOIN driver_weights AS weights ON cells.hour = weights.hour
        WHERE period IN ('baseline', 'current')
    """)
    (weights,) = connection.execute(f"""
        SELECT count(DISTINCT coalesce(weight, 0))
        FROM (SELECT DISTINCT hour FROM {cells} WHERE period = 'baseline') LEFT JOIN driver_weights USING (hour)
    """).fetchall()[0]
    return bool(weights <= 1)


def weight_parts(weight: str) -> str:
    """Return a weight as a number of whole parts."""
    return f"cast(round({weight} * {_WEIGHT_PARTS}) AS HUGEINT)"


def by_period(source: str, keys: str, names: Iterable[str], kinds: Iterable[str] = (), *, is_even: bool) -> str:
    """Return the CTE `by_period`: weighted sums of `source` by `keys` and period.

    `is_even` says that all hours of a period weigh the same. Of `kinds` there are whole picodollars beside: `raw_`, and
    `matched_` weighted. Sums are of whole parts: what is in proportion stays so, and every order gives the same digits.
    """
    parts = {name: _TOKEN_PARTS if name in ("request_tokens", "priced_tokens") else _PARTS for name in names}
    sums = [f"sum(cast({name} * {count} AS BIGINT)) AS {name}" for name, count in parts.items()]
    sums += [f"sum(raw_{kind}) AS raw_{kind}" for kind in kinds]
    add = "" if is_even else "sum"
    weighted = [f"{add}({name} * weight)::DOUBLE / {count * _WEIGHT_PARTS} AS {name}" for name, count in parts.items()]
    for kind in kinds:
        weighted.append(f"{add}(raw_{kind} * weight)::DOUBLE / {_WEIGHT_PARTS} AS matched_{kind}")
        weighted.append(f"{add}(raw_{kind})::BIGINT AS raw_{kind}")
    return f"""
        by_weight AS (SELECT {keys}, period, weight, {", ".join(sums)} FROM {source} GROUP BY ALL),
        by_period AS (SELECT {keys}, period, {", ".join(weighted)} FROM by_weight{"" if is_even else " GROUP BY ALL"})
    """


def raw_names(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that `by_period` has of kinds."""
    return tuple(f"{name}_{kind}" for kind in kinds for name in ("matched", "raw"))


def sided(keys: str, names: Iterable[str]) -> str:
    """Return the SELECT of the rows of `by_period` side by side: _0 is the baseline, _1 the current window."""
    columns = ", ".join(
        f"coalesce(before.{name}, 0) AS {name}_0, coalesce(after.{name}, 0) AS {name}_1" for name in names
    )
    return f"""
        SELECT {keys}, {columns}
        FROM (FROM by_period WHERE period = 'baseline') AS before
        FULL JOIN (FROM by_period WHERE period = 'current') AS after USING ({keys})
    """


def _pivot(connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], cells: str) -> None:
    """Create `driver_both`: every leaf with its sums in the matched baseline (_0) and the current window (_1)."""
    is_even = weigh(connection, cells)
    names = measures(kinds)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_both AS
        WITH {by_period("driver_weighted", "leaf", names, kinds, is_even=is_even)},
        sided AS ({sided("leaf", (*names, *raw_names(kinds)))})
        SELECT driver_keys.*, sided.* EXCLUDE (leaf), {prompt_units(kinds)}
        FROM sided INNER JOIN driver_keys USING (leaf) ORDER BY leaf
    """)


def measures(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns of cells that are added up."""
    return (*COUNTS, *(f"{measure}_{kind}" for kind in kinds for measure in MEASURES))


def prompt_units(kinds: tuple[str, ...]) -> str:
    """Return the columns of the prompt's billed tokens in both windows."""
    prompt = [kind for kind in kinds if kind in factors.PROMPT_KINDS]
    return ", ".join(
        f"{' + '.join(f'units_{kind}_{side}' for kind in prompt) or '0e0'} AS prompt_units_{side}" for side in (0, 1)
    )


def _totals(connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...]) -> None:
    """Create the sums of each level above the leaf; the sums over all are those of the features in both windows."""
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE driver_by_feature AS
        SELECT feature, sum(requests_0) AS requests_feature_0, sum(requests_1) AS requests_feature_1,
            requests_feature_0 > 0 AND requests_feature_1 > 0 AS continues
        FROM driver_both GROUP BY feature
    """)
    present = {*COUNTS, *(f"units_{kind}" for kind in kinds)}
    for level, keys in _LEVELS.items():
        sums = ", ".join(
            f"sum({each.column}_{side}) AS {name}_{side}"
            for name, each in SUMS.items()
            if each.level == keys and each.column in present
            for side in (0, 1)
        )
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE driver_by_{level} AS "
            f"SELECT {', '.join(keys)}, min(leaf) AS {NUMBERS[keys]}, {sums} FROM driver_both GROUP BY ALL"
        )


def _leaves(connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...]) -> None:
    """Create `driver_leaves`: a row a leaf and kind, with its factors in both windows (a1, b1, ...) and its costs."""
    parts = " UNION ALL ".join(_of_kind(kind) for kind in kinds) or _no_leaf()
    sums = ", ".join(f"driver_by_{level}.* EXCLUDE ({', '.join(keys)})" for level, keys in _LEVELS.items())
    joins = " ".join(f"INNER JOIN driver_by_{level} USING ({', '.join(keys)})" for level, keys in _LEVELS.items())
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_wide AS
        SELECT driver_both.*,
            prompt_units_0 AS tokens_leaf_0, prompt_units_1 AS tokens_leaf_1,
            attempts_0 AS attempts_leaf_0, attempts_1 AS attempts_leaf_1,
            driver_by_feature.* EXCLUDE (feature),
            {sums},
            {dilution.columns(kinds)},
            (SELECT coalesce(sum(requests_feature_0), 0) FROM driver_by_feature WHERE continues) AS requests_all_0,
            (SELECT coalesce(sum(requests_feature_1), 0) FROM driver_by_feature WHERE continues) AS requests_all_1
        FROM driver_both
        INNER JOIN driver_by_feature USING (feature)
        {joins}
        LEFT JOIN driver_dilution USING ({", ".join(_WAY)})
    """)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE driver_leaves AS {parts}")


def _no_leaf() -> str:
    values = ", ".join(f"0e0 AS a{place}, 0e0 AS b{place}" for place in PLACES)
    return (
        f"SELECT leaf, {', '.join(KEYS)}, '' AS kind, TRUE AS continues, {values}, 0e0 AS matched_0, "
        "0::BIGINT AS cost_0, 0::BIGINT AS cost_1 FROM driver_wide WHERE FALSE"
    )


def _of_kind(kind: str) -> str:
    values = []
    for place, factor in enumerate(factors.chain(kind), start=1):
        for side, name in ((0, "a"), (1, "b")):
            product = " * ".join(value(each.of(kind), side) for each in factor.ratios)
            values.append(f"{product} AS {name}{place}")
    return f"""
        SELECT leaf, {", ".join(KEYS)}, '{kind}' AS kind, continues, {", ".join(values)},
            matched_{kind}_0 AS matched_0, raw_{kind}_0 AS cost_0, raw_{kind}_1 AS cost_1
        FROM driver_wide WHERE raw_{kind}_0 <> 0 OR raw_{kind}_1 <> 0"""


def value(ratio: factors.Ratio, side: int) -> str:
    """Return a ratio of one window as SQL; where it is not known, that of the other window: it does not change then."""
    if ratio.bottom == factors.ONE:
        return f"{ratio.top}_{side}"
    sides = (side, 1 - side)
    branches = (f"WHEN {known(ratio, each)} THEN {ratio.top}_{each} / {ratio.bottom}_{each}" for each in sides)
    return f"CASE {' '.join(branches)} ELSE 0 END"


def known(ratio: factors.Ratio, side: int) -> str:
    """Return the condition that a ratio is known in a window."""
    return " AND ".join(f"{name}_{side} > 0" for name in (ratio.bottom, *ratio.also) if name != factors.ONE) or "TRUE"


def products(points: Points = POINTS) -> str:
    """Return the products of all factors at the points between the windows, as columns that `slope` reads."""
    return ", ".join(
        f"{' * '.join(_between(place, point) for place in PLACES)} AS p{number}"
        for number, (point, _) in enumerate(points)
    )


def slope(place: int, points: Points = POINTS, *, moment: bool = False) -> str:
    """Return what one unit of a factor is worth on a leaf where it changed: the integral of the other factors.

    `moment` is the integral of those times how far the way is gone.
    """
    return " + ".join(
        f"{weight} * {f'{point} * ' if moment else ''}p{number} / {_between(place, point)}"
        for number, (point, weight) in enumerate(points)
    )


def _between(place: int, point: str) -> str:
    return f"(a{place} + {point} * (b{place} - a{place}))"


def make_effects(connection: "duckdb.DuckDBPyConnection") -> None:
    """Create `driver_effects`: a row a leaf and kind with the picodollars of every driver."""
    places = PLACES
    values = ", ".join(
        f"CASE WHEN NOT continues OR a{place} = b{place} THEN 0e0 "
        f"ELSE (b{place} - a{place}) * ({slope(place)}) END AS v{place}"
        for place in places
    )
    rounded = ", ".join(f"cast(round(v{place}) AS BIGINT) AS r{place}" for place in places)
    largest = f"greatest({', '.join(f'abs(v{place})' for place in places)})"
    top = " ".join(f"WHEN abs(v{place}) = largest THEN {place}" for place in places)
    left = f"cost_1 - matched - ({' + '.join(f'r{place}' for place in places)})"
    closed = ", ".join(f"r{place} + CASE WHEN top = {place} THEN left_over ELSE 0 END AS e{place}" for place in places)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_effects AS
        WITH integrated AS (SELECT *, {products()} FROM driver_leaves),
        split AS (SELECT *, cast(round(matched_0) AS BIGINT) AS matched, {values} FROM integrated),
        rounded AS (SELECT *, {rounded}, {largest} AS largest, CASE {top} END AS top FROM split),
        checked AS (SELECT *, CASE WHEN continues THEN {left} ELSE 0 END AS left_over FROM rounded),
        closed AS (SELECT *, {closed} FROM checked)
        SELECT {", ".join(KEYS)}, kind, cost_0, cost_1, left_over,
            {", ".join(f"{_driver(name)} AS {name}" for name in factors.NAMES)}
        FROM closed
    """)
    (worst,) = connection.execute(
        "SELECT max(abs(left_over) - 1e-9 * (cost_0 + cost_1)) FROM driver_effects"
    ).fetchall()[0]
    if worst is not None and worst > _TOLERANCE:
        raise InternalError(f"the factors of a leaf miss its cost by {worst / 1e12:.6f} dollars")


def _driver(name: str) -> str:
    """Return the picodollars of one driver on a leaf."""
    if name == "calendar":
        return "matched - cost_0"
    if name == "new_features":
        return "CASE WHEN NOT continues AND cost_1 > 0 THEN cost_1 ELSE 0 END"
    if name == "vanished_features":
        return "CASE WHEN NOT continues THEN -matched ELSE 0 END"
    return driver_value(name, "e{place}")


def driver_value(name: str, value: str) -> str:
    """Return SQL that picks `value` ({place}: where the driver is in a leaf's chain); 0 where the leaf has no such."""
    branches = [
        f"WHEN {each.condition} THEN {value.format(place=place)}"
        for each in classes()
        for place, driver in enumerate(each.drivers, start=1)
        if driver == name
    ]
    return f"CASE {' '.join(branches)} ELSE 0 END" if branches else "0"


@dataclass(frozen=True)
class LeafClass:
    """Leaves with one chain: those of `kinds`, on pools or not; `drivers` names each factor's driver ('' = none)."""

    is_pool: bool
    kinds: tuple[str, ...]
    chain: tuple[factors.Factor, ...]
    drivers: tuple[str, ...]

    @property
    def condition(self) -> str:
        """The leaves of the class as a SQL condition."""
        kinds = "', '".join(self.kinds)
        return f"{'is_pool' if self.is_pool else 'NOT is_pool'} AND kind IN ('{kinds}')"


def classes() -> list[LeafClass]:
    """Return every class of leaves."""
    found = []
    for is_pool in (False, True):
        for kinds in (factors.PROMPT_KINDS, *((kind,) for kind in factors.PER_ATTEMPT)):
            chain = factors.chain(kinds[0])
            drivers = tuple(factor.of(kinds[0]) for factor in chain)
            if is_pool:
                drivers = tuple(factors.POOL_PRICE.get(driver, driver) for driver in drivers)
            found.append(LeafClass(is_pool, kinds, chain, drivers))
    return found


def level_of(name: str) -> tuple[tuple[str, ...], str]:
    """Return the keys that a sum is taken over, and its column in `driver_both`."""
    if name in SUMS:
        return SUMS[name].level, SUMS[name].column
    return KEYS, name
