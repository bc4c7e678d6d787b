"""Where spend will be at the end of a period: the level of the last week, shaped by the days of the week."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt
from statistics import fmean, stdev
from zoneinfo import ZoneInfo

from infercost.analyze.windows import start_of_day

HISTORY_DAYS = 28
"""Days that tell how days of the week differ, and how much days vary."""

LEVEL_DAYS = 7
"""Days whose mean is today's rate."""

SHAPED_DAYS = 14
"""Days of history from which on days of the week are told apart."""

LEAST_DAYS = 3
"""Days of history below which no interval is given."""

WIDTH = 1.2816
"""Standard deviations on either side that hold four of five outcomes."""

DAY = 86_400.0


@dataclass(frozen=True)
class Forecast:
    """Spend from now to the end of a period, US dollars: expected, and the bounds that hold four of five outcomes.

    `low` and `high` are None where too few days are known. `gone_at` is when `left` dollars will be gone.
    """

    expected: float
    low: float | None
    high: float | None
    gone_at: datetime | None


def forecast(
    days: Mapping[date, float], end: datetime, until: datetime, zone: ZoneInfo, *, left: float
) -> Forecast | None:
    """Return what will be spent from `end` to `until`; None without a whole day to go by.

    `days` are the whole days before `end` with what each cost, none left out; `left` is what may still be spent.
    """
    known = dict(sorted(days.items())[-HISTORY_DAYS:])
    if not known:
        return None
    shape = _shape(known)
    level = [cost / shape[day.weekday()] for day, cost in known.items() if shape[day.weekday()]]
    rate = fmean(level[-LEVEL_DAYS:]) if level else 0.0
    expected, gone_at, length = 0.0, None, 0.0
    for start, part in _parts(end, until, zone):
        cost = rate * shape[start.date().weekday()] * part
        if gone_at is None and cost and expected + cost >= left > 0:
            gone_at = start + timedelta(seconds=part * DAY * (left - expected) / cost)
        expected += cost
        length += part
    if len(level) < LEAST_DAYS:
        return Forecast(expected, None, None, gone_at)
    # The days to come vary, and so did those that the rate is the mean of.
    apart = WIDTH * stdev(level) * sqrt(length + length**2 / min(LEVEL_DAYS, len(level)))
    return Forecast(expected, max(0.0, expected - apart), expected + apart, gone_at)


def _shape(days: Mapping[date, float]) -> list[float]:
    """Return what each day of the week costs by the mean of all; 1 for each where too little is known."""
    mean = fmean(days.values())
    if len(days) < SHAPED_DAYS or not mean:
        return [1.0] * 7
    return [fmean(cost for day, cost in days.items() if day.weekday() == number) / mean for number in range(7)]


def _parts(end: datetime, until: datetime, zone: ZoneInfo) -> list[tuple[datetime, float]]:
    """Return the days from `end` to `until` with the part of each that is left."""
    found = []
    start = end.astimezone(zone)
    while start.timestamp() < until.timestamp():
        after = min(start_of_day(start.date() + timedelta(days=1), zone), until, key=datetime.timestamp)
        found.append((start, (after.timestamp() - start.timestamp()) / DAY))
        start = after.astimezone(zone)
    return found
