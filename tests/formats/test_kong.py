"""Holds the Kong format against the documented `ai` object and the traps of its log lines."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from run_format import SHARED

from infercost.analyze import queries

if TYPE_CHECKING:
    from lab import Lab

DOCUMENTED = SHARED / "fixtures" / "kong" / "ai_log_example.json"
START_MS = 1_795_510_800_000
REQUESTS = queries.views()["requests"]


def line(number: int, ai: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    """Return what Kong's file-log writes for a request, with the statistics of AI plugins if there are any."""
    record = {
        "request": {"id": f"request-{number}", "method": "POST", "uri": "/llm/v1/chat/completions"},
        "response": {"status": 200},
        "latencies": {"kong": 5, "proxy": 900, "request": 910},
        "tries": [{"ip": "192.0.2.1", "port": 443}],
        "started_at": START_MS + number * 1000,
        "upstream_status": "200",
        **changes,
    }
    return record if ai is None else {**record, "ai": ai}


def proxied(provider: str, model: str, **usage: Any) -> dict[str, Any]:
    """Return the `ai` object of one proxied call."""
    return {"proxy": {"meta": {"provider_name": provider, "request_model": model}, "usage": usage}}


def test_the_documented_object_is_a_semantic_hit_and_a_paid_embedding(lab: "Lab") -> None:
    if not DOCUMENTED.exists():
        pytest.skip(f"{DOCUMENTED.name} is not beside this checkout (../shared)")
    ai = json.loads(DOCUMENTED.read_text(encoding="utf-8"))["ai"]
    lab.ingest(lab.write("kong.jsonl", [line(1, ai)]))
    columns = (
        "operation_name, provider_name, price_model, input_tokens, output_tokens, gateway_cache, reported_cost::DOUBLE"
    )
    assert lab.rows(f"SELECT {columns} FROM attempts ORDER BY operation_name") == [
        ("chat", "cohere", "command", 14, 21, "semantic", 0.0),
        ("embeddings", "openai", "text-embedding-ada-002", 62, 0, None, None),
    ]
    # Nothing is paid for the hit, and what it would have cost is kept.
    assert lab.value("SELECT coalesce(effective_cost, 0)::DOUBLE FROM attempts WHERE gateway_cache = 'semantic'") == 0.0


def test_cost_is_what_the_route_s_prices_make_and_zero_is_none(lab: "Lab") -> None:
    """Kong's own test: 25 and 12 tokens at 10 dollars a million each are 0.00037 dollars."""
    calls = [
        line(1, proxied("openai", "gpt-4o", prompt_tokens=25, completion_tokens=12, total_tokens=37, cost=0.00037)),
        line(2, proxied("openai", "gpt-4o", prompt_tokens=25, completion_tokens=12, total_tokens=37, cost=0)),
    ]
    lab.ingest(lab.write("kong.jsonl", calls))
    assert lab.rows("SELECT reported_cost::DOUBLE FROM attempts ORDER BY started_at") == [(0.00037,), (None,)]


@pytest.mark.parametrize(
    ("provider", "uncached"), [("openai", 400), ("anthropic", 1000), ("bedrock", 1000), ("azure", 400)]
)
def test_cached_tokens_are_in_the_prompt_or_beside_it_by_provider(lab: "Lab", provider: str, uncached: int) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 600}}
    lab.ingest(lab.write("kong.jsonl", [line(1, proxied(provider, "some-model", **usage))]))
    assert lab.rows("SELECT input_uncached_tokens, cache_read_tokens, contradiction FROM attempts") == [
        (uncached, 600, None)
    ]


def test_old_names_give_the_same_tokens(lab: "Lab") -> None:
    ai = {"ai-proxy": proxied("openai", "gpt-4o", prompt_token=9, completion_token=4)["proxy"]}
    lab.ingest(lab.write("kong.jsonl", [line(1, ai)]))
    assert lab.rows("SELECT input_uncached_tokens, cache_read_tokens, output_text_tokens FROM attempts") == [
        (9, None, 4)
    ]


def test_tries_are_attempts_of_the_proxied_call_alone(lab: "Lab") -> None:
    ai = proxied("openai", "gpt-4o", prompt_tokens=10, completion_tokens=1)
    ai["ai-llm-as-judge"] = proxied("gemini", "gemini-2.5-flash", prompt_tokens=20, completion_tokens=2)["proxy"]
    lab.ingest(lab.write("kong.jsonl", [line(1, ai, tries=[{}, {}, {}], upstream_status="503, 503, 200")]))
    columns = "request_model, attempt_number, unlogged_attempts, request_id, http_status"
    assert lab.rows(f"SELECT {columns} FROM attempts ORDER BY request_model") == [
        ("gemini-2.5-flash", None, None, "request-1:ai-llm-as-judge", 200),
        ("gpt-4o", 3, 2, "request-1", 200),
    ]
    assert lab.rows(f"SELECT attempts, failed_attempts FROM ({REQUESTS}) ORDER BY ALL") == [(1, 0), (3, 2)]


def test_other_traffic_of_the_same_log_is_skipped(lab: "Lab") -> None:
    guarded = line(3, {"sanitizer": {"pii_identified": 2}}, response={"status": 400})
    result = lab.ingest(
        lab.write("kong.jsonl", [line(1, None), guarded, line(2, proxied("openai", "gpt-4o", prompt_tokens=1))])
    )
    assert (result.total("attempts"), result.total("skipped"), result.total("rejected")) == (1, 2, 0)


def test_zeros_of_a_failure_are_unknown_and_embeddings_have_no_output(lab: "Lab") -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "cost": 0}
    failed = line(1, proxied("openai", "gpt-4o", **nothing), response={"status": 429}, upstream_status="429")
    embedded = line(2, proxied("openai", "text-embedding-3-small", prompt_tokens=8, total_tokens=8))
    embedded["request"]["uri"] = "/llm/v1/embeddings"
    lab.ingest(lab.write("kong.jsonl", [failed, embedded]))
    select = "SELECT usage_source, input_tokens, output_tokens FROM attempts ORDER BY started_at"
    assert lab.rows(select) == [("missing", None, None), ("reported", 8, 0)]
