"""The report as Markdown that fits a pull request or a chat message: fewer than 60 lines, whatever it holds."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

from infercost.analyze.report import Report, Section
from infercost.render import bridge, trust, why
from infercost.render import format as fmt
from infercost.render.escapes import code, escape
from infercost.render.measures import measures
from infercost.render.tables import Line, table

MOST_LINES = 59
"""Lines of the whole text."""

_MOST_DRIVERS = 6
"""Drivers of the bridge that have a row; the others are one."""

_FEWEST_ROWS = 1
_MOST_ROWS = 5
_SECTION_FRAME = 6
"""Lines of a section beside its rows: a blank, its header, the rule, up to two rows instead of a rest, the total."""


def render_markdown(report: Report) -> str:
    """Return headline, windows, totals, the largest rows of each section, and the trust line.

    Rows a section get fewer as sections get more; sections that do not fit are counted in a last line.
    """
    sections = [section for section in report.sections if section.rows]
    frame = [*_head(report), *_why(report), "", *_totals(report)]
    tail = ["", _trust_line(report)]
    room = MOST_LINES - len(frame) - len(tail) - 2
    fitting = min(len(sections), room // (_SECTION_FRAME + _FEWEST_ROWS))
    rows = min(_MOST_ROWS, room // fitting - _SECTION_FRAME) if fitting else 0
    lines = list(frame)
    for section in sections[:fitting]:
        lines += _section(section, rows)
    if fitting < len(sections):
        lines += ["", f"{fmt.plural(len(sections) - fitting, 'more table')} in the HTML report."]
    return "\n".join([*lines, *tail]) + "\n"


def _head(report: Report) -> list[str]:
    window = f"{trust.window_text(report.current, report.zone)} ({trust.length_text(report.current)})"
    if report.baseline is not None:
        before = trust.window_text(report.baseline, report.zone)
        window += f" against {before} ({trust.length_text(report.baseline)})"
    lines = [f"**{escape(fmt.name(report.headline, 600))}**", "", f"{window}, {escape(report.zone)}, {report.currency}"]
    for sentence in trust.warnings(report):
        lines += ["", f"> **Read with care.** {escape(sentence)}"]
    return lines


def _why(report: Report) -> list[str]:
    """Return why spend changed: a sentence for each driver worth one, and the bridge with small drivers summed up."""
    explanation = report.explanation
    if explanation is None:
        return []
    rows = bridge.bridge_rows(explanation)
    amount = partial(bridge.amount, decimals=bridge.places(explanation))
    shown = sorted((row for row in rows if row[1]), key=lambda row: (-abs(row[1]), row[0].name))[:_MOST_DRIVERS]
    rest = sum((cents for line, cents in rows if (line, cents) not in shown), Decimal(0))
    lines = ["", *(f"- {escape(each.text)}" for each in why.sentences(explanation)), ""]
    lines += _table_head("Why spend changed", ("Effect", "Undo saves", "Noise"))
    for line, cents in shown:
        lines.append(_row(line.title, [amount(cents), amount(line.undo), why.verdict_text(line)]))
    if rest or len(shown) < len([row for row in rows if row[1]]):
        lines.append(_row("All other drivers", [amount(rest), "", ""]))
    return [*lines, _row("**Change**", [f"**{amount(bridge.change_cents(explanation))}**", "", ""])]


def _totals(report: Report) -> list[str]:
    names = ("Before", "Now", "Change", "Change %") if report.baseline else ("Now",)
    lines = _table_head("Total", names)
    for measure in measures(report):
        cells = (measure.before, measure.now, measure.change, measure.ratio) if report.baseline else (measure.now,)
        lines.append(_row(measure.name, [cell.text for cell in cells]))
    return lines


def _section(section: Section, rows: int) -> list[str]:
    drawn = table(section, rows)
    names = ("Before", "Now", "Change", "Change %", "Share") if drawn.compared else ("Cost", "Share", "Requests")
    lines = ["", *_table_head(escape(fmt.name(section.title)), names)]
    lines += [_row(code(line.name.text), _cells(line, compared=drawn.compared)) for line in drawn.top]
    if drawn.rest:
        lines.append(_row(drawn.rest.name.text, _cells(drawn.rest, compared=drawn.compared)))
    total = [f"**{cell}**" if cell else "" for cell in _cells(drawn.total, compared=drawn.compared)]
    return [*lines, _row("**Total**", total)]


def _cells(line: Line, *, compared: bool) -> list[str]:
    if compared:
        return [cell.text for cell in (line.before, line.now, line.change, line.ratio, line.share)]
    return [cell.text for cell in (line.now, line.share, line.requests)]


def _table_head(first: str, names: Sequence[str]) -> list[str]:
    return [_row(first, names), _row(":---", ["---:"] * len(names))]


def _row(first: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([first, *cells])} |"


def _trust_line(report: Report) -> str:
    """Return the trust facts that the lines above do not say, in one line."""
    said = {"Window", "Compared with", "Time zone", "Currency"}
    facts = [fact for fact in trust.facts(report) if fact.label not in said]
    texts = [f"{fact.label.lower()} {escape(fact.text)}{_detail(fact)}" for fact in facts]
    return f"{' · '.join(texts)}"


def _detail(fact: trust.Fact) -> str:
    return f" ({escape(fact.detail)})" if fact.detail and (fact.state != "ok" or fact.is_whole) else ""
