"""Opens the store for questions: a connection with every table and view of the contract, and one read-only SELECT."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
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


def newest(connection: "duckdb.DuckDBPyConnection", before: datetime) -> datetime | None:
    """Return the start of the newest attempt before a moment, from the days up to it alone."""
    found: datetime | None = connection.execute(
        f"SELECT max(started_at) FROM attempts "
        f"WHERE day <= cast({moment(before)} AS DATE) AND started_at < {moment(before)}"
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
