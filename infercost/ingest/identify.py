"""Finds the one format of each file from its head; a file of no format, or of two, is an error that says why."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from infercost.errors import UsageError
from infercost.ingest import sources
from infercost.ingest.registry import Format
from infercost.ingest.split import Splitter, level_of

if TYPE_CHECKING:
    import duckdb

HEAD_BYTES = 256 * 1024
LARGE_HEAD_BYTES = 32 * 1024 * 1024
HEAD_RECORDS = 25
_SLICE_CHARACTERS = 4 * 1024 * 1024
_SLICE_FILES = 500
Shape = Literal["lines", "document", "csv"]


@dataclass(frozen=True)
class Head:
    """The first records of a file: JSON texts, or the names of a CSV header; `problem` says why there are none."""

    shape: Shape
    records: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
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
        data, complete = sources.decompressed_head(path, limit, skip_line=skip_line)
        head = _head(data, complete=complete)
        if complete or head.records or head.header or head.problem:
            return head
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
        return Head("lines", records=_texts(objects))
    if text.lstrip()[:1] in (b"{", b"["):
        return _document(text)
    return _table(lines)


def _document(text: bytes) -> Head:
    splitter = Splitter(level_of(text))
    found = b"".join(splitter.lines([text])).split(b"\n")[:-1]
    return Head("document", records=_texts(found))


def _table(lines: Sequence[bytes]) -> Head:
    first = lines[0].decode("utf-8", errors="replace").strip("\r") if lines else ""
    header = next(csv.reader([first]), [])
    if len(header) < 2:
        return Head("lines", problem="neither JSON nor a CSV table with a header")
    return Head("csv", header=tuple(header))


def _texts(records: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(record.decode("utf-8", errors="replace") for record in records[:HEAD_RECORDS])


def identify(
    connection: "duckdb.DuckDBPyConnection",
    heads: Sequence[Head],
    formats: Mapping[str, Format],
    chosen: Format | None = None,
) -> list[Identified]:
    """Return the format of each head, in order; `chosen` is taken for every file that could hold it."""
    scores: dict[int, dict[str, list[bool]]] = {}
    for part in [] if chosen else _slices(heads):
        scores |= _scores(connection, part, formats, "json") | _scores(connection, part, formats, "csv")
    return [_decide(head, scores.get(index, {}), formats, chosen) for index, head in enumerate(heads)]


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
    connection: "duckdb.DuckDBPyConnection", heads: Mapping[int, Head], formats: Mapping[str, Format], shape: str
) -> dict[int, dict[str, list[bool]]]:
    """Return, for each file and format, which predicates hold for the record that meets most of them."""
    asked = [each for each in formats.values() if each.shape == shape]
    if shape == "json":
        rows = [(index, record) for index, head in heads.items() for record in head.records]
        name, value, kind = "record", "TRY_CAST(content AS JSON)", pa.string()
    else:
        rows = [(index, list(head.header)) for index, head in heads.items() if head.header]  # type: ignore[misc]
        name, value, kind = "header", "content", pa.list_(pa.string())
    if not rows or not asked:
        return {}
    table = pa.table(
        {"file": pa.array([row[0] for row in rows], pa.int64()), "content": pa.array([row[1] for row in rows], kind)}
    )
    tests = ", ".join(
        f"[{', '.join(f'coalesce(({predicate}), false)' for predicate in each.identify)}] AS f{number}"
        for number, each in enumerate(asked)
    )
    best = ", ".join(
        f"arg_max(f{number}, list_sum(list_transform(f{number}, lambda hit: hit::INTEGER))) AS f{number}"
        for number in range(len(asked))
    )
    connection.register("heads", table)
    try:
        found = connection.sql(
            f"WITH parsed AS (SELECT file, {value} AS {name} FROM heads), "
            f"tested AS (SELECT file, {tests} FROM parsed WHERE {name} IS NOT NULL) "
            f"SELECT file, {best} FROM tested GROUP BY file"
        ).to_arrow_table()
    finally:
        connection.unregister("heads")
    return {
        row["file"]: {each.name: row[f"f{number}"] for number, each in enumerate(asked)} for row in found.to_pylist()
    }


def _decide(
    head: Head, scores: Mapping[str, list[bool]], formats: Mapping[str, Format], chosen: Format | None
) -> Identified:
    if head.problem is not None:
        return Identified(None, head, head.problem)
    if chosen is not None:
        if (chosen.shape == "csv") != (head.shape == "csv"):
            return Identified(None, head, f"--format {chosen.name} reads {chosen.shape}, but the file is {head.shape}")
        return Identified(chosen, head)
    claims = [name for name, hits in scores.items() if all(hits)]
    if len(claims) == 1:
        return Identified(formats[claims[0]], head)
    if claims:
        return Identified(None, head, f"claimed by {' and '.join(sorted(claims))}; choose one with --format")
    return Identified(None, head, _unknown(scores, formats))


def _unknown(scores: Mapping[str, list[bool]], formats: Mapping[str, Format]) -> str:
    if not scores:
        return f"no record at its head could be read as JSON; formats tried: {', '.join(formats)}"
    tried = sorted(scores.items(), key=lambda item: (-sum(item[1]) / len(item[1]), item[0]))
    far = ", ".join(f"{name} {sum(hits)} of {len(hits)}" for name, hits in tried)
    closest, hits = tried[0]
    missing = next(test for test, hit in zip(formats[closest].identify, hits, strict=True) if not hit)
    return f"no format recognises it (checks met: {far}); closest is {closest}, which also needs {missing}"


def choose(formats: Mapping[str, Format], name: str) -> Format:
    """Return the format of that name; raises UsageError naming the formats there are."""
    if name not in formats:
        raise UsageError(f"--format {name}: not a format", hint=f"Formats: {', '.join(formats)}.")
    return formats[name]
