"""The cost of each day (or hour) of both windows, matched by position."""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from infercost.analyze import queries
from infercost.analyze.report import DayCost, Window
from infercost.analyze.windows import start_of_day, start_of_hour, zone_of

if TYPE_CHECKING:
    import duckdb

LONGEST_IN_HOURS = timedelta(days=3)
"""A window that is not made of whole days is cut into hours up to this length, and into days above it."""

_HOUR = timedelta(hours=1)


def daily_cost(
    connection: "duckdb.DuckDBPyConnection", window: Window, baseline: Window | None
) -> tuple[tuple[DayCost, ...], str]:
    """Return the cost of each part of `window` beside that of its position in `baseline`, and the SQL of `window`.

    Parts without attempts are there and cost 0. Days and hours are those of the window's zone.
    """
    by_hour = (
        window.days is None and window.end.timestamp() - window.start.timestamp() <= LONGEST_IN_HOURS.total_seconds()
    )
    query = queries.find("cost_by_hour" if by_hour else "cost_by_day")
    current = _series(connection, query, window)
    before = _series(connection, query, baseline) if baseline else []
    daily = tuple(
        DayCost(position, start, cost, *(before[position] if position < len(before) else (None, None)))
        for position, (start, cost) in enumerate(current)
    )
    return daily, queries.rendered_sql(query, (), _parameters(window))


def _parameters(window: Window) -> dict[str, queries.Value]:
    return {**queries.between(window), "zone": zone_of(window).key}


def _series(
    connection: "duckdb.DuckDBPyConnection", query: queries.Query, window: Window
) -> list[tuple[datetime, Decimal]]:
    """Return the start and the cost of every part of the window; every row of the query lands in exactly one part."""
    starts = _hours(window) if query.name == "cost_by_hour" else _days(window)
    moments = [start.timestamp() for start in starts]
    costs = [Decimal(0)] * len(starts)
    for row in queries.run(connection, query, _parameters(window)).to_pylist():
        moment = _first_moment(row["hour"] if "hour" in row else row["day"], window)
        costs[max(bisect_right(moments, moment.timestamp()) - 1, 0)] += row["cost_usd"] or Decimal(0)
    return list(zip(starts, costs, strict=True))


def _first_moment(part: date, window: Window) -> datetime:
    return part if isinstance(part, datetime) else start_of_day(part, zone_of(window))


def _days(window: Window) -> list[datetime]:
    first, last = window.start.date(), (window.end - timedelta(microseconds=1)).date()
    return [start_of_day(first + timedelta(days=day), zone_of(window)) for day in range((last - first).days + 1)]


def _hours(window: Window) -> list[datetime]:
    zone = zone_of(window)
    first = start_of_hour(window.start, zone).astimezone(UTC)
    hours = -((first - window.end.astimezone(UTC)) // _HOUR)
    return [(first + hour * _HOUR).astimezone(zone) for hour in range(hours)]
