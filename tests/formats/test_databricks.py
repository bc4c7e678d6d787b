"""Databricks: the usage tables of gateway and serving, and the inference table, which may be a sample of the latter."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from run_format import map_file, mapped_rows

from infercost.engine import connect, literal

if TYPE_CHECKING:
    from lab import Lab

Row = dict[str, Any]


def gateway(key: str, **changes: Any) -> Row:
    """Return a row of system.ai_gateway.usage."""
    return {
        "event_time": "2026-11-20T09:00:00Z",
        "request_id": f"req-{key}",
        "invocation_id": f"inv-{key}",
        "endpoint_name": "chat-prod",
        "destination_model": "databricks-claude-sonnet-4-5",
        "requester": "ana@example.com",
        "status_code": 200,
        "input_tokens": 1000,
        "output_tokens": 100,
        "total_tokens": 1100,
        **changes,
    }


def usage(key: str, **changes: Any) -> Row:
    """Return a row of system.serving.endpoint_usage."""
    return {
        "databricks_request_id": key,
        "request_time": "2026-11-20T09:00:00Z",
        "status_code": 200,
        "requester": "ana@example.com",
        "input_token_count": 1000,
        "output_token_count": 100,
        "request_streaming": False,
        "endpoint_name": "chat",
        **changes,
    }


def payload(key: str, counts: Row, **changes: Any) -> Row:
    """Return a row of an inference table whose response has that usage."""
    answer = {"id": f"chatcmpl-{key}", "object": "chat.completion", "model": "claude-sonnet-4-5", "usage": counts}
    return {
        "databricks_request_id": key,
        "request_time": "2026-11-20T09:00:00Z",
        "status_code": 200,
        "sampling_fraction": 1.0,
        "execution_duration_ms": 900,
        "request": json.dumps({"messages": []}),
        "response": json.dumps(answer),
        **changes,
    }


COUNTS = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


def _mapped(lab: "Lab", name: str, *rows: Row) -> list[Row]:
    with connect() as connection:
        return mapped_rows(map_file(connection, name, lab.write("rows.jsonl", rows)))


@pytest.mark.parametrize(
    ("counts", "uncached", "contradicts"),
    [
        ({"input_tokens": 1000, "total_tokens": 1100}, 400, False),
        ({"input_tokens": 1000, "total_tokens": 1700}, 1000, False),
        ({"input_tokens": 1000, "total_tokens": None}, 400, False),
        ({"input_tokens": 500, "total_tokens": None}, 500, True),
    ],
    ids=["total says included", "total says beside", "no total", "more cache than input"],
)
def test_the_total_says_whether_cache_is_part_of_the_input(
    lab: "Lab", counts: Row, uncached: int, contradicts: bool
) -> None:
    row = gateway("1", token_details={"cache_read_input_tokens": 600}, **counts)
    (call,) = _mapped(lab, "databricks-gateway", row)
    assert (call["input_uncached_tokens"], call["cache_read_tokens"]) == (uncached, 600)
    assert ("contradiction" in call) == contradicts


def test_a_recovered_failure_is_told_by_the_attempts_only(lab: "Lab") -> None:
    attempts = [{"destination": "primary", "status_code": 429}, {"destination": "spare", "status_code": 200}]
    (call,) = _mapped(lab, "databricks-gateway", gateway("1", routing_information={"attempts": attempts}))
    assert (call["status"], call["unlogged_attempts"], call["attempt_number"]) == ("ok", 1, 2)
    assert (call["routing_path"], call["is_fallback"], call["is_retry"]) == ("primary > spare", True, False)


def test_without_routing_nothing_is_said_of_attempts(lab: "Lab") -> None:
    (call,) = _mapped(lab, "databricks-gateway", gateway("1"))
    assert not {"unlogged_attempts", "attempt_number", "is_retry", "is_fallback"} & set(call)


def test_parquet_keeps_maps_and_structs(lab: "Lab") -> None:
    path = lab.folder / "usage.parquet"
    with connect() as connection:
        connection.execute(
            "COPY (SELECT TIMESTAMPTZ '2026-11-20 09:00:00+00' AS event_time, 'r-' || n AS request_id, "
            "'i-' || n AS invocation_id, 'chat' AS endpoint_name, 'ana' AS requester, 200 AS status_code, "
            "1000 AS input_tokens, 100 AS output_tokens, 1100 AS total_tokens, MAP {'team': 'search'} AS request_tags, "
            "{'cache_read_input_tokens': 600, 'output_reasoning_tokens': 30} AS token_details, "
            "{'attempts': [{'destination': 'a', 'status_code': 500}, {'destination': 'b', 'status_code': 200}]} "
            f"AS routing_information FROM range(3) AS t (n)) TO {literal(str(path))} (FORMAT parquet)"
        )
    result = lab.ingest(path)
    assert [(each.format, each.problem) for each in result.files] == [("databricks-gateway", None)]
    select = (
        "SELECT count(*), sum(input_uncached_tokens)::BIGINT, sum(cache_read_tokens)::BIGINT, "
        "sum(reasoning_tokens)::BIGINT, sum(unlogged_attempts)::BIGINT, min(tags['team']) FROM attempts"
    )
    assert lab.rows(select) == [(3, 1200, 1800, 90, 3, "search")]


@pytest.mark.parametrize("usage_first", [True, False])
def test_the_usage_table_wins_over_the_inference_table(lab: "Lab", usage_first: bool) -> None:
    """Else a call of a sampled inference table would count many times beside the others of the usage table."""
    files = [
        lab.write("usage.jsonl", [usage(f"k-{n}") for n in range(10)]),
        lab.write("payload.jsonl", [payload("k-3", COUNTS, sampling_fraction=0.1)]),
    ]
    for path in files if usage_first else reversed(files):
        lab.ingest(path)
    assert lab.rows("SELECT count(*), count(weight), sum(input_tokens)::BIGINT FROM attempts") == [(10, 0, 10000)]


def test_a_sampled_row_stands_for_many(lab: "Lab") -> None:
    rows = [payload("k-1", COUNTS, sampling_fraction=0.25), payload("k-2", COUNTS), payload("k-3", COUNTS)]
    rows[2]["sampling_fraction"] = None
    assert [row.get("weight") for row in _mapped(lab, "databricks-payload", *rows)] == [4.0, None, None]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({**COUNTS, "prompt_tokens_details": {"cached_tokens": 600}}, (400, 600, None)),
        ({**COUNTS, "total_tokens": 1800, "cache_read_input_tokens": 700}, (1000, 700, None)),
        ({"input_tokens": 20, "output_tokens": 100, "cache_read_input_tokens": 700}, (20, 700, None)),
        (
            {"input_tokens": 1000, "output_tokens": 100, "input_tokens_details": {"cached_tokens": 600}},
            (400, 600, None),
        ),
        ({**COUNTS, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 900}, (100, 0, 900)),
    ],
    ids=["chat", "chat, beside", "messages", "responses", "writes"],
)
def test_usage_in_the_shapes_of_the_models(lab: "Lab", counts: Row, expected: tuple[int, int, int | None]) -> None:
    (call,) = _mapped(lab, "databricks-payload", payload("k-1", counts))
    found = [call.get(name) for name in ("input_uncached_tokens", "cache_read_tokens", "cache_write_5m_tokens")]
    assert tuple(found) == expected


def test_classical_models_are_no_calls(lab: "Lab") -> None:
    churn = payload("k-1", {}, request=json.dumps({"dataframe_split": {}}), response=json.dumps({"predictions": [1]}))
    assert [row["is_call"] for row in _mapped(lab, "databricks-payload", churn)] == [False]
    rows = [usage("k-2", entity_type="CUSTOM_MODEL", input_token_count=None, output_token_count=None), usage("k-3")]
    assert [row["is_call"] for row in _mapped(lab, "databricks-serving", *rows)] == [False, True]


def test_cache_writes_of_openai_s_shape_and_the_name_of_databricks_own_endpoint(lab: "Lab") -> None:
    details = {"cached_tokens": 100, "cache_write_tokens": 300}
    request = json.dumps({"model": "databricks-gpt-oss-120b", "messages": []})
    (call,) = _mapped(
        lab, "databricks-payload", payload("p-1", {**COUNTS, "prompt_tokens_details": details}, request=request)
    )
    kinds = ("input_uncached_tokens", "cache_read_tokens", "cache_write_30m_tokens", "price_model")
    assert [call[kind] for kind in kinds] == [600, 100, 300, "databricks-gpt-oss-120b"]


def test_a_gateway_row_with_the_output_alone_is_known(lab: "Lab") -> None:
    (call,) = _mapped(lab, "databricks-gateway", gateway("g-1", input_tokens=None, total_tokens=None))
    assert (call["usage_source"], call["output_text_tokens"]) == ("reported", 100)
    assert "input_uncached_tokens" not in call
