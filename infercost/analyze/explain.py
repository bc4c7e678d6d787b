"""Explains why spend changed: one call that splits, dates, locates and judges, and returns plain figures."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from infercost import engine
from infercost.analyze import windows
from infercost.analyze.build import CURRENCY
from infercost.analyze.database import connect, oldest
from infercost.analyze.drivers import (
    cells,
    details,
    effects,
    events,
    factors,
    matches,
    measures,
    moved,
    noise,
    onset,
    paradox,
    segments,
    split,
    timeline,
)
from infercost.analyze.explanation import (
    BEYOND,
    EXACT,
    LEAST_SHARE,
    UNKNOWN,
    WITHIN,
    Child,
    Condition,
    Contribution,
    DriverLine,
    Explanation,
    MovedRequest,
    Onset,
    SplitTable,
)
from infercost.analyze.reading import Reading
from infercost.errors import NoDataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb

    from infercost.analyze.report import Window
    from infercost.config import Config
    from infercost.store import Store

DEFAULT_BY: tuple[tuple[str, ...], ...] = (("feature",), ("route",))
"""What the split is shown by unless it is asked for otherwise."""

REPORT_BY: tuple[tuple[str, ...], ...] = (("feature",), ("cohort",), ("route",), ("feature", "route", "model"))
"""What a report has it by."""

CONTRIBUTIONS = 8
"""Driver and segment pairs that are named; the others are one row."""

REQUESTS = 20
"""Requests that are named in all, and EXPLAINED drivers that they are of."""

EXPLAINED = 3

MOST_DATED = 400_000
"""Leaves up to which effects are spread over time; beyond, that would take gigabytes."""

_EXACT = ("calendar", "new_features", "vanished_features", "list_price", "discount")
"""Drivers that need no noise band: they change only when a feature, a rate or the calendar does."""

_MATCHING = {
    matches.SAME_HOUR_OF_WEEK: "every hour with the same hour of the week",
    matches.SAME_HOUR_OF_DAY: "some hours with the same hour of other weekdays, because the baseline lacks theirs",
    matches.ANY_HOUR: "some hours with the mean of the baseline, because it lacks their hour of the day",
}


@dataclass(frozen=True)
class Question:
    """What is asked: two windows, how to break the split down, and the part of the spend to look at."""

    window: "Window"
    baseline: "Window"
    by: tuple[tuple[str, ...], ...]
    where: tuple[Condition, ...]


def make_explanation(
    source: "Store | Reading",
    settings: "Config",
    *,
    since: str,
    until: str | None,
    compare: str,
    by: str,
    where: tuple[str, ...],
    now: datetime,
) -> Explanation:
    """Return why the spend of a window differs from that of its baseline.

    `by` is `feature,route` for two tables, `feature+model` for one of two dimensions; `where` holds `dimension=value`.
    Raises UsageError for words that cannot be understood, NoDataError when either window holds no attempt.
    """
    window = windows.resolve_window(since, until, now, settings.zone)
    baseline = windows.explained_baseline(window, compare)
    if baseline is None:
        raise UsageError("a change needs a baseline", hint="leave out --compare none")
    question = Question(window, baseline, _by(by), tuple(parse_condition(each) for each in where))
    with connect(source) as connection:
        made = explain(connection, question, settings.zone, now)
    return replace(made, restated=source.restated) if isinstance(source, Reading) else made


def explain_report(
    connection: "duckdb.DuckDBPyConnection", window: "Window", baseline: "Window", zone: str, now: datetime
) -> Explanation | None:
    """Return why the spend of a report's windows differs, or None when its baseline holds no attempt."""
    try:
        return explain(connection, Question(window, baseline, REPORT_BY, ()), zone, now)
    except NoDataError:
        return None


def explain(connection: "duckdb.DuckDBPyConnection", question: Question, zone: str, now: datetime) -> Explanation:
    """Return the answer to `question` from a connection that holds the store's tables."""
    window, baseline = question.window, question.baseline
    span = cells.Span(window.start, window.end, baseline.start, baseline.end)
    span = replace(span, history_since=noise.history_since(span))
    kinds = cells.build(connection, span, sessions=any(factors.SESSION in each for each in question.by))
    _check_data(connection, question)
    where = measures.filter_sql(question.where)
    judged = noise.measure(connection, span, kinds, zone, oldest(connection) or window.start, where)
    grade = matches.match(connection, span, zone)
    split.split(connection, kinds)
    measures.check_part(connection, question.where, 1, "either window")
    whole = effects.whole(connection, where)
    unit = windows.bucket_unit(window)
    with engine.one_thread(connection):
        lines = _lines(connection, kinds, question.where, whole, judged)
        notes = paradox.notes(connection, where, whole)
        requests = _requests(connection, span, lines, question.where)
    spreads: dict[str, timeline.Spread] = {}
    times: tuple[datetime, ...] = ()
    if _leaves(connection) <= MOST_DATED:
        units = {unit, *(name for each in question.by for name in each if name in factors.TIMES)}
        spreads = {each: timeline.spread(connection, kinds, each, zone, where) for each in sorted(units)}
        times = _local(spreads[unit], window)
        lines = tuple(_dated(line, times, spreads[unit]) for line in lines)
    else:
        notes = (*notes, f"More than {MOST_DATED:,} combinations of all dimensions: the drivers were not dated.")
    return Explanation(
        zone=zone,
        currency=CURRENCY,
        generated_at=now,
        current=window,
        baseline=baseline,
        where=question.where,
        before=whole.before,
        matched=whole.before + whole.effects["calendar"],
        after=whole.after,
        drivers=lines,
        tables=tuple(_tables(connection, kinds, question, where, whole, spreads)),
        contributions=_contributions(connection, where, lines),
        buckets=times,
        bucket_unit=unit,
        expected=tuple(effects.dollars(each) for each in spreads[unit].expected) if spreads else (),
        events=events.find(connection, span),
        requests=requests,
        notes=notes,
        placebo_weeks=judged.weeks if judged else 0,
        matching=_MATCHING[grade],
        unpriced_attempts=cells.unpriced(connection, window.start, window.end),
    )


