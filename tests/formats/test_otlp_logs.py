"""Holds OTLP events (logs) and metrics against the spans of the same run: one call counts once, in any order."""

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from run_format import SHARED, claims, map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

FIXTURES = SHARED / "fixtures" / "otlp"
TRACE = "0123456789abcdef0123456789abcdef"
SECOND = 1_000_000_000
START = 1_795_000_000 * SECOND

# Attempts, failed ones, input and output: of the spans (compare_with_truth.md), and of the logs alone. The standard
# event has no embeddings (12 tokens); the events of openai_v2 hold texts only.
TOTALS = {
    "genai_anthropic": ((6, 2, 21504, 512), (6, 2, 21504, 512)),
    "genai_openai": ((10, 2, 13836, 576), (9, 2, 13824, 576)),
    "genai_openai_httpx": ((15, 7, 13836, 576), (9, 2, 13824, 576)),
    "openai_sdk3/genai_openai": ((10, 2, 13836, 576), (9, 2, 13824, 576)),
    "openai_v2": ((7, 2, 6924, 288), (0, 0, 0, 0)),
    "openai_v2_latest": ((7, 2, 6924, 288), (6, 2, 6912, 288)),
}
SUMS = """
    SELECT count(*), count(*) FILTER (WHERE status = 'error'), coalesce(sum(input_tokens), 0),
        coalesce(sum(output_tokens), 0)
    FROM attempts"""


def _file(variant: str, signal: str) -> Path:
    path = FIXTURES / f"{variant}.{signal}.jsonl"
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout (../shared)")
    return path


def _totals(lab: "Lab", store: str) -> tuple[Any, ...]:
    (sums,) = lab.rows(SUMS, store)
    return sums


FEW = 2
"""Variants that are read in every order in the standard run; the others are in the slow one."""


@pytest.mark.parametrize("variant", TOTALS)
def test_logs_alone_give_what_they_hold(variant: str, lab: "Lab") -> None:
    result = lab.ingest(_file(variant, "logs"))
    assert _totals(lab, "store") == TOTALS[variant][1]
    assert result.total("rejected") == result.total("contradictions") == 0


@pytest.mark.parametrize(
    "variant",
    [pytest.param(each, marks=() if number < FEW else pytest.mark.slow) for number, each in enumerate(TOTALS)],
)
def test_logs_and_traces_give_the_totals_of_traces_in_any_order(variant: str, lab: "Lab") -> None:
    files = {signal: _file(variant, signal) for signal in ("traces", "logs")}
    for number, order in enumerate(itertools.permutations(files.values())):
        for path in order:
            lab.ingest(path, store=f"apart-{number}")
        lab.ingest(*order, store=f"together-{number}")
        assert _totals(lab, f"apart-{number}") == TOTALS[variant][0]
        assert _totals(lab, f"together-{number}") == TOTALS[variant][0]
    mixed = lab.write("mixed.jsonl", b"".join(path.read_bytes() for path in reversed(files.values())))
    assert lab.ingest(mixed, store="mixed").files[0].format == "otlp"
    assert _totals(lab, "mixed") == TOTALS[variant][0]


def test_span_wins_over_the_event_of_the_same_call(lab: "Lab") -> None:
    files = [_file("genai_openai", signal) for signal in ("traces", "logs")]
    stores = ("spans first", "events first", "spans alone")
    for store, paths in zip(stores, (files, files[::-1], files[:1]), strict=True):
        for path in paths:
            lab.ingest(path, store=store)
    without = ("load_id", "user_id")  # a user id is hashed with the salt of its store
    first, second, alone = (lab.attempts(store, without) for store in stores)
    assert first == second == alone
    assert all(row["duration_seconds"] > 0 for row in first)


def test_metrics_are_skipped_and_never_summed(lab: "Lab") -> None:
    files = sorted(FIXTURES.rglob("*.metrics.jsonl"))
    if not files:
        pytest.skip("no fixtures beside this checkout (../shared)")
    with connect() as connection:
        assert all(claims(connection, "otlp", path) for path in files)
    result = lab.ingest(*files)
    assert len(files) == 9
    assert result.total("attempts") == result.total("rejected") == 0
    assert result.total("skipped") == sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)


def test_every_fixture_is_read_by_a_test() -> None:
    if not FIXTURES.exists():
        pytest.skip("no fixtures beside this checkout (../shared)")
    logs = {str(path.relative_to(FIXTURES)).removesuffix(".logs.jsonl") for path in FIXTURES.rglob("*.logs.jsonl")}
    assert logs == set(TOTALS)


