"""Bill lines of a batch: `mapped` -> `judged` -> `fresh` -> the table `bills`, never among the attempts."""

from typing import TYPE_CHECKING

from infercost import engine, schema
from infercost.attribution import rules
from infercost.config import Config
from infercost.ingest.mapper import judge, step
from infercost.ingest.registry import Format
from infercost.store import Commit, Snapshot, Store
from infercost.store.views import relation

if TYPE_CHECKING:
    import duckdb


def prepare(connection: "duckdb.DuckDBPyConnection", store: Store, settings: Config, form: Format) -> None:
    """Make `judged` (what each record is) and `fresh` (the batch's lines, one a bill_id, as the store has them)."""
    run = connection.execute
    run(f"CREATE OR REPLACE TEMP TABLE judged AS {judge(form)}")
    run(f"CREATE OR REPLACE TEMP TABLE winners AS {step('winners_bills')}")
    own = {
        "bill_id": "winners.bill_id",
        "format": engine.literal(form.name),
        "dedupe_rank": "coalesce(mapped.dedupe_rank, 0)",
        "load_id": "records_at.load_id",
        "source_file": "records_at.source_file",
        "source_line": "records_at.source_line",
    }
    if settings.hash_ids:
        own |= {name: rules.hash_sql(f"mapped.{name}", store.salt) for name in ("user_id", "api_key_id")}
    columns = ", ".join(f"{own.get(each.name, f'mapped.{each.name}')} AS {each.name}" for each in schema.BILLS)
    run(
        f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT {columns} FROM winners "
        "JOIN mapped ON mapped.rowid = winners.mapped_row JOIN records_at USING (record_number)"
    )


def write(connection: "duckdb.DuckDBPyConnection", store: Store, snapshot: Snapshot, name: str) -> Commit:
    """Write what is new in `fresh`, and again the files whose lines it replaces; return the change."""
    run = connection.execute
    change = Commit()
    select = "SELECT * FROM fresh"
    if snapshot.parts.get("bills"):
        stored = relation(snapshot, "bills", ("filename",))
        run(f"CREATE OR REPLACE TEMP TABLE known AS {step('known_bills', stored=stored)}")
        run("DELETE FROM fresh WHERE bill_id IN (SELECT bill_id FROM known WHERE NOT superseded)")
        files = [row[0] for row in run("SELECT DISTINCT filename FROM known WHERE superseded").fetchall()]
        if files:
            listed = ", ".join(engine.literal(file) for file in files)
            change.remove("bills", snapshot.parts_of("bills", files))
            select += (
                f" UNION ALL BY NAME SELECT * EXCLUDE (filename) FROM ({stored}) WHERE filename IN ({listed}) "
                "AND bill_id NOT IN (SELECT bill_id FROM known WHERE superseded)"
            )
    change.add("bills", store.write(connection, "bills", select, name))
    return change
