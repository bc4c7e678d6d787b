"""Draws a reconciliation for a terminal, as Markdown, JSON and CSV; amounts in files keep every digit."""

import csv
import io
import json
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from infercost.analyze.bill_gaps import CAUSES, Reconciliation, Row
from infercost.render import format as fmt
from infercost.render import gap_words
from infercost.render.console import plain_text
from infercost.render.escapes import code, escape

FORMAT_VERSION = 1
"""Version of the JSON. 1: first version."""

TERMINAL_ROWS = 20
"""Rows with a gap that a terminal and Markdown show, the largest of them; files have all."""

_WIDTH = 80
_WIDE = 120
"""Columns from which on the reason has a column of its own."""


def render_terminal(found: Reconciliation, by: Sequence[str], console: Console) -> None:
    """Print headline, sums, causes, the rows with the largest gaps, and notes."""
    console.print(Text(gap_words.headline(found), style="bold"))
    console.print()
    for label, amount in _sums(found):
        console.print(f"{label:<6}{amount}")
    causes = found.causes()
    if causes:
        console.print()
        console.print(_causes(found, causes))
    rows, rest = _largest(found, by)
    if rows:
        console.print()
        console.print(_rows(by, rows, rest, console.width))
    for note in gap_words.notes(found):
        console.print()
        console.print(Text(f"Note: {note}.", style="dim"))


def terminal_text(found: Reconciliation, by: Sequence[str], width: int = _WIDTH) -> str:
    """Return what `render_terminal` prints, as plain text without colours."""
    return plain_text(partial(render_terminal, found, by), width)


def markdown_text(found: Reconciliation, by: Sequence[str]) -> str:
    """Return headline, causes, the rows with the largest gaps, and notes."""
    lines = [f"**{escape(gap_words.headline(found))}**", ""]
    lines += [f"{label}: {amount}  " for label, amount in _sums(found)]
    causes = found.causes()
    if causes:
        lines += ["", "| Cause | Amount | What it is |", "| :--- | ---: | :--- |"]
        for name, amount in causes.items():
            text = escape(gap_words.cause_text(found, name))
            lines.append(f"| {gap_words.LABELS[name]} | {gap_words.usd(amount, signed=True)} | {text} |")
    rows, rest = _largest(found, by)
    if rows:
        names = [*(column.capitalize() for column in by), "Billed", "Logs", "Gap"]
        lines += ["", f"| {' | '.join(names)} | Why |", f"|{' :--- |' * len(by)}{' ---: |' * 3} :--- |"]
        for row in rows:
            cells = [*(code(fmt.name(value)) for value in row.values), *_amounts(row), escape(gap_words.why(row))]
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["", rest] if rest else []
    lines += ["", *(f"- {escape(note)}" for note in gap_words.notes(found))] if gap_words.notes(found) else []
    return "\n".join(lines) + "\n"


