"""What the user gets for input that is broken: one clear message, every good record, a count and an exit code."""

import gzip
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from lab import command, lines, payload, payloads

if TYPE_CHECKING:
    from lab import Lab, Outcome

PARTLY_REJECTED = 3
GIGABYTE = 1 << 30


def counts(outcome: "Outcome") -> tuple[int, int, int]:
    """Return records, attempts and rejects."""
    found = outcome.counts
    return found["records"], found["attempts"], found["rejected"]


def assert_not_read(lab: "Lab", outcome: "Outcome", path: Path, reason: str) -> None:
    """Assert that the file is named with the reason, in one line, and that nothing came into the store."""
    assert outcome.code == PARTLY_REJECTED
    assert outcome.warnings == [f"warning: {path}: not read: {reason}"]
    assert outcome.counts["unread_files"] == 1
    assert lab.store().snapshot().sequence == 0


def assert_one_rejected(lab: "Lab", outcome: "Outcome", path: Path, line: int, reason: str, good: int) -> None:
    """Assert that one record is named with file, line and reason, and that all the good ones are stored."""
    assert outcome.code == PARTLY_REJECTED
    assert outcome.warnings == [f"warning: {path}:{line}: rejected: {reason}"]
    assert counts(outcome) == (good + 1, good, 1)
    assert lab.value("SELECT count(*) FROM attempts") == good
    assert lab.rejects() == [(line, reason)]


def with_bad_line(bad: bytes, before: int = 3, after: int = 4) -> bytes:
    """Return good lines with a bad one among them, which is line before + 1."""
    return lines(payloads(before)) + bad + b"\n" + lines(payloads(after, before))


# --- files that cannot be read at all ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(b"\n \r\n\n", "the file is empty", id="blank"),
        pytest.param(gzip.compress(b""), "the file is empty", id="empty gzip"),
        pytest.param(b"\x7fELF\x02\x01\x01\0\0\0\0\n{}\n", "the file is binary, not a text log", id="binary"),
        pytest.param(b"just a sentence\n", "neither JSON nor a CSV table with a header", id="prose"),
    ],
)
def test_file_without_records_is_named_with_the_reason(lab: "Lab", content: bytes, reason: str) -> None:
    path = lab.write("a.log", content)
    assert_not_read(lab, lab.read(path), path, reason)


@pytest.mark.parametrize("line", ["null", "[]", "[1, 2]", '"text"', "17", "{}"])
def test_json_without_a_record_is_not_read(lab: "Lab", line: str) -> None:
    path = lab.write("a.jsonl", f"{line}\n")
    outcome = lab.read(path)
    assert outcome.code == PARTLY_REJECTED
    (warning,) = outcome.warnings
    assert warning.startswith(f"warning: {path}: not read: ")
    assert lab.store().snapshot().sequence == 0


def test_file_of_no_format_names_the_closest_and_what_it_misses(lab: "Lab") -> None:
    record = payload(1)
    del record["response_cost"]
    path = lab.write("a.jsonl", [record])
    outcome = lab.read(path)
    (warning,) = outcome.warnings
    assert warning.startswith(f"warning: {path}: not read: no format recognises it (checks met: litellm 5 of 6, ")
    assert "litellm-spendlogs 3 of 5" in warning
    assert warning.endswith("closest is litellm, which also needs json_exists(record, '$.response_cost')")
    assert lab.store().snapshot().sequence == 0


def test_file_of_two_formats_names_both(lab: "Lab") -> None:
    both = payload(1) | {"resourceSpans": []}
    path = lab.write("a.jsonl", [both])
    assert_not_read(lab, lab.read(path), path, "claimed by litellm and otlp; choose one with --format")


def test_file_that_cannot_be_opened_does_not_stop_the_others(lab: "Lab") -> None:
    good = lab.write("good.jsonl", payloads(3))
    socket = lab.folder / "gone.jsonl"
    socket.symlink_to(lab.folder / "nowhere")
    outcome = lab.read(lab.folder / "g*.jsonl")
    assert outcome.code == PARTLY_REJECTED
    assert outcome.warnings == [f"warning: {socket}: not read: No such file or directory"]
    assert outcome.counts["attempts"] == 3
    assert str(good) in {each["source_file"] for each in outcome.counts["per_file"]}


