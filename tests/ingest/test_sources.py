"""What the paths of a command line come to, and what may lie in the files."""

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard
from lab import lines, payload, payloads

from infercost.errors import UsageError
from infercost.ingest.registry import formats
from infercost.ingest.sources import discover

if TYPE_CHECKING:
    from lab import Lab


def names(lab: "Lab", *paths: str) -> list[str]:
    found = discover([str(lab.folder / path) for path in paths], lab.folder / "store")
    return [path.relative_to(lab.folder).as_posix() for path in found.files]


@pytest.fixture
def tree(lab: "Lab") -> "Lab":
    """A folder of logs with other files among them."""
    for name in (
        "logs/b.jsonl",
        "logs/a.jsonl",
        "logs/2026/11/03.json.gz",
        "logs/2026/app.log.7",
        "logs/2026/objects/chatcmpl-1",
        "logs/picture.png",
        "logs/archive.tar.gz",
        "logs/.hidden.jsonl",
        "logs/.git/config.json",
    ):
        lab.write(name, b"{}\n")
    return lab


def test_folder_is_read_with_its_folders_and_in_order(tree: "Lab") -> None:
    assert names(tree, "logs") == [
        "logs/a.jsonl",
        "logs/b.jsonl",
        "logs/2026/app.log.7",
        "logs/2026/11/03.json.gz",
        "logs/2026/objects/chatcmpl-1",
    ]


def test_other_files_of_a_folder_are_left_out_and_named(tree: "Lab") -> None:
    outcome = tree.read(tree.write("logs/good.jsonl", payloads(1)).parent)
    assert {Path(path).name for path in outcome.counts["left_out"]} == {"picture.png", "archive.tar.gz"}
    (note,) = [line for line in outcome.err.splitlines() if line.startswith("left out")]
    assert note.startswith("left out 2 files that are not named like logs: ")
    assert str(tree.folder / "logs/picture.png") in note


def test_file_that_is_named_outright_is_read_whatever_its_name(lab: "Lab") -> None:
    path = lab.write(".log-of.png", payloads(2))
    assert lab.ingest(path).total("attempts") == 2


def test_glob_over_folders(tree: "Lab") -> None:
    assert names(tree, "logs/**/*.jsonl") == ["logs/a.jsonl", "logs/b.jsonl"]
    assert names(tree, "logs/[a]*") == ["logs/a.jsonl", "logs/archive.tar.gz"]


def test_file_whose_name_looks_like_a_glob_is_itself(lab: "Lab") -> None:
    lab.write("a[1].jsonl", payloads(1))
    assert names(lab, "a[1].jsonl") == ["a[1].jsonl"]


def test_file_that_is_named_twice_is_read_once(lab: "Lab") -> None:
    path = lab.write("logs/a.jsonl", payloads(2))
    result = lab.ingest(path, path, path.parent, str(path.parent / "*.jsonl"))
    assert [(each.source_file, each.records) for each in result.files] == [(str(path), 2)]


def test_same_file_by_two_names_counts_once(lab: "Lab") -> None:
    path = lab.write("logs/a.jsonl", payloads(2))
    (lab.folder / "logs/latest.jsonl").symlink_to(path)
    result = lab.ingest(lab.folder / "logs")
    assert result.total("attempts") == 2
    assert lab.value("SELECT count(*) FROM attempts") == 2


def test_store_inside_the_folder_is_not_read(lab: "Lab") -> None:
    lab.write("a.jsonl", payloads(2))
    lab.ingest(lab.folder)
    result = lab.ingest(lab.folder)
    assert [Path(each.source_file).name for each in result.files] == ["a.jsonl"]


