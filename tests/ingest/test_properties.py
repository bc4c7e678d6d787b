"""Laws of the ingest: however the lines of a file are ordered, repeated or divided, the same attempts come out.

Every format's samples are read whole, and again rearranged. What comes out is what the store would get: the laws run
on the format's SELECT and the engine's own steps that judge records and choose among copies, which is far quicker than
the store itself; a few formats are held to the same laws in the store at the end.
"""

import csv
import io
import json
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infercost import engine, schema
from infercost.ingest import identify, mapper, tables
from infercost.ingest.preview import preview
from infercost.ingest.registry import Format, formats
from infercost.ingest.split import PAGE_KEYS, Splitter, level_of, page_path

if TYPE_CHECKING:
    import duckdb
    from lab import Lab

Row = dict[str, Any]
Rows = dict[str, Row]

MOST_RECORD_BYTES = 64 * 1024 * 1024
CHANGED = 1_790_000_000
"""When every written file was last changed: some formats take that for a time that their records lack."""

PLACE = ("load_id", "source_file", "source_line")

# --- formats for which a line is not enough ------------------------------------------------------------------

WHOLE_FILES = {
    "codex": "the model, the session and the counts so far stand on earlier lines",
    "gemini-cli": "the session stands on an earlier line, or in the file's name",
}
"""What a line means depends on the lines before it, so a file is read from its beginning and never in parts."""

WHOLE_BILLS = {
    "anthropic-console-cost": "rows that no column tells apart are numbered within their file",
    "anthropic-console-usage": "rows that no column tells apart are numbered within their file",
    "aws-cur": "rows that no column tells apart are numbered within their file",
    "deepseek-cost": "rows that no column tells apart are numbered within their file",
    "deepseek-usage": "rows that no column tells apart are numbered within their file",
    "focus": "rows that no column tells apart are numbered within their file",
    "openai-costs": "a table's grouping shows in all its rows; rows that nothing tells apart are numbered",
    "openai-usage": "a table's grouping shows in all its rows; rows that nothing tells apart are numbered",
}
"""Two equal rows of such a table are two charges: its rows may change places, but are neither repeated nor divided."""

NAMED_BY_PLACE = {"cloudflare-logpush": "a line without any id is known by its file's name and its number"}
"""A record may be known by where it lies: only a whole file of the same name is the same again."""

JOINED = {
    "azure-apim": {  # the gateway's row of a call has what the row of the model lacks
        *("duration_seconds", "deployment", "user_id", "api_key_id", "api_key_name", "tags", "http_status"),
        *("provider_name", "status", "error_type", "gateway_cache", "region", "is_retry", "unlogged_attempts"),
    },
    "bifrost": {"attempt_number"},  # counted through the tries of a request before
    "langfuse": {"session_id", "user_id", "tags", "dedupe_rank"},  # the trace has them for its observations
    "litellm": {  # what earlier attempts of the request say
        *("attempt_number", "request_id", "is_retry", "is_fallback", "unlogged_attempts"),
        *("request_model", "routing_path"),
    },
    "litellm-spendlogs": {"unlogged_attempts"},  # how many were tried before, less those that have rows
    "new-api": {"unlogged_attempts"},
    "otel-console": {"session_id", "user_id", "tags"},  # spans above have them for the call
    "otlp": {"session_id", "user_id", "tags", "attempt_number", "is_retry", "request_model", "unlogged_attempts"},
    "portkey": {"attempt_number", "routing_path", "is_fallback", "is_retry", "request_id"},
    "tensorzero": {"session_id", "user_id", "tags"},  # the inference has them for its calls of models
}
"""Columns that other records of the same read tell; read apart they may be unknown. Tokens and costs never are."""

