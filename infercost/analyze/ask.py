"""One call a command: open the store, work out the windows, ask, and return plain figures."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from infercost import clock
from infercost.analyze import build, explain, queries, windows
from infercost.analyze.database import connect
from infercost.analyze.reading import Reading
from infercost.analyze.report import Report
from infercost.config import Config
from infercost.store import Store

if TYPE_CHECKING:
    import pyarrow as pa


def make_report(
    source: Store | Reading, settings: Config, *, since: str, until: str | None, compare: str, by: str, now: datetime
) -> Report:
    """Return the report on a window; `by` is `feature,cohort` for two tables, `feature+model` for one of two columns.

    A Reading with other prices, or of an older commit, is told in the report.

    Raises UsageError for words that cannot be understood, NoDataError for a window without data.
    """
    window = windows.resolve_window(since, until, now, settings.zone)
    baseline = windows.baseline_window(window, compare)
    sections = tuple(tuple(part.strip() for part in each.split("+")) for each in by.split(",") if each.strip())
    with connect(source) as connection:
        found = explain.explain_report(connection, window, baseline, settings.zone, now) if baseline else None
        report = build.build_report(connection, window, baseline, sections, settings, now, found)
    return report if isinstance(source, Store) else build.restated(report, source.restated)


def ask(
    source: Store | Reading,
    settings: Config,
    name: str,
    *,
    since: str,
    until: str | None,
    compare: str,
    by: str | None,
    more: Mapping[str, queries.Value],
) -> "pa.Table":
    """Return the rows of a packaged query over a window; of the values given it takes those that its header names.

    `more` are parameters that are no times: the limit, and the bucket of signals.
    """
    query = queries.find(name)
    window = windows.resolve_window(since, until, clock.now(), settings.zone)
    given = {**queries.both(window, windows.baseline_window(window, compare)), "zone": settings.zone, **more}
    columns = tuple(part.strip() for part in by.split(",") if part.strip()) if by else ()
    with connect(source) as connection:
        taken = {each: value for each, value in given.items() if each in query.parameters}
        return queries.run(connection, query, taken, columns)
