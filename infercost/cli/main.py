"""Entry point of the command line; turns every error of the tree into its exit code, in this one place."""

import os
import sys
from typing import Annotated

import typer

from infercost import __version__
from infercost.cli import (
    check,
    diagnostics,
    explain,
    explain_cost,
    formats,
    ingest,
    init,
    prices,
    query,
    reattribute,
    reconcile,
    report,
    reprice,
    status,
    whatif,
)
from infercost.errors import EXIT_CODE_MEANING, InfercostError

READ = "Read logs"
ASK = "Ask the store"

# Lines of a paragraph keep their breaks in a help text, so each exit code stands on its own line.
_EPILOG = "Exit codes:\n" + "\n".join(f"{code.value}  {meaning}" for code, meaning in EXIT_CODE_MEANING.items())

app = typer.Typer(
    name="infercost",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(*, wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"infercost {__version__}\n")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=lambda value: _version(wanted=value), is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Why did our inference bill change? Cost attribution for LLM spend, from logs that you already have.

    Example: infercost ingest logs logs/ && infercost report --since 30d
    """


app.command(name="init", rich_help_panel=READ)(init.init)
app.add_typer(ingest.app, name="ingest", rich_help_panel=READ)
app.command(name="reattribute", rich_help_panel=READ)(reattribute.reattribute)
app.command(name="reprice", rich_help_panel=READ)(reprice.reprice)
app.add_typer(formats.app, name="formats", rich_help_panel=READ)
app.command(name="report", rich_help_panel=ASK)(report.report)
app.command(name="explain", rich_help_panel=ASK)(explain.explain)
app.command(name="check", rich_help_panel=ASK)(check.check)
app.command(name="whatif", rich_help_panel=ASK)(whatif.whatif)
app.command(name="reconcile", rich_help_panel=ASK)(reconcile.reconcile)
app.command(name="query", rich_help_panel=ASK)(query.query)
app.command(name="sql", rich_help_panel=ASK)(query.sql)
app.command(name="explain-cost", rich_help_panel=ASK)(explain_cost.explain_cost)
app.add_typer(prices.app, name="prices", rich_help_panel=ASK)
app.command(name="status", rich_help_panel=ASK)(status.status)


def run() -> None:
    """Run the command line and leave with the exit code that docs/exit-codes.md lists."""
    try:
        _run_and_flush()
    except InfercostError as error:
        sys.exit(diagnostics.fail(error))
    except BrokenPipeError:
        _leave_quietly()
    except SystemExit as left:
        # Typer answers a closed pipe with exit code 1; the pipe is then the reason for leaving.
        if isinstance(left.__context__, BrokenPipeError):
            _leave_quietly()
        raise


def _run_and_flush() -> None:
    try:
        app()
    finally:
        # What is still buffered is written here, where a closed pipe can be answered, and not at the exit.
        sys.stdout.flush()


def _leave_quietly() -> None:
    """Leave with 0: the reader of our output has gone (`| head`), which is its choice and not an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    sys.exit(0)
