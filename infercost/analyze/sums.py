"""The counts that signals and limits are made of, by the hour; those of days that did not change are kept.

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
_DAY = timedelta(days=1)
_NO_DAY = "none"


@dataclass(frozen=True)
class Sums:
    """Reads the sums of one snapshot through its connection; `folder` keeps those of past days, None keeps none."""

    connection: "duckdb.DuckDBPyConnection"
    snapshot: "Snapshot"
    folder: Path | None

    def hourly(self, by: tuple[str, ...], first: datetime, until: datetime) -> "pa.Table":
        """Return the rows of QUERY by the UTC hour in [first, until), grouped by `by` (empty: everything)."""
        import pyarrow.compute as pc

        by = by or (queries.EVERYTHING,)
        days = _days(first, until)
        marks = self._marks(days, by)
        known = self._kept(by)
        if known is not None:
            current = {day for day, mark in _pairs(known) if marks.get(day, mark) == mark}
            known = known.filter(pc.is_in(known["day"], value_set=_dates(sorted(current))))
        there = {day for day, _ in _pairs(known)} if known is not None else set()
        missing = [day for day in days if marks[day] != _NO_DAY and day not in there]
        table = self._with(known, by, missing, marks)
        if table is None:
            return self._asked(by, first, first)
        if missing:
            self._keep(by, table)
        hours = table["bucket"]
        return table.filter(
            pc.and_(pc.greater_equal(hours, _scalar(first)), pc.less(hours, _scalar(until)))
        ).drop_columns(["day", "mark"])

    def _with(
        self, known: "pa.Table | None", by: tuple[str, ...], missing: list[date], marks: dict[date, str]
    ) -> "pa.Table | None":
        """Return the known rows with those of the missing days, each with its day and what marks the day's files."""
        import pyarrow as pa

        tables = [known] if known is not None else []
        for start, end in _runs(missing):
            found = self._asked(by, _midnight(start), _midnight(end + _DAY))
            days = [each.astimezone(UTC).date() for each in found["bucket"].to_pylist()]
            found = found.append_column("day", _dates(days))
            tables.append(found.append_column("mark", pa.array([marks[day] for day in days], pa.string())))
        return pa.concat_tables(tables).sort_by("bucket") if tables else None

    def _asked(self, by: tuple[str, ...], first: datetime, until: datetime) -> "pa.Table":
        parameters: dict[str, queries.Value] = {"since": first, "until": until, "zone": "UTC", "bucket": "hour"}
        return queries.run(self.connection, queries.find(QUERY), parameters, by)

    def _marks(self, days: Iterable[date], by: tuple[str, ...]) -> dict[date, str]:
        """Return what tells the files of each day from all others, and _NO_DAY where there are none."""
        files: dict[str, list[str]] = {}
        for part in self.snapshot.parts.get("attempts", []):
            files.setdefault(dict(part.partition).get("day", ""), []).append(part.path)
        asked = f"{by}{queries.find(QUERY).sql}"
        return {
            day: hashlib.sha256("\n".join([asked, *sorted(found)]).encode()).hexdigest()[:16]
            if (found := files.get(day.isoformat()))
            else _NO_DAY
            for day in days
        }

    def _file(self, by: tuple[str, ...]) -> Path | None:
        name = hashlib.sha256("\n".join(by).encode()).hexdigest()[:16]
        return self.folder / f"sums-{name}.parquet" if self.folder else None

    def _kept(self, by: tuple[str, ...]) -> "pa.Table | None":
        """Return what an earlier run kept; a file that cannot be read is as if it were not there."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = self._file(by)
        try:
            return pq.read_table(file) if file and file.is_file() else None
        except (OSError, pa.ArrowException):
            return None

    def _keep(self, by: tuple[str, ...], table: "pa.Table") -> None:
        """Keep the rows for the next run; where nothing may be written, that run counts again."""
        import pyarrow.parquet as pq

        file = self._file(by)
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
