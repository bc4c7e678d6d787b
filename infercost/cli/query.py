"""`infercost sql` and `infercost query`: ask the store."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infercost import config
from infercost.cli.options import (
    AtCommitOption,
    ConfigOption,
    OutputOption,
    PricesOption,
    StoreOption,
    UntilOption,
    columns,
    open_reading,
)
from infercost.cli.output import DataFormat, write_result
from infercost.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infercost.analyze.queries import Query

FormatOption = Annotated[DataFormat, typer.Option("--format", "-f", metavar="FORM", help=f"{', '.join(DataFormat)}.")]


def sql(
    statement: Annotated[
        str | None, typer.Argument(metavar="SQL", help="One SELECT; - reads it from standard input.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Read the SELECT from FILE.")] = None,
    form: FormatOption = DataFormat.TABLE,
    output: OutputOption = None,
    prices: PricesOption = "stored",
    at_commit: AtCommitOption = None,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Run one read-only SELECT over the store (DuckDB SQL).

    Tables: infercost sql "show tables"; columns: infercost sql "describe NAME".

    Examples:
    infercost sql "select feature, sum(effective_cost) from attempts group by all"
    infercost sql "from rejects"
    infercost sql --file question.sql --format csv
    """
    from infercost.analyze.database import connect, select

    text = _statement(statement, file)
    with connect(open_reading(store, config.load(settings_file), at_commit, prices)) as connection:
        write_result(select(connection, text), form, output)


def _statement(statement: str | None, file: Path | None) -> str:
    if (statement is None) == (file is None):
        raise UsageError("give one SELECT", hint="As an argument, with --file FILE, or - for standard input.")
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{file}: {error.strerror}") from error
    return sys.stdin.read() if statement == "-" else str(statement)


def query(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Name of a query; without it they are listed.")
    ] = None,
    since: Annotated[str, typer.Option("--since", metavar="WHEN", help="30d, 12h, a date or a timestamp.")] = "30d",
    until: UntilOption = None,
    compare: Annotated[
        str,
        typer.Option(
            "--compare", metavar="WHAT", help="Baseline of queries that compare: previous, or its first date."
        ),
    ] = "previous",
    by: Annotated[
        str | None, typer.Option("--by", metavar="COLUMNS", help="Columns to group by, joined with commas.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows of queries that list the largest.")] = 20,
    token_budget: Annotated[
        int | None,
        typer.Option("--token-budget", min=1, metavar="TOKENS", help="Of session_tokens: what each may take."),
    ] = None,
    bucket: Annotated[
        str,
        typer.Option("--bucket", metavar="LENGTH", help="Of signals: 5min, hour, day, or window for all of it."),
    ] = "day",
    form: FormatOption = DataFormat.TABLE,
    output: OutputOption = None,
    prices: PricesOption = "stored",
    at_commit: AtCommitOption = None,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Run one of the packaged queries, or list them with what they answer.

    Examples:
    infercost query
    infercost query cost_by_feature --since 7d
    infercost query cost_drift --by cohort --since 30d --format csv
    infercost query retry_rate --by route --bucket hour --since 2d
    infercost query sessions --since 7d
    infercost query session_tokens --since 7d --token-budget 200000
    """
    from infercost.analyze import queries

    if name is None:
        _list(queries.catalog())
        return
    from infercost.analyze.ask import ask

    settings = config.load(settings_file)
    found = ask(
        open_reading(store, settings, at_commit, prices),
        settings,
        name,
        since=since,
        until=until,
        compare=compare,
        by=by and columns(by),
        more={"limit": limit, "bucket": bucket, "token_budget": token_budget},
    )
    write_result(found, form, output)


def _list(catalog: "Mapping[str, Query]") -> None:
    from infercost.analyze import queries
    from infercost.cli.tables import print_terms

    width = max(map(len, catalog))
    for folder in sorted({each.folder for each in catalog.values()}):
        sys.stdout.write(f"{folder}\n")
        found = [each for each in catalog.values() if each.folder == folder]
        print_terms([(each.name, each.question) for each in found], indent=2, width=width)
    sys.stdout.write("views (rows that began in the window, dearest first)\n")
    sys.stdout.write(f"  {', '.join(queries.LISTED_VIEWS)}\n")
    sys.stdout.write("\nRows, parameters and columns of each: docs/queries.md\n")
