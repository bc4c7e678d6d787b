"""The classic faults of cost tools: each rule of billing by its number, with what is right and what the fault gives.

Records are as the programs write them: they go through the format's own SQL, then through the prices.
"""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lab import Lab, message, payload

from infercost import config, engine, schema
from infercost.config import Config
from infercost.errors import ConfigError
from infercost.ingest.preview import preview
from infercost.ingest.registry import formats
from infercost.pricing.run import prepare, price

if TYPE_CHECKING:
    import duckdb

Record = dict[str, Any]
Priced = dict[str, Any]
Pricer = Callable[..., list[Priced]]
CREATED = 1_795_176_000
"""20 November 2026, 12:00 UTC."""


@pytest.fixture(scope="module")
def connection() -> "Iterator[duckdb.DuckDBPyConnection]":
    with engine.connect() as made:
        prepare(made, Config())
        yield made


@pytest.fixture
def cost_of(connection: "duckdb.DuckDBPyConnection", tmp_path: Path) -> Callable[..., list[Priced]]:
    """Return what records of a format cost, in order."""

    def priced(form: str, *records: Record) -> list[Priced]:
        path = tmp_path / "records.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        assert preview(connection, formats()[form], [path], config.DEFAULT_MAX_RECORD_BYTES) == []
        totals = [
            f"{' + '.join(f'coalesce({kind}_tokens, 0)' for kind in kinds)} AS {name}"
            for name, kinds in (("input_tokens", schema.INPUT_KINDS), ("output_tokens", schema.OUTPUT_KINDS))
        ]
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE attempts AS SELECT *, {', '.join(totals)}, record_number AS attempt_id, "
            "CAST(NULL AS VARCHAR) AS team FROM mapped WHERE is_call"
        )
        price(connection, Config(), "attempts", "priced")
        found: list[Priced] = (
            connection.sql("SELECT * EXCLUDE (started_at) FROM priced ORDER BY attempt_id").to_arrow_table().to_pylist()
        )
        return found

    return priced


