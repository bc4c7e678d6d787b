"""One billed call counts once, also when two formats tell of it; and the user is told."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from lab import START, message, payload

if TYPE_CHECKING:
    from lab import Lab


def span(response_id: str, *, start: float = START, usage: bool = True) -> dict[str, Any]:
    """Return an OTLP line with one span of a model call."""
    values: dict[str, Any] = {
        "gen_ai.operation.name": {"stringValue": "chat"},
        "gen_ai.provider.name": {"stringValue": "openai"},
        "gen_ai.request.model": {"stringValue": "gpt-4o-mini"},
        "gen_ai.response.id": {"stringValue": response_id},
    }
    if usage:
        values |= {
            "gen_ai.usage.input_tokens": {"intValue": "7"},
            "gen_ai.usage.output_tokens": {"intValue": "3"},
        }
    begin = int(start * 1e9)
    return {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "scope": {"name": "test"},
                        "spans": [
                            {
                                "traceId": "5b8efff798038103d269b633813fc60c",
                                "spanId": f"{abs(hash(response_id)) % 16**16:016x}",
                                "name": "chat gpt-4o-mini",
                                "startTimeUnixNano": str(begin),
                                "endTimeUnixNano": str(begin + 10**9),
                                "attributes": [{"key": key, "value": value} for key, value in values.items()],
                            }
                        ],
                    }
                ]
            }
        ]
    }


@pytest.mark.parametrize("order", [("gateway", "spans"), ("spans", "gateway")])
def test_call_of_two_formats_counts_once_in_either_order(lab: "Lab", order: tuple[str, str]) -> None:
    gateway = lab.write("gateway.jsonl", [payload(1), payload(2)])
    ids = [payload(number)["id"] for number in (1, 2)]
    spans = lab.write("spans.jsonl", [span(ids[0]), span("chatcmpl-elsewhere")])
    files = {"gateway": gateway, "spans": spans}
    first = lab.ingest(files[order[0]])
    second = lab.ingest(files[order[1]])
    assert not first.overlaps
    assert [(each.kept, each.left_out, each.count) for each in second.overlaps] == [("litellm", "otlp", 1)]
    assert lab.rows("SELECT response_id, format FROM attempts ORDER BY ALL") == sorted(
        [(ids[0], "litellm"), (ids[1], "litellm"), ("chatcmpl-elsewhere", "otlp")]
    )
    left_out = 1 if order[1] == "spans" else 0
    assert second.total("overlapping") == left_out
    assert second.total("duplicates") == 0
    assert lab.value("SELECT sum(overlapping) FROM loads") == left_out


def test_the_user_is_told(lab: "Lab") -> None:
    lab.ingest(lab.write("gateway.jsonl", [payload(1)]))
    outcome = lab.read(lab.write("spans.jsonl", [span(payload(1)["id"])]))
    assert outcome.code == 0
    assert outcome.warnings == ["warning: 1 calls are told by litellm and by otlp: counted once, from litellm"]
    assert outcome.counts["overlapping_calls"] == [{"kept": "litellm", "left_out": "otlp", "count": 1}]


def test_record_with_tokens_is_kept_whoever_wrote_it(lab: "Lab") -> None:
    identity = payload(1)["id"]
    lab.ingest(lab.write("spans.jsonl", [span(identity)]))
    bare = payload(1)
    bare |= {"prompt_tokens": None, "completion_tokens": None, "metadata": {}, "response": {}}
    result = lab.ingest(lab.write("gateway.jsonl", [bare]))
    assert [(each.kept, each.left_out) for each in result.overlaps] == [("otlp", "litellm")]
    assert lab.rows("SELECT format, input_tokens FROM attempts") == [("otlp", 7)]


def test_same_id_weeks_apart_is_another_call(lab: "Lab") -> None:
    identity = payload(1)["id"]
    lab.ingest(lab.write("gateway.jsonl", [payload(1)]))
    result = lab.ingest(lab.write("spans.jsonl", [span(identity, start=START + 30 * 86400)]))
    assert not result.overlaps
    assert lab.value("SELECT count(*) FROM attempts") == 2


def test_answer_out_of_the_gateways_cache_is_no_second_telling(lab: "Lab") -> None:
    identity = payload(1)["id"]
    lab.ingest(lab.write("spans.jsonl", [span(identity)]))
    hit = json.loads(json.dumps(payload(1))) | {"cache_hit": True, "response_cost": 0.0}
    result = lab.ingest(lab.write("gateway.jsonl", [hit]))
    assert not result.overlaps
    assert lab.value("SELECT count(*) FROM attempts") == 2


def test_claude_code_telemetry_and_transcript_are_joined_by_the_id_of_the_request(lab: "Lab") -> None:
    event = {
        "event.name": "api_request",
        "request_id": "req_a",
        "model": "claude-sonnet-4-6",
        "input_tokens": "1000",
        "output_tokens": "9",
        "duration_ms": "800",
    }
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in event.items()]
    log = {"observedTimeUnixNano": "1793696410000000000", "body": {"stringValue": "claude_code.api_request"}}
    line = {"resourceLogs": [{"scopeLogs": [{"logRecords": [log | {"attributes": attributes}]}]}]}
    lab.ingest(lab.write("transcript.jsonl", [message("a", 10, 9)]))
    result = lab.ingest(lab.write("events.jsonl", [line]))
    assert [(each.kept, each.left_out, each.count) for each in result.overlaps] == [("claude-code", "otlp", 1)]
    assert lab.rows("SELECT format, input_tokens FROM attempts") == [("claude-code", 1000)]
