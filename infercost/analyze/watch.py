"""Watches the signals of everything and of its parts, and says which of them left what is usual."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from infercost.analyze.detect import LEAST_COUNT, LEAST_WEEKS, PIECES, WEEK, Series, began, detect
from infercost.analyze.findings import Finding, Kind, Outcome
from infercost.analyze.limits import HISTOGRAM_BASE, HOUR, length_of
from infercost.analyze.report import scope_text
from infercost.config.limits import MEASURES, NO_SIGNALS, PERCENTILE, SHARE, TIER_SHARE, Measure

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from infercost.analyze.sums import Sums

HISTORY = timedelta(weeks=9)
"""What is read before a check: four weeks that tell what is usual, for each of the two weeks that tell the spread."""

HOLD = 24
"""Hours for which a signal that fired goes on firing while its score stays above HALF."""

HALF = 0.5

DRIFT_LIMIT = 0.22
"""Population stability index of a day's prompt lengths, times the root of their number by ten, that fires."""

DRIFT_LEAST = 100
"""Prompts of a day below which no drift is told."""

RECENT_HOURS = 2 * WEEK
"""Hours whose requests tell how long the pieces of time must be."""


WATCHED: tuple[Measure, ...] = tuple(each for name, each in MEASURES.items() if name not in NO_SIGNALS)
"""The signals in their order; those of dollars are the backstop."""


@dataclass(frozen=True)
class Part:
    """One part of the spend: columns of sums, `piece` hours a place, oldest first, without gaps.

    `tiers` are its requests by tier, `lengths` by the bucket of the prompt's length.
    """

    scope: Mapping[str, str]
    piece: int
    columns: "Mapping[str, NDArray[np.float64]]"
    tiers: "Mapping[str, NDArray[np.float64]]"
    lengths: "Mapping[str, NDArray[np.float64]]"

    @cached_property
    def octaves(self) -> "NDArray[np.float64]":
        """The prompts of each place by half octaves of their length."""
        return _half_octaves(self.lengths, len(self.columns["requests"]))


@dataclass(frozen=True)
class Alert:
    """A signal of a part that fires: since when, its value and what is usual since then, and its score (1 = fires)."""

    watched: Measure
    title: str
    scope: Mapping[str, str]
    since: datetime
    value: float
    usual: float
    score: float


def watch(sums: "Sums", by: Sequence[str], until: datetime, oldest: datetime) -> tuple[list[Finding], list[Alert]]:
    """Return how every signal stands at `until`, for everything and each value of the columns `by`, and what fires.

    A signal of which no part could be judged is unknown; its reason says why. What the logs do not tell of at all (no
    gateway cache, one tier) is left out.
    """
    first = max(until - HISTORY, oldest.replace(minute=0, second=0, microsecond=0))
    if until - first < timedelta(weeks=LEAST_WEEKS):
        reason = f"{(until - first).days} days of history; what is usual is known from {7 * LEAST_WEEKS} on"
        return [_unknown(each, reason) for each in WATCHED], []
    parts, tiers = read_parts(sums, by, first, until)
    findings: list[Finding] = []
    alerts: list[Alert] = []
    for watched in WATCHED:
        there = [(part, *found) for part in parts for found in series_of(part, watched, tiers)]
        if not there:
            continue
        looked = [_look(part, watched, title, series, until) for part, title, series in there]
        firing = [alert for _, alert in looked if alert]
        if watched.name == PERCENTILE:
            drifting = [alert for part, *_ in there if (alert := _drift(part, watched, until))]
            firing += [each for each in drifting if each.scope not in [alert.scope for alert in firing]]
        few = f"fewer than {LEAST_COUNT} of its requests a day"
        is_judged = any(judged for judged, _ in looked)
        findings.append(_finding(watched, firing) if is_judged else _unknown(watched, few))
        alerts += firing
    return findings, alerts


def read_parts(
    sums: "Sums", by: Sequence[str], first: datetime, until: datetime
) -> tuple[list[Part], Mapping[str, float]]:
    """Return everything and each value of the columns `by` in [first, until), and the dollars of a token by tier."""
    columns = ((), *((name,) for name in by))
    return [part for each in columns for part in _parts(sums, each, first, until)], _tier_prices(sums, first, until)


def _unknown(watched: Measure, reason: str) -> Finding:
    return replace(_finding(watched, []), outcome=Outcome.UNKNOWN, reason=reason)


def _finding(watched: Measure, alerts: Sequence[Alert]) -> Finding:
    """Return how a signal stands, told by its most certain part; all parts that fire are in its causes."""
    fine = Finding(f"signal:{watched.name}", Kind.SIGNAL, watched.title, Outcome.OK, watched.unit, watched.name)
    if not alerts:
        return fine
    worst = max(alerts, key=lambda each: each.score)
    # Where everything fires no part is named, unless it is one part that makes everything fire.
    whole = next((each for each in alerts if not each.scope), None)
    told = whole if whole and len(alerts) > 2 else worst
    return replace(
        fine,
        title=told.title,
        outcome=Outcome.FIRED,
        scope=told.scope,
        parts=tuple(sorted({scope_text(each.scope) for each in alerts})),
        value=told.value,
        usual=told.usual,
        size=max(each.score for each in alerts),
        since=worst.since,
    )


