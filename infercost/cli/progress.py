"""Shows how far an ingest is: a bar with bytes and rate on a terminal, now and then a plain line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infercost.cli import diagnostics

LINE_SECONDS = 10.0
Report = Callable[[str, int, int], None]


@contextmanager
def reporter() -> Iterator[Report]:
    """Give a function that is called with file, bytes done and bytes in all."""
    if sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield _lines()


def _lines() -> Report:
    started = last = time.monotonic()

    def report(file: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < LINE_SECONDS:
            return
        last = now
        rate = done / 1e6 / (now - started)
        diagnostics.say(f"reading {file}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB, {rate:,.0f} MB/s")

    return report


@contextmanager
def _bar() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)

        def report(file: str, done: int, total: int) -> None:
            progress.update(
                task, description=diagnostics.safe(Path(file).name)[:40], completed=done, total=total or None
            )

        yield report
