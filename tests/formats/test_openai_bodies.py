"""Answers of OpenAI's API and its imitators: what each provider includes, envelopes, batches, and what is no call."""

import json
from pathlib import Path
from typing import Any

import pytest
from lab import START, Lab
from run_format import SHARED

from infercost.ingest.result import IngestResult

Record = dict[str, Any]
LEAVES = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_30m", "cache_write_12h", "output_text")
KINDS = (*LEAVES, "reasoning", "input_audio", "output_audio")


def answer(number: int, usage: Any, model: str = "gpt-4o-mini", **changes: Any) -> Record:
    return {
        "id": f"chatcmpl-body-{number:016}",
        "object": "chat.completion",
        "created": START + number,
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Secret words."}}],
        "usage": usage,
        **changes,
    }


def usage(prompt: int, completion: int, **changes: Any) -> Record:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        **changes,
    }


def tokens(lab: Lab) -> list[Record]:
    """Return the known token counts of every attempt, in order of time."""
    select = ", ".join(f"{kind}_tokens" for kind in KINDS)
    rows = lab.rows(f"SELECT {select} FROM attempts ORDER BY started_at")
    return [{kind: value for kind, value in zip(KINDS, row, strict=True) if value is not None} for row in rows]


def read(lab: Lab, *records: Record, name: str = "log.jsonl") -> IngestResult:
    result: IngestResult = lab.ingest(lab.write(name, records))
    assert [each.problem for each in result.files] == [None]
    return result


def test_reasoning_is_split_off_or_added_as_the_total_proves(lab: Lab) -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 30}}
    read(
        lab,
        answer(1, usage(100, 50, **details)),
        answer(2, usage(100, 50, **details) | {"total_tokens": 180}, "grok-4"),
        answer(3, usage(100, 50, **details), "x-ai/grok-4"),
        answer(4, {"prompt_tokens": 100, "completion_tokens": 50, **details}, "grok-4"),
        answer(5, usage(100, 50, reasoning_tokens=30), "sonar-reasoning-pro"),
    )
    assert [(row["output_text"], row["reasoning"]) for row in tokens(lab)] == [
        (20, 30),
        (50, 30),
        (20, 30),
        (50, 30),
        (50, 30),
    ]
    assert lab.rows("SELECT contradiction FROM attempts WHERE contradiction IS NOT NULL") == []


def test_cached_part_under_each_name_is_split_off_once(lab: Lab) -> None:
    read(
        lab,
        answer(1, usage(1000, 5, prompt_tokens_details={"cached_tokens": 900})),
        answer(2, usage(1000, 5, prompt_cache_hit_tokens=900, prompt_cache_miss_tokens=100), "deepseek-chat"),
        answer(3, usage(1000, 5, cached_tokens=900, prompt_tokens_details={"cached_tokens": 900}), "kimi-k2"),
        answer(4, usage(1000, 5, num_cached_tokens=999), "mistral-large-latest"),
        answer(5, usage(1000, 5), "mistral-large-latest"),
    )
    assert [(row["input_uncached"], row.get("cache_read")) for row in tokens(lab)] == [
        (100, 900),
        (100, 900),
        (100, 900),
        (1000, None),
        (1000, None),
    ]


def test_cache_writes_live_as_long_as_their_vendor_keeps_them(lab: Lab) -> None:
    split = {"cache_write_tokens": 600, "cache_write_tokens_details": {"ttl_30m_tokens": 500, "ttl_12h_tokens": 100}}
    read(
        lab,
        answer(1, usage(1000, 5, prompt_tokens_details={"cache_write_tokens": 600}), "gpt-5.6-sol"),
        answer(2, usage(1000, 5, prompt_tokens_details=split), "gpt-5.6-sol"),
        answer(3, usage(1000, 5, prompt_tokens_details={"cache_write_tokens": 600}), "anthropic/claude-sonnet-4.6"),
    )
    kept = [
        {name: value for name, value in row.items() if name.startswith(("cache_w", "input_u"))} for row in tokens(lab)
    ]
    assert kept == [
        {"input_uncached": 400, "cache_write_30m": 600},
        {"input_uncached": 400, "cache_write_30m": 500, "cache_write_12h": 100},
        {"input_uncached": 400, "cache_write_5m": 600},
    ]


def test_more_cached_than_prompt_is_told_and_read_as_exclusive(lab: Lab) -> None:
    read(lab, answer(1, usage(10, 5, prompt_tokens_details={"cached_tokens": 900})))
    assert tokens(lab) == [{"input_uncached": 10, "cache_read": 900, "output_text": 5}]
    assert "exceeds prompt_tokens" in lab.value("SELECT contradiction FROM attempts")


