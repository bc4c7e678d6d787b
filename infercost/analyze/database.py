"""Opens the store for questions: a connection with every table and view of the contract, and one read-only SELECT."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from infercost import engine
from infercost.analyze import queries
from infercost.analyze.reading import Reading, reprice_attempts
from infercost.errors import QueryError
from infercost.store import Store, views

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
    snapshot = reading.store.snapshot(reading.at_commit)
    with tempfile.TemporaryDirectory(prefix="infercost-") as spill, engine.connect(Path(spill)) as connection:
        views.attach(connection, snapshot)
        if reading.repriced is not None:
            reprice_attempts(connection, snapshot, reading.repriced)
        views.create(connection, queries.views())
        yield connection


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