# --- samples, and what is made of them -----------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """The records of a sample, as lines or as the rows of a table with its header and delimiter."""

    form: Format
    path: Path
    units: tuple[Any, ...]
    header: tuple[str, ...] = ()
    delimiter: str = ","

    def write(self, folder: Path, units: Iterable[Any]) -> Path:
        """Write records into a file that has the sample's name, which some formats read."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.path.name
        if self.header:
            out = io.StringIO(newline="")
            writer = csv.writer(out, delimiter=self.delimiter)
            writer.writerows([self.header, *units])
            path.write_text(out.getvalue(), encoding="utf-8", newline="")
        else:
            path.write_bytes(b"".join(unit + b"\n" for unit in units))
        os.utime(path, (CHANGED, CHANGED))
        return path


SAMPLES = [(name, path) for name, form in formats().items() for path in form.samples]
FREE = [each for each in SAMPLES if each[0] not in {*WHOLE_FILES, *WHOLE_BILLS, *NAMED_BY_PLACE}]

FIRST = {form.sample for form in formats().values()}
NESTED = [each for each in FREE if formats()[each[0]].nests]
"""Which calls repeat others is decided over what the store knows of their trace, so these are divided in the store."""

DIVIDED = [each for each in FREE if each[1] in FIRST and each not in NESTED]


def ids(samples: Sequence[tuple[str, Path]]) -> list[str]:
    return [f"{name}-{path.name}" for name, path in samples]


@cache
def sample_of(name: str, path: Path) -> Sample:
    """Return the records of a sample, taken out of the document or the pages in which they lie."""
    form = formats()[name]
    content = path.read_bytes()
    if path.suffix == ".csv":
        text = content.decode("utf-8-sig")
        delimiter = tables.delimiter_of(text.splitlines()[0])
        header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        return Sample(form, path, tuple(map(tuple, rows)), tuple(header), delimiter)
    with engine.connect() as connection:
        (found,) = identify.identify(connection, [identify.head_of(path)], {form.name: form}, form)
    if found.head.shape == "lines":
        return Sample(form, path, tuple(content.splitlines()))
    splitter = Splitter(level_of(content), found.head.page if found.head.shape == "pages" else ())
    return Sample(form, path, tuple(b"".join(splitter.lines([content])).splitlines()))


def read(connection: "duckdb.DuckDBPyConnection", form: Format, paths: Sequence[Path]) -> tuple[Rows, Counter[str]]:
    """Return what one ingest of `paths` would store, by attempt_id or bill_id, and the reasons of its rejects."""
    unreadable = preview(connection, form, paths, MOST_RECORD_BYTES)
    run = connection.execute
    if form.table == "bills":
        chosen, key, start = mapper.step("winners_bills"), "bill_id", "mapped.period_start"
    else:
        chosen, key, start = mapper.step("winners"), "attempt_id", "winners.started_at"
    run(f"CREATE OR REPLACE TEMP TABLE judged AS {mapper.judge(form)}")
    run(f"CREATE OR REPLACE TEMP TABLE winners AS {chosen}")
    columns = [each for each in form.mapped if each.name not in ("record_number", "is_call", "reject_reason")]
    plain = {"TIMESTAMPTZ": "epoch_us({})", "MAP(VARCHAR, VARCHAR)": "{}::VARCHAR"}
    shown = [
        plain.get(each.type, "{}").format(start if each.name == "started_at" else f"mapped.{each.name}")
        for each in columns
    ]
    rows = run(
        f"SELECT winners.{key}, {', '.join(shown)} FROM winners JOIN mapped ON mapped.rowid = winners.mapped_row"
    ).fetchall()
    names = [each.name for each in columns]
    found = {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}
    unusable = run("SELECT reason FROM judged WHERE reason IS NOT NULL").fetchall()
    return found, Counter([each.reason for each in unreadable] + [reason for (reason,) in unusable])


@cache
def whole(name: str, path: Path) -> tuple[Rows, Counter[str]]:
    """Return what the sample itself gives."""
    form = formats()[name]
    with engine.connect() as connection, tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        copy.write_bytes(path.read_bytes())
        os.utime(copy, (CHANGED, CHANGED))
        return read(connection, form, [copy])


def merged(form: Format, reads: Iterable[Rows]) -> Rows:
    """Return what the store has after several ingests: steps/settle.sql and known_bills.sql in few words."""
    store: Rows = {}
    for rows in reads:
        for key, row in rows.items():
            known = store.get(key)
            if known is None:
                store[key] = row
            elif form.table == "bills":
                store[key] = max(known, row, key=_weight_of_bill)
            else:
                best = max(known, row, key=lambda each: (each["dedupe_rank"] or 0, -each["started_at"]))
                store[key] = best | {"started_at": min(known["started_at"], row["started_at"])}
    return store


def _weight_of_bill(row: Row) -> tuple[int, Any]:
    return row["dedupe_rank"] or 0, abs(row["billed_cost"] or 0) + abs(row["quantity"] or 0)


def without(rows: Rows, columns: Iterable[str]) -> Rows:
    left_out = set(columns)
    return {key: {name: value for name, value in row.items() if name not in left_out} for key, row in rows.items()}


def tokens(rows: Rows) -> int:
    """Return all tokens of the attempts, or all quantities of the lines of a bill."""
    return sum(
        abs(value)
        for row in rows.values()
        for name, value in row.items()
        if value is not None and (name == "quantity" or name.endswith("_tokens"))
    )


def dealt(units: Sequence[Any], files: int, chance: random.Random) -> list[list[Any]]:
    """Return the units in several files, none of them empty, in any order."""
    hands: list[list[Any]] = [[] for _ in range(files)]
    for unit in chance.sample(list(units), len(units)):
        chance.choice(hands).append(unit)
    return [hand for hand in hands if hand]


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, derandomize=True, database=None)


SEEDS = st.integers(0, 2**32 - 1).map(random.Random)


# --- laws of every format ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "path"), FREE, ids=ids(FREE))
@examples(1)
@given(chance=SEEDS)
def test_order_copies_and_files_of_one_ingest_change_nothing(name: str, path: Path, chance: random.Random) -> None:
    sample = sample_of(name, path)
    expected, rejects = whole(name, path)
    for files in (1, 3) if path in FIRST else (2,):
        copies = chance.choices(sample.units, k=len(sample.units) // 3)
        with engine.connect() as connection, tempfile.TemporaryDirectory() as folder:
            hands = dealt([*sample.units, *copies], files, chance)
            paths = [sample.write(Path(folder, str(number)), hand) for number, hand in enumerate(hands)]
            found, reasons = read(connection, sample.form, paths)
        assert found == expected
        assert set(reasons) == set(rejects)
        assert sum(reasons.values()) >= sum(rejects.values())


@pytest.mark.parametrize(("name", "path"), DIVIDED, ids=ids(DIVIDED))
@examples(1)
@given(chance=SEEDS)
def test_ingests_one_after_another_come_to_the_same(name: str, path: Path, chance: random.Random) -> None:
    """Divided between several ingests in any order; and what each of them gives is a part of the whole."""
    sample = sample_of(name, path)
    expected, rejects = whole(name, path)
    with engine.connect() as connection, tempfile.TemporaryDirectory() as folder:
        hands = dealt(sample.units, chance.randint(2, 3), chance)
        reads = [
            read(connection, sample.form, [sample.write(Path(folder, str(number)), hand)])
            for number, hand in enumerate(hands)
        ]
    found = merged(sample.form, (rows for rows, _ in reads))
    differ = JOINED.get(name, set())
    assert not [column for column in differ if column.endswith(("_tokens", "_cost"))]
    assert without(found, differ) == without(expected, differ)
    assert sum((reasons for _, reasons in reads), Counter()) == rejects
    for rows, _ in reads:
        assert rows.keys() <= expected.keys()
        assert tokens(rows) <= tokens(expected)


UNITS = [each for each in SAMPLES if each not in FREE]


@pytest.mark.parametrize(("name", "path"), UNITS, ids=ids(UNITS))
def test_a_copy_beside_a_file_that_is_one_whole_changes_nothing(name: str, path: Path) -> None:
    sample = sample_of(name, path)
    with engine.connect() as connection, tempfile.TemporaryDirectory() as folder:
        paths = [sample.write(Path(folder, str(number)), sample.units) for number in range(2)]
        found, _ = read(connection, sample.form, paths)
    assert found == whole(name, path)[0]


BILLS = [each for each in SAMPLES if each[0] in WHOLE_BILLS]


@pytest.mark.parametrize(("name", "path"), BILLS, ids=ids(BILLS))
@examples(2)
@given(chance=SEEDS)
def test_rows_of_a_bill_may_change_places(name: str, path: Path, chance: random.Random) -> None:
    sample = sample_of(name, path)
    with engine.connect() as connection, tempfile.TemporaryDirectory() as folder:
        units = chance.sample(sample.units, len(sample.units))
        assert read(connection, sample.form, [sample.write(Path(folder), units)]) == whole(name, path)


PLACED = [each for each in SAMPLES if each[0] in NAMED_BY_PLACE]


@pytest.mark.parametrize(("name", "path"), PLACED, ids=ids(PLACED))
@examples(3)
@given(chance=SEEDS)
def test_records_known_by_their_place_keep_count_and_content(name: str, path: Path, chance: random.Random) -> None:
    """In another order such a record has another key, but there are as many and they say the same."""
    sample = sample_of(name, path)
    expected, rejects = whole(name, path)
    with engine.connect() as connection, tempfile.TemporaryDirectory() as folder:
        units = chance.sample(sample.units, len(sample.units))
        found, reasons = read(connection, sample.form, [sample.write(Path(folder), units)])
    assert reasons == rejects
    own = {"dedupe_key", "request_id"}
    assert Counter(map(str, without(found, own).values())) == Counter(map(str, without(expected, own).values()))


ORDERED = [each for each in SAMPLES if each[0] in WHOLE_FILES]


@pytest.mark.parametrize(("name", "path"), ORDERED, ids=ids(ORDERED))
@examples(3)
@given(chance=SEEDS)
def test_a_file_that_grows_comes_to_the_same(name: str, path: Path, chance: random.Random) -> None:
    """Where lines need those before them, a file is read again from its start: each state gives a part of the whole."""
    sample = sample_of(name, path)
    assert not sample.form.resumable
    expected, _ = whole(name, path)
    ends = sorted({*chance.choices(range(1, len(sample.units) + 1), k=2), len(sample.units)})
    with engine.connect() as connection, tempfile.TemporaryDirectory() as folder:
        states = [
            read(connection, sample.form, [sample.write(Path(folder, str(end)), sample.units[:end])])[0] for end in ends
        ]
    for state in states:
        assert state.keys() <= expected.keys()
        assert tokens(state) <= tokens(expected)
    chance.shuffle(states)
    assert merged(sample.form, states) == expected


@pytest.mark.parametrize("name", WHOLE_FILES)
@examples(2)
@given(chance=SEEDS)
def test_whole_files_in_any_order_come_to_the_same(name: str, chance: random.Random) -> None:
    paths = formats()[name].samples
    expected = merged(formats()[name], (whole(name, path)[0] for path in paths))
    with engine.connect() as connection, tempfile.TemporaryDirectory() as folder:
        written = [sample_of(name, path).write(Path(folder, path.stem), sample_of(name, path).units) for path in paths]
        found, _ = read(connection, formats()[name], chance.sample([*written, written[0]], len(written) + 1))
    assert found == expected


def test_every_exception_is_of_a_format_that_there_is() -> None:
    named = {*WHOLE_FILES, *WHOLE_BILLS, *NAMED_BY_PLACE, *JOINED}
    assert named <= set(formats())


# --- the same in the store -----------------------------------------------------------------------------------

STORED = ("claude-code", "litellm-spendlogs", "otlp", "vercel-report")


IN_STORE = [*((name, formats()[name].sample) for name in STORED), *NESTED]


@pytest.mark.parametrize(("name", "path"), IN_STORE, ids=ids(IN_STORE))
@pytest.mark.parametrize("seed", [3])
def test_store_of_several_ingests_is_that_of_one(lab: "Lab", name: str, path: Path, seed: int) -> None:
    """Records and copies of them in three ingests: attempts with their prices, or the lines of a bill."""
    chance = random.Random(seed)  # noqa: S311 (no secret)
    sample = sample_of(name, path)
    one = sample.write(lab.folder / "one", sample.units)
    lab.ingest(one, store="store-of-one", chosen=name)
    copies = chance.choices(sample.units, k=len(sample.units) // 3)
    for number, hand in enumerate(dealt([*sample.units, *copies], 3, chance)):
        lab.ingest(sample.write(lab.folder / str(number), hand), store="store-of-many", chosen=name)
    # Ids are hashed with the salt of a store.
    salted = {"user_id", "api_key_id", "cohort"}
    differ = {*PLACE, *salted, *JOINED.get(name, ())}
    assert _stored(lab, sample.form, "store-of-many", differ) == _stored(lab, sample.form, "store-of-one", differ)


def _stored(lab: "Lab", form: Format, store: str, without_columns: Iterable[str]) -> list[tuple[Any, ...]]:
    left_out = set(without_columns)
    columns = schema.BILLS if form.table == "bills" else schema.ATTEMPTS
    select = ", ".join(
        f"epoch_us({each.name})" if each.type == "TIMESTAMPTZ" else each.name
        for each in columns
        if each.name not in left_out
    )
    rows: list[tuple[Any, ...]] = lab.rows(f"SELECT {select} FROM {form.table} ORDER BY 1", store)
    return rows


# --- the parts of the engine ---------------------------------------------------------------------------------

WORDS = st.text(alphabet=st.sampled_from(list('ab{}[]",:\\/ \n\r\t\u00e9\u2028\U0001f600')), max_size=8)
MEMBERS = st.sampled_from(["data", "items", "results", "values", "meta", "page", "a", ""]) | WORDS
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS, inner, max_size=4), max_leaves=25
)
DOCUMENTS = st.dictionaries(MEMBERS, VALUES, max_size=4)


def arrays(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Yield every array outside of other arrays with the members that lead to it, in the order of the document."""
    if isinstance(value, list):
        yield path, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from arrays(member, (*path, name))


