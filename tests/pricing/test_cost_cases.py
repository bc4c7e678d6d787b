"""The hand-computed cases of the pricing study: raw usage as providers send it, and what it costs."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from genai_prices.data import providers
from genai_prices.types import Usage

CASES = Path(__file__).resolve().parents[2] / ".." / "shared" / "pricing" / "cost_cases.json"

LOGGED_REGION = {"vertex_regional": "us-east5"}
LOGGED_PROVIDER = {"aws": "aws.bedrock", "google": "gcp.vertex_ai", "x-ai": "x_ai", "mistral": "mistral_ai"}
EXTRACTORS = {
    "openai": "chat",
    "x-ai": "chat",
    "anthropic": "default",
    "google": "default",
    "aws": "default",
}


def _leaves(usage: Usage) -> dict[str, int]:
    """Return the disjoint counts of a usage in the library's overlapping ones."""

    def count(key: str) -> int:
        return int(usage.reported_value(key))

    one_hour = count("cache_write_1h_tokens")
    writes, reads, audio = count("cache_write_tokens"), count("cache_read_tokens"), count("input_audio_tokens")
    reasoning = count("output_reasoning_tokens")
    return {
        "input_uncached_tokens": count("input_tokens") - writes - reads - audio,
        "cache_read_tokens": reads,
        "cache_write_5m_tokens": writes - one_hour,
        "cache_write_1h_tokens": one_hour,
        "input_audio_tokens": audio,
        "output_text_tokens": count("output_tokens") - reasoning,
        "reasoning_tokens": reasoning,
    }


def _attempt(case: dict[str, Any]) -> dict[str, Any]:
    raw, context = case["raw"], case["ctx"] or {}
    if "usage" in raw or "usageMetadata" in raw:
        provider = next(item for item in providers if item.id == case["provider"])
        usage = provider.extract_usage(raw, api_flavor=EXTRACTORS[case["provider"]])[1]
    else:
        usage = Usage(**raw)
    return {
        "provider_name": LOGGED_PROVIDER.get(case["provider"], case["provider"]),
        "price_model": case["model"],
        "web_search_requests": raw.get("usage", {}).get("server_tool_use", {}).get("web_search_requests"),
        "service_tier": context.get("service_tier") or context.get("processing"),
        "region": LOGGED_REGION.get(case["id"]),
        "started_at": case["ts"],
        **_leaves(usage),
    }


def _cases() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(CASES.read_text(encoding="utf-8")) if CASES.is_file() else []
    return cases


@pytest.mark.skipif(not CASES.is_file(), reason="the shared pricing study is not beside the checkout")
@pytest.mark.parametrize("case", _cases(), ids=lambda c: c["id"])
def test_case(case: dict[str, Any], price: Callable[..., Any]) -> None:
    row = price([_attempt(case)])[0]
    assert row["list_cost"] == row["effective_cost"] == Decimal(case["expect"])
