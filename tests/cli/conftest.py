"""Runs infercost as a command, and holds one store made of the sample logs.

`cli` and `ask` run it in this process, which spares a start of a second and more; test_cli_process.py holds that a
process of its own does the same.
"""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from filelock import FileLock

from infercost.cli.main import run as run_command

ROOT = Path(__file__).resolve().parents[2]
UNTIL = "2026-11-18"
"""Last day of the sample logs."""


@dataclass(frozen=True)
class Ran:
    """One finished command."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


Cli = Callable[..., Ran]


def environment(**variables: str) -> dict[str, str]:
    """Return the variables of a command: nothing of the caller's own configuration reaches it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("INFERCOST_STORE")}
    return {**own, "COLUMNS": "80", **variables}


def infercost(*arguments: str, folder: Path, stdin: str | None = None, **variables: str) -> Ran:
    """Run infercost in `folder`, as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "infercost", *arguments],
        cwd=folder,
        env=environment(**variables),
        input=None if stdin is None else stdin.encode(),
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode())


def called(*arguments: str, folder: Path, stdin: str | None = None, **variables: str) -> Ran:
    """Run infercost in `folder`, in this process: with the arguments, streams and variables of a command."""
    given, out, err = (io.BytesIO(text) for text in ((stdin or "").encode(), b"", b""))
    streams = [io.TextIOWrapper(each, encoding="utf-8", write_through=True) for each in (given, out, err)]
    code: object = 0
    with (
        contextlib.chdir(folder),
        patch.dict(os.environ, environment(**variables), clear=True),
        patch.object(sys, "argv", ["infercost", *arguments]),
        patch.multiple(sys, stdin=streams[0], stdout=streams[1], stderr=streams[2]),
    ):
        try:
            run_command()
        except SystemExit as left:
            code = left.code or 0
    assert isinstance(code, int)
    return Ran(code, out.getvalue(), err.getvalue().decode())


@pytest.fixture(scope="session")
def sample_store(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A store with everything of sample_logs, made once by the command, to be read and never written."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "sample"
    store = folder / "store"
    # The workers of a run share it.
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            folder.mkdir()
            done = infercost("ingest", "logs", str(ROOT / "sample_logs"), "--store", str(store), folder=folder)
            (folder / "told").write_text(f"{done.code}\n{done.err}")
    told = (folder / "told").read_text()
    assert told.startswith("0\n"), told
    return store


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run infercost in an empty folder."""

    def run(*arguments: str, stdin: str | None = None, **variables: str) -> Ran:
        return called(*arguments, folder=tmp_path, stdin=stdin, **variables)

    return run


@pytest.fixture
def ask(sample_store: Path, cli: Cli) -> Cli:
    """Run infercost in an empty folder, on the sample store."""

    def run(*arguments: str, stdin: str | None = None, **variables: str) -> Ran:
        return cli(*arguments, stdin=stdin, INFERCOST_STORE=str(sample_store), **variables)

    return run
