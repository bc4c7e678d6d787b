"""Holds AWS's cost reports and FOCUS files against their traps: units, marketplace lines, credits, new deliveries."""

import gzip
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from run_format import FORMATS, SHARED

from infercost.engine import connect, literal

if TYPE_CHECKING:
    from pathlib import Path

    from lab import Lab

FOCUS = SHARED / "fixtures" / "focus"
CUR_HEADER = (
    "line_item_usage_start_date,line_item_usage_end_date,line_item_line_item_type,line_item_product_code,"
    "line_item_usage_type,line_item_usage_amount,line_item_unblended_cost,pricing_unit,product\n"
)


def _cur(usage_type: str, unit: str = "1K tokens", *, amount: float = 2, cost: float = 1, name: str = "") -> str:
    product = f'"{{""product_name"":""{name}""}}"' if name else ""
    code = "marketplacecode" if name else "AmazonBedrock"
    return f"2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,Usage,{code},{usage_type},{amount},{cost},{unit},{product}\n"


@pytest.mark.parametrize(
    ("usage_type", "expected"),
    [
        ("USE1-Claude3Sonnet-input-tokens", ("Claude3Sonnet", "input_uncached", None, None)),
        ("EU-Qwen3-VL-235B-A22B-output-tokens", ("Qwen3-VL-235B-A22B", "output", None, None)),
        (
            "USE1-Nova2.0Pro-text-input-tokens-priority-cross-region-global",
            ("Nova2.0Pro", "input_uncached", "priority", "global"),
        ),
        (
            "USE1-Claude4.6Opus-cache-read-input-token-count-cross-region-global",
            ("Claude4.6Opus", "cache_read", None, "global"),
        ),
        ("USE1-Claude4.6Opus-cache-write-input-token-count", ("Claude4.6Opus", "cache_write_5m", None, None)),
        ("USE1-Claude4.6Opus-cache-write-input-token-count-1h", ("Claude4.6Opus", "cache_write_1h", None, None)),
        (
            "USW2-anthropic.claude-opus-4-8-mantle-cache-write-tokens-30m-global-standard",
            ("anthropic.claude-opus-4-8", "cache_write_30m", None, "global"),
        ),
        ("USE1-xai.grok-4.3-mantle-input-tokens-batch", ("xai.grok-4.3", "input_uncached", "batch", None)),
        ("USE1-NovaPro-output-tokens-latency-optimized", ("NovaPro", "output", "latency-optimized", None)),
        ("USE1-NovaSonic-speech-input-tokens", ("NovaSonic", "input_audio", None, None)),
    ],
)
def test_usage_types(lab: "Lab", usage_type: str, expected: tuple[str | None, ...]) -> None:
    lab.ingest(lab.write("cur.csv", CUR_HEADER + _cur(usage_type)))
    assert lab.rows("SELECT model, token_kind, service_tier, tags['routing'] FROM bills") == [expected]
    assert lab.rows("SELECT quantity::BIGINT, quantity_unit FROM bills") == [(2000, "tokens")]


@pytest.mark.parametrize(
    ("usage_type", "unit", "name", "quantity", "unit_name"),
    [
        ("USE1-NovaLite-input-tokens", "1M tokens", "", 2_000_000, "tokens"),
        ("USE1-NovaLite-input-tokens", "tokens", "", 2, "tokens"),
        ("USE1-NovaLite-input-tokens", "", "", 2, None),
        ("USE1-Guardrail-ContentPolicyUnitsConsumed", "TextUnits", "", 2, "TextUnits"),
        (
            "USE1-MP:USE1_InputTokenCount-Units",
            "Units",
            "Claude Haiku 4.5 (Amazon Bedrock Edition)",
            2_000_000,
            "tokens",
        ),
    ],
)
def test_units(lab: "Lab", usage_type: str, unit: str, name: str, quantity: int, unit_name: str | None) -> None:
    lab.ingest(lab.write("cur.csv", CUR_HEADER + _cur(usage_type, unit, name=name)))
    assert lab.rows("SELECT quantity::BIGINT, quantity_unit FROM bills") == [(quantity, unit_name)]


