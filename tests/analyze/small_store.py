"""A store of a few rows for the tests of the report: the tables of schema.TABLES and the packaged views."""

from collections.abc import Iterable
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from infercost import engine, schema
from infercost.analyze import queries

if TYPE_CHECKING:
    import duckdb

AT_ONCE = 100
"""Rows of one INSERT."""


def attempt(day: str, cost: str | None, feature: str = "chat", **columns: Any) -> dict[str, Any]:
    """Return an attempt at noon UTC of `day` with 10 tokens in and 1 out; `columns` adds to it or takes its place."""
    return {
        "started_at": f"{day}T12:00:00Z",
        "status": "ok",
        "usage_source": "reported",
        "input_tokens": 10,
        "output_tokens": 1,
        "effective_cost": cost,
        "list_cost": cost,
        **dict.fromkeys(schema.ATTRIBUTED, schema.UNATTRIBUTED),
        "feature": feature,
        **columns,
    }


def store(attempts: Iterable[dict[str, Any]], **tables: list[dict[str, Any]]) -> "duckdb.DuckDBPyConnection":
    """Return a connection to a store with those attempts and, by table, other rows."""
    connection = engine.connect()
    for table, columns in schema.TABLES.items():
        connection.execute(f"CREATE TABLE {table} ({schema.columns_sql(columns)})")
    connection.execute("ALTER TABLE attempts ADD COLUMN day DATE")
    listed = [{"attempt_id": f"a{number}", **row} for number, row in enumerate(attempts)]
    for table, given in {"attempts": listed, **tables}.items():
        for names, rows in groupby(given, key=tuple):
            while some := list(islice(rows, AT_ONCE)):
                marks = f"({', '.join('?' for _ in names)})"
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join(marks for _ in some)}",
                    [value for row in some for value in row.values()],
                )
    connection.execute("UPDATE attempts SET day = cast(started_at AT TIME ZONE 'UTC' AS DATE)")
    queries.create_views(connection)
    return connection
