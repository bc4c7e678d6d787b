"""Traps of Vercel AI Gateway: the spend report as a bill, and generation records beside OpenRouter's."""

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from run_format import FORMATS, claims

from infercost.engine import connect

if TYPE_CHECKING:
    from pathlib import Path

    from lab import Lab

ROW = {
    "total_cost": 185.0,
    "market_cost": 211.5,
    "input_tokens": 620000,
    "output_tokens": 145000,
    "cached_input_tokens": 210000,
    "cache_creation_input_tokens": 48000,
    "reasoning_tokens": 45000,
    "request_count": 1250,
}


def _report(lab: "Lab", *rows: dict[str, Any], name: str = "report.json") -> "Path":
    return lab.write(name, json.dumps({"results": list(rows)}, indent=1))


def test_a_row_of_the_report_adds_up_to_its_totals(lab: "Lab") -> None:
    result = lab.ingest(_report(lab, {"day": "2026-11-05", "model": "openai/gpt-5", **ROW}))
    assert [(each.format, each.problem) for each in result.files] == [("vercel-report", None)]
    assert lab.rows("SELECT token_kind, quantity::BIGINT FROM bills WHERE measure = 'usage' ORDER BY 1") == [
        ("cache_read", 210000),
        ("cache_write_5m", 48000),
        ("input_uncached", 620000 - 210000 - 48000),
        ("output_text", 100000),
        ("reasoning", 45000),
    ]
    assert lab.rows("SELECT billed_cost, list_cost, currency FROM bills WHERE measure = 'cost'") == [
        (Decimal(185), Decimal("211.5"), "USD")
    ]
    assert lab.value("SELECT sum(requests) FROM bills") == 1250


def test_a_later_report_of_the_same_day_wins(lab: "Lab") -> None:
    lab.ingest(_report(lab, {"day": "2026-11-05", "user": "customer_1", **ROW, "total_cost": 100.0}))
    lab.ingest(_report(lab, {"day": "2026-11-05", "user": "customer_1", **ROW}, name="later.json"))
    assert lab.value("SELECT sum(billed_cost) FROM bills") == Decimal(185)
    assert lab.value("SELECT count(DISTINCT user_id) FROM bills") == 1


def test_groupings_are_kept_apart(lab: "Lab") -> None:
    days = ({"day": "2026-11-05"}, {"day": "2026-11-05", "tag": "search"}, {"hour": "2026-11-05T10:00Z"})
    lab.ingest(_report(lab, *({**day, **ROW} for day in days)))
    found = lab.rows(
        "SELECT tags['grouped_by'], date_diff('hour', period_start, period_end) FROM bills WHERE measure = 'cost' "
        "ORDER BY 1"
    )
    assert found == [("day", 24), ("hour", 1), ("tag", 24)]


def test_a_row_without_a_period_is_rejected_once(lab: "Lab") -> None:
    result = lab.ingest(_report(lab, {"model": "openai/gpt-5", **ROW}, {"day": "2026-11-05", **ROW}))
    assert result.total("rejected") == 1
    assert "date_part" in lab.rejects()[0][1]


def test_latency_is_the_time_to_the_first_token(lab: "Lab") -> None:
    lab.ingest(FORMATS / "vercel_generation" / "sample_one.json")
    assert lab.rows("SELECT duration_seconds, time_to_first_token_seconds, web_search_requests FROM attempts") == [
        (1.5, 0.2, 2)
    ]


@pytest.mark.parametrize("other", ["openrouter_generation", "vercel_generation"])
def test_generation_records_of_both_gateways_are_told_apart(other: str) -> None:
    mine = "openrouter-generation" if other == "vercel_generation" else "vercel-generation"
    with connect() as connection:
        assert not [path for path in (FORMATS / other).glob("sample*") if claims(connection, mine, path)]
