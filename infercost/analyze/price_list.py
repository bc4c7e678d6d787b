"""Lists prices: in force at a time, or every dated row, and compares two books moment by moment."""

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import pyarrow.compute as pc

from infercost import engine, schema
from infercost.pricing.rows import PARENT

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


class Wanted(NamedTuple):
    """Which prices to list: of a provider of the book, of models (glob), in force at a moment; None = any."""

    provider: str | None = None
    model: str | None = None
    at: datetime | None = None


def select_prices(book: "pa.Table", wanted: Wanted) -> "pa.Table":
    """Return the rows of `book` (schema.PRICES) that are wanted, with all columns, in a steady order."""
    with _holding(book=book) as connection:
        return connection.sql(
            "SELECT * FROM book "
            "WHERE (CAST($provider AS VARCHAR) IS NULL OR lower(provider) = lower($provider)) "
            "AND (CAST($model AS VARCHAR) IS NULL OR lower(model) GLOB lower($model)) "
            "AND (CAST($at AS TIMESTAMPTZ) IS NULL OR (coalesce(effective_from, '-infinity') <= $at "
            "AND coalesce(effective_to, 'infinity') > $at)) "
            "ORDER BY provider, model, lane <> 'standard', lane, region NULLS FIRST, scope NULLS FIRST, "
            "effective_from NULLS FIRST, input_from, price_id",
            params=wanted._asdict(),
        ).to_arrow_table()


def exact_prices(book: "pa.Table", provider: str, model: str) -> "pa.Table":
    """Return every dated row of one model of the book, in the order of `select_prices`."""
    mine = pc.and_(pc.equal(book["provider"], provider), pc.equal(book["model"], model))
    return select_prices(book.filter(mine), Wanted())


def for_people(rows: "pa.Table", *, sources: bool = False) -> "pa.Table":
    """Return price rows as US dollars per million tokens; columns that say nothing in any row are left out.

    A kind that always costs what its parent kind costs (a cached read without a price of its own) is left out too. Fees
    are US dollars for one. With `sources` the row's id, basis, source and its date.
    """
    with _holding(book=rows) as connection:
        optional = [
            name for name in ("region", "scope", "effective_from", "effective_to", "input_to") if _any(rows, name)
        ]
        if "input_to" in optional:
            optional.insert(optional.index("input_to"), "input_from")
        named = ["provider", "model", "lane", *optional]
        rates = [f"{_usd(f'{kind}_rate')} AS {kind}" for kind in schema.TOKEN_KINDS if _differs(rows, kind)]
        fees = [
            f"CAST({fee}_fee * 0.000000000001 AS {schema.MONEY}) AS {fee}_fee"
            for fee in schema.FEES
            if _any(rows, f"{fee}_fee")
        ]
        ends = ["book", "basis", "source", "source_date", "price_id"] if sources else ["book"]
        return connection.sql(f"SELECT {', '.join([*named, *rates, *fees, *ends])} FROM book").to_arrow_table()


def _any(rows: "pa.Table", name: str) -> bool:
    return int(rows[name].null_count) < len(rows)


def _differs(rows: "pa.Table", kind: str) -> bool:
    if not _any(rows, f"{kind}_rate"):
        return False
    parent = PARENT.get(kind)
    return parent is None or rows[f"{kind}_rate"].to_pylist() != rows[f"{parent}_rate"].to_pylist()


def _usd(rate: str) -> str:
    """Return the SQL of a rate in US dollars per million tokens: a product of decimals, exact."""
    return f"CAST(CAST({rate} AS DECIMAL(18, 0)) * 0.000001 AS DECIMAL(18, 6))"


_KEY = "provider, model, lane, region, scope"


def diff_books(before: "pa.Table", after: "pa.Table") -> "pa.Table":
    """Return what differs between two books, at the moments and sizes of input from which on it differs.

    Columns: status (added, retired, changed), provider, model, lane, region, scope, since (NULL = always), input_from,
    kind, before and after in US dollars per million tokens (a fee: US dollars for one), change_percent. Both books are
    compared at every bound that either has, so that rows that are only cut otherwise are no difference. A kind that
    costs what its parent kind costs in both books is told by the parent.
    """
    with _holding(a=before, b=after) as connection:
        return connection.sql(_DIFF_SQL).to_arrow_table()


