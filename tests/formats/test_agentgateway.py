"""agentgateway: a line of the access log and a row of the store tell of one call alike, and are counted once."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from run_format import claims, map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

LINE = {
    "level": "info",
    "time": "2026-06-02T09:15:02.500000Z",
    "scope": "request",
    "src.addr": "10.42.0.1:65003",
    "http.path": "/v1/chat/completions",
    "http.status": 200,
    "trace.id": "ba8e0e8c4138978666eecdc5d494f001",
    "span.id": "b9a6ff1a45718301",
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.cache_read.input_tokens": 400,
    "gen_ai.usage.output_tokens": 50,
    "agw.ai.time_to_first_token": 0.25,
    "agw.ai.usage.cost.total": "0.00015",
    "duration": "1500ms",
}
ROW = {
    "id": "0197300a-5b00-7c11-8a3e-000000000001",
    "started_at": "2026-06-02T09:15:01.000000+00:00",
    "completed_at": "2026-06-02T09:15:02.500000+00:00",
    "duration_ms": 1500,
    "trace_id": LINE["trace.id"],
    "span_id": LINE["span.id"],
    "http_status": 200,
    "gen_ai_operation_name": "chat",
    "gen_ai_provider_name": "openai",
    "gen_ai_request_model": "gpt-4o-mini",
    "gen_ai_response_model": "gpt-4o-mini-2024-07-18",
    "input_tokens": 1000,
    "output_tokens": 50,
    "total_tokens": 1050,
    "cost": 0.00015,
    "attributes_json": json.dumps({name: value for name, value in LINE.items() if "." in name}),
}


def _row(lab: "Lab", base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    path = lab.write("log.jsonl", [{**base, **changes}])
    with connect() as connection:
        (row,) = mapped_rows(map_file(connection, "agentgateway", path))
    return row


def test_line_and_row_of_one_request_agree(lab: "Lab") -> None:
    line, row = _row(lab, LINE), _row(lab, ROW)
    assert line | {"dedupe_rank": 0} == row | {"dedupe_rank": 0}
    assert row["dedupe_rank"] > line["dedupe_rank"]
    assert (line["started_at"], line["duration_seconds"]) == ("2026-06-02T09:15:01.000000Z", 1.5)
    assert line["time_to_first_token_seconds"] == 0.25
    assert (line["input_uncached_tokens"], line["cache_read_tokens"]) == (600, 400)
    assert line["reported_cost"] == "0.000150000000"


def test_one_request_in_both_logs_is_counted_once(lab: "Lab") -> None:
    result = lab.ingest(lab.write("access.jsonl", [LINE]), lab.write("rows.json", json.dumps([ROW])))
    assert (result.total("attempts"), result.total("duplicates")) == (1, 1)
    assert lab.rows("SELECT input_tokens, output_tokens, reported_cost::DOUBLE FROM attempts") == [(1000, 50, 0.00015)]


@pytest.mark.parametrize(
    ("written", "seconds"), [("123ms", 0.123), ("1.5s", 1.5), ("640µs", 0.00064), ("9000ns", 9e-6), ("soon", None)]
)
def test_durations_have_units(lab: "Lab", written: str, seconds: float | None) -> None:
    assert _row(lab, LINE, duration=written).get("duration_seconds") == (seconds and pytest.approx(seconds))


@pytest.mark.parametrize(
    ("provider", "model", "fresh"),
    [
        ("openai", "gpt-4o-mini", 600),
        ("anthropic", "claude-sonnet-4-5", 1000),
        ("aws.bedrock", "amazon.nova-pro-v1:0", 1000),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", 1000),
        ("gcp.gemini", "gemini-2.5-flash", 600),
    ],
)
def test_numbers_are_those_of_the_provider(lab: "Lab", provider: str, model: str, fresh: int) -> None:
    changes = {"gen_ai.provider.name": provider, "gen_ai.request.model": model, "gen_ai.response.model": model}
    row = _row(lab, LINE, **changes)
    assert (row["input_uncached_tokens"], row["cache_read_tokens"], row["provider_name"]) == (fresh, 400, provider)


def test_a_total_with_the_cache_in_it_proves_the_opposite(lab: "Lab") -> None:
    row = _row(lab, ROW, gen_ai_provider_name="house", total_tokens=1450)
    assert row["input_uncached_tokens"] == 1000
    assert "total_tokens (1450) adds" in row["contradiction"]


def test_retries_are_told_of_without_records(lab: "Lab") -> None:
    row = _row(lab, LINE, **{"retry.attempt": 2})
    assert (row["attempt_number"], row["unlogged_attempts"], row["is_retry"]) == (3, 2, True)


def test_messages_of_errors_stay_out(lab: "Lab") -> None:
    row = _row(lab, LINE, error="bad prompt: tea?", **{"http.status": 500})
    assert (row["status"], row["error_type"]) == ("error", "http_500")


def test_other_lines_are_skipped(lab: "Lab") -> None:
    plain = {name: value for name, value in LINE.items() if not name.startswith(("gen_ai", "agw"))}
    startup = {"level": "info", "time": "2026-06-02T09:15:00Z", "scope": "agent", "message": "ready"}
    result = lab.ingest(lab.write("access.jsonl", [startup, LINE, {**plain, "span.id": "b9a6ff1a45718302"}]))
    assert (result.total("attempts"), result.total("skipped"), result.total("rejected")) == (1, 2, 0)


def test_zeros_of_a_failure_are_unknown(lab: "Lab") -> None:
    zeros = {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0, "http.status": 429}
    with connect() as connection:
        (row,) = mapped_rows(map_file(connection, "agentgateway", lab.write("log.jsonl", [{**LINE, **zeros}])))
    assert (row["usage_source"], row["status"]) == ("missing", "error")
    assert "input_uncached_tokens" not in row


def test_an_application_s_own_line_with_opentelemetry_s_names_is_not_claimed(lab: "Lab") -> None:
    own = {"time": LINE["time"], "duration": "1500ms", "http.response.status_code": 200, "gen_ai.request.model": "m"}
    gateways = {key: value for key, value in LINE.items() if key not in {"scope", "http.status"}}
    with connect() as connection:
        assert not claims(connection, "agentgateway", lab.write("own.jsonl", [own]))
        assert claims(connection, "agentgateway", lab.write("gateway.jsonl", [gateways]))
