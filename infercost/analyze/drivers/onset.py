"""Dates an effect: the bucket from which on it is there, the interval that fits nearly as well, and its shape."""

from math import log

LIKELY = 3.84
"""Twice the difference in log-likelihood that a change point may lie from the best one: 95 %."""


def onset(effects: list[int], expected: list[int]) -> tuple[int, int, int, str] | None:
    """Return (first bucket of the effect, earliest, latest, shape), or None when there is no effect to date.

    The effect of a bucket is taken relative to its expected spend, so that quiet days weigh as little as they spend.
    A step at any bucket is tried, and a ramp from any bucket; the interval holds the steps whose likelihood is near
    the best one's.
    """
    weights = [max(each, 0) for each in expected]
    if not any(effects) or len(effects) < 2 or sum(1 for each in weights if each) < 2:
        return None
    values = [effect / weight if weight else 0.0 for effect, weight in zip(effects, weights, strict=True)]
    steps = [
        _misfit(values, weights, [1.0 if place >= start else 0.0 for place in range(len(values))])
        for start in range(len(values))
    ]
    ramps = [
        _misfit(values, weights, [max(0, place - start + 1) for place in range(len(values))])
        for start in range(len(values) - 1)
    ]
    best = min(range(len(steps)), key=steps.__getitem__)
    if ramps and min(ramps) < _CLEARLY * steps[best]:
        best, steps, shape = min(range(len(ramps)), key=ramps.__getitem__), ramps, "gradual"
    else:
        shape = "throughout" if best == 0 else "step"
    floor = max(min(steps), 1e-18)
    count = sum(1 for each in weights if each)
    likely = [place for place, each in enumerate(steps) if count * log(max(each, floor) / floor) <= LIKELY]
    return best, min(likely), max(likely), shape


_CLEARLY = 0.7
"""A ramp is said where it leaves less than this share of what the best step leaves unexplained."""


def _misfit(values: list[float], weights: list[int], shape: list[float]) -> float:
    """Return the weighted squares that the best multiple of `shape` leaves."""
    norm = sum(weight * each * each for weight, each in zip(weights, shape, strict=True))
    size = sum(weight * each * value for weight, each, value in zip(weights, shape, values, strict=True)) / (norm or 1)
    return sum(
        weight * (value - size * each) ** 2 for weight, each, value in zip(weights, shape, values, strict=True)
    ) / sum(weights)
