"""Holds the formats of Anthropic's answers against real bodies, and against the traps of iterations and batches."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from run_format import FORMATS, SHARED, claims, map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

USAGES = SHARED / "fixtures" / "genai_prices_usages" / "usages.json"
TIME = "2026-11-03T09:00:00Z"
MAY_2026 = 1778000000

KINDS = (
    "input_uncached_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_text_tokens",
    "reasoning_tokens",
)


def _rows(tmp_path: Path, records: list[dict[str, Any]], name: str = "anthropic_messages") -> list[dict[str, Any]]:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    with connect() as connection:
        assert claims(connection, name, path)
        return mapped_rows(map_file(connection, name, path))


def _tokens(rows: list[dict[str, Any]]) -> int:
    return sum(row.get(kind, 0) for row in rows for kind in KINDS)


def _all(usage: dict[str, Any]) -> int:
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return sum(usage.get(name) or 0 for name in names)


def _real_bodies() -> list[dict[str, Any]]:
    """Bodies of Anthropic alone: other providers count cached tokens into input_tokens of the same name."""
    if not USAGES.exists():
        pytest.skip("fixtures/genai_prices_usages is not beside this checkout (../shared)")
    bodies = [each["body"] for each in json.loads(USAGES.read_text(encoding="utf-8"))]
    return [body for body in bodies if "cache_creation_input_tokens" in (body.get("usage") or {})]


@pytest.mark.parametrize("place", ["response", "body", "response.body", "text"])
def test_real_bodies_in_every_envelope(tmp_path: Path, place: str) -> None:
    bodies = _real_bodies()
    wrapped: list[Any] = [{"status_code": 200, "body": body} for body in bodies] if place == "response.body" else bodies
    wrapped = [json.dumps({"type": "message", **body}) for body in bodies] if place == "text" else wrapped
    key = "body" if place in {"body", "text"} else "response"
    records = [{"timestamp": TIME, "request_id": f"req_{n}", key: body} for n, body in enumerate(wrapped)]
    rows = _rows(tmp_path, records)
    usages = [body["usage"] for body in bodies]
    extra = [
        part
        for usage in usages
        for part in usage.get("iterations") or []
        if part["type"] in {"compaction", "advisor_message"}
    ]
    assert len(bodies) > 200
    assert len(extra) == 5
    assert _tokens(rows) == sum(map(_all, usages)) + sum(map(_all, extra))
    assert not [row for row in rows if "contradiction" in row or "reject_reason" in row]
    searches = sum((usage.get("server_tool_use") or {}).get("web_search_requests", 0) for usage in usages)
    assert sum(row.get("web_search_requests", 0) for row in rows) == searches > 0


def test_models_of_iterations_are_priced_as_themselves(tmp_path: Path) -> None:
    records = [{"timestamp": TIME, "request_id": f"req_{n}", "response": each} for n, each in enumerate(_real_bodies())]
    advisors = [row for row in _rows(tmp_path, records) if row["operation_name"] == "advisor"]
    assert sorted(row["price_model"] for row in advisors) == ["claude-fable-5", "claude-opus-4-8", "claude-opus-4-8"]


def test_bare_body_needs_a_time_beside_it(tmp_path: Path) -> None:
    body = {"id": "msg_1", "type": "message", "model": "claude-haiku-4-5", "usage": {"input_tokens": 1}}
    without, beside = _rows(tmp_path, [body, {**body, "id": "msg_2", "created_at": TIME}])
    assert "no time" in without["reject_reason"]
    assert beside["started_at"] == "2026-11-03T09:00:00.000000Z"


@pytest.mark.parametrize(
    "written",
    ["2026-11-03T10:00:00+01:00", "2026-11-03 09:00:00", 1793696400, 1793696400000, "1793696400.0", 1793696400000000],
)
def test_spellings_of_the_time(tmp_path: Path, written: object) -> None:
    body = {"id": "msg_1", "type": "message", "model": "claude-haiku-4-5", "usage": {"input_tokens": 1}}
    (row,) = _rows(tmp_path, [{"ts": written, "response": body}])
    assert row["started_at"] == "2026-11-03T09:00:00.000000Z"


def _split(identity: str) -> dict[str, Any]:
    iterations = [
        {"type": "message", "input_tokens": 10, "output_tokens": 5},
        {"type": "compaction", "input_tokens": 1000, "output_tokens": 50},
        {"type": "message", "input_tokens": 20, "output_tokens": 6},
    ]
    usage = {"input_tokens": 30, "output_tokens": 11, "cache_read_input_tokens": 0, "iterations": iterations}
    return {"id": identity, "type": "message", "model": "claude-sonnet-4-6", "usage": usage}


@pytest.mark.parametrize("backwards", [False, True])
def test_copy_without_iterations_adds_nothing(lab: "Lab", backwards: bool) -> None:
    whole = _split("msg_1")
    bare = {**whole, "usage": {name: count for name, count in whole["usage"].items() if name != "iterations"}}
    records = [{"timestamp": TIME, "response": each} for each in (whole, bare)]
    lab.ingest(lab.write("log.jsonl", records[::-1] if backwards else records))
    select = "SELECT count(*), sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT FROM attempts"
    assert lab.rows(select) == [(3, 1030, 61)]


def test_batch_results_without_time_take_that_of_the_file(lab: "Lab") -> None:
    result = {"type": "succeeded", "message": _split("msg_1")}
    path = lab.write("results.jsonl", [{"custom_id": "a", "result": result}])
    os.utime(path, (MAY_2026, MAY_2026))
    assert lab.ingest(path).files[0].format == "anthropic-batch"
    found = lab.rows("SELECT DISTINCT epoch_ms(started_at), service_tier FROM attempts")
    assert found == [(MAY_2026 * 1000, "batch")]


def test_batch_and_gateway_log_tell_of_the_same_answer_once(lab: "Lab") -> None:
    message = {"id": "msg_1", "type": "message", "model": "claude-haiku-4-5", "usage": {"input_tokens": 9}}
    batch = {"custom_id": "a", "ended_at": TIME, "result": {"type": "succeeded", "message": message}}
    lab.ingest(lab.write("results.jsonl", [batch]))
    lab.ingest(lab.write("log.jsonl", [{"timestamp": TIME, "response": message}]))
    assert lab.value("SELECT sum(input_tokens)::BIGINT FROM attempts") == 9


def test_one_map_serves_both_formats() -> None:
    assert not (FORMATS / "anthropic_batch" / "map.sql").exists()


@pytest.mark.parametrize("folder", ["anthropic", "bedrock", "claude_code", "codex", "litellm", "openai", "otlp"])
def test_claims_no_file_of_others(folder: str) -> None:
    """Files of truth are none of others: they hold what the provider answered, in an envelope."""
    found = [path for path in (SHARED / "fixtures" / folder).rglob("*.json*") if path.is_file()]
    files = [path for path in found if "truth" not in path.name]
    if not files:
        pytest.skip(f"fixtures/{folder} is not beside this checkout (../shared)")
    with connect() as connection:
        claimed = [
            path.name
            for path in files
            for name in ("anthropic_messages", "anthropic_batch")
            if claims(connection, name, path)
        ]
    assert claimed == []
