"""The rows of the price book behind a window's cost: the query `price_rows_used`."""

from typing import TYPE_CHECKING

from infercost.analyze import queries
from infercost.analyze.report import PriceRow, PriceRows, Window

if TYPE_CHECKING:
    import duckdb

MOST = 50
"""Rows that a report names."""


def price_rows(connection: "duckdb.DuckDBPyConnection", window: Window) -> PriceRows | None:
    """Return the rows that priced most, or None where none priced anything."""
    query = queries.find("price_rows_used")
    parameters = queries.between(window) | {"limit": MOST}
    rows = queries.run(connection, query, parameters).to_pylist()
    if not rows:
        return None
    found = tuple(
        PriceRow(
            book=row["book"],
            provider=row["provider"],
            model=row["model"],
            lane=row["lane"],
            region=row["region"],
            scope=row["scope"],
            input_from=row["input_from"],
            effective_from=row["effective_from"] and row["effective_from"].astimezone(window.start.tzinfo),
            input=row["input_usd_per_mtok"],
            cache_read=row["cache_read_usd_per_mtok"],
            output=row["output_usd_per_mtok"],
            attempts=row["attempts"],
            cost=row["cost_usd"],
        )
        for row in rows
    )
    return PriceRows(found, rows[0]["price_rows"], queries.rendered_sql(query, (), parameters))
