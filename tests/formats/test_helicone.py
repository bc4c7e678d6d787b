"""The traps of Helicone's records: units of the cost, tokens without the cache, hits, statuses below zero, the CSV."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lab import Lab

NO_ID = "00000000-0000-0000-0000-000000000000"


def request(number: int, **changes: Any) -> dict[str, Any]:
    """Return a record as the export tool writes it."""
    return {
        "request_id": f"request-{number}",
        "response_id": f"response-{number}",
        "request_created_at": f"2026-11-20T10:00:{number:02}.000Z",
        "response_status": 200,
        "provider": "OPENAI",
        "request_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06",
        "model": "gpt-4o-2024-08-06",
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_cache_read_tokens": 900,
        "prompt_cache_write_tokens": 50,
        "delay_ms": 1200,
        "costUSD": 0.0025,
        "cache_reference_id": None,
        **changes,
    }


def test_the_table_s_cost_is_in_billionths_and_the_export_s_in_dollars(lab: "Lab") -> None:
    """One answer in both: the same call, the same cost."""
    exported = request(1)
    table = {**exported, "status": 200, "user_id": "u", "organization_id": "org", "cost": 2500000, "latency": 1200}
    for name in ("response_status", "costUSD", "delay_ms"):
        del table[name]
    lab.ingest(lab.write("export.jsonl", [exported]))
    lab.ingest(lab.write("table.jsonl", [table]), store="other")
    columns = "attempt_id, reported_cost::DOUBLE, duration_seconds, status, input_tokens"
    assert lab.rows(f"SELECT {columns} FROM attempts") == lab.rows(f"SELECT {columns} FROM attempts", "other")
    assert lab.value("SELECT reported_cost::DOUBLE FROM attempts") == 0.0025


@pytest.mark.parametrize(
    ("provider", "model", "written"),
    [("ANTHROPIC", "claude-sonnet-4-5", "cache_write_5m_tokens"), ("OPENAI", "gpt-4o", "cache_write_30m_tokens")],
)
def test_the_cache_stands_beside_the_prompt(lab: "Lab", provider: str, model: str, written: str) -> None:
    lab.ingest(lab.write("export.jsonl", [request(1, provider=provider, model=model, response_model=model)]))
    columns = f"input_uncached_tokens, cache_read_tokens, {written}, input_tokens"
    assert lab.rows(f"SELECT {columns} FROM attempts") == [(100, 900, 50, 1050)]


@pytest.mark.parametrize(("reference", "cache"), [("request-0", "exact"), (NO_ID, None), ("", None), (None, None)])
def test_a_cache_reference_is_a_hit_that_costs_nothing(lab: "Lab", reference: str | None, cache: str | None) -> None:
    lab.ingest(lab.write("export.jsonl", [request(1, cache_reference_id=reference)]))
    assert lab.rows("SELECT gateway_cache, reported_cost::DOUBLE FROM attempts") == [(cache, 0.0 if cache else 0.0025)]


def test_statuses_below_zero_are_outcomes_without_an_http_status(lab: "Lab") -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("prompt_tokens", "completion_tokens", "prompt_cache_read_tokens", "prompt_cache_write_tokens", "costUSD")
    )
    calls = [request(number, response_status=-number, **nothing) for number in (1, 2, 3)]
    running = request(4, response_status=None, response_id=None, **nothing)
    result = lab.ingest(lab.write("export.jsonl", [*calls, running]))
    found = lab.rows("SELECT status, http_status, input_tokens, usage_source FROM attempts ORDER BY started_at")
    assert found == [(status, None, None, "missing") for status in ("error", "error", "cancelled")]
    assert result.total("skipped") == 1


def test_the_csv_of_the_tool_is_the_same_call_with_its_properties(lab: "Lab") -> None:
    """The tool doubles the quotes of an object twice."""
    header = (
        "response_id,response_created_at,response_status,request_created_at,request_body,request_properties,"
        "request_user_id,model,prompt_tokens,completion_tokens,latency,cost"
    )
    body = '{""""model"""":""""gpt-4o"""",""""n"""":1}'
    properties = '{""""Feature"""":""""search"""",""""Note"""":""""""""}'
    times = ("2026-11-20T10:00:02Z", "200", "2026-11-20T10:00:01Z")
    cells = ["response-1", *times, body, properties, "u", "gpt-4o", "100", "20"]
    quoted = ",".join(f'"{cell}"' for cell in cells)
    lab.ingest(lab.write("output.csv", f"{header}\n{quoted},,\n"))
    assert lab.rows("SELECT tags['Feature'], input_uncached_tokens, output_tokens, reported_cost FROM attempts") == [
        ("search", 100, 20, None)
    ]
    better = lab.ingest(lab.write("export.jsonl", [request(1)]))
    assert (better.total("attempts"), lab.value("SELECT count(*) FROM attempts")) == (1, 1)
    assert lab.value("SELECT cache_read_tokens FROM attempts") == 900