@examples(100)
@given(document=DOCUMENTS, indent=st.sampled_from([None, 0, 3]))
def test_page_is_the_first_array_of_objects_under_known_members(document: Row, indent: int | None) -> None:
    expected = next(
        (
            path
            for path, array in arrays(document)
            if 0 < len(path) <= 3 and PAGE_KEYS.issuperset(path) and array and isinstance(array[0], dict)
        ),
        None,
    )
    assert page_path(json.dumps(document, indent=indent).encode()) == expected


@pytest.mark.parametrize("text", [b'[{"a": 1}]', b'{"a": 1}'])
def test_byte_order_mark_before_a_document_lies_between_no_records(text: bytes) -> None:
    marked = b"\xef\xbb\xbf" + text
    splitter = Splitter(level_of(marked))
    assert b"".join(splitter.lines([marked])) == b'{"a": 1}\n'
    assert splitter.stray_bytes == 0


PAGES = st.sampled_from([("data",), ("data", "items"), ("results",)])


@examples(60)
@given(
    documents=st.lists(DOCUMENTS, min_size=1, max_size=3),
    rows=st.lists(st.dictionaries(WORDS, VALUES, max_size=3), max_size=4),
    page=PAGES,
    indent=st.sampled_from([None, 2]),
    size=st.integers(1, 80),
)
def test_pages_are_cut_like_the_parsed_documents(
    documents: list[Row], rows: list[Row], page: tuple[str, ...], indent: int | None, size: int
) -> None:
    for document in documents:
        place: Any = document
        for member in page[:-1]:
            place[member] = place[member] if isinstance(place.get(member), dict) else {}
            place = place[member]
        place[page[-1]] = rows
    text = "\n".join(json.dumps(document, indent=indent) for document in documents).encode()
    splitter = Splitter(0, page)
    cut = b"".join(splitter.lines(text[start : start + size] for start in range(0, len(text), size)))
    found = [json.loads(line) for line in cut.split(b"\n")[:-1]]
    expected = [
        element
        for document in documents
        for path, array in arrays(document)
        if path == page
        for element in array
        if isinstance(element, (dict, list))
    ]
    assert found == expected
    assert not splitter.unfinished