def test_only_lines_of_bedrock_are_bill_lines_and_tokens_count_once(lab: "Lab") -> None:
    result = lab.ingest(FORMATS / "aws_cur" / "sample.csv")
    assert (result.total("bill_lines"), result.total("skipped"), result.total("rejected")) == (13, 1, 2)
    assert lab.value("SELECT sum(billed_cost) FROM bills") == Decimal("26.6851")
    credited = lab.rows("SELECT billed_cost, quantity, token_kind FROM bills WHERE billed_cost < 0")
    assert credited == [(Decimal("-0.1"), None, None)]


def test_a_delivery_that_grew_replaces_the_earlier_one_in_either_order(lab: "Lab") -> None:
    early = CUR_HEADER + _cur("USE1-NovaLite-input-tokens", amount=2, cost=1)
    late = CUR_HEADER + _cur("USE1-NovaLite-input-tokens", amount=5, cost=2.5)
    files = [lab.write("early.csv", early), lab.write("late.csv", late)]
    for store, order in (("forth", files), ("back", files[::-1])):
        for file in order:
            lab.ingest(file, store=store)
        assert lab.rows("SELECT billed_cost, quantity::INT FROM bills", store) == [(Decimal("2.5"), 5000)]


def test_equal_lines_of_one_file_are_all_kept(lab: "Lab") -> None:
    lines = _cur("USE1-NovaLite-input-tokens") + _cur("USE1-NovaLite-input-tokens", cost=3)
    file = lab.write("cur.csv", CUR_HEADER + lines)
    lab.ingest(file)
    assert lab.rows("SELECT count(*), sum(billed_cost)::INT FROM bills") == [(2, 4)]


def test_parquet_with_maps_and_timestamps_gives_what_the_csv_gives(lab: "Lab") -> None:
    sample = FORMATS / "aws_cur" / "sample.csv"
    parquet = lab.folder / "cur-00001.snappy.parquet"
    with connect() as connection:
        connection.execute(
            "COPY (SELECT * REPLACE (line_item_usage_start_date::TIMESTAMP AS line_item_usage_start_date, "
            "line_item_usage_end_date::TIMESTAMP AS line_item_usage_end_date, "
            "try_cast(line_item_unblended_cost AS DOUBLE) AS line_item_unblended_cost, "
            "line_item_usage_amount::DOUBLE AS line_item_usage_amount, "
            "product::JSON::MAP(VARCHAR, VARCHAR) AS product, "
            "resource_tags::JSON::MAP(VARCHAR, VARCHAR) AS resource_tags) "
            f"FROM read_csv({literal(str(sample))}, all_varchar = true, nullstr = '') "
            f"WHERE identity_line_item_id NOT IN ('id14', 'id15')) TO {literal(str(parquet))} (FORMAT parquet)"
        )
    lab.ingest(sample)
    result = lab.ingest(parquet, store="parquet")
    assert [(each.format, each.problem) for each in result.files] == [("aws-cur", None)]
    figures = (
        "SELECT model, token_kind, quantity, billed_cost, tags::VARCHAR, epoch(period_start)::BIGINT "
        "FROM bills ORDER BY ALL"
    )
    assert lab.rows(figures, "parquet") == lab.rows(figures)


def test_a_packed_export_is_read(lab: "Lab") -> None:
    packed = gzip.compress((FORMATS / "aws_cur" / "sample.csv").read_bytes())
    result = lab.ingest(lab.write("cur.csv.gz", packed))
    assert (result.files[0].format, result.total("bill_lines")) == ("aws-cur", 13)


