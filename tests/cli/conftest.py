"""Runs infercost as a process, and holds one store made of the sample logs."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

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


def infercost(*arguments: str, folder: Path, stdin: str | None = None, **variables: str) -> Ran:
    """Run infercost in `folder`; nothing of the caller's own configuration reaches it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("INFERCOST_STORE")}
    done = subprocess.run(
        [sys.executable, "-m", "infercost", *arguments],
        cwd=folder,
        env={**environment, "COLUMNS": "80", **variables},
        input=None if stdin is None else stdin.encode(),
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode())


@pytest.fixture(scope="session")
def sample_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with everything of sample_logs, made by the command."""
    folder = tmp_path_factory.mktemp("sample") / "store"
    done = infercost("ingest", "logs", str(ROOT / "sample_logs"), "--store", str(folder), folder=folder.parent)
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run infercost in an empty folder."""

    def run(*arguments: str, stdin: str | None = None, **variables: str) -> Ran:
        return infercost(*arguments, folder=tmp_path, stdin=stdin, **variables)

    return run


@pytest.fixture
def ask(sample_store: Path, cli: Cli) -> Cli:
    """Run infercost in an empty folder, on the sample store."""

    def run(*arguments: str, stdin: str | None = None, **variables: str) -> Ran:
        return cli(*arguments, stdin=stdin, INFERCOST_STORE=str(sample_store), **variables)

    return run
