"""The report on a terminal of 80 columns: headline, trust, sparklines, totals and the largest rows of each section."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from infercost.analyze.explanation import Explanation
from infercost.analyze.report import Report, Section
from infercost.render import budgets, signals, trust, why
from infercost.render import format as fmt
from infercost.render.console import plain_text
from infercost.render.explanation import bridge_grid
from infercost.render.measures import measures
from infercost.render.tables import Cell, Line, table

WIDTH = 80
TOP_ROWS = 5
_SPARK_WIDTH = 40
_SIGNAL_WIDTH = 10
_BLOCKS = "▁▂▃▄▅▆▇█"
_PLAIN_BLOCKS = "_.,:-=+#"
_STYLES = {"up": "red", "down": "green", "quiet": "dim", "warn": "yellow", "bad": "bold red"}


def terminal_text(report: Report, width: int = WIDTH) -> str:
    """Return what `render_terminal` prints, as plain text without colours."""
    return plain_text(partial(render_terminal, report), width)


def render_terminal(report: Report, console: Console) -> None:
    """Print the report; colours only where the console has them, names from the logs never as markup."""
    console.print(Text(fmt.name(report.headline, 600), style="bold"))
    for sentence in trust.warnings(report):
        console.print(Text(f"! {sentence}", style=_STYLES["bad"]))
    console.print()
    console.print(_trust_line(report))
    console.print()
    for line in _sparks(report, console):
        console.print(line)
    if report.explanation is not None:
        console.print()
        _why(report.explanation, console)
    if report.signals:
        console.print()
        console.print(_signals(report, console))
    for grid in (_totals(report), *(_section(section) for section in report.sections if section.rows)):
        console.print()
        console.print(grid)
    for number, line in enumerate(_budgets(report)):
        if not number:
            console.print()
        console.print(line)


def _why(explanation: Explanation, console: Console) -> None:
    if (quiet := why.quiet_text(explanation)) is not None:
        console.print(Text(quiet))
        return
    for cause in why.sentences(explanation):
        console.print(Text(f"- {cause.text}"))
    console.print()
    console.print(bridge_grid(explanation, console.width))


def spark(values: Sequence[Decimal | None], largest: Decimal, blocks: str = _BLOCKS, width: int = _SPARK_WIDTH) -> str:
    """Return values as a row of blocks from nothing to `largest`; unknown is a space, long rows are averaged."""
    step = -(-len(values) // width) or 1
    drawn = []
    for start in range(0, len(values), step):
        known = [value for value in values[start : start + step] if value is not None]
        mean = sum(known, Decimal(0)) / len(known) if known else None
        drawn.append(" " if mean is None else _block(mean, largest, blocks))
    return "".join(drawn)


def _block(value: Decimal, largest: Decimal, blocks: str) -> str:
    if not largest:
        return blocks[0]
    return blocks[max(0, min(len(blocks) - 1, int(value / largest * len(blocks))))]


def _trust_line(report: Report) -> Text:
    """Return the trust strip as one wrapped paragraph: what is not known stands out."""
    text = Text()
    for fact in trust.facts(report):
        if text:
            text.append(" · ", style="dim")
        text.append(f"{fact.label} ", style="dim")
        text.append(fact.text, style=_STYLES.get(fact.state, ""))
        if fact.detail:
            text.append(f" ({fact.detail})", style="dim")
    return text


def _sparks(report: Report, console: Console) -> list[Text]:
    now: list[Decimal | None] = [point.current_cost for point in report.daily]
    before = [point.baseline_cost for point in report.daily]
    largest = max((value for value in (*now, *before) if value is not None), default=Decimal(0))
    blocks = _BLOCKS if console.encoding.startswith("utf") else _PLAIN_BLOCKS
    rows = [("now", report.current, now, "cyan")]
    if report.baseline is not None:
        rows.insert(0, ("before", report.baseline, before, "dim"))
    lines = []
    for label, window, values, style in rows:
        line = Text(f"{label:<7}")
        line.append(spark(values, largest, blocks), style=style)
        line.append(f"  {trust.window_text(window, report.zone)}", style="dim")
        lines.append(line)
    return lines


def _totals(report: Report) -> Grid:
    columns = ("Before", "Now", "Change", "Change %") if report.baseline else ("Now",)
    grid = _grid("Totals", columns, ())
    for measure in measures(report):
        cells = (measure.before, measure.now, measure.change, measure.ratio) if report.baseline else (measure.now,)
        grid.add_row(measure.name, *map(_text, cells))
    return grid


def _signals(report: Report, console: Console) -> Grid:
    """Return the leading signals; one that left its band is in red, with the bucket since when."""
    columns = ("Before", "Now", "Effect", f"By {report.signals[0].bucket_unit}", "Band")
    grid = _grid("Leading signals", columns if report.baseline else columns[1:], ())
    blocks = _BLOCKS if console.encoding.startswith("utf") else _PLAIN_BLOCKS
    for each in report.signals:
        known = [None if value is None else Decimal(repr(value)) for value in each.values]
        largest = max((value for value in known if value is not None), default=Decimal(0))
        cells = [
            Text(signals.short_value(each, each.current)),
            Text(fmt.dollars(each.effect, signed=True) if each.effect else ""),
            Text(spark(known, largest, blocks, _SIGNAL_WIDTH)),
            Text(signals.short_verdict(each, report.zone), style=_STYLES["bad"] if each.outside else "dim"),
        ]
        if report.baseline:
            cells.insert(0, Text(signals.short_value(each, each.baseline)))
        grid.add_row(Text(fmt.name(each.title)), *cells)
    return grid


def _section(section: Section) -> Grid:
    drawn = table(section, TOP_ROWS)
    columns = ("Before", "Now", "Change", "Change %", "Share") if drawn.compared else ("Cost", "Share", "Requests")
    grid = _grid(fmt.name(section.title, WIDTH - 4), columns, _cells(drawn.total, compared=drawn.compared))
    for line in (*drawn.top, *([drawn.rest] if drawn.rest else [])):
        grid.add_row(Text(line.name.text), *_cells(line, compared=drawn.compared))
    return grid


def _cells(line: Line, *, compared: bool) -> list[Text]:
    if compared:
        return [_text(cell) for cell in (line.before, line.now, line.change, line.ratio, line.share)]
    return [_text(cell) for cell in (line.now, line.share, line.requests)]


def _grid(title: str, columns: Sequence[str], total: Sequence[Text]) -> Grid:
    """Return an empty table under a title; `total` is its last row, below a rule, or empty."""
    grid = Grid(box=box.SIMPLE, expand=True, show_edge=False, pad_edge=False, show_footer=bool(total))
    grid.add_column(Text(title, style="bold"), "Total", ratio=1, no_wrap=True, overflow="ellipsis", min_width=12)
    for number, column in enumerate(columns):
        foot = total[number] if total else ""
        grid.add_column(column, foot, justify="right", no_wrap=True, header_style="dim", footer_style="bold")
    return grid


def _text(cell: Cell) -> Text:
    return Text(cell.text, style=_STYLES.get(cell.tone, ""))


def _budgets(report: Report) -> list[Text]:
    lines = []
    if burn := budgets.burn_text(report):
        lines.append(Text.assemble(("Burn rate ", "dim"), f"{burn}. {budgets.annual_text(report)}".rstrip()))
    for use in report.budgets:
        line = Text("Budget ", style="dim")
        line.append(fmt.name(use.name, 24), style="bold")
        line.append(f": {budgets.used_text(use)}, ")
        line.append(f"{fmt.percent(use.used_ratio)} used", style=_STYLES.get(budgets.state(use), ""))
        if use.sessions is None:
            line.append(f", {fmt.percent(use.elapsed_ratio)} of the time gone")
        if ahead := budgets.forecast_text(use, report.zone):
            line.append(f". {ahead}", style="dim")
        lines.append(line)
    return lines
