"""Langfuse's shapes against real traces, with totals worked out by hand, and what its usage map leaves open."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from run_format import SHARED, sample_rows

if TYPE_CHECKING:
    from lab import Lab, Record

TRACES = SHARED / "fixtures" / "langfuse"
needs_traces = pytest.mark.skipif(not TRACES.is_dir(), reason="the real traces lie beside the checkout, in ../shared")

# Calls, observations that are none, input, output without reasoning, reasoning (None: not told of).
TRUTH: dict[str, tuple[int, int, int, int | None, int | None]] = {
    "agno-2025-06-11": (2, 4, 826, 245, None),  # two generations are wrappers of two others
    "autogen-2025-06-06": (1, 1, 41, 3, None),
    "beeai-2025-08-01": (5, 24, 5542, None, None),  # three with input alone, two without usage
    "claude-agent-2025-12-22": (4, 3, 34, 232, None),
    "crewai-2025-07-11": (1, 5, 190, 164, 0),
    "csharp-agent-with-gemini-2026-03-09": (3, 5, 8047, 414, None),
    "google-adk-2025-08-28": (2, 3, 67, 9, None),
    "google-gemini-2025-08-01": (1, 0, 6, 951, 1104),  # 2055 of output hold 1104 of reasoning
    "koog-2025-08-26": (2, 9, 215, 125, None),
    "langgraph-js-2025-10-30": (2, 18, 321, 59, 64),  # 179 + 35 + 64 are the total of 278
    "langgraph-python-2025-08-22": (2, 7, 168, 66, 0),
    "llamaindex-2025-06-05": (1, 1, 13, 81, 0),
    "microsoft-agent-2025-12-17": (2, 2, 293, 106, None),  # the agent's own 44 and 180 are no call
    "openai-agents-2025-09-30": (2, 3, 140, 44, 0),
    "pydantic-ai-2025-06-06": (1, 2, 31, 96, None),
    "pydantic-ai-tools-2025-06-06": (1, 2, 31, 96, None),  # the same trace once more
    "pydantic-ai-tools-2025-12-04": (4, 8, 1315, 209, None),
    "pydantic-ai-with-gemini-2025-12-24": (1, 0, 40, 159, None),
    "vercel-aisdk-2025-11-17": (1, 2, 62, 85, None),  # ai.generateText wraps ai.generateText.doGenerate
    "vertex-ai-2025-08-01": (1, 0, 5, 845, 1173),  # the total of 2023 is 1173 more than 5 + 845
}

SUMS = """
    SELECT count(*), sum(input_uncached_tokens), sum(output_text_tokens), sum(reasoning_tokens) FROM attempts
"""


def observation(name: str, **changes: Any) -> "Record":
    """Return a generation as the blob storage export writes it."""
    return {
        "id": name,
        "trace_id": "trace",
        "type": "GENERATION",
        "parent_observation_id": None,
        "start_time": "2026-11-03 09:00:00.000000",
        "end_time": "2026-11-03 09:00:02.000000",
        "updated_at": "2026-11-03 09:00:05.000000",
        "provided_model_name": "gpt-4o-mini",
        "usage_details": {"input": 100, "output": 10, "total": 110},
        "level": "DEFAULT",
        **changes,
    }


def trace_row(name: str = "trace") -> "Record":
    """Return a trace as the blob storage export writes it."""
    return {
        "id": name,
        "timestamp": "2026-11-03 09:00:00.000000",
        "name": "support",
        "user_id": "user-1",
        "session_id": "session-1",
        "bookmarked": False,
        "public": False,
        "tags": ["feature:support"],
        "release": "r1",
    }


def usage(lab: "Lab", details: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return what one usage map comes to: the kinds of tokens that are not zero, and the contradiction."""
    lab.ingest(lab.write("one.jsonl", [observation("one", usage_details=details, **changes)]))
    (row,) = lab.attempts()
    kinds = {
        key.removesuffix("_tokens"): value
        for key, value in row.items()
        if key.endswith("_tokens") and value and key not in ("input_tokens", "output_tokens")
    }
    return {**kinds, "contradiction": row["contradiction"]}


