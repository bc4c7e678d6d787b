from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from infercost import schema
from infercost.errors import InfercostError
from infercost.pricing.apply import MAX_TOKENS, PRICING_COLUMNS, apply
from infercost.pricing.tables import create_maps, create_prices

KIND_COSTS = [f"{kind}_cost" for kind in schema.TOKEN_KINDS]
SONNET = {"provider_name": "anthropic", "price_model": "claude-sonnet-4-5"}
USAGE = {"input_uncached_tokens": 1000, "cache_read_tokens": 10_000, "output_text_tokens": 100}
USAGE_COST = Decimal("0.0075")


def kinds(row: dict[str, Any]) -> set[Any]:
    return {row[name] for name in KIND_COSTS}


def test_columns_and_types_are_those_of_the_contract(bench: Any, price: Callable[..., Any]) -> None:
    price([{**SONNET, **USAGE}])
    described = {row[0]: row[1] for row in bench.connection.execute("DESCRIBE priced").fetchall()}
    source = [row[0] for row in bench.connection.execute("DESCRIBE attempts").fetchall()]
    made = [name for name in source if name not in PRICING_COLUMNS] + list(PRICING_COLUMNS)
    assert sorted(described) == sorted(made)
    for name in PRICING_COLUMNS:
        assert described[name] == schema.ATTEMPT_COLUMNS[name].type


def test_cost_is_the_exact_sum_of_its_kinds(price: Callable[..., Any]) -> None:
    tokens = {f"{kind}_tokens": 10_007 + index for index, kind in enumerate(schema.TOKEN_KINDS)}
    row = price([{**SONNET, **tokens}])[0]
    assert row["effective_cost"] == sum(row[name] for name in KIND_COSTS) == row["list_cost"]
    assert row["cache_write_1h_cost"] == 6 * Decimal(tokens["cache_write_1h_tokens"]) / 10**6
    assert (row["price_basis"], row["avoided_cost"]) == ("book", None)
    assert row["price_id"]


def test_kinds_that_are_unknown_count_as_none_when_another_is_known(price: Callable[..., Any]) -> None:
    row = price([{**SONNET, **USAGE}])[0]
    assert row["effective_cost"] == USAGE_COST
    assert row["reasoning_cost"] == 0


def test_a_gateway_cache_hit_costs_nothing_and_keeps_what_it_avoided(price: Callable[..., Any]) -> None:
    rows = price([{**SONNET, **USAGE, "gateway_cache": how} for how in ("exact", "semantic", "hit", "miss", None)])
    for row in rows[:3]:
        assert (row["list_cost"], row["effective_cost"], row["avoided_cost"]) == (0, 0, USAGE_COST)
        assert kinds(row) == {0}
        assert row["price_basis"] == "book"
        assert row["price_id"] == rows[3]["price_id"]
    for row in rows[3:]:
        assert (row["effective_cost"], row["avoided_cost"]) == (USAGE_COST, None)


def test_a_hit_of_an_unknown_model_or_without_usage_costs_nothing_too(price: Callable[..., Any]) -> None:
    unknown, empty = price(
        [
            {"provider_name": "x", "price_model": "who", **USAGE, "gateway_cache": "hit"},
            {**SONNET, "gateway_cache": "hit"},
        ]
    )
    assert (unknown["effective_cost"], unknown["avoided_cost"], unknown["price_basis"]) == (0, None, "rule")
    assert unknown["price_id"] is None
    assert (empty["effective_cost"], empty["avoided_cost"], empty["price_basis"]) == (0, None, "book")


@pytest.mark.parametrize(
    ("status", "http_status", "cost"),
    [
        ("error", 429, 0),
        ("error", 400, 0),
        ("error", 401, 0),
        ("error", 408, None),
        ("error", 499, None),
        ("error", 500, None),
        ("error", 529, None),
        ("error", None, None),
        ("cancelled", None, None),
        ("cancelled", 499, None),
        ("ok", 200, None),
    ],
)
def test_without_usage_only_a_refusal_is_known_to_cost_nothing(
    price: Callable[..., Any], status: str, http_status: int | None, cost: int | None
) -> None:
    row = price([{**SONNET, "status": status, "http_status": http_status, "usage_source": "missing"}])[0]
    assert (row["list_cost"], row["effective_cost"], kinds(row)) == (cost, cost, {cost})
    assert (row["price_id"], row["price_basis"]) == (None, None if cost is None else "rule")


def test_a_failed_attempt_with_usage_is_priced_like_any_other(price: Callable[..., Any]) -> None:
    rows = price([{**SONNET, **USAGE, "status": "error", "http_status": code} for code in (400, 429, 500)])
    assert {row["effective_cost"] for row in rows} == {USAGE_COST}