CELLS = st.text(alphabet=st.sampled_from(list("ab1,;|\t\"' {}[]\n\u00e9\u2028\ufeff\U0001f600")), max_size=10)
NAMES = st.sampled_from(["time", "tokens used", "a.b", "q'x", "\u00e9"])
HEADERS = st.lists(NAMES, min_size=2, max_size=5, unique=True)


@examples(25)
@given(data=st.data(), delimiter=st.sampled_from(tables.DELIMITERS), end=st.sampled_from(["\n", "\r\n"]))
def test_table_becomes_the_records_that_a_csv_reader_sees(data: st.DataObject, delimiter: str, end: str) -> None:
    header = data.draw(HEADERS)
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(header), max_size=len(header)), max_size=6))
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows([header, *rows])
    expected = [
        {name: cell or None for name, cell in row.items()}
        for row in csv.DictReader(io.StringIO(text.getvalue(), newline=""), delimiter=delimiter)
    ]
    form = replace(formats()["kong"], columns=dict.fromkeys(header, "VARCHAR"))
    with engine.connect() as connection, tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "in.csv"), Path(folder, "out.jsonl")
        source.write_text(text.getvalue(), encoding="utf-8", newline="")
        assert tables.write_csv_rows(connection, source, form, MOST_RECORD_BYTES, out) == []
        found = [json.loads(line) for line in out.read_text(encoding="utf-8").split("\n") if line]
    assert [{name: row.get(name) for name in header} for row in found] == expected


