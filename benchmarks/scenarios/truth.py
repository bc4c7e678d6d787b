"""Works out what each cause of a scenario really cost, by simulating the same traffic with and without it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np

from scenarios.analysis import Days
from scenarios.shared import Shared, Simulation

Hours = np.ndarray[Any, np.dtype[np.float64]]
Slots = np.ndarray[Any, np.dtype[Any]]

COSTS = ("c_un", "c_cr", "c_cw", "c_vis", "c_rea")


@dataclass(frozen=True)
class Truth:
    """Dollars of each cause in the current window: its fair share of the change, and what reverting it would save."""

    shares: tuple[float, ...]
    reverted: tuple[float, ...]


def measure(
    shared: Shared,
    seed: int,
    scale: int,
    days: int,
    always: tuple[Any, ...],
    causes: tuple[Any, ...],
    windows: tuple[Days, Days],
) -> Truth:
    """Return the truth about causes: of one the paired difference, of several the Shapley value over all subsets.

    `always` are effects that are no cause; `windows` are baseline and current. What a cause already did in the
    baseline, matched hour of the week by hour of the week, is taken off.
    """

    def value(chosen: Iterable[int]) -> float:
        effects = (*always, *(cause for place, cause in enumerate(causes) if place in chosen))
        return _change(hourly(shared.simulate(seed, days, effects, scale), days), *windows)

    every = range(len(causes))
    values = {chosen: value(chosen) for size in range(len(causes) + 1) for chosen in combinations(every, size)}
    whole = values[tuple(every)]
    return Truth(
        shares=tuple(_shapley(place, len(causes), lambda chosen: values[chosen]) for place in every),
        reverted=tuple(whole - values[tuple(other for other in every if other != place)] for place in every),
    )


def hourly(simulation: Simulation, days: int) -> Hours:
    """Return the cost of every hour."""
    attempts = simulation["att"]
    cost = sum(attempts[name].to_numpy() for name in COSTS)
    hour = np.floor(attempts["t"].to_numpy()).astype(int)
    return np.bincount(hour, weights=cost, minlength=days * 24).astype(np.float64)


def _change(cost: Hours, base: Days, current: Days) -> float:
    """Return the cost of the current window minus its baseline: of each hour the mean of what it is matched with."""
    now, before = _hours(current), _hours(base)
    expected = 0.0
    for hour in now:
        for cycle in (168, 24, 1):
            same = before[(before - hour) % cycle == 0]
            if len(same):
                expected += float(cost[same].mean())
                break
    return float(cost[now].sum()) - expected


def _hours(days: Days) -> Slots:
    return np.arange(round(days[0] * 24), round(days[1] * 24), dtype=np.int64)


def _shapley(player: int, players: int, value: Callable[[tuple[int, ...]], float]) -> float:
    others = [each for each in range(players) if each != player]
    total = 0.0
    for size in range(players):
        weight = factorial(size) * factorial(players - size - 1) / factorial(players)
        for chosen in combinations(others, size):
            total += weight * (value(tuple(sorted((*chosen, player)))) - value(chosen))
    return total
