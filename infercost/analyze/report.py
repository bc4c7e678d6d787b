"""The report as plain figures: what every renderer draws, and all that it may know.

Money is Decimal US dollars, times are aware datetimes, counts are integers. A value is None where it is unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infercost.analyze.explanation import Explanation

REPORT_FORMAT_VERSION = 1
"""Version of the JSON report. 1: first version."""


@dataclass(frozen=True)
class Window:
    """A half-open window [start, end) in the report's zone; `days` is None when it is not made of whole days."""

    start: datetime
    end: datetime
    days: int | None


@dataclass(frozen=True)
class Figures:
    """What happened in one window or segment; cost is effective cost and leaves out unpriced attempts."""

    cost: Decimal
    requests: int
    attempts: int
    input_tokens: int
    output_tokens: int
    unpriced_attempts: int


@dataclass(frozen=True)
class Sessions:
    """How many sessions a window had, and what their attempts cost; `cost` is None where none of them has a price."""

    count: int
    cost: Decimal | None


@dataclass(frozen=True)
class Outlier:
    """A session that costs far more than those of its feature; `usual` and `usual_requests` are their medians."""

    session_id: str
    started_at: datetime
    feature: str
    cohort: str
    cost: Decimal
    usual: Decimal
    requests: int
    usual_requests: float
    failed_attempts: int
    input_tokens: int
    output_tokens: int
    first_prompt_tokens: int | None
    last_prompt_tokens: int | None


@dataclass(frozen=True)
class Outliers:
    """The dearest of the outliers among the sessions of a window, and how many there are of how many."""

    rows: tuple[Outlier, ...]
    count: int
    sessions: int
    sql: str


@dataclass(frozen=True)
class Row:
    """One segment in both windows; `baseline` and `share_of_change` are None when the report has no baseline."""

    values: tuple[str, ...]
    current: Figures
    baseline: Figures | None
    change: Decimal
    change_ratio: float | None
    share_of_change: float | None


@dataclass(frozen=True)
class Section:
    """A table by one or more dimensions, largest change first; its rows add up to `total`."""

    name: str
    title: str
    dimensions: tuple[str, ...]
    rows: tuple[Row, ...]
    total: Row
    sql: str


@dataclass(frozen=True)
class DayCost:
    """Cost of one day (or hour, in a window of hours) of each window, matched by its position in the window."""

    position: int
    current_start: datetime
    current_cost: Decimal
    baseline_start: datetime | None
    baseline_cost: Decimal | None


@dataclass(frozen=True)
class Saving:
    """What a cache saved or what did not help cost, US dollars; None is unknown or nothing.

    `current_count` and `baseline_count` are how many `noun` there were.
    """

    name: str
    title: str
    noun: str
    is_saved: bool
    current: Decimal | None
    baseline: Decimal | None
    current_count: int
    baseline_count: int | None


@dataclass(frozen=True)
class Signal:
    """A leading signal by bucket (day or hour), beside what is usual at such times; a value is None where unknown.

    `unit` is share, tokens or tokens_per_second. `current` and `baseline` are of the whole windows, `outside` are the
    buckets whose value is not between `low` and `high`. Where it is not `is_judged`, too little history is known for a
    band. `effect` is what the `drivers` behind it did to spend, US dollars; None without an explanation.
    """

    name: str
    title: str
    unit: str
    current: float | None
    baseline: float | None
    buckets: tuple[datetime, ...]
    bucket_unit: str
    values: tuple[float | None, ...]
    usual: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    outside: tuple[datetime, ...]
    is_judged: bool
    drivers: tuple[str, ...]
    effect: Decimal | None
    sql: str


@dataclass(frozen=True)
class NamedCount:
    """A name with its attempts and tokens, for example an unpriced model."""

    name: str
    attempts: int
    tokens: int


@dataclass(frozen=True)
class AliasedModel:
    """A logged model that was priced as `model` of `provider` in the price book, and by which steps (`method`)."""

    name: str
    provider: str
    model: str
    method: str
    attempts: int


