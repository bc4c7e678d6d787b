"""The Envoy AI Gateway's access log: the documented lines, and what a line may leave out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from run_format import SHARED, claims, map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

DOCUMENTED = SHARED / "fixtures" / "envoy_ai_gateway" / "access_log_examples.jsonl"
LINE = {
    "start_time": "2026-06-02T09:15:01.120Z",
    "response_code": 200,
    "response_flags": "-",
    "x-request-id": "6c1f0d52",
    "x-envoy-origin-path": "/v1/chat/completions",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 50,
}


def _rows(path: Path) -> list[dict[str, Any]]:
    with connect() as connection:
        return mapped_rows(map_file(connection, "envoy_ai_gateway", path))


def _row(lab: "Lab", **changes: Any) -> dict[str, Any]:
    (row,) = _rows(lab.write("access.jsonl", [{**LINE, **changes}]))
    return row


def test_documented_lines() -> None:
    """One chat call of 15 + 7 = 22 tokens, and one request of an MCP client, which is no call."""
    if not DOCUMENTED.exists():
        pytest.skip("the documented lines are not beside this checkout (../shared)")
    chat, mcp = _rows(DOCUMENTED)
    assert chat["input_uncached_tokens"] + chat["output_text_tokens"] == 22
    assert (chat["input_uncached_tokens"], chat["output_text_tokens"]) == (15, 7)
    assert chat["started_at"] == "2025-08-30T16:51:37.894000Z"
    assert chat["duration_seconds"] == 1.526
    assert chat["deployment"] == "default/tars/route/aigw-run/rule/0/ref/0"
    assert {"provider_name", "cache_read_tokens", "reported_cost"}.isdisjoint(chat)
    assert mcp["is_call"] is False
    with connect() as connection:
        assert claims(connection, "envoy_ai_gateway", DOCUMENTED)


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.usage.cached_input_tokens",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cached_tokens",
        "llm_cached_input_token",
    ],
)
def test_cache_is_inside_the_input_of_every_provider(lab: "Lab", key: str) -> None:
    for model in ("gpt-4o-mini", "claude-sonnet-4-5"):
        row = _row(lab, **{"gen_ai.request.model": model, key: 900})
        assert (row["input_uncached_tokens"], row["cache_read_tokens"]) == (100, 900)
        assert "contradiction" not in row


def test_an_unlogged_cache_is_unknown_not_zero(lab: "Lab") -> None:
    assert {"cache_read_tokens", "cache_write_5m_tokens", "cache_write_30m_tokens"}.isdisjoint(_row(lab))


def test_lifetime_of_cache_writes_goes_by_the_vendor_of_the_model(lab: "Lab") -> None:
    key = "gen_ai.usage.cache_creation_input_tokens"
    assert _row(lab, **{key: 10})["cache_write_30m_tokens"] == 10
    assert _row(lab, **{key: 10, "gen_ai.request.model": "claude-haiku-4-5"})["cache_write_5m_tokens"] == 10


def test_a_missing_half_follows_from_the_total(lab: "Lab") -> None:
    row = _row(lab, **{"gen_ai.usage.input_tokens": "-", "gen_ai.usage.total_tokens": 1050})
    assert (row["input_uncached_tokens"], row["output_text_tokens"]) == (1000, 50)


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"response_code": 429}, "error", "http_429"),
        ({"response_code": 503, "response_flags": "UF,URX"}, "error", "UF,URX"),
        ({"response_code": 0, "response_flags": "DC"}, "cancelled", "client_disconnected"),
        ({"response_code": 200, "response_flags": "DC"}, "cancelled", "client_disconnected"),
    ],
)
def test_failed_requests_are_attempts_without_usage(
    lab: "Lab", changes: dict[str, Any], status: str, error: str
) -> None:
    nothing = {"gen_ai.request.model": None, "gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": "-"}
    row = _row(lab, **nothing, **changes)
    assert (row["is_call"], row["status"], row["error_type"]) == (True, status, error)
    assert row["usage_source"] == "missing"
    assert "input_uncached_tokens" not in row


def test_requests_of_other_kinds_are_skipped(lab: "Lab") -> None:
    nothing = {"gen_ai.request.model": None, "gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}
    assert not _row(lab, **nothing, **{"x-envoy-origin-path": "/v1/models"})["is_call"]
    assert not _row(lab, **nothing, **{"x-envoy-origin-path": "/healthz", "response_code": 503})["is_call"]


def test_one_request_id_at_two_times_is_two_calls(lab: "Lab") -> None:
    later = {**LINE, "start_time": "2026-06-02T09:15:09.000Z"}
    result = lab.ingest(lab.write("access.jsonl", [LINE, later, LINE]))
    assert (result.total("attempts"), result.total("duplicates")) == (2, 1)
    assert lab.value("SELECT sum(input_tokens + output_tokens) FROM attempts") == 2100


def test_zeros_of_a_failure_are_unknown(lab: "Lab") -> None:
    zeros = {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}
    row = _row(lab, response_code=429, **zeros)
    assert (row["usage_source"], row["status"]) == ("missing", "error")
    assert "input_uncached_tokens" not in row
    assert _row(lab, **zeros)["input_uncached_tokens"] == 0


def test_counts_under_the_examples_keys_beside_an_empty_documented_one(lab: "Lab") -> None:
    row = _row(lab, **{"gen_ai.usage.input_tokens": "-", "llm_input_token": "70"})
    assert row["input_uncached_tokens"] == 70
