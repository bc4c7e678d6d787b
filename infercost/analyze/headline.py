"""Says what happened to the spend in one sentence, made from the report's figures and nothing else."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from infercost.analyze.explanation import DriverLine, Explanation
from infercost.analyze.report import Row, Section, Trust, Window

FLAT = Decimal("0.005")
"""A change smaller than this part of the baseline's cost is called none."""

_WORTH_NAMING = Decimal("0.1")
_WORTH_A_WHILE = Decimal("0.25")
_MOST = Decimal("0.5")

NAMED = 3
"""Causes or segments that a sentence names at most."""

_NAME_LENGTH = 40

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


BAD_SHARE = 0.05
"""From this share of attempts (or records) on, what is not known could change the answer."""


@dataclass(frozen=True)
class Known:
    """Whether any cost of each window is known (no attempt priced = not known), and where the store's data begin."""

    current: bool
    baseline: bool
    oldest_event: datetime | None
    trust: Trust


def headline(
    total: Row,
    section: Section,
    window: Window,
    baseline: Window | None,
    known: Known,
    explanation: Explanation | None = None,
) -> str:
    """Return the sentence for `total`: its causes where there is an explanation, else the segments that moved most."""
    span = _in(window)
    if not known.current:
        return f"Spend {span} is not known: none of the {total.current.attempts:,} attempts has a price."
    parts = [_what(total, section, window, baseline, known, explanation)]
    if total.current.unpriced_attempts:
        left_out, attempts = total.current.unpriced_attempts, total.current.attempts
        parts.append(f"{left_out:,} of {attempts:,} attempts have no price and are left out")
    parts += _doubts(known.trust)
    late = _late_start(baseline, known)
    if late is not None:
        parts.append(f"the store begins on {day_text(late)}, inside the window compared with")
    return "; ".join(parts) + "."


def _doubts(trust: Trust) -> list[str]:
    """Say what else is not known and large enough to change the answer."""
    doubts = (
        (trust.no_usage_attempts, trust.attempts, "of the attempts have no token counts"),
        (trust.rejected, trust.records, "of the records could not be read"),
        (trust.sampled_attempts, trust.attempts, "of the attempts are from exports that hold a sample"),
    )
    return [f"{part / whole:.0%} {text}".replace("%", " %") for part, whole, text in doubts if part > BAD_SHARE * whole]


def money(amount: Decimal) -> str:
    """Return US dollars for a sentence: whole above 100, cents below, never rounded to nothing."""
    size = abs(amount)
    sign = "-" if amount < 0 else ""
    if 0 < size < Decimal("0.01"):
        return f"{sign}${size:.1g}" if size >= Decimal("0.0001") else "under $0.0001"
    return f"{sign}${size:,.0f}" if size >= 100 or size == 0 else f"{sign}${size:,.2f}"


def day_text(day: date) -> str:
    """Return a day as in 18 Nov 2026, whatever the locale of the process."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def window_text(window: Window) -> str:
    """Return a window in words, such as `the 30 days to 18 Nov 2026`."""
    last = window.end - timedelta(microseconds=1)
    if window.days == 1:
        return day_text(window.start.date())
    if window.days is not None:
        return f"the {window.days} days to {day_text(last.date())}"
    hours = _whole_hours(window)
    if hours is not None:
        return f"the {_count(hours, 'hour')} to {_clock(window.end)}"
    return f"the time from {_clock(window.start)} to {_clock(window.end)}"


def _what(
    total: Row,
    section: Section,
    window: Window,
    baseline: Window | None,
    known: Known,
    explanation: Explanation | None,
) -> str:
    cost, before = total.current.cost, total.baseline
    spent = f"Spend was {money(cost)} {_in(window)}" if cost else f"Nothing was spent {_in(window)}"
    if baseline is None:
        return spent + _largest(section, total)
    against = _against(window, baseline)
    if before is None:
        return f"{spent}{_largest(section, total)}; there is no data of {against} to compare with"
    if not known.baseline:
        return f"{spent}{_largest(section, total)}; what {against} cost is not known, as no attempt of it has a price"
    if cost == 0 and before.cost == 0:
        return f"{spent}, nor in {against}"
    if abs(total.change) <= FLAT * before.cost:
        return f"Spend held at {money(cost)}{_ratio(total)} {_in(window)}, against {against}{_causes(explanation)}"
    verb = "rose" if total.change > 0 else "fell"
    moved = (
        f"Spend {verb} {money(abs(total.change))}{_ratio(total)} from {money(before.cost)} to {money(cost)} "
        f"{_in(window)}, against {against}"
    )
    return moved + (_movers(section, total) if explanation is None else _causes(explanation))


def _causes(explanation: Explanation | None) -> str:
    """Name the drivers that made most of the change, with their dollars and share of it, and what did not move."""
    if explanation is None:
        return ""
    lines = explanation.main_lines[:NAMED]
    text = ": " + _listed([_cause(line, explanation) for line in lines]) if lines else ""
    if not lines:
        text = f"; {_quiet(explanation)}"
    if not any(line.effect for line in explanation.drivers if line.name == "list_price"):
        text += "; no list price changed"
    return text


def _quiet(explanation: Explanation) -> str:
    """Say that no driver is worth naming, and by what."""
    if not any(line.effect for line in explanation.drivers):
        return "nothing that it is made of moved"
    if explanation.placebo_weeks:
        return "no driver moved by more than it usually does"
    return "no driver moved it by 1 % or more"


def _cause(line: DriverLine, explanation: Explanation) -> str:
    title = line.title[0].lower() + line.title[1:]
    where = ""
    if line.segment is not None and line.segment.values:
        values = line.segment.values[0]
        named = ", ".join(
            value if len(value) <= _NAME_LENGTH else f"{value[:_NAME_LENGTH]}…" for value in values[:NAMED]
        )
        where = f" in {named}" + (f" and {len(values) - NAMED} more" if len(values) > NAMED else "")
    share = line.effect / explanation.change if explanation.change else Decimal(0)
    told = f" ({share:.0%})".replace("%", " %") if Decimal("0.005") <= share <= 1 else ""
    return f"{title}{where} {'+' if line.effect > 0 else ''}{money(line.effect)}{told}"


def _movers(section: Section, total: Row) -> str:
    """Name the segments that moved most with the total, and the one that moved most against it."""
    if len(section.rows) < 2:
        return ""
    size, rises = abs(total.change), total.change > 0
    along = [row for row in section.rows if (row.change > 0) == rises and abs(row.change) >= _WORTH_NAMING * size][
        :NAMED
    ]
    if not along:
        return ""
    share = sum((abs(row.change) for row in along), Decimal(0)) / size
    noun = "rise" if rises else "fall"
    lead = f"most of the {noun} is in" if share >= _MOST else f"the largest part of the {noun} is in"
    text = f"; {lead} {_listed([_moved(row) for row in along])}"
    against = [row for row in section.rows if row.change and (row.change > 0) != rises][:1]
    if against and abs(against[0].change) >= _WORTH_A_WHILE * size:
        text += f", while {_moved(against[0])} {'fell' if rises else 'rose'}"
    return text


def _listed(parts: list[str]) -> str:
    return " and ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _largest(section: Section, total: Row) -> str:
    """Name the two segments that cost most, where nothing is compared."""
    if not total.current.cost or len(section.rows) < 2:
        return ""
    rows = sorted(section.rows, key=lambda row: (-row.current.cost, row.values))[:2]
    share = sum((row.current.cost for row in rows), Decimal(0)) / total.current.cost
    lead = "most of it is in" if share >= _MOST else "the largest part is in"
    return f"; {lead} {' and '.join(f'{_name(row)} ({money(row.current.cost)})' for row in rows if row.current.cost)}"


def _moved(row: Row) -> str:
    return f"{_name(row)} ({'+' if row.change > 0 else ''}{money(row.change)})"


def _name(row: Row) -> str:
    return " / ".join(row.values)


def _ratio(total: Row) -> str:
    """Return the change in percent; nothing where it is none."""
    if total.change_ratio is None or abs(total.change_ratio) < 0.005:
        return ""
    return f" ({total.change_ratio * 100:+,.0f} %)"


def _in(window: Window) -> str:
    return f"{'on' if window.days == 1 else 'in'} {window_text(window)}"


def _against(window: Window, baseline: Window) -> str:
    if baseline.end != window.start or baseline.days != window.days:
        return window_text(baseline)
    if window.days is None:
        hours = _whole_hours(window)
        return "the time as long before" if hours is None else f"the {_count(hours, 'hour')} before"
    return "the day before" if window.days == 1 else f"the {window.days} days before"


def _late_start(baseline: Window | None, known: Known) -> date | None:
    """Return the day the store's data begin when that is inside the baseline, which then holds too little."""
    if baseline is None or known.oldest_event is None:
        return None
    oldest = known.oldest_event.astimezone(baseline.start.tzinfo)
    return oldest.date() if baseline.start.date() < oldest.date() and oldest < baseline.end else None


def _whole_hours(window: Window) -> int | None:
    hours = (window.end.timestamp() - window.start.timestamp()) / 3600
    return int(hours) if hours.is_integer() else None


def _clock(moment: datetime) -> str:
    return f"{day_text(moment.date())} {moment:%H:%M}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