def _attributes(given: dict[str, object]) -> list[dict[str, object]]:
    return [{"key": key, "value": {"stringValue": str(value)}} for key, value in given.items()]


def _log(event: str, *, span: str = "", at: int = 0, **given: object) -> dict[str, object]:
    """Return a log record; `__` in an attribute's name stands for a dot. All values are texts, as agents write them."""
    attributes = {key.replace("__", "."): value for key, value in given.items()}
    record: dict[str, Any] = {"observedTimeUnixNano": str(START + at * SECOND)}
    if event.startswith("gen_ai."):
        record |= {"eventName": event, "traceId": TRACE, "spanId": span * 16}
    else:
        attributes["event.name"] = event.removeprefix("claude_code.")
        record["body"] = {"stringValue": event}
    return record | {"attributes": _attributes(attributes)}


def _span(span: str, parent: str = "", **given: object) -> dict[str, object]:
    return {
        "traceId": TRACE,
        "spanId": span * 16,
        "parentSpanId": parent * 16,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + SECOND),
        "attributes": _attributes({key.replace("__", "."): value for key, value in given.items()}),
    }


def _map(folder: Path, *records: dict[str, object], service: str = "app") -> list[dict[str, Any]]:
    """Return the rows of calls of a file with spans and log records, one a line."""
    resource = {"attributes": _attributes({"service.name": service})}
    lines = [
        {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [record]}]}]}
        if "startTimeUnixNano" in record
        else {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
        for record in records
    ]
    path = folder / "mixed.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with connect() as connection:
        return [row for row in mapped_rows(map_file(connection, "otlp", path)) if row["is_call"]]


DETAILS = "gen_ai.client.inference.operation.details"
CHAT: dict[str, Any] = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "m"}
USED: dict[str, Any] = {**CHAT, "gen_ai__usage__input_tokens": 10, "gen_ai__usage__output_tokens": 2}


def test_event_without_response_id_has_the_key_of_its_span(tmp_path: Path) -> None:
    event, span = _log(DETAILS, span="a", **USED), _span("a", **USED)
    keys = [[row["dedupe_key"] for row in _map(tmp_path, *records)] for records in ([event], [span], [event, span])]
    assert {key for each in keys for key in each} == {f"{TRACE}:{'a' * 16}"}


def test_event_takes_the_key_that_only_the_span_knows_where_both_are_read_at_once(tmp_path: Path) -> None:
    span = _span("a", **USED, gen_ai__response__id="chatcmpl-1")
    rows = _map(tmp_path, _log(DETAILS, span="a", **USED), span)
    assert {row["dedupe_key"] for row in rows} == {"chatcmpl-1"}


def test_event_of_a_roll_up_is_no_call_either(tmp_path: Path) -> None:
    rows = _map(tmp_path, _span("b", "a", **USED), _span("a", **USED), _log(DETAILS, span="a", **USED))
    assert [row["dedupe_key"][-1] for row in rows] == ["b"]


def test_event_inherits_from_its_span_and_above(tmp_path: Path) -> None:
    top = _span("a", app__feature="triage", session__id="s", user__id="u")
    (row,) = _map(tmp_path, _log(DETAILS, span="b", **USED), _span("b", "a"), top)
    assert (row["tags"]["app.feature"], row["session_id"], row["user_id"]) == ("triage", "s", "u")


def test_event_with_more_counts_than_the_span_wins(tmp_path: Path) -> None:
    event, span = _log(DETAILS, span="a", **USED), _span("a", **CHAT)
    ranks = {row["usage_source"]: row["dedupe_rank"] for row in _map(tmp_path, event, span)}
    assert ranks["reported"] > ranks["missing"]
    ranks = {row.get("duration_seconds"): row["dedupe_rank"] for row in _map(tmp_path, event, _span("a", **USED))}
    assert ranks[1.0] > ranks[None]


CLAUDE: dict[str, Any] = {
    "session__id": "s",
    "user__id": "device",
    "user__account_uuid": "account",
    "model": "claude-opus-4-6",
    "input_tokens": 12,
    "output_tokens": 340,
    "cache_read_tokens": 21000,
    "cache_creation_tokens": 800,
    "cost_usd": 0.0241,
    "duration_ms": 2500,
}


