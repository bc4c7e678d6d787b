"""Maps files with one format without a store: for whoever writes a format and wants to see what it makes of a file."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infercost.ingest import identify, nesting, sources
from infercost.ingest.mapper import Mapper
from infercost.ingest.pieces import Cutter
from infercost.ingest.registry import Format

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Unreadable:
    """A record that did not get as far as the format's SELECT: its line and why."""

    source_file: str
    source_line: int | None
    reason: str


def preview(
    connection: "duckdb.DuckDBPyConnection", form: Format, paths: Sequence[Path], max_record_bytes: int
) -> list[Unreadable]:
    """Fill the temporary table `mapped` with what `form` makes of the records of `paths`, read as one batch.

    Returns the records that could not be parsed or mapped. Raises OSError for a file that cannot be read.
    """
    heads = [identify.head_of(path) for path in paths]
    found = identify.identify(connection, heads, {form.name: form}, form)
    with tempfile.TemporaryDirectory(prefix="infercost-") as folder:
        cutter = Cutter(connection, Path(folder), max_record_bytes)
        pieces = [
            piece
            for path, each in zip(paths, found, strict=True)
            if each.head.problem is None
            for piece in cutter.cut(path, sources.shown(path), each.head, sources.START, form)
        ]
        mapper = Mapper(connection, form, max_record_bytes)
        mapper.parse(pieces)
        mapper.map(pieces, [str(number) for number in range(len(pieces))])
    if form.nests:
        nesting.calls_alone(connection, form)
    rows = connection.execute(
        "SELECT placed.source_file, bad.line, bad.reason FROM bad JOIN placed USING (piece) ORDER BY ALL"
    ).fetchall()
    return [Unreadable(*row) for row in rows]
