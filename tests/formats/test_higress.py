"""Higress: the documented ai_log values, alone (unusable) and in the access log's default line, and cut ones."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from run_format import SHARED, map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

FIXTURES = SHARED / "fixtures" / "higress"
TRUTH = [(10, 69, 0), (10, 69, 0), (100, 50, 80), (343, 153, 0)]
"""Input, output and cached tokens of the documented values that have counts."""

LINE = {
    "duration": "2010",
    "path": "/v1/chat/completions",
    "request_id": "f29aa1b0",
    "response_code": "200",
    "response_flags": "-",
    "route_name": "ai-route-qwen.internal",
    "start_time": "2026-06-02T09:15:01.344Z",
    "trace_id": "-",
    "upstream_cluster": "outbound|443||llm-qwen.internal.dns",
}


def _documented() -> list[str]:
    if not FIXTURES.exists():
        pytest.skip("the documented lines are not beside this checkout (../shared)")
    text = (FIXTURES / "ai_log_examples.jsonl").read_text(encoding="utf-8")
    return [json.loads(line)["ai_log"] for line in text.splitlines()]


def _map(lab: "Lab", *records: dict[str, Any]) -> list[dict[str, Any]]:
    with connect() as connection:
        return mapped_rows(map_file(connection, "higress", lab.write("access.jsonl", records)))


def _row(lab: "Lab", ai_log: Any, **changes: Any) -> dict[str, Any]:
    (row,) = _map(lab, {**LINE, **changes, "ai_log": ai_log})
    return row


def test_documented_values_without_their_line_are_rejected(lab: "Lab") -> None:
    assert len(_documented()) == 5
    result = lab.ingest(FIXTURES / "ai_log_examples.jsonl")
    assert [each.format for each in result.files] == ["higress"]
    assert (result.total("attempts"), result.total("rejected")) == (0, 5)
    assert [line for line, reason in lab.rejects() if "start_time is missing" in reason] == [1, 2, 3, 4, 5]


def test_documented_values_in_the_default_line_give_their_counts(lab: "Lab") -> None:
    """The default access log format, with its placeholders for what the log does not know."""
    values = _documented()
    form = (FIXTURES / "default_accessLogFormat.txt").read_text(encoding="utf-8")
    keys = list(json.loads(form[form.index("'") + 1 : form.rindex("'")]))
    assert set(LINE) < set(keys)
    blank = dict.fromkeys(keys, "-")
    records = [{**blank, **LINE, "request_id": str(number), "ai_log": each} for number, each in enumerate(values)]
    result = lab.ingest(lab.write("access.jsonl", records))
    assert (result.total("attempts"), result.total("rejected"), result.total("no_usage")) == (5, 0, 1)
    found = lab.rows(
        "SELECT input_tokens, output_tokens, coalesce(cache_read_tokens, 0) FROM attempts "
        "WHERE usage_source = 'reported' ORDER BY request_id"
    )
    assert found == TRUTH
    assert lab.value("SELECT sum(reasoning_tokens) FROM attempts") == 25


def test_every_way_to_wrap_the_value_is_the_same_call(lab: "Lab") -> None:
    value = {"model": "qwen-max", "input_token": "343", "output_token": "153"}
    text = json.dumps(value)
    rows = [_row(lab, each) for each in (text, json.dumps(text), value)]
    assert rows[0] == rows[1] == rows[2]
    assert (rows[0]["input_uncached_tokens"], rows[0]["output_text_tokens"]) == (343, 153)


def test_counts_of_a_cut_value_are_saved_at_every_place_of_the_cut(lab: "Lab") -> None:
    text = '{"input_token":"343","output_token":"153","model":"qwen-max","question":"say \\"input_token\\":\\"9\\"'
    sure = text.index('"153"') + len('"153"')
    for end in range(sure, len(text)):
        row = _row(lab, text[:end])
        assert (row["input_uncached_tokens"], row["output_text_tokens"]) == (343, 153)
    for end in range(1, text.index('"343"') + len('"343')):
        assert "no whole JSON" in _row(lab, text[:end])["reject_reason"]


def test_a_number_cut_in_two_is_not_taken(lab: "Lab") -> None:
    row = _row(lab, '{"input_token":"343","output_token":"15')
    assert row["input_uncached_tokens"] == 343
    assert "output_text_tokens" not in row


def test_texts_are_no_tags(lab: "Lab") -> None:
    value = {"model": "m", "input_token": 1, "question": "Tea?", "user_said": "two words", "note": "茶はありますか"}
    assert _row(lab, json.dumps({**value, "feature": "search"}))["tags"] == {
        "route": "ai-route-qwen.internal",
        "feature": "search",
    }


def test_other_traffic_is_skipped_and_a_failed_call_is_not(lab: "Lab") -> None:
    assert not _row(lab, "-", path="/static/app.js", response_code="500")["is_call"]
    assert not _row(lab, "-")["is_call"]
    failed = _row(lab, "-", response_code="503", response_flags="UH")
    assert (failed["is_call"], failed["status"], failed["error_type"]) == (True, "error", "UH")


def test_claude_leaves_the_cache_out_and_others_do_not(lab: "Lab") -> None:
    counts = {"input_token": "1000", "output_token": "5", "cached_tokens": "400"}
    assert _row(lab, json.dumps({"model": "claude-haiku-4-5", **counts}))["input_uncached_tokens"] == 1000
    assert _row(lab, json.dumps({"model": "qwen-max", **counts}))["input_uncached_tokens"] == 600


def test_zeros_of_a_failure_are_unknown(lab: "Lab") -> None:
    zeros = json.dumps({"model": "gpt-4o", "input_token": "0", "output_token": "0"})
    row = _row(lab, zeros, response_code="429")
    assert (row["usage_source"], row["status"]) == ("missing", "error")
    assert "input_uncached_tokens" not in row
    assert _row(lab, zeros)["input_uncached_tokens"] == 0
