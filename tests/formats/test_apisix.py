"""Apache APISIX: the two ways it tells of a call agree, and what their figures mean."""

from typing import TYPE_CHECKING, Any

import pytest
from run_format import map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

SUMMARY = {
    "request_model": "gpt-4o-mini",
    "model": "gpt-4o-mini-2024-07-18",
    "duration": 300,
    "prompt_tokens": 1000,
    "completion_tokens": 50,
    "total_tokens": 1050,
    "upstream_response_time": 1390,
}
LOGGED = {"start_time": 1780391701000, "route_id": "ai", "request": {"uri": "/ai"}, "response": {"status": 200}}
LINE = {
    "msec": "1780391702.390",
    "request_time": "1.390",
    "status": "200",
    "request_type": "ai_chat",
    "llm_model": "gpt-4o-mini-2024-07-18",
    "request_llm_model": "gpt-4o-mini",
    "llm_prompt_tokens": "1000",
    "llm_completion_tokens": "50",
    "llm_time_to_first_token": "300",
}


def _map(lab: "Lab", *records: dict[str, Any]) -> list[dict[str, Any]]:
    with connect() as connection:
        return mapped_rows(map_file(connection, "apisix", lab.write("apisix.jsonl", records)))


def _summary(lab: "Lab", **changes: Any) -> dict[str, Any]:
    (row,) = _map(lab, {**LOGGED, "llm_summary": {**SUMMARY, **changes}})
    return row


def _line(lab: "Lab", **changes: Any) -> dict[str, Any]:
    (row,) = _map(lab, {**LINE, **changes})
    return row


def test_logger_and_access_log_tell_the_same(lab: "Lab") -> None:
    logged, line = _summary(lab), _line(lab)
    same = ["started_at", "duration_seconds", "request_model", "response_model", "status", "http_status"]
    same += ["input_uncached_tokens", "output_text_tokens", "usage_source"]
    assert {name: logged[name] for name in same} == {name: line[name] for name in same}
    assert logged["started_at"] == "2026-06-02T09:15:01.000000Z"


@pytest.mark.parametrize(("stream", "first"), [(True, 0.3), ("true", 0.3), (False, None), (None, None)])
def test_duration_of_the_summary_is_the_first_token_of_a_stream(lab: "Lab", stream: Any, first: float | None) -> None:
    row = _summary(lab, stream=stream)
    assert row["duration_seconds"] == 1.39
    assert row.get("time_to_first_token_seconds") == first


@pytest.mark.parametrize(("written", "seconds"), [("2.858", 2.858), ("2858", 2.858), ("0.090", 0.09)])
def test_upstream_time_of_an_access_log_is_seconds_or_milliseconds(lab: "Lab", written: str, seconds: float) -> None:
    assert _line(lab, request_time=None, upstream_response_time=written)["duration_seconds"] == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("model", "record", "fresh"),
    [
        ("gpt-4o-mini-2024-07-18", {}, 600),
        ("claude-sonnet-4-5-20250929", {}, 1000),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", {}, 1000),
        ("claude-sonnet-4-5", {"upstream_uri": "/v1/chat/completions", "upstream_host": "api.openai.com"}, 600),
        ("house-model", {"upstream_uri": "/v1/messages"}, 1000),
        ("amazon.nova-pro-v1:0", {"upstream_host": "bedrock-runtime.us-east-1.amazonaws.com"}, 1000),
    ],
)
def test_cache_is_apart_for_anthropic_and_bedrock(lab: "Lab", model: str, record: dict[str, Any], fresh: int) -> None:
    summary = {**SUMMARY, "model": model, "cache_read_input_tokens": 400}
    (row,) = _map(lab, {**LOGGED, **record, "llm_summary": summary})
    assert (row["input_uncached_tokens"], row["cache_read_tokens"]) == (fresh, 400)
    assert "contradiction" not in row


def test_figures_that_prove_the_opposite_are_told(lab: "Lab") -> None:
    more = _summary(lab, cache_read_input_tokens=4000)
    assert more["input_uncached_tokens"] == 1000
    assert "exceeds prompt_tokens" in more["contradiction"]
    added = _summary(lab, cache_read_input_tokens=400, total_tokens=1450)
    assert added["input_uncached_tokens"] == 1000
    assert "total_tokens (1450) adds" in added["contradiction"]


def test_zeros_are_the_default_of_variables_and_mean_unknown(lab: "Lab") -> None:
    zeros = {"llm_prompt_tokens": "0", "llm_completion_tokens": "0"}
    assert _line(lab, **zeros)["usage_source"] == "missing"
    assert "input_uncached_tokens" not in _line(lab, **zeros)
    assert not _line(lab, **zeros, llm_model="", request_llm_model="-", request_type="traditional_http")["is_call"]


def test_a_summary_in_a_cell_of_a_table_is_read(lab: "Lab") -> None:
    path = lab.write(
        "apisix.csv",
        'start_time,route_id,llm_summary\n1780391701000,ai,"{""model"":""gpt-4"",""prompt_tokens"":23,'
        '""completion_tokens"":8}"\n',
    )
    result = lab.ingest(path)
    assert [each.format for each in result.files] == ["apisix"]
    assert lab.rows("SELECT input_tokens, output_tokens, price_model FROM attempts") == [(23, 8, "gpt-4")]


def test_embeddings_have_no_output(lab: "Lab") -> None:
    counts = {"model": "text-embedding-3-small", "prompt_tokens": 9, "total_tokens": 9}
    (call,) = _map(lab, {**LOGGED, "request": {"uri": "/v1/embeddings"}, "llm_summary": counts})
    assert (call["input_uncached_tokens"], call["output_text_tokens"]) == (9, 0)