def _look(part: Part, watched: Measure, title: str, series: Series, until: datetime) -> tuple[bool, Alert | None]:
    """Return whether a signal of a part could be judged, and what fires."""
    count = len(series.size)
    scores = detect(series, max(1, HOLD // part.piece))
    last = scores.score
    if np.isnan(last).all():
        return False, None
    score, highest = float(last[~np.isnan(last)][-1]), float(np.nanmax(last))
    if not (score > 1 or (highest > 1 and score > HALF)):
        return True, None
    start = max(0, count - series.recent) + began(scores.distance[-series.recent :])
    value, usual = _means(series, scores.usual, start)
    since = until - (count - start) * part.piece * HOUR
    return True, Alert(watched, title, part.scope, since, value, usual, highest)


def _drift(part: Part, watched: Measure, until: datetime) -> Alert | None:
    """Return the alert of a part whose prompts of the last day are longer than those of the same day of weeks before.

    The measure is the population stability index of half octaves; few prompts must differ more.
    """
    found = drifts(part, len(part.columns[watched.count]))
    if found is None:
        return None
    score, mean, before = found
    title = "Prompt length, geometric mean"
    return Alert(watched, title, part.scope, until - timedelta(days=1), mean, before, score)


def drifts(part: Part, end: int) -> tuple[float, float, float] | None:
    """Return what fires at the place `end` of a part because prompts became longer: score, length, and usual length."""
    day, week = 24 // part.piece, WEEK // part.piece
    now = part.octaves[max(0, end - day) : end].sum(axis=0)
    past = [
        part.octaves[max(0, end - day - back) : max(0, end - back)].sum(axis=0)
        for back in range(week, 4 * week + 1, week)
    ]
    usual = np.sum([each for each in past if each.any()], axis=0) if any(each.any() for each in past) else None
    count = now.sum()
    if usual is None or min(count, usual.sum()) < DRIFT_LEAST:
        return None
    places = np.arange(len(now)) / 2
    mean, before = (float((each * places).sum() / each.sum()) for each in (now, usual))
    share, expected = ((each + 0.5) / (each + 0.5).sum() for each in (now[usual + now > 0], usual[usual + now > 0]))
    index = float(((share - expected) * np.log(share / expected)).sum())
    score = index * float(np.sqrt(count)) / 10 / DRIFT_LIMIT
    return (score, 2**mean, 2**before) if score > 1 and mean > before else None


def _means(series: Series, usual: "NDArray[np.float64]", start: int) -> tuple[float, float]:
    """Return the value of the hours from `start` on, and what is usual for them."""
    top, bottom = series.top[start:], series.bottom[start:]
    expected = usual[-len(top) :]
    known = np.isfinite(expected) & (bottom > 0) & np.isfinite(top)
    if not known.any():
        return float("nan"), float("nan")
    size = bottom[known].sum()
    return float(top[known].sum() / size), float((expected[known] * bottom[known]).sum() / size)


def series_of(part: Part, watched: Measure, tiers: Mapping[str, float]) -> Iterator[tuple[str, Series]]:
    """Yield the series of a signal of a part with their titles; none where the logs do not tell of it.

    Of the share of a tier there is one for every tier that is dearer than the part: more requests to it cost more.
    """
    size = part.columns[watched.count]
    if not size.any():
        return
    if watched.name == TIER_SHARE:
        requests = {tier: part.tiers[tier].sum() for tier in part.tiers if tier in tiers}
        usual = sum(count * tiers[tier] for tier, count in requests.items()) / max(sum(requests.values()), 1)
        for tier in sorted(requests):
            if tiers[tier] > usual:
                yield f"{watched.title} to {tier}", _made(part, watched, part.tiers[tier], size)
        return
    if watched.name == PERCENTILE:
        top = _percentiles(part.lengths, 0.95)
    else:
        top = np.sum([part.columns[name] for name in watched.top], axis=0)
    # Of a cache that was never used nothing can be lost.
    if len(top) and (watched.sign > 0 or top.any()):
        minutes = part.piece * 3600 / watched.per if watched.per else 1.0
        bottom = part.columns[watched.bottom] if watched.bottom else np.full(len(size), minutes)
        yield watched.title, _made(part, watched, top, bottom)


def _made(part: Part, watched: Measure, top: "NDArray[np.float64]", bottom: "NDArray[np.float64]") -> Series:
    size = part.columns[watched.count]
    return Series(top, bottom, size, watched.unit == SHARE, watched.sign, WEEK // part.piece)


def _tier_prices(sums: "Sums", first: datetime, until: datetime) -> dict[str, float]:
    """Return what a token of each tier costs, US dollars; tiers without tokens are left out."""
    rows = sums.hourly(("model_tier",), first, until)
    columns = ("cost_usd", "input_tokens", "output_tokens")
    found = rows.group_by("model_tier").aggregate([(name, "sum") for name in columns])
    names = found["model_tier"].to_pylist()
    costs, read, written = (found[f"{name}_sum"].to_pylist() for name in columns)
    return {
        name: float(cost or 0) / (into + out)
        for name, cost, into, out in zip(names, costs, read, written, strict=True)
        if into + out
    }


def _parts(sums: "Sums", by: tuple[str, ...], first: datetime, until: datetime) -> Iterator[Part]:
    """Yield the parts of everything by a column, each with its sums by the hour."""
    rows = sums.hourly(by, first, until)
    count = round((until - first) / HOUR)
    hours = _hours(rows, first)
    column = by[0] if by else None
    values = rows[column].to_pylist() if column else [None] * rows.num_rows
    places: dict[str | None, list[int]] = {}
    for place, value in enumerate(values):
        places.setdefault(value, []).append(place)
    for value, chosen in places.items():
        if column and value is None:
            continue
        yield _part({column: value} if column and value is not None else {}, rows.take(chosen), hours[chosen], count)


def _part(scope: Mapping[str, str], rows: "pa.Table", hours: "NDArray[np.int64]", count: int) -> Part:
    """Return a part in pieces of time that have requests enough, the last of which ends with the last hour."""
    requests = np.bincount(hours, weights=rows["requests"].to_numpy(), minlength=count)[-RECENT_HOURS:].mean()
    piece = next((each for each in PIECES if requests * each >= 2 * LEAST_COUNT), PIECES[-1])
    hours = (hours + -count % piece) // piece
    count = -(-count // piece)
    columns = {}
    for name in rows.column_names:
        if _is_number(rows, name):
            columns[name] = np.zeros(count)
            np.add.at(columns[name], hours, rows[name].cast("double").fill_null(0).to_numpy())
    lengths = _spread_out(rows, "prompt_histogram", hours, count)
    return Part(scope, piece, columns, _spread_out(rows, "tier_requests", hours, count), lengths)


def _is_number(rows: "pa.Table", name: str) -> bool:
    import pyarrow.types as kinds

    kind = rows[name].type
    return bool(kinds.is_integer(kind) or kinds.is_decimal(kind) or kinds.is_floating(kind))


def _hours(rows: "pa.Table", first: datetime) -> "NDArray[np.int64]":
    """Return the place of each row's hour."""
    moments = rows["bucket"].cast("int64").to_numpy()
    places: NDArray[np.int64] = (moments - round(first.timestamp() * 1e6)) // 3_600_000_000
    return places


def _spread_out(
    rows: "pa.Table", column: str, hours: "NDArray[np.int64]", count: int
) -> "dict[str, NDArray[np.float64]]":
    """Return the sums of a column of maps: for each key what every hour has of it."""
    maps = rows[column].combine_chunks()
    offsets = maps.offsets.to_numpy()
    owner = np.repeat(hours, np.diff(offsets))
    entries = slice(offsets[0], offsets[-1])
    keys = maps.keys.dictionary_encode()
    counts = maps.items.to_numpy(zero_copy_only=False)[entries].astype(float)
    names = keys.dictionary.to_pylist()
    # One place for every key and hour.
    places = keys.indices.to_numpy(zero_copy_only=False)[entries].astype(np.int64) * count + owner
    sums = np.bincount(places, weights=counts, minlength=len(names) * count).reshape(len(names), count)
    return {name: sums[number] for number, name in enumerate(names)}


def _percentiles(lengths: "Mapping[str, NDArray[np.float64]]", share: float) -> "NDArray[np.float64]":
    """Return the length below which `share` of each hour's prompts are; nan where there are none."""
    if not lengths:
        return np.array([])
    keys = sorted(lengths, key=int)
    counts = np.cumsum([lengths[key] for key in keys], axis=0)
    total = counts[-1]
    place = (counts < share * total).sum(axis=0)
    edges = np.array([length_of(int(key)) for key in keys])
    return np.where(total > 0, edges[np.minimum(place, len(keys) - 1)], np.nan)


def _half_octaves(lengths: "Mapping[str, NDArray[np.float64]]", count: int) -> "NDArray[np.float64]":
    """Return the prompts of each hour by half octaves of their length."""
    found = np.zeros((count, 64))
    for key, counts in lengths.items():
        length = HISTOGRAM_BASE ** max(int(key), 0)
        found[:, min(63, int(2 * np.log2(length)))] += counts
    return found
