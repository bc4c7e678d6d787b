"""The sessions of a window that cost far more than those of their feature: the query `session_outliers`."""

from typing import TYPE_CHECKING

from infercost.analyze import queries
from infercost.analyze.report import Outlier, Outliers, Window

if TYPE_CHECKING:
    import duckdb

MOST = 10
"""Sessions that are named."""


def outliers(connection: "duckdb.DuckDBPyConnection", window: Window, baseline: Window | None) -> Outliers | None:
    """Return the sessions that cost most above the usual, or None where none stands out."""
    query = queries.find("session_outliers")
    parameters = queries.both(window, baseline) | {"limit": MOST}
    rows = queries.run(connection, query, parameters).to_pylist()
    if not rows:
        return None
    found = tuple(
        Outlier(
            session_id=row["session_id"],
            started_at=row["started_at"].astimezone(window.start.tzinfo),
            feature=row["feature"],
            cohort=row["cohort"],
            cost=row["cost_usd"],
            usual=row["usual_usd"],
            requests=row["requests"],
            usual_requests=float(row["usual_requests"]),
            failed_attempts=row["failed_attempts"],
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            first_prompt_tokens=row["first_prompt_tokens"],
            last_prompt_tokens=row["last_prompt_tokens"],
        )
        for row in rows
    )
    return Outliers(found, rows[0]["outliers"], rows[0]["sessions"], queries.rendered_sql(query, (), parameters))
