"""Plays scenarios through infercost and holds the drivers that it names against the truth."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infercost.store import Store
from scenarios import logs, truth
from scenarios.analysis import Days, Explained, Groups, explain
from scenarios.catalogue import Scenario
from scenarios.shared import Shared


@dataclass(frozen=True)
class Verdict:
    """One scenario with one seed: true dollars by cause, and what is wrong with the effects.

    Shares are of the true dollars. `undo_error` compares what taking each cause back is said to save with the truth;
    `big` says that the largest cause is 8 % of spend or more; `segments` whether each cause's place is the true one.
    """

    name: str
    seed: int
    held_out: bool
    true: dict[str, float]
    error: float
    leak: float
    top_1: bool
    top_3: bool
    big: bool
    residual: float
    undo_error: float
    segments: tuple[bool, ...]
    moved: dict[str, float] = field(default_factory=dict)

    @property
    def misassigned(self) -> float:
        """The share of the true dollars that stands in a wrong row: what is missing in one row is too much in another.

        Effects and truth both add up to the change, so the sum of their differences counts such a dollar twice.
        """
        return self.error / 2


class Worlds:
    """The traffic of one seed without an incident, ingested once, and what infercost makes of its windows."""

    def __init__(self, shared: Shared, seed: int, scale: int) -> None:
        self.shared = shared
        self.seed = seed
        self.scale = scale
        self.folder = Path(tempfile.mkdtemp(prefix="scenarios-"))
        self._stores: dict[tuple[int, str], Store] = {}
        self._known: dict[tuple[Any, ...], Explained] = {}

    def close(self) -> None:
        """Remove every file."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def store(self, days: int, effects: tuple[Any, ...]) -> Store:
        """Return the store of a world without an incident, which is made once."""
        key = (days, repr(effects))
        if key not in self._stores:
            self._stores[key] = self.play(days, effects, f"twin-{len(self._stores)}")
        return self._stores[key]

    def play(self, days: int, effects: tuple[Any, ...], name: str) -> Store:
        """Simulate and ingest a world."""
        simulation = self.shared.simulate(self.seed, days, effects, self.scale)
        return logs.play(self.shared, simulation, effects, self.folder / name)

    def explained(self, days: int, effects: tuple[Any, ...], windows: tuple[Days, Days], groups: Groups) -> Explained:
        """Return what infercost makes of two windows of a world without an incident."""
        key = (days, repr(effects), windows, tuple(groups))
        if key not in self._known:
            self._known[key] = explain(self.store(days, effects), *windows, groups)
        return self._known[key]


def judge(worlds: Worlds, scenario: Scenario) -> Verdict:
    """Return the verdict on one scenario."""
    effects = (*scenario.always, *scenario.effects)
    store = worlds.play(scenario.days, effects, "incident")
    found = explain(store, *scenario.windows, scenario.groups)
    shutil.rmtree(worlds.folder / "incident")
    twin = worlds.explained(scenario.days, scenario.always, scenario.windows, scenario.groups)
    true = truth.measure(
        worlds.shared, worlds.seed, worlds.scale, scenario.days, scenario.always, scenario.effects, scenario.windows
    )
    return _verdict(scenario, worlds.seed, found, twin, true)


def _verdict(scenario: Scenario, seed: int, found: Explained, twin: Explained, true: truth.Truth) -> Verdict:
    effects, usual = found.by(scenario.groups), twin.by(scenario.groups)
    shares = dict.fromkeys(effects, 0.0) | dict(zip(scenario.names, true.shares, strict=True))
    size = sum(map(abs, true.shares))
    moved = {name: effects[name] - usual[name] for name in effects}
    ranked = sorted(effects, key=lambda name: -abs(effects[name]))
    savings = dict(zip(scenario.names, true.reverted, strict=True))
    undo_size = sum(map(abs, savings.values()))
    return Verdict(
        name=scenario.name,
        seed=seed,
        held_out=scenario.held_out,
        true=dict(zip(scenario.names, true.shares, strict=True)),
        error=sum(abs(moved[name] - shares[name]) for name in effects) / size,
        leak=sum(abs(moved[name]) for name in effects if name not in scenario.names) / size,
        top_1=ranked[0] in scenario.names,
        top_3=set(scenario.names) <= set(ranked[:3]),
        big=max(map(abs, true.shares)) >= 0.08 * twin.spend,
        residual=max(abs(found.residual), abs(twin.residual)),
        undo_error=sum(abs(found.undo[name] - twin.undo[name] - saved) for name, saved in savings.items()) / undo_size,
        segments=tuple(
            found.segment(scenario.groups[cause]) == wanted
            for place, cause in enumerate(scenario.names)
            if (wanted := scenario.segment(place)) is not None
        ),
        moved=moved,
    )
