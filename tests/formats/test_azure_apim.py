"""Azure API Management: rows of one call are one call, also across files, and the gateway's log completes them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from run_format import declaration, map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

Row = dict[str, Any]


def llm(key: str, sequence: int = 0, **changes: Any) -> Row:
    """Return a row of ApiManagementGatewayLlmLog."""
    return {
        "TimeGenerated": "2026-11-20T09:00:00Z",
        "CorrelationId": key,
        "DeploymentName": "chat" if sequence == 0 else "",
        "ModelName": "gpt-4o-2024-11-20" if sequence == 0 else "",
        "PromptTokens": 1000 if sequence == 0 else None,
        "CompletionTokens": 100 if sequence == 0 else None,
        "TotalTokens": 1100 if sequence == 0 else None,
        "SequenceNumber": sequence,
        **changes,
    }


def gateway(key: str, **changes: Any) -> Row:
    """Return a row of ApiManagementGatewayLogs."""
    return {
        "TimeGenerated": "2026-11-20T09:00:00Z",
        "CorrelationId": key,
        "ResponseCode": 200,
        "BackendResponseCode": 200,
        "TotalTime": 1500,
        "ApimSubscriptionId": "checkout-bot",
        "ApiId": "azure-openai-api",
        "Cache": "none",
        **changes,
    }


def _mapped(lab: "Lab", *rows: Row) -> list[Row]:
    with connect() as connection:
        return mapped_rows(map_file(connection, "azure-apim", lab.write("rows.jsonl", rows)))


def test_rows_of_one_call_are_counted_once_in_any_order(lab: "Lab") -> None:
    rows = [llm("c-1", 1), llm("c-1", 2), llm("c-1"), llm("c-1", 3), gateway("c-1"), llm("c-2")]
    for name, order in (("there", rows), ("back", rows[::-1])):
        lab.ingest(lab.write(f"{name}.jsonl", order), store=name)
        select = "SELECT count(*), sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT FROM attempts"
        assert lab.rows(select, name) == [(2, 2000, 200)]


@pytest.mark.parametrize("tokens_first", [True, False])
def test_the_row_with_tokens_wins_across_files(lab: "Lab", tokens_first: bool) -> None:
    files = [lab.write("parts.jsonl", [llm("c-1", 1), llm("c-1", 2)]), lab.write("tokens.jsonl", [llm("c-1")])]
    for path in reversed(files) if tokens_first else files:
        lab.ingest(path)
    assert lab.rows("SELECT usage_source, input_tokens, response_model FROM attempts") == [
        ("reported", 1000, "gpt-4o-2024-11-20")
    ]


def test_rows_of_both_tables_in_two_files_are_joined(lab: "Lab") -> None:
    calls = lab.write("llm.jsonl", [llm("c-1"), llm("c-2")])
    lab.ingest(calls, lab.write("gateway.jsonl", [gateway("c-1", ResponseCode=200, Cache="hit"), gateway("c-9")]))
    rows = lab.rows("SELECT api_key_name, duration_seconds, gateway_cache, status FROM attempts ORDER BY request_id")
    assert rows == [("checkout-bot", 1.5, "hit", "ok"), (None, None, None, "ok")]


def test_a_failure_is_told_by_the_gateway_log_alone(lab: "Lab") -> None:
    failed = llm("c-1", PromptTokens=0, CompletionTokens=0, TotalTokens=0)
    told = gateway("c-1", ResponseCode=429, BackendResponseCode=429, LastErrorReason="BackendThrottled")
    call, _ = _mapped(lab, failed, told)
    assert (call["status"], call["http_status"], call["error_type"]) == ("error", 429, "BackendThrottled")
    assert call["usage_source"] == "missing"
    assert "input_uncached_tokens" not in call


def test_cached_tokens_are_part_of_the_prompt_but_not_for_claude(lab: "Lab") -> None:
    gpt, claude = _mapped(
        lab,
        llm("c-1", PromptCachedTokens=600),
        llm("c-2", PromptTokens=26, TotalTokens=126, PromptCachedTokens=48854, ModelName="claude-sonnet-4-5"),
    )
    assert (gpt["input_uncached_tokens"], gpt["cache_read_tokens"]) == (400, 600)
    assert (claude["input_uncached_tokens"], claude["cache_read_tokens"]) == (26, 48854)
    assert "contradiction" not in claude


def test_numbers_as_log_analytics_writes_them_into_text(lab: "Lab") -> None:
    (call,) = _mapped(lab, llm("c-1", PromptTokens="1000.0", CompletionTokens="100", SequenceNumber="0"))
    assert (call["input_uncached_tokens"], call["output_text_tokens"]) == (1000, 100)


def test_azure_diagnostics_columns(lab: "Lab") -> None:
    old = {
        "TimeGenerated": "2026-11-20T09:00:00Z",
        "Category": "GatewayLlmLogs",
        "CorrelationId": "d-1",
        "modelName_s": "gpt-4o-2024-11-20",
        "deploymentName_s": "chat",
        "promptTokens_d": 300.0,
        "completionTokens_d": 30.0,
        "sequenceNumber_d": 0.0,
    }
    path = lab.write("old.jsonl", [old])
    result = lab.ingest(path)
    assert [each.format for each in result.files] == ["azure-apim"]
    assert lab.rows("SELECT request_id, input_tokens, output_tokens FROM attempts") == [("d-1", 300, 30)]


def test_every_row_of_a_query_answer_is_read(lab: "Lab") -> None:
    names = ["TimeGenerated", "CorrelationId", "ModelName", "PromptTokens", "CompletionTokens", "SequenceNumber"]
    rows = [["2026-11-20T09:00:00Z", f"q-{n}", "gpt-4o-2024-11-20", 10, 1, 0] for n in range(3000)]
    answer = {"tables": [{"name": "PrimaryResult", "columns": [{"name": name} for name in names], "rows": rows}]}
    lab.ingest(lab.write("answer.json", json.dumps(answer)))
    assert lab.rows("SELECT count(*), sum(input_tokens)::BIGINT FROM attempts") == [(3000, 30000)]


def test_an_answer_with_another_column_count_does_not_stop_the_rest(lab: "Lab") -> None:
    columns = [
        {"name": "TimeGenerated"},
        {"name": "CorrelationId"},
        {"name": "PromptTokens"},
        {"name": "CompletionTokens"},
    ]
    rows = [["2026-11-20T09:00:00Z", "q-1", 10, 1], ["2026-11-20T09:00:00Z"], "no row", None]
    path = lab.write("answer.json", json.dumps({"tables": [{"columns": columns, "rows": rows}]}))
    lab.ingest(path)
    assert lab.value("SELECT count(*) FROM attempts") == 1


def test_no_message_is_read() -> None:
    """The columns that hold prompts and answers are not even declared."""
    form = declaration("azure-apim")
    assert not [name for name in form.columns if "essages" in name]
    texts = "".join(path.read_text(encoding="utf-8") for path in Path(form.folder).glob("expected*"))
    assert "warehouse" not in texts


def test_prompt_and_answer_counted_on_two_rows_make_one_call(lab: "Lab") -> None:
    asked = llm("c-1", CompletionTokens=0, TotalTokens=1000)
    answered = llm("c-1", PromptTokens=0, TotalTokens=100, ModelName="", DeploymentName="")
    whole = [llm("c-2"), llm("c-2", PromptTokens=900, CompletionTokens=50, TotalTokens=950)]
    lab.ingest(lab.write("rows.jsonl", [asked, answered, *whole]))
    select = "SELECT input_tokens, output_tokens, contradiction, price_model FROM attempts"
    assert lab.rows(select) == [(1000, 100, None, "gpt-4o-2024-11-20")] * 2
