"""Tells when signals left what is usual: moving averages of how far each hour is from the same hours of the week.

What is usual for an hour is known from that hour of the week and its neighbours in the four weeks before: of shares the
pooled ratio, of all others the median. The distance is measured in what chance and the last two weeks make of it, and
averaged twice, for steps and for slow drifts; each average is held against its own spread. Large steps are told sooner
by five minutes, held against what is usual for their hour. Everything at a place goes by that place and those before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEEK = 168
"""Hours of a week."""

PIECES = (1, 2, 3, 4, 6, 8, 12, 24)
"""Hours that a place of a series may span."""

WEEKS = 4
"""Weeks before an hour that tell what is usual."""

LEAST_WEEKS = 3
"""Weeks of history below which nothing is said."""

RECENT_WEEKS = 2
"""Weeks that tell how far values usually are from what is usual, and how far the averages."""

GAP_DAYS = 3
"""Days before the one that is judged which tell nothing of that: what begins slowly does not become usual by itself."""

WARM_UP_WEEKS = 1
"""Weeks after which an average no longer depends on where it began."""

LEAST_COUNT = 10
"""Requests of a place below which it is passed over."""

LEAST_RESIDUALS = 10
"""Places below which it is not known how far values usually are from what is usual."""

SPREAD_PLACES = 96
"""Places of a day that tell how far values usually are from what is usual; of more every second, third, ... does."""

CLIP = 4.0
"""Distances beyond this count as this, so that one odd hour alone fires nothing."""


@dataclass(frozen=True)
class Speed:
    """The weight of the newest place in an average, the multiple of its spread from which on it fires, and its CLIP.

    Places with fewer requests than `least` are passed over.
    """

    weight: float
    limit: float
    clip: float = CLIP
    least: int = LEAST_COUNT


HOURLY: tuple[Speed, ...] = (Speed(0.2, 6.0), Speed(0.05, 8.0))

FINE: tuple[Speed, ...] = (Speed(0.1, 5.2, least=5),)
"""The average of five minutes."""

FINE_OF_BURSTS: tuple[Speed, ...] = (Speed(0.1, 15.5, clip=8.0, least=5),)
"""That of what comes in bursts of an hour or two: only what is far beyond such a burst is told at once."""

DRIFT = 0.75
"""Mean distance above which hours count as being part of what fired."""

_MAD_TO_DEVIATION = 1.4826
_NOTHING = 1e-17


@dataclass(frozen=True)
class Series:
    """A signal of one part of the spend, a piece of time a place, oldest first, without gaps; `week` places are a week.

    A share is `top` by `bottom`; of any other signal `top` is the value and `bottom` is 1. `size` is how many were
    counted. `sign` is +1 where more of it costs more, -1 where less does. `hours` is the same signal by the hour, from
    `before` places earlier on, and tells what is usual where places are shorter. Several parts may be together, each a
    row of every array.
    """

    top: "NDArray[np.float64]"
    bottom: "NDArray[np.float64]"
    size: "NDArray[np.float64]"
    is_share: bool
    sign: int
    week: int = WEEK
    hours: "Series | None" = None
    before: int = 0

    @property
    def recent(self) -> int:
        """The places of RECENT_WEEKS."""
        return RECENT_WEEKS * self.week

    @property
    def day(self) -> int:
        """The places of a day."""
        return self.week // 7


@dataclass(frozen=True)
class Scores:
    """How near a series is to firing at its last hours (1 = it fires); every hour's distance and usual value.

    nan is unknown.
    """

    score: "NDArray[np.float64]"
    distance: "NDArray[np.float64]"
    usual: "NDArray[np.float64]"


def together(series: Sequence[Series]) -> Series:
    """Return series of one signal, of the same places, as one: a row each."""
    top, bottom, size = (np.stack([getattr(each, name) for each in series]) for name in ("top", "bottom", "size"))
    hours = [each.hours for each in series if each.hours]
    return replace(series[0], top=top, bottom=bottom, size=size, hours=together(hours) if hours else None)


def detect(series: Series, places: int, speeds: Sequence[Speed] = HOURLY, calm: int | None = None) -> Scores:
    """Return the scores of the last `places` of a series, and the distances of all.

    What is known to be going on since the place `calm` tells nothing of how far values usually are from what is usual.
    """
    value, usual, variance = _against_usual(series)
    distance = series.sign * (value - usual)
    count = value.shape[-1]
    calm = count if calm is None else calm
    first = max(0, min(count - places, calm) - series.recent - WARM_UP_WEEKS * series.week)
    scaled = distance / _spread(series, distance, variance, first, calm)
    scaled[series.size < min(speed.least for speed in speeds)] = np.nan
    score = np.full((*value.shape[:-1], places), -np.inf)
    for speed in speeds:
        counted = np.where(series.size < speed.least, np.nan, scaled)
        average = _averaged(np.clip(counted, -speed.clip, speed.clip), speed.weight, first)
        floor = 0.9 * np.sqrt(speed.weight / (2 - speed.weight))
        score = np.fmax(score, average[..., -places:] / _own_spread(average, places, series, floor, calm) / speed.limit)
    score[~np.isfinite(score)] = np.nan
    if count < LEAST_WEEKS * series.week:
        score[:] = np.nan
    return Scores(score, np.clip(scaled, -CLIP, CLIP), usual if series.is_share else np.exp(usual))


def began(distance: "NDArray[np.float64]") -> int:
    """Return the place of the first hour of what fires at the last one: where the sum of distances last left zero.

    What is taken off each distance is half of what it is once something has begun, which dates a step best.
    """
    start = _left_zero(distance, DRIFT)
    return _left_zero(distance, max(DRIFT, float(np.nanmean(distance[start:])) / 2))


def _left_zero(distance: "NDArray[np.float64]", drift: float) -> int:
    total, start = 0.0, len(distance) - 1
    for place, each in enumerate(distance):
        if np.isnan(each):
            continue
        if total <= 0:
            start = place
        total = max(0.0, total + each - drift)
    return start


def _against_usual(series: Series) -> "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]":
    """Return each place's value, what is usual, and the variance by chance; logarithms where it is no share."""
    usual, known = _usual(series.hours or series)
    if series.hours:
        times, count = series.week // series.hours.week, series.size.shape[-1]
        usual, known = (
            np.repeat(each, times, axis=-1)[..., series.before : series.before + count] for each in (usual, known)
        )
    value = _values(series)
    if not series.is_share:
        return value, usual, 1 / np.maximum(series.size, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Of the share 0 nothing is known but that it is less than half of one.
        share = np.clip(usual, 0.5 / known, 1 - 0.5 / known)
        return value, usual, share * (1 - share) * (1 / series.size + 1 / known)


def _values(series: Series) -> "NDArray[np.float64]":
    """Return the share of each place, or the logarithm of its value; nan where it is unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: NDArray[np.float64] = series.top / series.bottom
        if series.is_share:
            return ratio
        value = np.log(np.where(series.size > 0, ratio, np.nan))
    value[~np.isfinite(value)] = np.nan
    return value


def _usual(series: Series) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return what is usual at each place, and of how many that is known."""
    back = [series.week * week + side for week in range(1, WEEKS + 1) for side in (1, 0, -1)]
    known = _pooled(series.size, back)
    if not series.is_share:
        values = _values(series)
        return _median(np.stack([_shifted(values, each) for each in back], axis=-1)), known
    with np.errstate(divide="ignore", invalid="ignore"):
        return _pooled(series.top, back) / _pooled(series.bottom, back), known


def _shifted(values: "NDArray[np.float64]", back: int) -> "NDArray[np.float64]":
    """Return each hour's value of `back` hours before; nan before the first."""
    found = np.full(values.shape, np.nan)
    if back < values.shape[-1]:
        found[..., back:] = values[..., : values.shape[-1] - back]
    return found


def _pooled(values: "NDArray[np.float64]", back: Sequence[int]) -> "NDArray[np.float64]":
    total: NDArray[np.float64] = np.nansum([_shifted(values, each) for each in back], axis=0)
    return total


def _median(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return the medians over the last axis of what is known; nan where nothing is."""
    ordered = np.sort(values, axis=-1)
    known = np.isfinite(values).sum(axis=-1)
    low, high = (np.maximum(known - 1, 0) // 2)[..., None], (known // 2)[..., None]
    last = values.shape[-1] - 1
    middle = np.take_along_axis(ordered, low, -1) + np.take_along_axis(ordered, np.minimum(high, last), -1)
    return np.where(known > 0, middle[..., 0] / 2, np.nan)


def _spread(
    series: Series, distance: "NDArray[np.float64]", variance: "NDArray[np.float64]", first: int, calm: int
) -> "NDArray[np.float64]":
    """Return the usual distance of each place: a multiple of its variance by chance, and a part that is always there.

    Both are fitted to the squared distances of RECENT_WEEKS that end GAP_DAYS before each day, by least squares that
    allow no negative.
    Of a share, requests that go together (one token share each) vary more than single ones, never less.
    """
    least_factor, step, count = float(series.is_share), series.day, distance.shape[-1]
    starts = np.arange(first, max(first + 1, min(count, calm + 1)), step)
    thin = -(-step // SPREAD_PLACES)
    told = np.maximum(starts - GAP_DAYS * step, 0)
    squares, chance = (_before(each, told, series.recent, thin) for each in (distance**2, variance))
    usable = np.isfinite(squares) & np.isfinite(chance)
    most = (CLIP * _MAD_TO_DEVIATION) ** 2 * _median(np.where(usable, squares, np.nan)) + 1e-12
    squares = np.minimum(squares, most[..., None])
    factor, apart = _fit(np.where(usable, squares - least_factor * chance, 0), np.where(usable, chance, 0), usable)
    apart[usable.sum(axis=-1) < LEAST_RESIDUALS] = np.nan
    days = np.minimum(np.arange(count - first) // step, len(starts) - 1)
    spread = np.full(distance.shape, np.nan)
    spread[..., first:] = np.sqrt((least_factor + factor[..., days]) * variance[..., first:] + apart[..., days])
    return np.where(spread > 0, spread, np.nan)


def _before(
    values: "NDArray[np.float64]", starts: "NDArray[np.int64]", count: int, thin: int = 1
) -> "NDArray[np.float64]":
    """Return for each of `starts` the `count` values before it, every `thin`th of them; nan before the first."""
    padded = np.concatenate([np.full((*values.shape[:-1], count), np.nan), values], axis=-1)
    return np.lib.stride_tricks.sliding_window_view(padded, count, axis=-1)[..., starts, ::thin]


def _fit(
    wanted: "NDArray[np.float64]", chance: "NDArray[np.float64]", usable: "NDArray[np.bool_]"
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Return for each row the factor and the constant, neither negative, with which `chance` is nearest to `wanted`.

    What is not `usable` is 0 in both.
    """
    count = np.maximum(usable.sum(axis=-1), 1)
    mean, middle = wanted.sum(axis=-1) / count, chance.sum(axis=-1) / count
    apart = np.where(usable, chance - middle[..., None], 0)
    square, size = (apart**2).sum(axis=-1), (chance**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(square > 0, (apart * wanted).sum(axis=-1) / square, -1.0)
        alone = np.where(size > 0, np.maximum((chance * wanted).sum(axis=-1) / size, 0), 0)
    constant = mean - factor * middle
    is_constant, is_factor = factor < 0, (factor >= 0) & (constant < 0)
    factor = np.where(is_constant, 0, np.where(is_factor, alone, factor))
    return factor, np.where(is_constant, np.maximum(mean, 0), np.where(is_factor, 0, constant))


def _averaged(values: "NDArray[np.float64]", weight: float, first: int) -> "NDArray[np.float64]":
    """Return the moving average from `first` on; an hour that is passed over leaves it as it is. nan where unknown."""
    if values.ndim > 1:
        return np.stack([_averaged(each, weight, first) for each in values])
    is_known = np.isfinite(values[first:])
    average = weight * values[first:][is_known]
    # Each turn doubles the values that are in it; those whose weight is less than a rounding's are left out.
    reach, left = 1, 1 - weight
    while reach < len(average) and left > _NOTHING:
        average[reach:] += left * average[:-reach]
        reach, left = 2 * reach, left**2
    found = np.full(len(values), np.nan)
    newest = np.cumsum(is_known) - 1
    if len(average):
        found[first:] = np.where(newest < 0, np.nan, average[np.maximum(newest, 0)])
    return found


def _own_spread(
    average: "NDArray[np.float64]", places: int, series: Series, floor: float, calm: int
) -> "NDArray[np.float64]":
    """Return for each of the last `places` how far the average usually was from its median, GAP_DAYS before its day."""
    count = average.shape[-1]
    starts = np.minimum(np.arange(count - places, count, series.day) - GAP_DAYS * series.day, calm)
    windows = _before(average, np.maximum(starts, 0), series.recent)
    apart = _median(np.abs(windows - _median(windows)[..., None]))
    spread = np.maximum(_MAD_TO_DEVIATION * np.nan_to_num(apart), floor)
    return np.repeat(spread, series.day, axis=-1)[..., :places]
