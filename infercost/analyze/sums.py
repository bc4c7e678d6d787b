"""The counts that signals and limits are made of, by the hour or by five minutes; those of days that stay are kept.

A check that runs every five minutes so reads the attempts of the days that changed, and no others.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from infercost.analyze import queries

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from infercost.store.store import Snapshot

QUERY = "signal_sums"
HOURS, FIVE_MINUTES = "hour", "5min"
"""Lengths of buckets."""

_DAY = timedelta(days=1)
_NO_DAY = "none"


@dataclass(frozen=True)
class _Asked:
    """By which columns rows are grouped, and how long their buckets are."""

    by: tuple[str, ...]
    bucket: str


@dataclass(frozen=True)
class Sums:
    """Reads the sums of one snapshot through its connection; `folder` keeps those of past days, None keeps none."""

    connection: "duckdb.DuckDBPyConnection"
    snapshot: "Snapshot"
    folder: Path | None

    def read(self, by: tuple[str, ...], first: datetime, until: datetime, bucket: str = HOURS) -> "pa.Table":
        """Return the rows of QUERY by UTC hours or FIVE_MINUTES in [first, until), grouped by `by` (empty: everything).

        By FIVE_MINUTES rows lack the lengths of prompts, of which so short a time tells too little.
        """
        import pyarrow.compute as pc

        asked = _Asked(by or (queries.EVERYTHING,), bucket)
        days = _days(first, until)
        marks = self._marks(days, asked)
        known = self._kept(asked)
        if known is not None:
            current = {
                day
                for day, mark in _pairs(known)
                # Many short rows of days that are too old would only make the file long.
                if marks.get(day) == mark or (day not in marks and bucket != FIVE_MINUTES)
            }
            known = known.filter(pc.is_in(known["day"], value_set=_dates(sorted(current))))
        there = {day for day, _ in _pairs(known)} if known is not None else set()
        missing = [day for day in days if marks[day] != _NO_DAY and day not in there]
        table = self._with(known, asked, missing, marks)
        if table is None:
            return self._rows(asked, first, first)
        if missing:
            self._keep(asked, table)
        hours = table["bucket"]
        return table.filter(
            pc.and_(pc.greater_equal(hours, _scalar(first)), pc.less(hours, _scalar(until)))
        ).drop_columns(["day", "mark"])

    def _with(
        self, known: "pa.Table | None", asked: "_Asked", missing: list[date], marks: dict[date, str]
    ) -> "pa.Table | None":
        """Return the known rows with those of the missing days, each with its day and what marks the day's files."""
        import pyarrow as pa

        tables = [known] if known is not None else []
        for start, end in _runs(missing):
            found = self._rows(asked, _midnight(start), _midnight(end + _DAY))
            days = [each.astimezone(UTC).date() for each in found["bucket"].to_pylist()]
            found = found.append_column("day", _dates(days))
            tables.append(found.append_column("mark", pa.array([marks[day] for day in days], pa.string())))
        return pa.concat_tables(tables).sort_by("bucket") if tables else None

    def _rows(self, asked: "_Asked", first: datetime, until: datetime) -> "pa.Table":
        parameters: dict[str, queries.Value] = {"since": first, "until": until, "zone": "UTC", "bucket": asked.bucket}
        found = queries.run(self.connection, queries.find(QUERY), parameters, asked.by)
        return found.drop_columns(["prompt_histogram"]) if asked.bucket == FIVE_MINUTES else found

    def _marks(self, days: Iterable[date], asked: "_Asked") -> dict[date, str]:
        """Return what tells the files of each day from all others, and _NO_DAY where there are none."""
        files: dict[str, list[str]] = {}
        for part in self.snapshot.parts.get("attempts", []):
            files.setdefault(dict(part.partition).get("day", ""), []).append(part.path)
        question = f"{asked}{queries.find(QUERY).sql}"
        return {
            day: hashlib.sha256("\n".join([question, *sorted(found)]).encode()).hexdigest()[:16]
            if (found := files.get(day.isoformat()))
            else _NO_DAY
            for day in days
        }

    def _file(self, asked: "_Asked") -> Path | None:
        name = hashlib.sha256("\n".join([*asked.by, asked.bucket]).encode()).hexdigest()[:16]
        return self.folder / f"sums-{name}.parquet" if self.folder else None

    def _kept(self, asked: "_Asked") -> "pa.Table | None":
        """Return what an earlier run kept; a file that cannot be read is as if it were not there."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = self._file(asked)
        try:
            return pq.read_table(file) if file and file.is_file() else None
        except (OSError, pa.ArrowException):
            return None

    def _keep(self, asked: "_Asked", table: "pa.Table") -> None:
        """Keep the rows for the next run; where nothing may be written, that run counts again."""
        import pyarrow.parquet as pq

        file = self._file(asked)
        if file is None:
            return
        temporary = file.with_suffix(".tmp")
        try:
            file.parent.mkdir(exist_ok=True)
            pq.write_table(table, temporary, compression="zstd")
            temporary.replace(file)
        except OSError:
            temporary.unlink(missing_ok=True)


def _days(first: datetime, until: datetime) -> list[date]:
    start, end = first.astimezone(UTC).date(), (until.astimezone(UTC) - timedelta(microseconds=1)).date()
    return [start + number * _DAY for number in range((end - start).days + 1)]


def _runs(days: list[date]) -> list[tuple[date, date]]:
    """Return the first and the last day of every run of days that follow each other."""
    runs: list[tuple[date, date]] = []
    for day in days:
        if runs and runs[-1][1] + _DAY == day:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _pairs(table: "pa.Table") -> set[tuple[date, str]]:
    distinct = table.group_by(["day", "mark"]).aggregate([])
    return set(zip(distinct["day"].to_pylist(), distinct["mark"].to_pylist(), strict=True))


def _dates(days: Iterable[date]) -> "pa.Array":
    import pyarrow as pa

    return pa.array(days, pa.date32())


def _scalar(when: datetime) -> "pa.Scalar":
    import pyarrow as pa

    return pa.scalar(when.astimezone(UTC), pa.timestamp("us", "UTC"))
