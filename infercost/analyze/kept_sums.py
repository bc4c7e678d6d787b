"""Keeps the rows of sums for the next check: those of past days in one file, those of the newest day in another.

The newest day is what a check every five minutes counts anew; the days before it are so written once.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infercost.engine import literal

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MARK = "mark"
"""Column that tells of which files of which day a row was counted."""

_PAST, _NEWEST = "past", "newest"
"""Which days a file is of."""

_FRESH = "fresh_sums"


@dataclass(frozen=True)
class Kept:
    """What earlier checks kept in `folder` of one question, whose `name` is any text; without a folder nothing."""

    connection: "duckdb.DuckDBPyConnection"
    folder: Path | None
    name: str

    def files(self) -> dict[Path, set[str]]:
        """Return the files that can be read, with the marks of their rows: each mark of one file alone."""
        found: dict[Path, set[str]] = {}
        for which in (_PAST, _NEWEST):
            file = self._file(which)
            if file and file.is_file() and (marks := self._marks(file)):
                found[file] = marks.difference(*found.values())
        return found

    def rows(
        self, files: Mapping[Path, Collection[str]], fresh: "pa.Table | None", columns: str, where: str
    ) -> "pa.Table":
        """Return the rows of some marks of each file and the fresh ones, without their marks.

        `columns` and `where` are a list and a condition in SQL. Raises duckdb.Error where a file cannot be read.
        """
        rows = f"SELECT * EXCLUDE ({MARK}) FROM ({self._sql(files, fresh)}) WHERE {where}"
        return self.connection.sql(f"SELECT {columns} FROM ({rows})").to_arrow_table()

    def keep(
        self,
        files: Mapping[Path, set[str]],
        fresh: "pa.Table | None",
        past: Collection[str],
        newest: str | None,
    ) -> None:
        """Keep the rows of the `past` marks, and of the `newest`, where they are not where they belong.

        Where nothing may be written, the next check counts again.
        """
        counted = set(fresh[MARK].to_pylist()) if fresh is not None else set()
        there = {mark for file, marks in files.items() for mark in marks if file == self._file(_PAST)}
        if (counted.union(*files.values()) - there).intersection(past):
            self._write(_PAST, self._sql({file: marks & set(past) for file, marks in files.items()}, fresh), past)
        if newest is not None and newest in counted:
            self._write(_NEWEST, self._sql({}, fresh), (newest,))

    def _sql(self, files: Mapping[Path, Collection[str]], fresh: "pa.Table | None") -> str:
        tables = [
            f"SELECT * FROM read_parquet({literal(str(file))}) WHERE {_among(marks)}"
            for file, marks in files.items()
            if marks
        ]
        if fresh is not None:
            self.connection.register(_FRESH, fresh)
            tables.append(f"SELECT * FROM {_FRESH}")
        return " UNION ALL BY NAME ".join(tables)

    def _file(self, which: str) -> Path | None:
        name = hashlib.sha256(self.name.encode()).hexdigest()[:16]
        return self.folder / f"sums-{name}-{which}.parquet" if self.folder else None

    def _marks(self, file: Path) -> set[str]:
        """Return the marks of a file's rows; none where it cannot be read."""
        import duckdb

        try:
            rows = self.connection.execute(f"SELECT DISTINCT {MARK} FROM read_parquet({literal(str(file))})").fetchall()
        except duckdb.Error:
            return set()
        return {mark for (mark,) in rows}

    def _write(self, which: str, rows: str, marks: Collection[str]) -> None:
        import duckdb

        file = self._file(which)
        if file is None:
            return
        temporary = file.with_suffix(".tmp")
        try:
            file.parent.mkdir(exist_ok=True)
            self.connection.execute(
                f"COPY (SELECT * FROM ({rows}) WHERE {_among(marks)}) TO {literal(str(temporary))} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
            temporary.replace(file)
        except (OSError, duckdb.Error):
            temporary.unlink(missing_ok=True)


def _among(marks: Collection[str]) -> str:
    return f"{MARK} IN ({', '.join(map(literal, sorted(marks)))})" if marks else "false"
