"""`infercost check`: limits, budgets and signals as of now, with an exit code that cron and CI can act on."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infercost import clock, config
from infercost.cli import diagnostics, webhook
from infercost.cli.options import ConfigOption, StoreOption, open_store
from infercost.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from infercost.analyze.findings import Checked
    from infercost.analyze.incidents import Memory
    from infercost.config import Config

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
"""Names the file that GitHub Actions shows as a step's summary."""

_VERSION = 1


class CheckFormat(StrEnum):
    """How a check is drawn."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    GITHUB = "github"
    PROMETHEUS = "prometheus"


def check(
    form: Annotated[
        CheckFormat, typer.Option("--format", "-f", metavar="FORM", help=f"{', '.join(CheckFormat)}.")
    ] = CheckFormat.TERMINAL,
    write: Annotated[
        list[str] | None,
        typer.Option("--write", metavar="FORM=FILE", help="Write to FILE too, in a form; may be repeated."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only when something differs from the check before.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Remember nothing, and show what webhooks would be sent on stderr.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Tell everything that fires, as if nothing had been told before.")
    ] = False,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Check limits, budgets and leading signals, and say why what fired did.

    Exit code 0: fine, or told before. 6: something is new or worse. 7: could not tell.

    Examples:
    infercost ingest logs logs/ && infercost check
    infercost check --quiet
    infercost check --format github
    infercost check --write junit=check.xml --write prometheus=infercost.prom
    infercost check --dry-run
    """
    from dataclasses import replace

    from infercost.analyze import incidents
    from infercost.analyze.check import FOLDER, make_check
    from infercost.store import notes

    files = [_file(text) for text in write or ()]
    settings = config.load(settings_file)
    opened = open_store(store, settings)
    with notes.alone(opened.folder / FOLDER, "infercost check"):
        told = opened.folder / FOLDER / "told.json"
        memory = replace(_remembered(notes.read(told)), is_fresh=fresh)
        made, kept = incidents.compare(make_check(opened, settings, clock.now(), memory), memory)
        if made.is_news or not quiet:
            _print(made, form)
        for name, file in files:
            _write(made, name, file)
        # What did not arrive is told again by the next run: twice is better than never.
        if _tell(made, settings, is_dry=dry_run) and not dry_run:
            notes.write(told, _note(kept))
    raise typer.Exit(_code(made))


def _note(kept: "Memory") -> dict[str, Any]:
    """Return what is remembered until the next check."""
    from infercost.render.json import plain

    told = {key: {**plain(each), "parts": sorted(each.parts)} for key, each in kept.told.items()}
    return {"version": _VERSION, "told": told, "unknown": sorted(kept.unknown)}


def _remembered(note: Any) -> "Memory":
    """Return what an earlier check told; a note of another version, or one that was damaged, tells nothing."""
    from datetime import datetime

    from infercost.analyze.findings import Kind
    from infercost.analyze.incidents import Memory, Told

    if note.get("version") != _VERSION:
        return Memory()
    try:
        told = {
            key: Told(
                datetime.fromisoformat(each["first"]),
                float(each["size"]),
                each["title"],
                Kind(each["kind"]),
                frozenset(each["parts"]),
                each.get("follows"),
            )
            for key, each in note["told"].items()
        }
        return Memory(told, frozenset(note["unknown"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        return Memory()


def _file(text: str) -> tuple[str, Path]:
    form, equals, path = text.partition("=")
    if not equals or not path or form not in list(CheckFormat):
        raise UsageError(f"--write {text}: not FORM=FILE", hint=f"forms: {', '.join(CheckFormat)}")
    return form, Path(path)


def _print(made: "Checked", form: CheckFormat) -> None:
    from functools import partial

    from infercost.cli.output import print_drawn
    from infercost.render.check import markdown_text, render_terminal
    from infercost.render.check_files import FILES

    print_drawn(form, None, partial(render_terminal, made), {name: partial(draw, made) for name, draw in FILES.items()})
    summary = os.environ.get(SUMMARY_VARIABLE)
    if form is CheckFormat.GITHUB and summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown_text(made))


def _write(made: "Checked", form: str, file: Path) -> None:
    from infercost.cli.output import write_text
    from infercost.render.check_files import FILES

    write_text(FILES[form](made), file)


def _tell(made: "Checked", settings: "Config", *, is_dry: bool) -> bool:
    """Send webhooks where something is new, worse or over; return whether all arrived, and warn of the others."""
    from infercost.config.check import SLACK
    from infercost.render.check_files import json_text, slack_payload

    if not made.is_news:
        return True
    problems = 0
    for hook in settings.check.webhooks:
        body = slack_payload(made) if hook.form == SLACK else json_text(made)
        if is_dry:
            diagnostics.say(f"would be sent to {webhook.shown(hook.url)}: {body.rstrip()}")
        elif problem := webhook.post(hook.url, body):
            problems += 1
            diagnostics.warn(f"webhook {webhook.shown(hook.url)}: {problem}; the next check tells it again")
    return not problems


def _code(made: "Checked") -> int:
    from infercost.analyze.findings import Outcome

    if made.is_alarm:
        return ExitCode.CHECK_FAILED
    return ExitCode.COULD_NOT_TELL if made.of(Outcome.UNKNOWN) else ExitCode.OK