def test_predictions_are_inside_the_completion_and_audio_is_apart(lab: Lab) -> None:
    details = {"accepted_prediction_tokens": 10, "rejected_prediction_tokens": 40, "audio_tokens": 20}
    read(lab, answer(1, usage(80, 100, prompt_tokens_details={"audio_tokens": 30}, completion_tokens_details=details)))
    assert tokens(lab) == [{"input_uncached": 50, "input_audio": 30, "output_text": 80, "output_audio": 20}]


def test_openrouter_and_perplexity_report_their_cost(lab: Lab) -> None:
    cost = {"cost_details": {"upstream_inference_cost": 0.5}}
    read(
        lab,
        answer(1, usage(9, 9, cost=0.25, is_byok=False, **cost), "openai/gpt-4o", provider="Azure"),
        answer(2, usage(9, 9, cost=0.25, is_byok=True, **cost), "openai/gpt-4o", provider="Azure"),
        answer(3, usage(9, 9, cost={"total_cost": 0.75}), "sonar"),
    )
    rows = lab.rows("SELECT provider_name, deployment, reported_cost::DOUBLE FROM attempts ORDER BY started_at")
    assert rows == [("openrouter", "Azure", 0.25), ("openrouter", "Azure", 0.75), ("perplexity", None, 0.75)]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda body: body,
        lambda body: {"timestamp": "2026-11-23T09:00:00Z", "response": body},
        lambda body: {"time": START, "body": body},
        lambda body: {"created_at": START * 1000, "response": {"status_code": 200, "headers": {}, "body": body}},
        lambda body: {"ts": "2026-11-23 09:00:00", "output": body},
    ],
    ids=["bare", "response", "body", "response.body", "output"],
)
def test_envelopes_tell_of_the_same_call(lab: Lab, wrap: Any) -> None:
    body = answer(1, usage(20, 4))
    assert read(lab, wrap(body)).files[0].format == "openai-chat"
    row = lab.rows("SELECT response_id, epoch(started_at)::BIGINT, input_tokens, output_tokens FROM attempts")
    assert row == [(body["id"], START + 1, 20, 4)]


def test_an_answer_as_text_is_rejected_in_json_and_read_in_a_table(lab: Lab) -> None:
    body = answer(1, usage(20, 4))
    read(lab, {"timestamp": "2026-11-23T09:00:00Z", "response": json.dumps(body)})
    ((line, reason),) = lab.rejects()
    assert (line, reason.partition(", found")[0]) == (1, "response: expected an object")
    cell = json.dumps(body).replace('"', '""')
    lab.ingest(lab.write("log.csv", f'timestamp,response\n2026-11-23T09:00:00Z,"{cell}"\n'))
    assert lab.rows("SELECT response_id, input_tokens FROM attempts") == [(body["id"], 20)]


def test_the_same_answer_in_two_envelopes_and_in_a_batch_is_counted_once(lab: Lab) -> None:
    body = answer(1, usage(20, 4))
    read(lab, body, {"timestamp": "2026-11-23T09:00:00Z", "request_id": "a", "response": body})
    line = {"id": "batch_req_1", "custom_id": "x", "response": {"status_code": 200, "body": body}, "error": None}
    assert read(lab, line, name="batch.jsonl").files[0].format == "openai-batch"
    assert lab.value("SELECT count(*) FROM attempts") == 1


def test_a_short_id_of_a_server_does_not_join_two_calls(lab: Lab) -> None:
    read(lab, answer(1, usage(20, 4), id="chatcmpl-7"), answer(2, usage(30, 4), id="chatcmpl-7"))
    assert lab.rows("SELECT input_tokens, response_id FROM attempts ORDER BY 1") == [(20, None), (30, None)]


def test_pieces_of_a_stream_are_no_calls_but_the_last_is(lab: Lab) -> None:
    piece = answer(1, None, object="chat.completion.chunk")
    result = read(lab, piece, piece, answer(1, usage(20, 4), object="chat.completion.chunk"))
    assert (result.total("attempts"), result.total("skipped")) == (1, 2)
    assert lab.rows("SELECT stream, usage_source FROM attempts") == [(True, "reported")]


def test_a_body_without_time_is_rejected_with_the_way_out(lab: Lab) -> None:
    read(lab, {"request_id": "a", "response": {"model": "gpt-4o", "usage": usage(5, 5)}})
    assert lab.rejects() == [(1, "created is missing, and the record has no timestamp")]


