"""Opens DuckDB the one way that every room uses it: UTC, bounded memory, no network."""

import os
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

MEMORY_LIMIT = "600MB"
"""Memory that DuckDB may hold before it spills to disk; the process stays under 1 GB with it."""

FORMULA_STARTS = "=+@\t\r-"
"""How a text begins that a spreadsheet would run: CSV has an apostrophe before it."""

MEMORY_VARIABLE = "INFERCOST_MEMORY_LIMIT"


def memory_limit() -> str:
    """Return the memory that DuckDB may hold: INFERCOST_MEMORY_LIMIT, else MEMORY_LIMIT."""
    return os.environ.get(MEMORY_VARIABLE, MEMORY_LIMIT)


def connect(spill_folder: Path | None = None) -> "duckdb.DuckDBPyConnection":
    """Return an in-memory DuckDB connection in UTC that loads nothing from the network.

    It spills to `spill_folder`, or fails where memory ends when there is none.
    """
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET memory_limit = '{memory_limit()}'")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
    connection.execute("SET enable_progress_bar = false")
    # Left to itself DuckDB spills into the working directory.
    connection.execute(f"SET temp_directory = {literal(str(spill_folder or ''))}")
    return connection


@contextmanager
def one_thread(connection: "duckdb.DuckDBPyConnection") -> "Iterator[None]":
    """Let DuckDB work with one thread: sums of doubles over rows in one order have the same digits on every run."""
    (threads,) = connection.execute("SELECT current_setting('threads')").fetchall()[0]
    connection.execute("SET threads = 1")
    try:
        yield
    finally:
        connection.execute(f"SET threads = {threads}")


def literal(text: str) -> str:
    """Return `text` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def moment(when: datetime) -> str:
    """Return an aware moment as a SQL literal of type TIMESTAMPTZ."""
    return f"TIMESTAMPTZ '{when.astimezone(UTC).isoformat(sep=' ')}'"


def identifier(name: str) -> str:
    """Return `name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