@pytest.mark.parametrize("spelt", ["claude_code.api_request", "api_request"])
def test_claude_code_request_excludes_cached_tokens_from_its_input(tmp_path: Path, spelt: str) -> None:
    (row,) = _map(tmp_path, _log(spelt, at=10, request_id="req_1", **CLAUDE), service="claude-code")
    assert (row["input_uncached_tokens"], row["cache_read_tokens"], row["cache_write_5m_tokens"]) == (12, 21000, 800)
    assert (row["output_text_tokens"], row["reported_cost"]) == (340, "0.024100000000")
    assert (row["dedupe_key"], row["request_id"], row["provider_name"]) == ("req_1", "req_1", "anthropic")
    assert (row["session_id"], row["user_id"], row["duration_seconds"]) == ("s", "account", 2.5)
    assert row["started_at"] == "2026-11-18T11:06:47.500000Z"
    assert not {"contradiction", "response_id", "reasoning_tokens"} & set(row)


def test_same_event_name_of_another_program_is_no_call(tmp_path: Path) -> None:
    assert not _map(tmp_path, _log("api_request", **CLAUDE), _log("claude_code.tool_result", **CLAUDE))


def test_claude_code_failure_tells_of_the_attempts_before(tmp_path: Path) -> None:
    (row,) = _map(tmp_path, _log("claude_code.api_error", model="m", status_code=529, attempt=11, error="some text"))
    assert (row["status"], row["http_status"], row["usage_source"]) == ("error", 529, "missing")
    assert (row["attempt_number"], row["unlogged_attempts"], row["is_retry"]) == (11, 10, True)
    assert "some text" not in str(row)


def test_claude_code_event_and_span_of_one_request_are_one_call(tmp_path: Path) -> None:
    span = {**_span("a", request_id="req_1", **CLAUDE), "name": "claude_code.llm_request"}
    rows = _map(tmp_path, span, _log("claude_code.api_request", request_id="req_1", **CLAUDE))
    assert [row["dedupe_key"] for row in rows] == ["req_1", "req_1"]
    assert len({row["input_uncached_tokens"] for row in rows}) == 1
    assert rows[0]["dedupe_rank"] > rows[1]["dedupe_rank"]


def test_claude_code_requests_without_an_id_are_told_apart_by_their_place(tmp_path: Path) -> None:
    records = [_log("claude_code.api_request", event__sequence=number, **CLAUDE) for number in (1, 2, 2)]
    assert len({row["dedupe_key"] for row in _map(tmp_path, *records)}) == 2


def test_codex_counts_only_completed_responses_and_not_its_total(tmp_path: Path) -> None:
    counts: dict[str, Any] = {
        "conversation__id": "c",
        "model": "gpt-5.4-codex",
        "input_token_count": 14475,
        "cached_token_count": 2432,
        "output_token_count": 216,
        "reasoning_token_count": 128,
        "tool_token_count": 14691,
        "ttft_ms": 900,
    }
    delta = _log("codex.sse_event", event__kind="response.output_text.delta", **counts)
    (row,) = _map(tmp_path, _log("codex.sse_event", event__kind="response.completed", **counts), delta)
    assert (row["input_uncached_tokens"], row["cache_read_tokens"]) == (14475 - 2432, 2432)
    assert (row["output_text_tokens"], row["reasoning_tokens"]) == (88, 128)
    assert (row["time_to_first_token_seconds"], row["session_id"]) == (0.9, "c")
    assert "contradiction" not in row


def test_gemini_cli_counts_its_own_event_alone_with_thoughts_outside_the_output(tmp_path: Path) -> None:
    response = _log(
        "gemini_cli.api_response",
        model="gemini-3-pro",
        input_token_count=12000,
        cached_content_token_count=8000,
        output_token_count=350,
        thoughts_token_count=420,
        total_token_count=12770,
    )
    (row,) = _map(tmp_path, response, _log(DETAILS, span="a", **USED), service="gemini-cli")
    assert (row["input_uncached_tokens"], row["cache_read_tokens"]) == (4000, 8000)
    assert (row["output_text_tokens"], row["reasoning_tokens"]) == (350, 420)
    assert "contradiction" not in row


def test_time_of_zero_is_none(tmp_path: Path) -> None:
    record = _log(DETAILS, span="a", **USED) | {"timeUnixNano": "0"}
    (row,) = _map(tmp_path, record)
    assert row["started_at"] == "2026-11-18T11:06:40.000000Z"
