"""Hostile values in every column of every format: nothing crashes, no good record is lost, every bad one is told.

For each format one file holds its good records, and copies of one of them in which each column that the format
declares, and each place inside, is replaced in turn by what no program writes.
"""

import copy
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infercost import engine, schema
from infercost.ingest import identify, tables
from infercost.ingest.preview import preview
from infercost.ingest.registry import Format, formats
from infercost.ingest.split import Splitter, level_of

if TYPE_CHECKING:
    import duckdb
    from lab import Lab

Record = dict[str, Any]

MOST_RECORD_BYTES = 64 * 1024 * 1024
MOST_PLACES = 16
"""Places inside a record that are tried, beside the declared columns."""


def nested(depth: int, kind: str = "list") -> Any:
    """Return a list in a list in a list, or objects."""
    value: Any = 1
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value}
    return value


HOSTILE: dict[str, Any] = {
    "null": None,
    "empty text": "",
    "prose": "oops",
    "zero": 0,
    "negative": -1,
    "fraction": 0.1,
    "huge": 10**30,
    "beyond BIGINT": 2**63,
    "beyond DOUBLE": 10**400,
    "huge text": "9" * 400,
    "exponent": 1e308,
    "exponent text": "1e999",
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "NaN text": "NaN",
    "time far ahead": "294247-01-10T04:00:54.775807Z",
    "time that is none": "2026-13-45T99:99:99Z",
    "NUL": "a\0b",
    "lone surrogate": "\ud800x",
    "SQL": "'); DROP TABLE raw; --",
    "template": "$columns ${raw} {} %s",
    "list": [1, "a", None, {"b": []}],
    "empty list": [],
    "list of lists": [[[]], [[1]]],
    "object": {"a": {"b": [1]}, "": None, "'": 1},
    "empty object": {},
    "text of an object": '{"a": 1, "a": 2}',
    "broken JSON": '{"a": ',
    "deep list": nested(300),
    "deep object": nested(300, "object"),
}
INSIDE = (
    *("null", "prose", "negative", "huge", "exponent", "exponent text", "list", "object", "NUL"),
    *("time that is none", "broken JSON"),
)
"""What the places inside are replaced by."""

LONG = "x" * 1_000_000

BROKEN = (
    b'{"a": ',
    b"{} {}",
    b"[1, 2]",
    b'"text"',
    b"17",
    b'{"a": "\xff\xfe"}',
    b"\xf0\x28\x8c\x28",
    b"'); DROP TABLE raw; --",
)
"""Lines that are no record of any format."""


def good_lines(form: Format) -> list[bytes]:
    """Return the records of the format's first sample that is no table, one a line; of a table, its rows."""
    sample = next((path for path in form.samples if path.suffix != ".csv"), form.sample)
    content = sample.read_bytes()
    if sample.suffix == ".csv":
        text = content.decode("utf-8-sig")
        header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=tables.delimiter_of(text.splitlines()[0]))
        return [json.dumps(dict(zip(header, row, strict=False))).encode() for row in rows]
    with engine.connect() as connection:
        (found,) = identify.identify(connection, [identify.head_of(sample)], {form.name: form}, form)
    if found.head.shape == "lines":
        return content.splitlines()
    splitter = Splitter(level_of(content), found.head.page if found.head.shape == "pages" else ())
    return b"".join(splitter.lines([content])).splitlines()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield every place inside a value."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield (*path, key)
        yield from places(member, (*path, key))


def replaced(record: Record, path: tuple[Any, ...], value: Any) -> bytes:
    """Return the record as a line, with the value at one place."""
    changed = copy.deepcopy(record)
    place: Any = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(changed).encode()


NEXT_DIGIT = str.maketrans("0123456789", "1234567890")
NO_ID = re.compile(r"\d{4}-\d\d-\d\d|[\d.eE+-]*$|[{\[]")
"""What is a time, a number or JSON again, and so no id."""


def disguised(value: Any) -> Any:
    """Return a record with other ids of the same shape, so that nothing takes it for a copy of the original."""
    if isinstance(value, dict):
        return {key: disguised(member) for key, member in value.items()}
    if isinstance(value, list):
        return [disguised(member) for member in value]
    if isinstance(value, str) and len(value) >= 8 and not NO_ID.match(value):
        return value.translate(NEXT_DIGIT)
    return value