def _kinds_sql() -> str:
    kinds = []
    for kind in schema.TOKEN_KINDS:
        parent = PARENT.get(kind)
        told = "false"
        if parent is not None:
            told = " AND ".join(f"{side}.{kind}_rate IS NOT DISTINCT FROM {side}.{parent}_rate" for side in "ab")
        kinds.append(
            f"{{'kind': '{kind}', 'a': {_usd(f'a.{kind}_rate')}, 'b': {_usd(f'b.{kind}_rate')}, 'told': {told}}}"
        )
    for fee in schema.FEES:
        sides = [f"CAST(CAST({side}.{fee}_fee AS DECIMAL(18, 0)) * 0.000000000001 AS DECIMAL(24, 12))" for side in "ab"]
        kinds.append(f"{{'kind': '{fee}_fee', 'a': {sides[0]}, 'b': {sides[1]}, 'told': false}}")
    return "[" + ", ".join(kinds) + "]"


_SIDE = """
    SELECT
        * REPLACE (
            coalesce(region, '') AS region,
            coalesce(scope, '') AS scope,
            coalesce(effective_from, '-infinity'::TIMESTAMPTZ) AS effective_from,
            coalesce(effective_to, 'infinity'::TIMESTAMPTZ) AS effective_to,
            coalesce(input_to, 9_223_372_036_854_775_807) AS input_to
        )
    FROM {name}
"""

_DIFF_SQL = f"""
WITH left_side AS MATERIALIZED ({_SIDE.format(name="a")}),
right_side AS MATERIALIZED ({_SIDE.format(name="b")}),
both_sides AS (FROM left_side UNION ALL FROM right_side),
moments AS (
    SELECT {_KEY}, effective_from AS since FROM both_sides
    UNION
    SELECT {_KEY}, effective_to FROM both_sides WHERE effective_to < 'infinity'
),
sizes AS (
    SELECT {_KEY}, input_from FROM both_sides
    UNION
    SELECT {_KEY}, input_to FROM both_sides WHERE input_to < 9_223_372_036_854_775_807
),
points AS (FROM moments INNER JOIN sizes USING ({_KEY})),
compared AS (
    SELECT
        {", ".join(f"points.{name}" for name in _KEY.split(", "))},
        points.since,
        points.input_from,
        CASE WHEN a.price_id IS NULL THEN 'added' WHEN b.price_id IS NULL THEN 'retired' ELSE 'changed' END AS status,
        a.price_id IS NULL AND b.price_id IS NULL AS is_empty,
        list_filter({_kinds_sql()}, lambda each: NOT each.told AND each.a IS DISTINCT FROM each.b) AS kinds
    FROM points
    LEFT JOIN left_side AS a
        ON points.provider = a.provider AND points.model = a.model AND points.lane = a.lane
        AND points.region = a.region AND points.scope = a.scope
        AND points.since >= a.effective_from AND points.since < a.effective_to
        AND points.input_from >= a.input_from AND points.input_from < a.input_to
    LEFT JOIN right_side AS b
        ON points.provider = b.provider AND points.model = b.model AND points.lane = b.lane
        AND points.region = b.region AND points.scope = b.scope
        AND points.since >= b.effective_from AND points.since < b.effective_to
        AND points.input_from >= b.input_from AND points.input_from < b.input_to
),
-- A difference that goes on is told once, where it begins; a larger input that differs as the smaller one does, not.
in_time AS (
    SELECT
        *,
        (kinds, status) IS DISTINCT FROM lag((kinds, status)) OVER (PARTITION BY {_KEY}, input_from ORDER BY since)
            AS begins
    FROM compared
),
begun AS (
    SELECT *
    FROM in_time
    WHERE begins
    QUALIFY
        (kinds, status, begins)
        IS DISTINCT FROM lag((kinds, status, begins)) OVER (PARTITION BY {_KEY}, since ORDER BY input_from)
),
flat AS (SELECT * EXCLUDE (kinds), unnest(kinds) AS each FROM begun WHERE NOT is_empty AND len(kinds) > 0)
SELECT
    status,
    provider,
    model,
    lane,
    nullif(region, '') AS region,
    nullif(scope, '') AS scope,
    nullif(since, '-infinity'::TIMESTAMPTZ) AS since,
    input_from,
    each.kind AS kind,
    each.a AS before,
    each.b AS after,
    CASE WHEN each.a > 0 AND each.b IS NOT NULL THEN round(100 * (each.b - each.a)::DOUBLE / each.a::DOUBLE, 2) END
        AS change_percent
FROM flat
ORDER BY status, provider, model, lane <> 'standard', lane, region, scope, flat.since, input_from, kind
"""


def _holding(**tables: "pa.Table") -> "duckdb.DuckDBPyConnection":
    """Return a connection that holds these tables; it is closed when left as a context."""
    connection = engine.connect()
    for name, table in tables.items():
        connection.register(f"_{name}", table)
        connection.execute(f"CREATE TABLE {name} AS FROM _{name}")
        connection.unregister(f"_{name}")
    return connection
