"""Applies the rules of today to the attempts that are stored; everything else about them stays as it is."""

from typing import TYPE_CHECKING

from infercost import engine, schema
from infercost.attribution import rules
from infercost.config import Config
from infercost.store import Commit, Store
from infercost.store.views import relation

if TYPE_CHECKING:
    import duckdb

Change = tuple[str, str, str, int]
"""Column, value before, value after, attempts."""


def reattribute(store: Store, settings: Config, *, dry_run: bool = False) -> list[Change]:
    """Write every attempt again with the attribution of the rules, in one commit; return what changes.

    Nothing is written when nothing changes, or with `dry_run`. Raises StoreBusyError when another process writes.
    """
    with store.writer(), engine.connect(store.work / "spill") as connection:
        snapshot = store.snapshot()
        expressions = rules.expressions(settings, store.salt)
        replaced = ", ".join(f"{expression} AS {name}" for name, expression in expressions.items())
        commit = Commit()
        changes = {}
        # What is set aside today may be an attempt tomorrow.
        for table in ("attempts", "set_aside"):
            connection.execute(f"CREATE OR REPLACE TEMP VIEW stored AS {relation(snapshot, table)}")
            changes[table] = _changes(connection, expressions)
            if changes[table] and not dry_run:
                select = f"SELECT * REPLACE ({replaced}) FROM stored"
                commit.remove(table, snapshot.parts[table])
                commit.add(table, store.write(connection, table, select, "reattributed"))
        store.commit(commit)
        return changes["attempts"]


def _changes(connection: "duckdb.DuckDBPyConnection", expressions: dict[str, str]) -> list[Change]:
    """Return how many rows of `stored` move from which value to which, for each attributed column."""
    after = ", ".join(f"{expression} AS new_{name}" for name, expression in expressions.items())
    columns = ", ".join(schema.ATTRIBUTED)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW compared AS SELECT {columns}, {after} FROM stored")
    selects = [
        f"SELECT '{name}', {name}, new_{name}, count(*) FROM compared "
        f"WHERE {name} IS DISTINCT FROM new_{name} GROUP BY ALL"
        for name in schema.ATTRIBUTED
    ]
    return connection.execute(f"{' UNION ALL '.join(selects)} ORDER BY 1, 4 DESC, 2, 3").fetchall()
