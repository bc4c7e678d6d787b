"""Entry point of the command line; turns every error of the tree into its exit code, in this one place."""

import os
import sys
from typing import Annotated

import typer

from infercost import __version__
from infercost.cli import diagnostics, formats, ingest, init, query, reattribute, report, status
from infercost.errors import EXIT_CODE_MEANING, InfercostError

_EPILOG = "Exit codes: " + "; ".join(f"{code.value} {meaning}" for code, meaning in EXIT_CODE_MEANING.items()) + "."

app = typer.Typer(
    name="infercost",
    help="Why did our inference bill change? Cost attribution for LLM spend, from logs that you already have.",
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
    """Why did our inference bill change? Cost attribution for LLM spend, from logs that you already have."""


app.command(name="init")(init.init)
app.add_typer(ingest.app, name="ingest")
app.command(name="report")(report.report)
app.command(name="sql")(query.sql)
app.command(name="query")(query.query)
app.command(name="status")(status.status)
app.command(name="reattribute")(reattribute.reattribute)
app.command(name="formats")(formats.formats)


def run() -> None:
    """Run the command line and leave with the exit code that docs/exit-codes.md lists."""
    try:
        app()
    except InfercostError as error:
        sys.exit(diagnostics.fail(error))
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); that is its choice, not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