def test_an_unknown_model_has_no_cost(price: Callable[..., Any]) -> None:
    rows = price(
        [
            {"provider_name": "openai", "price_model": "gpt-4o-super", **USAGE},
            {"provider_name": None, "price_model": None, **USAGE},
            {"provider_name": "openai", "price_model": "whisper-1", **USAGE},
        ]
    )
    for row in rows:
        assert {row[name] for name in PRICING_COLUMNS} == {None}


def test_a_kind_without_a_rate_leaves_the_attempt_unpriced_only_when_it_has_tokens(price: Callable[..., Any]) -> None:
    embedding = {"provider_name": "openai", "price_model": "text-embedding-3-small", "input_uncached_tokens": 1000}
    known, unknown = price([{**embedding, "output_text_tokens": 0}, {**embedding, "output_text_tokens": 5}])
    assert known["effective_cost"] == Decimal("0.00002")
    assert {unknown[name] for name in PRICING_COLUMNS} == {None}


def test_lanes_and_what_the_book_lacks(price: Callable[..., Any]) -> None:
    gpt = {"provider_name": "openai", "price_model": "gpt-5.4", "input_uncached_tokens": 100_000}
    tiers = [None, "", "default", "auto", "standard", "batch", "PRIORITY", "scale"]
    rows = price([{**gpt, "service_tier": tier} for tier in tiers])
    standard, half, double = Decimal("0.25"), Decimal("0.125"), Decimal("0.5")
    assert [row["effective_cost"] for row in rows] == [*[standard] * 5, half, double, standard]
    assert [row["price_basis"] for row in rows] == [*["book"] * 7, "derived"]


def test_the_price_is_that_of_the_attempts_own_moment_and_tier(price: Callable[..., Any]) -> None:
    sol = {"provider_name": "openai", "price_model": "gpt-5.6-sol", "input_uncached_tokens": 100_000}
    gemini = {"provider_name": "gcp.gemini", "price_model": "gemini-2.5-pro"}
    rows = price(
        [
            {**sol, "started_at": "2026-08-20T23:59:59.999999Z"},
            {**sol, "started_at": "2026-08-21T00:00:00Z"},
            {**sol, "started_at": "2026-08-20T19:00:00-05:00"},
            {**gemini, "input_uncached_tokens": 60_000, "cache_read_tokens": 140_000},
            {**gemini, "input_uncached_tokens": 60_001, "cache_read_tokens": 140_000},
        ]
    )
    assert [row["list_cost"] for row in rows] == [
        Decimal(text) for text in ("0.5", "0.4", "0.4", "0.0925", "0.1850025")
    ]


def test_a_price_by_the_hour_changes_within_a_day_and_never_doubles_a_row(price: Callable[..., Any]) -> None:
    pro = {"provider_name": "deepseek", "price_model": "deepseek-v4-pro", "input_uncached_tokens": 1_000_000}
    times = ["00:59:59.999999", "01:00:00", "03:59:59.999999", "04:00:00", "06:00:00", "10:00:00"]
    rows = price([{**pro, "started_at": f"2026-11-23T{time}Z"} for time in times])
    low, high = Decimal("0.66"), Decimal("1.32")
    assert [row["list_cost"] for row in rows] == [low, high, high, low, high, low]


def test_broken_counts_are_unpriced_and_stop_nothing(price: Callable[..., Any]) -> None:
    pro = {"provider_name": "openai", "price_model": "o1-pro"}
    rows = price(
        [
            {**SONNET, "input_uncached_tokens": 2**62, "output_text_tokens": 1},
            {**SONNET, "input_uncached_tokens": MAX_TOKENS + 1},
            {**pro, **{f"{kind}_tokens": MAX_TOKENS for kind in schema.TOKEN_KINDS}},
            {**SONNET, "input_uncached_tokens": MAX_TOKENS},
            {**SONNET, **USAGE, "started_at": "0001-01-01T00:00:00Z"},
        ]
    )
    assert [row["effective_cost"] for row in rows] == [None, None, None, Decimal(3000), USAGE_COST]
    assert [row["price_basis"] for row in rows] == [None, None, None, "book", "book"]


