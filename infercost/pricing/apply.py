"""Prices attempts inside DuckDB: a join with the price rows of their own time, in exact integers."""

from typing import TYPE_CHECKING, Literal

from infercost import assets, schema
from infercost.engine import identifier
from infercost.errors import InfercostError

if TYPE_CHECKING:
    import duckdb

PRICING_COLUMNS: tuple[str, ...] = tuple(column.name for column in schema.ATTEMPTS if column.origin == "pricing")
"""Columns that `apply` makes; where the source already has them they are replaced."""

MAX_TOKENS = 500_000_000
"""Tokens of one kind in one attempt above which the count is taken for broken; keeps the sums inside BIGINT."""

_NOTHING = f"CAST(0 AS {schema.MONEY})"

_USED = (
    *(f"{kind}_tokens" for kind in schema.TOKEN_KINDS),
    "input_tokens",
    "started_at",
    "provider_name",
    "price_model",
    "service_tier",
    "status",
    "http_status",
    "gateway_cache",
)


def apply(
    connection: "duckdb.DuckDBPyConnection", source: str, target: str, kind: Literal["TABLE", "VIEW"] = "TABLE"
) -> None:
    """Create `target`: every row of `source` once, with the pricing columns of schema.ATTEMPTS.

    `target` is a temporary table, or a view, which prices when it is read and leaves out columns that nobody asks for.
    `source` names a table or view with the columns of attempts. The connection must hold `book_prices` and
    `effective_prices` (columns of schema.PRICES; an effective row never reaches over two rows of the book) and
    `model_map` (schema.MODEL_MAP). Costs are exact US dollars; NULL where the model, its price or the usage is
    unknown. A gateway cache hit costs 0 and keeps what it avoided; a refused request without usage (4xx) costs 0.
    Leaves the temporary tables `price_days` and `price_rates` behind. Raises InfercostError for a missing column.
    """
    columns = [row[0] for row in connection.execute(f"DESCRIBE {identifier(source)}").fetchall()]
    missing = [name for name in _USED if name not in columns]
    if missing:
        raise InfercostError(f"{source} cannot be priced: it has no column {', '.join(missing)}")
    for statement in _sql(source, target, kind, columns).split(";\n"):
        if statement.strip():
            connection.execute(statement)


def _sql(source: str, target: str, kind: str, columns: list[str]) -> str:
    kinds = schema.TOKEN_KINDS
    return assets.text("pricing/price.sql").format(
        source=identifier(source),
        target=identifier(target),
        kind=kind,
        kept=", ".join(identifier(name) for name in columns if name not in PRICING_COLUMNS),
        tokens=", ".join(f"attempt.{kind}_tokens" for kind in kinds),
        token_sum=" + ".join(f"coalesce({kind}_tokens, 0)" for kind in kinds),
        book_rates=", ".join(f"book.{kind}_rate AS {kind}_book_rate" for kind in kinds),
        book_order=", ".join(f"paired.{kind}_book_rate" for kind in kinds),
        effective_amounts=", ".join(f"{_amount(kind, 'rate')} AS {kind}_amount" for kind in kinds),
        list_amounts=", ".join(f"{_amount(kind, 'book_rate')} AS {kind}_list_amount" for kind in kinds),
        effective_sum=" + ".join(f"{kind}_amount" for kind in kinds),
        list_sum=" + ".join(f"{kind}_list_amount" for kind in kinds),
        list_cost=f"{_charged('list_amount')} AS list_cost",
        effective_cost=f"{_charged('effective_amount')} AS effective_cost",
        avoided_cost=f"CASE WHEN is_hit THEN {_dollars('effective_amount')} END AS avoided_cost",
        kind_costs=", ".join(
            f"CASE WHEN is_free THEN {_NOTHING} WHEN effective_amount IS NOT NULL THEN {_dollars(f'{kind}_amount')} END"
            f" AS {kind}_cost"
            for kind in kinds
        ),
    )


def _amount(kind: str, rate: str) -> str:
    """Return picodollars of one kind: 0 without tokens, NULL with tokens but without a rate."""
    tokens = f"attempt.{kind}_tokens"
    return (
        f"CASE WHEN rate.price_id IS NULL THEN NULL WHEN coalesce({tokens}, 0) = 0 THEN 0"
        f" WHEN {tokens} BETWEEN 1 AND {MAX_TOKENS} THEN {tokens} * rate.{kind}_{rate} END"
    )


def _dollars(amount: str) -> str:
    """Return picodollars as dollars: an exact product of decimals, never a division."""
    return f"CAST(CAST({amount} AS DECIMAL(18, 0)) * 0.000000000001 AS {schema.MONEY})"


def _charged(amount: str) -> str:
    return f"CASE WHEN is_free THEN {_NOTHING} ELSE {_dollars(amount)} END"
