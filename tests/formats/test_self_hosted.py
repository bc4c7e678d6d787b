"""Servers of one's own: vLLM, SGLang, llama.cpp and Ollama."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from run_format import map_file, mapped_rows

from infercost.engine import connect
from infercost.ingest import identify
from infercost.ingest.registry import formats

if TYPE_CHECKING:
    from lab import Lab

VLLM = {
    "id": "chatcmpl-5f0e2b7a9c3d4e1f8a6b000000000001",
    "object": "chat.completion",
    "created": 1780391701,
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "choices": [],
    "usage": {"prompt_tokens": 42, "completion_tokens": 128, "prompt_tokens_details": {"cached_tokens": 32}},
    "metrics": {"time_to_first_token_ms": 85.0, "generation_time_ms": 1240.0, "queue_time_ms": 15.0},
}
LLAMA = {
    "id": "chatcmpl-ztp68b30BdbILCHZSVrukYDQms830001",
    "object": "chat.completion",
    "created": 1780391701,
    "model": "qwen3",
    "choices": [],
    "usage": {"prompt_tokens": 777, "completion_tokens": 75},
    "timings": {"cache_n": 690, "prompt_n": 87, "prompt_ms": 250.0, "predicted_n": 75, "predicted_ms": 1500.0},
}
OLLAMA = {
    "model": "gemma3",
    "created_at": "2026-06-02T09:15:03.500000Z",
    "message": {"role": "assistant", "content": "Tea."},
    "done": True,
    "total_duration": 2_500_000_000,
    "load_duration": 100_000_000,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 130_000_000,
    "eval_count": 298,
}
SGLANG = {
    "request_parameters": json.dumps({"text": "Serve tea", "stream": False}),
    "id": "fa9d4f2b3e54459b8c90a2ae8754eb01",
    "finish_reason": {"type": "stop"},
    "prompt_tokens": 230,
    "completion_tokens": 412,
    "cached_tokens": 128,
    "e2e_latency": 2.5,
}
RECORDS = {"vllm": VLLM, "llama_cpp": LLAMA, "ollama": OLLAMA, "sglang": SGLANG | {"request_received_ts": 1780391701.0}}


def _map(lab: "Lab", name: str, *records: dict[str, Any], file: str = "log.jsonl") -> list[dict[str, Any]]:
    with connect() as connection:
        return mapped_rows(map_file(connection, name, lab.write(file, records)))


def _row(lab: "Lab", name: str, **changes: Any) -> dict[str, Any]:
    (row,) = _map(lab, name, {**RECORDS[name], **changes})
    return row


@pytest.mark.parametrize(
    ("name", "fresh", "cached", "output", "seconds"),
    [
        ("vllm", 10, 32, 128, 1.34),
        ("llama_cpp", 87, 690, 75, 1.75),
        ("ollama", 26, None, 298, 2.5),
        ("sglang", 102, 128, 412, 2.5),
    ],
)
def test_one_call_of_each_server(
    lab: "Lab", name: str, fresh: int, cached: int | None, output: int, seconds: float
) -> None:
    row = _row(lab, name)
    assert row["provider_name"] == name
    assert row["input_uncached_tokens"] == fresh
    assert row.get("cache_read_tokens") == cached
    assert row["output_text_tokens"] == output
    assert row["duration_seconds"] == pytest.approx(seconds)
    assert row["started_at"] == "2026-06-02T09:15:01.000000Z"


@pytest.mark.parametrize("name", ["vllm", "llama_cpp", "ollama"])
def test_a_body_alone_and_in_a_line_of_ones_own_is_the_same_call(lab: "Lab", name: str) -> None:
    body = RECORDS[name]
    line = {"timestamp": "2026-06-02T09:20:00Z", "user": "u-17", "metadata": {"shop": "north"}}
    wrapped = [{**line, "response": body}, {**line, "response": json.dumps(body)}, {**line, "body": body}]
    wrapped.append({**line, "response": {"status_code": 200, "body": body}})
    alone = _row(lab, name)
    for row in _map(lab, name, *wrapped):
        assert (row["user_id"], row["tags"]) == ("u-17", {"shop": "north"})
        own = {"user_id", "tags", "record_number"}
        assert {key: value for key, value in row.items() if key not in own} == {
            key: value for key, value in alone.items() if key not in own
        }


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_only_its_own_format_claims_a_record(lab: "Lab", name: str) -> None:
    head = identify.head_of(lab.write("log.jsonl", [RECORDS[name]]))
    with connect() as connection:
        (found,) = identify.identify(connection, [head], formats())
    assert found.format is not None, found.problem
    assert found.format.name == name.replace("_", "-")


@pytest.mark.parametrize("name", ["vllm", "llama_cpp"])
def test_chunks_without_counts_are_skipped(lab: "Lab", name: str) -> None:
    chunk = {"object": "chat.completion.chunk", "usage": None, "metrics": None, "timings": None}
    assert not _row(lab, name, **chunk)["is_call"]
    last = _row(lab, name, object="chat.completion.chunk")
    assert last["stream"]
    assert last["time_to_first_token_seconds"] == {"vllm": 0.085, "llama_cpp": 0.25}[name]
    assert "time_to_first_token_seconds" not in _row(lab, name)


@pytest.mark.parametrize("name", ["vllm", "llama_cpp", "ollama"])
def test_failed_calls_are_attempts_without_usage(lab: "Lab", name: str) -> None:
    failed = {"error": {"message": "out of tea, said: Serve tea", "type": "unavailable_error", "code": 503}}
    line = {"timestamp": "2026-06-02T09:20:00Z", "request": {"model": "house"}, "response": failed}
    (row,) = _map(lab, name, line)
    assert (row["status"], row["error_type"], row["http_status"]) == ("error", "unavailable_error", 503)
    assert (row["request_model"], row["usage_source"]) == ("house", "missing")


def test_llama_cpp_without_cache_n_tells_the_cache_by_difference(lab: "Lab") -> None:
    timings = {key: value for key, value in LLAMA["timings"].items() if key != "cache_n"}  # type: ignore[attr-defined]
    row = _row(lab, "llama_cpp", timings=timings)
    assert (row["input_uncached_tokens"], row["cache_read_tokens"]) == (87, 690)


def test_llama_cpp_tokens_cached_is_not_what_the_prompt_read(lab: "Lab") -> None:
    """The native answer's tokens_cached is what lies in the cache afterwards."""
    native = {"model": "qwen3", "tokens_evaluated": 777, "tokens_cached": 852, "timings": LLAMA["timings"]}
    (row, alone) = _map(lab, "llama_cpp", {"timestamp": 1780391701, "response": native}, native)
    assert (row["input_uncached_tokens"], row["cache_read_tokens"], row["output_text_tokens"]) == (87, 690, 75)
    assert "native answer has no time" in alone["reject_reason"]


