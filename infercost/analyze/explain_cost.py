"""Works out again what one attempt cost, from its tokens and the price rows that are stored, and says why those rows.

Amounts and rates are integer picodollars (a rate of 1,000,000 is 1 USD per million tokens), stored costs Decimal USD.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from infercost import schema
from infercost.analyze.unpriced import Unpriced, why_unpriced
from infercost.errors import UsageError

if TYPE_CHECKING:
    import duckdb

    from infercost.config import Config

AMBIGUOUS_SHOWN = 5
"""Attempts that are named where an id is that of several."""

_BY_LINE = (*(f"{kind}_rate" for kind in schema.TOKEN_KINDS), *(f"{fee}_fee" for fee in schema.FEES))
"""Columns of `prices` that the lines of a sum tell."""

_HITS = ("exact", "semantic", "hit")


@dataclass(frozen=True)
class Line:
    """One product of the sum: `quantity` of what is billed, by the picodollars of one (None = the row has no rate)."""

    name: str
    unit: str
    quantity: int
    rate: int | None
    amount: int | None


@dataclass(frozen=True)
class PriceUsed:
    """A row of `prices` (columns of schema.PRICES without the rates), and the attempt's sum by it."""

    row: dict[str, Any]
    lines: tuple[Line, ...]
    total: int | None


@dataclass(frozen=True)
class Resolved:
    """How the logged model name became a model of the book: a row of `model_map`."""

    provider: str
    model: str
    method: str
    book: str | None


@dataclass(frozen=True)
class CostExplanation:
    """Everything that made one attempt's cost.

    `attempt` holds its columns that take part. `listed` is None where it is the row of `effective`. `stored` is what
    the sum of `effective` must give: effective_cost, or avoided_cost of an answer from the gateway's cache; `agrees`
    says whether it does, and is None where there is neither. Where price_basis is `rule` nothing is charged, and the
    stored amount must be 0.
    """

    attempt: dict[str, Any]
    resolved: Resolved | None
    effective: PriceUsed | None
    listed: PriceUsed | None
    stored: Decimal | None
    agrees: bool | None
    unpriced: Unpriced | None


_SHOWN = (
    "attempt_id",
    "response_id",
    "started_at",
    "format",
    "source_file",
    "source_line",
    "status",
    "http_status",
    "provider_name",
    "price_model",
    "service_tier",
    "region",
    "gateway_cache",
    "input_tokens",
    "output_tokens",
    "usage_source",
    "web_search_requests",
    "effective_cost",
    "list_cost",
    "reported_cost",
    "avoided_cost",
    "price_basis",
    "price_rule",
    "price_id",
    "list_price_id",
)


def explain_cost(connection: "duckdb.DuckDBPyConnection", settings: "Config", reference: str) -> CostExplanation:
    """Explain the attempt that `reference` names: an attempt_id, a beginning that only one has, or a response_id.

    `connection` holds the store's tables. Raises UsageError for an id that no attempt, or more than one, has.
    """
    row = _find(connection, reference)
    effective = _used(connection, row, row["price_id"])
    listed_id = row["list_price_id"]
    listed = _used(connection, row, listed_id) if listed_id and listed_id != row["price_id"] else None
    stored = row["avoided_cost"] if row["gateway_cache"] in _HITS else row["effective_cost"]
    total = effective.total if effective else None
    # A rule that charges nothing leaves the sum out of the cost.
    due = 0 if row["price_basis"] == "rule" and row["gateway_cache"] not in _HITS else total
    return CostExplanation(
        attempt={name: row[name] for name in _SHOWN},
        resolved=_resolved(connection, row, effective),
        effective=effective,
        listed=listed,
        stored=stored,
        agrees=None if total is None and stored is None else due == _picodollars(stored),
        unpriced=why_unpriced(connection, settings, row["attempt_id"]) if row["effective_cost"] is None else None,
    )


