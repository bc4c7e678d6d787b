"""Finds the one format of each file from its head; a file of no format, or of two, is an error that says why."""

import csv
import io
import itertools
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from infercost.ingest import sources, tables
from infercost.ingest.registry import Format
from infercost.ingest.split import Splitter, level_of, page_path

if TYPE_CHECKING:
    import duckdb

HEAD_BYTES = 256 * 1024
LARGE_HEAD_BYTES = 32 * 1024 * 1024
HEAD_RECORDS = 25
_LEAST_RECORDS = 5
_LONG_RECORD = 32 * 1024
_LONG_TEXT = 16 * 1024
_LONG_LIST = 4
_LONGEST_LIST = 100
_SHORT_ELEMENT = 200
_DEPTH = 12
_NAMED = 6
_SHOWN_CHARACTERS = 160
_HEAD_CHARACTERS = 256 * 1024
_SLICE_CHARACTERS = 384 * 1024
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
    # Objects inside a document that is written over many lines are indented, or the elements of an array.
    objects = [line for line in lines if line.startswith(b"{") and line.rstrip().endswith(b"}")]
    if objects and not text.lstrip().startswith(b"["):
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
    """Return the first records as text: fewer of long ones, but never fewer than a few, as the first may be broken."""
    found: list[str] = []
    for record in records[:HEAD_RECORDS]:
        if len(found) >= _LEAST_RECORDS and sum(map(len, found)) > _HEAD_CHARACTERS:
            break
        found.append(_shortened(record.decode("utf-8", errors="replace")))
    return tuple(found)


def _shortened(record: str) -> str:
    """Return a long record without most of its texts and elements: every predicate parses it again, and keeps that."""
    if len(record) <= _LONG_RECORD:
        return record
    try:
        return json.dumps(_pruned(json.loads(record), 0))
    except (ValueError, RecursionError):
        return ""


