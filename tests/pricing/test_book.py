import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from genai_prices.data import providers
from genai_prices.types import ModelInfo, Provider, Usage

from infercost import schema
from infercost.pricing import flatten
from infercost.pricing.apply import apply
from infercost.pricing.book import book_version, load_book
from infercost.pricing.corrections import load as load_corrections
from infercost.pricing.rows import from_table, to_table
from infercost.pricing.tables import create_maps

MOMENTS = [datetime(2025, 3, 1, 9, tzinfo=UTC) + timedelta(hours=7 * step) for step in range(800)]


@pytest.fixture
def prices(book: pa.Table) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("prices", book)
    return connection


def test_columns_are_those_of_the_contract(book: pa.Table) -> None:
    assert book.column_names == [column.name for column in schema.PRICES]
    assert str(book.schema.field("effective_from").type) == "timestamp[us, tz=UTC]"


def test_no_two_rows_of_a_lane_overlap(prices: duckdb.DuckDBPyConnection) -> None:
    overlaps = prices.execute("""
        SELECT count(*)
        FROM prices AS a
        JOIN prices AS b USING (provider, model, lane)
        WHERE a.price_id < b.price_id
            AND coalesce(a.effective_from, '-infinity') < coalesce(b.effective_to, 'infinity')
            AND coalesce(b.effective_from, '-infinity') < coalesce(a.effective_to, 'infinity')
            AND a.input_from < coalesce(b.input_to, 9e18)
            AND b.input_from < coalesce(a.input_to, 9e18)
    """).fetchall()
    assert overlaps == [(0,)]


def test_spans_and_tiers_are_not_empty_and_ids_are_unique(prices: duckdb.DuckDBPyConnection) -> None:
    bad = prices.execute(
        "SELECT count(*) FILTER (effective_from >= effective_to OR input_from >= input_to OR source = ''),"
        " count(*) - count(DISTINCT price_id), count(*) FILTER (book <> ?) FROM prices",
        [book_version()],
    ).fetchall()
    assert bad == [(0, 0, 0)]


def test_rates_stay_below_what_the_integers_of_the_join_can_hold(prices: duckdb.DuckDBPyConnection) -> None:
    for kind in schema.TOKEN_KINDS:
        found = prices.execute(f"SELECT min({kind}_rate), max({kind}_rate) FROM prices").fetchall()
        assert 0 <= found[0][0] <= found[0][1] <= 10**9


def test_a_rate_whose_unit_is_known(prices: duckdb.DuckDBPyConnection) -> None:
    found = prices.execute(
        "SELECT input_uncached_rate, cache_read_rate, cache_write_5m_rate, cache_write_30m_rate, cache_write_1h_rate,"
        " cache_write_12h_rate, input_audio_rate, output_text_rate, reasoning_rate FROM prices"
        " WHERE provider = 'anthropic' AND model = 'claude-sonnet-4-5' AND lane = 'standard' AND input_from = 0"
    ).fetchall()
    assert found == [(3000000, 300000, 3750000, 3750000, 6000000, 6000000, 3000000, 15000000, 15000000)]


def test_a_cached_book_is_the_same_and_a_broken_cache_is_made_anew(book: pa.Table, tmp_path: Path) -> None:
    assert load_book(tmp_path / "cache").equals(book)
    files = list((tmp_path / "cache").iterdir())
    assert [file.suffix for file in files] == [".parquet"]
    assert load_book(tmp_path / "cache").equals(book)
    files[0].write_bytes(b"PAR1 half a file")
    assert load_book(tmp_path / "cache").equals(book)


