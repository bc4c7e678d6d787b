"""Draws an `Explanation` for the terminal, as Markdown and as JSON."""

from decimal import Decimal
from functools import partial

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from infercost.analyze.explanation import WITHIN, Explanation, SplitTable
from infercost.render import why
from infercost.render.bridge import (
    ROWS,
    amount,
    bridge_rows,
    change_cents,
    contribution_rows,
    frame_text,
    idle_text,
    notes,
    places,
    request_texts,
    split_columns,
    split_rows,
    unsigned,
)
from infercost.render.console import plain_text
from infercost.render.escapes import code, escape
from infercost.render.json import document_text, plain

WIDTH = 100
_BAR = 12
_STYLES = {"up": "red", "down": "green", "quiet": "dim"}


def json_text(explanation: Explanation) -> str:
    """Return every figure of the explanation, exact, with its sentences and the rows that these stand on."""
    document = plain(explanation)
    document["change"] = f"{explanation.change:f}"
    document["residual"] = f"{explanation.residual:f}"
    document["headline"] = plain(why.headline(explanation))
    document["sentences"] = [plain(each) for each in why.sentences(explanation)]
    return document_text(document)


def terminal_text(explanation: Explanation, width: int = WIDTH) -> str:
    """Return what `render_terminal` prints, as plain text."""
    return plain_text(partial(render_terminal, explanation), width)


def render_terminal(explanation: Explanation, console: Console) -> None:
    """Print headline, sentences, bridge, segments, tables, events and requests."""
    console.print(Text(why.headline(explanation).text, style="bold"))
    console.print(Text(frame_text(explanation), style="dim"))
    console.print()
    for sentence in why.sentences(explanation):
        console.print(Text(f"- {sentence.text}"))
    console.print()
    console.print(bridge_grid(explanation, console.width))
    for note in notes(explanation):
        console.print(Text(note, style="dim"))
    console.print()
    console.print(_contributions(explanation))
    for table in explanation.tables:
        if len(table.rows) > 1:
            console.print()
            console.print(_split(explanation, table, console.width))
    _print_list(console, "What was new", [why.event_text(each, explanation) for each in explanation.events[:ROWS]])
    _print_list(console, "Undone", why.undone(explanation))
    _print_list(console, "Requests that moved most", list(request_texts(explanation)))


def bridge_grid(explanation: Explanation, width: int) -> Grid:
    """Return the bridge as a table: every driver that moved, and the change that they add up to.

    A narrow terminal has no room for the ends of the range.
    """
    wide = width >= WIDTH
    shown = partial(amount, decimals=places(explanation))
    grid = Grid(box=box.SIMPLE, show_edge=False, pad_edge=False, show_footer=True, expand=True)
    rows = bridge_rows(explanation)
    grid.add_column(Text("Driver", style="bold"), "Change", no_wrap=True, min_width=20)
    grid.add_column(
        "Effect", shown(change_cents(explanation)), justify="right", no_wrap=True, footer_style="bold", min_width=9
    )
    grid.add_column("", "", no_wrap=True, width=_BAR if wide else _BAR // 2)
    for name in ("Only this", "Undo saves") if wide else ():
        grid.add_column(name, "", justify="right", no_wrap=True, header_style="dim")
    grid.add_column("Noise", "", justify="right", no_wrap=True, header_style="dim", min_width=12)
    grid.add_column("Where", "", ratio=1, no_wrap=True, overflow="ellipsis", header_style="dim")
    largest = max((abs(line.effect) for line in explanation.drivers), default=Decimal(0))
    for line, cents in rows:
        if not cents:
            continue
        style = _STYLES["quiet"] if line.verdict == WITHIN else _STYLES["up" if cents > 0 else "down"]
        ends = [shown(line.only), shown(line.undo)] if wide else []
        bar = _bar(line.effect, largest, _BAR if wide else _BAR // 2)
        bars = (Text(shown(cents), style=style), Text(bar, style=style))
        grid.add_row(line.title, *bars, *ends, why.verdict_text(line), Text(why.where_text(line)))
    idle = idle_text(explanation)
    if idle:
        grid.caption = Text(idle, style="dim", justify="left")
        grid.caption_justify = "left"
    return grid


def _bar(effect: Decimal, largest: Decimal, width: int) -> str:
    length = round(abs(effect) / largest * width) if largest else 0
    return "█" * length if effect > 0 else "░" * length


def _contributions(explanation: Explanation) -> Grid:
    grid = Grid(box=box.SIMPLE, show_edge=False, pad_edge=False)
    grid.add_column(Text("Driver and segment", style="bold"), no_wrap=True, min_width=40)
    grid.add_column("Effect", justify="right")
    for name, _, cents in contribution_rows(explanation):
        grid.add_row(Text(name), amount(cents, places(explanation)))
    return grid


def _split(explanation: Explanation, table: SplitTable, width: int) -> Grid:
    """Return the table by some dimensions; a narrow terminal has room for the change and no more than what made it."""
    first = 0 if width >= WIDTH else 2
    grid = Grid(box=box.SIMPLE, show_edge=False, pad_edge=False, expand=True)
    title = " / ".join(name.replace("_", " ") for name in table.dimensions)
    grid.add_column(Text(f"By {title}", style="bold"), ratio=1, no_wrap=True, overflow="ellipsis", min_width=16)
    names = ("Before", "Now", "Change", *(line.title for line in split_columns(explanation, table)), "All others")
    for name in names[first:]:
        grid.add_column(name, justify="right", no_wrap=True, header_style="dim")
    decimals = places(explanation)
    for name, amounts in split_rows(explanation, table):
        cells = [*(unsigned(each, decimals) for each in amounts[:2]), *(amount(each, decimals) for each in amounts[2:])]
        grid.add_row(Text(name), *cells[first:])
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
    shown = partial(amount, decimals=places(explanation))
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
    for line, cents in bridge_rows(explanation):
        if cents:
            where = code(why.where_text(line)) if why.where_text(line) else ""
            lines.append(
                f"| {line.title} | {shown(cents)} | {shown(line.only)} | {shown(line.undo)} | "
                f"{why.verdict_text(line)} | {where} |"
            )
    lines += [
        f"| **Change** | **{shown(change_cents(explanation))}** | | | | |",
        "",
        *_markdown_segments(explanation),
        "",
    ]
    lines += [escape(note) for note in notes(explanation)]
    return "\n".join(lines) + "\n"


def _markdown_segments(explanation: Explanation) -> list[str]:
    decimals = places(explanation)
    rows = [f"| {escape(name)} | {amount(cents, decimals)} |" for name, _, cents in contribution_rows(explanation)]
    return ["| Driver and segment | Effect |", "| :--- | ---: |", *rows]
