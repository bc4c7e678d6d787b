"""Finds what has no price, by the names that were logged, and what the user can add to infercost.toml."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from infercost.pricing.suggest import nearest

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_UNPRICED_SQL = """
WITH resolved AS (
    SELECT provider_name, price_model, max(method) AS method FROM model_map GROUP BY ALL
)
SELECT
    attempts.provider_name,
    attempts.price_model,
    count(*) AS attempts,
    CAST(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) AS BIGINT) AS tokens,
    min(started_at) AS first_seen,
    max(started_at) AS last_seen,
    any_value(resolved.method) AS method
FROM attempts
LEFT JOIN resolved
    ON
        attempts.provider_name IS NOT DISTINCT FROM resolved.provider_name
        AND attempts.price_model IS NOT DISTINCT FROM resolved.price_model
WHERE effective_cost IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL
GROUP BY attempts.provider_name, attempts.price_model
ORDER BY tokens DESC, attempts.provider_name, attempts.price_model
"""

_RESOLVED_SQL = """
WITH used AS (
    SELECT
        provider_name,
        price_model,
        count(*) AS attempts,
        sum(effective_cost) AS cost_usd
    FROM attempts
    GROUP BY ALL
)
SELECT
    model_map.method,
    used.provider_name,
    used.price_model,
    model_map.provider,
    model_map.model,
    used.attempts,
    used.cost_usd,
    model_map.book
FROM used
LEFT JOIN model_map
    ON
        used.provider_name IS NOT DISTINCT FROM model_map.provider_name
        AND used.price_model IS NOT DISTINCT FROM model_map.price_model
ORDER BY
    model_map.method IS NOT NULL, model_map.method IN ('exact', 'prefix'), model_map.method, used.attempts DESC,
    used.provider_name, used.price_model
"""


@dataclass(frozen=True)
class Missing:
    """Attempts with tokens and no price under one logged name.

    `provider_name` is None where none was logged. `known` says that the name is a model of the book, whose price lacks
    a kind of tokens or a time. `suggestions` are (provider, model) of names that are alike; nothing is priced by them.
    """

    provider_name: str | None
    price_model: str | None
    attempts: int
    tokens: int
    first_seen: datetime
    last_seen: datetime
    known: bool
    suggestions: tuple[tuple[str, str], ...]


def missing(connection: "duckdb.DuckDBPyConnection") -> list[Missing]:
    """Return every logged name whose attempts have no price, most tokens first; `connection` holds the store."""
    models = connection.execute("SELECT DISTINCT provider, model FROM prices ORDER BY ALL").fetchall()
    found = []
    for row in connection.sql(_UNPRICED_SQL).to_arrow_table().to_pylist():
        known = row.pop("method") is not None
        alike = [] if known else nearest(row["provider_name"], row["price_model"] or "", models)
        found.append(Missing(**row, known=known, suggestions=tuple(alike)))
    return found


def resolved(connection: "duckdb.DuckDBPyConnection") -> "pa.Table":
    """Return every logged name with the model of the book that it is priced as and how it was found.

    The least sure come first: unresolved, then by alias, with parts taken off or by fallback, then as logged.
    """
    return connection.sql(_RESOLVED_SQL).to_arrow_table()


def snippet(found: list[Missing]) -> str:
    """Return TOML for infercost.toml, all of it commented out: which of the two fits is for the user to say."""
    return "\n".join(_snippet(each) for each in found if each.price_model)


def _snippet(each: Missing) -> str:
    # A JSON string is a TOML string, escapes included.
    name = json.dumps(each.price_model)
    provider, model = each.suggestions[0] if each.suggestions else ("openai", "gpt-4o-mini")
    alike = ", ".join(f"{seller} / {model}" for seller, model in each.suggestions)
    lines = [
        f"{name} of {json.dumps(each.provider_name)}: {each.attempts:,} attempts, {each.tokens:,} tokens",
        f"names alike: {alike or 'none'}",
    ]
    if not each.known:
        lines += [
            "as a model of the book:",
            "[[prices.alias]]",
            f"name = {name}",
            f"provider = {json.dumps(provider)}",
            f"model = {json.dumps(model)}",
            "or at a price of its own:",
        ]
    lines += ["[[prices.override]]"]
    lines += [f"provider = {json.dumps(each.provider_name)}"] if each.provider_name else []
    lines += [f"model = {name}", "input_uncached = ?  # US dollars per million tokens", "output_text = ?"]
    return "".join(f"# {line}\n" for line in lines)
