"""A process of its own gives what the same command gives in this process: exit code, stdout, stderr and files."""

import re
from pathlib import Path

import pytest

from cli.conftest import ROOT, called, infercost
from infercost.errors import ExitCode

LITELLM = ROOT / "infercost/ingest/formats/litellm/sample.jsonl"
QUESTION = "select feature, sum(effective_cost) as usd from attempts group by all order by feature"
WOBBLY = re.compile(rb'"(bytes_per_second|seconds|[a-z]+_seconds)": .*|"[a-z]+": \d+\.\d+')
"""What an ingest says of its time."""


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    assert called("ingest", "logs", str(LITELLM), "--store", "store", folder=folder).code == ExitCode.OK
    return folder / "store"


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        (("status", "--json"), None, ExitCode.OK),
        (("sql", "-", "-f", "csv"), QUESTION, ExitCode.OK),
        (("sql", QUESTION, "-f", "parquet"), None, ExitCode.OK),
        (("report", "--since", "2025-01-01"), None, ExitCode.OK),
        (("formats", "check", "litellm", str(LITELLM)), None, ExitCode.OK),
        (("sql", "DROP VIEW attempts"), None, ExitCode.ERROR),
        (("report", "--format", "pdf"), None, ExitCode.BAD_USAGE),
        (("ingest", "logs", "-", "--json"), f'{LITELLM.read_text()}{{"broken\n', ExitCode.PARTLY_REJECTED),
        (("reconcile",), None, ExitCode.NO_DATA),
        (("prices", "check", "--format", "json"), None, ExitCode.CHECK_FAILED),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_a_process_does_the_same(
    small_store: Path, tmp_path: Path, arguments: tuple[str, ...], stdin: str | None, code: ExitCode
) -> None:
    ran, left = [], []
    for name, way in (("process", infercost), ("called", called)):
        folder = tmp_path / name
        folder.mkdir()
        store = "own" if arguments[0] == "ingest" else str(small_store)
        done = way(*arguments, folder=folder, stdin=stdin, INFERCOST_STORE=store, INFERCOST_NOW="2031-01-01")
        ran.append((done.code, WOBBLY.sub(b"", done.out), done.err.replace("python -m infercost", "infercost")))
        left.append(sorted(path.name for path in folder.iterdir()))

    assert ran[0][0] == code
    assert ran[0] == ran[1]
    assert left[0] == left[1]
