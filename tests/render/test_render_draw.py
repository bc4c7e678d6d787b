"""Choosing a format, writing a whole file, and what importing the package costs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sample_report import sample_report

from infercost.errors import InfercostError, UsageError
from infercost.render import FORMATS, draw, write_whole


def test_every_format_draws() -> None:
    assert {name: draw(sample_report(), name)[:1] for name in FORMATS} == {
        "html": "<",
        "json": "{",
        "markdown": "*",
        "terminal": "S",
    }


def test_an_unknown_format_names_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        draw(sample_report(), "pdf")
    assert caught.value.hint == "choose one of html, json, markdown, terminal"


def test_importing_the_package_imports_no_drawing_library() -> None:
    script = (
        "import sys, infercost.render; names = {name.split('.')[0] for name in sys.modules}; "
        "print(sorted(names & {'jinja2', 'rich', 'duckdb', 'pyarrow'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_drawing_needs_no_engine() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from sample_report import sample_report; "
        "from infercost.render import FORMATS, draw; [draw(sample_report(), name) for name in FORMATS]; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'duckdb', 'polars', 'pyarrow', 'deltalake'}))"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", script, here], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_is_written_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    write_whole(target, "new\n…")
    assert target.read_bytes() == "new\n…".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(target, "new \ud800")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_missing_folder_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InfercostError, match="no-such-folder") as caught:
        write_whole(tmp_path / "no-such-folder" / "report.html", "text")
    assert caught.value.hint
    with pytest.raises(InfercostError, match="is a folder"):
        write_whole(tmp_path, "text")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_the_file_has_ordinary_permissions(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "text")
    (tmp_path / "b").write_text("text")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode
