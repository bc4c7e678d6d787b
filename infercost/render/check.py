"""Draws a check for people: terminal, Markdown, and one line a finding for whatever takes only lines."""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from infercost.analyze.findings import Cause, Checked, Finding, Kind, News, Outcome
from infercost.analyze.report import BudgetUse
from infercost.config.limits import MEASURES
from infercost.render import budgets
from infercost.render import format as fmt
from infercost.render.escapes import escape

if TYPE_CHECKING:
    from rich.console import Console

MOST_VALUES = 3
_MARKS = {Outcome.FIRED: ("✗", "bold red"), Outcome.OK: ("✓", "green"), Outcome.UNKNOWN: ("?", "yellow")}
_NEWS = {News.NEW: "new", News.WORSE: "worse", News.ONGOING: "goes on", News.OVER: "over"}


def summary(made: Checked) -> str:
    """Return in one sentence how the check came out."""
    fired, unknown = made.of(Outcome.FIRED), made.of(Outcome.UNKNOWN)
    new = [each for each in fired if each.news is not News.ONGOING]
    told = [each for each in new if each.follows is None]
    parts = []
    if told:
        parts.append(f"{fmt.plural(len(told), 'thing')} to look at")
    if len(new) > len(told):
        parts.append(f"{len(new) - len(told)} of the same incidents")
    if len(fired) > len(new):
        parts.append(f"{len(fired) - len(new)} known already")
    if unknown:
        parts.append(f"{len(unknown)} could not be told")
    if made.over:
        parts.append(f"{len(made.over)} over")
    text = ", ".join(parts) or "Nothing fired"
    text = f"{text}; {len(made.of(Outcome.OK))} of {len(made.findings)} checks are fine"
    if made.until is None:
        return f"{text}."
    return f"{text}, as of {fmt.moment(made.until, made.zone)}."


def state_text(finding: Finding) -> str:
    """Return the value of a finding and what it was held against: `12 % instead of 1.0 %`."""
    if finding.outcome is Outcome.UNKNOWN:
        return f"could not tell: {fmt.clean(finding.reason or 'no reason is known')}"
    if finding.kind is Kind.EVENT:
        return fmt.clean(finding.reason or "")
    if finding.value is None:
        return ""
    text = quantity(finding.unit, finding.value)
    if finding.kind is Kind.SIGNAL and finding.usual is not None:
        text += f" instead of {quantity(finding.unit, finding.usual)}"
    elif finding.high is not None:
        text += f", {quantity(finding.unit, finding.high)} at most"
    elif finding.low is not None:
        text += f", {quantity(finding.unit, finding.low)} at least"
    if finding.kind is Kind.LIMIT and finding.usual is not None:
        text += f" ({quantity(finding.unit, finding.usual)} before)"
    return text


def quantity(unit: str, value: float) -> str:
    """Return a value in its unit."""
    if unit == "share":
        return fmt.percent(value)
    if unit == "usd":
        return fmt.dollars(Decimal(str(round(value, 9))))
    if unit == "tokens":
        return f"{fmt.count(round(value))} tokens"
    return fmt.ratio(value, places=1)


def line(finding: Finding, zone: str) -> str:
    """Return everything about a finding in one line of plain text."""
    parts = [f"{fmt.clean(finding.title)}{_scope(finding)}"]
    if state := state_text(finding):
        parts[0] += f": {state}"
    if finding.since is not None and finding.news is not News.OVER:
        parts.append(f"since {fmt.moment(finding.since, zone)}")
    if finding.dollars_per_day is not None:
        # What is new has a price of its own; all else changed what was spent.
        unit = "" if finding.kind is Kind.EVENT and not finding.causes else " a day"
        parts.append(f"{fmt.dollars(finding.dollars_per_day, signed=unit != '')}{unit}")
    if finding.follows is not None:
        parts.append(f"follows from: {MEASURES[finding.follows.partition(':')[2]].title}")
    if finding.news is not None and finding.news is not News.NEW:
        parts.append(_NEWS[finding.news])
    return ", ".join(parts)


def _scope(finding: Finding) -> str:
    if finding.kind is not Kind.SIGNAL or not finding.scope:
        return ""
    return " in " + ", ".join(f"{name.replace('_', ' ')} {fmt.name(value)}" for name, value in finding.scope.items())


def cause_text(cause: Cause) -> str:
    """Return a cause with its place and dollars a day."""
    places = " and ".join(
        f"{name.replace('_', ' ')} {', '.join(fmt.name(value) for value in values[:MOST_VALUES])}"
        f"{f' and {len(values) - MOST_VALUES} more' if len(values) > MOST_VALUES else ''}"
        for name, values in cause.where
    )
    where = f" in {places}" if places else ""
    return f"{cause.title}{where} {fmt.dollars(cause.dollars_per_day, signed=True)} a day"


def cause_line(causes: Iterable[Cause]) -> str:
    """Return causes in one line; empty without any."""
    found = "; ".join(map(cause_text, causes))
    return f"why: {found}" if found else ""


def budget_line(use: BudgetUse, zone: str) -> str:
    """Return how a budget stands in one line."""
    text = f"Budget {fmt.name(use.name)} ({fmt.name(use.scope)}): {budgets.used_text(use)}"
    if use.sessions is None:
        text += f", {fmt.percent(use.used_ratio)} used, {fmt.percent(use.elapsed_ratio)} of the time gone"
    ahead = budgets.forecast_text(use, zone)
    return f"{text}. {ahead}" if ahead else f"{text}."


def is_minor(finding: Finding) -> bool:
    """Return whether a finding fails nothing: it is a warning, or tells of another one's incident."""
    return finding.is_warning or finding.follows is not None


def shown(made: Checked) -> list[Finding]:
    """Return the findings that are worth a line each: what fired, then what could not be told."""
    order = {News.NEW: 0, News.WORSE: 1, None: 2, News.ONGOING: 3, News.OVER: 4}
    fired = sorted(made.of(Outcome.FIRED), key=lambda each: (is_minor(each), order[each.news]))
    return [*fired, *made.of(Outcome.UNKNOWN)]


def render_terminal(made: Checked, console: "Console") -> None:
    """Print a check."""
    from rich.text import Text

    console.print(Text(summary(made), style="bold"))
    for finding in shown(made):
        mark, style = _MARKS[finding.outcome]
        if is_minor(finding) or finding.news is News.ONGOING:
            style = "yellow"
        console.print(Text.assemble((f"{mark} ", style), line(finding, made.zone)))
        if causes := cause_line(finding.causes):
            console.print(Text(f"  {causes}", style="dim"))
    for finding in made.over:
        console.print(Text.assemble(("✓ ", "green"), line(finding, made.zone)))
    for use in made.budgets:
        console.print(Text(budget_line(use, made.zone), style="dim"))


def terminal_text(made: Checked) -> str:
    """Return a check as plain text; its lines are not broken."""
    from infercost.render.console import plain_text

    return plain_text(lambda console: render_terminal(made, console), 10_000)


def markdown_text(made: Checked) -> str:
    """Return a check as Markdown."""
    lines = [f"**{escape(summary(made))}**", ""]
    for finding in [*shown(made), *made.over]:
        mark = _MARKS[Outcome.OK if finding.news is News.OVER else finding.outcome][0]
        lines.append(f"- {mark} {escape(line(finding, made.zone))}")
        lines += [f"  - {escape(cause_text(cause))}" for cause in finding.causes]
    lines += ["", *(f"- {escape(budget_line(use, made.zone))}" for use in made.budgets)] if made.budgets else []
    return "\n".join(lines) + "\n"
