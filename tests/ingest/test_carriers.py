"""However records are wrapped (lines, pages, tables, Parquet, archives), the same attempts come out."""

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, payloads

from infercost import engine
from infercost.config import Config
from infercost.ingest.registry import formats
from infercost.ingest.split import Splitter, page_path

ROWS = formats()["litellm-spendlogs"]
PLACE = ("load_id", "source_file", "source_line")


def records() -> list[dict[str, Any]]:
    """Return the records of the sample of SpendLogs rows."""
    return [json.loads(line) for line in ROWS.sample.read_text(encoding="utf-8").splitlines()]


def as_csv(delimiter: str = ",") -> bytes:
    """Return the records as a CSV table, with JSON in the cells that hold objects."""
    names = list(dict.fromkeys(name for record in records() for name in record))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, delimiter=delimiter)
    writer.writeheader()
    for record in records():
        cells = {name: value if isinstance(value, str) else json.dumps(value) for name, value in record.items()}
        writer.writerow({name: "" if cell == "null" else cell for name, cell in cells.items()})
    return out.getvalue().encode()


def as_parquet(path: Path) -> bytes:
    with engine.connect() as connection:
        connection.execute(
            f"COPY (FROM read_json({engine.literal(str(ROWS.sample))}, maximum_depth = 1)) "
            f"TO {engine.literal(str(path))} (FORMAT parquet)"
        )
    return path.read_bytes()


def as_zip(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


LINES = ROWS.sample.read_bytes()
WRAPPED = {
    "array.json": json.dumps(records()).encode(),
    "page.json": json.dumps({"total": 3, "data": records(), "page": 1}).encode(),
    "pretty-page.json": json.dumps({"results": records(), "meta": {"x": [{"y": "}"}]}}, indent=2).encode(),
    "nested-page.json": json.dumps({"success": True, "data": {"page": 1, "items": records()}}).encode(),
    "pages.jsonl": b"\n".join(json.dumps({"result": [record]}).encode() for record in records()),
    "pages.json.gz": gzip.compress(json.dumps({"data": records()}).encode()),
    "comma.csv": as_csv(),
    "semicolon.csv": as_csv(";"),
    "tab.tsv": as_csv("\t"),
    "packed.csv.gz": gzip.compress(as_csv()),
    "lines.zip": as_zip(("a/rows.jsonl", LINES)),
}


def attempts(lab: Lab, path: Path) -> list[dict[str, Any]]:
    result = lab.ingest(path, store=f"store-{path.name}", settings=Config(hash_ids=False))
    assert [each.format for each in result.files] == [ROWS.name]
    return lab.attempts(f"store-{path.name}", without=PLACE)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The attempts of the records as they are, one a line."""
    lab = Lab(tmp_path_factory.mktemp("plain"))
    return attempts(lab, lab.write("lines.jsonl", LINES))


@pytest.mark.parametrize("name", WRAPPED)
def test_every_wrapping_gives_the_same_attempts(lab: Lab, plain: list[dict[str, Any]], name: str) -> None:
    assert attempts(lab, lab.write(name, WRAPPED[name])) == plain


def test_parquet_gives_the_same_attempts(lab: Lab, plain: list[dict[str, Any]]) -> None:
    as_parquet(lab.folder / "rows.parquet")
    assert attempts(lab, lab.folder / "rows.parquet") == plain


def test_damaged_parquet_is_named(lab: Lab) -> None:
    whole = as_parquet(lab.folder / "rows.parquet")
    path = lab.write("cut.parquet", whole[: len(whole) // 2])
    (file,) = lab.ingest(path).files
    assert file.problem is not None
    assert file.problem.startswith("not a whole Parquet file")


def test_members_of_an_archive_are_files_of_their_own(lab: Lab) -> None:
    content = as_zip(("a/rows.jsonl", LINES), ("a/other.csv", as_csv()), ("a/readme.md", b"no log"))
    result = lab.ingest(lab.write("export.zip", content))
    folder = lab.folder
    assert [each.source_file for each in result.files] == [
        f"{folder}/export.zip/a/rows.jsonl",
        f"{folder}/export.zip/a/other.csv",
    ]
    assert result.left_out == [f"{folder}/export.zip/a/readme.md"]
    assert sorted(each.attempts for each in result.files) == [0, result.total("attempts")]
    assert [each.unchanged for each in lab.ingest(folder / "export.zip").files] == [True, True]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (as_zip(("a.md", b"x")), "the ZIP archive holds no file that is named like a log"),
        (as_zip(("a.jsonl", LINES))[:-30], "the ZIP archive cannot be read"),
    ],
)
def test_archive_that_cannot_be_read_is_named(lab: Lab, content: bytes, reason: str) -> None:
    (file,) = lab.ingest(lab.write("a.zip", content)).files
    assert file.problem is not None
    assert file.problem.startswith(reason)


def test_member_of_an_archive_that_unpacks_beyond_all_bounds_is_left_out(lab: Lab) -> None:
    from infercost.ingest import archive

    path = lab.write("bomb.zip", as_zip(("a.jsonl", LINES), ("b.jsonl", b" " * 5_000_000)))
    ratio = archive.MOST_RATIO
    archive.MOST_RATIO = 100
    try:
        result = lab.ingest(path)
    finally:
        archive.MOST_RATIO = ratio
    assert result.left_out == [f"{lab.folder}/bomb.zip/b.jsonl"]


def test_cells_with_line_breaks_count_as_one_record(lab: Lab) -> None:
    path = lab.write(
        "a.csv",
        "request_id,call_type,spend,startTime,status,model,end_user\n"
        'r1,acompletion,0.1,2026-11-23 15:25:01,success,gpt-4o,"two\nlines"\n'
        "r2,acompletion,0.1,2026-11-23 15:25:02,success,gpt-4o,one\n",
    )
    assert lab.ingest(path).total("attempts") == 2
    assert lab.rows("SELECT source_line, response_id FROM attempts ORDER BY 1") == [(2, "r1"), (3, "r2")]


def test_records_of_a_page_longer_than_the_head_are_found(lab: Lab) -> None:
    from infercost.ingest import identify

    page = {"data": payloads(3), "padding": "x" * 10}
    content = json.dumps(page).encode()
    original = identify.HEAD_BYTES, identify.LARGE_HEAD_BYTES
    identify.HEAD_BYTES = identify.LARGE_HEAD_BYTES = len(content) // 2
    try:
        result = lab.ingest(lab.write("a.json", content))
    finally:
        identify.HEAD_BYTES, identify.LARGE_HEAD_BYTES = original
    assert result.total("attempts") == 3


@pytest.mark.parametrize("step", [1, 2, 7, 64, 10_000])
def test_pages_are_cut_the_same_wherever_the_chunks_end(step: int) -> None:
    text = json.dumps(
        {
            "other": [{"no": 1}],
            "data": {"note": 'a"]}[', "items": [{"a": [{"b": "}"}]}, {"c\n": 2}], "more": [{"no": 2}]},
        },
        indent=1,
    ).encode()
    assert page_path(text) == ("data", "items")
    splitter = Splitter(0, page=("data", "items"))
    lines = b"".join(splitter.lines(text[at : at + step] for at in range(0, len(text), step))).splitlines()
    assert [json.loads(line) for line in lines] == [{"a": [{"b": "}"}]}, {"c\n": 2}]
    assert not splitter.unfinished
