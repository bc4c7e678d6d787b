from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from infercost.config import PriceOverride
from infercost.errors import ConfigError
from infercost.pricing.overrides import with_overrides

SEPTEMBER = datetime(2026, 9, 1, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)


def override(
    model: str,
    *,
    provider: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    discount: str | None = None,
    **rates: str,
) -> PriceOverride:
    return PriceOverride(
        provider,
        model,
        since,
        until,
        {kind: Decimal(rate) for kind, rate in rates.items()},
        None if discount is None else Decimal(discount),
    )


def rows(table: pa.Table, provider: str, model: str, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("prices", table)
    found: list[tuple[Any, ...]] = connection.execute(
        f"SELECT strftime(effective_from, '%Y-%m-%d'), strftime(effective_to, '%Y-%m-%d'), {columns} FROM prices"
        f" WHERE provider = ? AND model = ? AND region IS NULL AND {where}"
        " ORDER BY lane, effective_from NULLS FIRST, input_from",
        [provider, model],
    ).fetchall()
    return found


def test_without_overrides_the_book_is_what_it_was(book: pa.Table) -> None:
    assert with_overrides(book, ()) is book


def test_a_discount_splits_rows_at_its_dates_and_rounds_once(book: pa.Table) -> None:
    effective = with_overrides(
        book, (override("gpt-5.6-sol", provider="openai", since=SEPTEMBER, until=OCTOBER, discount="0.12"),)
    )
    found = rows(
        effective, "openai", "gpt-5.6-sol", "input_uncached_rate, basis", "lane = 'standard' AND input_from = 0"
    )
    assert found == [
        (None, "2026-08-21", 5_000_000, "book"),
        ("2026-08-21", "2026-09-01", 4_000_000, "book"),
        ("2026-09-01", "2026-10-01", 3_520_000, "override"),
        ("2026-10-01", None, 4_000_000, "book"),
    ]
    half = with_overrides(book, (override("gpt-5.6-terra", provider="openai", discount="0.9999998"),))
    # 2.5 USD per million tokens less 99.99998 % is 0.5 picodollars a token; 2 is 0.4.
    columns = "input_uncached_rate"
    found = rows(half, "openai", "gpt-5.6-terra", columns, "lane = 'standard' AND input_from = 0")
    assert [row[2] for row in found] == [1, 0]


def test_a_discount_holds_in_every_lane_and_tier(book: pa.Table) -> None:
    effective = with_overrides(book, (override("gpt-5.4", provider="openai", discount="0.5"),))
    found = rows(effective, "openai", "gpt-5.4", "lane, input_from, input_uncached_rate", "effective_to IS NULL")
    assert {row[2:] for row in found} == {
        ("batch", 0, 625_000),
        ("batch", 272_001, 1_250_000),
        ("fast", 0, 2_500_000),
        ("fast", 272_001, 5_000_000),
        ("flex", 0, 625_000),
        ("flex", 272_001, 1_250_000),
        ("priority", 0, 2_500_000),
        ("priority", 272_001, 5_000_000),
        ("standard", 0, 1_250_000),
        ("standard", 272_001, 2_500_000),
    }


def test_a_kind_left_out_keeps_the_books_rate_or_follows_its_parent(book: pa.Table) -> None:
    effective = with_overrides(book, (override("claude-sonnet-4-5", provider="anthropic", input_uncached="2"),))
    columns = "input_uncached_rate, cache_read_rate, cache_write_5m_rate, input_audio_rate, output_text_rate"
    found = rows(effective, "anthropic", "claude-sonnet-4-5", columns, "lane = 'standard' AND input_from = 0")
    assert found == [(None, None, 2_000_000, 300_000, 3_750_000, 2_000_000, 15_000_000)]


def test_a_rate_keeps_the_proportion_of_the_other_lanes(book: pa.Table) -> None:
    effective = with_overrides(book, (override("gpt-5.6-sol", provider="openai", input_uncached="2"),))
    found = rows(effective, "openai", "gpt-5.6-sol", "input_uncached_rate, basis", "lane = 'batch' AND input_from = 0")
    assert found
    assert {row[2:] for row in found} == {(1_000_000, "override")}


def test_later_overrides_apply_to_what_earlier_ones_left(book: pa.Table) -> None:
    effective = with_overrides(
        book,
        (
            override("gpt-4o", provider="openai", input_uncached="2"),
            override("gpt-4*", provider="openai", since=OCTOBER, discount="0.1"),
        ),
    )
    found = rows(effective, "openai", "gpt-4o", "input_uncached_rate, source", "lane = 'standard'")
    assert found == [
        (None, "2026-10-01", 2_000_000, "prices.override 1"),
        ("2026-10-01", None, 1_800_000, "prices.override 2"),
    ]
    mini = rows(effective, "openai", "gpt-4o-mini", "input_uncached_rate", "lane = 'standard'")
    assert mini == [(None, "2026-10-01", 150_000), ("2026-10-01", None, 135_000)]


def test_a_logged_name_finds_its_model_and_other_providers_are_left_alone(book: pa.Table) -> None:
    effective = with_overrides(book, (override("gpt-4o-2024-08-06", provider="azure.ai.openai", input_uncached="1"),))
    assert rows(effective, "azure", "gpt-4o", "input_uncached_rate, book", "lane = 'standard'") == [
        (None, None, 1_000_000, "infercost.toml")
    ]
    assert rows(effective, "openai", "gpt-4o", "input_uncached_rate", "lane = 'standard'") == [(None, None, 2_500_000)]


def test_a_model_unknown_to_the_book(book: pa.Table) -> None:
    effective = with_overrides(
        book,
        (
            override("my-llama", until=OCTOBER, input_uncached="0.2", output_text="0.4"),
            override("my-llama", since=OCTOBER, input_uncached="0.3"),
        ),
    )
    found = rows(effective, "custom", "my-llama", "lane, input_uncached_rate, cache_read_rate, output_text_rate, basis")
    assert found == [
        (None, "2026-10-01", "standard", 200_000, 200_000, 400_000, "override"),
        ("2026-10-01", None, "standard", 300_000, 300_000, None, "override"),
    ]


def test_rows_never_overlap(book: pa.Table) -> None:
    effective = with_overrides(
        book,
        (
            override("*", discount="0.05", since=SEPTEMBER, until=OCTOBER),
            override("gpt-*", provider="openai", since=datetime(2026, 9, 15, 12, tzinfo=UTC), discount="0.1"),
            override("claude-opus-4-6", input_uncached="1", until=SEPTEMBER),
        ),
    )
    assert len(set(effective["price_id"].to_pylist())) == effective.num_rows
    connection = duckdb.connect()
    connection.register("prices", effective)
    assert connection.execute("""
        SELECT count(*) FROM prices AS a JOIN prices AS b USING (provider, model, lane)
        WHERE a.price_id < b.price_id AND a.region IS NOT DISTINCT FROM b.region
            AND coalesce(a.effective_from, '-infinity') < coalesce(b.effective_to, 'infinity')
            AND coalesce(b.effective_from, '-infinity') < coalesce(a.effective_to, 'infinity')
            AND a.input_from < coalesce(b.input_to, 9e18) AND b.input_from < coalesce(a.input_to, 9e18)
    """).fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (override("no-such-model-*", discount="0.1"), "matches no model"),
        (override("my-llama", discount="0.1"), "no price that a discount"),
        (override("gpt-4o", provider="openai", input_uncached="2500"), "rate above 1000"),
    ],
)
def test_what_cannot_be_meant_is_an_error(book: pa.Table, wrong: PriceOverride, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as raised:
        with_overrides(book, (wrong,))
    assert wrong.model in raised.value.message
    assert raised.value.hint


def test_list_and_effective_cost_stay_apart(price: Callable[..., Any]) -> None:
    attempt = {"provider_name": "openai", "price_model": "gpt-4o", "input_uncached_tokens": 1_000_000}
    custom = {"provider_name": "hosted_vllm", "price_model": "my-llama", "input_uncached_tokens": 1_000_000}
    first, second = price(
        [attempt, custom],
        overrides=(
            override("gpt-4o", provider="openai", discount="0.2"),
            override("my-llama", input_uncached="0.2"),
        ),
    )
    assert (first["list_cost"], first["effective_cost"]) == (Decimal("2.5"), Decimal("2"))
    assert first["price_basis"] == "override"
    assert (second["list_cost"], second["effective_cost"]) == (None, Decimal("0.2"))


def test_a_rate_keeps_the_premium_of_a_region(book: pa.Table) -> None:
    effective = with_overrides(book, (override("gpt-5.6-sol", provider="openai", input_uncached="2"),))
    asked = {"provider": "openai", "model": "gpt-5.6-sol", "region": "eu", "input_from": 0}
    mine = [row for row in effective.to_pylist() if asked.items() <= row.items()]
    assert {row["input_uncached_rate"] for row in mine if row["lane"] == "standard"} == {2_200_000}
    assert {row["input_uncached_rate"] for row in mine if row["lane"] == "batch"} == {1_100_000}
