"""Loads the traffic generator and its incidents, which lie beside this repository, from their folder."""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "scenarios"
"""Folder with traffic.py and incidents.py, unless --shared names another."""

Simulation = dict[str, Any]
"""What `simulate` gives: `att` and `req`, tables of attempts and requests (polars)."""


@dataclass(frozen=True)
class Shared:
    """The modules of the generator."""

    traffic: Any
    incidents: Any

    def simulate(self, seed: int, days: int, effects: tuple[Any, ...], scale: int) -> Simulation:
        """Return the traffic of a seed with some effects; its first hour is a Monday's first."""
        found: Simulation = self.traffic.simulate(seed, days, effects, scale, start_dow=0)
        return found


def load(folder: Path) -> Shared:
    """Return the generator in `folder`; leaves with a message when it is not there."""
    missing = [name for name in ("traffic.py", "incidents.py") if not (folder / name).is_file()]
    if missing:
        sys.exit(
            f"{folder}: no {missing[0]}. The scenarios need the traffic generator (traffic.py, incidents.py), "
            "which is not part of this repository; name its folder with --shared."
        )
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return Shared(importlib.import_module("traffic"), importlib.import_module("incidents"))


def between(simulation: Simulation, first: float, last: float) -> Simulation:
    """Return the traffic of the days from `first` to before `last`."""
    return {
        name: table.filter((table["t"] >= 24 * first) & (table["t"] < 24 * last)) for name, table in simulation.items()
    }