@needs_traces
@pytest.mark.parametrize("name", TRUTH)
def test_a_real_trace_comes_to_its_truth(name: str, lab: "Lab") -> None:
    calls, others, *tokens = TRUTH[name]
    result = lab.ingest(TRACES / f"{name}.trace.json")
    assert [each.format for each in result.files] == ["langfuse"]
    assert (result.total("attempts"), result.total("skipped"), result.total("rejected")) == (calls, others, 0)
    assert lab.rows(SUMS) == [(calls, *tokens)]


@needs_traces
def test_all_real_traces_together_count_the_repeated_one_once(lab: "Lab") -> None:
    paths = sorted(TRACES.glob("*.trace.json"))
    assert len(paths) == len(TRUTH) == 20
    result = lab.ingest(*paths)
    assert (result.total("attempts"), result.total("duplicates")) == (sum(each[0] for each in TRUTH.values()) - 1, 1)
    assert lab.rows(SUMS) == [(38, 17356, 3893, 2341)]


@needs_traces
def test_the_vertex_trace_is_told_as_a_contradiction_and_nothing_else(lab: "Lab") -> None:
    lab.ingest(*sorted(TRACES.glob("*.trace.json")))
    found = lab.rows("SELECT contradiction, provider_name, region, price_model FROM attempts WHERE contradiction <> ''")
    text = "total (2023) exceeds the sum of its parts (850): the gap of 1173 is read as reasoning"
    assert found == [(text, "gcp.vertex_ai", "europe-central2", "gemini-2.5-flash")]


@needs_traces
def test_durations_do_not_hang_on_the_unit_of_latency(lab: "Lab") -> None:
    """One real trace gives the latency of its observations in milliseconds, the others in seconds."""
    lab.ingest(TRACES / "pydantic-ai-tools-2025-12-04.trace.json")
    assert lab.rows("SELECT duration_seconds FROM attempts ORDER BY 1") == [(1.283,), (1.707,), (2.05,), (2.362,)]


@needs_traces
def test_no_text_of_a_real_trace_reaches_the_store(lab: "Lab") -> None:
    lab.ingest(*sorted(TRACES.glob("*.trace.json")))
    text = json.dumps(lab.attempts(), default=str)
    assert not [each for each in ("What is Langfuse", "Hello World", "helpful agent", "Tokyo") if each in text]


DETAILS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"input": 400, "input_cached_tokens": 1600, "output": 80, "output_reasoning_tokens": 20, "total": 2100},
     {"input_uncached": 400, "cache_read": 1600, "output_text": 80, "reasoning": 20, "contradiction": None}),
    ({"input": 400, "input_cache_read": 1600, "output": 80},
     {"input_uncached": 400, "cache_read": 1600, "output_text": 80, "contradiction": None}),
    ({"input": 2000, "input_cached_tokens": 1600, "output": 100, "output_reasoning_tokens": 20, "total": 2100},
     {"input_uncached": 400, "cache_read": 1600, "output_text": 80, "reasoning": 20, "contradiction": None}),
    ({"input": 2000, "prompt_details.cache_read": 1600, "output": 100, "completion_details.reasoning": 20},
     {"input_uncached": 400, "cache_read": 1600, "output_text": 80, "reasoning": 20, "contradiction": None}),
    ({"input": 400, "input_cache_read": 1600, "output": 100, "output_reasoning": 20, "total": 2100},
     {"input_uncached": 400, "cache_read": 1600, "output_text": 80, "reasoning": 20, "contradiction": None}),
    ({"input": 2000, "input_cache_read": 1600, "output": 80, "output_reasoning": 20, "total": 2100},
     {"input_uncached": 400, "cache_read": 1600, "output_text": 80, "reasoning": 20, "contradiction": None}),
    ({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
     {"input_uncached": 7, "output_text": 3, "contradiction": None}),
    ({"promptTokens": 7, "completionTokens": 3, "totalTokens": 10},
     {"input_uncached": 7, "output_text": 3, "contradiction": None}),
    ({"input": 7, "total": 10}, {"input_uncached": 7, "output_text": 3, "contradiction": None}),
]  # fmt: skip


@pytest.mark.parametrize(("details", "expected"), DETAILS, ids=range(len(DETAILS)))
def test_the_total_tells_parts_beside_each_other_from_subsets(
    details: dict[str, Any], expected: dict[str, Any], lab: "Lab"
) -> None:
    assert usage(lab, details) == expected


@pytest.mark.parametrize(
    ("details", "lifetimes"),
    [
        ({"input_cache_creation": 500}, (500, None)),
        ({"input_cache_write": 500}, (500, None)),
        ({"input_cache_creation_5m": 200, "input_cache_creation_1h": 300}, (200, 300)),
        ({"input_cache_creation": 500, "input_cache_creation_5m": 200, "input_cache_creation_1h": 300}, (200, 300)),
        ({"input_cache_creation": 600, "input_cache_creation_1h": 300}, (300, 300)),
        ({"input_cache_creation": 50, "input_cache_creation_1h": 300, "total": 365}, (50, 300)),
        ({"cache_creation_input_tokens": 500}, (500, None)),
    ],
)
def test_cache_writes_go_to_their_lifetimes_once(
    details: dict[str, int], lifetimes: tuple[int, int | None], lab: "Lab"
) -> None:
    found = usage(lab, {"input": 10, "output": 5, **details}, provided_model_name="claude-haiku-4-5")
    assert (found.get("cache_write_5m"), found.get("cache_write_1h")) == lifetimes
    assert (found["input_uncached"], found["output_text"], found["contradiction"]) == (10, 5, None)


def test_openai_s_cache_writes_last_thirty_minutes(lab: "Lab") -> None:
    assert usage(lab, {"input": 10, "input_cache_write": 90, "output": 5})["cache_write_30m"] == 90


@pytest.mark.parametrize(
    ("details", "contradiction"),
    [
        ({"input": 5, "output": 845, "total": 2023}, "total (2023) exceeds the sum of its parts (850)"),
        ({"input": 100, "output": 50, "input_cache_read": 30, "total": 140}, "total (140) is less than the sum"),
        ({"input": 5, "prompt_details.cache_read": 90, "output": 1}, "its details (90) exceeds input (5)"),
        ({"total": 75}, "usage has a total of 75 alone: read as input"),
    ],
)
def test_what_the_rules_do_not_explain_is_told(details: dict[str, int], contradiction: str, lab: "Lab") -> None:
    assert contradiction in usage(lab, details)["contradiction"]


def test_usage_that_is_not_counted_in_tokens_is_left_out(lab: "Lab") -> None:
    old = {"input": 120, "output": 48, "total": 168, "unit": "CHARACTERS"}
    lab.ingest(lab.write("old.jsonl", [observation("one", usage_details={}, usage=old, promptTokens=120)]))
    assert lab.rows("SELECT usage_source, input_tokens, contradiction FROM attempts") == [
        ("missing", None, "usage is counted in characters, not in tokens: left out")
    ]


def test_the_newest_copy_of_an_observation_is_kept_in_any_order(lab: "Lab") -> None:
    early = observation("one", usage_details={}, end_time=None, updated_at="2026-11-03 09:00:00.100000")
    late = observation("one", updated_at="2026-11-03 09:00:09.000000")
    table = {
        "id": "one",
        "type": "GENERATION",
        "traceId": "trace",
        "parentObservationId": None,
        "startTime": "2026-11-03T09:00:00.000Z",
        "updatedAt": "2026-11-03T09:00:07.000Z",
        "model": "gpt-4o-mini",
        "usageDetails": {"input": 1, "output": 1, "total": 2},
        "userId": "user-1",
    }
    copies = [lab.write(f"{number}.jsonl", [each]) for number, each in enumerate((early, late, table))]
    # Of two orders, one the other's reverse, every two copies come in both.
    for number, order in enumerate((copies, copies[::-1])):
        for path in order:
            lab.ingest(path, store=f"one-by-one-{number}")
        lab.ingest(*order, store=f"at-once-{number}")
        for store in (f"one-by-one-{number}", f"at-once-{number}"):
            assert lab.rows("SELECT input_tokens, output_tokens FROM attempts", store) == [(100, 10)]


