"""Holds DeepSeek's usage export against its parts: amounts, costs, their ZIP and both spellings of time."""

import io
import zipfile
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from run_format import FORMATS, SHARED

if TYPE_CHECKING:
    from lab import Lab

AMOUNTS = FORMATS / "deepseek_usage" / "sample.csv"
COSTS = FORMATS / "deepseek_cost" / "sample.csv"


def test_the_real_amounts(lab: "Lab") -> None:
    path = SHARED / "fixtures" / "deepseek" / "amount.csv"
    if not path.exists():
        pytest.skip("the fixture is not beside this checkout (../shared)")
    result = lab.ingest(path)
    assert [(each.format, each.problem) for each in result.files] == [("deepseek-usage", None)]
    assert lab.rows(
        "SELECT charge, token_kind, quantity::INT, quantity_unit, requests, "
        "strftime(period_start AT TIME ZONE 'UTC', '%d %H:%M'), strftime(period_end AT TIME ZONE 'UTC', '%d %H:%M') "
        "FROM bills ORDER BY 1"
    ) == [
        ("input_cache_hit_tokens", "cache_read", 1000000, "tokens", None, "22 00:00", "22 01:00"),
        ("input_cache_miss_tokens", "input_uncached", 1000000, "tokens", None, "22 00:00", "22 01:00"),
        ("output_tokens", "output", 1000000, "tokens", None, "22 00:00", "22 01:00"),
        ("request_count", None, 100, "requests", 100, "22 00:00", "22 01:00"),
    ]
    assert lab.value("SELECT count(*) FROM bills WHERE user_id = 'u1' OR api_key_id LIKE 'sk-%'") == 0


def test_the_archive_is_read_as_it_is(lab: "Lab") -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(AMOUNTS, "usage_data_2026_11/amount-2026-11.csv")
        archive.write(COSTS, "usage_data_2026_11/cost-2026-11.csv")
    result = lab.ingest(lab.write("usage_data_2026_11.zip", packed.getvalue()))
    assert sorted((each.format, each.problem) for each in result.files) == [
        ("deepseek-cost", None),
        ("deepseek-usage", None),
    ]
    assert lab.rows("SELECT measure, count(*), sum(billed_cost) FROM bills GROUP BY 1 ORDER BY 1") == [
        ("cost", 4, Decimal("2.372")),
        ("usage", 6, None),
    ]


def test_rows_with_the_same_wallet_are_all_counted(lab: "Lab") -> None:
    lab.ingest(COSTS)
    lab.ingest(lab.write("again.csv", COSTS.read_bytes()))
    assert lab.value("SELECT sum(billed_cost) FROM bills WHERE charge = 'Paid'") == Decimal("1.872")


def test_what_is_taken_from_a_wallet_is_a_cost(lab: "Lab") -> None:
    lab.ingest(FORMATS / "deepseek_cost" / "sample_utc_date.csv")
    assert lab.rows(
        "SELECT billed_cost, strftime(period_start, '%d'), strftime(period_end, '%d') FROM bills ORDER BY 1"
    ) == [
        (Decimal("-0.02"), "01", "02"),
        (Decimal("0.72"), "01", "02"),
        (Decimal("1.44"), "31", "01"),
    ]
