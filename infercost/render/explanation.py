"""Draws an `Explanation` for the terminal, as Markdown and as JSON."""

import io
import json
from collections.abc import Iterator
from decimal import Decimal

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from infercost.analyze.explanation import WITHIN, DriverLine, Explanation, SplitTable
from infercost.render import format as fmt
from infercost.render import why
from infercost.render.cents import closed
from infercost.render.json import plain
from infercost.render.markdown import code, escape
from infercost.render.trust import window_text

WIDTH = 100
ROWS = 8
"""Rows of a table by a dimension; the rest is one row."""

COLUMNS = 3
"""Drivers that have a column of their own in a table by a dimension."""

_BAR = 12
_STYLES = {"up": "red", "down": "green", "quiet": "dim"}


def json_text(explanation: Explanation) -> str:
    """Return every figure of the explanation, exact, with its sentences and the rows that these stand on."""
    document = plain(explanation)
    document["change"] = f"{explanation.change:f}"
    document["residual"] = f"{explanation.residual:f}"
    document["headline"] = plain(why.headline(explanation))
    document["sentences"] = [plain(each) for each in why.sentences(explanation)]
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def terminal_text(explanation: Explanation, width: int = WIDTH) -> str:
    """Return what `render_terminal` prints, as plain text."""
    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None, force_terminal=False, legacy_windows=False)
    render_terminal(explanation, console)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def render_terminal(explanation: Explanation, console: Console) -> None:
    """Print headline, sentences, bridge, segments, tables, events and requests."""
    console.print(Text(why.headline(explanation).text, style="bold"))
    console.print(Text(frame_text(explanation), style="dim"))
    console.print()
    for sentence in why.sentences(explanation):
        console.print(Text(f"- {sentence.text}"))
    console.print()
    console.print(_bridge(explanation))
    for note in notes(explanation):
        console.print(Text(note, style="dim"))
    console.print()
    console.print(_contributions(explanation))
    for table in explanation.tables:
        if len(table.rows) > 1:
            console.print()
            console.print(_split(explanation, table))
    _print_list(console, "What was new", [why.event_text(each, explanation) for each in explanation.events[:ROWS]])
    lines = [line for line in why.main_lines(explanation) if line.name != "calendar"]
    _print_list(console, "Undone", [why.undo_text(line, explanation) for line in lines])
    _print_list(console, "Requests that moved most", list(request_texts(explanation)))


def frame_text(explanation: Explanation) -> str:
    """Return what is compared: windows, zone, currency, conditions, and other prices where they were asked for."""
    windows = [window_text(each, explanation.zone) for each in (explanation.current, explanation.baseline)]
    parts = [f"{' against '.join(windows)}, {explanation.zone}, {explanation.currency}"]
    if explanation.where:
        parts.append("only " + ", ".join(f"{name} = {fmt.name(value)}" for name, value in explanation.where))
    if explanation.restated:
        parts.append(explanation.restated)
    return "; ".join(parts)


def notes(explanation: Explanation) -> list[str]:
    """Return what the figures stand on."""
    found = [why.baseline_note(explanation), why.noise_note(explanation)]
    if explanation.unpriced_attempts:
        found.append(
            f"{fmt.plural(explanation.unpriced_attempts, 'attempt')} of the window have no price and are in no amount: "
            "infercost prices missing"
        )
    return found


def request_texts(explanation: Explanation) -> Iterator[str]:
    """Yield a line for each request that moved most."""
    titles = {line.name: line.title for line in explanation.drivers}
    for each in explanation.requests[:ROWS]:
        tokens = f"{fmt.count(each.input_tokens)} in, {fmt.count(each.output_tokens)} out"
        yield (
            f"{fmt.dollars(each.cost)} (usually {fmt.dollars(each.usual)})  {titles[each.driver].lower()}, "
            f"{fmt.name(each.feature, 24)}, {fmt.name(each.model, 40)}, {tokens}  {fmt.name(each.request_id, 44)}"
        )


def bridge_rows(explanation: Explanation) -> list[tuple[DriverLine, Decimal]]:
    """Return every driver with its effect in cents; the cents add up to the change in cents."""
    cents = closed([line.effect for line in explanation.drivers])
    return list(zip(explanation.drivers, cents, strict=True))


def _bridge(explanation: Explanation) -> Grid:
    grid = Grid(box=box.SIMPLE, show_edge=False, pad_edge=False, show_footer=True, expand=True)
    change = sum((cents for _, cents in bridge_rows(explanation)), Decimal(0))
    grid.add_column(Text("Driver", style="bold"), "Change", no_wrap=True, min_width=20)
    grid.add_column("Effect", _amount(change), justify="right", no_wrap=True, footer_style="bold")
    grid.add_column("", "", no_wrap=True, width=_BAR)
    for name in ("Only this", "Undo saves", "Against noise"):
        grid.add_column(name, "", justify="right", no_wrap=True, header_style="dim")
    grid.add_column("Where", "", ratio=1, no_wrap=True, overflow="ellipsis", header_style="dim")
    largest = max((abs(line.effect) for line in explanation.drivers), default=Decimal(0))
    idle = []
    for line, cents in bridge_rows(explanation):
        if not cents:
            idle.append(line.title.lower())
            continue
        style = _STYLES["quiet"] if line.verdict == WITHIN else _STYLES["up" if cents > 0 else "down"]
        grid.add_row(
            line.title,
            Text(_amount(cents), style=style),
            Text(_bar(line.effect, largest), style=style),
            _amount(line.only),
            _amount(line.undo),
            why.verdict_text(line),
            Text(why.where_text(line)),
        )
    if idle:
        grid.caption = Text(f"$0.00: {', '.join(idle)}", style="dim", justify="left")
        grid.caption_justify = "left"
    return grid