def _find(connection: "duckdb.DuckDBPyConnection", reference: str) -> dict[str, Any]:
    if not reference:
        raise UsageError("an attempt needs an id", hint=_HOW)
    found: list[dict[str, Any]] = (
        connection.sql(
            "SELECT * EXCLUDE (tags) FROM attempts "
            "WHERE starts_with(attempt_id, $reference) OR response_id = $reference "
            f"ORDER BY attempt_id <> $reference, started_at, attempt_id LIMIT {AMBIGUOUS_SHOWN + 1}",
            params={"reference": reference},
        )
        .to_arrow_table()
        .to_pylist()
    )
    if not found:
        raise UsageError(f"no attempt has the id {reference!r}", hint=_HOW)
    if len(found) > 1 and found[0]["attempt_id"] != reference:
        ids = ", ".join(f"{row['attempt_id']} ({row['price_model']})" for row in found[:AMBIGUOUS_SHOWN])
        raise UsageError(
            f"{'more than ' if len(found) > AMBIGUOUS_SHOWN else ''}{min(len(found), AMBIGUOUS_SHOWN)} attempts have "
            f"the id {reference!r}: {ids}",
            hint="Give more of the attempt_id.",
        )
    return found[0]


_HOW = 'Give attempt_id, its beginning, or response_id: `infercost sql "select attempt_id, response_id from attempts"`.'


def _used(connection: "duckdb.DuckDBPyConnection", attempt: dict[str, Any], price_id: str | None) -> PriceUsed | None:
    found = connection.sql("FROM prices WHERE price_id = $id LIMIT 1", params={"id": price_id}) if price_id else None
    rows = found.to_arrow_table().to_pylist() if found else []
    if not rows:
        return None
    lines = tuple(pool_lines(attempt) if rows[0]["hour_fee"] is not None else cost_lines(attempt, rows[0]))
    amounts = [line.amount for line in lines]
    known = any(attempt[f"{kind}_tokens"] is not None for kind in schema.TOKEN_KINDS) or rows[0]["request_fee"]
    return PriceUsed(
        row={name: value for name, value in rows[0].items() if name not in _BY_LINE},
        lines=lines,
        total=None if None in amounts or not known else sum(amount for amount in amounts if amount is not None),
    )


def cost_lines(attempt: dict[str, Any], price: dict[str, Any]) -> list[Line]:
    """Return a line for every kind of tokens that the attempt has, and for every fee that it pays.

    A web search that the row has no fee for costs nothing, and stays a line without a rate (price_rule fee_unknown).
    """
    lines = []
    for kind in schema.TOKEN_KINDS:
        tokens, rate = attempt[f"{kind}_tokens"], price[f"{kind}_rate"]
        if tokens:
            lines.append(Line(kind, "tokens", tokens, rate, None if rate is None else tokens * rate))
    if attempt["web_search_requests"]:
        searches, fee = attempt["web_search_requests"], price["web_search_fee"]
        lines.append(Line("web_search", "searches", searches, fee, searches * (fee or 0)))
    if price["request_fee"]:
        lines.append(Line("request", "request", 1, price["request_fee"], price["request_fee"]))
    return lines


def pool_lines(attempt: dict[str, Any]) -> list[Line]:
    """Return a line for every kind of tokens of an attempt that a pool served: its stored share, which has no rate."""
    return [
        Line(kind, "tokens", attempt[f"{kind}_tokens"], None, _picodollars(attempt[f"{kind}_cost"]))
        for kind in schema.TOKEN_KINDS
        if attempt[f"{kind}_tokens"]
    ]


def _picodollars(dollars: Decimal | None) -> int | None:
    return None if dollars is None else int(dollars * schema.PICODOLLARS_PER_DOLLAR)


def _resolved(
    connection: "duckdb.DuckDBPyConnection", attempt: dict[str, Any], effective: PriceUsed | None
) -> Resolved | None:
    """Return how the name was resolved; of several ways over time, the one that leads to the price row."""
    wanted = (effective.row["provider"], effective.row["model"]) if effective else (None, None)
    found: list[tuple[str, str, str, str | None]] = connection.execute(
        "SELECT provider, model, method, book FROM model_map WHERE model IS NOT NULL "
        "AND provider_name IS NOT DISTINCT FROM ? AND price_model IS NOT DISTINCT FROM ? "
        "ORDER BY provider = ? AND model = ? DESC, book DESC LIMIT 1",
        [attempt["provider_name"], attempt["price_model"], *wanted],
    ).fetchall()
    return Resolved(*found[0]) if found else None