def test_failures_in_envelopes_are_attempts_of_one_request(lab: Lab) -> None:
    failed = {"error": {"message": "please slow down", "type": "requests", "code": "rate_limit_exceeded"}}
    common = {"request_id": "r-1", "request": {"model": "gpt-4o-mini"}}
    read(
        lab,
        {**common, "timestamp": START, "status_code": 429, "response": failed},
        {**common, "timestamp": START + 1, "status_code": 429, "response": failed},
        {**common, "timestamp": START + 2, "response": answer(3, usage(20, 4))},
    )
    rows = lab.rows(
        "SELECT request_id, status, error_type, http_status, usage_source FROM attempts ORDER BY started_at"
    )
    assert rows == [
        ("r-1", "error", "rate_limit_exceeded", 429, "missing"),
        ("r-1", "error", "rate_limit_exceeded", 429, "missing"),
        ("r-1", "ok", None, 200, "reported"),
    ]


def test_a_message_of_an_error_is_no_class_of_errors(lab: Lab) -> None:
    read(
        lab,
        answer(1, usage(20, 4)),
        {"timestamp": START, "request": {"model": "gpt-4o"}, "response": None, "error": "could not answer: my words"},
    )
    assert lab.rows("SELECT error_type FROM attempts WHERE status = 'error'") == [(None,)]


@pytest.mark.parametrize(
    ("status", "expected"),
    [("completed", "ok"), ("incomplete", "ok"), ("failed", "error"), ("cancelled", "cancelled")],
)
def test_statuses_of_responses(lab: Lab, status: str, expected: str) -> None:
    used = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    body = {"id": "resp_" + "0" * 30, "object": "response", "created_at": START, "status": status, "usage": used}
    assert read(lab, {**body, "model": "gpt-5"}).files[0].format == "openai-responses"
    assert lab.rows("SELECT status, operation_name, input_tokens FROM attempts") == [(expected, "responses", 10)]


def test_web_searches_are_counted_and_not_opened_pages(lab: Lab) -> None:
    items = [{"type": "web_search_call", "action": {"type": name}} for name in ("search", "open_page", "search")]
    used = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    body = {"id": "resp_" + "0" * 30, "object": "response", "created_at": START, "model": "gpt-5", "usage": used}
    read(lab, {**body, "output": [*items, {"type": "message"}]})
    assert lab.value("SELECT web_search_requests FROM attempts") == 2


def test_documented_batch_output_is_priced_as_batch(lab: Lab) -> None:
    path = SHARED / "fixtures" / "openai" / "batch_output.jsonl"
    if not path.exists():
        pytest.skip("the documented batch output is not beside this checkout (../shared)")
    assert lab.ingest(path).files[0].format == "openai-batch"
    rows = lab.rows(
        "SELECT request_id, tags['custom_id'], service_tier, price_model, input_tokens, output_tokens, "
        "epoch(started_at)::BIGINT FROM attempts ORDER BY started_at"
    )
    assert rows == [
        ("req_123", "request-2", "batch", "gpt-4o", 22, 2, 1711652795),
        ("b9deb0", "request-3", "batch", "gpt-3.5-turbo-0125", 12, 70, 1713713704),
    ]


def test_input_file_of_a_batch_is_known_and_holds_no_calls(lab: Lab) -> None:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"model": "gpt-5", "input": "hi"}}
    result = read(lab, line)
    assert result.files[0].format == "openai-batch"
    assert (result.total("skipped"), result.total("attempts"), result.total("rejected")) == (1, 0, 0)


@pytest.mark.parametrize(
    "record",
    [
        {"id": "a", "object": "chat.completion", "created": START, "usage": usage(1, 1), "timings": {"prompt_n": 1}},
        {"object": "chat.completion", "created": START, "usage": usage(1, 1), "metrics": {"generation_time_ms": 1}},
        {"op_name": "openai.chat", "started_at": "2026-11-23T09:00:00Z", "output": answer(1, usage(1, 1))},
        {"trace_id": "t", "type": "llm", "usage": usage(1, 1), "model": "gpt-4o", "start_time": "2026-11-23T09:00:00Z"},
        {"request": {"id": "k"}, "response": {"status": 200, "size": 3}, "latencies": {"proxy": 3}},
        {"recordId": "1", "modelInput": {}, "modelOutput": {"usage": {"input_tokens": 1, "output_tokens": 1}}},
    ],
    ids=["llama.cpp", "vllm", "weave", "span of a store", "kong", "bedrock batch"],
)
def test_neighbours_are_left_to_their_own_formats(lab: Lab, record: Record) -> None:
    path = lab.write("log.jsonl", [record])
    (file,) = lab.ingest(path).files
    assert file.format is None or not file.format.startswith("openai")
    assert "claimed by" not in (file.problem or "")


def test_no_text_reaches_the_store(lab: Lab) -> None:
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Secret question."}]}
    read(lab, {"timestamp": START, "request": asked, "response": answer(1, usage(20, 4))})
    stored = b"".join(path.read_bytes() for path in Path(lab.folder / "store").rglob("*.parquet"))
    assert stored
    assert "Secret" not in json.dumps(lab.attempts(), default=str)
