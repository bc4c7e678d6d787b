"""Draws the answer of `whatif` for the terminal, as Markdown and as JSON."""

from decimal import Decimal
from functools import partial

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from infercost.analyze.drivers import forward
from infercost.analyze.drivers.factors import DRIVERS
from infercost.analyze.whatif import DAYS_A_MONTH, Change, WhatIf
from infercost.render import format as fmt
from infercost.render.bridge import ROWS, amount
from infercost.render.cents import closed
from infercost.render.console import plain_text
from infercost.render.escapes import code, escape
from infercost.render.json import document_text, plain
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
    if answer.restated:
        lines[0] += f"; {answer.restated}"
    return [*lines, *(change_text(each) for each in answer.changes)]


def change_text(change: Change) -> str:
    """Return what is otherwise: a setting with its value now and then, or the move or the prices in words."""
    if change.before is None or change.after is None:
        return fmt.name(change.what, 160)
    shown = fmt.percent if forward.SETTINGS[change.name].share else _number
    return f"{change.what}: {shown(change.before)} -> {shown(change.after)}"


def _number(value: float) -> str:
    return fmt.count(round(value))


Row = tuple[str, Decimal, Decimal]
"""A title, and dollars in the window and a month."""


def rows(answer: WhatIf) -> list[Row]:
    """Return each driver that moves; both columns are cents that add up to their sums."""
    effects = [answer.whole.effects[driver.name] for driver in DRIVERS]
    months = closed([answer.monthly(effect) for effect in effects])
    found = zip(DRIVERS, closed(effects), months, strict=True)
    return [(driver.title, cents, month) for driver, cents, month in found if cents or month]


def total(answer: WhatIf) -> Row:
    """Return the difference, as the rows add up to it."""
    cents, months = (sum((each[place] for each in _amounts(answer)), Decimal(0)) for place in (0, 1))
    return "Difference", cents, months


def _amounts(answer: WhatIf) -> list[tuple[Decimal, Decimal]]:
    return [(cents, month) for _, cents, month in rows(answer)]


def alone(answer: WhatIf) -> list[Row]:
    """Return what each of several changes makes by itself, which need not add up; empty for one change."""
    if len(answer.changes) == 1:
        return []
    found = [(_short(each), each.effect, answer.monthly(each.effect)) for each in answer.changes]
    return [*found, ("All together", answer.difference, answer.monthly(answer.difference))]


def _short(change: Change) -> str:
    return change.name if change.before is not None else fmt.name(change.what, 44)


def features(answer: WhatIf) -> list[tuple[str, Decimal, Decimal, Decimal]]:
    """Return name, now, then and difference of the features that change most, and of all others; they add up."""
    children = [each for each in answer.table.rows if each.before != each.after][:ROWS]
    named = [(" / ".join(fmt.name(value, 40) for value in each.values), each.before, each.after) for each in children]
    now = answer.whole.before - sum((each[1] for each in named), Decimal(0))
    then = answer.whole.after - sum((each[2] for each in named), Decimal(0))
    if now or then:
        named.append(("All others", now, then))
    columns = (closed([each[1] for each in named]), closed([each[2] for each in named]))
    return [(each[0], now, then, then - now) for each, now, then in zip(named, *columns, strict=True)]


def notes(answer: WhatIf) -> tuple[str, ...]:
    """Return what to keep in mind."""
    days = f"{answer.days.normalize():f}"
    scaled = f"A month has {DAYS_A_MONTH} days; the window has {days}, and its traffic stands for the month's."
    missing = "no attempt lacks one"
    if answer.unpriced_attempts:
        missing = f"{fmt.plural(answer.unpriced_attempts, 'attempt')} of the window, see infercost prices missing"
    unpriced = f"Attempts without a price are in no amount: {missing}."
    return (scaled, *answer.notes, unpriced, "Whether the answers stay as good, no log can say.")


def render_terminal(answer: WhatIf, console: Console) -> None:
    """Print headline, what was asked, drivers, features and notes."""
    console.print(Text(headline(answer), style="bold"))
    for line in frame(answer):
        console.print(Text(line, style="dim"))
    console.print()
    console.print(_drivers(answer))
    for grid in (_alone(answer), _features(answer)):
        if grid.row_count:
            console.print()
            console.print(grid)
    console.print()
    for note in notes(answer):
        console.print(Text(note, style="dim"))


def _drivers(answer: WhatIf) -> Grid:
    grid = _grid("Driver", ("In the window", "A month"))
    for title, cents, month in rows(answer):
        grid.add_row(title, amount(cents), amount(month))
    grid.add_section()
    title, cents, month = total(answer)
    grid.add_row(title, amount(cents), amount(month))
    return grid


def _alone(answer: WhatIf) -> Grid:
    grid = _grid("Each change alone", ("In the window", "A month"))
    for title, cents, month in alone(answer):
        grid.add_row(Text(title), amount(cents), amount(month))
    return grid


def _features(answer: WhatIf) -> Grid:
    grid = _grid("Feature", ("Now", "Then", "Difference"))
    for name, now, then, difference in features(answer):
        grid.add_row(Text(name), f"{now:,.2f}", f"{then:,.2f}", amount(difference))
    return grid


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
    title, cents, month = total(answer)
    lines += [f"| **{title}** | **{amount(cents)}** | **{amount(month)}** |", ""]
    if alone(answer):
        lines += ["| Each change alone | In the window | A month |", "| :--- | ---: | ---: |"]
        lines += [f"| {code(title)} | {amount(cents)} | {amount(month)} |" for title, cents, month in alone(answer)]
        lines.append("")
    lines += ["| Feature | Now | Then | Difference |", "| :--- | ---: | ---: | ---: |"]
    lines += [
        f"| {code(name)} | {now:,.2f} | {then:,.2f} | {amount(difference)} |"
        for name, now, then, difference in features(answer)
    ]
    return "\n".join([*lines, "", *(f"- {escape(note)}" for note in notes(answer))]) + "\n"


def json_text(answer: WhatIf) -> str:
    """Return every figure of the answer, exact, with the sums a month and the notes as they are printed."""
    document = plain(answer)
    document["difference"] = f"{answer.difference:f}"
    amounts = {"before": answer.whole.before, "after": answer.whole.after, "difference": answer.difference}
    document |= {f"{name}_per_month": f"{answer.monthly(each):f}" for name, each in amounts.items()}
    document["headline"] = headline(answer)
    document["notes"] = list(notes(answer))
    return document_text(document)
