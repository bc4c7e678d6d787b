"""Holds the coding agents' formats against ccusage: equal tokens by day, model and kind, or a difference with a reason.

ccusage is a program of others that reads the same transcripts; the two share no code.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infercost.ingest.registry import FORMATS_FOLDER
from real.codex_logs import Cell, Tree

if TYPE_CHECKING:
    from lab import Lab

    from real.programs import Programs

pytestmark = pytest.mark.real

CCUSAGE = "ccusage@20.0.24"
"""One version, so that a difference is a change of ours; its program is a package of its own for each machine."""

SECONDS = 60
SHARED = Path(__file__).resolve().parents[3] / "shared"
SEED = 11

Cells = dict[tuple[str, str], Cell]
"""By UTC day and model: input without cache, cache write, cache read, output."""

DAYS = """
    SELECT strftime(started_at, '%Y-%m-%d') AS day,
        price_model || CASE WHEN service_tier = 'fast' THEN '-fast' ELSE '' END AS model,
        sum(input_uncached_tokens)::BIGINT AS input,
        sum(coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_30m_tokens, 0)
            + coalesce(cache_write_1h_tokens, 0))::BIGINT AS written,
        sum(coalesce(cache_read_tokens, 0))::BIGINT AS read,
        sum(output_tokens)::BIGINT AS output
    FROM attempts WHERE status = 'ok' GROUP BY ALL"""
"""ccusage calls a model that was served fast by another name."""

Ask = Callable[[str, Path], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def ccusage(programs: "Programs") -> Ask:
    """Run `ccusage AGENT daily` on the files of a home folder."""
    executable = programs.npm(CCUSAGE) / "ccusage"

    def ask(agent: str, home: Path) -> subprocess.CompletedProcess[str]:
        places = {"HOME": str(home), "CLAUDE_CONFIG_DIR": str(home / "claude"), "CODEX_HOME": str(home / "codex")}
        command = [str(executable), agent, "daily", "--json", "--offline", "--timezone", "UTC"]
        environment = {**os.environ, **places, "TZ": "UTC"}
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=SECONDS, env=environment, cwd=home
        )

    version = subprocess.run([executable, "--version"], capture_output=True, text=True, check=False, timeout=SECONDS)
    if version.returncode:
        pytest.skip(f"{CCUSAGE} does not run here: {version.stderr.strip()}")
    return ask


def theirs(answer: subprocess.CompletedProcess[str]) -> Cells:
    """Return the cells of a daily report; those of Claude Code list the models, those of Codex name them."""
    assert answer.returncode == 0, answer.stderr
    cells: Cells = {}
    for day in json.loads(answer.stdout)["daily"]:
        named: dict[str, Any] = day.get("models") or {each["modelName"]: each for each in day["modelBreakdowns"]}
        for model, counts in named.items():
            kinds = ("inputTokens", "cacheCreationTokens", "cacheReadTokens", "outputTokens")
            input_, written, read, output = (int(counts[kind]) for kind in kinds)
            cells[day["date"], model] = (input_, written, read, output)
    return cells


def ours(lab: "Lab", folder: Path) -> Cells:
    """Return the cells that `infercost sql` gives after `infercost ingest logs`; code 3 says that lines were bad."""
    assert lab.call("ingest", "logs", folder).code in {0, 3}
    answer = lab.call("sql", DAYS, "--format", "json")
    assert answer.code == 0, answer.err
    rows = json.loads(answer.out)
    return {(row["day"], row["model"]): (row["input"], row["written"], row["read"], row["output"]) for row in rows}


def beyond(mine: Cells, other: Cells) -> Cells:
    """Return by how much the first cells are larger than the second, where they differ."""
    nothing = (0, 0, 0, 0)
    found = {}
    for key in mine.keys() | other.keys():
        left, right = mine.get(key, nothing), other.get(key, nothing)
        found[key] = (left[0] - right[0], left[1] - right[1], left[2] - right[2], left[3] - right[3])
    return {key: difference for key, difference in found.items() if difference != nothing}


def shared(path: str) -> Path:
    if not (SHARED / path).exists():
        pytest.skip(f"{path} is not beside this checkout (../shared)")
    return SHARED / path


def compact(source: Path, target: Path) -> Path:
    """Copy JSON Lines without the spaces that JSON may have between its tokens; broken lines stay as they are."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as out:
        for line in lines:
            try:
                out.write(json.dumps(json.loads(line), separators=(",", ":")) + "\n")
            except ValueError:
                out.write(line)
    return target


def transcript(home: Path, source: Path) -> Path:
    """Put a Claude Code transcript where the agent would write it."""
    return compact(
        source, home / "claude" / "projects" / "-home-dev-shop" / "11111111-aaaa-4aaa-8aaa-000000000001.jsonl"
    )


def rollout(home: Path, source: Path) -> Path:
    """Put a Codex rollout where the agent would write it, under the name of its session."""
    with source.open(encoding="utf-8") as lines:
        payload = json.loads(next(lines)).get("payload", {})
    session = payload.get("id", "0198cccc-3333-7000-8000-00000000000c")
    return compact(
        source, home / "codex" / "sessions" / "2026" / "11" / "06" / f"rollout-2026-11-06T08-00-00-{session}.jsonl"
    )