def csv_text(found: Reconciliation, by: Sequence[str]) -> str:
    """Return every row: the columns grouped by, exact dollars of both sides and of every cause, tokens, and why."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    causes = [f"{name}_usd" for name in CAUSES]
    writer.writerow([*by, "billed_usd", "logs_usd", "gap_usd", *causes, "billed_tokens", "logs_tokens", "why"])
    for row in found.rows(by):
        amounts = [row.billed, row.ours, row.gap, *_every_cause(row)]
        counts = ["" if row.billed_tokens is None else row.billed_tokens, row.our_tokens]
        writer.writerow([*row.values, *map(_exact, amounts), *counts, gap_words.why(row)])
    return buffer.getvalue()


def json_text(found: Reconciliation, by: Sequence[str]) -> str:
    """Return everything as JSON: amounts are texts, so that no digit is lost; unknown is null."""
    causes = found.causes()
    content = {
        "format_version": FORMAT_VERSION,
        "first_day": found.first_day.isoformat(),
        "last_day": found.last_day.isoformat(),
        "providers": list(found.sellers),
        "headline": gap_words.headline(found),
        "billed_usd": _exact(found.billed),
        "logs_usd": _exact(found.ours),
        "gap_usd": _exact(found.gap),
        "causes": [
            {"cause": name, "usd": _exact(amount), "meaning": CAUSES[name], "text": gap_words.cause_text(found, name)}
            for name, amount in causes.items()
        ],
        "rows": [_json_row(by, row) for row in found.rows(by)],
        "notes": gap_words.notes(found),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _json_row(by: Sequence[str], row: Row) -> dict[str, Any]:
    return {
        **dict(zip(by, row.values, strict=True)),
        "billed_usd": None if row.billed is None else _exact(row.billed),
        "logs_usd": _exact(row.ours),
        "gap_usd": None if row.gap is None else _exact(row.gap),
        "causes_usd": {name: _exact(amount) for name, amount in row.causes.items()},
        "billed_tokens": row.billed_tokens,
        "logs_tokens": row.our_tokens,
        "why": gap_words.why(row),
    }


def _every_cause(row: Row) -> list[Decimal | None]:
    return [None if row.billed is None else row.causes.get(name, Decimal(0)) for name in CAUSES]


def _exact(amount: Decimal | None) -> str:
    """Return every digit of an amount without zeros behind them; unknown is empty."""
    return "" if amount is None else f"{amount.normalize() if amount else Decimal(0):f}"


def _sums(found: Reconciliation) -> list[tuple[str, str]]:
    window = fmt.day_span(found.first_day, found.last_day)
    sellers = ", ".join(fmt.name(seller) for seller in found.sellers)
    if not found.priced:
        return [("Bills", f"{window}, {sellers}")]
    return [
        ("Bills", f"{gap_words.usd(found.billed)}  {window}, {sellers}"),
        ("Logs", gap_words.usd(found.ours)),
        ("Gap", gap_words.usd(found.gap, signed=True)),
    ]


def _causes(found: Reconciliation, causes: dict[str, Decimal]) -> Grid:
    grid = _grid()
    grid.add_column("Cause", no_wrap=True)
    grid.add_column("Amount", justify="right", no_wrap=True)
    grid.add_column("Rows", justify="right", no_wrap=True)
    grid.add_column("What it is", ratio=1)
    for name, amount in causes.items():
        rows = sum(1 for cell in found.cells if name in cell.causes)
        text = gap_words.cause_text(found, name)
        grid.add_row(gap_words.LABELS[name], gap_words.usd(amount, signed=True), fmt.count(rows), Text(text))
    return grid


def _rows(by: Sequence[str], rows: Sequence[Row], rest: str, width: int) -> Grid:
    """Return the table of rows; where there is little room the reason stands below the names."""
    grid = _grid(caption=rest)
    is_wide = width >= _WIDE
    for column in by if is_wide else [", ".join(by)]:
        grid.add_column(column.capitalize(), ratio=1, overflow="fold", min_width=10)
    for name in ("Billed", "Logs", "Gap"):
        grid.add_column(name, justify="right", no_wrap=True)
    if is_wide:
        grid.add_column("Why", ratio=3)
    for row in rows:
        names = [Text(fmt.name(value)) for value in row.values]
        reason = Text(gap_words.why(row), style="dim")
        if is_wide:
            grid.add_row(*names, *_amounts(row), reason)
        else:
            grid.add_row(Text("\n").join([Text(" ").join(names), reason]), *_amounts(row))
    return grid


def _grid(caption: str = "") -> Grid:
    return Grid(
        box=box.SIMPLE,
        expand=True,
        show_edge=False,
        pad_edge=False,
        header_style="dim",
        caption=caption or None,
        caption_justify="left",
        caption_style="dim",
    )


def _amounts(row: Row) -> list[str]:
    return [gap_words.usd(row.billed), gap_words.usd(row.ours), gap_words.usd(row.gap, signed=True)]


def _largest(found: Reconciliation, by: Sequence[str]) -> tuple[list[Row], str]:
    """Return the rows with the largest gaps in the order of their columns, and what is said of the others."""
    every = found.rows(by)
    with_gap = [row for row in every if any(name != "rounding" and amount for name, amount in row.causes.items())]
    ranked = sorted(with_gap, key=lambda row: (-abs(row.gap or Decimal(0)), row.values))
    shown = sorted(ranked[:TERMINAL_ROWS], key=lambda row: row.values)
    others = ranked[TERMINAL_ROWS:]
    said = []
    if others:
        gap = sum((row.gap for row in others if row.gap is not None), Decimal(0))
        smaller = f"{fmt.plural(len(others), 'smaller row')} with {gap_words.usd(gap, signed=True)}"
        said.append(f"{smaller} (--format csv has all rows, --by model,kind makes fewer)")
    if len(every) > len(with_gap):
        said.append(f"{fmt.plural(len(every) - len(with_gap), 'row')} without a gap")
    return shown, "; ".join(said)
