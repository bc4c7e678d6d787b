"""Every trap of LiteLLM's logs: what its files look like, what its fields do not mean, what its sums hold twice."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lab import START, lines, payload, payloads
from run_format import FORMATS, SHARED, claims, map_file

from infercost.engine import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab import Lab

FIXTURES = SHARED / "fixtures" / "litellm"
PAYLOADS = FIXTURES / "standard_logging_payload.jsonl"
ROWS = FIXTURES / "spend_logs_rows.jsonl"
EXPORTED_ROWS = FIXTURES / "pg_export" / "spendlogs_row_to_json.jsonl"

on_real_records = pytest.mark.skipif(not FIXTURES.is_dir(), reason="../shared/fixtures/litellm is not here")

JSON_LOG = {
    "message": "POST /v1/chat/completions 200",
    "level": "INFO",
    "timestamp": "2026-11-23T15:25:24.100000",
    "component": "LiteLLM Proxy",
    "logger": "proxy_server.py:912",
}


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def mapped(name: str, path: Path, select: str) -> list[tuple[Any, ...]]:
    with connect() as connection:
        map_file(connection, name, path)
        return connection.execute(select).fetchall()


def row(number: int, **changes: Any) -> dict[str, Any]:
    """Return a row of LiteLLM_SpendLogs as GET /spend/logs gives it."""
    return {
        "request_id": f"chatcmpl-{number}",
        "litellm_call_id": f"call-{number}",
        "call_type": "acompletion",
        "api_key": "0123abcd",
        "spend": 0.002,
        "total_tokens": 110,
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "startTime": f"2026-11-23T15:25:{number:02}.202Z",
        "endTime": f"2026-11-23T15:25:{number:02}.702Z",
        "completionStartTime": f"2026-11-23T15:25:{number:02}.702Z",
        "model": "openai/gpt-4o-mini",
        "model_group": "mini",
        "custom_llm_provider": "openai",
        "user": "svc",
        "metadata": {"usage_object": {"prompt_tokens": 100, "completion_tokens": 10}, "attempted_retries": 0},
        "cache_hit": "None",
        "request_tags": ["feature:search", "User-Agent: curl", "User-Agent: curl/8.5.0"],
        "session_id": "s-1",
        "status": "success",
        **changes,
    }


# How users get files.


@pytest.mark.parametrize("name", ["chatcmpl-1", "failure-6a0c", "resp_" + "x" * 250])
def test_objects_without_an_extension_are_read_up_to_the_longest_name(lab: "Lab", name: str) -> None:
    folder = lab.write(f"2026-11-23/{name}", payloads(1)).parent
    assert len(name) <= 255
    assert lab.ingest(folder).total("attempts") == 1


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("body.json", json.dumps),
        ("body.ndjson", lines),
        ("batch_15-25-24_6a0c.jsonl", lines),
        ("indented.json", lambda records: json.dumps(records, indent=4)),
    ],
)
def test_every_body_of_the_callbacks_is_read(lab: "Lab", name: str, pack: "Callable[[Any], str | bytes]") -> None:
    assert lab.ingest(lab.write(name, pack(payloads(3)))).total("attempts") == 3


@pytest.mark.parametrize("indent", [None, 4])
def test_one_object_a_file_is_read_with_and_without_line_breaks(lab: "Lab", indent: int | None) -> None:
    path = lab.write("2026-11-23/time-15-25-24-1_a.json", json.dumps(payload(1), indent=indent))
    assert lab.ingest(path).total("attempts") == 1


@on_real_records
def test_the_day_in_the_key_of_an_object_is_not_its_time(lab: "Lab") -> None:
    """Keys have the server's local day, and the same object in the folder of another day is the same attempt."""
    origin = next((FIXTURES / "s3_v2_objects").rglob("time-*_chatcmpl-*.json"))
    record = json.loads(origin.read_text(encoding="utf-8"))
    for day in ("2026-11-22", "2026-11-24"):
        lab.write(f"litellm-logs/{day}/{origin.name}", origin.read_bytes())
    assert lab.ingest(lab.folder / "litellm-logs").total("duplicates") == 1
    (found,) = lab.rows("SELECT epoch(started_at) FROM attempts")
    assert found[0] == pytest.approx(record["startTime"], abs=1e-6)


