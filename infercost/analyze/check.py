"""Checks a store as of now: limits, budgets, signals, and what is new; with the causes of what fired."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from infercost.analyze import queries, watch
from infercost.analyze.budgets import budget_use
from infercost.analyze.database import connect_to, ends
from infercost.analyze.drivers import events
from infercost.analyze.drivers.cells import Span
from infercost.analyze.findings import Cause, Checked, Finding, Kind, Outcome
from infercost.analyze.incidents import is_known
from infercost.analyze.limits import HOUR, check_limit
from infercost.analyze.report import BudgetUse, Window
from infercost.analyze.sums import Sums
from infercost.config.limits import MEASURES, TIER
from infercost.errors import NoDataError, UsageError

if TYPE_CHECKING:
    import duckdb

    from infercost.analyze.explanation import Condition, DriverLine
    from infercost.analyze.incidents import Memory
    from infercost.analyze.watch import Alert
    from infercost.config import Config
    from infercost.store import Store

DAY = timedelta(days=1)
MOST_CAUSES = 3
LEAST_SHARE = Decimal("0.1")
"""Part of all that drivers moved below which a driver is no cause."""

OWN_SHARE = Decimal("0.5")
"""Part of what the largest driver moved from which on a signal's own one makes it an incident beside the larger."""

COMPARED = timedelta(weeks=4)
"""What is explained against: the weeks before something began."""

FOLDER = "check"
"""Folder beside the tables of a store for what checks keep: sums of past days, and what was found last."""

PRICE_EVENT = "price took effect"
ALARMING = (PRICE_EVENT, "new model")
"""Kinds of events that fail a check; others are told and fail nothing."""

PRICE_DRIVERS = ("list_price", "discount")
"""Drivers of the spend that a price which took effect moves."""

CENT = Decimal("0.01")

_COLUMNS = {"response_model": "model"}
"""Columns that explanations know by another name."""


def make_check(store: "Store", settings: "Config", now: datetime, memory: "Memory") -> Checked:
    """Return how everything that the configuration asks for stands at `now`, and why what fired did.

    Whole five minutes are judged, up to those that hold the newest attempt; of most things whole hours. What `memory`
    has told already is not explained again. Raises NoDataError for an empty store.
    """
    snapshot = store.snapshot()
    with connect_to(snapshot) as connection:
        found = ends(connection, snapshot, now)
        if found is None:
            raise NoDataError("the store is empty", hint="read logs into it first: infercost ingest logs PATH")
        began, latest = found
        until = _five_minutes(min(latest, now).astimezone(UTC))
        uses = budget_use(connection, settings, now)
        made = Checked(now, until, latest, settings.zone, (), uses)
        if now - latest > settings.check.max_age:
            return replace(made, findings=(_stale(now, latest, settings),))
        sums = Sums(connection, snapshot, store.folder / FOLDER)
        findings, alerts = _signals(sums, settings, until, began, memory)
        findings += _limits(sums, settings, uses, until.replace(minute=0), began)
        findings += _events(connection, until)
        causes = _Causes(connection, settings, until, alerts)
        findings = [each if is_known(each, memory) else causes.of(each) for each in findings]
        return replace(made, findings=tuple(_with_incidents(findings, causes.largest, memory)))


