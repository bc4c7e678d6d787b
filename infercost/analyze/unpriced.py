"""Says why an attempt has no cost: what is missing, and what the user could do about it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from infercost import assets, engine, schema
from infercost.pricing.apply import MAX_TOKENS, apply
from infercost.pricing.run import prepare
from infercost.pricing.suggest import nearest
from infercost.pricing.tables import create_maps

if TYPE_CHECKING:
    import duckdb

    from infercost.config import Config

REASONS: dict[str, str] = {
    "no_usage": "the log gives no token counts",
    "unknown_model": "no model of the price book has this name",
    "no_price_then": "the book knows the model, but no price of it at that time",
    "no_rate": "the price row has no rate for a kind of tokens that was used",
    "broken_count": f"a count is above {MAX_TOKENS:,} tokens and taken for broken",
    "priced_today": "it has a price by the installed book and today's configuration",
    "too_large": "the cost is beyond a million dollars and taken for a broken count",
}
"""Why an attempt has no cost, with what each means."""


@dataclass(frozen=True)
class Unpriced:
    """Why an attempt has no cost: `reason` is a key of REASONS.

    `kinds` are the tokens without a rate, `suggestions` the (provider, model) of the book with names that are alike
    (never used for a price), `cost_today` USD by the installed book and today's configuration.
    """

    reason: str
    kinds: tuple[str, ...] = ()
    suggestions: tuple[tuple[str, str], ...] = ()
    cost_today: Decimal | None = None


def why_unpriced(connection: "duckdb.DuckDBPyConnection", settings: "Config", attempt_id: str) -> Unpriced:
    """Price the attempt again by the installed book and say what is in the way; `connection` holds the store."""
    select = connection.sql("SELECT * FROM attempts WHERE attempt_id = $id LIMIT 1", params={"id": attempt_id})
    with engine.connect() as bench:
        bench.register("logged", select.to_arrow_table())
        bench.execute("CREATE TABLE attempt AS FROM logged")
        prepare(bench, settings, assets.cache_folder())
        create_maps(bench, "attempt", settings.aliases, settings.price_overrides)
        apply(bench, "attempt", "priced")
        row = bench.sql("SELECT * EXCLUDE (tags) FROM priced").to_arrow_table().to_pylist()[0]
        return _reason(bench, row)


def _reason(bench: "duckdb.DuckDBPyConnection", row: dict[str, Any]) -> Unpriced:
    if row["effective_cost"] is not None:
        return Unpriced("priced_today", cost_today=row["effective_cost"])
    tokens = {kind: row[f"{kind}_tokens"] for kind in schema.TOKEN_KINDS}
    if all(count is None for count in tokens.values()):
        return Unpriced("no_usage")
    if any(count is not None and count > MAX_TOKENS for count in tokens.values()):
        return Unpriced("broken_count")
    if not bench.execute("SELECT count(model) FROM model_map").fetchall()[0][0]:
        models = bench.execute("SELECT DISTINCT provider, model FROM effective_prices ORDER BY ALL").fetchall()
        return Unpriced(
            "unknown_model", suggestions=tuple(nearest(row["provider_name"], row["price_model"] or "", models))
        )
    columns = ", ".join(f"{kind}_rate" for kind in tokens)
    rates = bench.sql(
        f"SELECT {columns} FROM price_rates, attempt "
        "WHERE started_at >= effective_from AND started_at < effective_to "
        "AND coalesce(input_tokens, 0) >= input_from AND coalesce(input_tokens, 0) < input_to"
    )
    found = rates.to_arrow_table().to_pylist()
    if not found:
        return Unpriced("no_price_then")
    kinds = tuple(kind for kind, count in tokens.items() if count and found[0][f"{kind}_rate"] is None)
    return Unpriced("no_rate", kinds=kinds) if kinds else Unpriced("too_large")
