"""Random attempts of models of genai-prices, with the cost that the library itself computes for them."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from genai_prices.data import providers
from genai_prices.types import Usage

from infercost import schema
from infercost.pricing import flatten
from infercost.pricing.apply import apply
from infercost.pricing.book import book_version
from infercost.pricing.corrections import load as load_corrections
from infercost.pricing.tables import create_maps

MOMENTS = [datetime(2025, 3, 1, 9, tzinfo=UTC) + timedelta(hours=7 * step) for step in range(800)]


def _usage(tokens: dict[str, int]) -> Usage:
    """Say the disjoint counts in the library's overlapping ones."""
    writes = sum(tokens[f"cache_write_{ttl}"] for ttl in ("5m", "30m", "1h", "12h"))
    return Usage(
        input_tokens=sum(tokens[kind] for kind in schema.INPUT_KINDS),
        cache_read_tokens=tokens["cache_read"],
        cache_write_tokens=writes,
        cache_write_1h_tokens=tokens["cache_write_1h"] + tokens["cache_write_12h"],
        input_audio_tokens=tokens["input_audio"],
        cache_audio_read_tokens=0,
        input_image_tokens=tokens["input_image"],
        cache_image_read_tokens=0,
        output_tokens=sum(tokens[kind] for kind in schema.OUTPUT_KINDS),
        output_reasoning_tokens=tokens["reasoning"],
        output_audio_tokens=tokens["output_audio"],
        output_image_tokens=tokens["output_image"],
    )


def is_corrected(provider: str, model: str) -> bool:
    """Tell whether our corrections say something else about a model than the library, whatever the kind of tokens."""
    corrections = load_corrections()
    rated = {(rate.provider, rate.model) for rate in corrections.rates}
    retold = {(item.provider, name) for item in corrections.retold for name in item.models}
    return (provider, model) in rated | retold or corrections.peak(provider, model) is not None


def _corrected_kinds(provider: str, model: str) -> set[str]:
    """Return the kinds of tokens that have another price by our corrections, in a model that is else the library's."""
    multiples = load_corrections().multiples
    return {each.kind for each in multiples if each.provider == provider and model in each.models}


def library_cases(
    count: int, moments: Sequence[datetime] = MOMENTS, *, corrected: bool = False
) -> list[dict[str, Any]]:
    """Return attempts with their `expected` cost, the same ones each time; `corrected` ones too where asked."""
    chance = random.Random(20261123)  # noqa: S311
    weight = {"anthropic": 12, "openai": 12, "google": 12, "x-ai": 8, "deepseek": 8, "aws": 6, "mistral": 4}
    pool = [
        (provider, model)
        for provider in providers
        for model in provider.models
        for _ in range(weight.get(provider.id, 1))
        if corrected or not is_corrected(provider.id, model.id)
    ]
    cases: list[dict[str, Any]] = []
    while len(cases) < count:
        provider, model = chance.choice(pool)
        lane = chance.choice(["standard", "standard", "standard", *flatten.LANES])
        tokens = dict.fromkeys(schema.TOKEN_KINDS, 0)
        for kind in chance.sample(schema.TOKEN_KINDS, 5):
            tokens[kind] = chance.choice([1, 777, 40_000, 199_999, 200_000, 200_001, 272_001])
        tokens |= dict.fromkeys(_corrected_kinds(provider.id, model.id), 0)
        at = chance.choice(moments)
        price = model.get_prices(at)
        if price.input_mtok is None or price.output_mtok is None or price.requests_kcount is not None:
            # A direction without a price is free to the library and unknown to us; a fee per request is no token price.
            continue
        result = model.calc_price(
            _usage(tokens), provider, genai_request_timestamp=at, price_context=flatten.LANES[lane] or None
        )
        cases.append(
            {
                "expected": result.total_price,
                "provider_name": provider.id,
                "price_model": model.id,
                "service_tier": None if lane == "standard" else lane,
                "started_at": at.isoformat(),
                **{f"{kind}_tokens": value for kind, value in tokens.items()},
            }
        )
    return cases


def compare(bench: Any, book: pa.Table, cases: list[dict[str, Any]]) -> tuple[int, list[Any]]:
    """Price the cases; return how many have a price row of the library's own, and those whose cost is another."""
    both = own_costs(bench, book, cases)
    return len(both), [(case, cost) for case, cost in both if not _is_equal(case, cost)]


def own_costs(bench: Any, book: pa.Table, cases: list[dict[str, Any]]) -> list[tuple[dict[str, Any], Decimal]]:
    """Return the cases that have a price row of the library's own, with our cost; leaves the table `priced` behind."""
    bench.fill([{name: value for name, value in case.items() if name != "expected"} for case in cases])
    bench.set_prices(book, book)
    create_maps(bench.connection, "attempts")
    bench.connection.execute(
        "CREATE OR REPLACE TABLE model_map AS SELECT DISTINCT provider_name, price_model, provider_name AS provider,"
        " price_model AS model, 'exact' AS method, '' AS book FROM attempts"
    )
    apply(bench.connection, "attempts", "priced")
    own = f"book = '{book_version()}' AND basis = 'book'"
    bench.connection.execute(f"CREATE OR REPLACE TABLE own AS SELECT price_id FROM book_prices WHERE {own}")
    rows = bench.rows(
        "SELECT list_cost, list_price_id IN (SELECT price_id FROM own) AS is_own FROM priced"
        " ORDER BY attempt_id::BIGINT"
    )
    return [(case, row["list_cost"]) for case, row in zip(cases, rows, strict=True) if row["is_own"]]


def _is_equal(case: dict[str, Any], cost: Decimal) -> bool:
    tolerance = Decimal("1e-6") * case["expected"] if _is_repeating(case) else 0
    return bool(abs(cost - case["expected"]) <= tolerance)


def _is_repeating(case: dict[str, Any]) -> bool:
    """Tell whether the library's figures are not whole picodollars (a third of a cent, or the noise of a float)."""
    provider, model = str(case["provider_name"]), str(case["price_model"])
    return provider == "huggingface_together" or model.startswith(("google/", "~google/"))