def _pruned(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _LONG_TEXT else _pruned_text(value, depth)
    if isinstance(value, list):
        if depth >= _DEPTH:
            return []
        # Names and values of columns stand in lists of many short elements; long ones are messages.
        short = [each for each in value[_LONG_LIST:_LONGEST_LIST] if len(str(each)) <= _SHORT_ELEMENT]
        return [_pruned(each, depth + 1) for each in value[:_LONG_LIST] + short]
    if isinstance(value, dict):
        return {key: _pruned(each, depth + 1) for key, each in value.items()} if depth < _DEPTH else {}
    return value


def _pruned_text(text: str, depth: int) -> str:
    """Return the beginning of a long text, or the whole of it pruned where the text is JSON and would be broken."""
    if text[:1] in ("{", "["):
        try:
            return json.dumps(_pruned(json.loads(text), depth + 1))
        except (ValueError, RecursionError):
            pass
    return text[:_LONG_TEXT]


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
    claims = _claims(connection, heads, formats)
    found = [_decide(head, claims.get(index, []), formats) for index, head in enumerate(heads)]
    for index, head in enumerate(heads):
        if found[index].format is None and found[index].problem is None:
            found[index] = Identified(None, head, _unknown(connection, head, formats))
    return found


def _claims(
    connection: "duckdb.DuckDBPyConnection", heads: Sequence[Head], formats: Mapping[str, Format]
) -> dict[int, list[str]]:
    """Return the formats that claim each head.

    Thousands of files with one record each have the same members: one of them is shown to every format, and the
    others only to the format that claimed it; where that does not claim them they are shown to all as well.
    """
    groups: dict[frozenset[str], list[int]] = {}
    for index, head in enumerate(heads):
        groups.setdefault(_members(head), []).append(index)
    first = {indexes[0]: heads[indexes[0]] for indexes in groups.values()}
    claims = _asked(connection, first, list(formats.values()))
    alike: dict[str, dict[int, Head]] = {}
    for leader, *others in groups.values():
        names = claims.get(leader, [])
        alike.setdefault(names[0] if len(names) == 1 else "", {}).update({index: heads[index] for index in others})
    rest = alike.pop("", {})
    for name, members in alike.items():
        told = _asked(connection, members, [formats[name]])
        claims |= {index: found for index, found in told.items() if found}
        rest |= {index: head for index, head in members.items() if index not in claims}
    return claims | _asked(connection, rest, list(formats.values()))


def _members(head: Head) -> frozenset[str]:
    """Return the names of the members of the records at a head."""
    found: set[str] = set()
    for record in head.records:
        try:
            value = json.loads(record)
        except ValueError:
            continue
        found.update(value if isinstance(value, dict) else ())
    return frozenset(found)


def _asked(
    connection: "duckdb.DuckDBPyConnection", heads: Mapping[int, Head], asked: Sequence[Format]
) -> dict[int, list[str]]:
    """Return which of the formats claim each head."""
    tests = [f"bool_or({_all_of(each)})" for each in asked]
    claims: dict[int, list[str]] = {}
    for part in _slices(heads, _SLICE_CHARACTERS if len(asked) > 1 else _SLICE_CHARACTERS * 8):
        for index, hits in _ask(connection, part, tests):
            names = [each.name for each, hit in zip(asked, hits, strict=True) if hit]
            wider = {name for each in asked if each.name in names for name in each.narrower_than}
            claims[index] = [name for name in names if name not in wider]
    return claims


def _slices(heads: Mapping[int, Head], characters: int) -> Iterator[dict[int, Head]]:
    """Yield the heads by their position, in groups whose JSON can be parsed at once in little memory."""
    part: dict[int, Head] = {}
    size = 0
    for index, head in heads.items():
        length = sum(map(len, head.records))
        if part and (size + length > characters or len(part) >= _SLICE_FILES):
            yield part
            part, size = {}, 0
        part[index] = head
        size += length
    if part:
        yield part


def _all_of(form: Format) -> str:
    """Return the test of all predicates of a format; the first that fails ends it, which spares most of the parsing."""
    tests = " ".join(f"WHEN NOT {_safe(predicate)} THEN false" for predicate in form.identify)
    return f"CASE {tests} ELSE true END"


def _safe(predicate: str) -> str:
    """Return a predicate that is false where it is unknown or cannot be evaluated."""
    return f"coalesce(TRY({predicate}), false)"


def _ask(
    connection: "duckdb.DuckDBPyConnection", heads: Mapping[int, Head], aggregates: Sequence[str]
) -> Iterator[tuple[int, list[Any]]]:
    """Yield, for each file with a JSON object at its head, the values of aggregates over its `record`s."""
    rows = [(index, record) for index, head in heads.items() for record in head.records]
    if not rows or not aggregates:
        return
    files, contents = zip(*rows, strict=True)
    table = pa.table({"file": pa.array(files, pa.int64()), "content": pa.array(contents, pa.string())})
    connection.register("heads", table)
    try:
        found = connection.execute(
            "WITH parsed AS MATERIALIZED (SELECT file, TRY_CAST(content AS JSON) AS record FROM heads) "
            f"SELECT file, [{', '.join(aggregates)}] FROM parsed WHERE json_type(record) = 'OBJECT' GROUP BY file"
        ).fetchall()
    finally:
        connection.unregister("heads")
    yield from found


def _decide(head: Head, claims: Sequence[str], formats: Mapping[str, Format]) -> Identified:
    if head.problem is not None:
        return Identified(None, head, head.problem)
    # Formats with one SELECT read each other's records.
    if len({(formats[name].family, formats[name].map_sql) for name in claims}) == 1:
        return Identified(formats[min(claims)], head)
    if claims:
        return Identified(None, head, f"claimed by {' and '.join(sorted(claims))}; choose one with --format")
    return Identified(None, head)


def _unknown(connection: "duckdb.DuckDBPyConnection", head: Head, formats: Mapping[str, Format]) -> str:
    """Return how far each format got with the record that meets most of its predicates."""
    scores: dict[str, list[bool]] = {}
    for form in formats.values():
        tests = f"[{', '.join(map(_safe, form.identify))}]"
        best = f"arg_max({tests}, list_sum(list_transform({tests}, lambda hit: hit::INTEGER)))"
        for _, answers in _ask(connection, {0: head}, [best]):
            scores[form.name] = answers[0]
    if not scores:
        return "no record at its head could be read as JSON"
    tried = sorted(scores.items(), key=lambda item: (-sum(item[1]) / len(item[1]), item[0]))
    met = [f"{name} {sum(hits)} of {len(hits)}" for name, hits in tried if any(hits)]
    more = f" and {len(met) - _NAMED} more" if len(met) > _NAMED else ""
    far = (", ".join(met[:_NAMED]) + more) or "none by any"
    closest, hits = tried[0]
    missing = next(test for test, hit in zip(formats[closest].identify, hits, strict=True) if not hit)
    wanted = textwrap.shorten(missing, _SHOWN_CHARACTERS, placeholder=" ...")
    return f"no format recognises it (checks met: {far}); closest is {closest}, which also needs {wanted}"
