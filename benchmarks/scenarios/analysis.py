"""Asks infercost why spend changed between two windows; everything here is infercost's, and called nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass

from infercost.analyze import database
from infercost.analyze.drivers import cells, factors, matches, split
from infercost.store import Store
from scenarios.prices import moment

PICO = 1e12

Groups = Mapping[str, tuple[str, ...]]
"""Causes by name, each with the drivers that it shows in."""

Days = tuple[float, float]
"""First day of a window, and the first day after it."""


@dataclass(frozen=True)
class Explained:
    """The change of spend between two windows.

    `effects` are dollars by driver; `only` and `undo`, by group of drivers, are what their change alone would have
    made, and what taking it back would save now. `residual` is in dollars, and exact.
    """

    spend: float
    matched: float
    residual: float
    effects: Mapping[str, float]
    only: Mapping[str, float]
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


def explain(store: Store, base: Days, current: Days, groups: Groups) -> Explained:
    """Return what infercost makes of two windows of a store."""
    span = cells.Span(moment(current[0]), moment(current[1]), moment(base[0]), moment(base[1]))
    with database.connect(store) as connection:
        kinds = cells.build(connection, span)
        matches.match(connection, span, "UTC")
        split.split(connection, kinds)
        sums = ", ".join(f"coalesce(sum({name}), 0)::BIGINT" for name in factors.NAMES)
        before, now, *effects = connection.execute(
            f"SELECT sum(cost_0)::BIGINT, sum(cost_1)::BIGINT, {sums} FROM driver_effects"
        ).fetchall()[0]
        columns = ", ".join(
            f"sum({_change(drivers, kinds, undo=undo)})" for drivers in groups.values() for undo in (0, 1)
        )
        changes = connection.execute(f"SELECT {columns} FROM driver_leaves").fetchall()[0]
    by_name = dict(zip(factors.NAMES, effects, strict=True))
    return Explained(
        spend=now / PICO,
        matched=(before + by_name["calendar"]) / PICO,
        residual=(sum(effects) - (now - before)) / PICO,
        effects={name: value / PICO for name, value in by_name.items()},
        only={name: value / PICO for name, value in zip(groups, changes[0::2], strict=True)},
        undo={name: value / PICO for name, value in zip(groups, changes[1::2], strict=True)},
    )


def _change(drivers: tuple[str, ...], kinds: tuple[str, ...], *, undo: int) -> str:
    """Return the SQL of what a leaf's cost changes with the factors of some drivers alone changed (or taken back)."""
    branches = []
    for kind in kinds:
        ours = [factor.of(kind) in drivers for factor in factors.chain(kind)]
        sides = [("b" if mine != bool(undo) else "a") for mine in ours]
        mixed = " * ".join(f"{side}{place}" for place, side in enumerate(sides, start=1))
        whole = " * ".join(f"{'b' if undo else 'a'}{place}" for place in range(1, len(ours) + 1))
        branches.append(f"WHEN kind = '{kind}' THEN {f'{whole} - {mixed}' if undo else f'{mixed} - {whole}'}")
    outside = "0"
    if "new_features" in drivers:
        outside = "CASE WHEN cost_1 > 0 THEN cost_1 ELSE -matched_0 END"
    return f"CASE WHEN NOT continues THEN {outside} {' '.join(branches)} END"
