"""What an ingest did, as figures: per file and in all."""

from dataclasses import asdict, dataclass, field, fields
from datetime import date
from typing import Any

COUNTS = (
    "records",
    "attempts",
    "bill_lines",
    "duplicates",
    "overlapping",
    "skipped",
    "rejected",
    "unpriced",
    "no_usage",
    "unattributed",
    "contradictions",
)
"""Counts of a load, spelled as the columns of `loads`."""


@dataclass
class FileResult:
    """One file: `problem` says why it was not read at all; `unchanged` that there was nothing new in it."""

    source_file: str
    format: str | None = None
    bytes: int = 0
    records: int = 0
    attempts: int = 0
    bill_lines: int = 0
    duplicates: int = 0
    overlapping: int = 0
    skipped: int = 0
    rejected: int = 0
    unpriced: int = 0
    no_usage: int = 0
    unattributed: int = 0
    contradictions: int = 0
    unchanged: bool = False
    pending_bytes: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class Rejected:
    """One record that could not be used: where it lies and why."""

    source_file: str
    source_line: int | None
    reason: str


@dataclass(frozen=True)
class Contradiction:
    """Records that contradict what their format declares: how many, what of, and where the first of them lies."""

    format: str
    reason: str
    count: int
    source_file: str
    source_line: int | None


@dataclass(frozen=True)
class Overlap:
    """Calls that two formats tell of: of whom the record is kept, whose is left out, and how many."""

    kept: str
    left_out: str
    count: int


@dataclass
class IngestResult:
    """The whole ingest; `rejects` names the first of the rejected records, `left_out` files of folders by name.

    `days` are the UTC days on which the attempts that were read started.
    """

    files: list[FileResult] = field(default_factory=list)
    rejects: list[Rejected] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unpriced_models: dict[str, int] = field(default_factory=dict)
    contradictions: list[Contradiction] = field(default_factory=list)
    overlaps: list[Overlap] = field(default_factory=list)
    days: set[date] = field(default_factory=set)
    seconds: float = 0.0
    stage_seconds: dict[str, float] = field(default_factory=dict)

    def tell_overlap(self, kept: str, left_out: str, count: int) -> None:
        """Note that of calls which two formats tell of the record of one is kept."""
        before = next((each for each in self.overlaps if (each.kept, each.left_out) == (kept, left_out)), None)
        if before is not None:
            self.overlaps.remove(before)
            count += before.count
        self.overlaps.append(Overlap(kept, left_out, count))

    def total(self, name: str) -> int:
        """Return the sum of a count of FileResult over all files."""
        return sum(int(getattr(each, name)) for each in self.files)

    @property
    def problems(self) -> list[FileResult]:
        """The files that were not read at all."""
        return [each for each in self.files if each.problem is not None]

    @property
    def partly_rejected(self) -> bool:
        """Whether a record or a file could not be used."""
        return bool(self.problems) or self.total("rejected") > 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for `--json`: totals, then one entry a file."""
        totals = {each.name: self.total(each.name) for each in fields(FileResult) if each.type in ("int", int)}
        return {
            "files": len(self.files),
            "unchanged_files": sum(each.unchanged for each in self.files),
            "unread_files": len(self.problems),
            **totals,
            "seconds": round(self.seconds, 3),
            "bytes_per_second": round(totals["bytes"] / self.seconds) if self.seconds else None,
            "stage_seconds": {name: round(taken, 3) for name, taken in self.stage_seconds.items()},
            "unpriced_models": self.unpriced_models,
            "left_out": self.left_out,
            "rejects": [asdict(each) for each in self.rejects],
            "contradicting_records": [asdict(each) for each in self.contradictions],
            "overlapping_calls": [asdict(each) for each in self.overlaps],
            "per_file": [asdict(each) for each in self.files],
        }
