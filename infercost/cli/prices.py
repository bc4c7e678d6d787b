"""`infercost prices`: what is priced by what, what differs between books, and what has no price."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infercost import assets, clock, config
from infercost.cli import diagnostics
from infercost.cli.options import ConfigOption, OutputOption, StoreOption, open_store
from infercost.cli.output import DataFormat, write_result
from infercost.errors import ExitCode, NoDataError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from infercost.config import Config

app = typer.Typer(no_args_is_help=True)

FormatOption = Annotated[
    DataFormat,
    typer.Option(
        "--format",
        "-f",
        metavar="FORM",
        help=f"{', '.join(DataFormat)}. table and markdown: USD per million tokens; the others: every column, exact.",
    ),
]
BookOption = Annotated[
    str | None,
    typer.Option("--book", metavar="BOOK", help="installed, a book of the store, or a file; else as logs are priced."),
]
PEOPLE = (DataFormat.TABLE, DataFormat.MARKDOWN)


@app.callback()
def prices() -> None:
    """Look at prices: what a model costs and cost, what a book changes, what has no price.

    Example: infercost prices missing
    """


@app.command("list")
def list_prices(
    provider: Annotated[str | None, typer.Option("--provider", metavar="NAME", help="Provider in the book.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="GLOB", help="Models, such as claude-*.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="WHEN", help="In force then; all = every dated row; default now.")
    ] = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Instead: logged names, and what each is priced as and how.")
    ] = False,
    book: BookOption = None,
    form: FormatOption = DataFormat.TABLE,
    output: OutputOption = None,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """List prices, by the installed book and the overrides of infercost.toml unless --book names another.

    Examples:
    infercost prices list --provider anthropic --model "claude-*"
    infercost prices list --at all --format parquet --output book.parquet
    infercost prices list --resolved
    """
    from infercost.analyze import price_list, windows

    settings = config.load(settings_file)
    if resolved:
        from infercost.analyze.database import connect
        from infercost.analyze.missing import resolved as names

        with connect(open_store(store, settings)) as connection:
            write_result(names(connection), form, output)
        return
    moment = None if at == "all" else windows.moment(at, settings.zone, "--at") if at else clock.now()
    rows = price_list.select_prices(_book(book, store, settings), price_list.Wanted(provider, model, moment))
    if not len(rows):
        raise NoDataError("no price is like this", hint="Try --at all, or a wider --model: infercost prices list.")
    write_result(price_list.for_people(rows) if form in PEOPLE else rows, form, output)


@app.command("show")
def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model as a log names it.")],
    provider: Annotated[
        str | None, typer.Option("--provider", metavar="NAME", help="Provider as a log names it.")
    ] = None,
    form: FormatOption = DataFormat.TABLE,
    output: OutputOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Show every dated price of one model, after resolving its name as that of a log; how, goes to stderr.

    Examples:
    infercost prices show claude-sonnet-4-5
    infercost prices show us.anthropic.claude-haiku-4-5 --provider bedrock
    """
    from infercost.analyze import price_list
    from infercost.pricing.resolve import ModelName, resolve
    from infercost.pricing.suggest import nearest
    from infercost.render.cost import method_text

    settings = config.load(settings_file)
    book = _book(None, None, settings)
    (found,) = resolve([ModelName(provider, model)], settings.aliases, settings.price_overrides)
    if found.provider is None or found.model is None or found.method is None:
        models = set(zip(book["provider"].to_pylist(), book["model"].to_pylist(), strict=True))
        alike = ", ".join(f"{seller}/{name}" for seller, name in nearest(provider, model, sorted(models)))
        raise NoDataError(
            f"{model!r} of provider {provider or '(not logged)'} names no model of the book, and is not priced",
            hint=f"Names alike: {alike or 'none'}. Say with [[prices.alias]] which it is, or give it a price.",
        )
    diagnostics.say(f"{found.provider} / {found.model}, by {found.method}: {method_text(found.method)}")
    rows = price_list.exact_prices(book, found.provider, found.model)
    write_result(price_list.for_people(rows, sources=True) if form in PEOPLE else rows, form, output)


