"""`infercost whatif`: what the spend would have been, had something been otherwise."""

from functools import partial
from typing import Annotated

import typer

from infercost import clock, config
from infercost.cli.explain import ExplainFormat, full_condition
from infercost.cli.options import AtCommitOption, ConfigOption, OutputOption, StoreOption, UntilOption, open_reading


def whatif(
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A quantity: 60% is the new value, +10% or -10% a change relative to what it is; repeatable.",
        ),
    ] = None,
    moves: Annotated[
        list[str] | None,
        typer.Option("--move-model", metavar="MODEL=OTHER", help="Price what one model did as another; repeatable."),
    ] = None,
    prices: Annotated[
        str, typer.Option("--prices", metavar="WHICH", help="stored, latest, or as-of=DATE such as as-of=2026-11-01.")
    ] = "stored",
    no_retries: Annotated[
        bool, typer.Option("--no-retries", help="Every request answered at first, by the first choice.")
    ] = False,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="DIMENSION=VALUE", help="Change only this part of the spend; repeatable."),
    ] = None,
    since: Annotated[str, typer.Option("--since", metavar="WHEN", help="30d, 12h, a date or a timestamp.")] = "30d",
    until: UntilOption = None,
    form: Annotated[
        ExplainFormat, typer.Option("--format", "-f", metavar="FORM", help=f"{', '.join(ExplainFormat)}.")
    ] = ExplainFormat.TERMINAL,
    output: OutputOption = None,
    at_commit: AtCommitOption = None,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Say what a window would have cost had something been otherwise, in dollars and dollars a month.

    To set: cache_hit_rate, gateway_cache_rate, retry_rate, batch_share, discount,
    volume, prompt_length, output_length, reasoning. A value with a sign is a change
    relative to the present value, one without a sign is the new value.

    Examples:
    infercost whatif --set cache_hit_rate=60% --where feature=search
    infercost whatif --set prompt_length=-20% --no-retries
    infercost whatif --move-model gpt-5.5=gpt-5.4-mini --where cohort=free
    infercost whatif --set batch_share=80% --where feature=doc_summarize
    infercost whatif --prices as-of=2026-09-01 --since 7d
    """
    from infercost.analyze.whatif import parse_wish, what_if
    from infercost.cli.output import print_drawn
    from infercost.render import whatif as draw

    chosen = config.load(settings_file)
    wish = parse_wish(
        tuple(settings or ()),
        tuple(moves or ()),
        prices,
        tuple(full_condition(each) for each in where or ()),
        no_retries=no_retries,
    )
    reading = open_reading(store, chosen, at_commit, "stored")
    answer = what_if(reading, chosen, wish, since=since, until=until, now=clock.now())
    print_drawn(
        form,
        output,
        partial(draw.render_terminal, answer),
        {
            ExplainFormat.TERMINAL: partial(draw.terminal_text, answer),
            ExplainFormat.JSON: partial(draw.json_text, answer),
            ExplainFormat.MARKDOWN: partial(draw.markdown_text, answer),
        },
    )
