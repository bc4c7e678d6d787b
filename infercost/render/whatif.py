"""Draws the answer of `whatif` for the terminal, as Markdown and as JSON."""

from decimal import Decimal
from functools import partial

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from infercost.analyze.drivers.factors import DRIVERS
from infercost.analyze.drivers.forward import SETTINGS
from infercost.analyze.whatif import DAYS_A_MONTH, Change, WhatIf
from infercost.render import format as fmt
from infercost.render.bridge import ROWS, amount
from infercost.render.cents import closed
from infercost.render.console import plain_text
from infercost.render.json import document_text, plain
from infercost.render.markdown import code, escape
from infercost.render.trust import window_text

WIDTH = 80


def headline(answer: WhatIf) -> str:
    """Return the one sentence: what it would have cost, and dollars a month."""
    difference = answer.difference
    if not difference:
        return f"It would have cost the same: {fmt.dollars(answer.whole.before)}."
    word = "more" if difference > 0 else "less"
    share = f" ({fmt.percent(float(abs(difference) / answer.whole.before))})" if answer.whole.before else ""
    return (
        f"{fmt.dollars(abs(difference))} {word}{share}: {fmt.dollars(answer.whole.after)} instead of "
        f"{fmt.dollars(answer.whole.before)}; {fmt.dollars(abs(answer.monthly(difference)))} {word} a month."
    )


def frame(answer: WhatIf) -> list[str]:
    """Return what was asked, and of which window and part."""
    lines = [f"{window_text(answer.window, answer.zone)}, {answer.zone}, {answer.currency}"]
    if answer.where:
        lines[0] += "; changed only " + ", ".join(f"{name} = {fmt.name(value)}" for name, value in answer.where)
    lines += [_change(each) for each in answer.changes]
    lines += [f"{fmt.name(old)} moved to {fmt.name(new)}" for old, new in answer.moves]
    if answer.prices:
        lines.append(answer.prices)
    return lines


def _change(change: Change) -> str:
    is_share = SETTINGS[change.name].share
    before, after = (
        fmt.percent(each) if is_share else fmt.count(round(each)) for each in (change.before, change.after)
    )
    return f"{change.what}: {before} -> {after}"


def rows(answer: WhatIf) -> list[tuple[str, Decimal, Decimal]]:
    """Return the title of each driver that moves, its dollars in cents that add up, and its dollars a month."""
    cents = closed([answer.whole.effects[driver.name] for driver in DRIVERS])
    return [
        (driver.title, each, answer.monthly(answer.whole.effects[driver.name]))
        for driver, each in zip(DRIVERS, cents, strict=True)
        if each
    ]


def _children(answer: WhatIf) -> list[tuple[str, Decimal, Decimal]]:
    found = [(" / ".join(child.values), child.before, child.after) for child in answer.table.rows]
    return [each for each in found if each[1] != each[2]][:ROWS]


def notes(answer: WhatIf) -> tuple[str, ...]:
    """Return what to keep in mind."""
    scaled = f"A month has {DAYS_A_MONTH} days; the window has {answer.days.normalize():f}."
    return (scaled, *answer.notes)


def render_terminal(answer: WhatIf, console: Console) -> None:
    """Print headline, what was asked, drivers, features and notes."""
    console.print(Text(headline(answer), style="bold"))
    for line in frame(answer):
        console.print(Text(line, style="dim"))
    console.print()
    grid = _grid("Driver", ("In the window", "A month"))
    for title, cents, month in rows(answer):
        grid.add_row(title, amount(cents), amount(month))
    grid.add_section()
    grid.add_row("Difference", amount(sum((each[1] for each in rows(answer)), Decimal(0))), amount(_month(answer)))
    console.print(grid)
    children = _children(answer)
    if children:
        console.print()
        grid = _grid("Feature", ("Now", "Then", "Difference"))
        for name, before, after in children:
            grid.add_row(Text(fmt.name(name, 40)), f"{before:,.2f}", f"{after:,.2f}", amount(after - before))
        console.print(grid)
    console.print()
    for note in notes(answer):
        console.print(Text(note, style="dim"))


def _month(answer: WhatIf) -> Decimal:
    return answer.monthly(answer.difference)


def _grid(title: str, columns: tuple[str, ...]) -> Grid:
    grid = Grid(box=box.SIMPLE, show_edge=False, pad_edge=False)
    grid.add_column(Text(title, style="bold"), min_width=28)
    for column in columns:
        grid.add_column(column, justify="right", no_wrap=True, header_style="dim")
    return grid


def terminal_text(answer: WhatIf, width: int = WIDTH) -> str:
    """Return what `render_terminal` prints, as plain text."""
    return plain_text(partial(render_terminal, answer), width)


def markdown_text(answer: WhatIf) -> str:
    """Return headline, what was asked, drivers and features as Markdown."""
    lines = [f"**{escape(headline(answer))}**", "", *(f"- {escape(line)}" for line in frame(answer)), ""]
    lines += ["| Driver | In the window | A month |", "| :--- | ---: | ---: |"]
    lines += [f"| {title} | {amount(cents)} | {amount(month)} |" for title, cents, month in rows(answer)]
    lines += [f"| **Difference** | **{amount(answer.difference)}** | **{amount(_month(answer))}** |", ""]
    lines += ["| Feature | Now | Then | Difference |", "| :--- | ---: | ---: | ---: |"]
    lines += [
        f"| {code(fmt.name(name, 40))} | {before:,.2f} | {after:,.2f} | {amount(after - before)} |"
        for name, before, after in _children(answer)
    ]
    return "\n".join([*lines, "", *map(escape, notes(answer))]) + "\n"


def json_text(answer: WhatIf) -> str:
    """Return every figure of the answer, exact."""
    document = plain(answer)
    document["difference"] = f"{answer.difference:f}"
    document["difference_per_month"] = f"{_month(answer):f}"
    document["headline"] = headline(answer)
    return document_text(document)
