"""Holds our prices against the two libraries that the world computes its bills with: genai-prices and LiteLLM."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from genai_prices.data import providers
from genai_prices.types import TieredPrices
from pricing.conftest import Bench
from pricing.library import is_corrected, library_cases, own_costs

from infercost import schema
from infercost.pricing import flatten
from infercost.pricing.book import book_version, load_book

pytestmark = pytest.mark.real

ENOUGH = 5_000
MOMENTS = [datetime(2025, 2, 1, 5, tzinfo=UTC) + timedelta(hours=11 * step) for step in range(1_600)]
"""Two years from before most of the book's dated changes to after its last ones, at every hour of the day."""

_HALF = Decimal("0.5e-12")


@pytest.fixture(scope="module")
def book() -> pa.Table:
    return load_book()


@pytest.fixture
def bench(book: pa.Table) -> Bench:
    return Bench(book)


def test_costs_equal_those_of_genai_prices(bench: Bench, book: pa.Table) -> None:
    cases = library_cases(9_000, MOMENTS, corrected=True)
    ours = [case for case in cases if not is_corrected(case["provider_name"], case["price_model"])]
    both = own_costs(bench, book, ours)
    left_out = Counter({"a correction is about the model": len(cases) - len(ours)}) + _left_out(bench)
    _print_table(f"genai-prices: {len(both)} of {len(cases)} compared; left out:", left_out)
    assert len(both) >= ENOUGH
    assert len(both) + left_out.total() == len(cases)
    different = [(case, cost) for case, cost in both if abs(cost - case["expected"]) > _rounding(case)]
    assert different == []


def _left_out(bench: Bench) -> Counter[str]:
    """Count the priced attempts whose price row is not one of the library's own, by the reason."""
    rows = bench.rows(f"""
        SELECT
            CASE
                WHEN row.price_id IS NULL THEN 'infercost has no price'
                WHEN row.book <> '{book_version()}' THEN 'price of ' || split_part(row.book, ' ', 1)
                ELSE 'basis ' || row.basis
            END AS reason,
            count(*) AS attempts
        FROM priced
        LEFT JOIN book_prices AS row ON row.price_id = priced.list_price_id
        WHERE row.price_id IS NULL OR row.book <> '{book_version()}' OR row.basis <> 'book'
        GROUP BY ALL
    """)
    return Counter({row["reason"]: row["attempts"] for row in rows})


def _rounding(case: Mapping[str, Any]) -> Decimal:
    """Return what rounding may change: nothing where every rate is whole picodollars, else half a one per token."""
    exact = all(rate * 10**6 == (rate * 10**6).to_integral_value() for rate in _library_rates(case))
    return Decimal(0) if exact else _HALF * sum(case[f"{kind}_tokens"] for kind in schema.TOKEN_KINDS)


def _library_rates(case: Mapping[str, Any]) -> Iterator[Decimal]:
    provider = next(item for item in providers if item.id == case["provider_name"])
    model = next(item for item in provider.models if item.id == case["price_model"])
    context = flatten.LANES[case["service_tier"] or flatten.STANDARD] or None
    price = model.get_prices(datetime.fromisoformat(case["started_at"]), context)
    for key, value in price.__dict__.items():
        if isinstance(value, TieredPrices):
            yield value.base
            yield from (tier.price for tier in value.tiers)
        elif value is not None and key.endswith("_mtok"):
            yield value


def _print_table(title: str, counts: Counter[str]) -> None:
    print(f"\n{title}")  # noqa: T201
    for name, count in counts.most_common():
        print(f"  {count:>6}  {name}")  # noqa: T201
