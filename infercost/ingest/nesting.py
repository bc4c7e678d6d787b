"""Of nested calls one is the call that was billed: which of them repeat others, in the batch and in the store.

A read shows a part of a trace, so the store keeps the tree of every trace (`links`) and the attempts that repeat others
(`set_aside`). Whatever comes later, all calls of a trace are judged again, and move from one table to the other.
"""

from typing import TYPE_CHECKING

from infercost import engine
from infercost.ingest.mapper import judge, step
from infercost.ingest.registry import Format
from infercost.store import Commit, Snapshot, Store
from infercost.store.views import relation

if TYPE_CHECKING:
    import duckdb

LONGEST_TRACE_DAYS = 7
"""Records of one trace that start further apart may not find each other."""

PRICED = "all_priced"
"""The priced attempts of a batch before they are divided into `priced` and `priced_aside`."""


def decide(connection: "duckdb.DuckDBPyConnection", form: Format, snapshot: Snapshot | None = None) -> None:
    """Make `decided`: every call of the batch's traces, and whether it repeats another one.

    Reads `mapped` and `judged`, of which it takes the rows out that count as no record of their own; without a
    snapshot the batch is all that is known.
    """
    run = connection.execute
    run(f"CREATE OR REPLACE TEMP TABLE nodes AS {step('nodes', family=engine.literal(form.family))}")
    run("CREATE OR REPLACE TEMP TABLE tree AS FROM nodes")
    if snapshot is not None:
        known = step("known_nodes", stored=relation(snapshot, "links"), days=str(LONGEST_TRACE_DAYS))
        run(f"CREATE OR REPLACE TEMP TABLE known_nodes AS {known}")
        run("INSERT INTO tree BY NAME FROM known_nodes")
    run(f"CREATE OR REPLACE TEMP TABLE decided AS {step('decide')}")
    run(f"DELETE FROM judged WHERE mapped_row IN ({step('repeated_rows')})")


def set_aside(connection: "duckdb.DuckDBPyConnection", snapshot: Snapshot) -> None:
    """Make `aside`, the attempts of the batch that repeat others, and add to `settled` the stored ones that move."""
    run = connection.execute
    run(f"INSERT INTO aside {step('aside')}")
    moved = step("moved", attempts=_named(snapshot, "attempts"), set_aside=_named(snapshot, "set_aside"))
    run(f"INSERT INTO settled (attempt_id, filename) {moved}")


def stored(snapshot: Snapshot) -> str:
    """Return the SELECT over all stored attempts with their file, those that repeat others included."""
    return f"{_named(snapshot, 'attempts')} UNION ALL {_named(snapshot, 'set_aside')}"


def divide(connection: "duckdb.DuckDBPyConnection") -> None:
    """Make `priced` and `priced_aside` of the batch's priced attempts."""
    for name, kept in (("priced", "ANTI"), ("priced_aside", "SEMI")):
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS FROM {PRICED} {kept} JOIN aside USING (attempt_id)")


def write(
    connection: "duckdb.DuckDBPyConnection",
    store: Store,
    snapshot: Snapshot,
    change: Commit,
    files: list[str],
    name: str,
) -> None:
    """Add to the commit the attempts of the batch, those of the stored `files` anew, and the new places in trees."""
    day = "(started_at AT TIME ZONE 'UTC')::DATE AS day"
    again = [_rewritten(snapshot, table, files) for table in ("attempts", "set_aside")]
    for table, fresh, is_aside in (("attempts", "priced", False), ("set_aside", "priced_aside", True)):
        rows = [f"SELECT *, {day} FROM {fresh}"]
        rows += [f"SELECT * EXCLUDE (is_aside) FROM ({each}) WHERE is_aside = {is_aside}" for each in again if each]
        change.remove(table, snapshot.parts_of(table, files))
        change.add(table, store.write(connection, table, " UNION ALL BY NAME ".join(rows), name))
    links = f"SELECT *, {day} FROM (FROM nodes EXCEPT FROM known_nodes) WHERE started_at IS NOT NULL"
    change.add("links", store.write(connection, "links", links, name))


def calls_alone(connection: "duckdb.DuckDBPyConnection", form: Format) -> None:
    """Make of `mapped` what a store would have of it, where the batch is all there is."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {judge(form)}")
    decide(connection, form)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE left_over AS {step('calls_alone')}")
    connection.execute("CREATE OR REPLACE TEMP TABLE mapped AS FROM left_over; DROP TABLE left_over")


def _named(snapshot: Snapshot, table: str) -> str:
    return relation(snapshot, table, ("filename",))


def _rewritten(snapshot: Snapshot, table: str, files: list[str]) -> str:
    """Return the rows of those files that belong to a table, and on which side each of them is now."""
    own = [str(snapshot.folder / table / part.path) for part in snapshot.parts_of(table, files)]
    if not own:
        return ""
    rows = step("rewrite", files=", ".join(map(engine.literal, own)))
    return (
        f"SELECT rewritten.*, coalesce(decided.is_aside, {table == 'set_aside'}) AS is_aside "
        f"FROM ({rows}) AS rewritten LEFT JOIN decided USING (attempt_id)"
    )
