"""Draws tables and lists of terms for people; nothing is cut, so that nothing is lost in a pipe."""

import io
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from rich.cells import cell_len

from infercost.cli import values
from infercost.cli.diagnostics import safe

PLAIN_WIDTH = 100
"""Columns of running text that does not go to a terminal."""

_GAP = "  "


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    footer: bool = False,
    right: Sequence[int] = (),
    stream: io.StringIO | None = None,
) -> None:
    """Print a table, numbers and the columns `right` to the right, unknown values empty; the last row may be a footer.

    On a terminal that is too narrow for it, each row is a block of `name  value` lines.
    """
    target = stream or sys.stdout
    cells = [[_one_line(text) for text in row] for row in zip(*map(_column, zip(*rows, strict=True)), strict=True)]
    names = [_one_line(name) for name in header]
    widths = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
    if rows and target.isatty() and sum(widths) + len(_GAP) * (len(widths) - 1) > shutil.get_terminal_size().columns:
        _print_blocks(names, cells)
        return
    sides = [
        column in right or any(isinstance(row[column], int | float | Decimal) for row in rows)
        for column in range(len(names))
    ]
    rule = _GAP.join("─" * width for width in widths) + "\n"
    lines = [_line(row, widths, sides) for row in cells]
    if footer:
        lines.insert(len(lines) - 1, rule)
    target.writelines([_line(names, widths, sides), rule, *lines])


def print_terms(pairs: Iterable[tuple[str, str]], *, indent: int = 0, width: int = 0) -> None:
    """Print `name  text` lines to stdout, names `width` wide; long texts go on under themselves."""
    listed = [(safe(name), safe(text)) for name, text in pairs]
    width = max([width, *(cell_len(name) for name, _ in listed)])
    hanging = " " * (indent + width + len(_GAP))
    across = max(shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns, len(hanging) + 20)
    for name, text in listed:
        filled = textwrap.wrap(text, across - len(hanging), break_long_words=False, break_on_hyphens=False) or [""]
        sys.stdout.write(f"{' ' * indent}{_padded(name, width)}{_GAP}{filled[0]}".rstrip() + "\n")
        sys.stdout.writelines(f"{hanging}{line}\n" for line in filled[1:])


def _print_blocks(names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    width = max(map(cell_len, names))
    for number, row in enumerate(cells, start=1):
        sys.stdout.write(f"── {number:,} ──\n")
        print_terms([(name, text) for name, text in zip(names, row, strict=True) if text], width=width)


def _column(column: Sequence[Any]) -> list[str]:
    """Return a column's texts; money shows as many decimals as its longest amount, so that points stand in a line."""
    amounts = [value for value in column if isinstance(value, Decimal)]
    places = max((-int(each.normalize().as_tuple().exponent) for each in amounts if each), default=0)
    return [f"{value:,.{max(places, 0)}f}" if isinstance(value, Decimal) else values.shown(value) for value in column]


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [_padded(*each) for each in zip(cells, widths, right, strict=True)]
    return _GAP.join(padded).rstrip() + "\n"


def _padded(text: str, width: int, right: bool = False) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def _one_line(text: str) -> str:
    return safe(text).replace("\n", "\\n")
