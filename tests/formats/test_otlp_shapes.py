"""The ways OTLP is written down, whose file it is, and what single emitters put into a span."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from run_format import FORMATS, SHARED, claims, declaration, map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

FIXTURES = SHARED / "fixtures"
TRACE = "0123456789abcdef0123456789abcdef"
START = 1_795_000_000_000_000_000
Spans = list[dict[str, Any]]


def _shared(name: str) -> Path:
    path = FIXTURES / name
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout (../shared)")
    return path


def _value(given: object) -> dict[str, object]:
    match given:
        case bool():
            return {"boolValue": given}
        case int():
            return {"intValue": str(given)}
        case float():
            return {"doubleValue": given}
        case _:
            return {"stringValue": given}


def _span(name: str, parent: str = "", attributes: dict[str, object] | None = None, **fields: object) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": name * 16,
        "parentSpanId": parent * 16,
        "name": name,
        "startTimeUnixNano": str(START + ord(name)),
        "endTimeUnixNano": str(START + 1_000_000_000),
        "attributes": [{"key": key, "value": _value(given)} for key, given in (attributes or {}).items()],
        **fields,
    }


def _line(spans: Spans, service: str = "app", scope: str = "own") -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": scope}, "spans": spans}]}]}


def _write(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "traces.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def _map(path: Path, name: str = "otlp") -> list[dict[str, Any]]:
    with connect() as connection:
        return [row for row in mapped_rows(map_file(connection, name, path)) if row["is_call"]]


def _claimed(*paths: Path) -> list[tuple[bool, bool]]:
    with connect() as connection:
        return [(claims(connection, "otlp", path), claims(connection, "otel-console", path)) for path in paths]


CHAT: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
USED: dict[str, Any] = {**CHAT, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}


# Whose file it is


def test_deliveries_of_openrouter_are_not_claimed() -> None:
    assert _claimed(_shared("openrouter/broadcast_otlp_trimmed.ndjson")) == [(False, False)]


def test_file_with_another_service_than_openrouter_is_claimed(tmp_path: Path) -> None:
    theirs, own = _line([_span("a", attributes=USED)], "openrouter"), _line([_span("b", attributes=USED)])
    assert _claimed(_write(tmp_path, theirs)) == [(False, False)]
    assert _claimed(_write(tmp_path, theirs, own)) == [(True, False)]
    assert len(_map(_write(tmp_path, theirs, own))) == 2
    one = {"resourceSpans": theirs["resourceSpans"] + own["resourceSpans"]}
    assert _claimed(_write(tmp_path, one)) == [(True, False)]
    # Another attribute of that value does not make it OpenRouter's, and neither does a resource that says nothing.
    own["resourceSpans"][0]["resource"]["attributes"].append({"key": "peer", "value": {"stringValue": "openrouter"}})
    assert _claimed(_write(tmp_path, own)) == [(True, False)]
    assert _claimed(_write(tmp_path, {"resourceSpans": [{"scopeSpans": []}]})) == [(True, False)]
    assert _claimed(_write(tmp_path, {"resourceSpans": []})) == [(True, False)]


def test_deliveries_of_openrouter_can_be_read_when_asked_for(tmp_path: Path) -> None:
    rows = _map(_shared("openrouter/broadcast_otlp_trimmed.ndjson"))
    metered = [row for row in rows if row["usage_source"] == "reported"]
    first = metered[0]
    assert (first["input_uncached_tokens"], first["cache_write_5m_tokens"]) == (1005, 47889)
    assert (first["output_text_tokens"], first["reasoning_tokens"]) == (842 - 518, 518)
    assert first["reported_cost"] == "0.065076250000"
    assert len({row["dedupe_key"] for row in metered}) == len(metered)


# Ways to write it down


def test_console_printout_of_the_python_sdk() -> None:
    path = _shared("otlp/console_exporter.txt")
    assert _claimed(path) == [(False, True)]
    (row,) = _map(path, "otel-console")
    assert row["dedupe_key"] == "dcc69fdef4deee5cd3b42c6fb2ef73ab:06e230620d8c1990"
    assert (row["input_uncached_tokens"], row["price_model"]) == (2304, "gpt-4o")
    assert (row["started_at"], row["duration_seconds"]) == ("2026-11-23T15:52:19.816672Z", 0.000032)
    assert row["tags"] == {"service.name": "unknown_service:python"}


@pytest.mark.parametrize("response_id", [None, "chatcmpl-1"])
def test_console_and_file_of_one_run_count_once(lab: "Lab", response_id: str | None) -> None:
    given = USED | ({"gen_ai.response.id": response_id} if response_id else {})
    printed: dict[str, Any] = {
        "name": "a",
        "context": {"trace_id": f"0x{TRACE}", "span_id": "0x" + "a" * 16, "trace_state": "[]"},
        "parent_id": None,
        "start_time": "2026-11-18T11:06:40.000000Z",
        "end_time": "2026-11-18T11:06:41.000000Z",
        "status": {"status_code": "UNSET"},
        "attributes": given,
        "events": [],
        "resource": {"attributes": {"service.name": "app"}},
    }
    files = [
        lab.write("a.jsonl", [_line([_span("a", attributes=given)])]),
        lab.write("b.txt", json.dumps(printed, indent=4)),
    ]
    for number, order in enumerate((files, files[::-1])):
        together = lab.ingest(*order, store=f"together-{number}")
        assert sorted(str(each.format) for each in together.files) == ["otel-console", "otlp"]
        for path in order:
            lab.ingest(path, store=f"apart-{number}")
        for store in (f"together-{number}", f"apart-{number}"):
            assert lab.rows("SELECT count(*), sum(input_tokens) FROM attempts", store) == [(1, 10)]


def test_console_declares_the_columns_that_its_select_reads() -> None:
    otlp, console = declaration("otlp"), declaration("otel-console")
    assert otlp.columns == console.columns
    assert otlp.map_sql == console.map_sql
    assert otlp.family == console.family
    assert not (FORMATS / "otel_console" / "map.sql").exists()


@pytest.mark.parametrize(
    "hostile",
    [
        {"attributes": [], "events": {}, "status": [], "context": {"trace_id": 1, "span_id": [], "trace_state": {}}},
        {"attributes": {"gen_ai.usage.input_tokens": {}, "gen_ai.operation.name": "chat"}, "resource": "x"},
        {"attributes": {"gen_ai.usage.input_tokens": "many"}, "events": [1, None, {"name": "exception"}]},
        {"attributes": "chat", "context": "x", "start_time": "2026-11-18T11:06:40Z"},
    ],
)
def test_hostile_printout_does_not_hinder_the_next(tmp_path: Path, hostile: dict[str, Any]) -> None:
    good = {"context": {"trace_id": "0x1", "span_id": "0x2"}, "start_time": "2026-11-18T11:06:40Z", "attributes": USED}
    rows = _map(_write(tmp_path, hostile, good), "otel-console")
    assert [row["record_number"] for row in rows if row["usage_source"] == "reported"] == [1]


def _snake(given: Any) -> Any:
    """Return the same JSON with the names of the .proto files."""
    if isinstance(given, list):
        return [_snake(each) for each in given]
    if not isinstance(given, dict):
        return given
    spelt = {key: "".join("_" + sign.lower() if sign.isupper() else sign for sign in key) for key in given}
    return {spelt[key]: _snake(value) for key, value in given.items()}


@pytest.mark.parametrize("variant", ["genai_openai_httpx", "openinference_anthropic", "traceloop_openai"])
def test_names_of_the_proto_files_give_the_same_rows(tmp_path: Path, variant: str) -> None:
    path = _shared(f"otlp/{variant}.traces.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    snake = _write(tmp_path, *map(_snake, lines))
    assert "resource_spans" in snake.read_text(encoding="utf-8")
    assert _claimed(snake) == [(True, False)]
    assert _map(snake) == _map(path)


def test_names_of_the_proto_files_in_logs(tmp_path: Path) -> None:
    path = _shared("otlp/genai_anthropic.logs.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert _map(_write(tmp_path, *map(_snake, lines))) == _map(path)


@pytest.mark.parametrize("hostile", [5, "x", {"spans": 1}, [1, {"resource": [], "scope_spans": {}}]])
def test_hostile_snake_case_does_not_hinder_the_next(tmp_path: Path, hostile: object) -> None:
    good = _snake(_line([_span("a", attributes=USED)]))
    assert len(_map(_write(tmp_path, {"resource_spans": hostile}, good))) == 1


# Relatives across lines


def test_parents_in_later_lines_with_ids_of_both_kinds(tmp_path: Path) -> None:
    """Children come first, each span on a line of its own; a line that protobuf wrote has its ids in base64."""
    call = _span("c", "b", USED)
    middle = _span("b", "a", {"feature": "inner"})
    # base64 of 0123456789abcdef…, and of aaaaaaaaaaaaaaaa
    top = _span(
        "a", "", {"app.cohort": "free", "session.id": "s"}, traceId="ASNFZ4mrze8BI0VniavN7w==", spanId="qqqqqqqqqqo="
    )
    for lines in ([call, middle, top], [top, call, middle], [middle, top, call]):
        (row,) = _map(_write(tmp_path, *(_line([span]) for span in lines)))
        assert (row["tags"]["feature"], row["tags"]["app.cohort"], row["session_id"]) == ("inner", "free", "s")


def test_attempts_of_http_spans_in_other_lines(tmp_path: Path) -> None:
    tries = [
        _span(name, "a", {"http.request.method": "POST", "url.path": "/v1/chat", "http.response.status_code": status})
        for name, status in (("b", 429), ("c", 500), ("d", 200))
    ]
    for lines in ([*tries, _span("a", "", USED)], [_span("a", "", USED), *reversed(tries)]):
        rows = sorted(_map(_write(tmp_path, *(_line([span]) for span in lines))), key=lambda row: row["attempt_number"])
        assert [row["http_status"] for row in rows] == [429, 500, 200]
        assert [row.get("input_uncached_tokens") for row in rows] == [None, None, 10]
        assert len({row["request_id"] for row in rows}) == 1
        assert rows[2]["unlogged_attempts"] == 0


# Contradictions


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"cache_read.input_tokens": 400}, "cached tokens (400) exceeds the input (10)"),
        ({"reasoning.output_tokens": 30}, "reasoning tokens (30) exceeds the output (2)"),
        ({"cache_read.input_tokens": 8, "total_tokens": 20}, "the total (20) counts cached tokens (8)"),
        ({"reasoning.output_tokens": 1, "total_tokens": 13}, "the total (13) counts reasoning tokens (1)"),
        ({"cache_read.input_tokens": 8, "reasoning.output_tokens": 1, "total_tokens": 12}, None),
        ({"cache_read.input_tokens": 10}, None),
    ],
)
def test_proof_of_exclusive_counts_is_told(lab: "Lab", counts: dict[str, int], words: str | None) -> None:
    span = _span("a", "", {**USED, **{f"gen_ai.usage.{key}": count for key, count in counts.items()}})
    result = lab.ingest(lab.write("traces.jsonl", [_line([span])]))
    assert result.total("contradictions") == (0 if words is None else 1)
    told = lab.value("SELECT contradiction FROM attempts")
    assert told is None if words is None else words in told


def test_thoughts_of_gemini_cli_lie_outside_the_output_without_a_contradiction(tmp_path: Path) -> None:
    given = {**USED, "gen_ai.usage.reasoning_tokens": 30, "gen_ai.usage.total_tokens": 42}
    (row,) = _map(_write(tmp_path, _line([_span("a", "", given)], "gemini-cli")))
    assert (row["output_text_tokens"], row["reasoning_tokens"]) == (2, 30)
    assert "contradiction" not in row


# Sampling


@pytest.mark.parametrize(
    ("fields", "given", "weight"),
    [
        ({"traceState": "ot=th:c"}, {}, 4.0),
        ({"traceState": "ot=th:8"}, {}, 2.0),
        ({"traceState": "vendor=1,ot=rv:0123456789abcd;th:fd70a"}, {}, 100.0),
        ({"traceState": "ot=th:0"}, {}, 1.0),
        ({"traceState": "ot=th:ffffffffffffff"}, {}, 2.0**56),
        ({"traceState": "ot=th:xyz"}, {}, None),
        ({"traceState": "other=th:8"}, {}, None),
        ({}, {"sampling.probability": 0.25}, 4.0),
        ({}, {"sampling.probability": 0.0}, None),
        ({}, {"SampleRate": 20}, 20.0),
        ({}, {"SampleRate": "often"}, None),
        ({}, {}, None),
    ],
)
def test_sampled_call_stands_for_its_share(
    tmp_path: Path, fields: dict[str, str], given: dict[str, object], weight: float | None
) -> None:
    (row,) = _map(_write(tmp_path, _line([_span("a", "", {**USED, **given}, **fields)])))
    assert row.get("weight") == (None if weight is None else pytest.approx(weight, rel=1e-4))


def test_failed_attempt_below_a_sampled_call_has_its_weight(tmp_path: Path) -> None:
    failed = _span("b", "a", {"http.request.method": "POST", "http.response.status_code": 429})
    rows = _map(_write(tmp_path, _line([failed, _span("a", "", USED, traceState="ot=th:8")])))
    assert [row["weight"] for row in rows] == [2.0, 2.0]


# Single emitters


def _one(folder: Path, given: dict[str, object], scope: str = "own") -> dict[str, Any]:
    (row,) = _map(_write(folder, _line([_span("a", "", given)], scope=scope)))
    return row


def test_vllm_span_has_neither_ids_nor_a_model() -> None:
    (row,) = _map(_shared("vllm/vllm-0.29.0-otel.json"))
    assert (row["input_uncached_tokens"], row["output_text_tokens"]) == (14, 8)
    assert row["response_id"] == row["dedupe_key"] == "req-vllm-029-001"
    assert row["time_to_first_token_seconds"] == pytest.approx(0.115546)
    assert not {"price_model", "trace_id", "cache_read_tokens"} & set(row)


def test_cloudflare_metadata_are_tags_and_texts_are_not(tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.model.provider": "openai",
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cost": 0.000036,
        "gen_ai.prompt_json": "[some text]",
        "gen_ai.completion_json": "[some text]",
        "feature": "search",
        "plan": "pro",
        "essay": "long " * 100,
    }
    row = _one(tmp_path, given)
    assert (row["provider_name"], row["reported_cost"]) == ("openai", "0.000036000000")
    assert row["tags"] == {"feature": "search", "plan": "pro", "service.name": "app", "otel.scope.name": "own"}
    assert "cache_read_tokens" not in row


def test_agentgateway_has_its_own_names(tmp_path: Path) -> None:
    given = {**USED, "agw.ai.usage.cost.total": 0.5, "agw.ai.time_to_first_token": 0.25, "retry.attempt": 1}
    row = _one(tmp_path, {**given, "http.status": 200, "jwt.sub": "u"})
    assert (row["reported_cost"], row["time_to_first_token_seconds"]) == ("0.500000000000", 0.25)
    assert (row["is_retry"], row["http_status"], row["user_id"]) == (True, 200, "u")


def test_mlflow_counts_from_its_json_and_not_its_mirrors(tmp_path: Path) -> None:
    used = json.dumps({"input_tokens": 200, "output_tokens": 20, "total_tokens": 220, "cache_read_input_tokens": 150})
    given: dict[str, Any] = {
        "mlflow.spanType": '"CHAT_MODEL"',
        "mlflow.llm.model": '"gpt-4o"',
        "mlflow.llm.provider": '"openai"',
        "mlflow.chat.tokenUsage": used,
        "mlflow.llm.cost": '{"input_cost": 0.1, "total_cost": 0.3}',
    }
    row = _one(tmp_path, given)
    assert (row["input_uncached_tokens"], row["cache_read_tokens"], row["output_text_tokens"]) == (50, 150, 20)
    assert (row["price_model"], row["provider_name"], row["reported_cost"]) == ("gpt-4o", "openai", "0.300000000000")
    mirror = _line([_span("a", "", {**given, "mlflow.gateway.linkedTraceId": "tr-1"})])
    assert not _map(_write(tmp_path, mirror))


def test_credits_of_copilot_are_no_money(tmp_path: Path) -> None:
    row = _one(tmp_path, {**USED, "github.copilot.nano_aiu": 250_000_000, "github.copilot.cost": 1.5})
    assert row["input_uncached_tokens"] == 10
    assert "reported_cost" not in row


@pytest.mark.parametrize("name", ["gen_ai.usage.cached_tokens", "gen_ai.usage.input_cached_tokens"])
def test_sglang_and_livekit_name_cached_tokens_otherwise(tmp_path: Path, name: str) -> None:
    row = _one(tmp_path, {**USED, name: 4})
    assert (row["input_uncached_tokens"], row["cache_read_tokens"]) == (6, 4)


def test_ai_sdk_counts_its_inner_span(tmp_path: Path) -> None:
    usage = {"ai.usage.inputTokens": 100, "ai.usage.outputTokens": 20, "ai.usage.cachedInputTokens": 60}
    outer = _span("a", "", {"ai.operationId": "ai.generateText", "ai.telemetry.metadata.plan": "pro", **usage})
    inner = {"ai.operationId": "ai.generateText.doGenerate", "ai.response.msToFirstChunk": 412.5, **usage}
    tool = _span("c", "a", {"ai.operationId": "ai.toolCall"})
    for lines in ([_span("b", "a", inner), tool, outer], [outer, tool, _span("b", "a", inner)]):
        (row,) = _map(_write(tmp_path, _line(lines, scope="ai")))
        assert (row["input_uncached_tokens"], row["cache_read_tokens"], row["output_text_tokens"]) == (40, 60, 20)
        assert (row["time_to_first_token_seconds"], row["tags"]["plan"]) == (0.4125, "pro")
