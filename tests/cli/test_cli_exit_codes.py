"""Every exit code, made for real; stdout stays empty where a command fails."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from cli.conftest import ROOT, UNTIL, Cli, infercost
from infercost.errors import EXIT_CODE_MEANING, ExitCode


def test_ok(ask: Cli) -> None:
    assert ask("status").code == ExitCode.OK


def test_error_for_a_store_that_is_not_there(cli: Cli) -> None:
    done = cli("report", "--store", "nowhere")

    assert (done.code, done.out) == (ExitCode.ERROR, b"")
    assert "nowhere: no infercost store here" in done.err
    assert "hint: Run `infercost ingest logs PATH --store nowhere`" in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nonsense",), "nonsense"),
        (("report", "--format", "pdf"), "'html', 'json', 'markdown', 'terminal'"),
        (("report", "--since", "frog"), "allowed: 30d, 2w, 12h, a date"),
        (("report", "--by", "colour"), "feature, cohort, team, route"),
        (("query", "cost_by_featur"), "did you mean cost_by_feature?"),
        (("query", "cost_by_day", "--by", "feature"), "cost_by_day"),
        (("sql",), "give one SELECT"),
        (("sql", "--file", "missing.sql"), "missing.sql: No such file"),
        (("status", "--config", "missing.toml"), "missing.toml: No such file"),
        (("ingest", "logs", "missing.jsonl"), "missing.jsonl: no such file or folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_usage_says_what_is_allowed(ask: Cli, arguments: tuple[str, ...], told: str) -> None:
    done = ask(*arguments)

    assert (done.code, done.out) == (ExitCode.BAD_USAGE, b"")
    assert told in re.sub(r"[│\s]+", " ", done.err)


def test_bad_configuration_names_file_and_key(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "infercost.toml").write_text("[time]\nzone = 'Mars/Olympus'\n")
    done = cli("status")

    assert done.code == ExitCode.BAD_USAGE
    assert "infercost.toml: time.zone: 'Mars/Olympus' is not an IANA zone" in done.err


def test_partly_rejected_reads_the_rest(cli: Cli, tmp_path: Path) -> None:
    good = (ROOT / "infercost/ingest/formats/litellm/sample.jsonl").read_text().splitlines()
    (tmp_path / "log.jsonl").write_text("\n".join([good[0], '{"id": broken', good[1]]) + "\n")
    done = cli("ingest", "logs", "log.jsonl", "--json")

    assert done.code == ExitCode.PARTLY_REJECTED
    assert "log.jsonl:2: rejected:" in done.err
    assert json.loads(done.text)["rejected"] == 1
    assert cli("sql", "select source_line from rejects", "-f", "csv").text == "source_line\n2\n"


@pytest.mark.parametrize("form", ["html", "json", "markdown", "terminal"])
def test_no_data_names_the_newest_data_and_the_flag(ask: Cli, tmp_path: Path, form: str) -> None:
    done = ask("report", "--since", "2024-01-01", "--until", "2024-01-31", "--format", form)

    assert (done.code, done.out) == (ExitCode.NO_DATA, b"")
    assert "18 Nov 2026" in done.err
    assert f"--since 2026-09-20 --until {UNTIL}" in done.err
    assert list(tmp_path.iterdir()) == []


def test_store_busy_while_another_writes(cli: Cli, tmp_path: Path) -> None:
    sample = str(ROOT / "infercost/ingest/formats/litellm/sample.jsonl")
    assert cli("ingest", "logs", sample, "--store", "s").code == ExitCode.OK
    with FileLock(str(tmp_path / "s" / "lock")):
        done = infercost("ingest", "logs", sample, "--store", "s", folder=tmp_path)
        reading = cli("status", "--store", "s")

    assert (done.code, done.out) == (ExitCode.STORE_BUSY, b"")
    assert "another infercost process is writing" in done.err
    assert reading.code == ExitCode.OK


def test_the_page_of_exit_codes_lists_each() -> None:
    page = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")

    for code, meaning in EXIT_CODE_MEANING.items():
        assert f"| {code.value} | `{code.name}` | {meaning} |" in page


def test_a_reader_that_has_gone_is_no_error(sample_store: Path, tmp_path: Path) -> None:
    for arguments in (["sql", "from attempts", "-f", "csv"], ["sql", "select 1"], ["formats"], ["--help"]):
        process = subprocess.Popen(
            [sys.executable, "-m", "infercost", *arguments, *(["--store", str(sample_store)] * ("sql" in arguments))],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert (arguments, process.stderr.read(), process.wait(60)) == (arguments, b"", 0)
        process.stderr.close()


def test_sample_logs_twice_changes_nothing(sample_store: Path, tmp_path: Path) -> None:
    store = shutil.copytree(sample_store, tmp_path / "store")

    def held() -> str:
        return infercost("status", "--json", "--store", str(store), folder=tmp_path).text

    before = held()
    again = infercost("ingest", "logs", str(ROOT / "sample_logs"), "--json", "--store", str(store), folder=tmp_path)

    assert again.code == ExitCode.OK
    assert json.loads(again.text)["attempts"] == 0
    assert held() == before
