"""The store folder: one pointer to one version of every table, moved by one rename.

Layout: `store.json` (what the store is), `head.json` (the pointer), one folder a table (Parquet and a Delta log),
`work/` (spool and spill, emptied by the next writer), `lock` (held by the one writer).

A commit writes files, then the tables' logs, then the pointer. Readers follow the pointer, so a writer that dies
leaves the store as it was; the next writer takes the logs back to the pointer before it starts.
"""

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infercost import engine, schema
from infercost.errors import StoreError, UsageError
from infercost.store import delta, files, history
from infercost.store.delta import Part

if TYPE_CHECKING:
    import duckdb

PARTITION = dict.fromkeys(schema.DATED, ("day",))
"""Tables that are cut into folders, and by which columns."""

_RESTORE = "Restore it from a backup."


@dataclass(frozen=True)
class Snapshot:
    """The files of every table at one moment; `sequence` counts the commits, 0 for an empty store.

    `schema_version` is the oldest one that a file of the store may have.
    """

    folder: Path
    sequence: int
    parts: Mapping[str, list[Part]]
    schema_version: int = schema.SCHEMA_VERSION

    def files(self, table: str) -> list[str]:
        """Return the absolute paths of a table's files."""
        return [str(self.folder / table / part.path) for part in self.parts.get(table, [])]

    def parts_of(self, table: str, files: list[str]) -> list[Part]:
        """Return the parts of a table that lie at these absolute paths."""
        wanted = set(files)
        return [part for part in self.parts.get(table, []) if str(self.folder / table / part.path) in wanted]

    def days(self) -> list[date]:
        """Return the UTC days of which there are attempts, in order, from the log alone."""
        keys = {dict(part.partition).get("day") for part in self.parts.get("attempts", [])}
        return sorted(date.fromisoformat(key) for key in keys if key)

    def rows(self, table: str) -> int:
        """Return the number of rows of a table, from the log alone."""
        return sum(part.rows for part in self.parts.get(table, []))

    def bytes(self) -> int:
        """Return the size of all files of the snapshot in bytes."""
        return sum(part.bytes for parts in self.parts.values() for part in parts)


@dataclass
class Commit:
    """What one commit adds and removes, table by table; `note` is remembered with it (see history.py)."""

    added: dict[str, list[Part]] = field(default_factory=dict)
    removed: dict[str, list[Part]] = field(default_factory=dict)
    note: str | None = None

    def add(self, table: str, parts: list[Part]) -> None:
        """Add files that DuckDB has written into the table's folder."""
        self.added.setdefault(table, []).extend(parts)

    def remove(self, table: str, parts: list[Part]) -> None:
        """Take files out of the table; they stay on disk for readers of older snapshots."""
        self.removed.setdefault(table, []).extend(parts)

    def tables(self) -> list[str]:
        """Return the tables that change."""
        return sorted(name for name in {*self.added, *self.removed} if self.added.get(name) or self.removed.get(name))


