"""Answers of Gemini: thoughts and prompts of tools outside the counts, kinds of input, and Vertex's log in BigQuery."""

from typing import Any

import pytest
from lab import START, Lab

from infercost.ingest.result import IngestResult

Record = dict[str, Any]
KINDS = ("input_uncached", "cache_read", "input_audio", "input_image", "output_text", "reasoning", "output_image")


def answer(number: int, **counts: Any) -> Record:
    """Return an answer in its envelope; names in `counts` are those of usageMetadata without TokenCount."""
    metadata = {
        name if name.endswith(("Details", "Type", "Tier")) else f"{name}TokenCount": counts[name] for name in counts
    }
    body = {"usageMetadata": metadata, "modelVersion": "gemini-2.5-flash", "responseId": f"answer-{number:06}"}
    return {"timestamp": START + number, "request_id": f"r-{number}", "response": body}


def kinds(**counts: int) -> list[Record]:
    return [{"modality": name.upper(), "tokenCount": count} for name, count in counts.items()]


def read(lab: Lab, *records: Record) -> IngestResult:
    result: IngestResult = lab.ingest(lab.write("log.jsonl", records))
    assert [each.problem for each in result.files] == [None]
    return result


def tokens(lab: Lab) -> list[Record]:
    select = ", ".join(f"{kind}_tokens" for kind in KINDS)
    rows = lab.rows(f"SELECT {select} FROM attempts ORDER BY started_at, attempt_id")
    return [{kind: value for kind, value in zip(KINDS, row, strict=True) if value is not None} for row in rows]


def test_thoughts_and_prompts_of_tools_are_added(lab: Lab) -> None:
    result = read(lab, answer(1, prompt=17, toolUsePrompt=119, candidates=201, thoughts=213, total=550))
    assert result.files[0].format == "gemini"
    assert tokens(lab) == [{"input_uncached": 136, "cache_read": 0, "output_text": 201, "reasoning": 213}]
    assert lab.rows("SELECT contradiction FROM attempts") == [(None,)]


def test_a_total_without_the_thoughts_proves_them_inside(lab: Lab) -> None:
    read(lab, answer(1, prompt=5, candidates=900, thoughts=600, total=905))
    assert tokens(lab) == [{"input_uncached": 5, "cache_read": 0, "output_text": 300, "reasoning": 600}]
    assert "leaves out thoughtsTokenCount" in lab.value("SELECT contradiction FROM attempts")


def test_a_total_that_fits_nothing_is_told(lab: Lab) -> None:
    read(lab, answer(1, prompt=5, candidates=845, total=2023))
    assert "is not the sum" in lab.value("SELECT contradiction FROM attempts")


def test_kinds_of_input_are_disjoint_from_the_cached_part(lab: Lab) -> None:
    prompt = {"promptTokensDetails": kinds(text=83, video=2893, audio=321)}
    cached = {"cacheTokensDetails": kinds(text=73, video=2561, audio=284)}
    read(
        lab,
        answer(1, prompt=3297, candidates=55, total=3352, **prompt),
        answer(2, prompt=3297, cachedContent=2918, candidates=55, total=3352, **prompt, **cached),
        answer(3, prompt=3297, cachedContent=2918, candidates=55, total=3352, **prompt),
        answer(4, prompt=300, candidates=1295, total=1595, promptTokensDetails=kinds(image=200, document=100))
        | {"user": "u"},
    )
    found = [{name: row.get(name) for name in KINDS[:4]} for row in tokens(lab)]
    assert found == [
        {"input_uncached": 2976, "cache_read": 0, "input_audio": 321, "input_image": 0},
        {"input_uncached": 342, "cache_read": 2918, "input_audio": 37, "input_image": 0},
        {"input_uncached": 379, "cache_read": 2918, "input_audio": None, "input_image": 0},
        {"input_uncached": 0, "cache_read": 0, "input_audio": 0, "input_image": 300},
    ]


def test_the_last_piece_of_a_stream_wins_in_any_order(lab: Lab) -> None:
    pieces = [answer(1, prompt=40, candidates=count, total=40 + count) for count in (2, 30, 11)]
    read(lab, *pieces)
    assert tokens(lab) == [{"input_uncached": 40, "cache_read": 0, "output_text": 30, "reasoning": 0}]


@pytest.mark.parametrize(
    ("written", "tier", "provider"),
    [
        ({"trafficType": "ON_DEMAND"}, None, "gcp.vertex_ai"),
        ({"trafficType": "ON_DEMAND_FLEX"}, "flex", "gcp.vertex_ai"),
        ({"trafficType": "PROVISIONED_THROUGHPUT"}, "provisioned_throughput", "gcp.vertex_ai"),
        ({"serviceTier": "standard"}, None, "gcp.gemini"),
        ({"serviceTier": "priority"}, "priority", "gcp.gemini"),
    ],
)
def test_tiers(lab: Lab, written: Record, tier: str | None, provider: str) -> None:
    read(lab, answer(1, prompt=5, candidates=5, total=10, **written))
    assert lab.rows("SELECT service_tier, provider_name FROM attempts") == [(tier, provider)]


def test_log_in_bigquery_keeps_the_id_and_starts_before_it_was_written(lab: Lab) -> None:
    row = {
        "endpoint": "projects/1/locations/europe-west4/publishers/google/models/gemini-2.5-pro",
        "logging_time": "2026-11-23 10:00:02.000000 UTC",
        "request_id": 1234567890123456789,
        "full_request": {"labels": {"team": "web"}, "contents": [{"parts": [{"text": "Secret question."}]}]},
        "full_response": {
            "model_version": "gemini-2.5-pro",
            "usage_metadata": {
                "prompt_token_count": 3,
                "candidates_token_count": 29,
                "thoughts_token_count": 901,
                "total_token_count": 933,
            },
        },
        "metadata": {"request_latency": 1500},
    }
    assert read(lab, row).files[0].format == "vertex-bigquery"
    found = lab.rows(
        "SELECT request_id, region, tags['team'], epoch_ms(started_at) % 10000, duration_seconds, input_tokens, "
        "output_tokens FROM attempts"
    )
    assert found == [("1234567890123456789", "europe-west4", "web", 500, 1.5, 3, 930)]


def test_claude_in_the_log_of_vertex_excludes_its_cache(lab: Lab) -> None:
    used = {
        "input_tokens": 7,
        "cache_read_input_tokens": 2000,
        "cache_creation_input_tokens": 1500,
        "output_tokens": 60,
    }
    row = {
        "logging_time": "2026-11-23T10:00:02Z",
        "request_id": "1",
        "full_request": {},
        "full_response": {"id": "msg_vrtx_01", "type": "message", "model": "claude-sonnet-4-5", "usage": used},
    }
    assert read(lab, row).files[0].format == "vertex-bigquery"
    found = lab.rows("SELECT response_id, input_tokens, cache_write_5m_tokens, output_tokens FROM attempts")
    assert found == [("msg_vrtx_01", 3507, 1500, 60)]
