"""`infercost formats`: what can be read, and mapping files for what cannot yet."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infercost import config
from infercost.cli import diagnostics
from infercost.cli.options import ConfigOption
from infercost.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from infercost.ingest.registry import Format
    from infercost.ingest.trial import Trial

app = typer.Typer(invoke_without_command=True)

_HIDDEN = ("folder", "map_sql")
_SHOWN_CHARACTERS = 60


@app.callback()
def formats(
    context: typer.Context,
    group: Annotated[
        str | None, typer.Option(metavar="GROUP", help="Only gateway, provider, agent, self-hosted, telemetry, ...")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the declarations as JSON.")] = False,
    settings_file: ConfigOption = None,
) -> None:
    """List the log formats: who writes them, how to get a file, and what they cannot tell.

    A log that no format reads: `infercost formats new FILE` proposes a mapping file.

    Examples:
    infercost formats
    infercost formats --group gateway
    infercost formats new access.log > acme.toml
    infercost formats check acme.toml access.log
    """
    if context.invoked_subcommand is not None:
        return
    found = [each for each in _all(settings_file) if group in (None, each.group)]
    if not found:
        from infercost.ingest.registry import GROUPS

        raise UsageError(f"--group {group}: not a group of formats", hint=f"Groups: {', '.join(GROUPS)}.")
    if as_json:
        data = [{key: value for key, value in asdict(each).items() if key not in _HIDDEN} for each in found]
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return
    from infercost.cli.tables import print_terms

    for each in found:
        sys.stdout.write(f"{each.name}: {each.title}\n")
        grain = each.grain if each.table == "attempts" else f"{each.grain} (a bill, kept apart from the attempts)"
        told = [("written by", each.written_by), ("get it by", each.how_to_get), ("one record", grain)]
        told += [("cannot tell" if number == 0 else "", missing) for number, missing in enumerate(each.cannot_tell)]
        print_terms(told, indent=2)
        sys.stdout.write("\n")


@app.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A sample of the log.")],
    settings_file: ConfigOption = None,
) -> None:
    """Propose a mapping file for a log that no format reads.

    The proposal goes to standard output, with the evidence for every line and
    the keys that were left out. Read it before you use it.

    Example: infercost formats new access.log > acme.toml
    """
    from infercost import engine
    from infercost.ingest import catalog, identify
    from infercost.ingest.propose import propose

    known = catalog.load(config.load(settings_file).mappings)
    with engine.connect() as connection:
        (found,) = identify.identify(connection, [identify.head_of(_readable(file))], known)
    read_by = found.format.name if found.format else None
    text = propose(file, read_by)
    if read_by is not None:
        diagnostics.warn(f"{file}: the format {read_by} reads this file already; a mapping is not needed")
    sys.stdout.write(text)


@app.command()
def check(
    form: Annotated[str, typer.Argument(metavar="MAPPING", help="A mapping file, or the name of a format.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Logs to try it on.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    settings_file: ConfigOption = None,
) -> None:
    """Try a mapping file (or a format) on logs: what comes out, what is rejected, what looks wrong.

    Nothing is stored. Exit code 3 when records are rejected or something looks
    wrong, such as times far off or a token that costs dollars.

    Example: infercost formats check acme.toml access.log
    """
    from infercost.ingest import catalog, trial
    from infercost.ingest.mapping import filled_columns

    settings = config.load(settings_file)
    known = catalog.load(settings.mappings)
    chosen = catalog.choose(known, form)
    others = [each for name, each in known.items() if name != chosen.name and name not in chosen.instead_of]
    mapped = filled_columns(Path(form)) if form.endswith(".toml") else ()
    found = trial.run(chosen, others, [_readable(file) for file in files], settings, mapped)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), indent=2, ensure_ascii=False) + "\n")
    else:
        _print(found)
    if not found.is_sound:
        raise typer.Exit(ExitCode.PARTLY_REJECTED)


def _print(found: "Trial") -> None:
    from infercost.cli.tables import print_table, print_terms

    calls = "calls" if found.table == "attempts" else "bill lines"
    counts = (
        ("records", found.records),
        (calls, found.calls),
        (f"distinct {calls}", found.distinct_calls),
        ("other records", found.other_records),
        ("rejected", found.rejected),
    )
    print_terms([(label, f"{count:,}") for label, count in counts])
    if found.filled:
        sys.stdout.write("\n")
        print_table(
            ["column", calls, "such as"], [[each.column, each.calls, _cut(each.example)] for each in found.filled]
        )
    if found.tokens:
        sys.stdout.write("\n")
        print_table(["tokens", "sum"], [[kind, count] for kind, count in found.tokens.items()])
    for reject in found.rejects:
        diagnostics.warn(f"rejected: {reject}")
    if found.unpriced:
        names = ", ".join(f"{name} ({count:,})" for name, count in found.unpriced.items())
        diagnostics.warn(f"no price for {names}; add [[prices.override]] or [[prices.alias]] to infercost.toml")
    for doubt in found.doubts:
        diagnostics.warn(doubt)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


def _readable(file: Path) -> Path:
    """Return the file; raises UsageError when it is none that can be read."""
    try:
        file.open("rb").close()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", hint="Name a file of the log.") from error
    return file


def _all(settings_file: Path | None) -> list["Format"]:
    from infercost.ingest.catalog import load

    return list(load(config.load(settings_file).mappings).values())