def test_generated_claude_code_logs_are_equal_cell_by_cell(lab: "Lab", ccusage: Ask) -> None:
    folder = lab.folder / "claude"
    generator = shared("generators/claude_code_logs.py")
    command = [sys.executable, str(generator), str(folder), "--size-mib", "6", "--seed", str(SEED)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=SECONDS)
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["daily"]
    cells = {
        (day, model): (known["input"], known["cw5m"] + known["cw1h"], known["cread"], known["output"])
        for day, models in truth.items()
        for model, known in models.items()
    }
    assert len(cells) > 10
    assert ours(lab, folder / "projects") == theirs(ccusage("claude", lab.folder)) == cells


REAL = (
    *(f"claude_code/claude-code-log_{name}.jsonl" for name in ("representative_messages", "session_b", "edge_cases")),
    "claude_code/claude-code-log_todowrite_examples.jsonl",
    "claude_code/multi_line_message.jsonl",
    "ccusage/fixtures__claude__projects__project-alpha__session-alpha__chat.jsonl",
    "ccusage/fixtures__claude__projects__project-beta__session-beta__chat.jsonl",
)


@pytest.mark.parametrize("name", REAL, ids=lambda name: Path(name).stem)
def test_real_transcripts_are_equal_cell_by_cell(lab: "Lab", ccusage: Ask, name: str) -> None:
    path = transcript(lab.folder, shared(f"fixtures/{name}"))
    cells = ours(lab, path)
    assert cells
    assert theirs(ccusage("claude", lab.folder)) == cells


def test_ccusage_does_not_see_usage_behind_a_space(lab: "Lab", ccusage: Ask) -> None:
    """It looks for the text `"usage":{` before it reads JSON, so a transcript that was written anew may be nothing."""
    path = transcript(lab.folder, shared("fixtures/claude_code/claude-code-log_session_b.jsonl"))
    spaced = [json.dumps(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("\n".join(spaced) + "\n", encoding="utf-8")
    assert theirs(ccusage("claude", lab.folder)) == {}
    assert ours(lab, path) == {("2025-06-14", "claude-3-sonnet-20240229"): (20, 0, 0, 35)}


DAY = "2026-11-03"
CLAUDE_DIFFERENCES: Cells = {
    # msg_D: a progress line has the first counts of a subagent's answer, the subagent's own line the final ones.
    # ccusage takes the line that is no sidechain, infercost the larger.
    (DAY, "claude-haiku-4-5-20251001"): (0, 0, 0, 88 - 7),
    # msg_C: the lifetimes of a cache write (10 + 40) do not add up to its 100; ccusage believes the parts.
    (DAY, "claude-opus-4-6-fast"): (0, 100 - 50, 0, 0),
    # msg_I: what was used before the answer fell back to another model stands in usage.iterations alone.
    (DAY, "claude-opus-4-8"): (640, 0, 0, 2),
    # msg_H: so do the tokens of a compaction (82 output); the message itself has 8 there and 9 beside.
    (DAY, "claude-sonnet-4-6"): (100, 55_096, 0, 82 + 8 - 9),
}


def test_sample_of_claude_code_differs_where_ccusage_reads_less(lab: "Lab", ccusage: Ask) -> None:
    path = transcript(lab.folder, FORMATS_FOLDER / "claude_code" / "sample.jsonl")
    assert beyond(ours(lab, path), theirs(ccusage("claude", lab.folder))) == CLAUDE_DIFFERENCES


def test_generated_codex_logs_are_equal_cell_by_cell(lab: "Lab", ccusage: Ask) -> None:
    tree = Tree(lab.folder / "codex", SEED)
    tree.write()
    assert min(tree.traps[trap] for trap in ("archived", "forked", "repeated", "total only")) > 1
    assert ours(lab, tree.folder) == theirs(ccusage("codex", lab.folder)) == tree.used


@pytest.mark.parametrize(
    "path",
    [
        "codex/rollout_0142_repeated_token_count.jsonl",
        "ccusage/fixtures__codex__sessions__project-alpha__session-alpha.jsonl",
    ],
    ids=lambda path: Path(path).stem,
)
def test_real_rollouts_are_equal_cell_by_cell(lab: "Lab", ccusage: Ask, path: str) -> None:
    cells = ours(lab, rollout(lab.folder, shared(f"fixtures/{path}")))
    assert cells
    assert theirs(ccusage("codex", lab.folder)) == cells


CODEX_DIFFERENCES: Cells = {
    ("2026-11-06", "gpt-5.2"): (
        # An answer that only a token_usage_record tells of: 21000 input of which 20000 cached, 20 output.
        # More cached (300) than input (100): infercost reads the cache as apart, ccusage caps it.
        1_000 + 100,
        0,
        20_000 + 200,
        20,
    ),
}


def test_samples_of_codex_differ_where_ccusage_reads_less(lab: "Lab", ccusage: Ask) -> None:
    """One line with a time that is none makes ccusage give up altogether; without it the rest is compared."""
    path = rollout(lab.folder, FORMATS_FOLDER / "codex" / "sample.jsonl")
    rollout(lab.folder, FORMATS_FOLDER / "codex" / "sample_fork.jsonl")
    mine = ours(lab, lab.folder / "codex")
    refused = ccusage("codex", lab.folder)
    assert refused.returncode != 0
    assert "Invalid Codex timestamp: noon" in refused.stderr
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if '"noon"' not in line]
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    assert beyond(mine, theirs(ccusage("codex", lab.folder))) == CODEX_DIFFERENCES
