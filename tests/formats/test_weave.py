"""Weave calls: roots carry the sum of what lies below them, and usage is keyed by the model's name."""

from typing import TYPE_CHECKING, Any

import pytest
from run_format import declaration

if TYPE_CHECKING:
    from lab import Lab, Record

TOKENS = "input_uncached_tokens, cache_read_tokens, cache_write_5m_tokens, output_text_tokens, reasoning_tokens"


def call(name: str, parent: str | None = None, usage: Any = None, **changes: Any) -> "Record":
    """Return a call of an application's own op."""
    return {
        "id": name,
        "project_id": "acme/shop",
        "op_name": f"weave:///acme/shop/op/{name}:v1",
        "trace_id": "trace",
        "parent_id": parent,
        "started_at": "2026-11-03T09:00:00Z",
        "ended_at": "2026-11-03T09:00:02Z",
        "summary": {} if usage is None else {"usage": usage},
        **changes,
    }


def used(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    return {"requests": 1, "prompt_tokens": prompt, "completion_tokens": completion, **more}


def kept(lab: "Lab", rows: "list[Record]", store: str = "store") -> list[tuple[Any, ...]]:
    """Return call, model and input of every attempt of the records."""
    lab.ingest(lab.write(f"{store}.jsonl", rows), store=store)
    return lab.rows("SELECT request_id, response_model, input_tokens FROM attempts ORDER BY ALL", store)


def test_totals_of_the_sample(lab: "Lab") -> None:
    """Worked out by hand; the agent and its plan repeat calls 2 and 4."""
    result = lab.ingest(declaration("weave").sample)
    assert (result.total("attempts"), result.total("skipped"), result.total("rejected")) == (10, 4, 2)
    sums = ", ".join(f"sum({each.strip()})" for each in TOKENS.split(","))
    uncached = 400 + 12 + 300 + 90 + 1200 + 5 + 10 + 500
    output = 180 + 500 + 30 + 9 + 0 + 845 + 5 + 40
    assert lab.rows(f"SELECT {sums}, sum(reported_cost)::VARCHAR FROM attempts") == [
        (uncached, 1600 + 8000 + 90 + 4000, 1000 + 500, output, 20 + 1173, "0.027571700000")
    ]


def test_usage_is_counted_at_the_innermost_call_that_has_it(lab: "Lab") -> None:
    rows = [
        call("root", usage={"a": used(300, 3), "b": used(50, 5)}),
        call("step", "root", {"a": used(300, 3)}),
        call("quiet", "step"),
        call("one", "quiet", {"a": used(100, 1)}),
        call("two", "step", {"a": used(200, 2)}),
    ]
    expected = [("one", "a", 100), ("root", "b", 50), ("two", "a", 200)]
    assert kept(lab, rows, "forth") == expected
    assert kept(lab, rows[::-1], "back") == expected


def test_a_call_of_another_trace_or_above_itself_is_no_child(lab: "Lab") -> None:
    usage = {"a": used(100, 1)}
    rows = [call("root", usage=usage), call("other", "root", usage, trace_id="other"), call("self", "self", usage)]
    assert [row[0] for row in kept(lab, rows)] == ["other", "root", "self"]


def test_each_model_of_a_call_is_an_attempt_of_its_own(lab: "Lab") -> None:
    assert kept(lab, [call("one", usage={"a": used(1, 1), "b": used(2, 2)})]) == [("one", "a", 1), ("one", "b", 2)]


def test_a_client_s_call_without_usage_is_a_call_once_it_has_ended(lab: "Lab") -> None:
    op = {"op_name": "weave:///acme/shop/op/openai.chat.completions.create:v1"}
    rows = [
        call("one", ended_at=None, **op),
        call("one", usage={"a": used(9, 1)}, **op),
        call("two", exception='{"type": "RateLimitError", "message": "Error code: 429"}', **op),
        call("three", **op),
        call("four", ended_at=None, **op),
    ]
    assert kept(lab, rows) == [("one", "a", 9), ("three", None, None), ("two", None, None)]
    assert lab.rows("SELECT status, error_type, http_status FROM attempts WHERE request_id = 'two'") == [
        ("error", "RateLimitError", 429)
    ]


ANTHROPIC = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 80, "cache_creation_input_tokens": 7}


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (used(100, 10), (100, None, None, 10, None)),
        (used(100, 10, prompt_tokens_details={"cached_tokens": 80}), (20, 80, None, 10, None)),
        (used(100, 10, completion_tokens_details={"reasoning_tokens": 4}), (100, None, None, 6, 4)),
        ({"input_tokens": 100, "output_tokens": 10, "input_tokens_details": {"cached_tokens": 80}},
         (20, 80, None, 10, None)),
        (ANTHROPIC, (10, 80, 7, 5, None)),
        ({**ANTHROPIC, "total_tokens": 102}, (10, 80, 7, 5, None)),
        ({**ANTHROPIC, "input_tokens": 97, "total_tokens": 102}, (10, 80, 7, 5, None)),
        ({**ANTHROPIC, "prompt_tokens": 97}, (10, 80, 7, 5, None)),
    ],
)  # fmt: skip
def test_usage_means_what_its_provider_means(usage: dict[str, Any], tokens: tuple[int | None, ...], lab: "Lab") -> None:
    lab.ingest(lab.write("one.jsonl", [call("one", usage={"claude-haiku-4-5": usage})]))
    assert lab.rows(f"SELECT {TOKENS} FROM attempts") == [tokens]
    assert lab.rows("SELECT contradiction FROM attempts") == [(None,)]


@pytest.mark.parametrize("summary", [None, [], "text", {"usage": None}, {"usage": []}, {"usage": {"a": 7}}])
def test_a_summary_of_another_shape_is_no_usage(summary: Any, lab: "Lab") -> None:
    rows = [call("odd", summary=summary), call("good", usage={"a": used(1, 1)})]
    assert kept(lab, rows) == [("good", "a", 1)]


def test_a_tree_that_was_exported_many_times_comes_to_the_same(lab: "Lab") -> None:
    usage = {"a": used(100, 1)}
    chain = [call(str(depth), str(depth - 1) if depth else None, usage) for depth in range(12)]
    assert kept(lab, chain * 20) == [("11", "a", 100)]
