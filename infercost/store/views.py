"""Gives a DuckDB connection the tables and views of DESIGN's contract over one snapshot of the store."""

from typing import TYPE_CHECKING

from infercost import engine, schema
from infercost.store.store import PARTITION, Snapshot

if TYPE_CHECKING:
    import duckdb


def attach(connection: "duckdb.DuckDBPyConnection", snapshot: Snapshot, prefix: str = "") -> None:
    """Create one view a table, named as the table (with `prefix` before it), over the snapshot's files."""
    for table in schema.TABLES:
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {prefix}{table} AS {relation(snapshot, table)}")


def relation(snapshot: Snapshot, table: str, also: tuple[str, ...] = ()) -> str:
    """Return the SELECT over a table's files, with the contract's columns even when there is no file.

    `also` names further text columns that reading gives, such as `filename`.
    """
    columns = [(column.name, column.type) for column in schema.TABLES[table]]
    columns += [(name, "VARCHAR") for name in also]
    columns += [(name, "DATE") for name in PARTITION.get(table, ())]
    files = snapshot.files(table)
    empty = ", ".join(f"NULL::{kind} AS {engine.identifier(name)}" for name, kind in columns)
    if not files:
        return f"SELECT {empty} WHERE false"
    names = ", ".join(engine.identifier(name) for name, _ in columns)
    # Files of one schema need no look at every one of them before the first row is read.
    is_current = snapshot.schema_version == schema.SCHEMA_VERSION
    union = "" if is_current else ", union_by_name = true"
    read = f"read_parquet([{', '.join(map(engine.literal, files))}], hive_partitioning = true{union})"
    if is_current:
        return f"SELECT {names} FROM {read}"
    # Files of an older schema lack columns; those are NULL.
    virtual = "".join(f", {name}" for name in also)
    return f"SELECT {names} FROM (SELECT {empty} WHERE false UNION ALL BY NAME SELECT *{virtual} FROM {read})"
