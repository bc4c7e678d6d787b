"""`infercost explain`: which drivers changed the spend, in dollars that add up."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from infercost import clock, config
from infercost.cli.options import AtCommitOption, ConfigOption, OutputOption, PricesOption, StoreOption, open_reading

if TYPE_CHECKING:
    from infercost.analyze.explanation import Explanation


class ExplainFormat(StrEnum):
    """How an explanation is drawn."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"


SHORT_NAMES = {"provider": "provider_name", "tier": "model_tier", "response_model": "model"}
"""Short names that --by and --where take for dimensions."""


def explain(
    since: Annotated[str, typer.Option("--since", metavar="WHEN", help="7d, 12h, a date or a timestamp.")] = "7d",
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="End of the window; default now.")
    ] = None,
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
    infercost explain --since 2026-11-01 --until 2026-11-07 --format json
    """
    from infercost.analyze.explain import make_explanation

    settings = config.load(settings_file)
    made = make_explanation(
        open_reading(store, settings, at_commit, prices),
        settings,
        since=since,
        until=until,
        compare=compare,
        by=_names(by),
        where=tuple(full_condition(each) for each in where or ()),
        now=clock.now(),
    )
    _print(made, form, output)


def _names(by: str) -> str:
    return ",".join("+".join(_name(each) for each in table.split("+")) for table in by.split(","))


def full_condition(text: str) -> str:
    """Return a condition with the short name of its dimension in full."""
    name, equals, value = text.partition("=")
    return f"{_name(name)}{equals}{value}"


def _name(name: str) -> str:
    return SHORT_NAMES.get(name.strip(), name.strip())


def _print(made: "Explanation", form: ExplainFormat, output: object) -> None:
    from infercost.cli.output import write_text
    from infercost.render import explanation as draw

    if form is ExplainFormat.TERMINAL and output is None:
        from rich.console import Console

        draw.render_terminal(made, Console())
        return
    drawn = {
        ExplainFormat.TERMINAL: draw.terminal_text,
        ExplainFormat.JSON: draw.json_text,
        ExplainFormat.MARKDOWN: draw.markdown_text,
    }
    write_text(drawn[form](made), output)  # type: ignore[arg-type]
