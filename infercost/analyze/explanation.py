"""Why spend changed, as plain figures: what `explain` prints and what the report's bridge is drawn from.

Money is Decimal US dollars to the picodollar, so that drivers add up to the change and children to their parent with
nothing left. Times are aware datetimes in the report's zone. A value is None where it is unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from infercost.analyze.report import Window

EXPLANATION_FORMAT_VERSION = 1
"""Version of the JSON explanation. 1: first version."""

BEYOND, WITHIN, UNKNOWN, EXACT = "beyond", "within", "unknown", "exact"
VERDICTS: dict[str, str] = {
    BEYOND: "more than this driver moves from week to week",
    WITHIN: "within normal variation",
    UNKNOWN: "not enough history to judge",
    EXACT: "counted, not estimated: needs no history",
}
"""What an effect is against the noise of past weeks."""

LEAST_SHARE = Decimal("0.01")
"""An effect counts from this share of spend on."""

MOST_SENTENCES = 5
ENOUGH = Decimal("0.9")
"""Share of all movement after which no further driver gets a sentence."""

Condition = tuple[str, str]
"""A dimension and its value."""


@dataclass(frozen=True)
class Measure:
    """The physical quantity behind a driver in both windows; `unit` is tokens, requests, share, ratio, usd_per_mtok."""

    name: str
    unit: str
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Segment:
    """Where a driver's effect is: the conditions that hold `share` of it. No conditions: it is broad."""

    conditions: tuple[Condition, ...]
    values: tuple[tuple[str, ...], ...]
    effect: Decimal
    share: float

    @property
    def places(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The dimensions of the segment, each with its values."""
        return tuple((name, values) for (name, _), values in zip(self.conditions, self.values, strict=True))

    @property
    def is_broad(self) -> bool:
        """Whether no dimension holds more of the effect than of the spend."""
        return not self.values


@dataclass(frozen=True)
class Onset:
    """When an effect began: the first bucket of it, the interval of those that fit nearly as well, and its shape.

    `shape` is `step`, `gradual`, or `throughout` when it was there from the window's first bucket on.
    """

    began: datetime
    earliest: datetime
    latest: datetime
    shape: str


@dataclass(frozen=True)
class DriverLine:
    """One driver: its effect, the effect had only it changed, and what undoing it would save now.

    `noise` is what it usually moves in past weeks (drivers.noise), scaled to the window; `threshold` what an effect
    must be to count. `series` is the effect by bucket (`Explanation.buckets`); it adds up to `effect`.
    """

    name: str
    title: str
    effect: Decimal
    only: Decimal
    undo: Decimal
    noise: Decimal | None
    threshold: Decimal | None
    verdict: str
    segment: Segment | None = None
    measures: tuple[Measure, ...] = ()
    onset: Onset | None = None
    series: tuple[Decimal, ...] = ()


@dataclass(frozen=True)
class Child:
    """A part of the spend with its own bridge: `before` + the sum of `effects` = `after`, exactly.

    `measures` are the signals of the part, in tables of one dimension.
    """

    values: tuple[str, ...]
    before: Decimal
    after: Decimal
    effects: Mapping[str, Decimal]
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True)
class SplitTable:
    """The split by some dimensions, largest change first; its rows add up to the whole for every driver."""

    dimensions: tuple[str, ...]
    rows: tuple[Child, ...]


@dataclass(frozen=True)
class Contribution:
    """What one driver did in one segment; `driver` None is the row of everything that is not listed."""

    driver: str | None
    conditions: tuple[Condition, ...]
    effect: Decimal


@dataclass(frozen=True)
class Event:
    """Something new in the window: a first-seen value of a column, or a price row that took effect."""

    when: datetime
    kind: str
    name: str
    cost: Decimal | None


@dataclass(frozen=True)
class MovedRequest:
    """A request that costs more than its like did in the baseline; `usual` is the mean of its feature and cohort."""

    driver: str
    request_id: str
    started_at: datetime
    feature: str
    model: str
    attempts: int
    input_tokens: int
    output_tokens: int
    cost: Decimal
    usual: Decimal


@dataclass(frozen=True)
class Explanation:
    """Why spend changed from `before` to `after`; `matched` is the baseline weighted to the current window's hours.

    `expected` is `matched` by bucket; it is empty, as `buckets` is, where effects are not dated.
    """

    zone: str
    currency: str
    generated_at: datetime
    current: Window
    baseline: Window
    where: tuple[Condition, ...]
    before: Decimal
    matched: Decimal
    after: Decimal
    drivers: tuple[DriverLine, ...]
    tables: tuple[SplitTable, ...]
    contributions: tuple[Contribution, ...]
    buckets: tuple[datetime, ...]
    bucket_unit: str
    expected: tuple[Decimal, ...]
    events: tuple[Event, ...]
    requests: tuple[MovedRequest, ...]
    notes: tuple[str, ...]
    placebo_weeks: int
    matching: str
    unpriced_attempts: int
    restated: str | None = None
    format_version: int = field(default=EXPLANATION_FORMAT_VERSION)

    @property
    def change(self) -> Decimal:
        """What spend changed by, US dollars."""
        return self.after - self.before

    @property
    def main_lines(self) -> tuple[DriverLine, ...]:
        """The drivers worth a sentence, the largest first: none that is within its noise or below 1 % of spend."""
        floor = max(self.matched, self.after) * LEAST_SHARE
        lines = [line for line in self.drivers if line.verdict != WITHIN and abs(line.effect) >= floor and line.effect]
        lines.sort(key=lambda line: (-abs(line.effect), line.name))
        gross = sum((abs(line.effect) for line in self.drivers), Decimal(0))
        chosen: list[DriverLine] = []
        for line in lines[:MOST_SENTENCES]:
            if sum((abs(each.effect) for each in chosen), Decimal(0)) >= gross * ENOUGH:
                break
            chosen.append(line)
        return tuple(chosen)

    @property
    def residual(self) -> Decimal:
        """The change that no driver accounts for: always zero."""
        return self.change - sum((line.effect for line in self.drivers), Decimal(0))