def chat(model: str, prompt: int, completion: int, total: int | None = None, **usage: Any) -> Record:
    """Return the body of a chat completion."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total or prompt + completion}
    return {
        "id": f"chatcmpl-{model}-{prompt}",
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "."}, "finish_reason": "stop"}],
        "usage": {**counts, **usage},
    }


def claude(usage: Record) -> Record:
    """Return the body of an Anthropic message."""
    return {
        "id": "msg_01Rule",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
        "timestamp": "2026-11-20T12:00:00Z",
    }


def gemini(model: str, **usage: Any) -> Record:
    """Return the body of a Gemini answer."""
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": "."}]}, "finishReason": "STOP"}],
        "usageMetadata": usage,
        "modelVersion": model,
        "responseId": "rule",
        "createTime": "2026-11-20T12:00:00Z",
    }


CONVERSE = {
    "timestamp": "2026-11-20T12:00:00Z",
    "request": {"modelId": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"},
    "response": {
        "ResponseMetadata": {"RequestId": "r-1", "HTTPStatusCode": 200},
        "output": {"message": {"role": "assistant", "content": [{"text": "."}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1000, "cacheReadInputTokens": 20_000, "outputTokens": 1000, "totalTokens": 22_000},
        "metrics": {"latencyMs": 1},
    },
}
INCLUSIVE = payload(
    1,
    startTime=CREATED,
    endTime=CREATED + 1,
    model="claude-sonnet-4-5",
    model_group="claude",
    custom_llm_provider="anthropic",
    prompt_tokens=12_307,
    completion_tokens=550,
    metadata={
        "usage_object": {
            "prompt_tokens": 12_307,
            "completion_tokens": 550,
            "cache_creation_input_tokens": 12_304,
            "cache_read_input_tokens": 0,
        }
    },
)
RECORDS = [
    (1, "openai-chat", chat("gpt-4o", 10_000, 500, prompt_tokens_details={"cached_tokens": 4000}), "0.025", "0.035"),
    (
        2,
        "anthropic-messages",
        claude({"input_tokens": 3, "cache_creation_input_tokens": 12_304, "output_tokens": 550}),
        "0.054399",
        "0.091311",
    ),
    (3, "bedrock-converse", CONVERSE, "0.0264", "0.0204"),
    (4, "litellm", INCLUSIVE, "0.054399", "0.091311"),
    (
        6,
        "openai-chat",
        chat("gpt-5.4-pro", 14_746, 1944, completion_tokens_details={"reasoning_tokens": 1360}),
        "0.7923",
        "1.0371",
    ),
    (
        7,
        "gemini",
        gemini(
            "gemini-2.5-pro",
            promptTokenCount=7477,
            candidatesTokenCount=2060,
            thoughtsTokenCount=1939,
            totalTokenCount=11_476,
        ),
        "0.04933625",
        "0.02994625",
    ),
    (
        8,
        "openai-chat",
        chat("grok-4.3", 1000, 100, 1400, completion_tokens_details={"reasoning_tokens": 300}),
        "0.00225",
        "0.0015",
    ),
    (
        9,
        "gemini",
        gemini(
            "gemini-2.5-flash",
            promptTokenCount=100_000,
            cachedContentTokenCount=80_000,
            candidatesTokenCount=1000,
            totalTokenCount=101_000,
        ),
        "0.0109",
        "0.0349",
    ),
    # Nobody tells whether tool prompts are inside the prompt: the total does, and here it counts them apart.
    (
        10,
        "gemini",
        gemini(
            "gemini-2.5-flash",
            promptTokenCount=10_000,
            toolUsePromptTokenCount=5000,
            candidatesTokenCount=0,
            totalTokenCount=15_000,
        ),
        "0.0045",
        "0.003",
    ),
]


@pytest.mark.parametrize(("number", "form", "record", "right", "fault"), RECORDS, ids=lambda each: str(each)[:12])
def test_counts_of_a_record(cost_of: Pricer, number: int, form: str, record: Record, right: str, fault: str) -> None:
    (row,) = cost_of(form, record)
    assert row["list_cost"] == Decimal(right) != Decimal(fault)


SONNET = {"provider_name": "anthropic", "price_model": "claude-sonnet-4-5"}
PRO = {"provider_name": "gcp.gemini", "price_model": "gemini-2.5-pro"}
BEDROCK = "anthropic.claude-sonnet-4-5-20250929-v1:0"
ATTEMPTS = [
    (5, {**SONNET, "cache_write_5m_tokens": 10_000}, "0.0375", "0.06"),
    (5, {**SONNET, "cache_write_1h_tokens": 10_000}, "0.06", "0.0375"),
    (11, {**PRO, "input_uncached_tokens": 200_000}, "0.25", "0.5"),
    (11, {**PRO, "input_uncached_tokens": 200_001}, "0.5000025", "0.2500025"),
    (
        12,
        {**PRO, "input_uncached_tokens": 60_000, "cache_read_tokens": 150_000, "output_text_tokens": 1000},
        "0.2025",
        "0.10375",
    ),
    (13, {"provider_name": "x_ai", "price_model": "grok-4.3", "input_uncached_tokens": 200_000}, "0.5", "0.25"),
    (
        14,
        {
            "provider_name": "openai",
            "price_model": "gpt-5.5",
            "input_uncached_tokens": 300_000,
            "output_text_tokens": 1000,
        },
        "3.045",
        "1.53",
    ),
    (
        15,
        {
            "provider_name": "anthropic",
            "price_model": "claude-sonnet-5",
            "service_tier": "batch",
            "input_uncached_tokens": 10_000,
            "cache_read_tokens": 90_000,
        },
        "0.019",
        "0.038",
    ),
    (16, {**PRO, "service_tier": "batch", "cache_read_tokens": 100_000}, "0.0125", "0.00625"),
    (
        17,
        {
            "provider_name": "openai",
            "price_model": "gpt-5.4",
            "service_tier": "default",
            "input_uncached_tokens": 10**5,
        },
        "0.25",
        "0.5",
    ),
    (
        18,
        {"provider_name": "openai", "price_model": "o3", "service_tier": "flex", "input_uncached_tokens": 10**6},
        "1",
        "2",
    ),
    (
        19,
        {"provider_name": "aws.bedrock", "price_model": f"us.{BEDROCK}", "input_uncached_tokens": 10**5},
        "0.33",
        "0.3",
    ),
    (
        19,
        {"provider_name": "aws.bedrock", "price_model": f"global.{BEDROCK}", "input_uncached_tokens": 10**5},
        "0.3",
        "0.33",
    ),
    (
        20,
        {
            "provider_name": "gcp.vertex_ai",
            "price_model": "claude-sonnet-5",
            "region": "us-east5",
            "input_uncached_tokens": 10**5,
        },
        "0.22",
        "0.2",
    ),
    (
        21,
        {
            "provider_name": "openai",
            "price_model": "gpt-5.6-sol",
            "started_at": "2026-08-20T23:59:00Z",
            "input_uncached_tokens": 10**5,
        },
        "0.5",
        "0.4",
    ),
    (
        22,
        {
            "provider_name": "deepseek",
            "price_model": "deepseek-v4-pro",
            "started_at": "2026-11-21T02:00:00Z",
            "input_uncached_tokens": 10**6,
        },
        "0.66",
        "1.32",
    ),
    (23, {**SONNET, "input_uncached_tokens": 1000, "web_search_requests": 2}, "0.023", "0.003"),
    (
        24,
        {
            "provider_name": "openai",
            "price_model": "gpt-realtime",
            "input_uncached_tokens": 200,
            "input_audio_tokens": 800,
        },
        "0.0264",
        "0.004",
    ),
    (25, {**SONNET, "status": "error", "http_status": 429}, "0", "1"),
    (28, {**SONNET, "input_uncached_tokens": 10**6, "gateway_cache": "semantic"}, "0", "3"),
]


@pytest.mark.parametrize(("number", "attempt", "right", "fault"), ATTEMPTS, ids=lambda each: str(each)[:12])
def test_price_of_an_attempt(price: Pricer, number: int, attempt: dict[str, Any], right: str, fault: str) -> None:
    (row,) = price([attempt])
    assert row["list_cost"] == Decimal(right) != Decimal(fault)


def test_rule_25_what_may_have_been_billed_is_unknown_and_what_was_counted_is_priced(price: Pricer) -> None:
    timed_out, counted = price(
        [
            {**SONNET, "status": "error", "http_status": 408},
            {**SONNET, "status": "error", "http_status": 500, "input_uncached_tokens": 1000},
        ]
    )
    assert (timed_out["list_cost"], counted["list_cost"]) == (None, Decimal("0.003"))


def test_rule_26_a_stream_without_its_usage_is_not_free(cost_of: Pricer) -> None:
    body = chat("gpt-4o", 0, 0)
    (row,) = cost_of("openai-chat", {**body, "usage": None})
    assert (row["usage_source"], row["list_cost"]) == ("missing", None)


def test_rule_27_the_first_line_of_an_answer_holds_a_placeholder(lab: Lab) -> None:
    lab.ingest(lab.write("session.jsonl", [message("a", 1, 2), message("a", 3, 400)]))
    assert lab.rows("SELECT output_tokens FROM attempts") == [(400,)]


def test_rule_29_a_call_in_two_logs_costs_once(lab: Lab) -> None:
    name = "chatcmpl-AbCdEf0123456789"
    lab.ingest(lab.write("gateway.jsonl", [payload(1, id=name, startTime=CREATED, endTime=CREATED + 1)]))
    lab.ingest(lab.write("bodies.jsonl", [{**chat("gpt-4o-mini", 101, 10), "id": name}]))
    assert lab.value("SELECT count(*) FROM attempts") == 1


def test_rule_30_the_fee_for_a_key_of_ones_own_is_not_the_cost(cost_of: Pricer) -> None:
    record = {
        "id": "gen-1794043200-BBBBdemo0020",
        "model": "openai/gpt-4o",
        "provider_name": "OpenAI",
        "total_cost": 0.0001,
        "usage": 0.0001,
        "upstream_inference_cost": 0.0025,
        "created_at": "2026-11-20T12:00:00Z",
        "tokens_prompt": 1000,
        "native_tokens_prompt": 1000,
        "native_tokens_completion": 0,
        "is_byok": True,
        "cancelled": False,
        "streamed": True,
        "api_type": "completions",
    }
    (row,) = cost_of("openrouter-generation", record)
    assert row["reported_cost"] == Decimal("0.0025") + Decimal("0.0001")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def _override(folder: Path, text: str) -> Config:
    (folder / "infercost.toml").write_text(f"[[prices.override]]\n{text}\n", encoding="utf-8")
    return config.load(folder / "infercost.toml")


def test_rule_31_a_free_tier_is_free_only_when_the_user_says_so(price: Pricer, tmp_path: Path) -> None:
    attempt = {**PRO, "input_uncached_tokens": 1000, "cache_read_tokens": 10, "output_text_tokens": 10}
    free = _override(tmp_path, 'provider = "google"\nmodel = "gemini-2.5-pro"\ndiscount = 1')
    (usual,), (declared,) = price([attempt]), price([attempt], free.price_overrides)
    assert usual["effective_cost"] > 0
    assert (declared["effective_cost"], declared["list_cost"]) == (0, usual["list_cost"])


def test_rule_32_a_price_without_cache_rates_charges_the_cache_as_input(price: Pricer, tmp_path: Path) -> None:
    own = _override(tmp_path, 'provider = "vllm"\nmodel = "acme-8b"\ninput_uncached = 2')
    attempt = {"provider_name": "vllm", "price_model": "acme-8b", "cache_read_tokens": 10**6}
    (row,) = price([attempt], own.price_overrides)
    assert row["effective_cost"] == 2


def test_rule_33_a_price_in_a_wrong_unit_is_refused(price: Pricer, tmp_path: Path) -> None:
    right = _override(tmp_path, 'provider = "vllm"\nmodel = "acme-8b"\ninput_uncached = 1')
    attempt = {"provider_name": "vllm", "price_model": "acme-8b", "input_uncached_tokens": 1}
    (row,) = price([attempt], right.price_overrides)
    assert row["effective_cost"] == Decimal("0.000001")
    per_thousand_million = _override(tmp_path, 'provider = "vllm"\nmodel = "acme-8b"\ninput_uncached = 2500')
    with pytest.raises(ConfigError, match="above 1000; rates are in US dollars per million tokens"):
        price([attempt], per_thousand_million.price_overrides)


def test_every_rule_has_its_test() -> None:
    numbered = {each[0] for each in (*RECORDS, *ATTEMPTS)}
    named = {int(name.split("_")[2]) for name in globals() if name.startswith("test_rule_")}
    assert numbered | named == set(range(1, 34))
