"""Finds the one format of each file from its head; a file of no format, or of two, is an error that says why."""

import csv
import io
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from infercost.errors import UsageError
from infercost.ingest import sources, tables
from infercost.ingest.registry import Format
from infercost.ingest.split import Splitter, level_of, page_path

if TYPE_CHECKING:
    import duckdb

HEAD_BYTES = 256 * 1024
LARGE_HEAD_BYTES = 32 * 1024 * 1024
HEAD_RECORDS = 25
_SLICE_CHARACTERS = 4 * 1024 * 1024
_SLICE_FILES = 500
Shape = Literal["lines", "document", "pages", "csv", "parquet"]
"""How records lie in a file: one a line, in a JSON document, in an array inside JSON objects, or as rows of a table."""


@dataclass(frozen=True)
class Head:
    """The first records of a file as JSON texts; `problem` says why there are none.

    `inner` are those inside, where a record looks like a page: an object with records in the array at `page`.
    """

    shape: Shape
    records: tuple[str, ...] = ()
    page: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Identified:
    """The format of a file and how its records lie in it, or the reason why it cannot be read."""

    format: Format | None
    head: Head
    problem: str | None = None


def head_of(path: Path) -> Head:
    """Return the first records of `path`, reading no more of it than that takes."""
    head = Head("lines")
    # One record may be longer than the usual head, and a first line longer than any record may be.
    for limit, skip_line in ((HEAD_BYTES, False), (LARGE_HEAD_BYTES, False), (HEAD_BYTES, True)):
        if skip_line and head.inner:
            break
        data, complete = sources.decompressed_head(path, limit, skip_line=skip_line)
        if data.startswith(tables.PARQUET_MAGIC):
            return Head("parquet", records=tables.parquet_head(path, HEAD_RECORDS))
        found = _head(data, complete=complete)
        if complete or found.records or found.problem:
            return found
        # A page may be too long to be seen as one record; its records are not.
        head = head if head.inner else found
    return head


def _head(data: bytes, *, complete: bool) -> Head:
    text = data.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        return Head("lines", problem="the file is empty")
    if b"\0" in text[:8192]:
        return Head("lines", problem="the file is binary, not a text log")
    lines = text.split(b"\n")
    if not complete:
        lines.pop()
    objects = [line for line in lines if line.strip().startswith(b"{") and line.strip().endswith(b"}")]
    if objects:
        return _with_pages(Head("lines", records=_texts(objects)), text)
    if text.lstrip()[:1] in (b"{", b"["):
        return _with_pages(_document(text), text)
    return _table(text, lines)


def _document(text: bytes) -> Head:
    splitter = Splitter(level_of(text))
    found = b"".join(splitter.lines([text])).split(b"\n")[:-1]
    return Head("document", records=_texts(found))


def _with_pages(head: Head, text: bytes) -> Head:
    path = page_path(text)
    if path is None:
        return head
    found = b"".join(Splitter(0, page=path).lines([text])).split(b"\n")[:-1]
    return replace(head, page=path, inner=_texts(found))


def _table(text: bytes, lines: Sequence[bytes]) -> Head:
    first = lines[0].decode("utf-8", errors="replace") if lines else ""
    delimiter = tables.delimiter_of(first.strip("\r"))
    stream = io.StringIO(text.decode("utf-8", errors="replace"), newline="")
    try:
        rows = list(itertools.islice(csv.reader(stream, delimiter=delimiter), HEAD_RECORDS + 1))
    except csv.Error as error:
        return Head("lines", problem=f"neither JSON nor a CSV table: {error}")
    header = rows[0] if rows else []
    if len(header) < 2:
        return Head("lines", problem="neither JSON nor a CSV table with a header")
    # The first record stands for the header alone, for tables without rows.
    cells: list[list[str | None]] = [[None] * len(header)]
    cells += [[cell or None for cell in row] for row in rows[1:] if len(row) == len(header)]
    return Head("csv", records=tuple(json.dumps(dict(zip(header, row, strict=True))) for row in cells))


