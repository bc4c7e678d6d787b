"""Holds the Codex format against transcripts whose truth is known: cumulative counts, repeats, forks, copies."""

import json
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from run_format import FORMATS, SHARED, claims

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

FIXTURES = SHARED / "fixtures"
ROLLOUT = FIXTURES / "codex" / "rollout_0142_repeated_token_count.jsonl"
CCUSAGE = FIXTURES / "ccusage" / "fixtures__codex__sessions__project-alpha__session-alpha.jsonl"
SESSION = "0198aaaa-1111-7000-8000-00000000000a"
NAME = f"rollout-2026-11-06T08-00-00-{SESSION}.jsonl"
SAMPLE = FORMATS / "codex" / "sample.jsonl"
FORK = FORMATS / "codex" / "sample_fork.jsonl"

TOTALS = (
    "SELECT count(*), sum(input_uncached_tokens)::BIGINT, sum(cache_read_tokens)::BIGINT, "
    "sum(cache_write_30m_tokens)::BIGINT, sum(output_tokens)::BIGINT, sum(reasoning_tokens)::BIGINT FROM attempts"
)


def _shared(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout (../shared)")
    return path


def test_repeated_token_count_is_one_request(lab: "Lab") -> None:
    lab.ingest(_shared(ROLLOUT))
    assert lab.rows(TOTALS) == [(1, 14475 - 2432, 2432, 0, 216, None)]
    found = lab.rows("SELECT price_model, session_id, tags['project'] FROM attempts")
    assert found == [("gpt-5.5", "c1", "repo")]


def test_transcript_of_ccusage(lab: "Lab") -> None:
    lab.ingest(_shared(CCUSAGE))
    assert lab.rows(TOTALS) == [(2, 750 + 2000, 250 + 500, 0, 125 + 300, 75 + 200)]
    assert lab.rows("SELECT price_model FROM attempts ORDER BY 1") == [("gpt-5.2-codex",), ("gpt-5.3-codex",)]
    # Its totals add reasoning to the output, against every real file.
    assert lab.value("SELECT count(contradiction) FROM attempts") == 2


def test_sample_sums() -> None:
    """What the sample's requests were, by hand: an independent sum of the counts that are one request each."""
    rows = [json.loads(line) for line in (FORMATS / "codex" / "expected.jsonl").read_text("utf-8").splitlines()]
    calls = {row["dedupe_key"]: row for row in rows if row["is_call"] and "reject_reason" not in row}
    requests = [14475, 15000, 16000, 16379, 17000, 400, 20000, 21000]
    kinds = ("input_uncached_tokens", "cache_read_tokens", "cache_write_30m_tokens")
    assert [sum(row[kind] for kind in kinds) for row in calls.values()] == requests


def _totals(lab: "Lab", store: str, files: list[Path], *, together: bool) -> list[tuple[Any, ...]]:
    for group in [files] if together else [[path] for path in files]:
        lab.ingest(*group, store=store)
    return lab.rows(TOTALS, store)


def test_copies_forks_and_order_do_not_matter(lab: "Lab") -> None:
    """The same session under `sessions` and `archived_sessions` and its fork, in any order, read at once or apart.

    The two copies have the same bytes, so orders in which they change places are one.
    """
    sessions = lab.write(f"sessions/2026/11/06/{NAME}", SAMPLE.read_bytes())
    archived = lab.write(f"archived_sessions/{NAME}", SAMPLE.read_bytes())
    fork = lab.write("sessions/2026/11/06/rollout-fork-0198bbbb-2222-7000-8000-00000000000b.jsonl", FORK.read_bytes())
    found = {
        tuple(_totals(lab, f"store-{number}-{together}", list(files), together=together))
        for number, files in enumerate(permutations([sessions, archived, fork]))
        if files.index(sessions) < files.index(archived)
        for together in (True, False)
    }
    (totals,) = found
    assert totals[0][0] == 8 + 2


def test_session_is_known_by_its_file_when_only_the_end_is_read(lab: "Lab") -> None:
    """A file that grows is read on from where it ended, without the line that names the session."""
    lines = SAMPLE.read_bytes().splitlines(keepends=True)
    path = lab.write(NAME, b"".join(lines[:10]))
    lab.ingest(path)
    lab.write(NAME, b"".join(lines))
    lab.ingest(path)
    lab.ingest(lab.write("whole.jsonl", b"".join(lines)), store="whole")
    keys = "SELECT attempt_id, session_id, input_tokens, output_tokens FROM attempts ORDER BY 1"
    assert lab.rows(keys) == lab.rows(keys, "whole")


def test_totals_alone_are_not_taken_for_a_request_when_their_beginning_was_read_before(lab: "Lab") -> None:
    event = {"timestamp": "2026-11-06T08:00:00Z", "type": "event_msg"}
    first, second = (
        {**event, "payload": {"type": "token_count", "info": {"total_token_usage": {"input_tokens": n}}}}
        for n in (100, 90000)
    )
    path = lab.write(NAME, [first])
    lab.ingest(path)
    lab.write(NAME, [first, second])
    result = lab.ingest(path)
    if result.total("rejected"):
        assert "read the whole file" in lab.rejects()[0][1]
    else:
        assert lab.value("SELECT max(input_tokens) FROM attempts") == 90000 - 100


def test_claims_its_own_files_only() -> None:
    paths = [*_shared(FIXTURES / "claude_code").glob("*.jsonl"), *_shared(FIXTURES / "ccusage").glob("*.jsonl")]
    with connect() as connection:
        claimed = {path.name for path in (*paths, ROLLOUT) if claims(connection, "codex", path)}
    assert claimed == {ROLLOUT.name, CCUSAGE.name}