@dataclass(frozen=True)
class PriceRow:
    """A row of a price book that attempts of the window were priced with; rates are US dollars per million tokens.

    `region` and `scope` are None where it is for all, `effective_from` where it always held, rates where it has none.
    """

    book: str
    provider: str | None
    model: str
    lane: str | None
    region: str | None
    scope: str | None
    input_from: int | None
    effective_from: datetime | None
    input: Decimal | None
    cache_read: Decimal | None
    output: Decimal | None
    attempts: int
    cost: Decimal


@dataclass(frozen=True)
class PriceRows:
    """The rows of the price book behind most of a window's cost, and how many there are in all."""

    rows: tuple[PriceRow, ...]
    count: int
    sql: str


@dataclass(frozen=True)
class Trust:
    """What the figures stand on: how much was read, rejected, not priced, not attributed, in both windows together."""

    records: int
    attempts: int
    requests: int
    duplicates: int
    rejected: int
    unpriced_attempts: int
    unpriced_models: tuple[NamedCount, ...]
    no_usage_attempts: int
    estimated_attempts: int
    contradicting_attempts: int
    sampled_attempts: int
    sampled_calls: int
    folded_attempts: int
    overlapping: int
    unattributed_attempts: int
    unattributed_cost: Decimal
    aliased_models: tuple[AliasedModel, ...]
    price_books: tuple[str, ...]
    schema_version: int
    newest_event: datetime | None


def scope_text(where: Mapping[str, str]) -> str:
    """Return which part of the spend is meant: `feature=search, team=core`; empty for everything."""
    return ", ".join(f"{column}={value}" for column, value in where.items())


@dataclass(frozen=True)
class BudgetUse:
    """How much of one budget its running period has used up to the end of the current window, in `unit` (usd, tokens).

    `projected` is where it will be at the end of the period at the rate of the last week, four times in five between
    `projected_low` and `projected_high`; `gone_at` is when the amount will be gone, None where it lasts or is gone.
    `soft` and `hard` are the shares of the amount from which on a check warns, and fails. A budget for every session
    tells of the `sessions` of the last day: `spent` is what the dearest took, `sessions_over` are those above the
    amount.
    """

    name: str
    scope: str
    period: str
    period_start: date
    period_end: date
    amount: Decimal
    spent: Decimal
    used_ratio: float
    elapsed_ratio: float
    projected: Decimal | None = None
    projected_low: Decimal | None = None
    projected_high: Decimal | None = None
    gone_at: datetime | None = None
    unit: str = "usd"
    soft: float | None = None
    hard: float = 1.0
    sessions: int | None = None
    sessions_over: int | None = None


@dataclass(frozen=True)
class Burn:
    """Dollars and tokens an hour of one window; `cost` is None where nothing has a price."""

    cost: Decimal | None
    tokens: float


@dataclass(frozen=True)
class Report:
    """Everything a report shows, drawn by `render/` and nowhere computed again.

    `sessions` is None where no attempt names one, `outliers` where no session stands out, `explanation` where there is
    nothing to compare with; `empty_baseline` was to be compared with and has no attempt. `annual_change` is what the
    change comes to in 365 days if spend stays as it is now, seasons aside. `restated` says what the figures are where
    the store holds others now: other prices, an older commit.
    """

    headline: str
    zone: str
    currency: str
    generated_at: datetime
    current: Window
    baseline: Window | None
    total: Row
    trust: Trust
    daily: tuple[DayCost, ...]
    daily_sql: str
    sections: tuple[Section, ...]
    burn: Burn | None = None
    baseline_burn: Burn | None = None
    annual_change: Decimal | None = None
    budgets: tuple[BudgetUse, ...] = ()
    sessions: Sessions | None = None
    baseline_sessions: Sessions | None = None
    signals: tuple[Signal, ...] = ()
    outliers: Outliers | None = None
    savings: tuple[Saving, ...] = ()
    savings_sql: str = ""
    explanation: "Explanation | None" = None
    empty_baseline: Window | None = None
    price_rows: PriceRows | None = None
    restated: str | None = None
    format_version: int = field(default=REPORT_FORMAT_VERSION)
