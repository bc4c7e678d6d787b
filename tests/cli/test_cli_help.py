"""Help: every command has an example and a line in the docs, and no engine is imported to show it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cli.conftest import ROOT, Cli
from infercost.cli.main import app

ENGINES = ("duckdb", "polars", "pyarrow", "deltalake", "jinja2", "numpy", "pandas", "genai_prices")


def _walk(command: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    found = [(path, command)]
    for name, each in getattr(command, "commands", {}).items():
        found += _walk(each, (*path, name))
    return found


COMMANDS = dict(_walk(typer.main.get_command(app), ()))
NAMED = [
    path
    for path, command in COMMANDS.items()
    if path and (not hasattr(command, "commands") or command.invoke_without_command)
]


def test_the_commands_of_the_issue_are_there() -> None:
    wanted = {"init", "ingest logs", "report", "sql", "query", "status", "reattribute", "formats", "reconcile"}
    wanted |= {"formats new", "formats check"}

    assert wanted <= {" ".join(path) for path in NAMED}


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "infercost")
def test_help_imports_no_engine(path: tuple[str, ...], tmp_path: Path) -> None:
    script = (
        "import atexit, sys\n"
        "from infercost.cli.main import run\n"
        f"atexit.register(lambda: sys.stderr.write(' '.join(n for n in {ENGINES!r} if n in sys.modules)))\n"
        "run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *path, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert "Usage:" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "infercost")
def test_help_has_an_example_of_the_command(path: tuple[str, ...]) -> None:
    text = COMMANDS[path].help
    _, _, examples = text.partition("Example")

    assert " ".join(("infercost", *path)) in examples
    assert all(len(line.strip()) <= 78 for line in examples.splitlines())


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "infercost")
def test_every_option_is_explained(path: tuple[str, ...]) -> None:
    silent = [each.name for each in COMMANDS[path].params if not each.help]

    assert silent == []


@pytest.mark.parametrize("path", NAMED, ids=" ".join)
def test_every_command_is_in_the_docs(path: tuple[str, ...]) -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)

    assert f"infercost {' '.join(path)}" in text


def test_version_is_the_packages(cli: Cli) -> None:
    import infercost

    assert cli("--version").text == f"infercost {infercost.__version__}\n"
