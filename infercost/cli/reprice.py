"""`infercost reprice`: apply another price book, or changed prices of one's own, to what is stored."""

from typing import TYPE_CHECKING, Annotated

import typer

from infercost import config
from infercost.cli import diagnostics
from infercost.cli.options import ConfigOption, StoreOption, open_store
from infercost.cli.output import DataFormat, write_result

if TYPE_CHECKING:
    import pyarrow as pa

    from infercost.ingest.reprice import ModelChange, Repricing
    from infercost.store import Store


def reprice(
    book: Annotated[
        str, typer.Option("--book", metavar="BOOK", help="installed, a book of the store (names with commas), a file.")
    ] = "installed",
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="Attempts that began then or later; a date or time.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="Attempts that began before then; a date or time.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    history: Annotated[
        bool, typer.Option("--history", help="Instead: the commits whose figures can be read again.")
    ] = False,
    form: Annotated[
        DataFormat, typer.Option("--format", "-f", metavar="FORM", help=f"{', '.join(DataFormat)}.")
    ] = DataFormat.TABLE,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Price the stored attempts again, by a price book and the overrides and aliases of today.

    The figures of before stay readable: report, query and sql take --at-commit.

    Examples:
    infercost reprice --dry-run
    infercost reprice --book "genai-prices 0.2.2" --since 2026-11-01
    infercost reprice --history
    """
    from infercost.analyze import windows
    from infercost.ingest.reprice import reprice as run

    settings = config.load(settings_file)
    opened = open_store(store, settings)
    if history:
        write_result(_commits(opened), form, None)
        return
    done = run(
        opened,
        settings,
        book=book,
        since=windows.moment(since, settings.zone, "--since") if since else None,
        until=windows.moment(until, settings.zone, "--until") if until else None,
        dry_run=dry_run,
    )
    if done.total.moved:
        write_result(_table(done), form, None)
    _tell(done, dry_run=dry_run)


def _commits(store: "Store") -> "pa.Table":
    import pyarrow as pa

    names = ("sequence", "committed_at", "note")
    rows = [(each.sequence, each.committed_at, each.note) for each in store.history()]
    kinds = (pa.int64(), pa.string(), pa.string())
    return pa.table({name: pa.array([row[at] for row in rows], kinds[at]) for at, name in enumerate(names)})


def _table(done: "Repricing") -> "pa.Table":
    import pyarrow as pa

    def row(each: "ModelChange", model: str | None) -> dict[str, object]:
        return {
            "provider_name": each.provider_name,
            "price_model": model,
            "attempts": each.attempts,
            "moved": each.moved,
            "before_usd": each.before,
            "after_usd": each.after,
            "change_usd": each.after - each.before,
            "unpriced_before": each.unpriced_before,
            "unpriced_after": each.unpriced_after,
        }

    return pa.Table.from_pylist([*(row(each, each.price_model) for each in done.models), row(done.total, "(all)")])


def _tell(done: "Repricing", *, dry_run: bool) -> None:
    total = done.total
    if not done.rewritten:
        diagnostics.say(f"nothing changes: {total.attempts:,} attempts cost the same by {done.book}")
        return
    if total.unpriced_after > total.unpriced_before:
        more = total.unpriced_after - total.unpriced_before
        diagnostics.warn(f"{more:,} more attempts have no price by this book than before")
    told = f"{total.moved:,} of {total.attempts:,} attempts cost otherwise by {done.book}"
    if done.rewritten > total.moved:
        told += f"; {done.rewritten - total.moved:,} more are explained anew at the same cost"
    diagnostics.say(told)
    if dry_run:
        diagnostics.say("not changed: --dry-run")
    else:
        diagnostics.say(
            f"the store holds the new costs; the old figures: infercost report --at-commit {done.kept_commit}"
        )
