"""Holds both formats of Gemini CLI against their traps: repeated messages, rewinds, thoughts, doubled telemetry."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from run_format import FORMATS, map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

KINDS = ("input_uncached_tokens", "cache_read_tokens", "output_text_tokens", "reasoning_tokens")


def _message(number: int, **changes: Any) -> dict[str, Any]:
    tokens = {"input": 3, "output": 29, "cached": 0, "thoughts": 901, "tool": 0, "total": 933}
    time = f"2026-11-07T10:00:{number:02}.000Z"
    return {
        "id": f"m{number}",
        "timestamp": time,
        "type": "gemini",
        "model": "gemini-2.5-pro",
        "tokens": tokens,
    } | changes


def test_thoughts_are_beside_the_output(lab: "Lab") -> None:
    """A real usage: 3 + 29 + 901 thoughts = 933."""
    lab.ingest(lab.write("session-a.jsonl", [_message(1, content="...")]))
    assert lab.rows(f"SELECT {', '.join(KINDS)}, input_tokens, output_tokens FROM attempts") == [
        (3, 0, 29, 901, 3, 930)
    ]


@pytest.mark.parametrize("backwards", [False, True])
def test_message_that_is_written_again_counts_once_with_its_tokens(lab: "Lab", backwards: bool) -> None:
    records = [_message(1, tokens=None, content="..."), _message(1)]
    lab.ingest(lab.write("session-a.jsonl", records[::-1] if backwards else records))
    assert lab.rows("SELECT count(*), sum(output_tokens)::BIGINT FROM attempts") == [(1, 930)]


def test_going_back_takes_no_cost_away(lab: "Lab") -> None:
    records = [_message(1, content="..."), _message(2), {"$rewindTo": "m1"}, {"$set": {"messages": [_message(1)]}}]
    lab.ingest(lab.write("session-a.jsonl", records))
    assert lab.value("SELECT count(*) FROM attempts") == 2


def test_both_shapes_of_a_session_are_one(lab: "Lab") -> None:
    head = {"sessionId": "s1", "projectHash": "p1", "startTime": "2026-11-07T10:00:00.000Z"}
    messages = [_message(1), _message(2)]
    lab.ingest(lab.write("tmp/p1/chats/session-a.jsonl", [head, *messages]))
    result = lab.ingest(lab.write("tmp/p1/chats/session-a.json", json.dumps({**head, "messages": messages}, indent=2)))
    assert result.files[0].format == "gemini-cli"
    found = "SELECT count(*), list(DISTINCT session_id), list(DISTINCT tags['project']) FROM attempts"
    assert lab.rows(found) == [(2, ["s1"], ["p1"])]


def test_totals_hold_for_every_record_of_the_samples() -> None:
    """input + output + thoughts + tool = total, wherever the record does not contradict that itself."""
    lines = (FORMATS / "gemini_cli" / "sample.jsonl").read_text(encoding="utf-8").splitlines()
    totals = {each["id"]: each["tokens"]["total"] for each in map(json.loads, lines) if "tokens" in each}
    with connect() as connection:
        rows = mapped_rows(map_file(connection, "gemini_cli", FORMATS / "gemini_cli" / "sample.jsonl"))
    sums = {
        row["dedupe_key"]: sum(row[kind] for kind in KINDS) for row in rows if row.get("usage_source") == "reported"
    }
    # The one whose cached tokens exceed its input counts them beside it.
    assert sums == totals | {"a0000006-0000-4000-8000-000000000000": 160 + 300}


def test_telemetry_counts_each_response_once(lab: "Lab") -> None:
    result = lab.ingest(FORMATS / "gemini_cli_telemetry" / "sample.json")
    assert (result.total("attempts"), result.total("duplicates")) == (6, 1)
    select = "SELECT sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT FROM attempts"
    assert lab.rows(select) == [(12000 + 630 + 100 + 10, 350 + 420 + 20 + 60 + 5)]
    assert lab.rows("SELECT error_type, http_status FROM attempts WHERE status = 'error'") == [("QuotaError", 429)]


def test_text_of_an_error_is_not_kept(tmp_path: Path) -> None:
    attributes = {
        "event.name": "gemini_cli.api_error",
        "event.timestamp": "2026-11-07T10:00:00Z",
        "error_type": "could not answer: which boats are free?",
        "error": "could not answer: which boats are free?",
    }
    path = tmp_path / "telemetry.log"
    path.write_text(json.dumps({"attributes": attributes}), encoding="utf-8")
    with connect() as connection:
        rows = mapped_rows(map_file(connection, "gemini_cli_telemetry", path))
    assert "boats" not in json.dumps(rows)
