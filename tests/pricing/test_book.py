from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from genai_prices.data import providers

from infercost import schema
from infercost.pricing import names, packaged
from infercost.pricing.book import book_version, book_versions, load_book
from infercost.pricing.corrections import load as load_corrections
from infercost.pricing.rows import from_table, to_table
from pricing.library import compare, library_cases


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
            AND a.region IS NOT DISTINCT FROM b.region
            AND coalesce(a.effective_from, '-infinity') < coalesce(b.effective_to, 'infinity')
            AND coalesce(b.effective_from, '-infinity') < coalesce(a.effective_to, 'infinity')
            AND a.input_from < coalesce(b.input_to, 9e18)
            AND b.input_from < coalesce(a.input_to, 9e18)
    """).fetchall()
    assert overlaps == [(0,)]


def test_spans_and_tiers_are_not_empty_and_ids_are_unique(prices: duckdb.DuckDBPyConnection) -> None:
    bad = prices.execute(
        "SELECT count(*) FILTER (effective_from >= effective_to OR input_from >= input_to OR source = ''),"
        " count(*) - count(DISTINCT price_id), count(*) FILTER (book NOT IN (?, ?, ?)) FROM prices",
        [book_version(), packaged.label(packaged.LITELLM), packaged.label(packaged.MODEL_PRICES)],
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
    lane, tokens, region = where.get("lane", "standard"), where.get("input_tokens", 0), where.get("region")
    kind = where.get("kind", "input_uncached")
    found = prices.execute(
        f"SELECT {kind}_rate, basis FROM prices WHERE (provider, model, lane) = (?, ?, ?)"
        " AND coalesce(effective_from, '-infinity') <= ?::TIMESTAMPTZ"
        " AND coalesce(effective_to, 'infinity') > ?::TIMESTAMPTZ"
        " AND ? >= input_from AND ? < coalesce(input_to, 9e18) AND region IS NOT DISTINCT FROM ?",
        [provider, model, lane, at, at, tokens, tokens, region],
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


def test_the_tiers_of_a_lane_before_the_book_knew_it_keep_their_proportion_too(
    prices: duckdb.DuckDBPyConnection,
) -> None:
    pro = ("openai", "gpt-5.5-pro", "2026-09-01T00:00:00Z")
    assert _rate(prices, *pro, lane="flex", input_tokens=272_000) == (15_000_000, "extrapolated")
    assert _rate(prices, *pro, lane="flex", input_tokens=272_001) == (30_000_000, "extrapolated")


def test_a_tier_that_a_lane_lacks_is_derived(prices: duckdb.DuckDBPyConnection) -> None:
    at = "2026-11-20T12:00:00Z"
    assert _rate(prices, "openai", "gpt-5.5-pro", at, lane="batch", input_tokens=1) == (15_000_000, "book")
    assert _rate(prices, "openai", "gpt-5.5-pro", at, lane="batch", input_tokens=272_001) == (30_000_000, "derived")
    assert _rate(prices, "openai", "gpt-5.5-pro", at, lane="flex", input_tokens=272_001) == (30_000_000, "derived")


def test_a_provider_that_sells_another_makers_model(prices: duckdb.DuckDBPyConnection) -> None:
    at = "2026-11-20T12:00:00Z"
    assert _rate(prices, "azure", "gpt-4o", at) == (2_500_000, "book")
    assert _rate(prices, "azure", "gpt-4o-mini", at, lane="priority") == (250_000, "derived")


def test_lanes_that_only_the_second_book_has(prices: duckdb.DuckDBPyConnection) -> None:
    at = "2026-11-20T12:00:00Z"
    gemini = ("google", "gemini-2.5-pro", at)
    assert _rate(prices, *gemini, lane="flex") == (625_000, "book")
    assert _rate(prices, *gemini, lane="flex", input_tokens=200_001) == (1_250_000, "book")
    assert _rate(prices, *gemini, lane="priority") == (2_250_000, "book")
    assert _rate(prices, "azure", "gpt-4o", at, lane="batch") == (1_250_000, "book")
    geographic = "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert _rate(prices, "aws", geographic, at, lane="batch") == (1_650_000, "derived"), "half of the book's own 3.3"
    flash = ("google", "gemini-3.6-flash")
    assert _rate(prices, *flash, at, lane="flex") == (375_000, "book")
    assert _rate(prices, *flash, "2026-08-01T00:00:00Z", lane="flex") == (750_000, "extrapolated")
    assert _rate(prices, *flash, "2027-01-01T00:00:00Z", lane="flex") == (750_000, "derived")


def test_the_price_before_a_change_that_the_book_lacks(prices: duckdb.DuckDBPyConnection) -> None:
    flash = ("google", "gemini-3.6-flash")
    assert _rate(prices, *flash, "2026-08-13T18:11:23Z") == (1_500_000, "book")
    assert _rate(prices, *flash, "2026-08-13T18:11:24Z") == (750_000, "book")
    pro = ("deepseek", "deepseek-v4-pro")
    assert _rate(prices, *pro, "2026-05-25T05:18:17Z") == (1_740_000, "book")
    assert _rate(prices, *pro, "2026-05-25T05:18:18Z") == (435_000, "book")
    # The book has this change itself, four days' difference and all: it is believed about its own dates.
    sol = ("openai", "gpt-5.6-sol")
    assert _rate(prices, *sol, "2026-08-20T23:59:59Z") == (5_000_000, "book")


def test_a_region_costs_more_in_every_lane_and_tier(prices: duckdb.DuckDBPyConnection) -> None:
    at = "2026-11-20T12:00:00Z"
    assert _rate(prices, "google", "claude-sonnet-5", at, region="regional") == (2_200_000, "book")
    assert _rate(prices, "anthropic", "claude-opus-4-6", at, region="us", lane="batch") == (2_750_000, "book")
    sol = ("openai", "gpt-5.6-sol", at)
    assert _rate(prices, *sol, region="eu", input_tokens=272_001) == (8_800_000, "book")
    assert _rate(prices, *sol, region="us", lane="flex") == (2_200_000, "book")
    assert _rate(prices, "azure", "gpt-5.4", at, region="eu", lane="priority") == (5_500_000, "book")
    plain, dear = prices.execute(
        "SELECT count(*) FILTER (region IS NULL), count(*) FILTER (region = 'us') FROM prices"
        " WHERE provider = 'openai' AND model = 'gpt-5.6-sol'"
    ).fetchall()[0]
    assert plain == dear > 10


def test_models_that_only_the_second_book_has(prices: duckdb.DuckDBPyConnection) -> None:
    at = "2026-11-20T12:00:00Z"
    assert _rate(prices, "google", "gemini-3.8-flash-cyber", at) == (1_500_000, "book")
    found = prices.execute(
        "SELECT count(DISTINCT (provider, model)), min(input_uncached_rate + output_text_rate),"
        " count(*) FILTER (provider = 'ovhcloud'), count(*) FILTER (source_date IS NULL OR source NOT LIKE 'http%')"
        " FROM prices WHERE book = ?",
        [packaged.label(packaged.LITELLM)],
    ).fetchall()[0]
    assert found[0] > 2000
    assert found[1] > 0, "a price of zero is not known"
    assert found[2:] == (0, 0)


def test_the_second_book_never_prices_a_model_of_the_first(prices: duckdb.DuckDBPyConnection) -> None:
    own = {(provider.id, model.id) for provider in providers for model in provider.models}
    rows = "SELECT DISTINCT provider, model FROM prices WHERE book = ? AND lane = 'standard' AND region IS NULL"
    second = set(prices.execute(rows, [packaged.label(packaged.LITELLM)]).fetchall())
    assert second
    priced = set(prices.execute(rows, [book_version()]).fetchall())
    assert second & priced == set()
    assert {pair for pair in second & own if names.find(*pair)} == set()


def test_known_errors_of_the_book_are_corrected(prices: duckdb.DuckDBPyConnection) -> None:
    assert _rate(prices, "mistral", "mistral-large-latest", "2025-12-01T23:59:59Z") == (2_000_000, "book")
    assert _rate(prices, "mistral", "mistral-large-latest", "2025-12-02T00:00:00Z") == (500_000, "book")
    pro = ("deepseek", "deepseek-v4-pro")
    assert _rate(prices, *pro, "2026-11-23T02:00:00Z") == (1_320_000, "book"), "Monday, peak"
    assert _rate(prices, *pro, "2026-11-23T04:00:00Z") == (660_000, "book"), "Monday, off-peak"
    assert _rate(prices, *pro, "2026-11-21T02:00:00Z") == (660_000, "book"), "Saturday"
    assert _rate(prices, *pro, "2026-10-01T02:00:00Z") == (660_000, "book"), "public holiday"
    assert _rate(prices, *pro, "2026-08-14T02:00:00Z") == (435_000, "book"), "before peak hours were introduced"
    chat = ("deepseek", "deepseek-chat")
    assert _rate(prices, *chat, "2025-09-05T00:00:00Z") == (135_000, "book"), "the last night of the discount"
    assert _rate(prices, *chat, "2025-09-05T16:00:00Z") == (570_000, "book"), "a discount no more"
    assert _rate(prices, *chat, "2025-11-17T17:00:00Z") == (280_000, "book")
    assert _rate(prices, *chat, "2026-11-20T17:00:00Z") == (140_000, "book")
    of_cache = {"kind": "cache_read"}
    assert _rate(prices, *chat, "2026-04-26T12:14:59Z", **of_cache) == (28_000, "book"), "as deepseek-v4-flash came out"
    assert _rate(prices, *chat, "2026-04-26T12:15:00Z", **of_cache) == (2_800, "book"), "a tenth of it"
    maker = ("deepseek", "deepseek-v3.2", "2026-03-01T00:00:00Z")
    rates = [_rate(prices, *maker, kind=kind)[0] for kind in ("input_uncached", "cache_read", "output_text")]
    assert rates == [280_000, 28_000, 420_000], "the maker's, not a reseller's"
    cached = prices.execute("SELECT cache_read_rate FROM prices WHERE model = 'codestral' AND lane = 'standard'")
    assert cached.fetchall()[0] == (30_000,)


def test_a_cache_write_of_12_hours_costs_more_than_one_of_30_minutes(prices: duckdb.DuckDBPyConnection) -> None:
    terra = ("openai", "gpt-6.1-terra", "2026-11-20T12:00:00Z")
    long, short = {"kind": "cache_write_12h"}, {"kind": "cache_write_30m"}
    assert _rate(prices, *terra, **short) == (1_250_000, "book")
    assert _rate(prices, *terra, **long) == (2_500_000, "book")
    assert _rate(prices, *terra, **long, input_tokens=272_001) == (5_000_000, "book")
    assert _rate(prices, *terra, **long, lane="batch") == (1_250_000, "book")
    assert _rate(prices, *terra, **long, lane="priority", input_tokens=272_001) == (10_000_000, "book")
    sol = ("openai", "gpt-5.6-sol", "2026-08-20T23:59:59Z")
    assert _rate(prices, *sol, **long, lane="batch") == (6_250_000, "extrapolated"), "before its price fell"


def test_xai_batches_are_a_fifth_cheaper(prices: duckdb.DuckDBPyConnection) -> None:
    for model in ("grok-4.3", "grok-4.7"):
        for tokens in (199_999, 200_000):
            place = ("x-ai", model, "2026-11-20T12:00:00Z")
            standard, _ = _rate(prices, *place, input_tokens=tokens)
            assert _rate(prices, *place, lane="batch", input_tokens=tokens) == (standard * 4 // 5, "book")


def test_every_correction_is_about_something_in_the_book(prices: duckdb.DuckDBPyConnection) -> None:
    known = set(prices.execute("SELECT DISTINCT provider, model FROM prices").fetchall())
    corrections = load_corrections()
    for moved in corrections.moved:
        assert {(moved.provider, moved.before), (moved.provider, moved.model)} <= known
    for peak in corrections.peaks:
        assert {(peak.provider, model) for model in peak.models} <= known
    for rate in corrections.rates:
        assert (rate.provider, rate.model) in known
    for multiple in corrections.multiples:
        assert {(multiple.provider, model) for model in multiple.models} <= known


def test_costs_equal_those_of_the_library(bench: Any, book: pa.Table) -> None:
    """Where the row is the library's own; what other books and corrections changed differs on purpose."""
    compared, different = compare(bench, book, library_cases(600))
    assert different == []
    assert compared >= 450


def test_the_books_that_a_load_names_are_those_of_its_prices(book: pa.Table) -> None:
    assert sorted(book_versions().split(",")) == sorted(set(book["book"].to_pylist()))
