"""Opens the store for questions: a connection with every table and view of the contract, and one read-only SELECT."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from infercost import engine
from infercost.analyze import queries
from infercost.analyze.reading import Reading, Repriced, reprice_attempts
from infercost.engine import moment
from infercost.errors import QueryError
from infercost.store import Snapshot, Store, views

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


_EXPLAIN = re.compile(r"^\s*EXPLAIN\s+(ANALYZE\s+)?", re.IGNORECASE)


@contextmanager
def connect(source: Store | Reading) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Give a connection over one snapshot of the store, the newest unless a Reading says otherwise.

    It stays the same however long it is used.
    """
    reading = source if isinstance(source, Reading) else Reading(source)
    with connect_to(reading.store.snapshot(reading.at_commit), reading.repriced) as connection:
        yield connection


@contextmanager
def connect_to(snapshot: Snapshot, repriced: Repriced | None = None) -> Iterator["duckdb.DuckDBPyConnection"]:
    """Give a connection over a snapshot, with other prices in the place of the stored costs where there are any."""
    with tempfile.TemporaryDirectory(prefix="infercost-") as spill, engine.connect(Path(spill)) as connection:
        views.attach(connection, snapshot)
        if repriced is not None:
            reprice_attempts(connection, snapshot, repriced)
        queries.create_views(connection)
        yield connection


def oldest(connection: "duckdb.DuckDBPyConnection") -> datetime | None:
    """Return the start of the oldest attempt; None in an empty store."""
    found: datetime | None = connection.execute("SELECT min(started_at) FROM attempts").fetchall()[0][0]
    return found


def ends(
    connection: "duckdb.DuckDBPyConnection", snapshot: Snapshot, before: datetime
) -> tuple[datetime, datetime] | None:
    """Return the starts of the oldest attempt and of the newest one before a moment, from the days they are in alone.

    None where there is no attempt before it.
    """
    days = [day for day in snapshot.days() if day <= before.astimezone(UTC).date()]
    first = (_edge(connection, "min", day, before) for day in days)
    last = (_edge(connection, "max", day, before) for day in reversed(days))
    oldest_one, newest_one = (next((each for each in found if each), None) for found in (first, last))
    return (oldest_one, newest_one) if oldest_one and newest_one else None


def _edge(connection: "duckdb.DuckDBPyConnection", which: str, day: date, before: datetime) -> datetime | None:
    found: datetime | None = connection.execute(
        f"SELECT {which}(started_at) FROM attempts WHERE day = DATE '{day}' AND started_at < {moment(before)}"
    ).fetchall()[0][0]
    return found


def select(connection: "duckdb.DuckDBPyConnection", text: str) -> "pa.Table":
    """Return the rows of one SELECT that the user wrote.

    Raises QueryError for SQL that DuckDB refuses, for several statements, and for anything that could write.
    """
    import duckdb

    try:
        # EXPLAIN ANALYZE runs what it explains, so what follows it must be a SELECT as well.
        statements = connection.extract_statements(_EXPLAIN.sub("", text, count=1))
        if len(statements) != 1:
            raise QueryError(f"{len(statements)} statements; give one SELECT", hint="A semicolon ends a statement.")
        # MULTI is what a PIVOT is turned into.
        if statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.MULTI):
            name = str(statements[0].type).rsplit(".", 1)[-1]
            raise QueryError(f"{name}: the store is read-only here", hint="Give a SELECT.")
        relation = connection.sql(text)
        if relation is None:
            raise QueryError("the statement returns no rows", hint="Give a SELECT.")
        return relation.to_arrow_table()
    except duckdb.Error as error:
        raise QueryError(str(error), hint='Tables: `infercost sql "show tables"`; columns: `describe NAME`.') from error
