from collections.abc import Callable
from typing import Any

import pytest

from infercost.pricing import failures, names

GEMINI = "gemini-2.5-flash"


@pytest.mark.parametrize(
    ("provider", "model", "http_status", "cost"),
    [
        ("gcp.vertex_ai", GEMINI, 503, 0),
        ("vertex_ai-language-models", GEMINI, 429, 0),
        ("Vertex_AI", GEMINI, 408, 0),
        ("vertex_ai", GEMINI, 200, None),
        ("vertex_ai", GEMINI, None, None),
        ("gcp.gemini", GEMINI, 500, 0),
        ("gcp.gemini", GEMINI, 503, None),
        ("azure", "gpt-4o", 400, None),
        ("azure.ai.openai", "gpt-4o", 408, None),
        ("azure", "gpt-4o", 401, 0),
        ("azure", "gpt-4o", 429, 0),
        ("openai", "gpt-4o", 400, 0),
        ("openai", "gpt-4o", 503, None),
    ],
)
def test_what_a_failure_without_usage_costs(
    price: Callable[..., Any], provider: str, model: str, http_status: int | None, cost: int | None
) -> None:
    attempt = {"provider_name": provider, "price_model": model, "status": "error", "http_status": http_status}
    row = price([attempt])[0]
    assert (row["effective_cost"], row["price_rule"]) == (cost, None if cost is None else "not_billed")


def test_the_default_holds_for_a_model_that_is_not_known(price: Callable[..., Any]) -> None:
    unknown = {"price_model": "my-own", "status": "error"}
    rows = price(
        [
            {**unknown, "provider_name": "vertex_ai", "http_status": 503},
            {**unknown, "provider_name": "azure", "http_status": 400},
            {**unknown, "provider_name": None, "http_status": 429},
        ]
    )
    assert [row["effective_cost"] for row in rows] == [None, 0, 0]


def test_usage_in_the_log_is_priced_whatever_the_rule_says(price: Callable[..., Any]) -> None:
    vertex = {"provider_name": "vertex_ai", "price_model": GEMINI, "input_uncached_tokens": 1_000_000}
    assert price([{**vertex, "status": "error", "http_status": 503}])[0]["effective_cost"] > 0


def test_every_rule_says_where_it_comes_from_and_no_name_has_two() -> None:
    rules = failures.document()["rule"]
    assert all(rule["source"].startswith("https://") and rule["source_date"] for rule in rules)
    named = [name for rule in rules for name in rule["names"]]
    assert len(named) == len(set(named))
    assert [name for name in named if names.book_provider(name.rstrip("*")) is None] == []
