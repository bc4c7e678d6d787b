"""Reading again: nothing twice, everything new, and the same store whatever the order."""

import gzip
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab import lines, message, payload, payloads

from infercost.ingest.registry import formats

if TYPE_CHECKING:
    from lab import Lab

PROVENANCE = ("load_id", "source_file", "source_line")
"""Columns that say where a record lies."""


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return the content of every file of the store."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def starts(lab: "Lab") -> list[tuple[int, int, int]]:
    """Return the byte range and the attempts of every load, in the order of the file."""
    return lab.rows("SELECT byte_start, byte_end, attempts FROM loads ORDER BY byte_end, byte_start")


# All of them at once take a minute; each by itself is held to the same by test_properties.py.
@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_second_ingest_changes_no_byte(lab: "Lab", step: int) -> None:
    samples = [each.sample for each in formats().values()][::step]
    first = lab.ingest(*samples)
    assert first.total("attempts") > 50 / step
    before = lab.store().snapshot()
    content = bytes_of(lab.store().folder)
    second = lab.ingest(*samples)
    assert lab.store().snapshot() == before
    assert bytes_of(lab.store().folder) == content
    assert [each.unchanged for each in second.files] == [True] * len(samples)
    assert second.total("records") == 0


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.json", "a.csv"])
def test_second_ingest_of_files_that_are_read_whole_changes_nothing(lab: "Lab", name: str) -> None:
    contents = {
        "a.jsonl.gz": gzip.compress(lines(payloads(3))),
        "a.json": json.dumps(payloads(3)).encode(),
        "a.csv": formats()["litellm-spendlogs"].samples[1].read_bytes(),
    }
    path = lab.write(name, contents[name])
    assert lab.ingest(path).total("attempts") >= 3
    assert lab.ingest(path).files[0].unchanged
    assert lab.store().snapshot().sequence == 1


def test_grown_file_is_read_from_where_it_ended(lab: "Lab") -> None:
    path = lab.write("a.jsonl", payloads(3))
    lab.ingest(path)
    end = path.stat().st_size
    lab.write("a.jsonl", payloads(5))
    result = lab.ingest(path)
    assert (result.total("records"), result.total("attempts")) == (2, 2)
    assert starts(lab) == [(0, end, 3), (end, path.stat().st_size, 2)]
    assert lab.rows("SELECT source_line FROM attempts ORDER BY 1") == [(1,), (2,), (3,), (4,), (5,)]


def test_line_that_is_still_being_written_waits_for_its_end(lab: "Lab") -> None:
    whole = lines(payloads(4))
    cut = len(whole) - 200
    path = lab.write("a.jsonl", whole[:cut])
    outcome = lab.read(path)
    complete = whole[:cut].rindex(b"\n") + 1
    assert outcome.code == 0
    assert outcome.counts["attempts"] == 3
    assert outcome.warnings == [
        f"{path}: the last line is not complete ({cut - complete:,} bytes); it is read when the file has grown"
    ]
    path.write_bytes(whole)
    assert lab.ingest(path).total("attempts") == 1
    assert starts(lab) == [(0, complete, 3), (complete, len(whole), 1)]
    assert lab.value("SELECT max(source_line) FROM attempts") == 4


def test_line_that_stays_incomplete_makes_no_commit(lab: "Lab") -> None:
    path = lab.write("a.jsonl", lines(payloads(4))[:-200])
    lab.ingest(path)
    again = lab.ingest(path)
    assert again.files[0].pending_bytes > 0
    assert lab.store().snapshot().sequence == 1


def test_last_record_without_line_break_is_read_at_once_and_only_once(lab: "Lab") -> None:
    whole = lines(payloads(4))
    first = lines(payloads(2)).removesuffix(b"\n")
    path = lab.write("a.jsonl", first)
    assert lab.ingest(path).total("attempts") == 2
    assert lab.ingest(path).files[0].unchanged
    path.write_bytes(whole)
    result = lab.ingest(path)
    assert (result.total("records"), result.total("attempts")) == (2, 2)
    assert lab.rows("SELECT source_line FROM attempts ORDER BY 1") == [(1,), (2,), (3,), (4,)]


def test_rotated_file_is_not_read_again_and_its_successor_is(lab: "Lab") -> None:
    path = lab.write("app.log", payloads(3))
    lab.ingest(path)
    path.rename(lab.folder / "app.log.1")
    lab.write("app.log", payloads(2, 3))
    result = lab.ingest(lab.folder / "app.log*")
    found = {Path(each.source_file).name: each for each in result.files}
    assert found["app.log.1"].unchanged
    assert found["app.log"].attempts == 2


def test_rotated_file_that_grew_before_it_was_renamed_is_read_on(lab: "Lab") -> None:
    path = lab.write("app.log", payloads(3))
    lab.ingest(path)
    lab.write("app.log", payloads(5))
    path.rename(lab.folder / "app.log.1")
    result = lab.ingest(lab.folder / "app.log.1")
    assert (result.total("records"), result.total("attempts")) == (2, 2)