def test_a_cache_folder_that_cannot_be_written_is_no_error(book: pa.Table, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert load_book(tmp_path / "file").num_rows == book.num_rows


def test_rows_survive_arrow(book: pa.Table) -> None:
    some = book.slice(100, 50)
    assert to_table(from_table(some)).equals(some.combine_chunks())


def test_models_without_a_token_price_are_absent_and_free_ones_are_not(prices: duckdb.DuckDBPyConnection) -> None:
    assert prices.execute("SELECT count(*) FROM prices WHERE model IN ('whisper-1', 'tts-1')").fetchall() == [(0,)]
    free = prices.execute(
        "SELECT input_uncached_rate, output_text_rate FROM prices"
        " WHERE provider = 'openrouter' AND model = 'deepseek/deepseek-r1:free'"
    ).fetchall()
    assert free == [(0, 0)]


def _rate(prices: duckdb.DuckDBPyConnection, provider: str, model: str, at: str, **where: Any) -> tuple[Any, ...]:
    lane, tokens = where.get("lane", "standard"), where.get("input_tokens", 0)
    found = prices.execute(
        "SELECT input_uncached_rate, basis FROM prices WHERE (provider, model, lane) = (?, ?, ?)"
        " AND coalesce(effective_from, '-infinity') <= ?::TIMESTAMPTZ"
        " AND coalesce(effective_to, 'infinity') > ?::TIMESTAMPTZ"
        " AND ? >= input_from AND ? < coalesce(input_to, 9e18)",
        [provider, model, lane, at, at, tokens, tokens],
    ).fetchall()
    assert len(found) <= 1
    return found[0] if found else (None, None)


def test_tier_bounds_are_strict_but_inclusive_for_xai(prices: duckdb.DuckDBPyConnection) -> None:
    at = "2026-11-20T12:00:00Z"
    assert _rate(prices, "google", "gemini-2.5-pro", at, input_tokens=200_000) == (1_250_000, "book")
    assert _rate(prices, "google", "gemini-2.5-pro", at, input_tokens=200_001) == (2_500_000, "book")
    assert _rate(prices, "x-ai", "grok-4.3", at, input_tokens=199_999) == (1_250_000, "book")
    assert _rate(prices, "x-ai", "grok-4.3", at, input_tokens=200_000) == (2_500_000, "book")


def test_a_lane_before_the_book_knew_it_keeps_its_proportion(prices: duckdb.DuckDBPyConnection) -> None:
    sonnet = ("anthropic", "claude-sonnet-4-5")
    assert _rate(prices, *sonnet, "2026-10-13T23:59:59Z", lane="batch") == (1_500_000, "extrapolated")
    assert _rate(prices, *sonnet, "2026-10-14T00:00:00Z", lane="batch") == (1_500_000, "book")
    # The standard price of gpt-5.6-sol was 5 before August 21 and 4 after it, the batch price is half of 4.
    assert _rate(prices, "openai", "gpt-5.6-sol", "2026-08-20T23:59:59Z", lane="batch") == (2_500_000, "extrapolated")
    assert _rate(prices, "openai", "gpt-5.6-sol", "2026-08-21T00:00:00Z", lane="batch") == (2_000_000, "extrapolated")
    # A long-context tier that the standard price had only then: 10 above 200,000 tokens, half of it in batch.
    opus = ("anthropic", "claude-opus-4-6")
    before = _rate(prices, *opus, "2026-03-01T00:00:00Z", lane="batch", input_tokens=200_001)
    assert before == (5_000_000, "extrapolated")


def test_a_tier_that_a_lane_lacks_is_derived(prices: duckdb.DuckDBPyConnection) -> None:
    at = "2026-11-20T12:00:00Z"
    assert _rate(prices, "openai", "gpt-5.5-pro", at, lane="batch", input_tokens=1) == (15_000_000, "book")
    assert _rate(prices, "openai", "gpt-5.5-pro", at, lane="batch", input_tokens=272_001) == (30_000_000, "derived")


def test_a_provider_that_sells_another_makers_model(prices: duckdb.DuckDBPyConnection) -> None:
    at = "2026-11-20T12:00:00Z"
    assert _rate(prices, "azure", "gpt-4o", at) == (2_500_000, "book")
    assert _rate(prices, "azure", "gpt-4o", at, lane="batch") == (1_250_000, "derived")


def test_known_errors_of_the_book_are_corrected(prices: duckdb.DuckDBPyConnection) -> None:
    assert _rate(prices, "mistral", "mistral-large-latest", "2025-12-01T23:59:59Z") == (2_000_000, "book")
    assert _rate(prices, "mistral", "mistral-large-latest", "2025-12-02T00:00:00Z") == (500_000, "book")
    pro = ("deepseek", "deepseek-v4-pro")
    assert _rate(prices, *pro, "2026-11-23T02:00:00Z") == (1_320_000, "book"), "Monday, peak"
    assert _rate(prices, *pro, "2026-11-23T04:00:00Z") == (660_000, "book"), "Monday, off-peak"
    assert _rate(prices, *pro, "2026-11-21T02:00:00Z") == (660_000, "book"), "Saturday"
    assert _rate(prices, *pro, "2026-10-01T02:00:00Z") == (660_000, "book"), "public holiday"
    assert _rate(prices, *pro, "2026-08-14T02:00:00Z") == (435_000, "book"), "before peak hours were introduced"
    cached = prices.execute("SELECT cache_read_rate FROM prices WHERE model = 'codestral' AND lane = 'standard'")
    assert cached.fetchall()[0] == (30_000,)


def test_every_correction_is_about_something_in_the_book(prices: duckdb.DuckDBPyConnection) -> None:
    known = set(prices.execute("SELECT DISTINCT provider, model FROM prices").fetchall())
    corrections = load_corrections()
    for moved in corrections.moved:
        assert {(moved.provider, moved.before), (moved.provider, moved.model)} <= known
    for peak in corrections.peaks:
        assert {(peak.provider, model) for model in peak.models} <= known
    for rate in corrections.rates:
        assert (rate.provider, rate.model) in known


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


def _is_corrected(provider: Provider, model: ModelInfo) -> bool:
    corrections = load_corrections()
    rated = {(rate.provider, rate.model) for rate in corrections.rates}
    return (provider.id, model.id) in rated or corrections.peak(provider.id, model.id) is not None


def _library_cases(count: int) -> list[dict[str, Any]]:
    chance = random.Random(20261123)  # noqa: S311
    weight = {"anthropic": 12, "openai": 12, "google": 12, "x-ai": 8, "deepseek": 8, "aws": 6, "mistral": 4}
    pool = [
        (provider, model)
        for provider in providers
        for model in provider.models
        for _ in range(weight.get(provider.id, 1))
        if not _is_corrected(provider, model)
    ]
    cases: list[dict[str, Any]] = []
    while len(cases) < count:
        provider, model = chance.choice(pool)
        lane = chance.choice(["standard", "standard", "standard", *flatten.LANES])
        tokens = dict.fromkeys(schema.TOKEN_KINDS, 0)
        for kind in chance.sample(schema.TOKEN_KINDS, 5):
            tokens[kind] = chance.choice([1, 777, 40_000, 199_999, 200_000, 200_001, 272_001])
        at = chance.choice(MOMENTS)
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


def test_costs_equal_those_of_the_library(bench: Any, book: pa.Table) -> None:
    """Where the row is the book's own or the lane is not in the book; other derived prices differ on purpose."""
    cases = _library_cases(600)
    bench.fill([{name: value for name, value in case.items() if name != "expected"} for case in cases])
    bench.set_prices(book, book)
    create_maps(bench.connection, "attempts")
    bench.connection.execute(
        "CREATE OR REPLACE TABLE model_map AS SELECT DISTINCT provider_name, price_model, provider_name AS provider,"
        " price_model AS model, 'exact' AS method, '' AS book FROM attempts"
    )
    apply(bench.connection, "attempts", "priced")
    rows = bench.rows("SELECT list_cost, price_basis FROM priced ORDER BY attempt_id::BIGINT")
    lanes = set(zip(*(book[name].to_pylist() for name in ("provider", "model", "lane")), strict=True))
    compared, different = 0, []
    for case, row in zip(cases, rows, strict=True):
        in_book = (case["provider_name"], case["price_model"], case["service_tier"]) in lanes
        if row["price_basis"] != "book" and in_book:
            continue
        compared += 1
        tolerance = Decimal("1e-6") * case["expected"] if _is_repeating(case) else 0
        if row["list_cost"] is None or abs(row["list_cost"] - case["expected"]) > tolerance:
            different.append((case, row))
    assert different == []
    assert compared >= 500


def _is_repeating(case: dict[str, Any]) -> bool:
    """Tell whether the library's figures are not whole picodollars (a third of a cent, or the noise of a float)."""
    provider, model = str(case["provider_name"]), str(case["price_model"])
    return provider == "huggingface_together" or model.startswith(("google/", "~google/"))