def _mixed(count: int) -> list[dict[str, Any]]:
    models = [SONNET, {"provider_name": "deepseek", "price_model": "deepseek-v4-pro"}, {"price_model": "who"}]
    return [
        {
            **models[number % 3],
            "started_at": f"2026-{8 + number % 3:02}-{1 + number % 28:02}T{number % 24:02}:30:00Z",
            "service_tier": ("batch", None, "flex")[number // 3 % 3],
            "input_uncached_tokens": number * 997,
            "output_text_tokens": None if number % 5 else number,
        }
        for number in range(count)
    ]


def test_every_row_comes_out_once_even_when_the_book_overlaps(bench: Any, book: pa.Table) -> None:
    attempts = _mixed(200)
    bench.fill(attempts)
    doubled = pa.concat_tables([book, book, book.slice(0, 3000)])
    wide = bench.connection.sql(
        "SELECT * REPLACE ('wide' AS price_id, NULL AS effective_from, NULL AS effective_to, 0 AS input_from,"
        " NULL AS input_to, input_uncached_rate + 1 AS input_uncached_rate) FROM doubled WHERE provider = 'anthropic'"
    ).to_arrow_table()
    bench.set_prices(pa.concat_tables([doubled, wide.cast(book.schema)]), pa.concat_tables([doubled, book]))
    create_maps(bench.connection, "attempts")
    bench.connection.execute("INSERT INTO model_map FROM model_map")
    apply(bench.connection, "attempts", "priced")
    ids = [row["attempt_id"] for row in bench.rows("SELECT attempt_id FROM priced")]
    assert sorted(ids, key=int) == [str(number) for number in range(len(attempts))]
    basis = bench.rows("SELECT count(*) AS priced FROM priced WHERE effective_cost IS NOT NULL")
    assert basis == [{"priced": sum(1 for attempt in attempts if attempt["price_model"] != "who")}]


def test_costs_do_not_depend_on_order_or_threads(bench: Any) -> None:
    bench.fill(_mixed(300))
    create_prices(bench.connection)
    create_maps(bench.connection, "attempts")
    bench.connection.execute("CREATE TABLE many AS SELECT attempts.* FROM attempts, range(300) ORDER BY random()")
    totals = []
    for threads in (1, 2, 4):
        bench.connection.execute(f"SET threads = {threads}")
        apply(bench.connection, "many", "priced")
        totals.append(
            bench.rows("SELECT count(*) AS n, sum(effective_cost) AS cost, sum(list_cost) AS list FROM priced")
        )
    assert totals[0] == totals[1] == totals[2]
    assert totals[0][0]["n"] == 90_000
    once = bench.rows("SELECT price_id, sum(effective_cost) AS cost FROM priced GROUP BY ALL ORDER BY ALL")
    bench.connection.execute("CREATE TABLE turned AS SELECT * FROM many ORDER BY random()")
    apply(bench.connection, "turned", "priced")
    assert once == bench.rows("SELECT price_id, sum(effective_cost) AS cost FROM priced GROUP BY ALL ORDER BY ALL")


def test_what_is_priced_can_be_priced_again(bench: Any, price: Callable[..., Any]) -> None:
    first = price([{**SONNET, **USAGE}])
    apply(bench.connection, "priced", "again")
    assert bench.rows("SELECT * EXCLUDE (started_at) FROM again") == first


def test_no_attempts_is_no_error(price: Callable[..., Any]) -> None:
    assert price([]) == []


def test_a_missing_column_is_named(bench: Any) -> None:
    bench.connection.execute("CREATE TABLE bare (started_at TIMESTAMPTZ)")
    with pytest.raises(InfercostError, match=r"bare cannot be priced.*price_model"):
        apply(bench.connection, "bare", "priced")


def test_web_searches_cost_their_fee_beside_the_tokens(price: Callable[..., Any]) -> None:
    row = price([{**SONNET, **USAGE, "web_search_requests": 3}])[0]
    assert row["fee_cost"] == 3 * Decimal("0.01")
    assert row["effective_cost"] == row["list_cost"] == USAGE_COST + row["fee_cost"]


def test_web_searches_without_a_fee_in_the_book_are_told(price: Callable[..., Any]) -> None:
    model = {"provider_name": "groq", "price_model": "llama-3.1-8b-instant", "input_uncached_tokens": 1000}
    row, plain = price([{**model, "web_search_requests": 1}, model])
    assert row["effective_cost"] == plain["effective_cost"] > 0
    assert (row["price_rule"], plain["price_rule"]) == ("fee_unknown", None)


def test_a_broken_count_of_web_searches_is_unpriced(price: Callable[..., Any]) -> None:
    assert price([{**SONNET, **USAGE, "web_search_requests": 10**12}])[0]["effective_cost"] is None


def test_a_cost_says_which_rule_stands_behind_it(price: Callable[..., Any]) -> None:
    rows = price(
        [
            {**SONNET, **USAGE, "gateway_cache": "exact"},
            {**SONNET, "status": "error", "http_status": 429},
            {**SONNET, "status": "error", "input_uncached_tokens": 0, "output_text_tokens": 0},
            {**SONNET, **USAGE, "service_tier": "flex"},
            {**SONNET, **USAGE},
        ]
    )
    assert [row["price_rule"] for row in rows] == [
        "gateway_cache_hit",
        "not_billed",
        "no_tokens",
        "standard_lane",
        None,
    ]
    assert {row["price_rule"] for row in rows} <= {*schema.PRICE_RULES, None}
    assert rows[4]["list_price_id"] == rows[4]["price_id"]
