"""Where things are read from and written to: the store's choice, init, the report's file, progress."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import ROOT, UNTIL, Cli
from infercost import config

SAMPLE = str(ROOT / "infercost/ingest/formats/litellm/sample.jsonl")


def test_the_store_is_chosen_in_order(cli: Cli, tmp_path: Path) -> None:
    def store(*arguments: str, **variables: str) -> str:
        assert cli("ingest", "logs", SAMPLE, *arguments, **variables).code == 0
        found = json.loads(cli("status", "--json", *arguments, **variables).text)
        return str((tmp_path / found["store"]).relative_to(tmp_path))

    assert store() == config.DEFAULT_STORE
    (tmp_path / "infercost.toml").write_text("[store]\npath = 'of-the-file'\n")
    assert store() == "of-the-file"
    assert store(INFERCOST_STORE="of-the-environment") == "of-the-environment"
    assert store("--store", "of-the-option", INFERCOST_STORE="of-the-environment") == "of-the-option"


def test_init_writes_a_valid_file_and_never_overwrites(cli: Cli, tmp_path: Path) -> None:
    target = tmp_path / "infercost.toml"

    assert cli("init").code == 0
    assert config.load(target).zone == "UTC"
    target.write_text("# mine\n")
    again = cli("init")
    assert again.code == 2
    assert "infercost.toml: exists already" in again.err
    assert target.read_text() == "# mine\n"


def test_the_examples_of_init_are_valid(cli: Cli, tmp_path: Path) -> None:
    cli("init")
    target = tmp_path / "infercost.toml"
    code = [
        line.removeprefix("# ")
        for line in target.read_text().splitlines()
        if line.startswith(("# [", "[")) or ("=" in line and line.removeprefix("# ").split(" ")[1:2] == ["="])
    ]
    target.write_text("\n".join(code))
    found = config.load(target)

    assert len(found.rules or ()) == 6
    assert len(found.budgets) == 2
    assert len(found.check.limits) == 3
    assert [each.form for each in found.check.webhooks] == ["slack"]
    assert [each.currency for each in found.price_overrides] == ["USD", "USD", "EUR"]
    assert found.price_overrides[1].scope == {"team": "search"}
    assert len(found.aliases) == 1
    assert len(found.pools) == 1


def test_report_writes_the_page_and_says_where(ask: Cli, tmp_path: Path) -> None:
    done = ask("report", "--since", "30d", "--until", UNTIL)

    assert done.code == 0
    assert done.text == "infercost-report.html\n"
    assert [each.name for each in tmp_path.iterdir()] == ["infercost-report.html"]
    assert (tmp_path / "infercost-report.html").read_text().startswith("<!doctype html>")
    assert "Spend rose" in done.err


def test_report_on_stdout_is_only_the_report(ask: Cli, tmp_path: Path) -> None:
    window = ("--since", "2d", "--until", UNTIL, "--compare", "none")
    as_json, markdown, terminal = (
        ask("report", *window, "--format", form) for form in ("json", "markdown", "terminal")
    )

    assert json.loads(as_json.text)["format_version"] >= 1
    assert markdown.text.startswith("**Spend was")
    assert "Spend was" in terminal.text
    assert {as_json.err, markdown.err, terminal.err} == {""}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["json", "markdown", "terminal"])
def test_report_writes_the_same_to_a_file(ask: Cli, tmp_path: Path, form: str) -> None:
    clock = {"INFERCOST_NOW": "2026-11-20T00:00:00Z"}
    command = ("report", "--since", "2d", "--until", UNTIL, "--compare", "none", "--format", form)
    shown, done = ask(*command, **clock), ask(*command, "-o", "report.out", **clock)

    assert (done.code, done.out) == (0, b"")
    assert [line.rstrip() for line in (tmp_path / "report.out").read_text().splitlines()] == [
        line.rstrip() for line in shown.text.splitlines()
    ]


def test_standard_input_is_read(cli: Cli) -> None:
    done = cli("ingest", "logs", "-", "--json", stdin=Path(SAMPLE).read_text())

    assert done.code == 0
    assert json.loads(done.text)["attempts"] > 0


def test_plain_lines_where_stderr_is_no_terminal(tmp_path: Path) -> None:
    script = "from infercost.cli import main, progress; progress.LINE_SECONDS = 0; main.run()"
    done = subprocess.run(
        [sys.executable, "-c", script, "ingest", "logs", SAMPLE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert f"reading {SAMPLE}" in done.stderr
    assert "MB/s" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout


def test_a_bar_where_stderr_is_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "infercost", "ingest", "logs", str(ROOT / "sample_logs" / "gateway"), "--json"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    drawn = b""
    while chunk := _read(ours):
        drawn += chunk
    out, _ = process.communicate(timeout=60)
    os.close(ours)

    assert "━" in drawn.decode(errors="replace")
    assert b"MB/s" in drawn
    assert json.loads(out)["attempts"] > 0


def test_a_table_too_wide_for_the_terminal_is_printed_in_blocks(sample_store: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "infercost", "sql", "from attempts limit 2", "--store", str(sample_store)],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        env={**os.environ, "COLUMNS": "80"},
    )
    os.close(theirs)
    drawn = b""
    while chunk := _read(ours):
        drawn += chunk
    os.close(ours)
    lines = drawn.decode().splitlines()

    assert process.wait(60) == 0
    assert lines[0] == "── 1 ──"
    assert any(line.startswith("attempt_id ") for line in lines)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        # The other end of a pseudo-terminal has been closed.
        return b""
