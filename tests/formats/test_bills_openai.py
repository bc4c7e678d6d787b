"""Holds OpenAI's bills against documented pages: kinds exclude each other, totals and breakdowns stay apart."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from run_format import FORMATS, SHARED, claims

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

FIXTURES = SHARED / "fixtures" / "openai"
DAY = 1793491200


def _fixture(name: str) -> Path:
    path = FIXTURES / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout (../shared)")
    return path


def _page(*results: dict[str, Any], start: int = DAY) -> dict[str, Any]:
    bucket = {"object": "bucket", "start_time": start, "end_time": start + 86400, "results": list(results)}
    return {"object": "page", "data": [bucket], "has_more": False, "next_page": None}


def _usage(**changes: Any) -> dict[str, Any]:
    return {
        "object": "organization.usage.completions.result",
        "input_tokens": 1000,
        "output_tokens": 100,
        "num_model_requests": 7,
        "project_id": None,
        "model": None,
        **changes,
    }


def _cost(value: Any, **changes: Any) -> dict[str, Any]:
    amount = {"value": value, "currency": "usd"}
    return {"object": "organization.costs.result", "amount": amount, "line_item": None, "project_id": None, **changes}


def _kinds(lab: "Lab") -> dict[str, int]:
    return dict(lab.rows("SELECT token_kind, sum(quantity)::BIGINT FROM bills WHERE token_kind IS NOT NULL GROUP BY 1"))


def test_the_total_of_a_day_is_one_line_without_a_charge(lab: "Lab") -> None:
    result = lab.ingest(_fixture("costs_page.json"))
    assert [(each.format, each.problem) for each in result.files] == [("openai-costs", None)]
    assert lab.rows(
        "SELECT billed_cost, currency, account, charge, measure, tags['grouped_by'], epoch(period_start)::BIGINT, "
        "epoch(period_end)::BIGINT FROM bills"
    ) == [
        (
            Decimal("10.1425634"),
            "USD",
            "org-YjkYStpDHMfCmoB39rPJfHay",
            None,
            "cost",
            "none",
            1759017600,
            1759104000,
        )
    ]


def test_line_items_with_numbers_texts_and_no_amount(lab: "Lab") -> None:
    result = lab.ingest(_fixture("costs_page_line_items.json"))
    assert (result.total("bill_lines"), result.total("skipped"), result.total("rejected")) == (2, 1, 1)
    assert lab.rejects() == [(1, "amount.value is missing")]
    assert lab.rows("SELECT charge, model, token_kind, account, billed_cost FROM bills ORDER BY billed_cost") == [
        ("Web search tool calls", None, None, None, Decimal("2.25")),
        ("GPT-4o, input", "GPT-4o", "input", "proj_abc", Decimal("12.5")),
    ]


def test_an_export_without_use_is_recognised_and_has_no_lines(lab: "Lab") -> None:
    result = lab.ingest(_fixture("completions_usage_empty_export.csv"))
    assert [(each.format, each.problem) for each in result.files] == [("openai-usage", None)]
    assert (result.total("bill_lines"), result.total("skipped"), result.total("rejected")) == (0, 1, 0)


def test_kinds_add_up_to_what_the_result_counts(lab: "Lab") -> None:
    lab.ingest(FORMATS / "openai_usage" / "sample.json")
    where = "WHERE model = 'gpt-5.4-2026-03-05' AND quantity_unit = 'tokens'"
    assert lab.rows(f"SELECT token_kind, quantity::BIGINT FROM bills {where} ORDER BY 1") == [
        ("cache_read", 400000),
        ("cache_write_12h", 30000),
        ("cache_write_30m", 70000),
        ("input_audio", 50000),
        ("input_image", 10000),
        ("input_uncached", 440000),
        ("output", 80000),
        ("output_audio", 9000),
        ("output_image", 1000),
    ]
    assert lab.value(f"SELECT sum(quantity)::BIGINT FROM bills {where}") == 1_000_000 + 90_000


def test_calls_stand_on_one_line_each(lab: "Lab") -> None:
    lab.ingest(FORMATS / "openai_usage" / "sample.json", FORMATS / "openai_usage" / "sample_buckets.jsonl")
    assert lab.rows("SELECT tags['api'], sum(requests)::BIGINT FROM bills GROUP BY 1 ORDER BY 1") == [
        ("audio_speeches", 2),
        ("audio_transcriptions", 5),
        ("completions", 1200 + 3 + 16 + 5),
        ("embeddings", 92),
        ("images", 10),
        ("vector_stores", None),
        ("web_searches", None),
    ]


@pytest.mark.parametrize(
    ("result", "kinds"),
    [
        (_usage(), {"input": 1000, "output": 100}),
        (_usage(input_cached_tokens=300), {"input_uncached": 700, "cache_read": 300, "output": 100}),
        (
            _usage(input_cached_tokens=0, input_audio_tokens=50),
            {"input_uncached": 950, "input_audio": 50, "output": 100},
        ),
        (
            _usage(input_cached_tokens=300, input_audio_tokens=50),
            {"input_uncached": 700, "cache_read": 300, "output": 100},
        ),
        (
            _usage(input_cached_tokens=300, input_uncached_tokens=600, input_cache_write_tokens=100),
            {"input_uncached": 600, "cache_read": 300, "cache_write_30m": 100, "output": 100},
        ),
        (
            _usage(input_cached_tokens=0, input_cache_write_12h_tokens=100),
            {"input_uncached": 900, "cache_write_12h": 100, "output": 100},
        ),
        (_usage(output_audio_tokens=40), {"input": 1000, "output": 60, "output_audio": 40}),
        (_usage(object="organization.usage.embeddings.result", output_tokens=None), {"input_uncached": 1000}),
    ],
)
def test_kinds_of_older_and_newer_answers(lab: "Lab", result: dict[str, Any], kinds: dict[str, int]) -> None:
    lab.ingest(lab.write("page.json", json.dumps(_page(result))))
    assert _kinds(lab) == kinds


def test_a_total_and_its_breakdown_are_kept_apart_by_their_grouping(lab: "Lab") -> None:
    items = [_cost(4, line_item="gpt-5.4, input"), _cost(6, line_item="gpt-5.4, output")]
    projects = [_cost(9, project_id="proj_a"), _cost(1)]
    for number, page in enumerate((_page(_cost(10)), _page(*items), _page(*projects))):
        lab.ingest(lab.write(f"{number}.json", json.dumps(page)))
    assert lab.rows(
        "SELECT tags['grouped_by'], sum(billed_cost)::INT, count(charge) FROM bills GROUP BY 1 ORDER BY 1"
    ) == [("line_item", 10, 2), ("none", 10, 0), ("project_id", 10, 0)]


@pytest.mark.parametrize("wrap", ["array", "lines", "buckets"])
def test_pages_however_they_are_kept(lab: "Lab", wrap: str) -> None:
    pages = [_page(_usage(model="gpt-5.4"), start=DAY + number * 86400) for number in range(3)]
    texts = {
        "array": json.dumps(pages),
        "lines": "".join(json.dumps(page) + "\n" for page in pages),
        "buckets": "".join(json.dumps(page["data"][0]) + "\n" for page in pages),
    }
    result = lab.ingest(lab.write("usage.json", texts[wrap]))
    assert [(each.format, each.problem) for each in result.files] == [("openai-usage", None)]
    assert lab.rows("SELECT count(DISTINCT period_start), sum(requests)::BIGINT FROM bills") == [(3, 21)]


def test_usage_and_costs_are_never_taken_for_each_other_nor_for_bodies() -> None:
    files = [*(FORMATS / "openai_usage").glob("sample*"), *(FORMATS / "openai_costs").glob("sample*")]
    bodies = [*FORMATS.glob("openai_embeddings/sample*"), *FORMATS.glob("anthropic_*report/sample*")]
    with connect() as connection:
        for path in (*files, *bodies):
            claimed = [name for name in ("openai-usage", "openai-costs") if claims(connection, name, path)]
            assert claimed == ([path.parent.name.replace("_", "-")] if path in files else []), path
