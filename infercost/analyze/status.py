"""What the store holds, in figures."""

from typing import Any

from infercost import schema
from infercost.analyze.database import connect
from infercost.store import Store

_STATUS_SQL = f"""
SELECT
    count(DISTINCT day) AS days,
    strftime(min(day), '%Y-%m-%d') AS first_day,
    strftime(max(day), '%Y-%m-%d') AS last_day,
    strftime(max(started_at), '%Y-%m-%dT%H:%M:%SZ') AS newest_event,
    count(*) AS attempts,
    count(DISTINCT coalesce(request_id, attempt_id)) AS requests,
    sum(effective_cost)::VARCHAR AS effective_cost_usd,
    round(100.0 * count(list_cost) / nullif(count(*), 0), 2) AS priced_percent,
    round(100.0 * count(*) FILTER (WHERE feature <> '{schema.UNATTRIBUTED}') / nullif(count(*), 0), 2)
        AS attributed_percent
FROM attempts
"""


def store_status(store: Store) -> dict[str, Any]:
    """Return name and value of each figure, in the order in which to show them; coverage in percent of attempts."""
    snapshot = store.snapshot()
    with connect(store) as connection:
        figures = connection.sql(_STATUS_SQL).to_arrow_table().to_pylist()[0]
        loads = connection.sql("SELECT count(*) AS loads, count(DISTINCT source_file) AS files FROM loads")
        counts = loads.to_arrow_table().to_pylist()[0]
    return {
        "store": str(store.folder),
        "schema_version": schema.SCHEMA_VERSION,
        "commits": snapshot.sequence,
        **counts,
        "bytes": snapshot.bytes(),
        "rejects": snapshot.rows("rejects"),
        "bill_lines": snapshot.rows("bills"),
        **figures,
    }