@app.command("diff")
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="installed, a book of the store, or a file.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The same, to compare with.")],
    form: FormatOption = DataFormat.TABLE,
    output: OutputOption = None,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Show which prices B adds, retires and changes against A, from when on and by how much.

    Examples:
    infercost prices diff "genai-prices 0.2.2" installed
    infercost prices diff installed book.csv --format csv
    """
    settings = config.load(settings_file)
    _write_diff(_book(before, store, settings), _book(after, store, settings), form, output)


@app.command("update")
def update(
    file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A book from prices list --at all (CSV, Parquet).")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the file's book; else as it says.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Add the file's book to the store.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show; so it is without --yes too.")] = False,
    form: FormatOption = DataFormat.TABLE,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Show what newer prices change, and add a book from a file; nothing is downloaded, no stored cost moves.

    Without --from: the newest book of the store against the installed one.

    Examples:
    infercost prices update
    infercost prices update --from book.csv --name contract-2027 --yes
    """
    settings = config.load(settings_file)
    if yes and (dry_run or file is None):
        raise UsageError("--yes adds the book of --from FILE", hint="Give --from FILE, without --dry-run.")
    if file is None:
        _installed_against_stored(settings, store, form)
        return
    from infercost.ingest import price_books

    opened = open_store(store, settings)
    new = price_books.read_new_book(opened, file, name)
    _write_diff(_book("installed", store, settings), new, form, None)
    if not yes:
        diagnostics.say("not added: give --yes to add it to the store")
        return
    added = price_books.add_book(opened, file, name)
    diagnostics.say(
        f"{added.new:,} of {added.rows:,} rows added; stored costs are as they were: "
        f'infercost reprice --book "{price_books.names_of(new)}" --dry-run'
    )


def _installed_against_stored(settings: "Config", store: Path | None, form: DataFormat) -> None:
    from infercost.analyze.database import connect
    from infercost.pricing import books

    diagnostics.say(f"installed: {books.installed_name()}")
    diagnostics.say("a newer release: pip install --upgrade genai-prices")
    with connect(open_store(store, settings)) as connection:
        known = books.newest_books(connection)
        if not known:
            diagnostics.say("the store has no prices yet")
            return
        stored = books.find_book(known, None, connection)
    diagnostics.say(f"the newest of the store: {known}")
    _write_diff(stored, _book("installed", store, settings), form, None)


@app.command("check")
def check(
    form: FormatOption = DataFormat.TABLE,
    output: OutputOption = None,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Check the book, overrides and aliases, and stored costs against both; exit code 6 when something is bad.

    Example: infercost prices check
    """
    import pyarrow as pa

    from infercost.analyze.database import connect
    from infercost.analyze.price_check import check_prices

    settings = config.load(settings_file)
    with connect(open_store(store, settings)) as connection:
        found = check_prices(connection, settings, clock.now())
    rows = [{"check": each.check, "state": each.state, "detail": each.detail} for each in found]
    write_result(pa.Table.from_pylist(rows), form, output)
    if any(each.state == "bad" for each in found):
        raise typer.Exit(ExitCode.CHECK_FAILED)


@app.command("missing")
def missing(
    toml: Annotated[bool, typer.Option("--toml", help="Print lines for infercost.toml, commented out.")] = False,
    form: FormatOption = DataFormat.TABLE,
    output: OutputOption = None,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """List the logged models without a price, with names of the book that are alike (a hint, never used).

    Examples:
    infercost prices missing
    infercost prices missing --toml >> infercost.toml
    """
    import pyarrow as pa

    from infercost.analyze import missing as analysis
    from infercost.analyze.database import connect

    settings = config.load(settings_file)
    with connect(open_store(store, settings)) as connection:
        found = analysis.missing(connection)
    if not found:
        diagnostics.say("every attempt with tokens has a price")
        return
    if toml:
        from infercost.cli.output import write_text

        write_text(analysis.snippet(found), output)
        return
    rows = [
        {
            "provider_name": each.provider_name,
            "price_model": each.price_model,
            "attempts": each.attempts,
            "tokens": each.tokens,
            "first_seen": each.first_seen.date(),
            "last_seen": each.last_seen.date(),
            "why": "a rate is missing" if each.known else "unknown name",
            "names_alike": ", ".join("/".join(pair) for pair in each.suggestions),
        }
        for each in found
    ]
    write_result(pa.Table.from_pylist(rows), form, output)
    diagnostics.say("for infercost.toml: infercost prices missing --toml; then: infercost reprice")


def _book(name: str | None, store: Path | None, settings: "Config") -> "pa.Table":
    """Return a book by its name; None is what logs are priced by: the installed one with the overrides."""
    from infercost.pricing import books
    from infercost.pricing.overrides import with_overrides

    cache = assets.cache_folder()
    if name is None:
        return with_overrides(books.find_book(books.INSTALLED, cache), settings.price_overrides)
    if books.needs_store(name):
        from infercost.analyze.database import connect

        with connect(open_store(store, settings)) as connection:
            return books.find_book(name, cache, connection)
    return books.find_book(name, cache)


def _write_diff(before: "pa.Table", after: "pa.Table", form: DataFormat, output: Path | None) -> None:
    from infercost.analyze.price_list import diff_books

    found = diff_books(before, after)
    if len(found) or form not in PEOPLE:
        write_result(found, form, output)
        sys.stdout.flush()
    states = found["status"].to_pylist()
    models = set(zip(states, found["provider"].to_pylist(), found["model"].to_pylist(), strict=True))
    counts = {state: sum(1 for each in models if each[0] == state) for state in ("added", "retired", "changed")}
    told = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    diagnostics.say(f"models with prices that are: {told}" if models else "no price differs")
