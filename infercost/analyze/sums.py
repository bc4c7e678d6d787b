"""The counts that signals and limits are made of, by the hour or by five minutes; those of days that stay are kept.

A check that runs every five minutes so reads the attempts of the days that changed, and no others.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from infercost.analyze import queries
from infercost.analyze.kept_sums import MARK, Kept
from infercost.engine import identifier, literal, moment

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from infercost.store.store import Snapshot

QUERY = "signal_sums"
HOURS, FIVE_MINUTES = "hour", "5min"
"""Lengths of buckets."""

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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

    def read(self, by: tuple[str, ...], first: datetime, until: datetime) -> "pa.Table":
        """Return the rows of QUERY by UTC hours in [first, until), grouped by `by` (empty: everything), in no order."""
        return self._select(_Asked(by or (queries.EVERYTHING,), HOURS), first, until, "*")

    def figures(
        self,
        by: tuple[str, ...],
        first: datetime,
        until: datetime,
        bucket: str = HOURS,
        tiers: Collection[str] = (),
        *,
        has_lengths: bool = False,
    ) -> "pa.Table":
        """Return rows as `read` does, by hours or FIVE_MINUTES, whose columns are numbers without NULL.

        `bucket` is in microseconds since 1970. Each of `tiers` has a column (`tier_column`) of the requests that began
        in it. Only with `has_lengths`, and not by FIVE_MINUTES, there are the lengths of prompts.
        """
        asked = _Asked(by or (queries.EVERYTHING,), bucket)
        left_out = "tier_requests" if has_lengths or bucket == FIVE_MINUTES else "tier_requests, prompt_histogram"
        money = "coalesce(cost_usd::DOUBLE, 0) AS cost_usd"
        columns = [f"* EXCLUDE ({left_out}) REPLACE (epoch_us(bucket) AS bucket, {money})"]
        columns += [f"coalesce(tier_requests[{literal(each)}], 0) AS {identifier(tier_column(each))}" for each in tiers]
        return self._select(asked, first, until, ", ".join(columns))

    def _select(self, asked: "_Asked", first: datetime, until: datetime, columns: str) -> "pa.Table":
        """Return a list of columns in SQL of the rows in [first, until); what was counted anew is kept."""
        import duckdb

        kept = Kept(self.connection, self.folder, f"{asked}")
        there = self.snapshot.days()
        marks = self._marks(there, asked)
        days = [day for day in _days(first, until) if day in marks]
        inside = f"bucket >= {moment(first)} AND bucket < {moment(until)}"
        files = kept.files()
        wanted, fresh = self._found(asked, files, days, marks)
        try:
            rows = kept.rows(wanted, fresh, columns, inside)
        except duckdb.Error:
            # A file whose end can be read and whose middle cannot.
            files = {}
            wanted, fresh = self._found(asked, files, days, marks)
            rows = kept.rows(wanted, fresh, columns, inside)
        # Many short rows of days that are too old would only make the file long.
        past = {marks[day] for day in (days if asked.bucket == FIVE_MINUTES else there) if day != there[-1]}
        kept.keep(files, fresh, past, marks[there[-1]] if there else None)
        return rows

    def _found(
        self, asked: "_Asked", files: Mapping[Path, set[str]], days: Sequence[date], marks: Mapping[date, str]
    ) -> "tuple[dict[Path, set[str]], pa.Table | None]":
        """Return which marks of each file tell of the days, and the rows of the days of which none does."""
        wanted = {marks[day] for day in days}
        known = set().union(*files.values())
        missing = [day for day in days if marks[day] not in known]
        # Without any row the columns are asked for all the same.
        fresh = self._fresh(asked, missing, marks) if missing or not wanted else None
        return {file: found & wanted for file, found in files.items()}, fresh

    def _fresh(self, asked: "_Asked", missing: Sequence[date], marks: Mapping[date, str]) -> "pa.Table":
        """Return the rows of the missing days, counted now, each with the mark of its day."""
        import pyarrow as pa

        runs = [(_midnight(start), _midnight(end + _DAY)) for start, end in _runs(missing)]
        tables = [self._rows(asked, start, end) for start, end in runs or [(_EPOCH, _EPOCH)]]
        found = pa.concat_tables(tables)
        days = [each.astimezone(UTC).date() for each in found["bucket"].to_pylist()]
        return found.append_column(MARK, pa.array([marks[day] for day in days], pa.string()))

    def _rows(self, asked: "_Asked", first: datetime, until: datetime) -> "pa.Table":
        parameters: dict[str, queries.Value] = {"since": first, "until": until, "zone": "UTC", "bucket": asked.bucket}
        found = queries.run(self.connection, queries.find(QUERY), parameters, asked.by)
        return found.drop_columns(["prompt_histogram"]) if asked.bucket == FIVE_MINUTES else found

    def _marks(self, days: Sequence[date], asked: "_Asked") -> dict[date, str]:
        """Return what tells the files of each day from all others."""
        files: dict[str, list[str]] = {}
        for part in self.snapshot.parts.get("attempts", []):
            files.setdefault(dict(part.partition).get("day", ""), []).append(part.path)
        question = f"{asked}{queries.find(QUERY).sql}"
        return {
            day: hashlib.sha256("\n".join([question, *sorted(files[day.isoformat()])]).encode()).hexdigest()[:16]
            for day in days
        }


def tier_column(tier: str) -> str:
    """Return the name of the column of figures that has the requests of a tier."""
    return f"tier_requests:{tier}"


def _days(first: datetime, until: datetime) -> list[date]:
    start, end = first.astimezone(UTC).date(), (until.astimezone(UTC) - timedelta(microseconds=1)).date()
    return [start + number * _DAY for number in range((end - start).days + 1)]


def _runs(days: Sequence[date]) -> list[tuple[date, date]]:
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
