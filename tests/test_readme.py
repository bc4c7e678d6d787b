"""README.md is run: its tour here, its first two commands by .ci/run in a fresh virtual environment."""

import re
import shutil
import subprocess
from pathlib import Path

import documents
import pytest

ROOT = documents.ROOT


def test_the_first_two_commands_install_and_test() -> None:
    install, check, *_ = documents.steps()

    assert "pip install --quiet . &&" in install.command
    assert "infercost ingest logs sample_logs" in install.command
    assert "infercost report" in install.command
    assert check.command.endswith("pytest")


def test_ci_runs_the_commands_that_stand_here() -> None:
    for number, step in enumerate(documents.steps()[:2], start=1):
        taken = subprocess.run([ROOT / ".ci" / "readme", str(number)], capture_output=True, text=True, check=True)
        assert taken.stdout.strip() == step.command


def test_main_job_and_tour_do_what_is_shown(tmp_path: Path) -> None:
    for name in documents.SAMPLES:
        shutil.copytree(ROOT / name, tmp_path / name)
    for step in [documents.main_job(), *documents.steps()[2:]]:
        output = documents.run(step, tmp_path)
        if step.shown is not None:
            assert documents.steady(documents.cut(output, step.shown)) == documents.steady(step.shown), step.command


@pytest.mark.parametrize("name", documents.GENERATED)
def test_generated_pages_are_fresh(name: str) -> None:
    made = documents.GENERATED[name]()

    assert (ROOT / name).read_text(encoding="utf-8") == made, f"{name} is stale: run `just docs`"


def test_marked_parts_are_fresh() -> None:
    text = documents.README.read_text(encoding="utf-8")

    assert documents.with_marked_parts(text) == text, "README.md is stale: run `just docs`"


def test_links_lead_somewhere() -> None:
    for page in [documents.README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
