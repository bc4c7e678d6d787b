"""Worlds without an incident: how often a driver would be flagged, and what windows that are unlike make up."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from scenarios.analysis import Days
from scenarios.catalogue import GROUPS
from scenarios.judge import Worlds

HISTORY_WEEKS = 4
PLACEBO_WEEKS = 5
JUDGED_WEEKS = 4
DAYS = 7 * (HISTORY_WEEKS + PLACEBO_WEEKS + JUDGED_WEEKS)

LIMIT_MADS = 4
LIMIT_SHARE = 0.01

WINDOWS: dict[str, tuple[Days, Days]] = {
    "Mon-Fri vs 28 d": ((28, 56), (56, 61)),
    "Fri-Sun vs 28 d": ((28, 56), (60, 63)),
    "10 d vs 21 d": ((21, 42), (42, 52)),
    "30 d vs 30 d": ((0, 30), (30, 60)),
    "7 d vs 28 d": ((28, 56), (56, 63)),
}
"""Pairs of windows, baseline and current, of other lengths and weekdays."""


@dataclass(frozen=True)
class Quiet:
    """What one world without an incident gave: flags by driver and week, and spurious change by pair of windows."""

    seed: int
    flags: dict[str, list[bool]]
    spurious: dict[str, float]
    residual: float


def listen(worlds: Worlds) -> Quiet:
    """Return what infercost says of a world in which nothing happens."""
    weeks = list(_weeks(worlds))
    pairs = {name: worlds.explained(DAYS, (), windows, GROUPS) for name, windows in WINDOWS.items()}
    names = [name for name in weeks[0][1] if any(effects[name] for _, effects in weeks)]
    return Quiet(
        seed=worlds.seed,
        flags={name: list(_flags([(spend, effects[name]) for spend, effects in weeks])) for name in names},
        spurious={name: abs(sum(found.real.values())) / found.spend for name, found in pairs.items()},
        residual=max(abs(found.residual) for found in pairs.values()),
    )


def _weeks(worlds: Worlds) -> Iterator[tuple[float, dict[str, float]]]:
    """Yield spend and effects of each week against the weeks before it."""
    for week in range(HISTORY_WEEKS, DAYS // 7):
        current = (7.0 * week, 7.0 * (week + 1))
        found = worlds.explained(DAYS, (), ((current[0] - 7 * HISTORY_WEEKS, current[0]), current), GROUPS)
        yield found.spend, found.real


def _flags(weeks: list[tuple[float, float]]) -> Iterator[bool]:
    for place in range(PLACEBO_WEEKS, len(weeks)):
        before = [effect for _, effect in weeks[place - PLACEBO_WEEKS : place]]
        spend, effect = weeks[place]
        middle = median(before)
        usual = median(abs(each - middle) for each in before)
        yield abs(effect) > max(LIMIT_MADS * usual, LIMIT_SHARE * spend)
