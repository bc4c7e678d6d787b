"""The parts of the spend whose signals are watched, as series of places of time: five minutes, hours, or longer."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from infercost.analyze.detect import LEAST_COUNT, PIECES, WEEK, Series
from infercost.analyze.limits import HISTOGRAM_BASE, length_of
from infercost.analyze.queries import EVERYTHING
from infercost.analyze.report import scope_text
from infercost.analyze.sums import FIVE_MINUTES, tier_column
from infercost.config.limits import PERCENTILE, SHARE, TIER, TIER_SHARE, Measure

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from infercost.analyze.sums import Sums

_LENGTHS = "prompt_histogram"


DAY_OF_HOURS, DAY_OF_FINE = 24, 288
"""Places of a day."""

FINE_HISTORY = timedelta(weeks=5, days=2)
"""What is read by five minutes: two weeks that tell the spread, for each of the two and a warm-up before the day."""

RECENT_HOURS = 2 * WEEK
"""Hours whose requests tell how long the pieces of time must be."""


@dataclass(frozen=True)
class Part:
    """One part of the spend: columns of sums, `day` places a day, oldest first, without gaps.

    `tiers` are its requests by tier. `lengths` has a row for each of the `buckets` of the prompt's length, ascending.
    """

    scope: Mapping[str, str]
    day: int
    columns: "Mapping[str, NDArray[np.float64]]"
    tiers: "Mapping[str, NDArray[np.float64]]"
    buckets: "NDArray[np.int64]"
    lengths: "NDArray[np.int32]"

    @cached_property
    def octaves(self) -> "NDArray[np.float64]":
        """The prompts of each place by half octaves of their length: a row each."""
        found = np.zeros((64, self.lengths.shape[1]))
        lengths = HISTOGRAM_BASE ** np.maximum(self.buckets, 0.0)
        places, starts = np.unique(np.minimum(63, 2 * np.log2(lengths)).astype(int), return_index=True)
        if len(starts):
            found[places] = np.add.reduceat(self.lengths, starts, axis=0)
        return found

    def changed(self, change: "Callable[[NDArray[Any]], NDArray[Any]]", day: int) -> "Part":
        """Return the part with `day` places a day, made by a change of the places, the last axis of every array."""
        columns, tiers = ({name: change(each) for name, each in found.items()} for found in (self.columns, self.tiers))
        return Part(self.scope, day, columns, tiers, self.buckets, change(self.lengths))


@dataclass(frozen=True)
class Watched:
    """What is watched: the parts by the hour or longer, and by five minutes those that have requests enough.

    Of the latter stands beside each the same part by the hour, with one more for the hour that goes on, which begins
    `before` places of five minutes earlier. `tiers` are the dollars of a token by tier.
    """

    parts: Sequence[Part]
    fine: Sequence[tuple[Part, Part]]
    before: int
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
                    yield part, title, replace(series, hours=known[title], before=self.before)


def read(sums: "Sums", by: Sequence[str], first: datetime, until: datetime, fine: datetime | None = None) -> Watched:
    """Return everything and each value of the columns `by` in [first, until), whole hours and whole five minutes.

    By five minutes they are read from `fine` on, FINE_HISTORY unless that is given.
    """
    hour = until.replace(minute=0)
    tiers = _tier_prices(sums, first, hour)

    def hour_rows(column: tuple[str, ...]) -> "pa.Table":
        return sums.figures(column, first, hour, tiers=tiers, has_lengths=True)

    found = _parts(by, hour_rows, tiers, DAY_OF_HOURS, first, hour)
    large = {scope_text(part.scope): part for part in found if _is_large(part)}
    # What is everything is known from its parts, where those are read.
    asked = [column for column in by if any(column in part.scope for part in large.values())]
    start = fine or max(first, (until - FINE_HISTORY).replace(minute=0))

    def fine_rows(column: tuple[str, ...]) -> "pa.Table":
        return sums.figures(column, start, until, FIVE_MINUTES, tiers)

    soon = _parts(asked, fine_rows, tiers, DAY_OF_FINE, start, until) if large else []
    # Before the hour that goes on is over it has its usual value, from the weeks before.
    pairs = [(part, _longer(large[name])) for part in soon if (name := scope_text(part.scope)) in large]
    before = round((start - first) / timedelta(days=1) * DAY_OF_FINE)
    return Watched([_in_pieces(part) for part in found], pairs, before, tiers)


def _is_large(part: Part) -> bool:
    """Return whether a part, by the hour, has requests enough to be judged by five minutes."""
    return float(part.columns["requests"][-RECENT_HOURS:].mean()) >= LEAST_COUNT * DAY_OF_FINE // DAY_OF_HOURS


def _longer(part: Part) -> Part:
    """Return a part with one place more, of which nothing is known."""

    def longer(values: "NDArray[Any]") -> "NDArray[Any]":
        return np.concatenate([values, np.zeros((*values.shape[:-1], 1), values.dtype)], axis=-1)

    return part.changed(longer, part.day)


def _in_pieces(part: Part) -> Part:
    """Return a part, by the hour, in pieces of time with requests enough, the last of which end last."""
    requests = part.columns["requests"][-RECENT_HOURS:].mean()
    piece = next((each for each in PIECES if requests * each >= 2 * LEAST_COUNT), PIECES[-1])
    if piece == 1:
        return part

    def joined(values: "NDArray[Any]") -> "NDArray[Any]":
        gap = np.zeros((*values.shape[:-1], -values.shape[-1] % piece), values.dtype)
        pieces = np.concatenate([gap, values], axis=-1).reshape(*values.shape[:-1], -1, piece)
        found: NDArray[Any] = pieces.sum(axis=-1, dtype=values.dtype)
        return found

    return part.changed(joined, DAY_OF_HOURS // piece)


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
        top = _percentiles(part, 0.95)
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
    """Return what a token of each tier costs on whole days, US dollars; tiers without tokens are left out."""
    rows = sums.figures((TIER,), first, until.replace(hour=0))
    tiers = _grid(rows, TIER, (), np.zeros(len(rows), np.int64), 1)
    costs, read, written = (tiers.columns[name][:, 0] for name in ("cost_usd", "input_tokens", "output_tokens"))
    tokens = read + written
    return {name: float(costs[place] / tokens[place]) for place, name in enumerate(tiers.names) if tokens[place]}


@dataclass(frozen=True)
class _Grid:
    """What every value of a column has at every place: rows of the values, then one of no value, by places of time.

    `lengths` has `buckets` between the two.
    """

    names: Sequence[str]
    columns: "Mapping[str, NDArray[np.float64]]"
    tiers: "Mapping[str, NDArray[np.float64]]"
    buckets: "NDArray[np.int64]"
    lengths: "NDArray[np.int32]"

    def part(self, scope: Mapping[str, str], day: int, chosen: "int | None") -> Part:
        """Return one row as a part; all of them together where none is chosen."""

        def of(grid: "NDArray[Any]") -> "NDArray[Any]":
            row: NDArray[Any] = grid.sum(axis=0, dtype=grid.dtype) if chosen is None else grid[chosen]
            return row

        columns, tiers = ({key: of(grid) for key, grid in grids.items()} for grids in (self.columns, self.tiers))
        return Part(scope, day, columns, tiers, self.buckets, of(self.lengths))


def _parts(
    by: Sequence[str],
    rows_of: "Callable[[tuple[str, ...]], pa.Table]",
    tiers: Collection[str],
    day: int,
    first: datetime,
    until: datetime,
) -> list[Part]:
    """Return everything, and each value of the columns `by`, in `day` places a day from `first` until `until`."""
    step = timedelta(days=1) / day
    count = round((until - first) / step)
    found: list[Part] = []
    for column in by or (None,):
        rows = rows_of((column,) if column else ())
        since = rows["bucket"].to_numpy() - round(first.timestamp() * 1e6)
        grid = _grid(rows, column, tiers, since // round(step.total_seconds() * 1e6), count)
        if not found:
            found.append(grid.part({}, day, None))
        if column:
            found += [grid.part({column: name}, day, place) for place, name in enumerate(grid.names)]
    return found


def _grid(
    rows: "pa.Table", column: str | None, tiers: Collection[str], places: "NDArray[np.int64]", count: int
) -> _Grid:
    """Return rows of sums, each at its place of time, as a grid of the values of a column by `count` places."""
    # What pyarrow.compute could do is done without: to import it takes longer.
    names, numbers = _numbered(rows[column].to_numpy().tolist()) if column else ([], np.zeros(len(rows), np.int64))
    shape = (len(names) + 1, count)
    columns = {
        name: _summed(numbers * count + places, rows[name].to_numpy(), shape)
        for name in rows.column_names
        if name not in (column, "bucket", _LENGTHS, EVERYTHING)
    }
    buckets, lengths = np.zeros(0, np.int64), np.zeros((shape[0], 0, count), np.int32)
    if _LENGTHS in rows.column_names:
        buckets, lengths = _lengths(rows[_LENGTHS], numbers, places, shape)
    return _Grid(names, columns, {name: columns.pop(tier_column(name)) for name in tiers}, buckets, lengths)


def _numbered(values: Sequence[str | None]) -> "tuple[list[str], NDArray[np.int64]]":
    """Return the distinct values in order, and the number of each value; None has the number after the last."""
    names = sorted({each for each in values if each is not None})
    number: dict[str | None, int] = {name: place for place, name in enumerate(names)}
    number[None] = len(names)
    return names, np.array([number[each] for each in values], np.int64)


def _summed(slots: "NDArray[np.int64]", values: "NDArray[np.float64]", shape: tuple[int, ...]) -> "NDArray[np.float64]":
    sums = np.bincount(slots, weights=values, minlength=int(np.prod(shape)))
    # Without any row they are whole numbers.
    return sums.astype(float, copy=False).reshape(shape)


def _lengths(
    column: "pa.ChunkedArray", numbers: "NDArray[np.int64]", places: "NDArray[np.int64]", shape: tuple[int, int]
) -> "tuple[NDArray[np.int64], NDArray[np.int32]]":
    """Return the buckets in a column of histograms, ascending, and their counts by the rows' numbers and places."""
    maps = column.combine_chunks()
    offsets = maps.offsets.to_numpy()
    entries = slice(offsets[0], offsets[-1])
    keys, counts = (each[entries].to_numpy(zero_copy_only=False) for each in (maps.keys, maps.items))
    least = int(keys.min()) if len(keys) else 0
    is_there = np.bincount(keys - least) > 0
    buckets = np.flatnonzero(is_there)
    found = np.zeros((shape[0], len(buckets), shape[1]), np.int32)
    number, place = (np.repeat(each, np.diff(offsets)) for each in (numbers, places))
    found[number, (np.cumsum(is_there) - 1)[keys - least], place] = counts
    return buckets + least, found


def _percentiles(part: Part, share: float) -> "NDArray[np.float64]":
    """Return the length below which `share` of each hour's prompts are; nan where there are none."""
    if not len(part.buckets):
        return np.array([])
    counts = np.cumsum(part.lengths, axis=0, dtype=np.int32)
    total = counts[-1]
    place = (counts < np.ceil(share * total).astype(np.int32)).sum(axis=0)
    edges = np.array([length_of(int(bucket)) for bucket in part.buckets])
    return np.where(total > 0, edges[np.minimum(place, len(edges) - 1)], np.nan)
