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
from once import Once

from cli.check_world import FIRST, TAIL, write
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
def sample_store(once: Once) -> Path:
    """A store with everything of sample_logs, to be read and never written."""

    def make(folder: Path) -> Path:
        done = infercost("ingest", "logs", str(ROOT / "sample_logs"), "--store", "store", folder=folder)
        assert done.code == 0, done.err
        return folder / "store"

    return once("sample", make)


@pytest.fixture(scope="session")
def calm_store(once: Once) -> Path:
    """A store of everything before TAIL of the small company, to be copied or read."""

    def make(folder: Path) -> Path:
        log = write(folder, first=FIRST, until=TAIL)
        done = called("ingest", "logs", log.name, folder=folder)
        assert done.code == 0, done.err
        return folder / "infercost-store"

    return once("calm", make)


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
