"""`infercost explain`: which drivers changed the spend, in dollars that add up."""

from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from infercost import clock, config
from infercost.cli.options import (
    COLUMN_ALIASES,
    AtCommitOption,
    ConfigOption,
    OutputOption,
    PricesOption,
    StoreOption,
    UntilOption,
    columns,
    open_reading,
)


class ExplainFormat(StrEnum):
    """How an explanation is drawn."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"


SHORT_NAMES = {"response_model": "model"} | {name: COLUMN_ALIASES[name] for name in ("provider", "tier")}
"""Short names that --by and --where take for dimensions."""


def explain(
    since: Annotated[str, typer.Option("--since", metavar="WHEN", help="7d, 12h, a date or a timestamp.")] = "7d",
    until: UntilOption = None,
    compare: Annotated[
        str,
        typer.Option(
            "--compare", metavar="WHAT", help="Baseline: previous, a span before the window such as 4w, or its start."
        ),
    ] = "previous",
    by: Annotated[
        str,
        typer.Option(
            "--by", metavar="DIMENSIONS", help="Tables, joined with commas; feature+model is one table of two."
        ),
    ] = "feature,route",
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="DIMENSION=VALUE", help="Only this part of the spend; may be repeated."),
    ] = None,
    form: Annotated[
        ExplainFormat, typer.Option("--format", "-f", metavar="FORM", help=f"{', '.join(ExplainFormat)}.")
    ] = ExplainFormat.TERMINAL,
    output: OutputOption = None,
    prices: PricesOption = "stored",
    at_commit: AtCommitOption = None,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Explain why spend changed: every dollar of the change booked to a driver, with nothing left over.

    Drivers: request volume, mix, new features, gateway cache, retries, prompt length,
    routing, prompt cache, output, reasoning, service tier, list price, discount.

    Examples:
    infercost explain --since 7d
    infercost explain --since 7d --compare 4w --by feature,route
    infercost explain --since 30d --where feature=search --where cohort=pro
    infercost explain --since 2d --by hour,session_class
    infercost explain --since 2026-11-01 --until 2026-11-07 --format json
    """
    from infercost.analyze.explain import make_explanation
    from infercost.cli.output import print_drawn
    from infercost.render import explanation as draw

    settings = config.load(settings_file)
    made = make_explanation(
        open_reading(store, settings, at_commit, prices),
        settings,
        since=since,
        until=until,
        compare=compare,
        by=columns(by, SHORT_NAMES),
        where=tuple(full_condition(each) for each in where or ()),
        now=clock.now(),
    )
    print_drawn(
        form,
        output,
        partial(draw.render_terminal, made),
        {
            ExplainFormat.TERMINAL: partial(draw.terminal_text, made),
            ExplainFormat.JSON: partial(draw.json_text, made),
            ExplainFormat.MARKDOWN: partial(draw.markdown_text, made),
        },
    )


def full_condition(text: str) -> str:
    """Return a condition with the short name of its dimension in full."""
    name, equals, value = text.partition("=")
    return f"{columns(name, SHORT_NAMES)}{equals}{value}"