def mutations(form: Format, record: Record) -> Iterator[bytes]:
    """Yield the record with each declared column, some places inside, and all columns at once replaced."""
    for column in form.columns:
        for value in HOSTILE.values():
            yield replaced(record, (column,), value)
    inside = [path for path in places(record) if len(path) > 1]
    for path in inside[:: max(1, len(inside) // MOST_PLACES)]:
        for name in INSIDE:
            yield replaced(record, path, HOSTILE[name])
    for value in (*HOSTILE.values(), nested(900), LONG[:20_000]):
        yield json.dumps(record | dict.fromkeys(form.columns, value)).encode()
    # A column a format, so that each kind of column has its turn somewhere.
    columns = list(form.columns)
    yield replaced(record, (columns[len(form.name) % len(columns)],), LONG)


def richest(lines: Sequence[bytes]) -> Record:
    """Return the record with the most places."""
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return max((each for each in records if isinstance(each, dict)), key=lambda each: len(list(places(each))))


def figures_of(connection: "duckdb.DuckDBPyConnection", form: Format) -> dict[str, tuple[Any, ...]]:
    """Return the figures of each attempt or bill line that a preview has mapped, by id; the best of its copies."""
    rows = connection.execute(
        f"SELECT md5({engine.literal(form.family + ':')} || dedupe_key), {FIGURES[form.table]} FROM mapped "
        f"WHERE is_call AND reject_reason IS NULL AND dedupe_key IS NOT NULL AND {START[form.table]} IS NOT NULL "
        "ORDER BY coalesce(dedupe_rank, 0)"
    ).fetchall()
    return {key: tuple(figures) for key, *figures in rows}


FIGURES = {
    "attempts": ", ".join(f"{kind}_tokens" for kind in schema.TOKEN_KINDS) + ", reported_cost",
    "bills": "quantity, requests, billed_cost",
}
START = {"attempts": "started_at", "bills": "period_start"}
IDS = {"attempts": "attempt_id", "bills": "bill_id"}


@pytest.mark.slow
@pytest.mark.parametrize("name", formats())
def test_hostile_records_leave_the_good_ones_alone_and_are_told(lab: "Lab", name: str) -> None:
    form = formats()[name]
    good = good_lines(form)
    hostile = list(mutations(form, disguised(richest(good))))
    bad = [*hostile, *BROKEN]
    with engine.connect() as connection:
        preview(connection, form, [lab.write(f"good/{form.sample.name}l", b"\n".join([*good, b""]))], MOST_RECORD_BYTES)
        alone = figures_of(connection, form)
    path = lab.write(f"all/{form.sample.name}l", b"\n".join([*good, *bad, b""]))
    result = lab.ingest(path, chosen=name)
    assert [each.problem for each in result.files] == [None]
    assert result.total("records") >= sum(bool(line.strip()) for line in (*good, *bad))

    # No good record is lost, and one that was not taken for a copy of a hostile one says the same.
    rows = lab.rows(f"SELECT {IDS[form.table]}, source_line, {FIGURES[form.table]} FROM {form.table}")
    found = {key: tuple(figures) for key, line, *figures in rows if line <= len(good)}
    assert alone.keys() <= {row[0] for row in rows}
    assert {key: figures for key, figures in found.items() if alone.get(key) != figures} == {}
    assert len(found) >= len(alone) * 2 // 3

    # What is rejected is told with its line and a reason, what is no JSON above all.
    rejects = lab.rejects()
    assert len(rejects) == result.total("rejected")
    assert all(line and reason for line, reason in rejects)
    broken = range(len(good) + len(hostile) + 1, len(good) + len(bad) + 1)
    assert {line for line, _ in rejects} >= set(broken)

    # Nothing is counted that cannot be.
    if form.table == "attempts":
        impossible = "input_tokens < 0 OR output_tokens < 0 OR NOT isfinite(duration_seconds) OR NOT isfinite(weight)"
        assert lab.value(f"SELECT count(*) FROM attempts WHERE {impossible}") == 0


TABLES = [(name, path) for name, form in formats().items() for path in form.samples if path.suffix == ".csv"]
CELLS = [value for value in HOSTILE.values() if isinstance(value, str) and value.isprintable() and value]
CELLS += ["two\nlines", 'a "quoted" word', "a,b;c\td|e", "-", "null", "1e400", "\ufeff", "\u202e\U0001f600"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "path"), TABLES, ids=[f"{name}-{path.name}" for name, path in TABLES])
def test_hostile_cells_of_a_table_leave_the_good_rows_alone(tmp_path: Path, name: str, path: Path) -> None:
    form = formats()[name]
    text = path.read_bytes().decode("utf-8-sig")
    delimiter = tables.delimiter_of(text.splitlines()[0])
    header, *good = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    full = disguised(max(good, key=lambda row: sum(map(bool, row))))
    bad = [
        [cell if column == place else full[place] for place in range(len(header))]
        for column in range(len(header))
        for cell in CELLS
    ]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows([header, *good, *bad])
    hostile = tmp_path / path.name
    hostile.write_bytes(out.getvalue().encode())
    with engine.connect() as connection:
        preview(connection, form, [path], MOST_RECORD_BYTES)
        alone = figures_of(connection, form)
        unreadable = preview(connection, form, [hostile], MOST_RECORD_BYTES)
        found = figures_of(connection, form)
        lines = {line for (line,) in connection.execute("SELECT DISTINCT source_line FROM records_at").fetchall()}
        mapped = connection.execute(
            "SELECT count(DISTINCT record_number), count(*) FILTER (reject_reason = '') FROM mapped"
        ).fetchall()
    assert all(each.source_line and each.reason for each in unreadable)
    assert lines | {each.source_line for each in unreadable} == set(range(2, 2 + len(good) + len(bad)))
    # Every record that was read has a row; only those that made the SELECT fail have none.
    ((records, nameless),) = mapped
    assert records + len(unreadable) >= len(good) + len(bad)
    assert nameless == 0
    assert alone.keys() <= found.keys()


PROMPTS = ("content", "text", "prompt", "completion", "question", "answer", "inputText")


def with_long_prompts(value: Any, key: str = "") -> Any:
    """Return a record whose prompts and answers are long, also those in JSON that is text."""
    if isinstance(value, dict):
        return {name: with_long_prompts(member, name) for name, member in value.items()}
    if isinstance(value, list):
        return [with_long_prompts(member, key) for member in value]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.dumps(with_long_prompts(json.loads(value), key))
        except ValueError:
            return value
    return value + LONG[:40_000] if isinstance(value, str) and key in PROMPTS else value


def lengthened(path: Path) -> str | None:
    """Return a sample with long prompts, or None when it is a table or holds none."""
    text = path.read_text(encoding="utf-8")
    try:
        if path.suffix == ".json":
            longer = json.dumps(with_long_prompts(json.loads(text)))
        else:
            longer = "".join(json.dumps(with_long_prompts(json.loads(line))) + "\n" for line in text.splitlines())
    except ValueError:
        return None
    return longer if len(longer) > len(text) + 40_000 else None


def test_long_prompts_hide_no_format(tmp_path: Path) -> None:
    named = [(name, path, lengthened(path)) for name, form in formats().items() for path in form.samples]
    files = [(name, path.name, tmp_path / f"{name}-{path.name}", text) for name, path, text in named if text]
    for _, _, path, text in files:
        path.write_text(text, encoding="utf-8")
    with engine.connect() as connection:
        found = identify.identify(connection, [identify.head_of(path) for _, _, path, _ in files], formats())
    unknown = [
        (name, sample)
        for (name, sample, _, _), each in zip(files, found, strict=True)
        if each.format != formats()[name]
    ]
    assert len(files) > 20
    assert unknown == []


def test_one_bad_line_among_many_records_of_many_columns_is_read_in_bounded_memory(lab: "Lab") -> None:
    """Every declared member is looked at on its own to name the bad one; what that keeps must not fill the memory."""
    lines = [line for line in good_lines(formats()["litellm"]) if line.strip()] * 150
    result = lab.ingest(lab.write("a.jsonl", b"\n".join([*lines, b"{", b""])))
    assert (result.total("records"), result.total("rejected")) == (len(lines) + 1, 1)
