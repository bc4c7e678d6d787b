"""Holds Bedrock's formats against real invocation logs in all their wrappings, and against real Converse answers."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from run_format import SHARED, claims, map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

REAL = SHARED / "fixtures" / "bedrock"
USAGES = SHARED / "fixtures" / "genai_prices_usages" / "usages.json"
PROFILE = "us.anthropic.claude-sonnet-4-20250514-v1:0"


def _shared(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout (../shared)")
    return path


def _mapped(*paths: Path, name: str = "bedrock") -> list[dict[str, Any]]:
    with connect() as connection:
        return mapped_rows(map_file(connection, name, *paths))


@pytest.mark.parametrize(
    ("name", "calls", "counted", "uncached", "output"),
    [
        ("cloudwatch_array_of_message.json", 5, 2, 438, 221),
        ("cloudwatch_events_envelope.json", 4, 4, 876, 436),
        ("cloudwatch_insights_get_query_results.json", 6, 6, 1314, 629),
        ("derived_model_invocation_logs.jsonl", 16, 13, 2632, 1324),
        ("elastic_tail.jsonl", 3, 3, 82, 54),
    ],
)
def test_real_records_in_every_wrapping(name: str, calls: int, counted: int, uncached: int, output: int) -> None:
    rows = _mapped(_shared(REAL / name))
    assert [row["is_call"] for row in rows] == [True] * calls
    assert not [row["reject_reason"] for row in rows if "reject_reason" in row]
    known = [row for row in rows if row["usage_source"] == "reported"]
    assert len(known) == counted
    assert sum(row["input_uncached_tokens"] for row in known) == uncached
    assert sum(row["output_text_tokens"] for row in known) == output


def test_all_wrappings_together_are_each_call_once(lab: "Lab") -> None:
    """The JSONL holds the calls of the three CloudWatch files once more, and one of its own."""
    files = [_shared(path) for path in sorted(_shared(REAL).glob("*.json*"))]
    assert len(files) == 5
    result = lab.ingest(*files)
    assert {each.format for each in result.files} == {"bedrock"}
    assert lab.value("SELECT count(*) FROM attempts") == 16 + 3
    assert lab.value("SELECT sum(input_tokens)::BIGINT FROM attempts") == 2632 + 82
    assert lab.value("SELECT count(*) FROM attempts WHERE usage_source = 'missing'") == 3


def test_blocked_calls_have_no_tokens_and_say_why() -> None:
    rows = _mapped(_shared(REAL / "cloudwatch_array_of_message.json"))
    blocked = [row for row in rows if row["tags"].get("guardrail") == "intervened"]
    assert [row["usage_source"] for row in blocked] == ["missing"] * 3
    assert not [row for row in blocked if "input_uncached_tokens" in row]


def test_price_name_keeps_the_geography_of_the_profile() -> None:
    rows = _mapped(_shared(REAL / "cloudwatch_events_envelope.json"))
    assert {row["price_model"] for row in rows} == {PROFILE}
    assert {row["response_model"] for row in rows} == {"claude-sonnet-4-20250514"}
    assert {row["region"] for row in rows} == {"us-east-1", "us-east-2", "us-west-2"}


def test_stream_of_events_and_its_blocked_answer() -> None:
    row = _mapped(_shared(REAL / "elastic_tail.jsonl"))[2]
    assert (row["stream"], row["tags"]["guardrail"]) == (True, "intervened")
    assert (row["input_uncached_tokens"], row["output_text_tokens"], row["usage_source"]) == (0, 0, "reported")


def test_query_without_the_message_is_rejected_by_name(tmp_path: Path) -> None:
    cells = [{"field": "requestId", "value": "1"}, {"field": "schemaType", "value": "ModelInvocationLog"}]
    path = tmp_path / "query.json"
    path.write_text(json.dumps({"results": [cells], "status": "Complete"}), encoding="utf-8")
    (row,) = _mapped(path)
    assert "@message" in row["reject_reason"]


def _converse_bodies() -> list[dict[str, Any]]:
    bodies = [each["body"] for each in json.loads(_shared(USAGES).read_text(encoding="utf-8"))]
    return [body for body in bodies if "inputTokens" in (body.get("usage") or {})]


def test_real_converse_answers_never_count_the_cache_twice(tmp_path: Path) -> None:
    bodies = _converse_bodies()
    path = tmp_path / "converse.jsonl"
    records = (
        {"timestamp": "2026-11-03T09:00:00Z", "request_id": f"r{n}", "request": {"modelId": PROFILE}, "response": body}
        for n, body in enumerate(bodies)
    )
    path.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    with connect() as connection:
        assert claims(connection, "bedrock_converse", path)
        assert not claims(connection, "bedrock", path)
    rows = _mapped(path, name="bedrock_converse")
    kinds = ("input_uncached_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    found = [sum(row[kind] for kind in (*kinds, "output_text_tokens")) for row in rows]
    assert len(bodies) > 200
    assert found == [body["usage"]["totalTokens"] for body in bodies]
    assert not [row for row in rows if "contradiction" in row]


def test_answer_and_log_record_of_one_request_are_one_call(lab: "Lab") -> None:
    answer = {
        "ResponseMetadata": {"RequestId": "q-1", "HTTPHeaders": {"date": "Tue, 03 Nov 2026 09:00:01 GMT"}},
        "usage": {"inputTokens": 10, "outputTokens": 2, "totalTokens": 12},
    }
    log = {
        "schemaType": "ModelInvocationLog",
        "timestamp": "2026-11-03T09:00:00Z",
        "requestId": "q-1",
        "operation": "Converse",
        "modelId": PROFILE,
        "input": {"inputTokenCount": 10},
        "output": {"outputTokenCount": 2},
    }
    lab.ingest(lab.write("answers.jsonl", [answer]))
    lab.ingest(lab.write("log.jsonl", [log]))
    assert lab.rows("SELECT price_model, input_tokens FROM attempts") == [(PROFILE, 10)]


@pytest.mark.parametrize("folder", ["anthropic", "claude_code", "codex", "langfuse", "litellm", "openai", "otlp"])
def test_claims_no_file_of_others(folder: str) -> None:
    files = [path for path in _shared(SHARED / "fixtures" / folder).rglob("*.json*") if path.is_file()]
    with connect() as connection:
        claimed = [
            path.name for path in files for name in ("bedrock", "bedrock_converse") if claims(connection, name, path)
        ]
    assert claimed == []