def test_lines_of_the_application_log_are_other_records(lab: "Lab") -> None:
    error = {**JSON_LOG, "level": "ERROR", "stacktrace": "Traceback"}
    result = lab.ingest(lab.write("stdout.jsonl", [JSON_LOG, payload(1), error, payload(2), JSON_LOG]))
    assert [result.total(count) for count in ("records", "attempts", "skipped", "rejected")] == [5, 2, 3, 0]


def test_the_application_log_alone_is_no_log_of_calls(lab: "Lab") -> None:
    (file,) = lab.ingest(lab.write("stdout.jsonl", [JSON_LOG] * 3)).files
    assert file.problem is not None
    assert "no format recognises it" in file.problem


def test_a_payload_printed_over_many_lines_takes_no_other_record_with_it(lab: "Lab") -> None:
    content = lines([payload(1), JSON_LOG]) + json.dumps(payload(2), indent=4).encode() + b"\n" + lines([payload(3)])
    lab.ingest(lab.write("stdout.log", content))
    assert lab.rows("SELECT response_id FROM attempts ORDER BY 1") == [("chatcmpl-000001",), ("chatcmpl-000003",)]


@pytest.mark.parametrize(
    "answer",
    [
        lambda rows: rows,
        lambda rows: {"data": rows, "total": 3, "page": 1, "page_size": 50, "total_pages": 1},
        lambda rows: {"total": 3, "page": 1, "page_size": 50, "total_pages": 1, "data": rows},
    ],
    ids=["list", "v2", "v2-data-last"],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_answers_of_spend_logs_are_read(lab: "Lab", answer: "Callable[[Any], Any]", as_text: bool) -> None:
    rows = [row(number) for number in range(3)]
    if as_text:
        rows = [
            each | {"metadata": json.dumps(each["metadata"]), "request_tags": json.dumps(each["request_tags"])}
            for each in rows
        ]
    result = lab.ingest(lab.write("answer.json", json.dumps(answer(rows))))
    assert [(each.format, each.problem, each.attempts) for each in result.files] == [("litellm-spendlogs", None, 3)]
    assert lab.rows("SELECT sum(input_tokens), min(epoch_ms(started_at)), any_value(tags) FROM attempts") == [
        (300, 1795447500202, {"feature": "search"})
    ]


def test_the_summarised_answer_is_sums_and_no_calls(lab: "Lab") -> None:
    days = [
        {
            "users": {"svc": 0.3, "": 0.1},
            "models": {"openai/gpt-4o": 0.25, "openai/gpt-4o-mini": 0.15},
            "spend": 0.4,
            "0123abcd": 0.4,
            "startTime": "2026-11-20",
        },
        {"startTime": "2026-11-21", "spend": 0, "users": {}, "models": {}},
    ]
    result = lab.ingest(lab.write("answer.json", json.dumps(days)))
    assert [(each.format, each.attempts, each.bill_lines, each.skipped) for each in result.files] == [
        ("litellm-daily", 0, 2, 1)
    ]
    assert lab.rows("SELECT model, billed_cost FROM bills ORDER BY 1") == [
        ("openai/gpt-4o", Decimal("0.25")),
        ("openai/gpt-4o-mini", Decimal("0.15")),
    ]


def test_a_rollup_counts_the_cache_once_and_its_last_state(lab: "Lab") -> None:
    early = {
        "id": "6a0c", "user_id": "svc", "date": "2026-11-20", "api_key": "0123abcd", "model": "openai/gpt-4o",
        "custom_llm_provider": "openai", "prompt_tokens": 1000, "completion_tokens": 50, "cache_read_input_tokens": 600,
        "cache_creation_input_tokens": 100, "spend": 0.5, "api_requests": 4, "successful_requests": 4,
        "failed_requests": 0, "updated_at": "2026-11-20T10:00:00.000",
    }  # fmt: skip
    late = early | {"prompt_tokens": 1500, "spend": 0.6, "api_requests": 5, "updated_at": "2026-11-20T23:00:00.000"}
    for name, records in (("a.jsonl", [late, early]), ("b.jsonl", [early])):
        lab.ingest(lab.write(name, records))
    assert lab.rows("SELECT token_kind, quantity::BIGINT, requests, billed_cost FROM bills ORDER BY 1") == [
        ("cache_read", 600, None, None),
        ("cache_write_5m", 100, None, None),
        ("input_uncached", 800, None, None),
        ("output", 50, None, None),
        (None, None, 5, Decimal("0.6")),
    ]


@pytest.mark.parametrize("name", ["litellm", "litellm_spendlogs"])
def test_sums_and_calls_are_told_apart(name: str) -> None:
    with connect() as connection:
        for sample in (FORMATS / name).glob("sample*.*"):
            assert not claims(connection, "litellm_daily", sample), sample
        for sample in (FORMATS / "litellm_daily").glob("sample*.*"):
            assert not claims(connection, name, sample), sample


# What the fields do not mean.


@on_real_records
@pytest.mark.parametrize(("name", "path"), [("litellm", PAYLOADS), ("litellm_spendlogs", EXPORTED_ROWS)])
def test_no_real_record_contradicts_the_inclusion_of_cache_and_reasoning(name: str, path: Path) -> None:
    select = "SELECT count(*) > 400, count(contradiction), sum(cache_read_tokens) > 0, sum(reasoning_tokens) > 0"
    assert mapped(name, path, f"{select} FROM mapped") == [(True, 0, True, True)]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({}, (None, 100, 10)),
        ({"prompt_tokens_details": {"cached_tokens": 100}}, (None, 0, 10)),
        (
            {"prompt_tokens_details": {"cached_tokens": 90, "cache_creation_tokens": 20}},
            ("cached input (110) exceeds prompt_tokens (100), which should include it: read as exclusive", 100, 10),
        ),
        (
            {"completion_tokens_details": {"reasoning_tokens": 11}},
            ("reasoning (11) exceeds completion_tokens (10), which should include it: read as exclusive", 100, 10),
        ),
    ],
)
@pytest.mark.parametrize("name", ["litellm", "litellm_spendlogs"])
def test_a_record_that_disproves_the_inclusion_says_so(
    lab: "Lab", name: str, usage: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    metadata = {"usage_object": {"prompt_tokens": 100, "completion_tokens": 10, **usage}}
    record = payload(0, metadata=metadata) if name == "litellm" else row(0, metadata=metadata)
    assert lab.ingest(lab.write("a.jsonl", [record])).total("contradictions") == (expected[0] is not None)
    assert lab.rows("SELECT contradiction, input_uncached_tokens, output_text_tokens FROM attempts") == [expected]


@on_real_records
def test_the_cost_is_not_that_of_the_breakdown() -> None:
    """The parts of the breakdown hold the cache twice over, and the full cost of gateway cache hits."""
    records = read(PAYLOADS)
    broken_down = sum(record["cost_breakdown"]["total_cost"] for record in records if record["cost_breakdown"])
    ((total,),) = mapped("litellm", PAYLOADS, "SELECT sum(reported_cost) FROM mapped")
    assert float(total) == pytest.approx(sum(record["response_cost"] or 0 for record in records), abs=1e-9)
    assert broken_down / float(total) == pytest.approx(1.041, abs=0.001)


@on_real_records
@pytest.mark.parametrize(("name", "path"), [("litellm", PAYLOADS), ("litellm_spendlogs", ROWS)])
def test_a_deployment_of_azure_is_priced_as_its_model(name: str, path: Path) -> None:
    select = "SELECT DISTINCT response_model, price_model FROM mapped WHERE provider_name = 'azure.ai.openai'"
    assert mapped(name, path, select) == [("azure/my-mini-deployment", "azure/gpt-4o-mini")]


@on_real_records
def test_a_model_without_a_price_is_not_free(lab: "Lab") -> None:
    lab.ingest(PAYLOADS)
    rows = lab.rows(
        "SELECT count(*), sum(reported_cost), min(input_tokens) > 0, count(list_cost), count(effective_cost) "
        "FROM attempts WHERE price_model = 'openai/acme-private-7b'"
    )
    assert rows == [(6, Decimal(0), True, 0, 0)]


@on_real_records
def test_time_to_first_token_is_that_of_streams_only() -> None:
    records = {record["id"]: record for record in read(PAYLOADS)}
    rows = mapped("litellm", PAYLOADS, "SELECT dedupe_key, stream, time_to_first_token_seconds FROM mapped")
    assert {stream for _, stream, _ in rows} == {True, None}
    assert all(seconds is None for _, stream, seconds in rows if not stream)
    told = {key: seconds for key, stream, seconds in rows if stream and seconds is not None and key in records}
    assert len(told) > 50
    assert told == {
        key: pytest.approx(records[key]["completionStartTime"] - records[key]["startTime"], abs=2e-6) for key in told
    }


@on_real_records
def test_codes_of_errors_are_statuses_only_where_they_are() -> None:
    rows = mapped(
        "litellm",
        PAYLOADS,
        "SELECT DISTINCT status, error_type, http_status FROM mapped WHERE status <> 'ok' ORDER BY ALL",
    )
    assert rows == [
        ("cancelled", "ClientDisconnected", 499),
        ("error", "ContextWindowExceededError", 400),
        ("error", "Exception", None),
        ("error", "InternalServerError", 500),
        ("error", "ProxyModelNotFoundError", 400),
        ("error", "RateLimitError", 429),
        ("error", "ReadError", None),
        ("error", "ServiceUnavailableError", 503),
        ("error", "Timeout", 408),
    ]


@pytest.mark.parametrize(("code", "status"), [("1015", None), ("", None), ("server_error", None), (429, 429)])
def test_a_code_that_is_no_http_status_is_none(lab: "Lab", code: "str | int", status: int | None) -> None:
    failure = {"status": "failure", "error_information": {"error_code": code, "error_class": "RateLimitError"}}
    lab.ingest(lab.write("a.jsonl", [payload(0, **failure)]))
    lab.ingest(lab.write("b.jsonl", [row(0, status="failure", metadata=failure)]), store="rows")
    for store in ("store", "rows"):
        assert lab.rows("SELECT status, error_type, http_status FROM attempts", store) == [
            ("error", "RateLimitError", status)
        ]


@on_real_records
@pytest.mark.parametrize(("name", "path"), [("litellm", PAYLOADS), ("litellm_spendlogs", ROWS)])
def test_counts_of_the_gateway_itself_are_estimates(name: str, path: Path) -> None:
    """LiteLLM counts the tokens of cut streams itself, and those of clients that went away, called successes."""
    # The payload names the error that it saw, the row the one that it made of it.
    cut = "error_type IN ('ReadError', 'APIConnectionError') AND usage_source = 'estimated'"
    assert mapped(name, path, f"SELECT count(*), sum(reported_cost) > 0 FROM mapped WHERE {cut}") == [(3, True)]
    gone = "SELECT count(*), bool_and(usage_source = 'estimated'), bool_and(error_type = 'ClientDisconnected')"
    assert mapped(name, path, f"{gone} FROM mapped WHERE status = 'cancelled'") == [(4, True, True)]


@on_real_records
def test_a_timeout_has_its_billed_attempts_in_the_table_only() -> None:
    select = "SELECT count(*), count(input_uncached_tokens), sum(reported_cost) > 0 FROM mapped"
    assert mapped("litellm", PAYLOADS, f"{select} WHERE error_type = 'Timeout'") == [(4, 0, False)]
    timeouts = f"{select} WHERE error_type = 'Timeout' OR contains(dedupe_key, '-attempt-')"
    assert mapped("litellm_spendlogs", ROWS, timeouts) == [(12, 12, True)]
    grouped = mapped(
        "litellm_spendlogs",
        ROWS,
        "SELECT list(attempt_number ORDER BY attempt_number), max(unlogged_attempts) FROM mapped "
        "WHERE request_id IN (SELECT request_id FROM mapped WHERE contains(dedupe_key, '-attempt-')) "
        "GROUP BY request_id",
    )
    assert grouped == [([1, 2, 3], 0)] * 4


@on_real_records
def test_a_chain_of_fallbacks_begins_at_the_group_that_was_asked_for() -> None:
    """The payload tells of one fallback where there were two; the requested group is on the failure beside it."""
    path = "WHERE request_model = 'primary-down' AND status = 'ok'"
    select = f"SELECT DISTINCT routing_path, is_fallback, attempt_number, unlogged_attempts FROM mapped {path}"
    assert mapped("litellm", PAYLOADS, select) == [("primary-down > gpt-4o", True, 2, 0)]
    assert mapped("litellm_spendlogs", ROWS, select) == [("primary-down > gpt-4o", True, 3, 2)]


@on_real_records
def test_retries_are_counted_where_they_are_told_and_unknown_elsewhere() -> None:
    """Streams and /v1/messages have no headers: whether they were tried before is unknown without a logged failure."""
    rows = mapped(
        "litellm",
        PAYLOADS,
        "SELECT operation_name = 'messages' OR stream IS TRUE AS silent, count(*) FILTER (attempt_number IS NULL) > 0, "
        "count(*) FILTER (unlogged_attempts > 0) > 0 FROM mapped WHERE status = 'ok' GROUP BY 1 ORDER BY 1",
    )
    assert rows == [(False, False, True), (True, True, False)]


@on_real_records
def test_a_gateway_hit_keeps_its_tokens_and_not_its_cost() -> None:
    hits = [record for record in read(PAYLOADS) if record["cache_hit"]]
    assert all(hit["hidden_params"]["response_cost"] > 0 for hit in hits)
    (found,) = mapped(
        "litellm",
        PAYLOADS,
        "SELECT count(*), sum(reported_cost), bool_and(usage_source = 'reported'), count(*) FILTER (stream) "
        "FROM mapped WHERE gateway_cache = 'hit'",
    )
    assert found[:3] == (len(hits), Decimal(0), True)
    assert found[3] > 0
    # Null is not a miss: the gateway says nothing then.
    assert mapped("litellm", PAYLOADS, "SELECT count(*) > 200 FROM mapped WHERE gateway_cache IS NULL") == [(True,)]


# Where tags and sessions are.


@on_real_records
def test_the_header_of_claude_code_is_its_session() -> None:
    told = "x-claude-code-session-id"
    expected = {
        (record["id"], record["metadata"]["requester_custom_headers"][told])
        for record in read(PAYLOADS)
        if told in (record["metadata"].get("requester_custom_headers") or {})
    }
    assert len(expected) == 12
    rows = mapped("litellm", PAYLOADS, "SELECT dedupe_key, session_id FROM mapped")
    assert expected <= set(rows)


@on_real_records
def test_the_session_of_the_client_stands_in_the_trace() -> None:
    records = {record["id"]: record for record in read(PAYLOADS)}
    rows = mapped("litellm", PAYLOADS, "SELECT dedupe_key, trace_id FROM mapped WHERE status = 'ok'")
    found = {key: trace for key, trace in rows if key in records}
    assert any(trace.startswith("sess-") for trace in found.values())
    assert found == {key: records[key]["trace_id"] for key in found}


def test_free_keys_of_the_request_reach_the_payload_and_the_table_lacks_them(lab: "Lab") -> None:
    metadata = {"requester_metadata": {"feature": "free"}, "spend_logs_metadata": {"cohort": "eu"}}
    lab.ingest(lab.write("a.jsonl", [payload(0, request_tags=None, metadata=metadata)]))
    lab.ingest(lab.write("b.jsonl", [row(0, request_tags=[], metadata=metadata)]), store="rows")
    assert lab.value("SELECT tags FROM attempts") == {"feature": "free", "cohort": "eu"}
    assert lab.value("SELECT tags FROM attempts", "rows") == {"cohort": "eu"}


@on_real_records
@pytest.mark.parametrize(("name", "path"), [("litellm", PAYLOADS), ("litellm_spendlogs", ROWS)])
def test_decisions_of_the_router_are_tags(name: str, path: Path) -> None:
    tiers = "SELECT DISTINCT tags['routing.tier'] FROM mapped WHERE tags['routing.tier'] IS NOT NULL"
    assert {tier for (tier,) in mapped(name, path, tiers)} <= {"SIMPLE", "MEDIUM", "COMPLEX", "REASONING"}
    count = "SELECT count(*) FROM mapped WHERE tags['routing.router'] <> '' AND tags['routing.model'] <> ''"
    assert mapped(name, path, count)[0][0] > 0


# Versions, and what users turn off.

OLD_ROWS = {
    "1.81": ("request_duration_ms", "litellm_call_id"),
    "1.75": ("request_duration_ms", "litellm_call_id", "organization_id", "agent_id"),
    "1.65": ("request_duration_ms", "litellm_call_id", "organization_id", "agent_id", "session_id", "status"),
}


@on_real_records
@pytest.mark.parametrize("version", OLD_ROWS)
def test_rows_of_older_versions_keep_their_tokens_and_outcomes(tmp_path: Path, version: str) -> None:
    records = read(EXPORTED_ROWS)
    for record in records:
        for key in OLD_ROWS[version]:
            record.pop(key, None)
    old = tmp_path / "old.jsonl"
    old.write_bytes(lines(records))
    told = (
        "SELECT dedupe_key, input_uncached_tokens, cache_read_tokens, output_text_tokens, reported_cost, status, "
        "usage_source, started_at::VARCHAR, duration_seconds FROM mapped ORDER BY ALL"
    )

    def keyed(path: Path) -> list[tuple[Any, ...]]:
        return [each[1:] for each in mapped("litellm_spendlogs", path, told) if not each[0].startswith("hit:")]

    assert keyed(old) == keyed(EXPORTED_ROWS)
    assert mapped("litellm_spendlogs", old, "SELECT count(DISTINCT dedupe_key) FROM mapped") == [(415,)]


def test_details_of_version_1_65_are_read_from_where_they_were(lab: "Lab") -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 60}}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, **details}
    record = payload(0, response={"usage": usage}, metadata={})
    del record["litellm_call_id"]
    lab.ingest(lab.write("a.jsonl", [record]))
    lab.ingest(lab.write("b.jsonl", [row(0, metadata={"additional_usage_values": details})]), store="rows")
    for store in ("store", "rows"):
        assert lab.rows("SELECT input_uncached_tokens, cache_read_tokens FROM attempts", store) == [(40, 60)]