def _five_minutes(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute // 5 * 5, second=0, microsecond=0)


def _stale(now: datetime, latest: datetime, settings: "Config") -> Finding:
    age = (now - latest) / HOUR
    most = settings.check.max_age / HOUR
    return Finding(
        key="data",
        kind=Kind.LIMIT,
        title="Age of the newest attempt",
        outcome=Outcome.UNKNOWN,
        unit="hours",
        value=age,
        high=most,
        reason=f"the newest attempt is {age:,.1f} hours old (check.max_age_hours = {most:g}): ingest first",
    )


def _signals(
    sums: Sums, settings: "Config", until: datetime, began: datetime, memory: "Memory"
) -> "tuple[list[Finding], list[Alert]]":
    if not settings.check.signals:
        return [], []
    known = {key: (told.first, told.parts) for key, told in memory.told.items()}
    return watch.watch(sums, settings.check.by, until, began, known)


def _limits(
    sums: Sums, settings: "Config", uses: Sequence[BudgetUse], until: datetime, began: datetime
) -> list[Finding]:
    """Return how the limits stand, and every budget; a limit of a budget takes the place of its own hard limit."""
    zone = ZoneInfo(settings.zone)
    bounds: dict[str, float] = {}
    found = []
    for limit in settings.check.limits:
        if limit.budget is not None:
            bounds[limit.budget] = float(limit.bound)
        else:
            found.append(check_limit(limit, sums, until, began, zone))
    return [*found, *(_budget(use, bounds.get(use.name, use.hard)) for use in uses)]


def _budget(use: BudgetUse, hard: float) -> Finding:
    is_hard = use.used_ratio > hard
    is_soft = use.soft is not None and use.used_ratio > use.soft
    return Finding(
        key=f"budget:{use.name}:{use.period_start.isoformat()}",
        kind=Kind.BUDGET,
        title=f"Budget {use.name}",
        outcome=Outcome.FIRED if is_hard or is_soft else Outcome.OK,
        unit="share",
        value=use.used_ratio,
        high=hard if is_hard or use.soft is None else use.soft,
        # Passing the hard limit after the soft one is worse, however little more is spent.
        size=10.0 if is_hard else float(is_soft),
        is_warning=not is_hard,
    )


def _events(connection: "duckdb.DuckDBPyConnection", until: datetime) -> list[Finding]:
    """Return what is new in the day before `until`: prices, names, models without a price. No statistics is in it."""
    since = until - DAY
    new = events.find(connection, Span(since, until, since - DAY, since))
    # Without a rule of one's own the route of a call is its model.
    models = {each.name for each in new if each.kind == "new model"}
    found = [
        Finding(
            key=f"event:{each.kind}:{each.name}:{each.when:%Y-%m-%d}",
            kind=Kind.EVENT,
            title=f"{each.kind}: {each.name}",
            outcome=Outcome.FIRED,
            unit="event",
            # A price is named by its provider and model.
            scope={"response_model": each.name.partition(" ")[2]} if each.kind == PRICE_EVENT else {},
            since=each.when,
            # What a price costs is what it changed, not what was spent under it.
            dollars_per_day=None if each.kind == PRICE_EVENT else each.cost,
            is_warning=each.kind not in ALARMING,
        )
        for each in new
        if each.kind == "new model" or each.name not in models
    ]
    window = Window(since, until, None)
    for row in queries.run(connection, queries.find("coverage_unpriced"), queries.both(window, None)).to_pylist():
        model = f"{row['price_model'] or 'no model'} ({row['provider_name'] or 'no provider'})"
        found.append(
            Finding(
                key=f"event:unpriced:{model}",
                kind=Kind.EVENT,
                title=f"no price: {model}",
                outcome=Outcome.FIRED,
                unit="event",
                value=float(row["attempts"]),
                reason=f"{row['attempts']:,} attempts with {row['tokens'] or 0:,} tokens in the last 24 hours",
            )
        )
    return found


def _with_incidents(findings: Sequence[Finding], largest: Mapping[str, str], memory: "Memory") -> Iterator[Finding]:
    """Yield the findings, those that only tell of another one's incident with its key.

    A signal tells of its own incident where spend moved most by one of its drivers, `largest`, or where it was told
    before. Where a driver of such a signal moved spend most, others tell of the same.
    """
    fired = [each for each in findings if each.kind is Kind.SIGNAL and each.outcome is Outcome.FIRED]
    told = {driver: each.key for each in fired if is_known(each, memory) for driver in _drivers(each)}
    own = {each.key: each for each in fired if largest.get(each.key) in _drivers(each)}
    new = {driver: key for key, each in own.items() for driver in _drivers(each)}
    for each in findings:
        driver = largest.get(each.key, "")
        other = told.get(driver) or (None if each.key in own else new.get(driver))
        yield replace(each, follows=other) if each.kind is Kind.SIGNAL and other != each.key else each


def _drivers(finding: Finding) -> tuple[str, ...]:
    return MEASURES[finding.measure].drivers if finding.measure else ()


class _Causes:
    """Explains what fired: the spend since it began against the weeks before, each span and part once."""

    def __init__(
        self,
        connection: "duckdb.DuckDBPyConnection",
        settings: "Config",
        until: datetime,
        alerts: "Sequence[Alert]",
    ) -> None:
        self.connection = connection
        self.zone = ZoneInfo(settings.zone)
        self.until = until.astimezone(self.zone)
        self.starts = _together(sorted((each.since, -each.score) for each in alerts))
        self.largest: dict[str, str] = {}
        """By the key of a finding that was explained: the driver by which its spend moved most, as `_largest` says."""
        self._known: dict[tuple[datetime, tuple[Condition, ...]], tuple[Decimal, tuple[DriverLine, ...]] | None] = {}

    def of(self, finding: Finding) -> Finding:
        """Return the finding with its causes and what it costs a day, where it fired and that can be told."""
        if finding.outcome is not Outcome.FIRED:
            return finding
        if finding.measure is None and not finding.title.startswith(PRICE_EVENT):
            return finding
        since = self.starts.get(finding.since, finding.since) if finding.since else self.until - DAY
        # The share of a tier is moved by what leaves the others, so all tiers are looked at.
        scope = {name: value for name, value in finding.scope.items() if name != TIER}
        where = tuple((_COLUMNS.get(name, name), value) for name, value in scope.items())
        found = self._explained(since, where)
        if found is None:
            return finding
        change, lines = found
        days = Decimal((self.until - since) / DAY)
        own = MEASURES[finding.measure].drivers if finding.measure else PRICE_DRIVERS
        self.largest[finding.key] = _largest(lines, own)
        moved = sum((line.effect for line in lines if line.name in own), Decimal(0))
        return replace(
            finding,
            dollars_per_day=((moved if own else change) / days).quantize(CENT),
            causes=tuple(_causes(lines, own, days)),
        )

    def _explained(
        self, since: datetime, where: "tuple[Condition, ...]"
    ) -> "tuple[Decimal, tuple[DriverLine, ...]] | None":
        """Return how spend changed since a moment, and why; None where nothing is there to compare with."""
        # Most checks have nothing to explain, and are to be quick.
        from infercost.analyze import explain

        key = (since, where)
        if key not in self._known:
            start = since.astimezone(self.zone)
            window, baseline = Window(start, self.until, None), Window(start - COMPARED, start, None)
            try:
                self._known[key] = explain.causes(self.connection, window, baseline, where, self.zone.key)
            except (NoDataError, UsageError):
                self._known[key] = None
        return self._known[key]


def _largest(lines: "Sequence[DriverLine]", own: Sequence[str]) -> str:
    """Return the driver that moved spend most; one of a finding's own where it moved OWN_SHARE of what others did."""
    sizes = {line.name: abs(line.effect) * (1 if line.name in own else OWN_SHARE) for line in lines}
    return max(sizes, key=lambda name: sizes[name], default="")


def _together(starts: list[tuple[datetime, float]]) -> dict[datetime, datetime]:
    """Return for every moment at which something began that of the most certain one of its day: one incident's."""
    found: dict[datetime, datetime] = {}
    while starts:
        day = [each for each in starts if each[0] - starts[0][0] < DAY]
        surest = min(day, key=lambda each: each[1])[0]
        found |= {since: surest for since, _ in day}
        starts = starts[len(day) :]
    return found


def _causes(lines: "Sequence[DriverLine]", own: Sequence[str], days: Decimal) -> Iterator[Cause]:
    """Yield the drivers behind a measure, then the others that moved most, with their place and dollars a day."""
    gross = sum((abs(line.effect) for line in lines), Decimal(0))
    ordered = sorted(lines, key=lambda each: (each.name not in own, -abs(each.effect)))
    large = [each for each in ordered if each.effect and (each.name in own or abs(each.effect) >= LEAST_SHARE * gross)]
    for line in large[:MOST_CAUSES]:
        where = line.segment.places if line.segment else ()
        yield Cause(line.name, line.title, where, (line.effect / days).quantize(CENT))
