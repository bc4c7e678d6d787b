"""The parts of the spend whose signals are watched, as series of places of time: five minutes, hours, or longer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from infercost.analyze.detect import LEAST_COUNT, PIECES, WEEK, Series
from infercost.analyze.limits import HISTOGRAM_BASE, HOUR, length_of
from infercost.analyze.sums import FIVE_MINUTES
from infercost.config.limits import PERCENTILE, SHARE, TIER_SHARE, Measure

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from infercost.analyze.sums import Sums

DAY_OF_HOURS, DAY_OF_FINE = 24, 288
"""Places of a day."""

FINE_HISTORY = timedelta(weeks=5, days=2)
"""What is read by five minutes: two weeks that tell the spread, for each of the two and a warm-up before the day."""

RECENT_HOURS = 2 * WEEK
"""Hours whose requests tell how long the pieces of time must be."""


@dataclass(frozen=True)
class Part:
    """One part of the spend: columns of sums, `day` places a day, oldest first, without gaps.

    `tiers` are its requests by tier, `lengths` by the bucket of the prompt's length.
    """

    scope: Mapping[str, str]
    day: int
    columns: "Mapping[str, NDArray[np.float64]]"
    tiers: "Mapping[str, NDArray[np.float64]]"
    lengths: "Mapping[str, NDArray[np.float64]]"

    @cached_property
    def octaves(self) -> "NDArray[np.float64]":
        """The prompts of each place by half octaves of their length."""
        return _half_octaves(self.lengths, len(self.columns["requests"]))


@dataclass(frozen=True)
class Watched:
    """What is watched: the parts by the hour or longer, and by five minutes those that have requests enough.

    Of the latter stands beside each the same part by the hour, with one more for the hour that goes on. `tiers` are the
    dollars of a token by tier.
    """

    parts: Sequence[Part]
    fine: Sequence[tuple[Part, Part]]
    tiers: Mapping[str, float]

    def series(self, measure: Measure) -> "Iterator[tuple[Part, str, Series]]":
        """Yield the series of a signal by the hour or longer, with their part and title."""
        for part in self.parts:
            for title, series in series_of(part, measure, self.tiers):
                yield part, title, series

    def fine_series(self, measure: Measure) -> "Iterator[tuple[Part, str, Series]]":
        """Yield the series of a signal by five minutes; none of a percentile, of which they tell too little."""
        if measure.name == PERCENTILE:
            return
        for part, hours in self.fine:
            known = dict(series_of(hours, measure, self.tiers))
            for title, series in series_of(part, measure, self.tiers):
                if title in known:
                    yield part, title, replace(series, hours=known[title])


def read(sums: "Sums", by: Sequence[str], first: datetime, until: datetime, fine: datetime | None = None) -> Watched:
    """Return everything and each value of the columns `by` in [first, until), whole hours and whole five minutes.

    By five minutes they are read from `fine` on, FINE_HISTORY unless that is given.
    """
    hour = until.replace(minute=0)
    columns = ((), *((name,) for name in by))
    parts = [part for each in columns for part in _parts(sums, each, first, hour)]
    # Before the hour that goes on is over it has its usual value, from the weeks before.
    later = [_longer(part) for part in parts if _is_large(part)]
    start = fine or max(first, until - FINE_HISTORY)
    found = [
        (part, hours)
        for each in sorted({tuple(part.scope) for part in later})
        for part in _fine_parts(sums, each, first, start, until)
        for hours in later
        if hours.scope == part.scope
    ]
    return Watched(parts, found, _tier_prices(sums, first, hour))


def _is_large(part: Part) -> bool:
    """Return whether a part has requests enough to be judged by five minutes."""
    times = DAY_OF_FINE // DAY_OF_HOURS
    return part.day == DAY_OF_HOURS and part.columns["requests"][-RECENT_HOURS:].mean() >= LEAST_COUNT * times


def _longer(part: Part) -> Part:
    """Return a part with one place more, of which nothing is known."""
    columns, tiers = (
        {name: np.append(values, 0.0) for name, values in each.items()} for each in (part.columns, part.tiers)
    )
    return replace(part, columns=columns, tiers=tiers)


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
        units = 86400 / part.day / watched.per if watched.per else 1.0
        bottom = part.columns[watched.bottom] if watched.bottom else np.full(len(size), units)
        yield watched.title, _made(part, watched, top, bottom)


def _made(part: Part, watched: Measure, top: "NDArray[np.float64]", bottom: "NDArray[np.float64]") -> Series:
    size = part.columns[watched.count]
    return Series(top, bottom, size, watched.unit == SHARE, watched.sign, 7 * part.day)


def _tier_prices(sums: "Sums", first: datetime, until: datetime) -> dict[str, float]:
    """Return what a token of each tier costs, US dollars; tiers without tokens are left out."""
    rows = sums.read(("model_tier",), first, until)
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
    """Yield the parts of everything by a column, in pieces of time with requests enough, the last of which end last."""
    count = round((until - first) / HOUR)
    for scope, rows in _by_value(sums.read(by, first, until), by):
        hours = _places(rows, first, HOUR)
        requests = np.bincount(hours, weights=rows["requests"].to_numpy(), minlength=count)[-RECENT_HOURS:].mean()
        piece = next((each for each in PIECES if requests * each >= 2 * LEAST_COUNT), PIECES[-1])
        yield _part(scope, DAY_OF_HOURS // piece, rows, (hours + -count % piece) // piece, -(-count // piece))


def _fine_parts(sums: "Sums", by: tuple[str, ...], first: datetime, start: datetime, until: datetime) -> Iterator[Part]:
    """Yield the parts of everything by a column, by five minutes since `first`; before `start` nothing is read."""
    step = timedelta(days=1) / DAY_OF_FINE
    for scope, rows in _by_value(sums.read(by, start, until, FIVE_MINUTES), by):
        yield _part(scope, DAY_OF_FINE, rows, _places(rows, first, step), round((until - first) / step))


def _by_value(rows: "pa.Table", by: tuple[str, ...]) -> "Iterator[tuple[dict[str, str], pa.Table]]":
    """Yield the rows of each value of the column `by`, of everything where there is none; no value is no part."""
    if not by:
        yield {}, rows
        return
    (column,) = by
    places: dict[str | None, list[int]] = {}
    for place, value in enumerate(rows[column].to_pylist()):
        places.setdefault(value, []).append(place)
    for value, chosen in places.items():
        if value is not None:
            yield {column: value}, rows.take(chosen)


def _part(scope: Mapping[str, str], day: int, rows: "pa.Table", places: "NDArray[np.int64]", count: int) -> Part:
    """Return a part of `count` places from its rows, of which each has one."""
    columns = {
        name: np.bincount(places, weights=rows[name].cast("double").fill_null(0).to_numpy(), minlength=count).astype(
            float
        )
        for name in rows.column_names
        if _is_number(rows, name)
    }
    tiers, lengths = (
        _spread_out(rows, name, places, count) if name in rows.column_names else {}
        for name in ("tier_requests", "prompt_histogram")
    )
    return Part(scope, day, columns, tiers, lengths)


def _is_number(rows: "pa.Table", name: str) -> bool:
    import pyarrow.types as kinds

    kind = rows[name].type
    return bool(kinds.is_integer(kind) or kinds.is_decimal(kind) or kinds.is_floating(kind))


def _places(rows: "pa.Table", first: datetime, step: timedelta) -> "NDArray[np.int64]":
    """Return the place of each row's bucket, counted from `first` in steps."""
    moments = rows["bucket"].cast("int64").to_numpy()
    places: NDArray[np.int64] = (moments - round(first.timestamp() * 1e6)) // round(step.total_seconds() * 1e6)
    return places


def _spread_out(
    rows: "pa.Table", column: str, places: "NDArray[np.int64]", count: int
) -> "dict[str, NDArray[np.float64]]":
    """Return the sums of a column of maps: for each key what every place has of it."""
    maps = rows[column].combine_chunks()
    offsets = maps.offsets.to_numpy()
    owner = np.repeat(places, np.diff(offsets))
    entries = slice(offsets[0], offsets[-1])
    keys = maps.keys.dictionary_encode()
    counts = maps.items.to_numpy(zero_copy_only=False)[entries].astype(float)
    names = keys.dictionary.to_pylist()
    # One slot for every key and place.
    slots = keys.indices.to_numpy(zero_copy_only=False)[entries].astype(np.int64) * count + owner
    sums = np.bincount(slots, weights=counts, minlength=len(names) * count).reshape(len(names), count)
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
