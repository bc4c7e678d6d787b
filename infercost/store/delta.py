"""One Delta Lake table in a folder: which Parquet files belong to which version, and nothing more.

DuckDB writes and reads the files; the log is what makes a change of many files one change.
Protocol: https://github.com/delta-io/delta/blob/master/PROTOCOL.md, through the `deltalake` package.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infercost.errors import StoreError

if TYPE_CHECKING:
    import pyarrow
    from deltalake import DeltaTable


@dataclass(frozen=True)
class Part:
    """One Parquet file of a table: path relative to the table's folder, size, rows and partition values."""

    path: str
    bytes: int
    rows: int
    partition: tuple[tuple[str, str], ...] = ()


def version(folder: Path) -> int | None:
    """Return the newest version of the table in `folder`, or None when there is none yet."""
    if not (folder / "_delta_log").is_dir():
        return None
    return _open(folder).version()


def parts(folder: Path, at_version: int) -> list[Part]:
    """Return the files of the table as of `at_version`, ordered by path."""
    actions = _open(folder, at_version).get_add_actions(flatten=True).to_struct_array().to_pylist()
    found = [
        Part(
            path=action["path"],
            bytes=action["size_bytes"],
            rows=action["num_records"] or 0,
            partition=tuple(
                (key.removeprefix("partition."), str(value))
                for key, value in action.items()
                if key.startswith("partition.")
            ),
        )
        for action in actions
    ]
    return sorted(found, key=lambda part: part.path)


def commit(
    folder: Path, schema: "pyarrow.Schema", added: list[Part], removed: list[Part], partition_by: tuple[str, ...]
) -> int:
    """Add and remove files in one atomic step and return the version that it made."""
    from deltalake import Schema
    from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

    now = int(time.time() * 1000)
    adds = [
        AddAction(
            path=part.path,
            size=part.bytes,
            partition_values=dict(part.partition),
            modification_time=now,
            data_change=True,
            stats=json.dumps({"numRecords": part.rows}),
        )
        for part in added
    ]
    if version(folder) is None:
        folder.mkdir(parents=True, exist_ok=True)
        create_table_with_add_actions(
            str(folder), Schema.from_arrow(schema), adds, mode="error", partition_by=list(partition_by)
        )
        return 0
    removes = [
        RemoveAction(
            part.path, data_change=True, deletion_timestamp=now, size=part.bytes, partition_values=dict(part.partition)
        )
        for part in removed
    ]
    table = _open(folder)
    known = {each.name for each in table.schema().fields}
    lacking = [each for each in Schema.from_arrow(schema).fields if each.name not in known]
    if lacking:
        # The table is of an older version of the contract.
        table.alter.add_columns(lacking)
        table = _open(folder)
    table.create_write_transaction(
        [*adds, *removes], mode="append", schema=table.schema(), partition_by=list(partition_by)
    )
    # The object still tells the version it was opened at.
    return _open(folder).version()


def roll_back(folder: Path, to_version: int) -> int:
    """Make the newest version hold what `to_version` held, and return its number."""
    table = _open(folder)
    if table.version() == to_version:
        return to_version
    table.restore(to_version)
    return _open(folder).version()


def _open(folder: Path, at_version: int | None = None) -> "DeltaTable":
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        return DeltaTable(str(folder), version=at_version)
    except (DeltaError, OSError) as error:
        raise StoreError(
            f"{folder}: the table's log cannot be read: {error}",
            hint="Restore the folder from a backup, or remove the store and ingest again.",
        ) from error
