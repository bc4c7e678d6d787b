"""`infercost reconcile`: bills against the logs."""

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from infercost import clock, config
from infercost.cli import diagnostics
from infercost.cli.options import ConfigOption, OutputOption, StoreOption, open_store
from infercost.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from infercost.analyze.bill_gaps import Reconciliation
    from infercost.config import Config


class ReconcileFormat(StrEnum):
    """How a reconciliation is drawn."""

    TERMINAL = "terminal"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def reconcile(
    bills: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BILL]...", help="Bill files to read into the store first; else the bills that it holds."
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="30d, a date or a timestamp; else all that is billed.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="End of the window; default the end of the bills.")
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="COLUMNS",
            help="day, provider, model, kind, joined with commas; default day,model,kind, with several "
            "providers day,provider,model,kind.",
        ),
    ] = "",
    tolerance: Annotated[
        str,
        typer.Option("--tolerance", metavar="USD", help="Gap of a row up to which it is rounding, such as 0.01."),
    ] = "0",
    form: Annotated[
        ReconcileFormat, typer.Option("--format", "-f", metavar="FORM", help=f"{', '.join(ReconcileFormat)}.")
    ] = ReconcileFormat.TERMINAL,
    output: OutputOption = None,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Hold the bills of providers against the logs, and say what makes the gap, to the picodollar.

    Bills: OpenAI costs and usage, Anthropic cost and usage reports and console
    CSV, AWS CUR, FOCUS, DeepSeek, OpenRouter, Vercel. Days are those of the bill.

    Examples:
    infercost reconcile bills/2026-10*.json
    infercost reconcile --since 2026-10-01 --until 2026-10-31 --by provider,model
    infercost reconcile --format csv --output gaps.csv
    """
    from infercost.analyze.reconcile import reconcile_store

    settings = config.load(settings_file)
    allowed = _amount(tolerance)
    chosen = _columns(by)
    is_partial = bool(bills) and _ingest(bills or [], store, settings)
    found = reconcile_store(
        open_store(store, settings), settings, since=since, until=until, tolerance=allowed, now=clock.now()
    )
    _print(found, chosen or _default_columns(found), form, output)
    if is_partial:
        raise typer.Exit(ExitCode.PARTLY_REJECTED)


def _ingest(bills: list[str], store: "Path | None", settings: "Config") -> bool:
    """Read the bills into the store, as `infercost ingest logs` does; return whether a part could not be used."""
    from infercost.cli.ingest import tell
    from infercost.cli.options import store_folder
    from infercost.cli.progress import reporter
    from infercost.ingest.pipeline import ingest
    from infercost.store import Store

    with reporter() as progress:
        result = ingest(bills, Store.create(store_folder(store, settings)), settings, progress=progress)
    tell(result)
    for each in result.files:
        if each.attempts:
            diagnostics.warn(f"{each.source_file}: {each.format} is a log and no bill; its calls are in the store now")
    return result.partly_rejected


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not (amount.is_finite() and 0 <= amount < 1_000_000):
        raise UsageError(
            f"--tolerance {text}: not an amount of US dollars", hint="allowed: 0 and more, such as 0.005 or 1"
        )
    return amount


def _columns(by: str) -> tuple[str, ...]:
    from infercost.analyze.bill_gaps import COLUMNS

    names = tuple(name.strip() for name in by.replace("+", ",").split(",") if name.strip())
    for name in names:
        if name not in COLUMNS or names.count(name) > 1:
            fault = "twice" if names.count(name) > 1 else "is no column of a reconciliation"
            raise UsageError(f"--by {by}: {name} {fault}", hint=f"allowed: {', '.join(COLUMNS)}, each once")
    return names


def _default_columns(found: "Reconciliation") -> tuple[str, ...]:
    return ("day", "provider", "model", "kind") if len(found.sellers) > 1 else ("day", "model", "kind")


def _print(found: "Reconciliation", by: tuple[str, ...], form: ReconcileFormat, output: "Path | None") -> None:
    from infercost.cli.output import print_drawn
    from infercost.render import reconcile as draw

    print_drawn(
        form,
        output,
        partial(draw.render_terminal, found, by),
        {
            ReconcileFormat.TERMINAL: partial(draw.terminal_text, found, by),
            ReconcileFormat.JSON: partial(draw.json_text, found, by),
            ReconcileFormat.CSV: partial(draw.csv_text, found, by),
            ReconcileFormat.MARKDOWN: partial(draw.markdown_text, found, by),
        },
    )
