"""The totals of a report as measures before and after: cost, volume, and cost per unit of work."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from infercost.analyze.report import Figures, Report, Sessions
from infercost.render import format as fmt
from infercost.render.tables import Cell, tone

_SMALLEST = Decimal("1e-12")
_UNKNOWN = Cell("not known", tone="quiet")
_NOTHING = Cell("")


@dataclass(frozen=True)
class Measure:
    """One measure in both windows; `before`, `change` and `ratio` are blank in a report without a baseline."""

    name: str
    hint: str
    before: Cell
    now: Cell
    change: Cell
    ratio: Cell


def measures(report: Report) -> tuple[Measure, ...]:
    """Return the totals in their order: cost, requests, attempts, tokens, and cost per request, session, 1k tokens."""
    per_session: tuple[Measure, ...] = ()
    if report.sessions:
        hint = "cost of the attempts that name a session over those sessions"
        sides = (_per_session(report.sessions), _per_session(report.baseline_sessions))
        per_session = (_compared(report, "Cost per session", hint, *sides),)
    return (
        _money(report, "Cost", "effective cost of the attempts that have a price", known_cost),
        _counted(report, "Requests", "what the applications asked for", lambda item: item.requests),
        _counted(report, "Attempts", "calls of a model, and answers of a gateway's cache", lambda item: item.attempts),
        _counted(report, "Tokens", "input and output, cache reads included", tokens),
        _money(report, "Cost per request", "cost over requests", lambda item: unit_cost(item, item.requests, 1)),
        *per_session,
        _money(
            report,
            "Cost per 1k tokens",
            "cost over tokens, times 1,000",
            lambda item: unit_cost(item, tokens(item), 1000),
        ),
    )


def tokens(figures: Figures) -> int:
    """Return input and output tokens together."""
    return figures.input_tokens + figures.output_tokens


def known_cost(figures: Figures) -> Decimal | None:
    """Return the cost in US dollars, or None when there were attempts and none of them has a price."""
    return None if figures.attempts and figures.unpriced_attempts >= figures.attempts else figures.cost


def unit_cost(figures: Figures, units: int, of: int) -> Decimal | None:
    """Return the cost in US dollars of `of` units to 12 decimals; None without units or when the cost is not known."""
    cost = known_cost(figures)
    return None if cost is None or not units else (cost * of / units).quantize(_SMALLEST)


def _per_session(sessions: Sessions | None) -> Decimal | None:
    if sessions is None or sessions.cost is None:
        return None
    return (sessions.cost / sessions.count).quantize(_SMALLEST)


def _money(report: Report, name: str, hint: str, value: Callable[[Figures], Decimal | None]) -> Measure:
    before = value(report.total.baseline) if report.total.baseline else None
    return _compared(report, name, hint, value(report.total.current), before)


def _compared(report: Report, name: str, hint: str, now: Decimal | None, before: Decimal | None) -> Measure:
    after = _amount(now)
    if report.total.baseline is None:
        return Measure(name, hint, Cell(""), after, Cell(""), Cell(""))
    if now is None or before is None:
        return Measure(name, hint, _amount(before), after, _NOTHING, _NOTHING)
    change = now - before
    moved = Cell(fmt.dollars(change, signed=True), fmt.exact_dollars(change, signed=True), tone(change))
    return Measure(name, hint, _amount(before), after, moved, _ratio(change, before, tone(change)))


def _counted(report: Report, name: str, hint: str, value: Callable[[Figures], int]) -> Measure:
    now = value(report.total.current)
    after = Cell(fmt.count(now), fmt.exact_count(now))
    if report.total.baseline is None:
        return Measure(name, hint, Cell(""), after, Cell(""), Cell(""))
    before = value(report.total.baseline)
    change = now - before
    sign = "+" if change > 0 else ""
    moved = Cell(f"{sign}{fmt.count(change)}", f"{change:+,}")
    return Measure(
        name, hint, Cell(fmt.count(before), fmt.exact_count(before)), after, moved, _ratio(change, before, "")
    )


def _amount(value: Decimal | None) -> Cell:
    return _UNKNOWN if value is None else Cell(fmt.dollars(value), fmt.exact_dollars(value))


def _ratio(change: Decimal | int, before: Decimal | int, of_tone: str) -> Cell:
    if not change:
        return Cell("no change", tone="quiet")
    if not before:
        return Cell("new", "nothing before to compare with", of_tone)
    ratio = float(change / before)
    return Cell(fmt.percent(ratio, signed=True), fmt.exact_percent(ratio), of_tone)
