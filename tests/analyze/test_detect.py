"""The detector: quiet where nothing happens, soon where something does, and never wiser than its hour."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infercost.analyze.detect import FINE, FINE_OF_BURSTS, LEAST_WEEKS, WEEK, Series, began, detect

WEEKS = 9
STEP = 8 * WEEK
"""The hour at which something happens."""


def share(seed: int, rate: float = 0.1, then: float | None = None, size: float = 200.0) -> Series:
    """Return a share that is drawn anew every hour, with a day's cycle in how many are counted."""
    drawn = np.random.default_rng(seed)
    hours = np.arange(WEEKS * WEEK)
    counts = np.round(size * (1 + 0.6 * np.sin(hours / 24 * 2 * np.pi)))
    rates = np.where(hours >= STEP, rate if then is None else then, rate)
    return Series(drawn.binomial(counts.astype(int), rates).astype(float), counts, counts, is_share=True, sign=1)


def length(seed: int, factor: float = 1.0) -> Series:
    """Return a mean length with the noise of as many as are counted."""
    drawn = np.random.default_rng(seed)
    hours = np.arange(WEEKS * WEEK)
    counts = np.full(len(hours), 300.0)
    value = 1000 * np.exp(drawn.normal(0, 0.8 / np.sqrt(300), len(hours)) + 0.1 * np.sin(hours / 24 * 2 * np.pi))
    return Series(value * np.where(hours >= STEP, factor, 1) * counts, counts, counts, is_share=False, sign=1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("make", [share, length])
def test_nothing_fires_where_nothing_happens(make: Callable[[int], Series], seed: int) -> None:
    assert np.nanmax(detect(make(seed), 5 * WEEK).score) < 1


@pytest.mark.parametrize("seed", range(3))
def test_a_step_fires_within_hours_and_is_dated(seed: int) -> None:
    for series in (share(seed, 0.1, 0.2), length(seed, 1.3)):
        scores = detect(series, WEEK)
        first = int(np.flatnonzero(scores.score > 1)[0])
        assert first <= 6
        assert abs(began(scores.distance[: STEP + first + 1]) - STEP) <= 3


@pytest.mark.parametrize("seed", range(8))
def test_a_small_step_does_not_hide_itself(seed: int) -> None:
    """It is told after days, although by then they would tell how far values usually are from what is usual."""
    fired = np.flatnonzero(detect(length(seed, 1.08), WEEK).score > 1)
    assert fired.size
    assert fired[0] <= 72


def test_less_of_what_saves_fires_and_more_does_not() -> None:
    falling, rising = share(1, 0.4, 0.2), share(1, 0.2, 0.4)
    assert np.nanmax(detect(replace(falling, sign=-1), WEEK).score) > 1
    assert np.nanmax(detect(replace(rising, sign=-1), WEEK).score) < 1


def test_what_goes_on_fires_on_until_it_is_usual() -> None:
    def lasting(calm: int | None) -> float:
        series = share(1, 0.1, 0.2)
        top, counts = (np.concatenate([each, each[-WEEK:]]) for each in (series.top, series.size))
        longer = Series(top, counts, counts, is_share=True, sign=1)
        return float(detect(longer, 24, calm=calm).score[-1])

    assert lasting(None) < 0.5
    assert lasting(STEP + 6) > 1


def five_minutes(seed: int, step: int, then: float, rate: float = 0.1) -> Series:
    """Return a share by five minutes, which changes at a place, with the same by the hour for what is usual."""
    drawn = np.random.default_rng(seed)
    counts = np.full(WEEKS * WEEK * 12, 60.0)
    rates = np.where(np.arange(len(counts)) >= step, then, rate)
    top = drawn.binomial(counts.astype(int), rates).astype(float)
    by_hour = {name: value.reshape(-1, 12).sum(axis=1) for name, value in (("top", top), ("size", counts))}
    hours = Series(by_hour["top"], by_hour["size"], by_hour["size"], is_share=True, sign=1)
    return Series(top, counts, counts, is_share=True, sign=1, week=12 * WEEK, hours=hours)


@pytest.mark.parametrize("seed", range(3))
def test_a_large_step_fires_within_the_hour_by_five_minutes(seed: int) -> None:
    step = (WEEKS * WEEK - 12) * 12
    series = five_minutes(seed, step, 0.2)
    fired = np.flatnonzero(detect(series, series.day, FINE).score > 1) + len(series.size) - series.day
    assert step <= fired[0] < step + 12
    calm = five_minutes(seed, step, 0.1)
    assert np.nanmax(detect(calm, calm.day, FINE).score) < 1


def test_a_burst_that_ends_by_itself_is_not_told_at_once() -> None:
    start = (WEEKS * WEEK - 12) * 12
    for then, fires in ((0.04, False), (0.25, True)):
        series = five_minutes(1, start, then, rate=0.01)
        series.top[start + 18 :] = series.size[start + 18 :] * 0.01
        assert bool(np.nanmax(detect(series, series.day, FINE_OF_BURSTS).score) > 1) is fires


def test_one_odd_hour_fires_nothing() -> None:
    series = share(3)
    top = series.top.copy()
    top[STEP] = series.bottom[STEP]
    assert np.nanmax(detect(replace(series, top=top), 24 * 7).score) < 1


@given(seed=st.integers(0, 100), cut=st.integers(STEP - 100, STEP + 100))
def test_a_score_does_not_depend_on_what_comes_later(seed: int, cut: int) -> None:
    series = share(seed, 0.1, 0.3)
    other = replace(series, top=np.where(np.arange(len(series.top)) >= cut, 0.0, series.top))
    until = cut - (WEEKS - 2) * WEEK
    one, two = (detect(each, 2 * WEEK).score[:until] for each in (series, other))
    assert np.array_equal(one, two, equal_nan=True)


def test_too_little_is_unknown() -> None:
    series = share(1, 0.1, 0.9)
    young = LEAST_WEEKS * WEEK - 1
    short = replace(series, top=series.top[-young:], bottom=series.bottom[-young:], size=series.size[-young:])
    assert np.isnan(detect(short, 48).score).all()
    few = replace(series, size=np.full(len(series.size), 9.0))
    assert np.isnan(detect(few, 48).score).all()


def test_hours_without_anything_are_passed_over() -> None:
    series = share(2, 0.1, 0.3)
    gone = np.arange(len(series.top)) % 24 < 6
    top, size = np.where(gone, 0.0, series.top), np.where(gone, 0.0, series.size)
    thinned = Series(top, size, size, is_share=True, sign=1)
    assert np.nanmax(detect(thinned, WEEK).score) > 1
    nothing = np.zeros(len(series.top))
    empty = Series(nothing, nothing, nothing, is_share=True, sign=1)
    assert np.isnan(detect(empty, WEEK).score).all()
