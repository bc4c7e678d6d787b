"""What caches saved and what failures and fallbacks cost, in both windows of a report: the query `savings`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from infercost.analyze import queries
from infercost.analyze.report import Saving, Window

if TYPE_CHECKING:
    import duckdb

LINES: tuple[tuple[str, str, str, str, str, bool], ...] = (
    ("prompt_cache", "Prompt cache, less its writes", "prompt_cache_net_usd", "cache_read_tokens", "tokens read", True),
    ("gateway_cache", "Gateway cache", "gateway_cache_avoided_usd", "gateway_cache_hits", "answers", True),
    ("failed_attempts", "Failed attempts", "failed_usd", "failed_attempts", "attempts", False),
    ("fallbacks", "Fallbacks, above the first choice", "fallback_premium_usd", "fallback_attempts", "attempts", False),
)
"""Name, title, columns of dollars and of what is counted, the noun of that, and whether the dollars were saved."""


def savings(
    connection: "duckdb.DuckDBPyConnection", window: Window, baseline: Window | None
) -> tuple[tuple[Saving, ...], str]:
    """Return the lines in their order, with the SQL behind those of the window."""
    query = queries.find("savings")
    now = _run(connection, query, window)
    before = _run(connection, query, baseline) if baseline else None
    lines = tuple(
        Saving(
            name=name,
            title=title,
            noun=noun,
            is_saved=is_saved,
            current=now[dollars],
            baseline=before[dollars] if before else None,
            current_count=now[count],
            baseline_count=before[count] if before else None,
        )
        for name, title, dollars, count, noun, is_saved in LINES
    )
    return lines, queries.rendered_sql(query, (), queries.between(window))


def _run(connection: "duckdb.DuckDBPyConnection", query: queries.Query, window: Window) -> Mapping[str, Any]:
    row: Mapping[str, Any] = queries.run(connection, query, queries.between(window)).to_pylist()[0]
    return row
