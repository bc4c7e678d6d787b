"""Owns stdout: prints results as a table, CSV, JSON, Parquet or Markdown, or writes them to a file."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infercost.errors import UsageError

if TYPE_CHECKING:
    import pyarrow

PLAIN_WIDTH = 240
"""Columns of a table that does not go to a terminal."""


class DataFormat(StrEnum):
    """How `sql` and `query` print their result."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    MARKDOWN = "markdown"


def write_result(table: "pyarrow.Table", form: DataFormat, output: Path | None) -> None:
    """Write a query's result in the asked format, to `output` or to stdout."""
    if form is DataFormat.PARQUET:
        _parquet(table, output)
    elif form is DataFormat.TABLE and output is None:
        print_table(table.column_names, [list(row.values()) for row in table.to_pylist()])
    else:
        write_text(_text(table, form), output)


def write_text(text: str, output: Path | None) -> None:
    """Write text to `output`, whole or not at all, or to stdout."""
    if output is None:
        sys.stdout.write(text)
        return
    from infercost.render import write_whole

    write_whole(output, text)


def _text(table: "pyarrow.Table", form: DataFormat) -> str:
    rows = table.to_pylist()
    if form is DataFormat.JSON:
        return json.dumps([_plain(row) for row in rows], indent=2, ensure_ascii=False) + "\n"
    buffer = io.StringIO()
    if form is DataFormat.CSV:
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(table.column_names)
        writer.writerows([["" if value is None else _cell(value) for value in row.values()] for row in rows])
    elif form is DataFormat.MARKDOWN:
        lines = [table.column_names, ["---"] * table.num_columns]
        lines += [[_cell(value).replace("|", "\\|").replace("\n", " ") for value in row.values()] for row in rows]
        buffer.writelines(f"| {' | '.join(line)} |\n" for line in lines)
    else:
        print_table(table.column_names, [list(row.values()) for row in rows], stream=buffer)
    return buffer.getvalue()


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[object]], *, footer: bool = False, stream: io.StringIO | None = None
) -> None:
    """Print a table; numbers stand to the right, unknown values are empty, the last row may be a footer."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from infercost.cli.diagnostics import safe

    console = Console(file=stream) if stream else Console()
    if stream or not console.is_terminal:
        console = Console(file=stream or sys.stdout, width=PLAIN_WIDTH, no_color=True, legacy_windows=False)
    table = Table(box=SIMPLE, header_style="bold", pad_edge=False)
    for position, name in enumerate(header):
        numeric = any(isinstance(row[position], int | float | Decimal) for row in rows)
        table.add_column(Text(safe(name)), justify="right" if numeric else "left", no_wrap=numeric)
    for number, row in enumerate(rows):
        last = footer and number == len(rows) - 1
        if last:
            table.add_section()
        table.add_row(*(Text(safe(_shown(value))) for value in row), style="bold" if last else None)
    console.print(table)


def _parquet(table: "pyarrow.Table", output: Path | None) -> None:
    import pyarrow.parquet as pq

    if output is not None:
        pq.write_table(table, output, compression="zstd")
        return
    if sys.stdout.isatty():
        raise UsageError("--format parquet writes bytes", hint="Redirect it, or name a file with --output.")
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    sys.stdout.buffer.write(buffer.getvalue())


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    if isinstance(value, Decimal):
        return f"{value.normalize():,f}"
    return _cell(value)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="microseconds" if value.microsecond else "seconds")
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict | list):
        return json.dumps(_plain(value), ensure_ascii=False)
    return str(value)


def _plain(value: Any) -> Any:
    """Return JSON data: decimals as text, so that no digit is lost, times as ISO 8601, maps as objects."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(each, tuple) and len(each) == 2 for each in value):
            return {str(key): _plain(each) for key, each in value}
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value
