"""Holds the limits of the configuration against the hours before a check."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from infercost.analyze.findings import Finding, Kind, Outcome
from infercost.config.limits import CHANGE, MEASURES, PERCENTILE, TIER, TIER_SHARE, VALUE, Limit

if TYPE_CHECKING:
    import pyarrow as pa

    from infercost.analyze.sums import Sums

LEAST_COUNT = 20
"""Requests (attempts, lookups) below which a ratio says nothing: with fewer, one of them decides."""

HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)

HISTOGRAM_BASE = 1.01 / 0.99
"""Ratio of one bucket of the prompt's length to the next (queries/views/cells.sql)."""


def check_limit(limit: Limit, sums: "Sums", until: datetime, oldest: datetime, zone: ZoneInfo) -> Finding:
    """Return how a limit stands in the hours before `until`; `oldest` is the first moment that the store knows.

    A limit is unknown where too little was counted, where the store does not reach back far enough to compare, or
    where nothing of its part of the spend was ever seen.
    """
    finding = Finding(
        key=f"limit:{limit.text}",
        kind=Kind.LIMIT,
        title=limit.text,
        outcome=Outcome.UNKNOWN,
        unit=MEASURES[limit.measure].unit,
        measure=limit.measure,
        scope=limit.where,
    )
    start = until - limit.over
    back = limit.versus or timedelta(0)
    if oldest > start - back:
        return replace(finding, reason=f"it needs data from {start - back:%Y-%m-%d %H:%M} UTC on; the store has none")
    where = {name: value for name, value in limit.where.items() if not _is_tier(limit, name)}
    rows = _matching(sums.read(tuple(where), start - max(back, WEEK), until), where)
    if rows.num_rows == 0:
        named = ", ".join(f"{name} = {value}" for name, value in where.items()) or "everything"
        return replace(finding, reason=f"no attempt of {named} in the week before: is the name right?")
    now, seen = value_of(limit, _in_hours(rows, start, until), limit.over)
    if now is None:
        return replace(finding, reason=f"{seen:g} counted in {_span(limit.over)}; {LEAST_COUNT} are the least")
    finding = replace(finding, value=now)
    if limit.kind == VALUE:
        return _judged(finding, limit, float(limit.bound))
    base = _in_hours(rows, start - back, start)
    length = back
    if MEASURES[limit.measure].per and back >= WEEK > limit.over:
        # What is counted by the clock is compared with the same hours of the week.
        times = _same_times(start - back, start, until, zone)
        base, length = base.filter([hour in times for hour in base["bucket"].to_pylist()]), len(times) * HOUR
    usual, seen = value_of(limit, base, length)
    if usual is None or not usual:
        return replace(finding, reason=f"{seen:g} counted in the {_span(back)} before; {LEAST_COUNT} are the least")
    factor = 1 + float(limit.bound) if limit.kind == CHANGE else float(limit.bound)
    return _judged(replace(finding, usual=usual), limit, usual * factor)


def value_of(limit: Limit, rows: "pa.Table", length: timedelta) -> tuple[float | None, float]:
    """Return the measure of a limit over rows that span `length`, None where too little is counted, and the count."""
    measure = MEASURES[limit.measure]
    if measure.per:
        return sum(_sum(rows, name) for name in measure.top) * measure.per / length.total_seconds(), rows.num_rows
    if limit.measure == PERCENTILE:
        counts = histogram(rows, "prompt_histogram")
        total = sum(counts.values())
        return (percentile(counts, 0.95) if total >= LEAST_COUNT else None), total
    if limit.measure == TIER_SHARE:
        tiers = histogram(rows, "tier_requests")
        total = sum(tiers.values())
        return (tiers.get(limit.where[TIER], 0) / total if total >= LEAST_COUNT else None), total
    count, bottom = _sum(rows, measure.count), _sum(rows, measure.bottom)
    if count < LEAST_COUNT or not bottom:
        return None, count
    return sum(_sum(rows, name) for name in measure.top) / bottom, count


def histogram(rows: "pa.Table", column: str) -> dict[Any, int]:
    """Return the sums of a column of maps by key."""
    found: dict[Any, int] = {}
    for chunk in rows[column].chunks:
        filled = chunk.drop_null()
        for key, count in zip(filled.keys.to_pylist(), filled.items.to_pylist(), strict=True):
            found[key] = found.get(key, 0) + count
    return found


def percentile(counts: Mapping[int, int], share: float) -> float:
    """Return the length below which `share` of the prompts are, from a histogram; wrong by 1 % at most."""
    rest = share * sum(counts.values())
    for bucket, count in sorted(counts.items()):
        rest -= count
        if rest <= 0:
            return length_of(bucket)
    return 0.0


def length_of(bucket: int) -> float:
    """Return the length that stands for a bucket of a histogram, wrong by 1 % at most."""
    return 0.0 if bucket < 0 else 2 * HISTOGRAM_BASE**bucket / (HISTOGRAM_BASE + 1)


def _judged(finding: Finding, limit: Limit, bound: float) -> Finding:
    value = finding.value or 0.0
    is_fired = value > bound if limit.is_most else value < bound
    # Twice the bound is twice as bad, whichever side it is on.
    size = (value / bound if limit.is_most else bound / value) if bound and value else float(is_fired)
    return replace(
        finding,
        outcome=Outcome.FIRED if is_fired else Outcome.OK,
        high=bound if limit.is_most else None,
        low=None if limit.is_most else bound,
        size=size,
    )


def _is_tier(limit: Limit, name: str) -> bool:
    return limit.measure == TIER_SHARE and name == TIER


def _matching(rows: "pa.Table", where: Mapping[str, str]) -> "pa.Table":
    import pyarrow.compute as pc

    for name, value in where.items():
        rows = rows.filter(pc.equal(rows[name], value))
    return rows


def _in_hours(rows: "pa.Table", start: datetime, until: datetime) -> "pa.Table":
    return rows.filter([start <= hour < until for hour in rows["bucket"].to_pylist()])


def _same_times(first: datetime, start: datetime, until: datetime, zone: ZoneInfo) -> set[datetime]:
    """Return the hours in [first, start) at the times of the week, by the zone's clock, that [start, until) has."""
    wanted = {_slot(hour, zone) for hour in _hours(start, until)}
    return {hour for hour in _hours(first, start) if _slot(hour, zone) in wanted}


def _hours(start: datetime, until: datetime) -> list[datetime]:
    return [start + number * HOUR for number in range(round((until - start) / HOUR))]


def _slot(hour: datetime, zone: ZoneInfo) -> int:
    local = hour.astimezone(zone)
    return local.weekday() * 24 + local.hour


def _sum(rows: "pa.Table", column: str) -> float:
    import pyarrow.compute as pc

    return float(pc.sum(rows[column]).as_py() or 0)


def _span(length: timedelta) -> str:
    hours = round(length / HOUR)
    return f"{hours // 24} d" if hours % 24 == 0 and hours > 24 else f"{hours} h"
