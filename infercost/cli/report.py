"""`infercost report`: this window against the one before it."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from infercost import clock, config
from infercost.cli import diagnostics
from infercost.cli.options import (
    AtCommitOption,
    ConfigOption,
    PricesOption,
    StoreOption,
    UntilOption,
    columns,
    open_reading,
)

DEFAULT_HTML = Path("infercost-report.html")


class ReportFormat(StrEnum):
    """How a report is drawn."""

    HTML = "html"
    JSON = "json"
    MARKDOWN = "markdown"
    TERMINAL = "terminal"


def report(
    since: Annotated[str, typer.Option("--since", metavar="WHEN", help="30d, 12h, a date or a timestamp.")] = "30d",
    until: UntilOption = None,
    compare: Annotated[
        str, typer.Option("--compare", metavar="WHAT", help="Baseline: previous, none, or the date it begins.")
    ] = "previous",
    by: Annotated[
        str,
        typer.Option(
            "--by", metavar="COLUMNS", help="Tables, joined with commas; feature+model is one table of two columns."
        ),
    ] = "feature,cohort,route,model",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help=f"Write to FILE (html: default {DEFAULT_HTML})."),
    ] = None,
    form: Annotated[
        ReportFormat, typer.Option("--format", "-f", metavar="FORM", help=f"{', '.join(ReportFormat)}.")
    ] = ReportFormat.HTML,
    prices: PricesOption = "stored",
    at_commit: AtCommitOption = None,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Explain a window's spend against the window before it, over complete days in the configured zone.

    html: the page goes to a file, its path to stdout, a summary to stderr.

    Examples:
    infercost report --since 30d
    infercost report --since 2026-11-01 --by feature,team --format markdown
    infercost report --since 7d --until 2026-11-18 --by feature+model
    infercost report --since 30d --prices as-of=2026-11-01
    """
    from infercost.analyze.ask import make_report
    from infercost.cli.output import write_text
    from infercost.render import draw

    settings = config.load(settings_file)
    made = make_report(
        open_reading(store, settings, at_commit, prices),
        settings,
        since=since,
        until=until,
        compare=compare,
        by=columns(by),
        now=clock.now(),
    )
    if form is ReportFormat.HTML:
        target = output or DEFAULT_HTML
        write_text(draw(made, "html"), target)
        summarize(made)
        typer.echo(str(target))
        return
    if form is ReportFormat.TERMINAL and output is None:
        from rich.console import Console

        from infercost.render.terminal import render_terminal

        render_terminal(made, Console())
        return
    write_text(draw(made, form.value), output)


def summarize(made: object) -> None:
    """Draw the report's summary on stderr."""
    from rich.console import Console

    from infercost.render.terminal import render_terminal

    render_terminal(made, Console(stderr=True))  # type: ignore[arg-type]
    diagnostics.say("")
