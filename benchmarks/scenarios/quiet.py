"""Worlds without an incident: how often a driver is flagged, and what windows that are unlike make up."""

from dataclasses import dataclass

from scenarios.analysis import Days
from scenarios.catalogue import GROUPS
from scenarios.judge import Worlds

BASELINE_WEEKS = 4
PAST_WEEKS = 5
"""Weeks, each with its baseline, that infercost needs before it judges one."""

JUDGED_WEEKS = 4
DAYS = 7 * (BASELINE_WEEKS + PAST_WEEKS + JUDGED_WEEKS)

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
    """What one world without an incident gave: driver-weeks judged and flagged, spurious change by pair of windows."""

    seed: int
    judged: int
    flagged: tuple[str, ...]
    spurious: dict[str, float]
    residual: float


def listen(worlds: Worlds) -> Quiet:
    """Return what infercost says of a world in which nothing happens."""
    weeks = [worlds.explained(DAYS, (), _week(place), GROUPS) for place in range(JUDGED_WEEKS)]
    pairs = {name: worlds.explained(DAYS, (), windows, GROUPS) for name, windows in WINDOWS.items()}
    moving = [name for name in weeks[0].real if any(week.effects[name] for week in weeks)]
    return Quiet(
        seed=worlds.seed,
        judged=len(moving) * len(weeks),
        flagged=tuple(name for week in weeks for name in moving if name in week.flagged),
        spurious={name: abs(sum(found.real.values())) / found.spend for name, found in pairs.items()},
        residual=max(abs(found.residual) for found in (*weeks, *pairs.values())),
    )


def _week(place: int) -> tuple[Days, Days]:
    start = 7.0 * (BASELINE_WEEKS + PAST_WEEKS + place)
    return (start - 7 * BASELINE_WEEKS, start), (start, start + 7)
