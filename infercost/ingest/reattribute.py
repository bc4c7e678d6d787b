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
        stored = relation(snapshot, "attempts")
        connection.execute(f"CREATE TEMP VIEW stored AS {stored}")
        changes = _changes(connection, expressions)
        if not changes or dry_run:
            return changes
        replaced = ", ".join(f"{expression} AS {name}" for name, expression in expressions.items())
        select = f"SELECT * REPLACE ({replaced}) FROM stored"
        commit = Commit()
        commit.remove("attempts", snapshot.parts["attempts"])
        commit.add("attempts", store.write(connection, "attempts", select, "reattributed"))
        store.commit(commit)
        return changes


def _changes(connection: "duckdb.DuckDBPyConnection", expressions: dict[str, str]) -> list[Change]:
    """Return how many attempts move from which value to which, for each attributed column."""
    after = ", ".join(f"{expression} AS new_{name}" for name, expression in expressions.items())
    connection.execute(f"CREATE TEMP VIEW compared AS SELECT {', '.join(schema.ATTRIBUTED)}, {after} FROM stored")
    selects = [
        f"SELECT '{name}', {name}, new_{name}, count(*) FROM compared "
        f"WHERE {name} IS DISTINCT FROM new_{name} GROUP BY ALL"
        for name in schema.ATTRIBUTED
    ]
    return connection.execute(f"{' UNION ALL '.join(selects)} ORDER BY 1, 4 DESC, 2, 3").fetchall()
