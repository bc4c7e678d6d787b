"""`infercost ingest logs`: read log files into the store."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from infercost import config
from infercost.cli import diagnostics
from infercost.cli.options import ConfigOption, StoreOption, store_folder
from infercost.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from infercost.ingest.result import FileResult, IngestResult

_COUNTS = (
    ("records", "records"),
    ("attempts written", "attempts"),
    ("bill lines written", "bill_lines"),
    ("duplicates", "duplicates"),
    ("told by another format", "overlapping"),
    ("other records", "skipped"),
    ("rejected", "rejected"),
    ("without price", "unpriced"),
    ("without tokens", "no_usage"),
    ("unattributed", "unattributed"),
    ("contradicting", "contradictions"),
)
"""Label and field of each count of the closing table."""

_SHOWN_ALWAYS = ("records", "attempts", "duplicates", "skipped", "rejected", "unpriced", "no_usage", "unattributed")
"""Fields that stand in the table when they are 0 as well."""

app = typer.Typer(no_args_is_help=True)


@app.callback()
def main() -> None:
    """Read logs into the store.

    Example: infercost ingest logs logs/
    """


@app.command()
def logs(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Files, folders (recursive), quoted globs, or - for standard input."),
    ],
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="Take every file for this format (`infercost formats`)."),
    ] = None,
    sampling_rate: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Share of the traffic that the files hold, such as 0.1 (marked, not scaled)."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Read log files into the store; what was read before is not read again.

    JSON Lines, JSON arrays and API pages, CSV, Parquet, plain or packed with
    gzip, Zstandard or ZIP; the format is found from the content.
    Exit code 3 when a record or a file could not be used: they are named on
    stderr, and rejected records are kept: infercost sql "from rejects"

    Examples:
    infercost ingest logs logs/
    infercost ingest logs 'logs/**/*.jsonl.gz' --format litellm
    kubectl logs gateway | infercost ingest logs -
    """
    from infercost.cli.progress import reporter
    from infercost.ingest.pipeline import ingest
    from infercost.store import Store

    settings = config.load(settings_file)
    if sampling_rate is not None and not 0 < sampling_rate <= 1:
        raise UsageError(f"--sampling-rate {sampling_rate:g}: a share above 0 and up to 1 is expected")
    target = Store.create(store_folder(store, settings))
    with reporter() as progress:
        result = ingest(paths, target, settings, chosen=form, sampling_rate=sampling_rate, progress=progress)
    tell(result)
    if as_json:
        sys.stdout.write(json.dumps(result.as_dict(), indent=2, sort_keys=True) + "\n")
    else:
        _table(result)
    if result.partly_rejected:
        raise typer.Exit(ExitCode.PARTLY_REJECTED)


def tell(result: "IngestResult") -> None:
    """Say on stderr what could not be read, line by line."""
    for each in result.problems:
        diagnostics.warn(f"{each.source_file}: not read: {each.problem}")
    for reject in result.rejects:
        line = "" if reject.source_line is None else f":{reject.source_line}"
        diagnostics.warn(f"{reject.source_file}{line}: rejected: {reject.reason}")
    more = result.total("rejected") - len(result.rejects)
    if more > 0:
        diagnostics.warn(f'{more:,} more rejected records: infercost sql "from rejects"')
    for contradiction in result.contradictions:
        line = "" if contradiction.source_line is None else f":{contradiction.source_line}"
        diagnostics.warn(
            f"{contradiction.count:,} records contradict what {contradiction.format} declares: {contradiction.reason} "
            f"(first at {contradiction.source_file}{line})"
        )
    for overlap in result.overlaps:
        diagnostics.warn(
            f"{overlap.count:,} calls are told by {overlap.kept} and by {overlap.left_out}: counted once, "
            f"from {overlap.kept}"
        )
    for each in result.files:
        if each.pending_bytes:
            diagnostics.say(
                f"{each.source_file}: the last line is not complete ({each.pending_bytes:,} bytes); "
                "it is read when the file has grown"
            )
    if result.left_out:
        names = ", ".join(result.left_out[:5]) + (", ..." if len(result.left_out) > 5 else "")
        diagnostics.say(f"left out {len(result.left_out)} files that are not named like logs: {names}")
    if result.unpriced_models:
        names = ", ".join(f"{name} ({count:,})" for name, count in sorted(result.unpriced_models.items()))
        diagnostics.warn(f"no price for {names}; add [[prices.override]] or [[prices.alias]] to infercost.toml")


def _table(result: "IngestResult") -> None:
    """Print a column a format: formats are few, and the counts have long names."""
    from infercost.cli.tables import print_table

    groups: dict[str, list[FileResult]] = {}
    for each in sorted(result.files, key=_group):
        groups.setdefault(_group(each), []).append(each)
    if len(groups) != 1:
        groups["total"] = result.files
    rows: list[list[object]] = [["files", *(len(files) for files in groups.values())]]
    for label, name in _COUNTS:
        if name not in _SHOWN_ALWAYS and not any(getattr(each, name) for each in result.files):
            continue
        rows.append([label, *(sum(getattr(each, name) for each in files) for files in groups.values())])
    print_table(["", *groups], rows)
    size = result.total("bytes")
    rate = f" ({size / result.seconds / 1e6:,.1f} MB/s)" if result.seconds else ""
    sys.stdout.write(f"\n{size / 1e6:,.1f} MB in {result.seconds:.1f} s{rate}\n")


def _group(file: "FileResult") -> str:
    return "(unchanged)" if file.unchanged else file.format or "(not read)"
