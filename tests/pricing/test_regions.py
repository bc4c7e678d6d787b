from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from infercost.pricing.regions import region_class


@pytest.mark.parametrize(
    ("provider", "region", "model", "expected"),
    [
        ("gcp.vertex_ai", "us-east5", None, "regional"),
        ("vertex_ai", "global", None, None),
        (
            "vertex_ai",
            None,
            "projects/p/locations/europe-west1/publishers/anthropic/models/claude-sonnet-5",
            "regional",
        ),
        ("vertex_ai", None, "projects/p/locations/global/publishers/anthropic/models/claude-sonnet-5", None),
        ("vertex_ai", None, "claude-sonnet-5", None),
        ("anthropic", "US", None, "us"),
        ("openai", "eu", None, "eu"),
        ("azure.ai.openai", "eastus2", "gpt-5.4", None),
        ("azure.ai.openai", "eu", "gpt-5.4", "eu"),
        ("azure", None, "azure/us/gpt-5.4", "us"),
        ("azure", "westeurope", "eu/gpt-5.4", "eu"),
        (None, None, "azure/eu/gpt-5.4", "eu"),
        ("azure", None, "azure/global/gpt-5.4", None),
        ("aws.bedrock", "us-east-1", None, None),
        (None, "us", "gpt-4o", None),
    ],
)
def test_class_of_a_logged_region(provider: str | None, region: str | None, model: str | None, expected: str) -> None:
    assert region_class(provider, region, model) == expected


def test_the_region_of_an_attempt_or_of_its_models_name_decides_the_price(price: Callable[..., Any]) -> None:
    sonnet = {"provider_name": "vertex_ai", "price_model": "claude-sonnet-5", "input_uncached_tokens": 100_000}
    azure = {"provider_name": "azure", "input_uncached_tokens": 100_000}
    rows = price(
        [
            {**sonnet, "region": "us-east5"},
            {**sonnet, "region": "global"},
            sonnet,
            {**azure, "price_model": "azure/eu/gpt-5.4"},
            {**azure, "price_model": "azure/gpt-5.4"},
            {**azure, "price_model": "azure/eu/gpt-5.4", "service_tier": "priority"},
        ]
    )
    costs = [Decimal(text) for text in ("0.22", "0.2", "0.2", "0.275", "0.25", "0.55")]
    assert [row["list_cost"] for row in rows] == costs
