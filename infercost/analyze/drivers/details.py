"""Splits effects further by the class of the session, which is no factor of spend.

A leaf's effects are shared by the parts of its cost. Where the parts' shares change, that is one factor more, whose
effects add up to nothing over the parts, and which leaves the effects of all others over the parts as they are: along
the way from the baseline to the current window the shares always add up to one.
"""

from typing import TYPE_CHECKING

from infercost.analyze.drivers import factors, split
from infercost.analyze.drivers.effects import rows_of
from infercost.analyze.drivers.quadrature import literals
from infercost.analyze.explanation import SplitTable

if TYPE_CHECKING:
    import duckdb

_POINTS = literals(len(split.PLACES) + 1)
"""The share of a part is a factor more to integrate."""

_LEAF = ", ".join(split.LEAF)


def table(
    connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], by: tuple[str, ...], where: str = "TRUE"
) -> SplitTable:
    """Return the split by dimensions of which one is factors.SESSION; its rows add up as in `effects.table`.

    The split of the connection was made of cells with that column.
    """
    if not kinds:
        return SplitTable(by, ())
    _share(connection, kinds, where)
    _integrate(connection, where)
    others = [name for name in factors.NAMES if name != factors.SHIFTS]
    parts = ", ".join(f"{_part(name)} AS part_{name}" for name in others)
    # What rounding leaves over goes to the largest part.
    closed = ", ".join(
        f"part_{name} + CASE WHEN place = 1 THEN {name} - sum(part_{name}) OVER leaf ELSE 0 END AS {name}"
        for name in others
    )
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_detailed AS
        WITH parts AS (
            SELECT driver_shares.*, {", ".join(f"effects.{name}" for name in others)}, {parts}
            FROM driver_shares
            INNER JOIN driver_moments AS moments USING ({_LEAF})
            INNER JOIN driver_effects AS effects USING ({_LEAF})
        ),
        closed AS (
            SELECT {_LEAF}, {factors.SESSION}, raw_0 AS cost_0, raw_1 AS cost_1, {closed}
            FROM parts WINDOW leaf AS (PARTITION BY {_LEAF})
        )
        SELECT *, cost_1 - cost_0 - ({" + ".join(others)}) AS {factors.SHIFTS} FROM closed
    """)
    return rows_of(connection, "driver_detailed", by, "TRUE")


def _share(connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], where: str) -> None:
    """Create `driver_shares`: the classes of each leaf with costs, shares of it, and places by size."""
    is_even = split.weigh(connection, "driver_cells")
    keys = f"{', '.join(split.KEYS)}, {factors.SESSION}"
    of_kinds = " UNION ALL ".join(
        f"SELECT {keys}, '{kind}' AS kind, matched_{kind}_0 AS matched, raw_{kind}_0 AS raw_0, raw_{kind}_1 AS raw_1 "
        "FROM sided"
        for kind in kinds
    )
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_shares AS
        WITH {split.by_period(f"(FROM driver_weighted WHERE {where})", keys, (), kinds, is_even=is_even)},
        sided AS ({split.sided(keys, split.raw_names(kinds))}),
        shares AS (
            SELECT *,
                row_number() OVER (PARTITION BY {_LEAF} ORDER BY raw_0 + raw_1 DESC, {factors.SESSION}) AS place,
                matched / nullif(sum(matched) OVER (PARTITION BY {_LEAF}), 0) AS before,
                raw_1 / nullif(sum(raw_1) OVER (PARTITION BY {_LEAF}), 0) AS after
            FROM ({of_kinds}) WHERE raw_0 <> 0 OR raw_1 <> 0
        )
        SELECT * EXCLUDE (before, after), coalesce(before, after, 0) AS share_0, coalesce(after, before, 0) AS share_1
        FROM shares
    """)


def _integrate(connection: "duckdb.DuckDBPyConnection", where: str) -> None:
    """Create `driver_moments`: each factor's effect on a leaf (v), and that weighed by how far the way is gone (m)."""
    integrals = ", ".join(
        f"CASE WHEN NOT continues OR a{place} = b{place} THEN 0e0 ELSE (b{place} - a{place}) * ({integral}) END "
        f"AS {name}{place}"
        for place in split.PLACES
        for name, integral in (
            ("v", split.slope(place, _POINTS)),
            ("m", split.slope(place, _POINTS, moment=True)),
        )
    )
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_moments AS
        SELECT {_LEAF}, continues, {integrals}
        FROM (SELECT *, {split.products(_POINTS)} FROM driver_leaves WHERE {where})
    """)


def _part(name: str) -> str:
    """Return the picodollars of one driver on one part of a leaf, rounded by itself."""
    if name == "calendar":
        value = "matched - raw_0"
    elif name == "new_features":
        value = "CASE WHEN NOT continues AND raw_1 > 0 THEN raw_1 ELSE 0 END"
    elif name == "vanished_features":
        value = "CASE WHEN NOT continues THEN -matched ELSE 0 END"
    else:
        value = split.driver_value(name, "share_0 * v{place} + (share_1 - share_0) * m{place}")
    return f"cast(round({value}) AS BIGINT)"
