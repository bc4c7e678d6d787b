"""Draws a `Report` as HTML, JSON, Markdown or terminal text, and writes it whole; never asks the store anything."""

import os
from collections.abc import Callable
from pathlib import Path

from infercost.analyze.report import Report
from infercost.errors import InfercostError, UsageError


def _html(report: Report) -> str:
    from infercost.render.html import render_html

    return render_html(report)


def _json(report: Report) -> str:
    from infercost.render.json import render_json

    return render_json(report)


def _markdown(report: Report) -> str:
    from infercost.render.markdown import render_markdown

    return render_markdown(report)


def _terminal(report: Report) -> str:
    from infercost.render.terminal import terminal_text

    return terminal_text(report)


FORMATS: dict[str, Callable[[Report], str]] = {
    "html": _html,
    "json": _json,
    "markdown": _markdown,
    "terminal": _terminal,
}
"""Every format a report can be drawn in. The libraries behind a format are imported when it is drawn."""


def draw(report: Report, format_name: str) -> str:
    """Return the report drawn in one of `FORMATS`, ending with a newline.

    `terminal` is plain text of 80 columns here; a command with a live console calls `terminal.render_terminal`.
    Raises UsageError for a format that does not exist.
    """
    if format_name not in FORMATS:
        raise UsageError(f"there is no report format {format_name!r}", hint=f"choose one of {', '.join(FORMATS)}")
    return FORMATS[format_name](report)


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8 so that the file is there whole or not at all; an existing file is replaced.

    The text goes to a temporary file in the same folder, reaches the disk, and is renamed. Raises InfercostError when
    the folder is missing or not writable, or the disk is full; nothing is left behind then.
    """
    if path.is_dir():
        raise InfercostError(f"{path} is a folder", hint="name a file in it, for example with --output report.html")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InfercostError(
            f"{path} could not be written: {error.strerror or error}",
            hint="name a file in an existing folder that you may write to, with --output",
        ) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