def test_trace_rows_of_the_same_batch_tell_user_session_and_tags(lab: "Lab") -> None:
    calls = lab.write("observations/2026.jsonl", [observation("one"), observation("two", trace_id="other")])
    traces = lab.write("traces/2026.jsonl", [trace_row()])
    result = lab.ingest(traces, calls, settings=_plain())
    assert (result.total("attempts"), result.total("skipped")) == (2, 1)
    assert lab.rows("SELECT user_id, session_id, tags['feature'], tags['release'] FROM attempts ORDER BY trace_id") == [
        (None, None, None, None),
        ("user-1", "session-1", "support", "r1"),
    ]


def test_of_nested_generations_the_innermost_with_usage_is_the_call(lab: "Lab") -> None:
    rows = [
        observation("outer"),
        observation("span", type="SPAN", parent_observation_id="outer"),
        observation("inner", parent_observation_id="span"),
        observation("failed", parent_observation_id="span", level="ERROR", usage_details={}),
        observation("embedding", type="EMBEDDING", parent_observation_id="span"),
        observation("alone", trace_id="other"),
        observation("echo", trace_id="other", parent_observation_id="alone", usage_details={}),
        observation("lost", trace_id="third", parent_observation_id="not in the file"),
        observation("self", trace_id="third", parent_observation_id="self"),
        observation("same id elsewhere", trace_id="fourth", parent_observation_id="outer"),
    ]
    for order in (rows, rows[::-1]):
        lab.ingest(lab.write("nested.jsonl", order), store=order[0]["id"])
        kept = {row[0] for row in lab.rows("SELECT request_id FROM attempts", order[0]["id"])}
        assert kept == {"inner", "failed", "embedding", "alone", "lost", "self", "same id elsewhere"}


def test_prompts_in_the_metadata_are_no_tags(lab: "Lab") -> None:
    metadata = {
        "attributes": '{"input.value": "secret words"}',
        "attributes.input.value": "secret words",
        "list": '["secret words"]',
        "feature": "refunds",
    }
    lab.ingest(lab.write("one.jsonl", [observation("one", metadata=metadata)]))
    assert lab.rows("SELECT tags FROM attempts") == [({"feature": "refunds"},)]


def test_the_parquet_of_the_blob_storage_gives_what_the_json_lines_give(lab: "Lab", tmp_path: Path) -> None:
    counts = pa.map_(pa.string(), pa.uint64())
    row = observation("one")
    table = pa.table(
        {
            **{key: [value] for key, value in row.items() if isinstance(value, str)},
            "parent_observation_id": pa.array([None], pa.string()),
            "usage_details": pa.array([list(row["usage_details"].items())], counts),
            "metadata": pa.array([[("feature", "refunds")]], pa.map_(pa.string(), pa.string())),
            "tags": pa.array([["feature:support"]], pa.list_(pa.string())),
        }
    )
    pq.write_table(table, tmp_path / "blob.parquet")
    lab.ingest(tmp_path / "blob.parquet", store="parquet")
    more = {"metadata": {"feature": "refunds"}, "tags": ["feature:support"]}
    lab.ingest(lab.write("blob.jsonl", [{**row, **more}]), store="lines")
    without = ("load_id", "source_file")
    assert lab.attempts("parquet", without) == lab.attempts("lines", without)
    assert lab.rows("SELECT input_tokens FROM attempts", "parquet") == [(100,)]


def test_every_sample_row_with_a_reason_is_the_broken_one() -> None:
    assert [row["dedupe_key"] for row in sample_rows("langfuse") if "reject_reason" in row] == ["obs-18"]


def _plain() -> Any:
    from infercost.config import Config

    return Config(hash_ids=False)


def test_a_tree_that_was_exported_many_times_comes_to_the_same(lab: "Lab") -> None:
    chain = [observation(str(depth), parent_observation_id=str(depth - 1) if depth else None) for depth in range(12)]
    lab.ingest(lab.write("chain.jsonl", chain * 20))
    assert lab.rows("SELECT request_id FROM attempts") == [("11",)]


def test_a_count_beyond_belief_rejects_its_own_record_alone(lab: "Lab") -> None:
    lab.ingest(
        lab.write("two.jsonl", [observation("one", usage_details={"input": 9e18, "output": 9e18}), observation("two")])
    )
    assert lab.rejects() == [(1, "a token count is out of range")]
    assert lab.rows("SELECT request_id FROM attempts") == [("two",)]
