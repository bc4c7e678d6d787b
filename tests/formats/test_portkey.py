"""The traps of Portkey's exports: cents, providers' own inclusion rules, hops of fallbacks, cache hits."""

from typing import TYPE_CHECKING, Any

import pytest

from infercost.analyze import queries

if TYPE_CHECKING:
    from lab import Lab

REQUESTS = queries.views()["requests"]


def entry(number: int, **changes: Any) -> dict[str, Any]:
    """Return an entry of an export; a column that is None is left out, as users choose columns."""
    record = {
        "id": f"log-{number}",
        "trace_id": f"trace-{number}",
        "created_at": f"2026-11-18T12:00:{number:02}.000Z",
        "ai_org": "openai",
        "ai_model": "gpt-4o",
        "req_units": 1000,
        "res_units": 100,
        "cost": 1.5,
        "cost_currency": "USD",
        "response_status_code": 200,
        **changes,
    }
    return {name: value for name, value in record.items() if value is not None}


def test_cost_in_cents_becomes_dollars(lab: "Lab") -> None:
    entries = [
        entry(1),
        entry(2, cost=0.000012),
        entry(3, cost=0),
        entry(4, cost_currency="EUR"),
        entry(5, cost="1e-05"),
    ]
    lab.ingest(lab.write("portkey.jsonl", entries))
    found = lab.rows("SELECT reported_cost::DOUBLE FROM attempts ORDER BY started_at")
    assert found == [(0.015,), (0.00000012,), (None,), (None,), (0.0000001,)]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param(
            {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 600},
             "completion_tokens_details": {"reasoning_tokens": 40}},
            (400, 600, None, 60, 40), id="openai: cached and reasoning included",
        ),
        pytest.param(
            {"input_tokens": 1000, "output_tokens": 100, "cache_read_input_tokens": 600,
             "cache_creation_input_tokens": 50},
            (1000, 600, 50, 100, None), id="anthropic: cache beside the input",
        ),
        pytest.param(
            {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1750, "cache_read_input_tokens": 600,
             "cache_creation_input_tokens": 50},
            (1000, 600, 50, 100, None), id="anthropic in openai's shape: the total tells",
        ),
        pytest.param(
            {"inputTokens": 1000, "outputTokens": 100, "cacheReadInputTokens": 600, "cacheReadInputTokenCount": 600},
            (1000, 600, 0, 100, None), id="bedrock: both spellings are one number",
        ),
        pytest.param(
            {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1140,
             "completion_tokens_details": {"reasoning_tokens": 40}},
            (1000, None, None, 100, 40), id="reasoning beside the output: the total tells",
        ),
    ],
)  # fmt: skip
def test_tokens_follow_the_provider_s_own_rule(lab: "Lab", usage: dict[str, Any], expected: tuple[Any, ...]) -> None:
    lab.ingest(lab.write("portkey.jsonl", [entry(1, response={"model": "m", "usage": usage})]))
    kinds = "input_uncached_tokens, cache_read_tokens, cache_write_5m_tokens, output_text_tokens, reasoning_tokens"
    assert lab.rows(f"SELECT {kinds}, contradiction FROM attempts") == [(*expected, None)]


def test_an_export_without_responses_has_plain_tokens(lab: "Lab") -> None:
    lab.ingest(lab.write("portkey.jsonl", [entry(1)]))
    assert lab.rows(
        "SELECT input_uncached_tokens, cache_read_tokens, output_text_tokens, usage_source FROM attempts"
    ) == [(1000, None, 100, "reported")]


def test_hops_of_a_fallback_are_one_request_and_the_session_s_next_request_another(lab: "Lab") -> None:
    hop = {"trace_id": "session-1", "mode": "FALLBACK"}
    lost = {**hop, "response_status_code": 529, "req_units": 0, "res_units": 0, "cost": 0}
    entries = [entry(1, **lost, ai_model="claude-sonnet-4-5"), entry(2, **hop), entry(3, **hop), entry(3, **hop)]
    lab.ingest(lab.write("portkey.jsonl", entries))
    columns = "request_id, attempts, failed_attempts, fallbacks, status"
    assert lab.rows(f"SELECT {columns} FROM ({REQUESTS}) ORDER BY ALL") == [
        ("log-2", 2, 1, 1, "ok"),
        ("log-3", 1, 0, 0, "ok"),
    ]


