"""Traps of Cloudflare AI Gateway: the API's pages, metadata in two types, and Logpush's encrypted parts."""

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from run_format import FORMATS, claims

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

PERIOD = "20261107T100000Z_20261107T100500Z_a3cfe972.log"
SEALED = {"type": "encrypted", "key": "ZGVtbw", "iv": "aXY", "data": "ZGVtbw"}


def _record(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"log-{number}",
        "created_at": "2026-11-07T09:00:00Z",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "path": "chat/completions",
        "status_code": 200,
        "success": True,
        "cached": False,
        "cost": 0.5,
        "custom_cost": False,
        "duration": 1500,
        "step": 0,
        "tokens_in": 1000,
        "tokens_out": 100,
        "metadata": "{}",
        **changes,
    }


def _line(**changes: Any) -> dict[str, Any]:
    return {
        "Cached": False,
        "Endpoint": "chat/completions",
        "Gateway": "shop",
        "Metadata": SEALED,
        "Model": "gpt-4o-mini",
        "Provider": "openai",
        "RateLimited": False,
        "RequestBody": SEALED,
        "ResponseBody": SEALED,
        "StatusCode": 200,
        **changes,
    }


def test_pages_of_the_api_and_metadata_as_text_or_object(lab: "Lab") -> None:
    told = {"team": "checkout", "feature": "search", "user": "user-17"}
    pages = [
        {"result": [_record(1, metadata=json.dumps(told))], "success": True, "result_info": {"page": 1}},
        {"result": [_record(2, metadata=told)], "success": True, "result_info": {"page": 2}},
    ]
    result = lab.ingest(lab.write("pages.json", "".join(json.dumps(page, indent=2) + "\n" for page in pages)))
    assert [each.format for each in result.files] == ["cloudflare-ai-gateway"]
    rows = lab.rows("SELECT tags::JSON::VARCHAR, team_name, user_id, input_tokens, output_tokens FROM attempts")
    assert len(rows) == 2
    assert len(set(rows)) == 1
    tags, team, user, tokens_in, tokens_out = rows[0]
    assert json.loads(tags) == {"team": "checkout", "feature": "search"}
    assert (team, tokens_in, tokens_out) == ("checkout", 1000, 100)
    assert user not in (None, "user-17"), "the user's id is hashed"


def test_cache_fallback_and_costs(lab: "Lab") -> None:
    records = [
        _record(1, cached=True),
        _record(2, step=2),
        _record(3, cost=0),
        _record(4, cost=None, tokens_in=None, tokens_out=None),
    ]
    lab.ingest(lab.write("log.jsonl", records))
    query = (
        "SELECT gateway_cache, is_fallback, attempt_number, reported_cost, list_cost = 0, usage_source "
        "FROM attempts ORDER BY request_id"
    )
    assert lab.rows(query) == [
        ("exact", False, 1, Decimal(0), True, "reported"),
        ("miss", True, 3, Decimal("0.5"), False, "reported"),
        ("miss", False, 1, None, False, "reported"),
        ("miss", False, 1, None, None, "missing"),
    ]


def test_cache_tokens_are_unknown_not_zero(lab: "Lab") -> None:
    lab.ingest(lab.write("log.jsonl", [_record(1)]))
    assert lab.rows("SELECT cache_read_tokens, cache_write_5m_tokens, reasoning_tokens FROM attempts") == [
        (None, None, None)
    ]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status_code": 429, "success": False}, "error"),
        ({"status_code": 499, "success": False}, "cancelled"),
        ({"status_code": 200, "success": False}, "error"),
        ({"status_code": None, "success": False}, "error"),
        ({"status_code": None, "success": None}, "ok"),
    ],
)
def test_status(lab: "Lab", changes: dict[str, Any], status: str) -> None:
    lab.ingest(lab.write("log.jsonl", [_record(1, **changes)]))
    assert lab.value("SELECT status FROM attempts") == status