def test_bad_files_beside_good_ones_are_each_named(lab: "Lab") -> None:
    lab.write("logs/a.jsonl", payloads(2))
    lab.write("logs/b.jsonl", b"")
    lab.write("logs/c.jsonl", b"\0\1\2\n")
    lab.write("logs/d.jsonl", payloads(2, 2))
    outcome = lab.read(lab.folder / "logs")
    assert outcome.code == PARTLY_REJECTED
    assert len(outcome.warnings) == 2
    assert counts(outcome) == (4, 4, 0)


# --- streams that end early ----------------------------------------------------------------------------------


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


@pytest.mark.parametrize(("pack", "name"), [(gzip.compress, "gzip"), (zstd, "zstd")])
def test_truncated_stream_keeps_what_came_before(lab: "Lab", pack: Any, name: str) -> None:
    whole = pack(lines(payloads(5000)))
    path = lab.write("a.jsonl.packed", whole[: len(whole) * 2 // 3])
    outcome = lab.read(path)
    good = lab.value("SELECT count(*) FROM attempts")
    assert 1000 < good < 5000
    assert_one_rejected(lab, outcome, path, good + 1, f"the {name} stream is cut off", good)


def test_truncated_stream_that_is_completed_later_is_read_then(lab: "Lab") -> None:
    whole = gzip.compress(lines(payloads(2000)))
    path = lab.write("a.jsonl.gz", whole[: len(whole) // 2])
    lab.read(path)
    path.write_bytes(whole)
    outcome = lab.read(path)
    assert outcome.code == 0
    assert lab.value("SELECT count(*) FROM attempts") == 2000


def test_damage_in_the_middle_of_gzip_keeps_what_came_before(lab: "Lab") -> None:
    whole = bytearray(gzip.compress(lines(payloads(20000))))
    middle = len(whole) // 2
    whole[middle : middle + 64] = bytes(byte ^ 0xFF for byte in whole[middle : middle + 64])
    path = lab.write("a.jsonl.gz", bytes(whole))
    outcome = lab.read(path)
    assert outcome.code == PARTLY_REJECTED
    assert lab.value("SELECT count(*) FROM attempts") >= 9_900
    assert any("the gzip stream is damaged" in reason for _, reason in lab.rejects())
    found = outcome.counts
    # What comes out of the damaged part until the damage shows may repeat good lines.
    assert found["records"] == found["attempts"] + found["duplicates"] + found["rejected"]


def test_truncated_json_array_keeps_the_whole_records(lab: "Lab") -> None:
    text = json.dumps(payloads(5), indent=2)
    path = lab.write("a.json", text[: text.rindex('"startTime"')])
    assert_one_rejected(lab, lab.read(path), path, 5, "the file ends inside a record", 4)


# --- single records that are broken --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(b'{"id": "x", "call_type":', "not valid JSON", id="malformed"),
        pytest.param(b"2026-11-03 ERROR something else", "not valid JSON", id="prose"),
        pytest.param(json.dumps(payload(99)).encode() + b"garbage", "not valid JSON", id="garbage behind"),
        pytest.param(json.dumps(payload(99)).encode() * 2, "not valid JSON", id="two in one line"),
        pytest.param(b"null", "no start time", id="null"),
        pytest.param(b"[1, 2]", "not a JSON object", id="array"),
        pytest.param(b'"text"', "not a JSON object", id="string"),
        pytest.param(b"17", "not a JSON object", id="number"),
        pytest.param(
            json.dumps(payload(99)).encode().replace(b"user-0", b"us\xff\xfe"), "not valid UTF-8", id="invalid UTF-8"
        ),
        pytest.param(
            json.dumps(payload(99, prompt_tokens="many")).encode(),
            'prompt_tokens: expected a bigint, found "many"',
            id="string for a number",
        ),
        pytest.param(
            json.dumps(payload(99, metadata="none")).encode(),
            'metadata: expected an object, found "none"',
            id="string for an object",
        ),
        pytest.param(
            json.dumps(payload(99, request_tags={"a": 1})).encode(),
            'request_tags: expected a list, found {"a":1}',
            id="object for a list",
        ),
        pytest.param(
            json.dumps(payload(99, prompt_tokens=-1)).encode(), "a token count is negative", id="negative tokens"
        ),
        pytest.param(
            json.dumps(payload(99, startTime=1795447524000.0)).encode(),
            "startTime is not in epoch seconds",
            id="milliseconds for seconds",
        ),
    ],
)
def test_bad_record_among_good_ones(lab: "Lab", bad: bytes, reason: str) -> None:
    path = lab.write("a.jsonl", with_bad_line(bad))
    assert_one_rejected(lab, lab.read(path), path, 4, reason, 7)


def test_bad_record_of_a_compressed_file_is_named_by_its_line(lab: "Lab") -> None:
    path = lab.write("a.jsonl.gz", gzip.compress(with_bad_line(b"{")))
    assert_one_rejected(lab, lab.read(path), path, 4, "not valid JSON", 7)


def test_bad_first_line_does_not_hide_the_format(lab: "Lab") -> None:
    path = lab.write("a.jsonl", b"{oops\n" + lines(payloads(3)))
    assert_one_rejected(lab, lab.read(path), path, 1, "not valid JSON", 3)


def test_bad_record_of_one_file_leaves_the_others_alone(lab: "Lab") -> None:
    good = [lab.write(f"logs/{name}.jsonl", payloads(5, first)) for name, first in (("a", 0), ("c", 10))]
    bad = lab.write("logs/b.jsonl", with_bad_line(b"{"))
    outcome = lab.read(lab.folder / "logs")
    assert outcome.warnings == [f"warning: {bad}:4: rejected: not valid JSON"]
    by_file = {each["source_file"]: each for each in outcome.counts["per_file"]}
    assert [by_file[str(path)]["records"] for path in (good[0], bad, good[1])] == [5, 8, 5]
    assert [by_file[str(path)]["rejected"] for path in (good[0], bad, good[1])] == [0, 1, 0]


def test_many_rejects_are_named_up_to_a_limit_and_all_listed(lab: "Lab") -> None:
    path = lab.write("a.jsonl", lines(payloads(2)) + b"{\n" * 100)
    outcome = lab.read(path)
    assert len(outcome.warnings) == 21
    assert outcome.warnings[-1] == 'warning: 80 more rejected records: infercost sql "from rejects"'
    assert [line for line, _ in lab.rejects()] == list(range(3, 103))
    listed = lab.call("sql", "from rejects", "--format", "csv")
    assert listed.code == 0
    assert listed.out.count("not valid JSON") == 100


def test_line_of_50_megabytes_takes_neither_its_neighbours_nor_the_memory(lab: "Lab") -> None:
    bad = b'{"id": "' + b"x" * 50_000_000 + b'"}'
    path = lab.write("a.jsonl", with_bad_line(bad))
    lab.store()
    words = [*command("ingest", "logs", path, "--json", "--store", lab.folder / "store")]
    # Children of this process so far count too, so the process is measured by one of its own.
    script = "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode; "
    script += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)"
    done = subprocess.run([words[0], "-c", script, *words], capture_output=True, check=False, text=True)
    *messages, kilobytes = done.stderr.splitlines()
    reason = "50,000,010 bytes in one line; the limit is 33,554,432 (max_record_bytes under [ingest])"
    assert done.returncode == PARTLY_REJECTED
    assert messages == [f"warning: {path}:4: rejected: {reason}"]
    assert json.loads(done.stdout)["attempts"] == 7
    assert lab.rejects() == [(4, reason)]
    assert int(kilobytes) * 1024 < GIGABYTE


@pytest.mark.parametrize("neighbour", [b"", b"{"], ids=["sound", "broken"])
def test_line_of_30_megabytes_is_read_whatever_its_neighbours_are(lab: "Lab", neighbour: bytes) -> None:
    long = json.dumps(payload(99, messages="x" * 30_000_000)).encode()
    path = lab.write("a.jsonl", lines(payloads(2)) + long + b"\n" + neighbour + b"\n" + lines(payloads(2, 2)))
    outcome = lab.read(path)
    assert outcome.counts["attempts"] == 5
    assert outcome.counts["rejected"] == bool(neighbour)


def test_limit_of_a_line_can_be_raised(lab: "Lab") -> None:
    path = lab.write("a.jsonl", with_bad_line(json.dumps(payload(99, messages="x" * 40_000_000)).encode()))
    config = lab.write("infercost.toml", "[ingest]\nmax_record_bytes = 83_886_080\n")
    assert counts(lab.call("ingest", "logs", path, "--json", "--config", config)) == (8, 8, 0)


# --- input that only looks odd -------------------------------------------------------------------------------


def test_number_where_text_was_is_taken_as_text(lab: "Lab") -> None:
    changed = payload(1, end_user=42, id=7, model_group=4.5, request_tags=[1, "feature:search"])
    path = lab.write("a.jsonl", [payload(0), changed])
    config = lab.write("infercost.toml", "[privacy]\nhash_ids = false\n")
    outcome = lab.call("ingest", "logs", path, "--config", config)
    assert outcome.code == 0
    assert lab.rows("SELECT user_id, response_id, request_model FROM attempts WHERE response_id = '7'") == [
        ("42", "7", "4.5")
    ]


def test_number_in_text_is_taken_as_a_number(lab: "Lab") -> None:
    path = lab.write("a.jsonl", [payload(0, prompt_tokens="120"), payload(1)])
    assert lab.read(path).code == 0
    assert lab.value("SELECT sum(input_tokens) FROM attempts") == 120 + 101


def test_later_version_with_more_keys_is_read(lab: "Lab") -> None:
    more = {"schema": "v9", "cost_v2": {"amount": "1.00"}, "prompt_tokens_v2": [1, 2]}
    path = lab.write("a.jsonl", [payload(number, **more) for number in range(3)])
    outcome = lab.read(path)
    assert outcome.code == 0
    assert counts(outcome) == (3, 3, 0)


def test_later_version_without_needed_keys_is_rejected_by_name(lab: "Lab") -> None:
    bare = {"version": 9, "call": {"tokens": 12}}
    path = lab.write("a.jsonl", [payload(0), bare, payload(1)])
    outcome = lab.read(path)
    assert outcome.code == PARTLY_REJECTED
    assert counts(outcome) == (3, 2, 1)
    ((line, reason),) = lab.rejects()
    assert line == 2
    assert reason == "no start time"


def test_blank_lines_and_windows_line_ends_are_no_records_but_count_as_lines(lab: "Lab") -> None:
    first, second, third = (json.dumps(each).encode() for each in payloads(3))
    path = lab.write("a.jsonl", b"\xef\xbb\xbf" + first + b"\r\n\r\n\n   \n" + second + b"\r\n" + third)
    outcome = lab.read(path)
    assert outcome.code == 0
    assert counts(outcome) == (3, 3, 0)
    assert lab.rows("SELECT source_line FROM attempts ORDER BY 1") == [(1,), (5,), (6,)]


def test_blank_lines_before_a_bad_record_keep_its_line(lab: "Lab") -> None:
    path = lab.write("a.jsonl", b"\n\n" + lines(payloads(2)) + b"\n{\n\n" + lines(payloads(1, 2)))
    assert_one_rejected(lab, lab.read(path), path, 6, "not valid JSON", 3)


def test_byte_order_mark_before_good_lines_loses_none(lab: "Lab") -> None:
    path = lab.write("a.jsonl", b"\xef\xbb\xbf" + lines(payloads(3)))
    assert counts(lab.read(path)) == (3, 3, 0)


# --- names and values that would steer a terminal ------------------------------------------------------------


def test_hostile_file_name_is_shown_harmless(lab: "Lab") -> None:
    path = lab.write("a\x1b[31m'quoted'\u202e.jsonl", with_bad_line(b"{"))
    outcome = lab.read(path)
    assert "\x1b" not in outcome.err
    assert "\u202e" not in outcome.err
    assert "a\\x1b[31m'quoted'\\u202e.jsonl:4: rejected: not valid JSON" in outcome.err
    assert lab.value("SELECT count(*) FROM attempts") == 7


def test_hostile_value_in_a_reject_is_shown_harmless(lab: "Lab") -> None:
    bad = json.dumps(payload(9, prompt_tokens="\x1b]0;owned\x07\n")).encode()
    outcome = lab.read(lab.write("a.jsonl", with_bad_line(bad)))
    assert "\x1b" not in outcome.err
    assert "\x07" not in outcome.err
    assert len(outcome.warnings) == 1


def test_file_name_that_is_not_unicode_is_read(lab: "Lab") -> None:
    folder = lab.folder / "logs"
    folder.mkdir()
    raw = bytes(folder) + b"/caf\xe9.jsonl"
    Path(raw.decode("utf-8", "surrogateescape")).write_bytes(lines(payloads(2)))
    outcome = lab.read(folder)
    assert outcome.code == 0
    assert lab.value("SELECT count(*) FROM attempts") == 2
    assert lab.read(folder).counts["unchanged_files"] == 1


# --- tables --------------------------------------------------------------------------------------------------

HEADER = "request_id,call_type,spend,prompt_tokens,completion_tokens,startTime,endTime,model,custom_llm_provider,status"


def row(number: int, tokens: str = "100") -> str:
    return (
        f"chatcmpl-{number},acompletion,0.01,{tokens},10,2026-11-23 15:25:{number:02}.0,2026-11-23 15:25:{number:02}.5,"
        "gpt-4o-mini,openai,success"
    )


def test_broken_row_of_a_table_is_rejected(lab: "Lab") -> None:
    rows = [HEADER, row(1), row(2), "only,three,fields", row(3)]
    path = lab.write("a.csv", "\n".join(rows) + "\n")
    outcome = lab.read(path)
    assert outcome.code == PARTLY_REJECTED
    assert counts(outcome) == (4, 3, 1)
    ((line, reason),) = lab.rejects()
    assert line == 4
    assert lab.rows("SELECT source_line FROM attempts ORDER BY 1") == [(2,), (3,), (5,)]
    assert outcome.warnings == [f"warning: {path}:4: rejected: {reason}"]


def test_value_of_a_table_that_is_no_number_is_rejected_by_name(lab: "Lab") -> None:
    path = lab.write("a.csv", "\n".join([HEADER, row(1), row(2, "many"), row(3)]) + "\n")
    outcome = lab.read(path)
    assert outcome.code == PARTLY_REJECTED
    assert counts(outcome) == (3, 2, 1)
    ((line, reason),) = lab.rejects()
    assert line == 3
    assert "prompt_tokens" in reason


def test_table_with_windows_line_ends_and_mark_is_read(lab: "Lab") -> None:
    path = lab.write("a.csv", "\ufeff" + "\r\n".join([HEADER, row(1), row(2)]) + "\r\n")
    outcome = lab.read(path)
    assert outcome.code == 0
    assert counts(outcome) == (2, 2, 0)


def test_truncated_packed_table_keeps_the_whole_rows(lab: "Lab") -> None:
    whole = gzip.compress("\n".join([HEADER, *(row(number) for number in range(60))]).encode())
    path = lab.write("a.csv.gz", whole[: len(whole) - 60])
    outcome = lab.read(path)
    assert outcome.code == PARTLY_REJECTED
    assert lab.value("SELECT count(*) FROM attempts") > 0
    assert any(reason == "the gzip stream is cut off" for _, reason in lab.rejects())
