"""Prices attempts inside DuckDB: a join with the price rows of their own time, in exact integers."""

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from infercost import assets, schema
from infercost.engine import identifier
from infercost.errors import InfercostError
from infercost.pricing.failures import not_billed
from infercost.pricing.scopes import HOLDER

if TYPE_CHECKING:
    import duckdb

PRICING_COLUMNS: tuple[str, ...] = tuple(column.name for column in schema.ATTEMPTS if column.origin == "pricing")
"""Columns that `apply` makes; where the source already has them they are replaced."""

MAX_TOKENS = 500_000_000
"""Tokens of one kind in one attempt above which the count is taken for broken; keeps the sums inside BIGINT."""

MAX_REQUESTS = 1_000_000
"""Web searches of one attempt above which the count is taken for broken."""

_NOTHING = f"CAST(0 AS {schema.MONEY})"

_SCOPE_JOIN = "LEFT JOIN scope_map ON " + " AND ".join(
    f"attempt.{column} IS NOT DISTINCT FROM scope_map.{column}" for column in HOLDER
)

_USED = (
    *(f"{kind}_tokens" for kind in schema.TOKEN_KINDS),
    "input_tokens",
    "web_search_requests",
    "started_at",
    "provider_name",
    "price_model",
    "service_tier",
    "region",
    "status",
    "http_status",
    "gateway_cache",
)


def apply(
    connection: "duckdb.DuckDBPyConnection",
    source: str,
    target: str,
    kind: Literal["TABLE", "VIEW"] = "TABLE",
    as_of: datetime | None = None,
) -> None:
    """Create `target`: every row of `source` once, with the pricing columns of schema.ATTEMPTS.

    `target` is a temporary table, or a view, which prices when it is read and leaves out columns that nobody asks for.
    `source` names a table or view with the columns of attempts. The connection must hold `book_prices` and
    `effective_prices` (columns of schema.PRICES; an effective row never reaches over two rows of the book),
    the maps of names, regions and scopes that `tables.create_maps` makes. Costs are exact US dollars; NULL where the
    model, its price or the usage is unknown. A gateway cache hit costs 0 and keeps what it avoided; a request that
    failed without usage costs 0 where its provider does not bill that (failures.toml); `price_rule` says so
    (schema.PRICE_RULES). Each attempt has the price of its own time, or all have those in force at `as_of` (aware).
    Leaves the temporary tables `price_days` and `price_rates` behind. Raises InfercostError for a missing column.
    """
    columns = [row[0] for row in connection.execute(f"DESCRIBE {identifier(source)}").fetchall()]
    missing = [name for name in _USED if name not in columns]
    if missing:
        raise InfercostError(f"{source} cannot be priced: it has no column {', '.join(missing)}")
    scoped = connection.execute("SELECT count(*) > 0 FROM scope_map").fetchall() == [(True,)]
    priced_at = "attempt.started_at" if as_of is None else f"TIMESTAMPTZ '{as_of.isoformat()}'"
    for statement in _sql(source, target, kind, columns, priced_at, scoped=scoped).split(";\n"):
        if statement.strip():
            connection.execute(statement)


def _sql(source: str, target: str, kind: str, columns: list[str], priced_at: str, *, scoped: bool) -> str:
    rates = [*(f"{kind}_rate" for kind in schema.TOKEN_KINDS), *(f"{fee}_fee" for fee in schema.FEES)]
    effective, listed = _amounts("price_id", "rate.{}"), _amounts("list_price_id", "rate.book_{}")
    return assets.text("pricing/price.sql").format(
        source=identifier(source),
        target=identifier(target),
        kind=kind,
        priced_at=priced_at,
        scope="scope_map.scope" if scoped else "CAST(NULL AS VARCHAR)",
        scope_join=_SCOPE_JOIN if scoped else "",
        kept=", ".join(identifier(name) for name in columns if name not in PRICING_COLUMNS),
        tokens=", ".join(f"attempt.{kind}_tokens" for kind in schema.TOKEN_KINDS),
        token_sum=" + ".join(f"coalesce({kind}_tokens, 0)" for kind in schema.TOKEN_KINDS),
        not_billed=not_billed("provider_name", "http_status", "row_id IS NOT NULL"),
        book_rates=", ".join(f"book.{rate} AS book_{rate}" for rate in rates),
        book_order=", ".join(f"paired.book_{rate}" for rate in rates),
        effective_amounts=", ".join(f"{amount} AS {name}_amount" for name, amount in effective.items()),
        list_amounts=", ".join(f"{amount} AS {name}_list_amount" for name, amount in listed.items()),
        effective_sum=" + ".join(f"{name}_amount" for name in effective),
        list_sum=" + ".join(f"{name}_list_amount" for name in listed),
        list_cost=f"{_charged('list_amount')} AS list_cost",
        effective_cost=f"{_charged('effective_amount')} AS effective_cost",
        avoided_cost=f"CASE WHEN is_hit THEN {_dollars('effective_amount')} END AS avoided_cost",
        kind_costs=", ".join(f"{_part(amount)} AS {name}_cost" for name, amount in _parts().items()),
    )


def _amounts(row: str, rate: str) -> dict[str, str]:
    """Return the SQL of the picodollars of every kind and every fee, NULL without the price row that `row` names.

    `rate` makes the place of a rate from its name. A kind costs 0 without tokens, and is NULL with tokens but without
    a rate; web searches without a fee cost 0, which `price_rule` tells.
    """
    amounts = {kind: _tokens(f"attempt.{kind}_tokens", rate.format(f"{kind}_rate")) for kind in schema.TOKEN_KINDS}
    searches = f"attempt.web_search_requests * {rate.format('web_search_fee')}"
    amounts["web_search"] = (
        f"CASE WHEN coalesce(attempt.web_search_requests, 0) <= {MAX_REQUESTS} THEN coalesce({searches}, 0) END"
    )
    amounts["request"] = f"coalesce({rate.format('request_fee')}, 0)"
    return {name: f"CASE WHEN rate.{row} IS NOT NULL THEN {amount} END" for name, amount in amounts.items()}


def _tokens(tokens: str, rate: str) -> str:
    priced = f"WHEN {tokens} BETWEEN 1 AND {MAX_TOKENS} THEN {tokens} * {rate}"
    return f"CASE WHEN coalesce({tokens}, 0) = 0 THEN 0 {priced} END"


def _parts() -> dict[str, str]:
    """Return the picodollars of each cost column that is a part of effective_cost, by the column's name."""
    fees = " + ".join(f"{fee}_amount" for fee in schema.FEES)
    return {**{kind: f"{kind}_amount" for kind in schema.TOKEN_KINDS}, "fee": fees}


def _dollars(amount: str) -> str:
    """Return picodollars as dollars: an exact product of decimals, never a division."""
    return f"CAST(CAST({amount} AS DECIMAL(18, 0)) * 0.000000000001 AS {schema.MONEY})"


def _part(amount: str) -> str:
    """Return the SQL of a part of the cost, which is known where the whole is."""
    return f"CASE WHEN is_free THEN {_NOTHING} WHEN effective_amount IS NOT NULL THEN {_dollars(amount)} END"


def _charged(amount: str) -> str:
    return f"CASE WHEN is_free THEN {_NOTHING} ELSE {_dollars(amount)} END"