def causes(
    connection: "duckdb.DuckDBPyConnection",
    window: "Window",
    baseline: "Window",
    where: tuple[Condition, ...],
    zone: str,
) -> tuple[Decimal, tuple[DriverLine, ...]]:
    """Return the change of spend against the matched baseline, and its drivers with their places, judged by no noise.

    Raises NoDataError when either window holds no attempt, UsageError when neither holds one of `where`.
    """
    span = cells.Span(window.start, window.end, baseline.start, baseline.end)
    kinds = cells.build(connection, span)
    _check_data(connection, Question(window, baseline, (), where))
    matches.match(connection, span, zone)
    split.split(connection, kinds)
    measures.check_part(connection, where, 1, "either window")
    whole = effects.whole(connection, measures.filter_sql(where))
    with engine.one_thread(connection):
        lines = _lines(connection, kinds, where, whole, None)
    # What the calendar did is no cause: it is what the baseline is matched by.
    change = whole.after - whole.before - whole.effects["calendar"]
    return change, tuple(line for line in lines if line.name != "calendar")


def _local(found: timeline.Spread, window: "Window") -> tuple[datetime, ...]:
    return tuple(bucket.astimezone(window.start.tzinfo) for bucket in found.buckets)


def _tables(
    connection: "duckdb.DuckDBPyConnection",
    kinds: tuple[str, ...],
    question: Question,
    where: str,
    whole: Child,
    spreads: "Mapping[str, timeline.Spread]",
) -> "Iterator[SplitTable]":
    """Yield a table for each of `question.by`; one by day or hour only where effects are dated."""
    for by in question.by:
        if by[0] in factors.TIMES:
            if by[0] in spreads:
                names = [f"{each:{_TIME_NAMES[by[0]]}}" for each in _local(spreads[by[0]], question.window)]
                yield timeline.table(by[0], spreads[by[0]], whole, names)
        elif factors.SESSION in by:
            yield details.table(connection, kinds, by, where)
        else:
            table = effects.table(connection, by, where)
            yield _measured(connection, kinds, table, where) if len(by) == 1 else table


def _measured(
    connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], table: SplitTable, where: str
) -> SplitTable:
    """Return a table of one dimension with the signals of its rows."""
    found = measures.of_parts(connection, kinds, table.dimensions[0], where)
    return replace(table, rows=tuple(replace(row, measures=found.get(row.values[0], ())) for row in table.rows))


_TIME_NAMES = {"day": "%Y-%m-%d", "hour": "%Y-%m-%d %H:%M%z"}
"""How buckets are called; the offset keeps apart the two hours when a clock is set back."""


def _by(text: str) -> tuple[tuple[str, ...], ...]:
    tables = tuple(tuple(part.strip() for part in each.split("+")) for each in text.split(",") if each.strip())
    for table in tables:
        for name in table:
            _check_dimension(name, "--by", (*factors.DIMENSIONS, factors.SESSION, *factors.TIMES))
        if len(table) > 1 and set(table) & set(factors.TIMES):
            raise UsageError(
                f"--by {'+'.join(table)}: {' and '.join(factors.TIMES)} go with no other dimension",
                hint="--by hour --where feature=search is one feature by the hour",
            )
    return tables or DEFAULT_BY