@pytest.mark.parametrize("count", [2, 9], ids=["shorter", "longer"])
def test_other_content_under_the_same_name_is_read_whole(lab: "Lab", count: int) -> None:
    path = lab.write("a.jsonl", payloads(4))
    lab.ingest(path)
    lab.write("a.jsonl", payloads(count, 100))
    assert lab.ingest(path).total("attempts") == count
    assert lab.value("SELECT count(*) FROM attempts") == 4 + count


def test_changed_middle_is_noticed_when_the_file_grows(lab: "Lab") -> None:
    records = payloads(3)
    path = lab.write("a.jsonl", records)
    lab.ingest(path)
    records[1] = payload(77)
    lab.write("a.jsonl", [*records, payload(3)])
    result = lab.ingest(path)
    assert (result.total("records"), result.total("duplicates"), result.total("attempts")) == (4, 2, 2)


def test_same_records_in_another_file_are_duplicates(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", payloads(5)))
    result = lab.ingest(lab.write("b.jsonl", payloads(5)[::-1]))
    assert (result.total("duplicates"), result.total("attempts")) == (5, 0)
    assert lab.value("SELECT count(*) FROM attempts") == 5


def test_same_file_packed_is_all_duplicates(lab: "Lab") -> None:
    path = lab.write("a.jsonl", payloads(5))
    lab.ingest(path)
    packed = lab.write("a.jsonl.gz", gzip.compress(path.read_bytes()))
    assert lab.ingest(packed).total("duplicates") == 5


def test_larger_copy_in_a_later_ingest_replaces_the_stored_one(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", [message("A", 5, output_tokens=1), message("B", 6, output_tokens=50)]))
    old = lab.store().snapshot().files("attempts")
    result = lab.ingest(lab.write("b.jsonl", [message("A", 9, output_tokens=700)]))
    assert result.total("attempts") == 1
    assert lab.rows(
        "SELECT response_id, output_tokens, strftime(started_at, '%H:%M:%S'), parse_filename(source_file) "
        "FROM attempts ORDER BY 1"
    ) == [("msg_A", 700, "09:00:05", "b.jsonl"), ("msg_B", 50, "09:00:06", "a.jsonl")]
    assert not set(old) & set(lab.store().snapshot().files("attempts"))
    cost = lab.rows("SELECT response_id, list_cost FROM attempts ORDER BY 1")
    assert cost[0][1] > cost[1][1]


def test_smaller_copy_in_a_later_ingest_is_a_duplicate(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", [message("A", 9, output_tokens=700)]))
    result = lab.ingest(lab.write("b.jsonl", [message("A", 12, output_tokens=1)]))
    assert (result.total("attempts"), result.total("duplicates")) == (0, 1)
    assert lab.value("SELECT output_tokens FROM attempts") == 700


def test_smaller_copy_that_starts_earlier_moves_the_start(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", [message("A", 9, output_tokens=700)]))
    lab.ingest(lab.write("b.jsonl", [message("A", 5, output_tokens=1)]))
    assert lab.rows("SELECT output_tokens, strftime(started_at, '%S') FROM attempts") == [(700, "05")]


def test_copies_on_two_sides_of_midnight_are_one_attempt(lab: "Lab") -> None:
    before = message("A", 0, 1, timestamp="2026-11-02T23:59:59.000Z")
    after = message("A", 1, 700, timestamp="2026-11-03T00:00:01.000Z")
    lab.ingest(lab.write("a.jsonl", [before]))
    lab.ingest(lab.write("b.jsonl", [after]))
    assert lab.rows("SELECT output_tokens, strftime(started_at, '%d %H:%M:%S') FROM attempts") == [(700, "02 23:59:59")]


def test_order_of_the_files_makes_no_difference(lab: "Lab") -> None:
    files = [
        lab.write("a.jsonl", [message("A", 5, 1), message("B", 6, 50), message("C", 7, 5)]),
        lab.write("b.jsonl", [message("A", 9, 700), message("C", 3, 2)]),
        lab.write("c.jsonl", [message("B", 8, 20), message("A", 20, 300)]),
    ]
    found = []
    for number, order in enumerate(list(itertools.permutations(files))[1::2]):
        for path in order:
            lab.ingest(path, store=f"store-{number}")
        found.append(lab.attempts(f"store-{number}", without=PROVENANCE))
    together = lab.ingest(*files, store="together")
    assert together.total("attempts") == 3
    assert all(each == lab.attempts("together", without=PROVENANCE) for each in found)


def test_payload_wins_over_the_row_of_the_same_call_in_either_order(lab: "Lab") -> None:
    both = [formats()[name].sample for name in ("litellm", "litellm-spendlogs")]
    for number, order in enumerate((both, both[::-1])):
        for path in order:
            lab.ingest(path, store=f"store-{number}")
    salted = (*PROVENANCE, "user_id", "api_key_id")
    assert lab.attempts("store-1", without=salted) == lab.attempts("store-0", without=salted)
