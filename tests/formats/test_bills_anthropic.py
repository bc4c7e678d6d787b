"""Holds Anthropic's reports and console exports against documented and real files."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from run_format import FORMATS, SHARED, claims

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

FIXTURES = SHARED / "fixtures" / "anthropic"
BILLS = ("anthropic-usage-report", "anthropic-cost-report", "anthropic-console-usage", "anthropic-console-cost")


def _fixture(name: str) -> Path:
    path = FIXTURES / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout (../shared)")
    return path


def _costs(*amounts: Any) -> str:
    results = [{"amount": amount, "currency": "USD", "description": f"charge {n}"} for n, amount in enumerate(amounts)]
    bucket = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z", "results": results}
    return json.dumps({"data": [bucket], "has_more": False, "next_page": None})


def test_the_documented_usage_report(lab: "Lab") -> None:
    result = lab.ingest(_fixture("usage_report_messages.json"))
    assert [(each.format, each.problem) for each in result.files] == [("anthropic-usage-report", None)]
    assert lab.rows("SELECT coalesce(token_kind, charge), quantity::BIGINT, quantity_unit FROM bills ORDER BY 1") == [
        ("cache_read", 200, "tokens"),
        ("cache_write_1h", 1000, "tokens"),
        ("cache_write_5m", 500, "tokens"),
        ("input_uncached", 1500, "tokens"),
        ("output", 500, "tokens"),
        ("server_tool_use.web_search_requests", 10, "searches"),
    ]
    assert lab.rows(
        "SELECT DISTINCT model, account, context_window, service_tier, measure, billed_cost FROM bills"
    ) == [("claude-sonnet-4-20250514", "wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ", "0-200k", None, "usage", None)]


def test_costs_are_cents(lab: "Lab") -> None:
    result = lab.ingest(lab.write("costs.json", _costs("123.45", "0.000001", 7, None, "free")))
    assert (result.total("bill_lines"), result.total("rejected")) == (3, 2)
    assert lab.rows("SELECT billed_cost FROM bills ORDER BY 1") == [
        (Decimal("0.00000001"),),
        (Decimal("0.07"),),
        (Decimal("1.2345"),),
    ]
    assert [reason for _, reason in lab.rejects()] == ["amount is missing", "amount is no number of cents: free"]


def test_the_usage_export_of_the_console(lab: "Lab") -> None:
    result = lab.ingest(_fixture("console_usage.csv"))
    assert [(each.format, each.problem) for each in result.files] == [("anthropic-console-usage", None)]
    assert lab.rows("SELECT coalesce(token_kind, charge), sum(quantity)::BIGINT FROM bills GROUP BY 1 ORDER BY 1") == [
        ("cache_write_5m", 15969),
        ("input_uncached", 46981 + 100000 + 50000 + 200000),
        ("output", 16932 + 5000 + 2000 + 10000),
        ("web_search_count", 15),
    ]
    assert lab.rows("SELECT DISTINCT context_window, region FROM bills ORDER BY 2") == [
        ("≤ 200k", "global"),
        ("≤ 200k", None),
    ]


def test_the_cost_export_of_the_console(lab: "Lab") -> None:
    result = lab.ingest(_fixture("console_cost.csv"))
    assert [(each.format, each.problem) for each in result.files] == [("anthropic-console-cost", None)]
    assert lab.rows(
        "SELECT model, token_kind, billed_cost, list_cost, service_tier, currency FROM bills ORDER BY billed_cost"
    ) == [
        ("Claude Haiku 4.5", "output", Decimal("0.02"), Decimal("0.02"), None, "USD"),
        ("Claude Haiku 4.5", "input_uncached", Decimal("0.05"), Decimal("0.05"), None, "USD"),
        ("Claude Sonnet 4.5", "cache_read", Decimal("0.10"), Decimal("1.00"), None, "USD"),
        ("Claude Opus 4.5", "output", Decimal("0.30"), Decimal("0.30"), None, "USD"),
    ]


def test_names_of_keys_may_hold_commas(lab: "Lab") -> None:
    lab.ingest(FORMATS / "anthropic_console_usage" / "sample.csv", FORMATS / "anthropic_console_cost" / "sample.csv")
    assert lab.rows("SELECT DISTINCT format FROM bills WHERE api_key_name = 'shop, staging' ORDER BY 1") == [
        ("anthropic-console-cost",),
        ("anthropic-console-usage",),
    ]


def test_keys_of_one_name_do_not_swallow_each_other(lab: "Lab") -> None:
    lab.ingest(FORMATS / "anthropic_console_usage" / "sample.csv")
    found = lab.rows("SELECT token_kind, sum(quantity)::INT FROM bills WHERE api_key_name = 'same-name' GROUP BY 1")
    assert dict(found) == {"input_uncached": 1200, "output": 120}


def test_usage_that_is_told_by_account_is_hashed_as_a_user(lab: "Lab") -> None:
    lab.ingest(FORMATS / "anthropic_usage_report" / "sample_buckets.jsonl")
    assert lab.value("SELECT count(*) FROM bills WHERE user_id IS NOT NULL AND user_id <> 'user_demo'") == 2


def test_each_file_is_claimed_by_its_own_format_only() -> None:
    files = [path for name in BILLS for path in (FORMATS / name.replace("-", "_")).glob("sample*")]
    with connect() as connection:
        for path in files:
            claimed = [name for name in BILLS if claims(connection, name, path)]
            assert claimed == [path.parent.name.replace("_", "-")], path