def test_llama_cpp_says_when_prompt_and_timings_differ(lab: "Lab") -> None:
    row = _row(lab, "llama_cpp", usage={"prompt_tokens": 87, "completion_tokens": 75})
    assert (row["input_uncached_tokens"], row["cache_read_tokens"]) == (87, 690)
    assert "is not cache_n (690) and prompt_n (87)" in row["contradiction"]


def test_the_chunk_with_most_output_is_the_call(lab: "Lab") -> None:
    first = {**LLAMA["timings"], "predicted_n": 1}  # type: ignore[dict-item]
    chunks = [{**LLAMA, "object": "text_completion.chunk", "timings": each} for each in (LLAMA["timings"], first)]
    result = lab.ingest(lab.write("chunks.jsonl", chunks), chosen="llama-cpp")
    assert (result.total("attempts"), result.total("duplicates")) == (1, 1)
    assert lab.value("SELECT output_tokens FROM attempts") == 75


def test_ollama_answers_in_json_are_no_lines_around_an_answer(lab: "Lab") -> None:
    text = json.dumps({"model": "cup", "done": True, "eval_count": 1, "total_duration": 5, "created_at": "never"})
    row = _row(lab, "ollama", message=None, response=text)
    assert (row["response_model"], row["output_text_tokens"]) == ("gemma3", 298)


def test_ollama_prompt_from_the_cache_is_unknown_not_free(lab: "Lab") -> None:
    row = _row(lab, "ollama", prompt_eval_count=None)
    assert "input_uncached_tokens" not in row
    assert (row["usage_source"], row["output_text_tokens"]) == ("reported", 298)


def test_ollama_parts_before_the_last_are_skipped(lab: "Lab") -> None:
    part = {name: OLLAMA[name] for name in ("model", "created_at", "message")} | {"done": False}
    result = lab.ingest(lab.write("parts.jsonl", [part, part, OLLAMA]))
    assert (result.total("attempts"), result.total("skipped"), result.total("rejected")) == (1, 2, 0)


@pytest.mark.parametrize(
    ("times", "parameters", "started"),
    [
        ({"request_received_ts": 1780391701.25}, {}, "2026-06-02T09:15:01.250000Z"),
        ({"response_sent_to_client_ts": 1780391703.5}, {}, "2026-06-02T09:15:01.000000Z"),
        ({}, {"received_time": 1780391701.5}, "2026-06-02T09:15:01.500000Z"),
        ({}, {"received_time": 86400.5}, "2026-06-02T11:00:00.000000Z"),
        ({}, {}, "2026-06-02T11:00:00.000000Z"),
    ],
)
def test_sglang_times(lab: "Lab", times: dict[str, Any], parameters: dict[str, Any], started: str) -> None:
    """A clock that counts from the start of the machine is none; the hour of the file's name is the last resort."""
    record = {**SGLANG, **times, "request_parameters": json.dumps(parameters)}
    (row,) = _map(lab, "sglang", record, file="sglang-request-metrics-20260602_11.log")
    assert row["started_at"] == started
    assert row["tags"] == ({"time_source": "file name"} if started.endswith("11:00:00.000000Z") else {})


def test_sglang_without_any_time_is_rejected(lab: "Lab") -> None:
    (row,) = _map(lab, "sglang", SGLANG, file="requests.log")
    assert row["reject_reason"].startswith("no time: ")


def test_sglang_model_stands_in_the_parameters_if_anywhere(lab: "Lab") -> None:
    named = _row(lab, "sglang", request_parameters=json.dumps({"model": "Qwen/Qwen3-8B", "text": "Serve tea"}))
    assert named["price_model"] == "Qwen/Qwen3-8B"
    assert "price_model" not in _row(lab, "sglang")


@pytest.mark.parametrize(
    ("reason", "status", "http"),
    [
        ({"type": "length"}, "ok", 200),
        ({"type": "abort", "status_code": 503, "err_type": "InternalServerError"}, "error", 503),
        ({"type": "abort", "message": "gone"}, "cancelled", None),
    ],
)
def test_sglang_outcomes(lab: "Lab", reason: dict[str, Any], status: str, http: int | None) -> None:
    row = _row(lab, "sglang", finish_reason=reason)
    assert (row["status"], row.get("http_status")) == (status, http)
