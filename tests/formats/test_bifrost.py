"""Bifrost: the same rows from the API, from PostgreSQL and from SQLite; hops, retries and the gateway's cache."""

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from run_format import map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from pathlib import Path

    from lab import Lab

Row = dict[str, Any]


def log(key: str, **changes: Any) -> Row:
    """Return a row as the API gives it."""
    return {
        "id": key,
        "parent_request_id": None,
        "timestamp": "2026-11-20T09:00:00.5Z",
        "object": "chat.completion",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "number_of_retries": 0,
        "fallback_index": 0,
        "virtual_key_name": "search-prod",
        "latency": 1250.5,
        "token_usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
        "cost": 0.00021,
        "status": "success",
        "stream": False,
        "metadata": {"feature": "suggest"},
        **changes,
    }


def _as_text(row: Row) -> Row:
    """Return the row as the database has it: structures are JSON in text."""
    stored = {**row, "object_type": row["object"], "stream": int(row["stream"])}
    del stored["object"]
    return {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in stored.items()}


def _map(path: "Path") -> list[Row]:
    with connect() as connection:
        return mapped_rows(map_file(connection, "bifrost", path))


def test_all_exports_of_one_row_are_one_row(lab: "Lab") -> None:
    details = {"cached_read_tokens": 500, "cached_write_tokens": 300}
    counts = {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": details}
    rows = [log("b-1"), log("b-2", provider="anthropic", model="claude-sonnet-4-5", token_usage=counts)]
    stored = [_as_text(row) for row in rows]
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(stored[0]))
    writer.writeheader()
    writer.writerows(stored)
    api = lab.write("api.jsonl", rows)
    assert _map(lab.write("sqlite.jsonl", stored)) == _map(api)
    assert _map(lab.write("postgres.csv", table.getvalue())) == _map(api)


def test_retries_and_fallbacks_count_on_through_the_hops(lab: "Lab") -> None:
    rows = [
        log("b-1", number_of_retries=2, status="error", token_usage=None, cost=None),
        log("b-2", parent_request_id="b-1", fallback_index=1, number_of_retries=1, provider="azure"),
        log("b-3", parent_request_id="b-9", fallback_index=1),
    ]
    found = _map(lab.write("rows.jsonl", [*rows, rows[0]]))
    assert [row.get("attempt_number") for row in found] == [3, 5, None, 3]
    assert [row["unlogged_attempts"] for row in found] == [2, 1, 0, 2]
    assert [row["is_fallback"] for row in found] == [False, True, True, False]
    assert [row["request_id"] for row in found] == ["b-1", "b-1", "b-9", "b-1"]


def test_the_trail_tells_retries_too(lab: "Lab") -> None:
    trail = [{"attempt": 0, "fail_reason": "rate_limit_error"}, {"attempt": 1}]
    (call,) = _map(lab.write("rows.jsonl", [log("b-1", attempt_trail=trail)]))
    assert (call["unlogged_attempts"], call["attempt_number"], call["is_retry"]) == (1, 2, True)


@pytest.mark.parametrize(
    ("lookup", "expected"),
    [
        ({"cache_hit": True, "hit_type": "direct"}, "exact"),
        ({"cache_hit": True, "hit_type": "semantic"}, "semantic"),
        ({"cache_hit": True}, "hit"),
        ({"cache_hit": False}, "miss"),
        (None, None),
    ],
)
def test_outcome_of_the_gateway_cache(lab: "Lab", lookup: Row | None, expected: str | None) -> None:
    (call,) = _map(lab.write("rows.jsonl", [log("b-1", cache_debug=lookup)]))
    assert call.get("gateway_cache") == expected


@pytest.mark.parametrize(
    ("provider", "details", "writes"),
    [
        ("anthropic", {"cached_write_tokens": 300}, (300, None, 0)),
        ("openai", {"cached_write_tokens": 300}, (0, 300, 0)),
        (
            "anthropic",
            {"cached_write_token_details": {"cached_write_tokens_5m": 100, "cached_write_tokens_1h": 200}},
            (100, None, 200),
        ),
        (
            "anthropic",
            {"cached_write_tokens": 300, "cached_write_token_details": {"cached_write_tokens_1h": 200}},
            (100, None, 200),
        ),
    ],
)
def test_lifetime_of_cache_writes(lab: "Lab", provider: str, details: Row, writes: tuple[int | None, ...]) -> None:
    counts = {"prompt_tokens": 1000, "completion_tokens": 1, "prompt_tokens_details": details}
    (call,) = _map(lab.write("rows.jsonl", [log("b-1", provider=provider, token_usage=counts)]))
    names = ("cache_write_5m_tokens", "cache_write_30m_tokens", "cache_write_1h_tokens")
    assert tuple(call.get(name) for name in names) == writes
    assert call["input_uncached_tokens"] == 700


def test_zeros_of_the_table_without_usage_are_unknown(lab: "Lab") -> None:
    row = log("b-1", token_usage=None, prompt_tokens=0, completion_tokens=0, status="error")
    (call,) = _map(lab.write("rows.jsonl", [row]))
    assert call["usage_source"] == "missing"
    assert "input_uncached_tokens" not in call


def test_an_unfinished_row_is_skipped_and_counted_when_it_ends(lab: "Lab") -> None:
    lab.write("before.jsonl", [_as_text(log("b-1", status="processing", token_usage=None, cost=None))])
    lab.write("after.jsonl", [_as_text(log("b-1"))])
    for name, attempts in (("before.jsonl", 0), ("after.jsonl", 1)):
        with connect() as connection:
            rows = mapped_rows(map_file(connection, "bifrost", lab.folder / name))
        assert sum(row["is_call"] for row in rows) == attempts