class Store:
    """A store folder; make one with `Store.open`, or `Store.create` when it may be new."""

    def __init__(self, folder: Path, salt: str, schema_version: int = schema.SCHEMA_VERSION) -> None:
        self.folder = folder
        self.salt = salt
        self.schema_version = schema_version

    @classmethod
    def open(cls, folder: Path) -> "Store":
        """Open an existing store; raises StoreError when there is none or it was written by a newer infercost."""
        marker = folder / "store.json"
        if not marker.is_file():
            raise StoreError(
                f"{folder}: no infercost store here",
                hint=f"Run `infercost ingest logs PATH --store {folder}` to make one, or name another with --store.",
            )
        about = files.read_json(marker, _RESTORE)
        found = about.get("schema_version")
        if not isinstance(found, int) or found > schema.SCHEMA_VERSION:
            raise StoreError(
                f"{folder}: written with schema version {found}; this infercost reads up to {schema.SCHEMA_VERSION}",
                hint="Install a newer infercost.",
            )
        if not isinstance(about.get("salt"), str):
            raise StoreError(f"{marker}: the salt of the hashed ids is missing", hint="Restore it from a backup.")
        return cls(folder, about["salt"], found)

    @classmethod
    def create(cls, folder: Path) -> "Store":
        """Open the store in `folder`, making it first when the folder is new or empty."""
        if not (folder / "store.json").is_file():
            if folder.is_dir() and any(folder.iterdir()):
                raise StoreError(
                    f"{folder}: the folder holds other files", hint="Name an empty or a new folder with --store."
                )
            folder.mkdir(parents=True, exist_ok=True)
            about = {"schema_version": schema.SCHEMA_VERSION, "salt": secrets.token_hex(16)}
            files.write_json(folder / "store.json", about)
        return cls.open(folder)

    def snapshot(self, at: int | None = None) -> Snapshot:
        """Return the files of the last finished commit, or of commit `at`; raises UsageError when that is not kept."""
        head = self._head()
        sequence, tables = head["sequence"], head["tables"]
        if at is not None and at != sequence:
            kept = history.past(self.folder, sequence)
            if at not in kept:
                raise UsageError(
                    f"{self.folder}: commit {at} is not kept; kept are {_numbers(sorted({*kept, sequence}))}",
                    hint="`infercost reprice --history` lists them.",
                )
            sequence, tables = at, kept[at].tables
        parts = {name: delta.parts(self.folder / name, version) for name, version in tables.items()}
        return Snapshot(self.folder, sequence, parts, self.schema_version)

    def history(self) -> list[history.Past]:
        """Return the commits that can be read again, oldest first."""
        kept = history.past(self.folder, self._head()["sequence"])
        return [kept[sequence] for sequence in sorted(kept)]

    @contextmanager
    def writer(self) -> Iterator["Store"]:
        """Hold the store's write lock; raises StoreBusyError at once when another process holds it."""
        busy = f"{self.folder}: another infercost process is writing"
        with files.locked(self.folder / "lock", busy, "Run again when it has finished."):
            try:
                self._recover()
                yield self
            finally:
                shutil.rmtree(self.work, ignore_errors=True)

    @property
    def work(self) -> Path:
        """Folder for spool and spill files; only the writer uses it."""
        return self.folder / "work"

    def commit(self, change: Commit) -> Snapshot:
        """Make `change` the new state of the store, whole or not at all; the caller holds the write lock."""
        tables = change.tables()
        before = self._head()
        head = {**before, "tables": dict(before["tables"])}
        if not tables:
            return self.snapshot()
        for name in tables:
            head["tables"][name] = delta.commit(
                self.folder / name,
                _arrow_schema(name),
                change.added.get(name, []),
                change.removed.get(name, []),
                PARTITION.get(name, ()),
            )
        head["sequence"] += 1
        history.remember(self.folder, before, head, change.note)
        files.write_json(self.folder / "head.json", head)
        return self.snapshot()

    def write(self, connection: "duckdb.DuckDBPyConnection", table: str, select: str, name: str) -> list[Part]:
        """Write the rows of `select` as Parquet files of `table`, not yet committed, and return them.

        The columns are put in the order of the contract; `name` begins the file names.
        """
        folder = self.folder / table
        folder.mkdir(parents=True, exist_ok=True)
        columns = ", ".join(engine.identifier(column.name) for column in schema.TABLES[table])
        partition = PARTITION.get(table, ())
        if partition:
            target = folder
            options = f", PARTITION_BY ({', '.join(partition)}), APPEND, FILENAME_PATTERN '{name}-{{uuid}}'"
            columns += ", " + ", ".join(partition)
        else:
            target = folder / f"{name}-{secrets.token_hex(8)}.parquet"
            options = ""
        written = connection.sql(
            f"COPY (SELECT {columns} FROM ({select})) TO {engine.literal(str(target))} "
            f"(FORMAT parquet, COMPRESSION zstd, RETURN_STATS{options})"
        )
        rows = written.to_arrow_table().select(["filename", "count", "file_size_bytes", "partition_keys"]).to_pylist()
        return [_part(row, folder) for row in rows if row["count"]]

    def _head(self) -> dict[str, Any]:
        path = self.folder / "head.json"
        if not path.is_file():
            return {"sequence": 0, "tables": {}}
        head = files.read_json(path, _RESTORE)
        if not isinstance(head.get("sequence"), int) or not isinstance(head.get("tables"), dict):
            raise StoreError(f"{path}: not the pointer of a store", hint="Restore it from a backup.")
        return head

    def _recover(self) -> None:
        """Take every table's log back to the pointer, so that what a dead writer left does not count."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        head = self._head()
        changed = False
        for name in schema.TABLES:
            newest = delta.version(self.folder / name)
            committed = head["tables"].get(name)
            if newest is None or newest == committed:
                continue
            if committed is None:
                shutil.rmtree(self.folder / name / "_delta_log")
                continue
            head["tables"][name] = delta.roll_back(self.folder / name, committed)
            changed = True
        if changed:
            files.write_json(self.folder / "head.json", head)


def _numbers(sequences: list[int]) -> str:
    if not sequences:
        return "none"
    first, last = sequences[0], sequences[-1]
    whole = len(sequences) == last - first + 1
    return f"{first} to {last}" if whole and len(sequences) > 2 else ", ".join(map(str, sequences))


def _part(row: Mapping[str, Any], folder: Path) -> Part:
    keys = row["partition_keys"] or []
    return Part(
        path=Path(row["filename"]).relative_to(folder).as_posix(),
        bytes=row["file_size_bytes"],
        rows=row["count"],
        partition=tuple((str(key), str(value)) for key, value in keys),
    )


@cache
def _arrow_schema(table: str) -> Any:
    columns = schema.columns_sql(schema.TABLES[table])
    columns += "".join(f", {name} DATE" for name in PARTITION.get(table, ()))
    with engine.connect() as connection:
        connection.execute(f"CREATE TABLE shape ({columns})")
        return connection.sql("FROM shape").to_arrow_table().schema