def _amount(value: Decimal) -> str:
    """Return dollars and cents with their sign: `+1,234.50`."""
    return f"{value:+,.2f}" if round(value, 2) else "0.00"


def _bar(effect: Decimal, largest: Decimal) -> str:
    length = round(abs(effect) / largest * _BAR) if largest else 0
    return "█" * length if effect > 0 else "░" * length


def _contributions(explanation: Explanation) -> Grid:
    titles = {line.name: line.title for line in explanation.drivers}
    grid = Grid(box=box.SIMPLE, show_edge=False, pad_edge=False)
    grid.add_column(Text("Driver and segment", style="bold"), no_wrap=True, min_width=40)
    grid.add_column("Effect", justify="right")
    cents = closed([each.effect for each in explanation.contributions])
    for each, amount in zip(explanation.contributions, cents, strict=True):
        grid.add_row(Text(why.contribution_text(each, titles)), _amount(amount))
    return grid


def split_columns(explanation: Explanation) -> list[DriverLine]:
    """Return the drivers that get a column in tables by a dimension: those with the largest effects."""
    lines = [line for line in explanation.drivers if line.effect]
    return sorted(lines, key=lambda line: (-abs(line.effect), line.name))[:COLUMNS]


def split_rows(explanation: Explanation, table: SplitTable) -> list[tuple[str, list[Decimal]]]:
    """Return name, before, after, change, the effects of split_columns and of all others; the last row is the rest."""
    names = [line.name for line in split_columns(explanation)]
    rows: list[tuple[str, list[Decimal]]] = []
    for child in table.rows:
        chosen = [child.effects[name] for name in names]
        change = child.after - child.before
        amounts = [child.before, child.after, change, *chosen, change - sum(chosen, Decimal(0))]
        rows.append((" / ".join(fmt.name(value, 40) for value in child.values), amounts))
    if len(rows) <= ROWS + 1:
        return rows
    rest = [sum(column, Decimal(0)) for column in zip(*(amounts for _, amounts in rows[ROWS:]), strict=True)]
    return [*rows[:ROWS], (f"{len(rows) - ROWS} others", rest)]


def _split(explanation: Explanation, table: SplitTable) -> Grid:
    grid = Grid(box=box.SIMPLE, show_edge=False, pad_edge=False, expand=True)
    title = " / ".join(name.replace("_", " ") for name in table.dimensions)
    grid.add_column(Text(f"By {title}", style="bold"), ratio=1, no_wrap=True, overflow="ellipsis")
    for name in ("Before", "Now", "Change", *(line.title for line in split_columns(explanation)), "All others"):
        grid.add_column(name, justify="right", no_wrap=True, header_style="dim")
    for name, amounts in split_rows(explanation, table):
        grid.add_row(Text(name), *(f"{amount:,.2f}" for amount in amounts[:2]), *map(_amount, amounts[2:]))
    return grid


def _print_list(console: Console, title: str, lines: list[str]) -> None:
    if not lines:
        return
    console.print()
    console.print(Text(title, style="bold"))
    for line in lines:
        console.print(Text(line, overflow="ellipsis", no_wrap=True))


def markdown_text(explanation: Explanation) -> str:
    """Return headline, sentences, bridge, and segments: fewer than 60 lines for a pull request or a chat message."""
    lines = [
        f"**{escape(why.headline(explanation).text)}**",
        "",
        escape(frame_text(explanation)),
        "",
        *(f"- {escape(sentence.text)}" for sentence in why.sentences(explanation)),
        "",
        "| Driver | Effect | Only this | Undo saves | Against noise | Where |",
        "| :--- | ---: | ---: | ---: | ---: | :--- |",
    ]
    change = Decimal(0)
    for line, cents in bridge_rows(explanation):
        change += cents
        if cents:
            where = code(why.where_text(line)) if why.where_text(line) else ""
            lines.append(
                f"| {line.title} | {_amount(cents)} | {_amount(line.only)} | {_amount(line.undo)} | "
                f"{why.verdict_text(line)} | {where} |"
            )
    lines += [f"| **Change** | **{_amount(change)}** | | | | |", "", *_markdown_segments(explanation), ""]
    lines += [escape(note) for note in notes(explanation)]
    return "\n".join(lines) + "\n"


def _markdown_segments(explanation: Explanation) -> list[str]:
    titles = {line.name: line.title for line in explanation.drivers}
    cents = closed([each.effect for each in explanation.contributions])
    rows = [
        f"| {escape(why.contribution_text(each, titles))} | {_amount(amount)} |"
        for each, amount in zip(explanation.contributions, cents, strict=True)
    ]
    return ["| Driver and segment | Effect |", "| :--- | ---: |", *rows]
