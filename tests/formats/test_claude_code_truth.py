"""Holds the Claude Code format against generated transcripts whose true totals are known, and against real files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lab import message
from run_format import SHARED, claims, map_file, mapped_rows

from infercost.engine import connect

if TYPE_CHECKING:
    from lab import Lab

GENERATOR = SHARED / "generators" / "claude_code_logs.py"
REAL = SHARED / "fixtures" / "claude_code"
CCUSAGE = SHARED / "fixtures" / "ccusage"
MIXED_TRAPS_SEED = 11
"""With this seed six megabytes hold every trap of the generator, an unpriced model among them."""

LONG_CONTEXT_SEED = 12
"""With this seed four cells hold requests that the long-context tier prices as a whole."""

TRAPS = (
    "partial_lines",
    "synthetic_lines",
    "truncated_lines",
    "sidechain_replays",
    "longctx_responses",
    "resumed_files",
)

# What the pipeline does after a format: one attempt a key, the largest rank, the earliest start.
DEDUPED = """
    SELECT * EXCLUDE (started_at, copy), min(started_at) OVER (PARTITION BY dedupe_key) AS started_at
    FROM (
        SELECT *, row_number() OVER (PARTITION BY dedupe_key ORDER BY dedupe_rank DESC, record_number) AS copy
        FROM mapped WHERE is_call AND reject_reason IS NULL
    )
    QUALIFY copy = 1"""

DAILY = f"""
    SELECT strftime(started_at, '%Y-%m-%d'), price_model,
        sum(input_uncached_tokens)::BIGINT, sum(output_text_tokens + coalesce(reasoning_tokens, 0))::BIGINT,
        sum(cache_write_5m_tokens)::BIGINT, sum(cache_write_1h_tokens)::BIGINT, sum(cache_read_tokens)::BIGINT, count(*)
    FROM ({DEDUPED}) WHERE status = 'ok' GROUP BY ALL"""


def _shared(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout (../shared)")
    return path


def _generate(folder: Path, seed: int) -> tuple[list[Path], dict[str, Any]]:
    """Return the transcripts, cut behind their last whole line as the pipeline reads them, and the truth."""
    command = [sys.executable, str(_shared(GENERATOR)), str(folder), "--size-mib", "6", "--seed", str(seed)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    files = sorted((folder / "projects").rglob("*.jsonl"))
    for path in files:
        whole = path.read_bytes()
        path.write_bytes(whole[: whole.rfind(b"\n") + 1])
    return files, json.loads((folder / "truth.json").read_text(encoding="utf-8"))


def _cells(truth: dict[str, Any]) -> list[dict[str, float]]:
    return [known for models in truth["daily"].values() for known in models.values()]


def _true_days(truth: dict[str, Any]) -> dict[tuple[str, str], tuple[int, ...]]:
    figures = ("input", "output", "cw5m", "cw1h", "cread", "responses")
    return {
        (day, model): tuple(int(known[figure]) for figure in figures)
        for day, models in truth["daily"].items()
        for model, known in models.items()
    }


@pytest.mark.parametrize("seed", [MIXED_TRAPS_SEED, 8])
def test_tokens_of_every_day_and_model_are_exact(tmp_path: Path, seed: int) -> None:
    files, truth = _generate(tmp_path, seed)
    for trap in TRAPS:
        assert truth["counts"][trap] > 0, f"the seed makes no {trap}"
    with connect() as connection:
        map_file(connection, "claude_code", *files)
        days = {(row[0], row[1]): row[2:] for row in connection.execute(DAILY).fetchall()}
        assert connection.execute("SELECT count(*) FROM mapped WHERE reject_reason IS NOT NULL").fetchone() == (0,)
    assert days == _true_days(truth)


@pytest.mark.parametrize("seed", [MIXED_TRAPS_SEED, LONG_CONTEXT_SEED])
def test_dollars_of_every_day_and_model_are_exact(lab: "Lab", seed: int) -> None:
    """The generator adds floating-point dollars, which are exact to a billionth here; ours to the picodollar."""
    files, truth = _generate(lab.folder / "made", seed)
    lab.ingest(*files)
    rows = lab.rows(
        "SELECT strftime(started_at, '%Y-%m-%d'), price_model, sum(effective_cost) FROM attempts "
        "WHERE status = 'ok' AND effective_cost IS NOT NULL GROUP BY ALL"
    )
    told = {
        (day, model): known["cost"]
        for day, models in truth["daily"].items()
        for model, known in models.items()
        if known["cost"]
    }
    assert {(day, model): round(float(cost), 9) for day, model, cost in rows} == {
        cell: round(cost, 9) for cell, cost in told.items()
    }
    dearer = [known for known in _cells(truth) if known["cost"] - known.get("cost_base", 0) > 1e-9]
    assert bool(dearer) is (seed == LONG_CONTEXT_SEED)


def test_api_errors_are_attempts_that_cost_nothing(tmp_path: Path) -> None:
    files, truth = _generate(tmp_path, MIXED_TRAPS_SEED)
    kinds = "input_uncached_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens"
    with connect() as connection:
        map_file(connection, "claude_code", *files)
        found = connection.execute(
            f"SELECT count(*), sum({kinds} + output_text_tokens + reasoning_tokens)::BIGINT, count(price_model), "
            f"list(DISTINCT usage_source) FROM ({DEDUPED}) WHERE status = 'error'"
        ).fetchone()
    assert found == (truth["counts"]["synthetic_lines"], 0, 0, ["reported"])


def test_unpriced_model_keeps_its_name_and_tokens(tmp_path: Path) -> None:
    files, truth = _generate(tmp_path, MIXED_TRAPS_SEED)
    expected = sum(known[0] for (_, model), known in _true_days(truth).items() if model == "acme-internal-coder-9")
    assert expected > 0
    with connect() as connection:
        map_file(connection, "claude_code", *files)
        found = connection.execute(
            f"SELECT sum(input_uncached_tokens)::BIGINT FROM ({DEDUPED}) WHERE price_model = 'acme-internal-coder-9'"
        ).fetchone()
    assert found == (expected,)


def _attempts(*paths: Path) -> list[dict[str, Any]]:
    with connect() as connection:
        map_file(connection, "claude_code", *paths)
        connection.execute(f"CREATE TEMP TABLE once AS {DEDUPED}")
        return mapped_rows(connection, "once")


def test_answer_on_three_lines_with_a_sidechain_replay_is_one_call() -> None:
    (call,) = _attempts(_shared(REAL / "multi_line_message.jsonl"))
    assert call["output_text_tokens"] == 402
    assert (call["cache_write_5m_tokens"], call["cache_write_1h_tokens"]) == (0, 1200)
    assert call["request_id"] == "req_011CZUQ6Mrqaas2ZYHHuB7je"
    assert call["started_at"] == "2026-03-27T22:47:31.013000Z"
    assert call["tags"]["agent"] == "main"


def test_replay_read_before_the_original_loses() -> None:
    with connect() as connection:
        map_file(connection, "claude_code", _shared(REAL / "multi_line_message.jsonl"))
        ranks = connection.execute("SELECT tags['agent'], max(dedupe_rank) FROM mapped GROUP BY 1").fetchall()
    assert dict(ranks)["main"] == dict(ranks)["sidechain"] + 1


@pytest.mark.parametrize(
    ("name", "calls", "uncached", "output"),
    [
        ("claude-code-log_representative_messages.jsonl", 5, 218, 445),
        ("claude-code-log_session_b.jsonl", 1, 20, 35),
        ("claude-code-log_todowrite_examples.jsonl", 6, 883, 328),
    ],
)
def test_real_transcripts(name: str, calls: int, uncached: int, output: int) -> None:
    rows = _attempts(_shared(REAL / name))
    assert len(rows) == calls
    assert sum(row["input_uncached_tokens"] for row in rows) == uncached
    assert sum(row["output_text_tokens"] for row in rows) == output
    assert all(row["usage_source"] == "reported" and row["status"] == "ok" for row in rows)


def test_edge_cases_lose_no_sound_line(tmp_path: Path) -> None:
    lines = _shared(REAL / "claude-code-log_edge_cases.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    sound = [each for each in records if isinstance(each, dict) and not isinstance(each.get("message"), str)]
    assert len(records) - len(sound) == 4
    path = tmp_path / "edge.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in sound), encoding="utf-8")
    usages = [each["message"]["usage"] for each in sound if each.get("type") == "assistant"]
    rows = _attempts(path)
    assert len(rows) == len(usages) > 0
    assert sum(row["output_text_tokens"] for row in rows) == sum(usage["output_tokens"] for usage in usages)


def test_lines_of_old_versions_without_type() -> None:
    rows = _attempts(*(_shared(path) for path in sorted(_shared(CCUSAGE).glob("fixtures__claude*.jsonl"))))
    assert [row["reported_cost"] for row in rows] == [f"0.{cents}0000000000" for cents in (12, 34, 56, "03", "04")]
    assert [row.get("service_tier") for row in rows] == [None, "fast", None, None, None]
    assert sum(row["input_uncached_tokens"] for row in rows) == 730
    assert sum(row["cache_write_5m_tokens"] for row in rows) == 90


def test_usage_without_time_is_rejected_by_name() -> None:
    with connect() as connection:
        rows = mapped_rows(map_file(connection, "claude_code", _shared(CCUSAGE / "test-transcript.jsonl")))
    assert [row.get("reject_reason") for row in rows] == [None, "timestamp is missing"] * 2
    assert [row["is_call"] for row in rows] == [False, True] * 2


@pytest.mark.parametrize("path", sorted((*REAL.glob("*.jsonl"), *CCUSAGE.glob("*.jsonl"))), ids=lambda path: path.name)
def test_claims_its_own_files_only(path: Path) -> None:
    with connect() as connection:
        assert claims(connection, "claude_code", path) == ("codex" not in path.name)


@pytest.mark.parametrize("folder", ["anthropic", "codex", "litellm", "openai", "otlp", "langfuse", "bedrock"])
def test_claims_no_file_of_others(folder: str) -> None:
    files = [path for path in _shared(SHARED / "fixtures" / folder).rglob("*.json*") if path.is_file()]
    with connect() as connection:
        assert [path.name for path in files if claims(connection, "claude_code", path)] == []


ITERATIONS = [
    {"type": "message", "input_tokens": 900, "output_tokens": 4},
    {"type": "advisor_message", "model": "claude-opus-4-6", "input_tokens": 2000, "output_tokens": 30},
    {"type": "compaction", "input_tokens": 70, "output_tokens": 5, "cache_creation_input_tokens": 50},
    {"type": "message", "input_tokens": 100, "output_tokens": 6},
]


@pytest.mark.parametrize("backwards", [False, True])
def test_iterations_count_with_their_own_model_whatever_the_order_of_lines(lab: "Lab", backwards: bool) -> None:
    """An earlier line of the answer has the top level alone, which holds the tokens of its own model only."""
    early, late = message("A", 1, 1), message("A", 5, 10)
    late["message"]["usage"] |= {"iterations": ITERATIONS, "server_tool_use": {"web_search_requests": 3}}
    lab.ingest(lab.write("a.jsonl", [late, early] if backwards else [early, late]))
    found = lab.rows(
        "SELECT price_model, sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT, "
        "sum(web_search_requests)::BIGINT, count(contradiction) FROM attempts GROUP BY 1 ORDER BY 1"
    )
    assert found == [("claude-opus-4-6", 2000, 30, None, 0), ("claude-sonnet-4-6", 1120, 15, 3, 0)]


def test_iterations_that_do_not_add_up_are_marked(lab: "Lab") -> None:
    record = message("A", 1, 99)
    record["message"]["usage"] |= {"iterations": ITERATIONS}
    lab.ingest(lab.write("a.jsonl", [record]))
    (reason,) = {row[0] for row in lab.rows("SELECT contradiction FROM attempts")}
    assert "1010" in reason
    assert "1099" in reason


def test_result_line_of_a_printed_run_adds_nothing(lab: "Lab") -> None:
    usage = {"input_tokens": 1000, "output_tokens": 10}
    result = {"type": "result", "subtype": "success", "session_id": "s", "total_cost_usd": 0.5, "usage": usage}
    lab.ingest(lab.write("a.jsonl", [message("A", 1, 10), result]))
    assert lab.rows("SELECT count(*), sum(input_tokens)::BIGINT FROM attempts") == [(1, 1000)]