def parse_condition(text: str) -> Condition:
    """Return what `--where` means; raises UsageError that names the dimensions."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--where {text!r} is no condition", hint="write --where feature=search")
    _check_dimension(name.strip(), "--where", factors.DIMENSIONS)
    return name.strip(), value.strip()


def _check_dimension(name: str, option: str, allowed: tuple[str, ...]) -> None:
    if name not in allowed:
        raise UsageError(f"{option}: spend is not split by {name!r}", hint=f"dimensions: {', '.join(allowed)}")


def _check_data(connection: "duckdb.DuckDBPyConnection", question: Question) -> None:
    found = {row[0] for row in connection.execute("SELECT DISTINCT period FROM driver_cells").fetchall()}
    for period, window in (("current", question.window), ("baseline", question.baseline)):
        if period not in found:
            began = oldest(connection)
            raise NoDataError(
                f"no attempts between {window.start:%Y-%m-%d %H:%M} and {window.end:%Y-%m-%d %H:%M}"
                + (", the baseline" if period == "baseline" else ""),
                hint=f"the store begins at {began:%Y-%m-%d %H:%M} UTC; choose --since, --until and --compare inside it"
                if began
                else "read logs into the store first: infercost ingest logs PATH",
            )


def _leaves(connection: "duckdb.DuckDBPyConnection") -> int:
    return int(connection.execute("SELECT count(*) FROM driver_leaves").fetchall()[0][0])


def _lines(
    connection: "duckdb.DuckDBPyConnection",
    kinds: tuple[str, ...],
    conditions: tuple[Condition, ...],
    whole: Child,
    judged: noise.Noise | None,
) -> tuple[DriverLine, ...]:
    """Return every driver in the order of the bridge; those that moved have their segment and their measures."""
    where = measures.filter_sql(conditions)
    alone = effects.alone(connection, where)
    floor = max(whole.before + whole.effects["calendar"], whole.after) * LEAST_SHARE
    lines = []
    for driver in factors.DRIVERS:
        effect = whole.effects[driver.name]
        only, undo = alone.get(driver.name, (effect, effect))
        threshold = floor if driver.name in _EXACT else None
        if judged and driver.name not in _EXACT:
            threshold = max(judged.threshold(driver.name), floor)
        segment = segments.locate(connection, driver.name, where) if abs(effect) >= floor else None
        within: measures.Conditions = (*conditions, *(segment.places if segment else ()))
        lines.append(
            DriverLine(
                name=driver.name,
                title=driver.title,
                effect=effect,
                only=only,
                undo=undo,
                noise=judged.usual[driver.name] if judged else None,
                threshold=threshold,
                verdict=_verdict(driver.name, effect, threshold),
                segment=segment,
                measures=measures.measure(connection, driver.name, kinds, within) if effect else (),
            )
        )
    return tuple(lines)


def _verdict(driver: str, effect: Decimal, threshold: Decimal | None) -> str:
    if threshold is None:
        return UNKNOWN
    if abs(effect) < threshold:
        return WITHIN
    return EXACT if driver in _EXACT else BEYOND


def _dated(line: DriverLine, times: tuple[datetime, ...], spread: timeline.Spread) -> DriverLine:
    """Return the line with its series, and with its onset where the effect is worth dating."""
    series, expected = spread.series[line.name], spread.expected
    line = replace(line, series=tuple(effects.dollars(each) for each in series))
    if line.segment is None or line.name == "calendar":
        return line
    found = onset.onset(series, expected)
    if found is None:
        return line
    began, earliest, latest, shape = found
    return replace(line, onset=Onset(times[began], times[earliest], times[latest], shape))


def _contributions(
    connection: "duckdb.DuckDBPyConnection", where: str, lines: tuple[DriverLine, ...]
) -> tuple[Contribution, ...]:
    """Return the driver and feature pairs that moved most, in either direction, and a row of all others."""
    sums = ", ".join(f"sum({name}) AS {name}" for name in factors.NAMES if name != "calendar")
    names = ", ".join(name for name in factors.NAMES if name != "calendar")
    rows = connection.execute(f"""
        WITH parts AS (
            SELECT feature, {sums} FROM driver_effects WHERE {where} GROUP BY feature
        )
        SELECT driver, feature, amount
        FROM (UNPIVOT parts ON {names} INTO NAME driver VALUE amount)
        WHERE amount <> 0
        ORDER BY abs(amount) DESC, driver, feature
    """).fetchall()
    named = [
        Contribution(driver, (("feature", feature),), effects.dollars(amount))
        for driver, feature, amount in rows[:CONTRIBUTIONS]
    ]
    whole = sum((line.effect for line in lines if line.name != "calendar"), Decimal(0))
    rest = whole - sum((each.effect for each in named), Decimal(0))
    return (*named, Contribution(None, (), rest))


def _requests(
    connection: "duckdb.DuckDBPyConnection",
    span: cells.Span,
    lines: tuple[DriverLine, ...],
    conditions: measures.Conditions,
) -> tuple[MovedRequest, ...]:
    """Return the requests behind the drivers that added most, each in its segment."""
    chosen = [(line, line.segment) for line in lines if line.segment and line.name != "calendar" and line.effect > 0]
    top = sorted(chosen, key=lambda each: -each[0].effect)[:EXPLAINED]
    found: list[MovedRequest] = []
    for place, (line, segment) in enumerate(top):
        # What is left, shared by the drivers that are left: the largest take one more.
        limit = -(-(REQUESTS - len(found)) // (len(top) - place))
        found += moved.find(connection, span, line.name, (*conditions, *segment.places), limit)
    return tuple(found)
