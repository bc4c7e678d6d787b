"""Holds the OpenRouter formats against the deliveries and exports that OpenRouter wrote, and against their traps."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from run_format import FORMATS, SHARED, claims, map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

FIXTURES = SHARED / "fixtures" / "openrouter"
ROW = (
    "{id},{at},0.0123,0,0,0,0,10389,137,0,0,openai/gpt-oss-120b,DeepInfra,{variant},false,true,"
    'user-1,stop,stop,2000,500,false,key name,"app, with a comma"\n'
)


def _fixture(name: str) -> Path:
    path = FIXTURES / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout (../shared)")
    return path


def _calls(name: str, *paths: Path) -> list[dict[str, Any]]:
    with connect() as connection:
        return [row for row in mapped_rows(map_file(connection, name, *paths)) if row["is_call"]]


def _generation(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "created_at": "2026-11-07T09:00:00+00:00",
        "model": "openai/gpt-4o",
        "total_cost": 0.001,
        "native_tokens_prompt": 100,
        "native_tokens_completion": 10,
        "tokens_prompt": 90,
        "provider_responses": [],
        **changes,
    }


def test_the_delivered_trace_is_one_call_with_its_exact_tokens_and_cost() -> None:
    answered, left = _calls("openrouter-broadcast", _fixture("broadcast_otlp_trimmed.ndjson"))
    assert answered["input_uncached_tokens"] == 1005
    assert answered["cache_read_tokens"] == 0
    assert answered["cache_write_5m_tokens"] == 47889
    assert answered["cache_write_1h_tokens"] == 0
    assert 1005 + 0 + 47889 == 48894
    assert (answered["output_text_tokens"], answered["reasoning_tokens"]) == (842 - 518, 518)
    assert answered["reported_cost"] == "0.065076250000"
    assert answered["started_at"] == "2026-09-28T14:24:02.792000Z"
    assert (answered["duration_seconds"], answered["time_to_first_token_seconds"]) == (5.486, 4.413)
    assert (answered["deployment"], answered["http_status"]) == ("amazon-bedrock/global", 200)
    assert answered["tags"] == {"device_id": "0" * 63 + "3"}
    assert answered["api_key_name"] == "fixture key"
    assert "contradiction" not in answered
    assert (left["status"], left["usage_source"]) == ("cancelled", "missing")
    assert "reported_cost" not in left


def test_the_price_book_comes_to_the_cost_that_openrouter_charged(lab: "Lab") -> None:
    result = lab.ingest(_fixture("broadcast_otlp_trimmed.ndjson"))
    assert [each.format for each in result.files] == ["openrouter-broadcast"]
    assert (result.total("attempts"), result.total("skipped"), result.total("rejected")) == (2, 2, 0)
    query = "SELECT list_cost, reported_cost FROM attempts WHERE reported_cost IS NOT NULL"
    assert lab.rows(query) == [(Decimal("0.06507625"), Decimal("0.06507625"))]


def test_the_aggregated_csv_is_a_bill(lab: "Lab") -> None:
    result = lab.ingest(_fixture("activity.csv"))
    assert [each.format for each in result.files] == ["openrouter-activity-daily"]
    assert lab.rows(
        "SELECT strftime(period_start, '%Y-%m-%d'), billed_cost, requests FROM bills WHERE measure = 'cost' ORDER BY 1"
    ) == [("2026-05-12", Decimal("430.07"), 4115), ("2026-05-13", Decimal("505.87"), 4254)]
    assert lab.rows(
        "SELECT token_kind, sum(quantity)::BIGINT, sum(requests) FROM bills WHERE measure = 'usage' "
        "GROUP BY 1 ORDER BY 1"
    ) == [("input", 70965665 + 87199493, None), ("output_text", 3009973 + 2795119, None), ("reasoning", 0, None)]
    assert lab.value("SELECT count(*) FROM bills") == 8


def test_rows_below_the_header_of_the_real_activity_export_are_read(lab: "Lab") -> None:
    header = _fixture("activity_header.csv").read_text(encoding="utf-8").strip() + "\n"
    at = "2026-06-28 03:46:57.713"
    rows = ROW.format(id="gen-1782618417-a", variant="free", at=at) + ROW.format(
        id="gen-1782618417-b", variant="standard", at=at
    )
    result = lab.ingest(lab.write("openrouter_activity_2026-06-28.csv", header + rows))
    assert [each.format for each in result.files] == ["openrouter-activity"]
    assert lab.rows(
        "SELECT price_model, tags['app'], reported_cost, epoch_ms(started_at), input_tokens, output_tokens "
        "FROM attempts ORDER BY response_id"
    ) == [
        ("openai/gpt-oss-120b:free", "app, with a comma", Decimal("0.0123"), 1782618417713, 10389, 137),
        ("openai/gpt-oss-120b", "app, with a comma", Decimal("0.0123"), 1782618417713, 10389, 137),
    ]


@pytest.mark.parametrize(
    "name", ["openrouter-activity", "openrouter-generation", "openrouter-broadcast", "openrouter-activity-daily"]
)
def test_each_export_is_claimed_by_its_own_format_only(name: str) -> None:
    samples = {path.parent.name: path for path in FORMATS.glob("openrouter_*/sample.*")}
    with connect() as connection:
        claimed = [folder for folder, path in samples.items() if claims(connection, name, path)]
    assert claimed == [name.replace("-", "_")]


def test_otlp_of_other_services_is_not_claimed() -> None:
    with connect() as connection:
        assert not claims(connection, "openrouter-broadcast", FORMATS / "otlp" / "sample.jsonl")


def test_test_deliveries_and_spans_of_other_services_are_no_calls(tmp_path: Path) -> None:
    lines = (FORMATS / "openrouter_broadcast" / "sample.jsonl").read_text(encoding="utf-8").splitlines()
    other = lines[1].replace('{"stringValue": "openrouter"}', '{"stringValue": "shop"}')
    path = tmp_path / "mixed.jsonl"
    path.write_text("\n".join(['{"resourceSpans": []}', other, lines[7]]) + "\n", encoding="utf-8")
    with connect() as connection:
        rows = mapped_rows(map_file(connection, "openrouter-broadcast", path))
    assert [row["is_call"] for row in rows] == [False, False, True]


def test_a_generation_in_three_exports_is_one_attempt_and_the_one_that_tells_most_stays(lab: "Lab") -> None:
    delivery = json.loads((FORMATS / "openrouter_broadcast" / "sample.jsonl").read_text().splitlines()[7])
    name = "gen-1794046020-CCCCdemo0007"
    header = (FORMATS / "openrouter_activity" / "sample.csv").read_text().splitlines()[0] + "\n"
    files = [
        lab.write("broadcast.jsonl", [delivery]),
        lab.write("activity.csv", header + ROW.format(id=name, variant="standard", at="2026-11-07 10:07:00.000")),
        lab.write("generations.jsonl", [{"data": _generation(name, created_at="2026-11-07T10:07:00+00:00")}]),
    ]
    for file in files:
        lab.ingest(file)
    assert lab.rows("SELECT format, cache_write_30m_tokens FROM attempts") == [("openrouter-broadcast", 2000)]


def test_failed_providers_are_attempts_of_the_request(lab: "Lab") -> None:
    answers = [
        {"provider_name": "Anthropic", "model_permaslug": "a/m", "status": 529, "latency": 300},
        {"provider_name": "Anthropic", "model_permaslug": "a/m", "status": 500, "latency": 200},
        {"provider_name": "Google", "model_permaslug": "a/m", "status": 200, "latency": 900},
    ]
    lab.ingest(lab.write("one.json", json.dumps({"data": _generation("gen-1", provider_responses=answers)})))
    assert lab.rows(
        "SELECT attempt_number, status, http_status, is_retry, is_fallback, deployment, input_tokens, "
        "epoch_ms(started_at) - 1794042000000 FROM attempts ORDER BY 1"
    ) == [
        (1, "error", 529, False, False, "Anthropic", None, 0),
        (2, "error", 500, True, False, "Anthropic", None, 300),
        (3, "ok", 200, False, True, "Google", 100, 0),
    ]
    assert lab.value("SELECT count(DISTINCT request_id) FROM attempts") == 1


def test_odd_values_of_a_generation_do_not_stop_the_file(lab: "Lab") -> None:
    odd = [
        _generation("gen-1", provider_responses="none", native_tokens_prompt="many", total_cost="free"),
        _generation("gen-2", provider_responses=[{"status": None}], is_byok="perhaps", cancelled="yes"),
        _generation("gen-3", provider_responses=[17], created_at=17),
    ]
    result = lab.ingest(lab.write("odd.jsonl", odd))
    assert (result.total("attempts"), result.total("rejected")) == (2, 1)
    assert lab.rows("SELECT response_id, status, input_tokens FROM attempts ORDER BY 1") == [
        ("gen-1", "ok", None),
        ("gen-2", "cancelled", 100),
    ]


@pytest.mark.parametrize("latency", [1e300, -1e18, 9e15, "nan", "1e999", 10**30])
def test_a_latency_that_no_call_has_is_unknown(lab: "Lab", latency: Any) -> None:
    answers = [
        {"provider_name": "Anthropic", "model_permaslug": "a/m", "status": 529, "latency": latency},
        {"provider_name": "Google", "model_permaslug": "a/m", "status": 500, "latency": 200},
        {"provider_name": "Google", "model_permaslug": "a/m", "status": 200, "latency": 900},
    ]
    record = _generation("gen-1", provider_responses=answers, generation_time=latency, latency=latency)
    lab.ingest(lab.write("one.jsonl", [record]), chosen="openrouter-generation")
    assert lab.rejects() == []
    assert lab.rows(
        "SELECT attempt_number, epoch(started_at) - 1794042000, duration_seconds FROM attempts ORDER BY 1"
    ) == [(1, 0.0, None), (2, 0.0, 0.2), (3, 0.0, None)]


def test_own_provider_keys_cost_the_fee_and_the_provider(lab: "Lab") -> None:
    own = _generation("gen-1", is_byok=True, total_cost=0.0005, upstream_inference_cost=0.01, provider_name="Azure")
    lab.ingest(lab.write("own.jsonl", [own]))
    assert lab.rows("SELECT provider_name, reported_cost, tags['byok_fee'] FROM attempts") == [
        ("azure.ai.openai", Decimal("0.0105"), "0.000500000000")
    ]


def test_an_answer_of_the_response_cache_costs_nothing(lab: "Lab") -> None:
    lab.ingest(lab.write("hit.jsonl", [_generation("gen-2", response_cache_source_id="gen-1", total_cost=0)]))
    assert lab.rows("SELECT gateway_cache, list_cost, avoided_cost > 0 FROM attempts") == [("hit", Decimal(0), True)]


def test_claude_by_its_permaslug_has_a_price_with_the_user_s_own_key(lab: "Lab") -> None:
    tried = {"provider_name": "Anthropic", "status": 200, "is_byok": True}
    slugs = ["anthropic/claude-4.6-sonnet-20260217", "anthropic/claude-4.5-haiku-20251001"]
    records = [
        _generation(
            f"gen-{number}",
            model=slug,
            provider_name="Anthropic",
            is_byok=True,
            provider_responses=[tried | {"model_permaslug": slug}],
        )
        for number, slug in enumerate(slugs)
    ]
    lab.ingest(lab.write("generations.jsonl", records))
    assert lab.rows("SELECT provider_name, list_cost > 0 FROM attempts") == [("anthropic", True)] * 2
