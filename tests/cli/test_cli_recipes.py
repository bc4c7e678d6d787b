"""The recipes of docs/scheduling.md: their commands are run, on a company that is calm and on one that is not."""

import os
import re
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.check_world import FIRST, NOW, Change, write
from cli.conftest import ROOT, environment
from cli.test_cli_check import calm, failing
from infercost.errors import ExitCode

TEXT = (ROOT / "docs/scheduling.md").read_text(encoding="utf-8")
FOLDER = "/srv/infercost"
"""Where the recipes expect infercost.toml."""

LIMIT = "[check]\nsignals = false\nlimits = ['retry_rate <= 5%']\n"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


BOTH = pytest.mark.parametrize(
    "company", [(calm, ExitCode.OK), (failing, ExitCode.CHECK_FAILED)], ids=["calm", "failing"], indirect=True
)


@pytest.fixture
def company(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, int]:
    """A folder as the recipes expect it, and how its check comes out; one record of its log cannot be read."""
    change: Change
    change, code = getattr(request, "param", (failing, ExitCode.CHECK_FAILED))
    (tmp_path / "logs").mkdir()
    (tmp_path / "reports").mkdir()
    log = write(tmp_path, LIMIT, change, first=max(FIRST, NOW - timedelta(days=9)), since=NOW - timedelta(hours=20))
    with log.open("a") as file:
        file.write("not a record\n")
    log.rename(tmp_path / "logs" / log.name)
    return tmp_path, code


def run(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    scripts = Path(sys.executable).parent
    variables = environment(INFERCOST_NOW=NOW.isoformat(), PATH=f"{scripts}{os.pathsep}{os.environ['PATH']}")
    return subprocess.run(
        ["sh", "-c", command.replace(FOLDER, str(folder))],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@BOTH
def test_crontab(company: tuple[Path, int]) -> None:
    folder, code = company
    (tab,) = blocks("crontab")
    lines = [line for line in tab.splitlines() if not line.startswith("MAILTO=")]
    commands = [re.fullmatch(r"(?:[\d*/,-]+ ){5}(.*)", line) for line in lines]
    check, report = (found[1] for found in commands if found)
    first = run(check, folder)
    assert (first.returncode, bool(first.stdout)) == (code, code != ExitCode.OK), first.stderr
    again = run(check, folder)
    # The same bad line is in a file that did not change: it is not read, and nothing is told, again.
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    weekly = run(report, folder)
    assert (weekly.returncode, weekly.stdout, weekly.stderr) == (0, "", "")
    assert (folder / "reports" / "weekly.html").is_file()


def test_systemd(company: tuple[Path, int]) -> None:
    folder, code = company
    service, timer = blocks("ini")
    assert "OnCalendar=*:0/5" in timer
    settings = [line.partition("=")[::2] for line in service.splitlines() if "=" in line]
    fine = {0, *(int(each) for name, value in settings if name == "SuccessExitStatus" for each in value.split())}
    codes: list[int] = []
    for name, value in settings:
        # Of a oneshot service the next command runs when the one before is a success.
        if name == "ExecStart" and fine.issuperset(codes):
            codes.append(run(shlex.join(shlex.split(value)), folder).returncode)
    assert codes == [ExitCode.PARTLY_REJECTED, code]
    assert "infercost_check_fired" in (folder / "infercost.prom").read_text()


def scripts(job: Any) -> list[str]:
    """Return the commands of a job; what installs infercost from an index is left out."""
    found = [step["run"] for step in job.get("steps", ()) if "run" in step] or [*job["before_script"], *job["script"]]
    assert any(command == "pip install infercost" for command in found)
    return [command for command in found if not command.startswith("pip ")]


@pytest.mark.parametrize("number", [0, 1], ids=["github", "gitlab"])
def test_ci(company: tuple[Path, int], number: int) -> None:
    folder, code = company
    document = yaml.safe_load(blocks("yaml")[number])
    job = document["jobs"]["check"] if number == 0 else document["spend"]
    *before, last = [run(command, folder) for command in scripts(job)]
    assert [each.returncode for each in before] == [0] * len(before)
    assert last.returncode == code, last.stderr
    assert (folder / "check.xml").read_text().startswith("<?xml")
    assert ("::error " in last.stdout) == (code != ExitCode.OK and number == 0)
