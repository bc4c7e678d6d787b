"""How much each driver moves when nothing happened: the same split of past weeks, each against the time before it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from infercost.analyze.drivers import effects, factors, matches, split
from infercost.analyze.drivers.cells import Span
from infercost.engine import moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

WEEK = timedelta(days=7)
_DAY = timedelta(days=1)

MOST_WEEKS = 8
"""Past weeks that are split; more would take time and tell of a business that is no more."""

FEWEST_WEEKS = 5
"""Past weeks below which nothing is said about noise."""

TIMES_NOISE: dict[int, Decimal] = {5: Decimal("4.8"), 6: Decimal("4.2"), 7: Decimal("3.9"), 8: Decimal("3.6")}
"""How many times the usual move of its driver an effect must be to count, by the past weeks that this is known from.

Where weeks are alike and independent, 2.5 % of quiet weeks are beyond it (by simulation of normal effects of weeks
against the mean of the four before); fewer weeks know less of what is usual.
"""

LONGEST_BASELINE = timedelta(days=28)


@dataclass(frozen=True)
class Noise:
    """What each driver usually moves by, in US dollars, for a window as long as the current one."""

    weeks: int
    usual: "Mapping[str, Decimal]"

    def threshold(self, driver: str) -> Decimal:
        """Return the effect from which on a driver moved more than usual."""
        return TIMES_NOISE[self.weeks] * self.usual[driver]


def past_spans(span: Span, oldest: datetime) -> tuple[Span, ...]:
    """Return the windows of past weeks to split, the latest first; `oldest` is the first moment with data.

    A window of up to a week is shifted back week by week, with its baseline. A longer one is judged by whole weeks
    before it, each against the week before.
    """
    length = span.until - span.since
    found = []
    for number in range(1, MOST_WEEKS + 1):
        back = number * WEEK
        if length <= WEEK:
            bounded = min(span.baseline_until - span.baseline_since, LONGEST_BASELINE)
            past = Span(
                span.since - back, span.until - back, span.baseline_until - bounded - back, span.baseline_until - back
            )
        else:
            end = span.since - back + WEEK
            past = Span(end - WEEK, end, end - 2 * WEEK, end - WEEK)
        # The first day of a log begins with its first record.
        if past.first + _DAY < oldest:
            break
        found.append(past)
    return tuple(found)


def history_since(span: Span) -> datetime:
    """Return the first moment that past weeks may need."""
    length = span.until - span.since
    if length <= WEEK:
        return span.first - MOST_WEEKS * WEEK
    return min(span.since - (MOST_WEEKS + 1) * WEEK, span.baseline_since)


def measure(
    connection: "duckdb.DuckDBPyConnection",
    span: Span,
    kinds: tuple[str, ...],
    zone: str,
    oldest: datetime,
    where: str = "TRUE",
) -> Noise | None:
    """Return the noise of every driver over the leaves of `where`, or None when too few weeks are known.

    It makes the tables of the split anew for each past week: the caller splits the current window after it.
    """
    spans = past_spans(span, oldest)
    if len(spans) < FEWEST_WEEKS:
        return None
    found: dict[str, list[Decimal]] = {name: [] for name in factors.NAMES}
    for past in spans:
        matches.match(connection, past, zone)
        connection.execute(f"CREATE OR REPLACE TEMP VIEW driver_past AS {_relabelled(past)}")
        split.split(connection, kinds, "driver_past")
        for name, effect in effects.whole(connection, where).effects.items():
            found[name].append(effect)
    scale = Decimal(max((span.until - span.since) / WEEK, 1.0)).sqrt()
    return Noise(len(spans), {name: _usual(values) * scale for name, values in found.items()})


def _relabelled(past: Span) -> str:
    return f"""
        SELECT * REPLACE (
            CASE
                WHEN hour >= {moment(past.since)} AND hour < {moment(past.until)} THEN 'current'
                WHEN hour >= {moment(past.baseline_since)} AND hour < {moment(past.baseline_until)} THEN 'baseline'
            END AS period
        ) FROM driver_cells"""


def _usual(values: list[Decimal]) -> Decimal:
    """Return the root mean square of effects without the largest, which may be of a past incident."""
    kept = sorted(map(abs, values))[:-1]
    return (sum((value * value for value in kept), Decimal(0)) / len(kept)).sqrt()
