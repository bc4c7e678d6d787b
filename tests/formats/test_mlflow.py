"""MLflow AI Gateway: one attempt a provider span of the gateway's own traces, whatever else tells of the call."""

import json
from typing import TYPE_CHECKING, Any

from run_format import map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

Row = dict[str, Any]
START = 1795165200000000000
USAGE = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}


def span(name: str, key: str, parent: str | None, start: float, stop: float, **attributes: Any) -> Row:
    """Return a span as Span.to_dict of MLflow 3 writes it; attributes are JSON in text."""
    return {
        "trace_id": "AAAA==",
        "span_id": key,
        "parent_span_id": parent,
        "name": name,
        "start_time_unix_nano": START + int(start * 1e9),
        "end_time_unix_nano": START + int(stop * 1e9),
        "events": [],
        "status": {"code": "STATUS_CODE_OK", "message": ""},
        "attributes": {key.replace("__", "."): json.dumps(value) for key, value in attributes.items()},
        "links": [],
    }


def provider(key: str, parent: str = "root", start: float = 0.1, **attributes: Any) -> Row:
    """Return the span of one try of a provider."""
    told = {"mlflow__llm__model": "gpt-4o-mini", "mlflow__llm__provider": "openai", **attributes}
    return span("provider/openai/gpt-4o-mini", key, parent, start, start + 0.5, **told)


def trace(name: str, *spans: Row, **metadata: str) -> Row:
    """Return a trace of the gateway."""
    told = {"mlflow.gateway.endpointId": "ep-1", **metadata}
    root = span("gateway/chat-prod", "root", None, 0, 2, endpoint_name="chat-prod")
    return {"info": {"trace_id": name, "trace_metadata": told, "tags": {}}, "data": {"spans": [root, *spans]}}


def mirror(name: str) -> Row:
    """Return the trace of a caller, into which the gateway has written what its own trace `name` holds."""
    spans = [
        span("plan", "root", None, 0, 5),
        span("gateway/chat-prod", "gw", "root", 0, 2, mlflow__gateway__linkedTraceId=name),
        provider("p-1", "gw", mlflow__chat__tokenUsage=USAGE),
    ]
    return {"info": {"trace_id": "tr-caller", "trace_metadata": {}, "tags": {}}, "data": {"spans": spans}}


def _mapped(lab: "Lab", *rows: Row) -> list[Row]:
    with connect() as connection:
        return mapped_rows(map_file(connection, "mlflow", lab.write("traces.jsonl", rows)))


def test_mirrors_in_the_trace_of_the_caller_do_not_count(lab: "Lab") -> None:
    own = trace("tr-1", provider("p-1", mlflow__chat__tokenUsage=USAGE))
    lab.ingest(lab.write("traces.jsonl", [own, mirror("tr-1")]))
    assert lab.rows("SELECT count(*), sum(input_tokens)::BIGINT FROM attempts") == [(1, 1000)]


def test_mirrors_below_a_gateway_of_its_own_do_not_count_either(lab: "Lab") -> None:
    linked = span("gateway/other", "gw", "root", 0, 1, mlflow__gateway__linkedTraceId="tr-9")
    row = trace("tr-1", linked, provider("p-1", "gw", mlflow__chat__tokenUsage=USAGE), provider("p-2"))
    assert [each["dedupe_key"] for each in _mapped(lab, row)] == ["tr-1:p-2"]


def test_fallbacks_are_numbered_by_their_start(lab: "Lab") -> None:
    spare = provider("p-2", start=0.9, mlflow__chat__tokenUsage=USAGE, mlflow__llm__model="gpt-4o")
    first = provider("p-1")
    first["status"] = {"code": "STATUS_CODE_ERROR", "message": "no"}
    first["events"] = [{"name": "exception", "attributes": {"exception.type": "TimeoutError"}}]
    failed, answered = _mapped(lab, trace("tr-1", spare, first))
    assert (failed["attempt_number"], failed["status"], failed["error_type"]) == (1, "error", "TimeoutError")
    assert (answered["attempt_number"], answered["is_fallback"]) == (2, True)
    assert answered["routing_path"] == "gpt-4o-mini > gpt-4o"


def test_cache_is_part_of_the_input(lab: "Lab") -> None:
    counts = {
        **USAGE,
        "cache_read_input_tokens": 600,
        "cache_creation_input_tokens": 200,
        "cache_creation_input_tokens_above_1hr": 150,
    }
    (call,) = _mapped(
        lab, trace("tr-1", provider("p-1", mlflow__chat__tokenUsage=counts, mlflow__llm__provider="anthropic"))
    )
    kinds = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h")
    assert [call[f"{kind}_tokens"] for kind in kinds] == [200, 600, 50, 150]


def test_a_passthrough_call_takes_as_long_as_its_root(lab: "Lab") -> None:
    (call,) = _mapped(lab, trace("tr-1", provider("p-1", start=1.9, action="openai_responses")))
    assert (call["started_at"], call["duration_seconds"]) == ("2026-11-20T09:00:00.000000Z", 2.0)
    assert call["operation_name"] == "responses"


def test_the_same_traces_from_the_table_of_search_traces(lab: "Lab") -> None:
    row = trace("tr-1", provider("p-1", mlflow__chat__tokenUsage=USAGE))
    lab.ingest(lab.write("get.json", json.dumps(row, indent=2)))
    lab.ingest(lab.write("table.jsonl", [{"trace_id": "tr-1", "trace": json.dumps(row), "state": "OK"}]))
    lab.ingest(lab.write("search.json", json.dumps({"traces": [row], "next_page_token": None})))
    assert lab.rows("SELECT count(*), count(DISTINCT format) FROM attempts") == [(1, 1)]
    assert lab.value("SELECT sum(duplicates)::BIGINT FROM loads") == 2


def test_attributes_that_are_no_text_are_read_as_well(lab: "Lab") -> None:
    """Tools that decode a trace leave values instead of JSON texts."""
    attempt = provider("p-1")
    attempt["attributes"] = {"mlflow.chat.tokenUsage": USAGE, "mlflow.llm.model": json.dumps("gpt-4o")}
    (call,) = _mapped(lab, trace("tr-1", attempt))
    assert (call["input_uncached_tokens"], call["price_model"]) == (1000, "gpt-4o")
