"""LangSmith runs: the Parquet of the bulk export, roll-ups, and what the details of the tokens mean."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from run_format import declaration, expected_rows, sample_rows

if TYPE_CHECKING:
    from lab import Lab, Record


def run(name: str, **changes: Any) -> "Record":
    """Return an llm run as the API gives it."""
    return {
        "id": name,
        "run_type": "llm",
        "start_time": "2026-11-03T09:00:00.000000",
        "end_time": "2026-11-03T09:00:02.000000",
        "status": "success",
        "session_id": "the-project",
        "trace_id": "trace",
        "extra": {"metadata": {"ls_model_name": "gpt-4o-mini", "ls_provider": "openai"}},
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "total_tokens": 110,
        **changes,
    }


def bulk_export(records: "list[Record]", path: Path) -> Path:
    """Write runs as the bulk export does: times as timestamps, objects as JSON texts, lists as lists."""

    def texts(key: str) -> pa.Array:
        values = [record.get(key) for record in records]
        return pa.array([json.dumps(each) if isinstance(each, (dict, list)) else each for each in values], pa.string())

    columns: dict[str, pa.Array] = {}
    for key in dict.fromkeys(key for record in records for key in record):
        values = [record.get(key) for record in records]
        if key.endswith("_time"):
            columns[key] = texts(key).cast(pa.timestamp("us"))
        elif key in ("tags", "parent_run_ids"):
            columns[key] = pa.array(values, pa.list_(pa.string()))
        elif key.endswith("_tokens"):
            columns[key] = pa.array(values, pa.int64())
        elif key == "is_root":
            columns[key] = pa.array(values, pa.bool_())
        elif key.endswith("_cost"):
            columns[key] = pa.array([None if each is None else float(each) for each in values], pa.float64())
        else:
            columns[key] = texts(key)
    pq.write_table(pa.table(columns), path)
    return path


def sample() -> "list[Record]":
    text = declaration("langsmith").sample.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_the_parquet_of_a_bulk_export_gives_the_same_rows(tmp_path: Path) -> None:
    path = bulk_export(sample(), tmp_path / "bulk.parquet")
    assert sample_rows("langsmith", path) == expected_rows("langsmith")


def test_ingest_reads_the_parquet_too(lab: "Lab", tmp_path: Path) -> None:
    lab.ingest(declaration("langsmith").sample, store="lines")
    result = lab.ingest(bulk_export(sample(), tmp_path / "bulk.parquet"), store="parquet")
    assert [(each.format, each.problem) for each in result.files] == [("langsmith", None)]
    # Each store has a salt of its own for users.
    without = ("load_id", "source_file", "source_line", "user_id")
    assert lab.attempts("parquet", without) == lab.attempts("lines", without)


def test_totals_of_the_sample(lab: "Lab") -> None:
    """Worked out by hand: the chain's 18,500 and 700 are the sum of what lies below it, and no call."""
    lab.ingest(declaration("langsmith").sample)
    sums = """
        SELECT count(*), sum(input_uncached_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens),
            sum(cache_write_1h_tokens), sum(output_text_tokens), sum(reasoning_tokens), sum(reported_cost)::VARCHAR
        FROM attempts
    """
    # Runs 2, 3, 6, 8, 9, 12 and 14 in this order; 7 and 10 have no usage.
    uncached = 400 + 12 + 400 + 17 + 50 + 110 + 100
    output = 180 + 500 + 200 + 7 + 20 + 12 + 40
    assert lab.rows(sums) == [
        (9, uncached, 1600 + 12000 + 500 + 10 + 4000, 1000, 3000, output, 20 + 100 + 2 + 10, "0.041206000000")
    ]


@pytest.mark.parametrize(
    "above",
    [{"parent_run_id": "{0}"}, {"parent_run_ids": ["{1}", "{0}"]}, {"dotted_order": "20261103T0Z{0}.20261103T1Z{2}"}],
)
def test_an_llm_run_around_another_one_is_a_wrapper(above: dict[str, Any], lab: "Lab") -> None:
    ids = [f"0192b7c1-0000-7000-8000-00000000000{number}" for number in range(3)]
    link = json.loads(json.dumps(above).replace("{0}", ids[0]).replace("{1}", ids[1]).replace("{2}", ids[2]))
    rows = [run(ids[2], **link), run(ids[0]), run(ids[1], run_type="chain")]
    for order in (rows, rows[::-1]):
        lab.ingest(lab.write("runs.jsonl", order), store=order[0]["id"])
        assert lab.rows("SELECT request_id FROM attempts", order[0]["id"]) == [(ids[2],)]


def test_a_failed_run_below_one_with_usage_hides_nothing(lab: "Lab") -> None:
    failed = run("inner", parent_run_id="outer", prompt_tokens=0, completion_tokens=0, total_tokens=0, status="error")
    lab.ingest(lab.write("runs.jsonl", [run("outer"), failed]))
    assert lab.rows("SELECT request_id, status, input_tokens FROM attempts ORDER BY ALL") == [
        ("inner", "error", None),
        ("outer", "ok", 100),
    ]


def test_the_session_of_a_run_is_its_project(lab: "Lab") -> None:
    lab.ingest(lab.write("runs.jsonl", [run("one")]))
    assert lab.rows("SELECT session_id, tags['project'] FROM attempts") == [(None, "the-project")]


@pytest.mark.parametrize(
    ("details", "kinds"),
    [
        ({"cache_read": 60, "cache_creation": 30}, (10, 60, 30, None)),
        ({"cache_creation": 30, "ephemeral_1h_input_tokens": 20}, (70, None, 10, 20)),
        ({"cache_creation": 0, "ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 20}, (75, None, 5, 20)),
        ({"cache_read": 0}, (100, 0, None, None)),
        ({}, (100, None, None, None)),
        (None, (100, None, None, None)),
        ("nonsense", (100, None, None, None)),
        ({"cache_read": "many"}, (100, None, None, None)),
    ],
)
def test_prompt_tokens_hold_what_the_details_split(details: Any, kinds: tuple[int | None, ...], lab: "Lab") -> None:
    meta = {"metadata": {"ls_model_name": "claude-haiku-4-5", "ls_provider": "anthropic"}}
    lab.ingest(lab.write("runs.jsonl", [run("one", extra=meta, prompt_token_details=details)]))
    found = lab.rows(
        "SELECT input_uncached_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens FROM attempts"
    )
    assert found == [kinds]


def test_a_run_that_is_exported_again_is_counted_once_in_any_order(lab: "Lab") -> None:
    early = run("one", end_time=None, status="pending", prompt_tokens=0, completion_tokens=0, total_tokens=0)
    paths = [lab.write("early.jsonl", [early]), lab.write("late.jsonl", [run("one")])]
    for store, order in (("forth", paths), ("back", paths[::-1])):
        for path in order:
            lab.ingest(path, store=store)
        assert lab.rows("SELECT status, input_tokens FROM attempts", store) == [("ok", 100)]
