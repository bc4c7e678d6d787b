"""Plays incidents day by day through the commands of cron: on which day, as what and at what cost each is told.

    PYTHONPATH=benchmarks python -m scenarios.days [--scale 20000] [--only NAME] [--write]

Eight weeks of traffic are read at once; then, for a week, `infercost ingest logs` reads the log of each day and
`infercost check` judges it. Beside what it tells stands what other dashboards show in that week.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from typer.testing import CliRunner

from infercost.analyze import database
from infercost.cli.main import app
from infercost.errors import ExitCode
from infercost.store import Store
from scenarios import logs, prices
from scenarios.delays import BEGINS, PAGE, incidents
from scenarios.shared import DEFAULT, Shared, Simulation, between, load
from scenarios.truth import hourly

DAYS = 7
"""Days of an incident that are played."""


@dataclass(frozen=True)
class Dashboard:
    """What is watched elsewhere, of a week: requests, the share that was not answered, and the median first token."""

    requests: int
    unanswered: float
    first_token: float


@dataclass(frozen=True)
class Played:
    """What the checks of an incident told: on which day what, and what they say after a week that it costs a day."""

    name: str
    day: int | None
    told: tuple[str, ...]
    is_right: bool
    dollars: float | None
    true: float
    before: Dashboard
    after: Dashboard


MODES = {
    "retry 1->12%, all": "errors 0.1 %, retries 12 %",
    "routing 20->60% frontier, 2 features": "requests flat, frontier 20 -> 60 %",
    "prompt-cache hit halves, all": "prompt cache 40 -> 20 %",
}
"""Incidents that other dashboards do not show, by the words for that."""


def modes(effect: Any) -> list[tuple[str, Any, tuple[str, ...]]]:
    """Return the incidents that are steps, and prompts that grow at once, each with the measures that are its own."""
    grown = ("latency green, tokens climb", effect("len_prop", BEGINS, 1.6), ("prompt_tokens", "p95_prompt_tokens"))
    return [grown, *((MODES.get(name, name), each, own) for name, each, own in incidents(effect) if not each.ramp)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=int, default=20_000, help="requests a day")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="incidents whose name holds this")
    parser.add_argument("--write", action="store_true", help="write the table into docs/delays.md")
    parser.add_argument("--shared", type=Path, default=DEFAULT, help="folder of the traffic generator")
    arguments = parser.parse_args()
    shared = load(arguments.shared)
    calm = shared.simulate(arguments.seed, BEGINS + DAYS, (), arguments.scale)
    rows = []
    for name, effect, own in modes(shared.traffic.Effect):
        if arguments.only in name:
            rows.append(_row(play(shared, arguments.seed, arguments.scale, name, effect, own, calm)))
            print(rows[-1], file=sys.stderr, flush=True)
    table = "\n".join((_HEAD, *rows))
    print(table)
    if arguments.write:
        text = PAGE.read_text(encoding="utf-8")
        start, end = (text.index(mark) for mark in ("<!-- days -->", "<!-- /days -->"))
        PAGE.write_text(f"{text[:start]}<!-- days -->\n{table}\n{text[end:]}", encoding="utf-8")


_HEAD = """\
| incident | day | told as | named rightly | $ a day told | $ a day true | requests | unanswered | first token |
|---|---|---|---|---|---|---|---|---|"""


def _row(found: Played) -> str:
    before, after = found.before, found.after
    cells = (
        found.name,
        f"{found.day}" if found.day else "never",
        ", ".join(found.told),
        "yes" if found.is_right else "NO",
        "" if found.dollars is None else f"{found.dollars:+,.1f}",
        f"{found.true:+,.1f}",
        f"{after.requests / before.requests - 1:+.0%}".replace("%", " %"),
        f"{before.unanswered:.2%} → {after.unanswered:.2%}".replace("%", " %"),
        f"{before.first_token:.2f} → {after.first_token:.2f} s",
    )
    return f"| {' | '.join(cells)} |"


def play(
    shared: Shared, seed: int, scale: int, name: str, effect: Any, own: tuple[str, ...], calm: Simulation
) -> Played:
    """Return what the checks tell of an incident; `calm` is the same traffic without it."""
    simulation = shared.simulate(seed, BEGINS + DAYS, (effect,), scale)
    day: int | None = None
    told: tuple[str, ...] = ()
    first: dict[str, float | None] = {}
    with TemporaryDirectory(prefix="days-") as folder, logs.configured(shared, (effect,), Path(folder)) as settings:
        company = _Company(shared, settings)
        company.read(between(simulation, 0, BEGINS))
        company.check(BEGINS)
        for number in range(1, DAYS + 1):
            company.read(between(simulation, BEGINS + number - 1, BEGINS + number))
            fired = company.check(BEGINS + number)
            if fired and day is None:
                day, told, first = number, tuple(sorted(fired)), fired
        last = company.check(BEGINS + DAYS, "--fresh", "--dry-run")
        # A price is told on the day that it takes effect, and never again: its dollars are those of that day.
        told_last = any(measure in last for measure in own)
        dollars = next((found[measure] for found in (last, first) for measure in own if measure in found), None)
        before, after = (company.dashboard(first) for first in (BEGINS - DAYS, BEGINS))
    days = DAYS if told_last or day is None else day
    true = sum(sign * _first_days(each, days) for sign, each in ((1, simulation), (-1, calm))) / days
    return Played(name, day, told, bool(set(told) & set(own)), dollars, true, before, after)


def _first_days(simulation: Simulation, days: int) -> float:
    """Return the dollars of the first days of an incident."""
    return float(hourly(simulation, BEGINS + DAYS)[24 * BEGINS : 24 * (BEGINS + days)].sum())


@dataclass(frozen=True)
class _Company:
    """The store of one incident in the folder of its infercost.toml, and the commands that fill and check it."""

    shared: Shared
    settings: Path

    @property
    def folder(self) -> Path:
        """Where its logs and its store lie."""
        return self.settings.parent

    def read(self, simulation: Simulation) -> None:
        """Write the log of some days, and ingest it."""
        log = self.folder / f"{len(list(self.folder.glob('*.jsonl')))}.jsonl"
        logs.write(self.shared, simulation, log)
        self._run((ExitCode.OK,), "ingest", "logs", str(log))

    def check(self, day: int, *options: str) -> dict[str, float | None]:
        """Return what a check in the night after a day tells anew, measures and prices, with its dollars a day."""
        allowed = (ExitCode.OK, ExitCode.CHECK_FAILED)
        text = self._run(allowed, "check", "--format", "json", *options, now=prices.moment(day) + timedelta(minutes=5))
        return {
            "price" if each["kind"] == "event" else each["measure"]: float(each["dollars_per_day"] or 0)
            for each in json.loads(text)["findings"]
            if each["outcome"] == "fired" and each["news"] in ("new", "worse")
            if not each["is_warning"] and each["follows"] is None
        }

    def dashboard(self, first: int) -> Dashboard:
        """Return what others show of the DAYS from a day on."""
        with database.connect(Store.open(self.folder / "store")) as connection:
            (row,) = connection.execute(
                "SELECT count(*), avg(cast(status <> 'ok' AS INTEGER)), median(time_to_first_token_seconds) "
                "FROM requests WHERE started_at >= $1 AND started_at < $2",
                [prices.moment(first), prices.moment(first + DAYS)],
            ).fetchall()
        return Dashboard(*row)

    def _run(self, allowed: Sequence[ExitCode], *words: str, now: Any = None) -> str:
        environment = {"INFERCOST_NOW": now.isoformat()} if now else {}
        options = ("--store", str(self.folder / "store"), "--config", str(self.settings))
        done = CliRunner().invoke(app, [*words, *options], env=environment)
        if done.exit_code not in allowed:
            raise SystemExit(
                f"infercost {' '.join(words)}: exit code {done.exit_code}\n{done.output}\n{done.exception}"
            )
        return done.stdout


if __name__ == "__main__":
    main()