def test_retries_without_entries_are_counted(lab: "Lab") -> None:
    lab.ingest(lab.write("portkey.jsonl", [entry(1, retry_success_count=2)]))
    assert lab.rows(f"SELECT attempts, failed_attempts, retries FROM ({REQUESTS})") == [(3, 2, 2)]


def test_metadata_comes_as_an_object_or_as_two_lists(lab: "Lab") -> None:
    lists = {"metadata.key": ["_user", "team"], "metadata.value": ["u-1", "growth"]}
    lab.ingest(lab.write("portkey.jsonl", [entry(1, metadata={"_user": "u-1", "team": "growth"}), entry(2, **lists)]))
    assert lab.rows("SELECT DISTINCT user_id IS NOT NULL, tags['team'], tags['_user'] FROM attempts") == [
        (True, "growth", None)
    ]


@pytest.mark.parametrize(
    ("told", "cache"), [("HIT", "exact"), ("SEMANTIC HIT", "semantic"), ("MISS", "miss"), ("DISABLED", None)]
)
def test_cache_status(lab: "Lab", told: str, cache: str | None) -> None:
    lab.ingest(lab.write("portkey.jsonl", [entry(1, cache_status=told)]))
    paid = 0.0 if cache in ("exact", "semantic") else 0.015
    assert lab.rows("SELECT gateway_cache, reported_cost::DOUBLE FROM attempts") == [(cache, paid)]


@pytest.mark.parametrize(
    ("usage", "uncached", "contradicts"),
    [
        pytest.param({"cache_read_input_tokens": 600}, 1000, False, id="translated counts without openai's details"),
        pytest.param(
            {"cache_read_input_tokens": 600, "prompt_tokens_details": {"cached_tokens": 600}}, 400, False,
            id="translated counts that add the cache to the prompt",
        ),
        pytest.param(
            {"total_tokens": 1700, "prompt_tokens_details": {"cached_tokens": 600}}, 1000, True,
            id="openai's shape whose total proves the opposite",
        ),
    ],
)  # fmt: skip
def test_anthropic_s_counts_in_openai_s_shape(
    lab: "Lab", usage: dict[str, Any], uncached: int, contradicts: bool
) -> None:
    counts = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, **usage}
    lab.ingest(lab.write("portkey.jsonl", [entry(1, response={"usage": counts})]))
    found = lab.rows("SELECT input_uncached_tokens, cache_read_tokens, contradiction IS NOT NULL FROM attempts")
    assert found == [(uncached, 600, contradicts)]


def test_a_long_text_of_the_two_lists_is_no_tag(lab: "Lab") -> None:
    lists = {"metadata.key": ["feature", "note"], "metadata.value": ["search", "please write " * 40]}
    lab.ingest(lab.write("portkey.jsonl", [entry(1, **lists)]))
    assert lab.rows("SELECT tags['feature'], tags['note'] FROM attempts") == [("search", None)]


@pytest.mark.parametrize(
    "chosen",
    [
        ("id", "created_at", "ai_model", "cost"),
        ("id", "created_at", "ai_org", "response_status_code", "metadata"),
        ("trace_id", "created_at", "ai_model", "req_units", "res_units"),
    ],
)
def test_any_selection_of_columns_is_recognised(lab: "Lab", chosen: tuple[str, ...]) -> None:
    record = {name: value for name, value in entry(1, metadata={"feature": "f"}).items() if name in chosen}
    result = lab.ingest(lab.write("portkey.jsonl", [record]))
    assert [each.format for each in result.files] == ["portkey"]
