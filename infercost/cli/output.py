"""Owns stdout: prints results as a table, CSV, JSON, Parquet or Markdown, or writes them to a file."""

import csv
import io
import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infercost.cli import values
from infercost.engine import FORMULA_STARTS
from infercost.errors import InfercostError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow
    from rich.console import Console


_ROW_END = "\r\n"


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
        from infercost.cli.tables import print_table

        print_table(table.column_names, _rows(table))
    else:
        write_text(_text(table, form), output)


def write_text(text: str, output: Path | None) -> None:
    """Write text to `output`, whole or not at all, or to stdout."""
    if output is None:
        sys.stdout.write(text)
        return
    from infercost.render import write_whole

    write_whole(output, text)


def print_drawn(
    form: str, output: Path | None, terminal: "Callable[[Console], None]", texts: "Mapping[str, Callable[[], str]]"
) -> None:
    """Print figures in a form of `texts`, or write them to `output`; the form `terminal` is drawn on the terminal."""
    if form == "terminal" and output is None:
        from rich.console import Console

        terminal(Console())
        return
    write_text(texts[form](), output)


def _rows(table: "pyarrow.Table") -> list[Sequence[Any]]:
    # By column and not by row: a row would be a dict, and two columns of one name would be one in it.
    columns = [column.to_pylist(maps_as_pydicts="lossy") for column in table.columns]
    return list(zip(*columns, strict=True))


def _text(table: "pyarrow.Table", form: DataFormat) -> str:
    names, rows = table.column_names, _rows(table)
    if form is DataFormat.JSON:
        return json.dumps(_objects(names, rows), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    buffer = io.StringIO()
    if form is DataFormat.CSV:
        # The writer quotes a cell for the line ends that it writes itself: with \r\n for either of them.
        one = io.StringIO()
        writer = csv.writer(one, lineterminator=_ROW_END)
        for row in (names, *rows):
            writer.writerow([_inert(value) for value in row])
            buffer.write(f"{one.getvalue().removesuffix(_ROW_END)}\n")
            one.seek(0)
            one.truncate()
    elif form is DataFormat.MARKDOWN:
        lines = [names, ["---"] * len(names), *([values.cell(value) for value in row] for row in rows)]
        buffer.writelines(f"| {' | '.join(_escaped(cell) for cell in line)} |\n" for line in lines)
    else:
        from infercost.cli.tables import print_table

        print_table(names, rows, stream=buffer)
    return buffer.getvalue()


def _inert(value: object) -> str:
    """Return a cell of CSV; a text that a spreadsheet would take for a formula has an apostrophe before it."""
    cell = values.cell(value)
    return f"'{cell}" if isinstance(value, str) and cell.startswith(tuple(FORMULA_STARTS)) else cell


def _objects(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two columns are called {', '.join(twice)}", hint="JSON needs names: give them with AS.")
    return [{name: values.plain(value) for name, value in zip(names, row, strict=True)} for row in rows]


def _escaped(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _parquet(table: "pyarrow.Table", output: Path | None) -> None:
    import pyarrow.parquet as pq

    if output is None:
        if sys.stdout.isatty():
            raise UsageError("--format parquet writes bytes", hint="Redirect it, or name a file with --output.")
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        sys.stdout.buffer.write(buffer.getvalue())
        return
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(output)
    except OSError as error:
        raise InfercostError(
            f"{output} could not be written: {error.strerror or error}",
            hint="Name a file in an existing folder that you may write to.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