@pytest.mark.parametrize("name", ["virtual_currency_pricing_model_a1.csv", "virtual_currency_pricing_model_a2.csv"])
def test_a_vendor_that_sells_its_own_tokens_is_no_bill_of_models(lab: "Lab", name: str) -> None:
    path: Path = FOCUS / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout (../shared)")
    result = lab.ingest(path)
    assert [(each.format, each.problem) for each in result.files] == [("focus", None)]
    assert (result.total("bill_lines"), result.total("rejected")) == (0, 0)
    assert result.total("skipped") == result.total("records") > 0


def test_focus_keeps_ai_and_reads_dates_with_slashes(lab: "Lab") -> None:
    result = lab.ingest(FORMATS / "focus" / "sample.csv")
    assert (result.total("bill_lines"), result.total("skipped"), result.total("rejected")) == (10, 1, 2)
    assert lab.rows(
        "SELECT charge, strftime(period_start, '%Y-%m-%d'), quantity::INT, quantity_unit, token_kind FROM bills "
        "WHERE provider_name = 'mistral_ai' ORDER BY 1"
    ) == [
        ("Token consumption", "2026-11-01", 245, "Tokens", None),
        ("Token purchase", "2026-11-01", 100, "Token", None),
    ]


def test_focus_of_litellm_counts_no_calls_and_names_nobody(lab: "Lab") -> None:
    lab.ingest(FORMATS / "focus" / "sample_litellm.csv")
    assert lab.rows("SELECT provider_name, model, requests, quantity, billed_cost FROM bills ORDER BY 1") == [
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-6", None, None, Decimal("0.5")),
        ("openai", "gpt-5.4-mini", None, None, Decimal("1.25")),
    ]
    assert lab.value("SELECT count(*) FROM bills WHERE bills::VARCHAR LIKE '%anna%'") == 0
    assert lab.value("SELECT count(*) FROM bills WHERE bills::VARCHAR LIKE '%key-demo-hash%'") == 0


def test_focus_and_cur_of_the_same_line_agree(lab: "Lab") -> None:
    lab.ingest(FORMATS / "focus" / "sample.csv", FORMATS / "aws_cur" / "sample.csv")
    assert lab.rows(
        "SELECT token_kind, quantity::BIGINT, billed_cost, count(DISTINCT format) FROM bills "
        "WHERE charge = 'USE1-Nova2.0Lite-input-tokens' AND token_kind IS NOT NULL GROUP BY ALL"
    ) == [("input_uncached", 1_234_500, Decimal("0.37035"), 2)]


def test_focus_as_parquet_with_maps_and_timestamps(lab: "Lab") -> None:
    parquet = lab.folder / "focus.parquet"
    with connect() as connection:
        connection.execute(
            "COPY (SELECT 0.37035::DOUBLE AS BilledCost, 0.4::DOUBLE AS ListCost, 'USD' AS BillingCurrency, "
            "'Usage' AS ChargeCategory, TIMESTAMP '2026-11-01' AS ChargePeriodStart, "
            "TIMESTAMP '2026-11-01 01:00' AS ChargePeriodEnd, 1234.5::DOUBLE AS ConsumedQuantity, "
            "'1K tokens' AS ConsumedUnit, 'AWS' AS ProviderName, 'AI and Machine Learning' AS ServiceCategory, "
            "'Amazon Bedrock' AS ServiceName, MAP {'team': 'shop'} AS Tags, "
            "'USE1-Nova2.0Lite-input-tokens' AS x_UsageType, {'Model': 'Nova 2.0 Lite'} AS SkuPriceDetails) "
            f"TO {literal(str(parquet))} (FORMAT parquet)"
        )
    result = lab.ingest(parquet)
    assert [(each.format, each.problem) for each in result.files] == [("focus", None)]
    assert lab.rows(
        "SELECT provider_name, model, token_kind, quantity::BIGINT, billed_cost, list_cost, tags['team'], "
        "epoch(period_end - period_start)::INT FROM bills"
    ) == [
        (
            "aws.bedrock",
            "Nova 2.0 Lite",
            "input_uncached",
            1_234_500,
            Decimal("0.37035"),
            Decimal("0.4"),
            "shop",
            3600,
        )
    ]