@cache
def macros() -> "duckdb.DuckDBPyConnection":
    connection = engine.connect()
    connection.execute(Path(mapper.__file__).with_name("macros.sql").read_text(encoding="utf-8"))
    return connection


COUNTS = st.none() | st.integers(0, 2**40)


@examples(100)
@given(total=COUNTS, part=COUNTS)
def test_a_part_and_what_is_apart_from_it_are_the_total(total: int | None, part: int | None) -> None:
    found = macros().execute(
        "SELECT apart($total::BIGINT, $part::BIGINT), not_included($total::BIGINT, $part::BIGINT, 'all', 'some')",
        {"total": total, "part": part},
    )
    ((rest, contradiction),) = found.fetchall()
    if total is None:
        assert (rest, contradiction) == (None, None)
    elif (part or 0) <= total:
        assert rest + (part or 0) == total
        assert contradiction is None
    else:
        assert rest == total
        assert contradiction.startswith(f"some ({part}) exceeds all ({total})")


PAIRS = st.lists(
    st.tuples(st.text(max_size=3) | st.text("k", min_size=126, max_size=130), st.text(max_size=3) | st.just("v" * 300)),
    max_size=80,
)


@examples(60)
@given(pairs=PAIRS)
def test_tags_keep_the_first_value_of_a_key_within_bounds(pairs: list[tuple[str, str]]) -> None:
    ((found,),) = (
        macros()
        .execute(
            "SELECT tag_map(list_transform($pairs::VARCHAR[][], lambda pair: {'key': pair[1], 'value': pair[2]}))",
            {"pairs": [list(pair) for pair in pairs]},
        )
        .fetchall()
    )
    first: dict[str, str] = {}
    for key, value in pairs:
        if key and value:
            first.setdefault(key[:128], value[:256])
    assert found == dict(list(first.items())[:64])
