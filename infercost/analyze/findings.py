"""What a check finds: plain figures, which render draws and which are remembered from one run to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from infercost.analyze.report import BudgetUse


class Outcome(StrEnum):
    """How a thing that was checked stands."""

    FIRED = "fired"
    OK = "ok"
    UNKNOWN = "unknown"


class News(StrEnum):
    """What a finding is against the run before: only NEW and WORSE ask for attention."""

    NEW = "new"
    WORSE = "worse"
    ONGOING = "ongoing"
    OVER = "over"


class Kind(StrEnum):
    """Where a finding comes from."""

    LIMIT = "limit"
    BUDGET = "budget"
    SIGNAL = "signal"
    EVENT = "event"


@dataclass(frozen=True)
class Cause:
    """A driver of the spend behind a finding: where (dimensions with values, empty = broad), and dollars a day."""

    driver: str
    title: str
    where: tuple[tuple[str, tuple[str, ...]], ...]
    dollars_per_day: Decimal


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    `key` is the same in every run; `measure` is one of config.limits, where it is about one. `scope` is the part that
    is told, `parts` are all that fire (`feature=search`; empty text: everything). `value` and `usual` are in
    `unit` (see config.limits; events have the unit event); `low` and `high` are the bounds that the value was held
    against. `size` says how bad it is, so that a run can tell whether it became worse. `dollars_per_day` is what it
    costs now, `causes` why, where it fired and that is known. `follows` is the key of the signal that tells of the same
    incident: by its drivers spend moved most here too.
    """

    key: str
    kind: Kind
    title: str
    outcome: Outcome
    unit: str
    measure: str | None = None
    scope: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    value: float | None = None
    usual: float | None = None
    low: float | None = None
    high: float | None = None
    size: float = 0.0
    since: datetime | None = None
    dollars_per_day: Decimal | None = None
    causes: tuple[Cause, ...] = ()
    reason: str | None = None
    is_warning: bool = False
    follows: str | None = None
    news: News | None = None

    @property
    def is_new(self) -> bool:
        """Whether it asks for attention: it is new or worse, and of an incident that nothing else tells of."""
        return self.news in (News.NEW, News.WORSE) and self.follows is None


@dataclass(frozen=True)
class Checked:
    """A whole check: its findings, and what it went by.

    `until` is the first moment that was not judged, `newest` the newest attempt of the store. `over` are findings of
    earlier runs that no longer fire.
    """

    checked_at: datetime
    until: datetime | None
    newest: datetime | None
    zone: str
    findings: tuple[Finding, ...]
    budgets: tuple[BudgetUse, ...] = ()
    over: tuple[Finding, ...] = ()

    def of(self, outcome: Outcome) -> tuple[Finding, ...]:
        """Return the findings with one outcome."""
        return tuple(each for each in self.findings if each.outcome is outcome)

    @property
    def is_alarm(self) -> bool:
        """Whether something fired that is no mere warning and that the run before did not tell already."""
        return any(each.is_new and not each.is_warning for each in self.of(Outcome.FIRED))

    @property
    def is_news(self) -> bool:
        """Whether anything differs from what the run before told."""
        return bool(self.over) or any(each.is_new for each in self.findings)