def _texts(records: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(record.decode("utf-8", errors="replace") for record in records[:HEAD_RECORDS])


def identify(
    connection: "duckdb.DuckDBPyConnection",
    heads: Sequence[Head],
    formats: Mapping[str, Format],
    chosen: Format | None = None,
) -> list[Identified]:
    """Return the format of each head, in order; `chosen` is taken for every file that could hold it.

    Where no format claims the records as they lie, those inside a page are asked.
    """
    asked = {chosen.name: chosen} if chosen else formats
    found = _identify(connection, heads, asked)
    paged = {
        index: replace(head, shape="pages", records=head.inner)
        for index, (head, first) in enumerate(zip(heads, found, strict=True))
        if first.format is None and head.inner
    }
    for index, second in zip(paged, _identify(connection, list(paged.values()), asked), strict=True):
        if second.format is not None or not heads[index].records:
            found[index] = second
    if chosen is None:
        return found
    return [each if each.format or each.head.problem else Identified(chosen, each.head) for each in found]


def _identify(
    connection: "duckdb.DuckDBPyConnection", heads: Sequence[Head], formats: Mapping[str, Format]
) -> list[Identified]:
    scores: dict[int, dict[str, list[bool]]] = {}
    for part in _slices(heads):
        scores |= _scores(connection, part, formats)
    return [_decide(head, scores.get(index, {}), formats) for index, head in enumerate(heads)]


def _slices(heads: Sequence[Head]) -> Iterator[dict[int, Head]]:
    """Yield the heads by their position, in groups whose JSON can be parsed at once in little memory."""
    part: dict[int, Head] = {}
    size = 0
    for index, head in enumerate(heads):
        part[index] = head
        size += sum(map(len, head.records))
        if size > _SLICE_CHARACTERS or len(part) >= _SLICE_FILES:
            yield part
            part, size = {}, 0
    if part:
        yield part


def _scores(
    connection: "duckdb.DuckDBPyConnection", heads: Mapping[int, Head], formats: Mapping[str, Format]
) -> dict[int, dict[str, list[bool]]]:
    """Return, for each file and format, which predicates hold for the record that meets most of them."""
    asked = list(formats.values())
    rows = [(index, record) for index, head in heads.items() for record in head.records]
    if not rows or not asked:
        return {}
    table = pa.table(
        {
            "file": pa.array([row[0] for row in rows], pa.int64()),
            "content": pa.array([row[1] for row in rows], pa.string()),
        }
    )
    tests = ", ".join(
        f"[{', '.join(f'coalesce(TRY({predicate}), false)' for predicate in each.identify)}] AS f{number}"
        for number, each in enumerate(asked)
    )
    best = ", ".join(
        f"arg_max(f{number}, list_sum(list_transform(f{number}, lambda hit: hit::INTEGER))) AS f{number}"
        for number in range(len(asked))
    )
    connection.register("heads", table)
    try:
        found = connection.sql(
            "WITH parsed AS (SELECT file, TRY_CAST(content AS JSON) AS record FROM heads), "
            f"tested AS (SELECT file, {tests} FROM parsed WHERE json_type(record) = 'OBJECT') "
            f"SELECT file, {best} FROM tested GROUP BY file"
        ).to_arrow_table()
    finally:
        connection.unregister("heads")
    return {
        row["file"]: {each.name: row[f"f{number}"] for number, each in enumerate(asked)} for row in found.to_pylist()
    }


def _decide(head: Head, scores: Mapping[str, list[bool]], formats: Mapping[str, Format]) -> Identified:
    if head.problem is not None:
        return Identified(None, head, head.problem)
    claims = [name for name, hits in scores.items() if all(hits)]
    if len(claims) == 1:
        return Identified(formats[claims[0]], head)
    if claims:
        return Identified(None, head, f"claimed by {' and '.join(sorted(claims))}; choose one with --format")
    return Identified(None, head, _unknown(scores, formats))


def _unknown(scores: Mapping[str, list[bool]], formats: Mapping[str, Format]) -> str:
    if not scores:
        return "no record at its head could be read as JSON"
    tried = sorted(scores.items(), key=lambda item: (-sum(item[1]) / len(item[1]), item[0]))
    far = ", ".join(f"{name} {sum(hits)} of {len(hits)}" for name, hits in tried if any(hits)) or "none by any"
    closest, hits = tried[0]
    missing = next(test for test, hit in zip(formats[closest].identify, hits, strict=True) if not hit)
    return f"no format recognises it (checks met: {far}); closest is {closest}, which also needs {missing}"


def choose(formats: Mapping[str, Format], name: str) -> Format:
    """Return the format of that name; raises UsageError naming the formats there are."""
    if name not in formats:
        raise UsageError(f"--format {name}: not a format", hint=f"Formats: {', '.join(formats)}.")
    return formats[name]
