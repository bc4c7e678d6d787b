"""Of nested calls the one that was billed counts, whichever ingest brings which part of the trace."""

import itertools
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest
from lab import payload, payloads

from infercost.config import Config
from infercost.ingest import trial
from infercost.ingest.registry import formats

if TYPE_CHECKING:
    from lab import Lab, Record

PLACE = ("load_id", "source_file", "source_line")
USED = (100, 10)
Tree = Callable[..., "Record"]


def at(day: int) -> str:
    return f"2026-11-{3 + day:02}T09:00:00.000000Z"


def observation(
    name: str,
    above: str | None = None,
    usage: tuple[int, int] | None = USED,
    *,
    is_call: bool = True,
    is_failed: bool = False,
    day: int = 0,
) -> "Record":
    return {
        "id": name,
        "traceId": "trace",
        "type": "GENERATION" if is_call else "SPAN",
        "parentObservationId": above,
        "startTime": at(day),
        "endTime": at(day),
        "level": "ERROR" if is_failed else "DEFAULT",
        "model": "gpt-4o-mini",
        "usageDetails": {"input": usage[0], "output": usage[1]} if usage and is_call else {},
    }


def run(
    name: str,
    above: str | None = None,
    usage: tuple[int, int] | None = USED,
    *,
    is_call: bool = True,
    is_failed: bool = False,
    day: int = 0,
) -> "Record":
    prompt, completion = usage or (0, 0)
    return {
        "id": name,
        "run_type": "llm" if is_call else "chain",
        "trace_id": "trace",
        "parent_run_id": above,
        "start_time": at(day),
        "end_time": at(day),
        "status": "error" if is_failed else "success",
        "extra": {"metadata": {"ls_model_name": "gpt-4o-mini", "ls_provider": "openai"}},
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def call(
    name: str,
    above: str | None = None,
    usage: tuple[int, int] | None = USED,
    *,
    is_call: bool = True,
    is_failed: bool = False,
    day: int = 0,
) -> "Record":
    used = {"gpt-4o-mini": {"requests": 1, "prompt_tokens": usage[0], "completion_tokens": usage[1]}} if usage else {}
    return {
        "id": name,
        "project_id": "acme/shop",
        "op_name": f"weave:///acme/shop/op/{'openai.chat.completions.create' if is_call else 'step'}:v1",
        "trace_id": "trace",
        "parent_id": above,
        "started_at": at(day),
        "ended_at": at(day),
        "exception": "boom" if is_failed else None,
        "summary": {"usage": used if is_call else {}},
    }


TREES = {"langfuse": observation, "langsmith": run, "weave": call}
every_tree = pytest.mark.parametrize("tree", TREES.values(), ids=TREES)


def ingest(lab: "Lab", *parts: "Sequence[Record]", store: str = "store") -> None:
    """Read each part in an ingest of its own."""
    for part in parts:
        number = len(list(lab.folder.iterdir()))
        lab.ingest(lab.write(f"{number}.jsonl", part), store=store)


def counted(lab: "Lab", store: str = "store") -> list[tuple[str, int | None]]:
    return lab.rows("SELECT request_id, input_tokens FROM attempts ORDER BY ALL", store)


ROUND = [(0, 1, 2), (1, 2, 0), (2, 0, 1)]
"""Orders that put each of three parts into each place; the other three are read by `just test-slow`."""
ORDERS = [
    pytest.param(order, marks=() if order in ROUND else pytest.mark.slow, id="".join(map(str, order)))
    for order in itertools.permutations(range(3))
]


@every_tree
@pytest.mark.parametrize("order", ORDERS)
def test_of_a_wrapper_and_its_call_the_call_counts_in_whatever_order_they_come(
    lab: "Lab", tree: Tree, order: tuple[int, ...]
) -> None:
    """The span between them comes by itself too, and the wrapper once more at the end."""
    parts = [[tree("outer")], [tree("span", "outer", is_call=False)], [tree("inner", "span")]]
    ingest(lab, *(parts[number] for number in order), parts[0])
    assert counted(lab) == [("inner", 100)]
    assert lab.rows("SELECT request_id FROM set_aside") == [("outer",)]
    assert lab.value("SELECT count(*) FROM links") == 3


@every_tree
def test_a_wrapper_that_was_read_with_its_call_does_not_count_when_it_comes_alone(lab: "Lab", tree: Tree) -> None:
    ingest(lab, [tree("outer"), tree("inner", "outer")], [tree("outer")])
    assert counted(lab) == [("inner", 100)]
    assert lab.rows("SELECT attempts, duplicates, skipped FROM loads ORDER BY loaded_at") == [(1, 0, 1), (0, 1, 0)]


@every_tree
def test_calls_of_other_traces_and_other_days_stay_as_they_are(lab: "Lab", tree: Tree) -> None:
    other = tree("other") | {"trace_id": "b", "traceId": "b"}
    late = [tree("late"), tree("later", day=20)]
    ingest(lab, [tree("outer"), other, *late], [tree("inner", "outer"), tree("below", "other")])
    assert [name for name, _ in counted(lab)] == ["below", "inner", "late", "later", "other"]


@pytest.mark.parametrize("tree", [observation, run], ids=["langfuse", "langsmith"])
def test_a_view_without_usage_counts_again_when_its_wrapper_turns_out_to_hold_another_call(
    lab: "Lab", tree: Tree
) -> None:
    records = [tree("outer"), tree("view", "outer", None), tree("failed", "outer", None, is_failed=True)]
    ingest(lab, records)
    assert counted(lab) == [("failed", None), ("outer", 100)]
    ingest(lab, [tree("inner", "outer")])
    assert counted(lab) == [("failed", None), ("inner", 100), ("view", None)]
    ingest(lab, [*records, tree("inner", "outer")], store="at-once")
    assert lab.attempts("store", PLACE) == lab.attempts("at-once", PLACE)


def test_a_wrapper_without_usage_counts_when_a_newer_copy_has_it_all(lab: "Lab") -> None:
    ingest(lab, [run("inner", "outer", None), run("outer", None, None)])
    assert counted(lab) == [("inner", None)]
    ingest(lab, [run("outer")])
    assert counted(lab) == [("outer", 100)]


def test_usage_of_each_model_counts_where_it_lies_deepest(lab: "Lab") -> None:
    both = {name: {"prompt_tokens": 100, "completion_tokens": 1} for name in ("gpt-4o-mini", "other")}
    root = call("root") | {"summary": {"usage": both}}
    ingest(lab, [root], [call("inner", "root")])
    assert lab.rows("SELECT request_id, response_model FROM attempts ORDER BY ALL") == [
        ("inner", "gpt-4o-mini"),
        ("root", "other"),
    ]


def test_of_runs_in_a_circle_none_is_lost(lab: "Lab") -> None:
    ingest(lab, [run("one", "two")], [run("two", "one")])
    assert counted(lab) == [("one", 100), ("two", 100)]


def test_parts_of_a_trace_on_days_apart_find_each_other(lab: "Lab") -> None:
    ingest(lab, [observation("outer")], [observation("span", "outer", is_call=False, day=2)])
    ingest(lab, [observation("inner", "span", day=4)])
    assert counted(lab) == [("inner", 100)]


def test_a_wrapper_takes_no_other_format_s_record_out(lab: "Lab") -> None:
    """The gateway's record of the call that both tell of stays, and the inner call is left out for it."""
    answer = {"metadata": {"attributes": {"gen_ai.response.id": "chatcmpl-0123456789abcdef"}}}
    gateway = payload(1, id="chatcmpl-0123456789abcdef", startTime=1793696400, endTime=1793696401)
    ingest(lab, [gateway], [observation("outer") | answer, observation("inner", "outer") | answer])
    assert lab.rows("SELECT format FROM attempts") == [("litellm",)]
    assert lab.rows("SELECT request_id FROM set_aside") == [("outer",)]


def test_what_is_set_aside_is_attributed_anew_with_the_rest(lab: "Lab") -> None:
    rules = lab.write("infercost.toml", '[[attribution.rules]]\nset = { feature = "support" }\n')
    ingest(lab, [observation("outer"), observation("view", "outer", None)])
    assert lab.call("reattribute", "--config", str(rules)).code == 0
    assert lab.rows("SELECT request_id, feature FROM set_aside") == [("view", "support")]


def test_formats_that_do_not_nest_keep_no_trees(lab: "Lab") -> None:
    lab.ingest(lab.write("calls.jsonl", payloads(3)))
    assert set(lab.store().snapshot().parts) & {"links", "set_aside"} == set()


def test_a_store_of_the_version_before_has_no_trees_and_grows_them(lab: "Lab") -> None:
    ingest(lab, payloads(2))
    marker = lab.store().folder / "store.json"
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"schema_version": 2}))
    assert lab.rows("SELECT count(*) FROM links UNION ALL SELECT count(*) FROM set_aside") == [(0,), (0,)]
    ingest(lab, [observation("outer")], [observation("inner", "outer")])
    assert lab.rows("SELECT request_id FROM attempts WHERE format = 'langfuse'") == [("inner",)]
    assert lab.rows("SELECT request_id FROM set_aside") == [("outer",)]


@every_tree
def test_a_check_of_the_format_shows_wrappers_as_no_calls(lab: "Lab", tree: Tree) -> None:
    path = lab.write("one.jsonl", [tree("outer"), tree("span", "outer", is_call=False), tree("inner", "span")])
    (form,) = (formats()[name] for name, each in TREES.items() if each is tree)
    found = trial.run(form, [], [path], Config())
    assert (found.records, found.calls, found.other_records, found.rejected) == (3, 1, 2, 0)
    assert sum(found.tokens.values()) == sum(USED)
    assert not {each.column for each in found.filled} & {"node_id", "parent_ids", "call_kind"}