@pytest.mark.parametrize("hidden", [None, "redacted-by-litellm", {"text": "redacted-by-litellm"}, [1, 2]])
def test_answers_that_are_hidden_take_no_usage_with_them(lab: "Lab", hidden: Any) -> None:
    lab.ingest(lab.write("a.jsonl", [payload(0, messages=hidden, response=hidden)]))
    assert lab.rows("SELECT input_tokens, output_tokens, usage_source FROM attempts") == [(100, 10, "reported")]


@pytest.mark.parametrize(
    ("call_type", "operation"),
    [("completion", "chat"), ("embedding", "embeddings"), ("responses", "responses"), ("aresponses", "responses")],
)
def test_names_of_calls_of_the_sdk_lack_the_leading_a(lab: "Lab", call_type: str, operation: str) -> None:
    lab.ingest(lab.write("a.jsonl", [payload(0, call_type=call_type)]))
    lab.ingest(lab.write("b.jsonl", [row(0, call_type=call_type)]), store="rows")
    assert lab.value("SELECT operation_name FROM attempts") == operation
    assert lab.value("SELECT operation_name FROM attempts", "rows") == operation


def test_times_are_utc_whatever_their_writing(lab: "Lab") -> None:
    times = ["2026-11-23 15:25:24.202", "2026-11-23T15:25:24.202", "2026-11-23T15:25:24.202Z"]
    times += ["2026-11-23T16:25:24.202+01:00"]
    lab.ingest(lab.write("a.jsonl", [row(number, startTime=time) for number, time in enumerate(times)]))
    assert lab.rows("SELECT epoch_ms(started_at), count(*) FROM attempts GROUP BY ALL") == [
        ((START * 1000) + 202, len(times))
    ]