def test_path_that_names_nothing_is_a_usage_error(lab: "Lab") -> None:
    with pytest.raises(UsageError, match=r"no\.jsonl: no such file or folder"):
        discover(["no.jsonl"], lab.folder)
    outcome = lab.read(lab.write("a.jsonl", payloads(1)), lab.folder / "no" / "*.jsonl")
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {lab.folder}/no/*.jsonl: no such file or folder\n  hint: ")
    assert lab.store().snapshot().sequence == 0


def test_format_that_is_not_there_is_an_error_that_lists_them(lab: "Lab") -> None:
    outcome = lab.call("ingest", "logs", lab.write("a.jsonl", payloads(1)), "--format", "nginx")
    assert outcome.code != 0
    assert outcome.err.startswith("error: --format nginx: not a format\n")
    assert "claude-code" in outcome.err


def test_chosen_format_is_taken_for_files_that_none_recognises(lab: "Lab") -> None:
    record = payload(1)
    del record["metadata"]
    path = lab.write("a.jsonl", [record])
    assert lab.ingest(path).problems
    assert lab.ingest(path, chosen="litellm").total("attempts") == 1


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_standard_input(lab: "Lab", pack: type) -> None:
    content = pack(lines(payloads(3)))
    first = lab.process("ingest", "logs", "-", "--json", stdin=content)
    assert (first.code, first.counts["attempts"]) == (0, 3)
    assert lab.value("SELECT DISTINCT source_file FROM attempts") == "-"
    if pack is bytes:
        again = lab.process("ingest", "logs", "-", "--json", stdin=content + lines(payloads(2, 3)))
        assert (again.counts["records"], again.counts["attempts"]) == (2, 2)


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


@pytest.mark.parametrize("name", ["a.jsonl", "a.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
def test_packing_is_told_by_the_content_not_by_the_name(lab: "Lab", name: str, pack: type) -> None:
    path = lab.write(name, pack(lines(payloads(3))))
    assert lab.ingest(path).total("attempts") == 3


def test_several_packed_members_are_one_file(lab: "Lab") -> None:
    parts = [lines(payloads(2, first)) for first in (0, 2, 4)]
    for number, pack in enumerate((gzip.compress, zstd)):
        path = lab.write(f"{number}.jsonl", b"".join(pack(part) for part in parts))
        result = lab.ingest(path, store=f"store-{number}")
        assert result.total("attempts") == 6
        assert lab.rows("SELECT source_line FROM attempts ORDER BY 1", f"store-{number}") == [
            (line,) for line in range(1, 7)
        ]


def test_hundreds_of_one_object_files_are_one_commit(lab: "Lab") -> None:
    for number in range(300):
        text = json.dumps(payload(number), indent=2 if number % 2 else None)
        lab.write(f"s3/2026-11-23/{number:03}.json", text)
    result = lab.ingest(lab.folder / "s3")
    assert (result.total("records"), result.total("attempts")) == (300, 300)
    assert lab.store().snapshot().sequence == 1
    assert lab.value("SELECT count(DISTINCT source_file) FROM attempts") == 300
    assert all(each.unchanged for each in lab.ingest(lab.folder / "s3").files)


@pytest.mark.parametrize("indent", [None, 0, 4])
def test_json_array(lab: "Lab", indent: int | None) -> None:
    path = lab.write("a.json", json.dumps(payloads(4), indent=indent))
    assert lab.ingest(path).total("attempts") == 4
    assert lab.rows("SELECT source_line FROM attempts ORDER BY 1") == [(1,), (2,), (3,), (4,)]


def test_objects_over_many_lines_one_after_another(lab: "Lab") -> None:
    path = lab.write("a.json", "\n".join(json.dumps(each, indent=2) for each in payloads(4)))
    assert lab.ingest(path).total("attempts") == 4


def test_files_of_different_formats_in_one_ingest_are_all_visible(lab: "Lab") -> None:
    samples = [formats()[name].sample for name in ("claude-code", "litellm", "otlp")]
    result = lab.ingest(*samples)
    assert result.total("attempts") == lab.value("SELECT count(*) FROM attempts")
    assert lab.value("SELECT count(*) FROM loads") == len(samples)
    assert {row[0] for row in lab.rows("SELECT DISTINCT format FROM attempts")} <= set(formats())
    assert lab.store().snapshot().sequence == len(samples)


def test_compiled_code_is_neither_read_nor_counted(lab: "Lab") -> None:
    lab.write("logs/a.jsonl", [payload(1)])
    lab.write("logs/__pycache__/tool.cpython-311.pyc", b"\0compiled")
    result = lab.ingest(lab.folder / "logs")
    assert (len(result.files), result.left_out) == (1, [])
