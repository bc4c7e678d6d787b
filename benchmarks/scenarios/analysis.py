"""Asks infercost why spend changed between two windows; everything here is infercost's, and called nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from infercost.analyze import database
from infercost.analyze.drivers import factors
from infercost.analyze.explain import DEFAULT_BY, Question
from infercost.analyze.explain import explain as explain_change
from infercost.analyze.explanation import BEYOND, EXACT
from infercost.analyze.report import Window
from infercost.store import Store
from scenarios.prices import moment

if TYPE_CHECKING:
    import duckdb

Groups = Mapping[str, tuple[str, ...]]
"""Causes by name, each with the drivers that it shows in."""

Days = tuple[float, float]
"""First day of a window, and the first day after it."""

Segment = Mapping[str, frozenset[str]]
"""Values by dimension; empty = everywhere."""

ZONE = "UTC"


@dataclass(frozen=True)
class Explained:
    """The change of spend between two windows.

    `effects` are dollars by driver, `segments` where each that counts is, `flagged` the drivers that moved more than
    they usually do. `undo`, by group of drivers, is what taking their change back would save now. `residual` is in
    dollars, and exact.
    """

    spend: float
    residual: float
    effects: Mapping[str, float]
    segments: Mapping[str, Segment]
    flagged: frozenset[str]
    undo: Mapping[str, float]

    @property
    def real(self) -> dict[str, float]:
        """The effects without that of the calendar, which is no cause."""
        return {name: value for name, value in self.effects.items() if name != "calendar"}

    def by(self, groups: Groups) -> dict[str, float]:
        """Return the effects summed by group; a driver that no group has is a group of its own."""
        taken = {driver for drivers in groups.values() for driver in drivers}
        found = {name: sum(self.effects[driver] for driver in drivers) for name, drivers in groups.items()}
        return found | {name: value for name, value in self.real.items() if name not in taken}

    def segment(self, drivers: tuple[str, ...]) -> Segment | None:
        """Return the segment of the largest of some drivers, None where it has none."""
        return self.segments.get(max(drivers, key=lambda name: abs(self.effects[name])))


def explain(store: Store, base: Days, current: Days, groups: Groups) -> Explained:
    """Return what infercost makes of two windows of a store."""
    question = Question(_window(current), _window(base), DEFAULT_BY, ())
    with database.connect(store) as connection:
        found = explain_change(connection, question, ZONE, moment(current[1]))
        undo = _undo(connection, groups)
    return Explained(
        spend=float(found.after),
        residual=float(found.residual),
        effects={line.name: float(line.effect) for line in found.drivers},
        segments={
            line.name: {name.removeprefix("first_"): frozenset(values) for name, values in line.segment.places}
            for line in found.drivers
            if line.segment is not None
        },
        flagged=frozenset(line.name for line in found.drivers if line.verdict in {BEYOND, EXACT}),
        undo=undo,
    )


def _window(days: Days) -> Window:
    start, end = (moment(day).astimezone(ZoneInfo(ZONE)) for day in days)
    return Window(start=start, end=end, days=round(days[1] - days[0]))


def _undo(connection: "duckdb.DuckDBPyConnection", groups: Groups) -> dict[str, float]:
    """Return what taking back all drivers of a group at once would save: infercost tells it of one at a time."""
    columns = ", ".join(f"sum({_saved(drivers)})" for drivers in groups.values())
    saved = connection.execute(f"SELECT {columns} FROM driver_leaves").fetchall()[0]
    return {name: (value or 0) / 1e12 for name, value in zip(groups, saved, strict=True)}


def _saved(drivers: tuple[str, ...]) -> str:
    """Return the SQL of what a leaf would cost less without the change of some drivers."""
    branches = []
    for kind in factors.KINDS:
        undone = [factor.of(kind) in drivers for factor in factors.chain(kind)]
        after = " * ".join(f"b{place}" for place in range(1, len(undone) + 1))
        without = " * ".join(f"{'a' if back else 'b'}{place}" for place, back in enumerate(undone, start=1))
        branches.append(f"WHEN kind = '{kind}' THEN {after} - {without}")
    outside = "CASE WHEN cost_1 > 0 THEN cost_1 ELSE -matched_0 END" if "new_features" in drivers else "0"
    return f"CASE WHEN NOT continues THEN {outside} {' '.join(branches)} END"