def test_an_encrypted_line_is_a_call_of_the_period_in_the_name_of_its_file(lab: "Lab") -> None:
    lines = [_line(), _line(ResponseBody=SEALED | {"iv": "b3RoZXI"})]
    result = lab.ingest(lab.write(PERIOD, lines))
    assert [(each.format, each.problem) for each in result.files] == [("cloudflare-logpush", None)]
    assert (
        lab.rows("SELECT usage_source, input_tokens, epoch(started_at)::BIGINT, tags::VARCHAR FROM attempts")
        == [("missing", None, 1794045600, "{gateway=shop}")] * 2
    )


def test_an_encrypted_line_without_any_time_is_rejected(lab: "Lab") -> None:
    result = lab.ingest(lab.write("renamed.log", [_line()]))
    assert (result.total("attempts"), result.total("rejected")) == (0, 1)


def test_an_answer_from_the_cache_is_not_the_call_that_filled_it(lab: "Lab") -> None:
    answer = {"id": "chatcmpl-1", "created": 1794045600, "usage": {"prompt_tokens": 10, "completion_tokens": 2}}
    sealed_once, sealed_twice = SEALED | {"iv": "YQ"}, SEALED | {"iv": "Yg"}
    lines = [
        _line(ResponseBody=answer, Metadata=sealed_once),
        _line(ResponseBody=answer, Metadata=sealed_twice, Cached=True),
    ]
    lab.ingest(lab.write(PERIOD, lines))
    query = "SELECT gateway_cache, response_id, input_tokens FROM attempts ORDER BY 1"
    assert lab.rows(query) == [("exact", None, 10), ("miss", "chatcmpl-1", 10)]


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 1200, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 1000}},
        {"input_tokens": 1200, "output_tokens": 9, "input_tokens_details": {"cached_tokens": 1000}},
        {"input_tokens": 200, "output_tokens": 9, "cache_read_input_tokens": 1000},
    ],
)
def test_the_usage_of_a_decrypted_answer_is_read_as_its_provider_means_it(lab: "Lab", usage: dict[str, Any]) -> None:
    lab.ingest(lab.write(PERIOD, [_line(ResponseBody={"id": "answer-1", "usage": usage})]))
    assert lab.rows("SELECT input_uncached_tokens, cache_read_tokens FROM attempts") == [(200, 1000)]


def test_the_two_exports_are_told_apart() -> None:
    with connect() as connection:
        assert not claims(connection, "cloudflare-logpush", FORMATS / "cloudflare_ai_gateway" / "sample_records.jsonl")
        assert not claims(connection, "cloudflare-ai-gateway", FORMATS / "cloudflare_logpush" / "sample.jsonl")


def test_a_zero_is_no_price_and_a_hit_is_free(lab: "Lab") -> None:
    records = [
        _record(1, cost=0, provider="workers-ai", model="@cf/meta/llama-3.1-8b-instruct"),
        _record(2, cost=0, custom_cost=True),
        _record(3, cached=True),
        _record(4, cost=0, status_code=429, success=False, tokens_in=0, tokens_out=0),
    ]
    lab.ingest(lab.write("logs.jsonl", records))
    select = "SELECT reported_cost::DOUBLE, usage_source, list_cost > 0 FROM attempts ORDER BY request_id"
    assert lab.rows(select) == [
        (None, "reported", True),
        (0.0, "reported", True),
        (0.0, "reported", False),
        (0.0, "missing", False),
    ]


def test_cache_writes_of_a_decrypted_openai_answer(lab: "Lab") -> None:
    details = {"cached_tokens": 200, "cache_write_tokens": 300}
    counts = {"prompt_tokens": 1000, "completion_tokens": 5, "prompt_tokens_details": details}
    lab.ingest(lab.write(PERIOD, [_line(ResponseBody={"id": "chatcmpl-1", "usage": counts})]))
    select = "SELECT input_uncached_tokens, cache_read_tokens, cache_write_30m_tokens FROM attempts"
    assert lab.rows(select) == [(500, 200, 300)]
