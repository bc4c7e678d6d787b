"""Plays incidents with known causes through infercost, and measures how well it names what caused them.

    PYTHONPATH=benchmarks python -m scenarios.run [--scale 4000] [--seeds 10] [--only NAME] [--shared FOLDER] [--write]

Each scenario is simulated, written as a gateway's log, ingested, and explained; so is the same traffic without the
incident. Prints a table; --write writes it into docs/scenarios.md as well.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path

from scenarios import catalogue, page, table
from scenarios.judge import Verdict, Worlds, judge
from scenarios.quiet import Quiet, listen
from scenarios.shared import DEFAULT, load

PROCESSES = 2


@dataclass(frozen=True)
class Task:
    """Everything to be done with one seed."""

    folder: Path
    seed: int
    scale: int
    only: str
    quiet: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=int, default=4000, help="requests a day")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", default="", help="scenarios whose name holds this; `quiet` is the worlds without any")
    parser.add_argument("--shared", type=Path, default=DEFAULT, help="folder of the traffic generator")
    parser.add_argument("--write", action="store_true", help="write docs/scenarios.md")
    arguments = parser.parse_args()
    load(arguments.shared)
    tasks = [
        Task(arguments.shared, seed, arguments.scale, arguments.only, arguments.only in ("", "quiet"))
        for seed in range(1, arguments.seeds + 1)
    ]
    done = played(tasks)
    verdicts = [verdict for found, _ in done for verdict in found]
    quiet = [world for _, world in done if world is not None]
    if not verdicts and not quiet:
        sys.exit(f"--only {arguments.only}: no scenario of that name")
    drawn = table.draw(verdicts, quiet)
    print(drawn)
    if arguments.write:
        page.write(drawn, arguments.scale, len(done))
    sys.exit(0 if all(aim.is_met for aim in table.aims(verdicts, quiet)) else 1)


def played(tasks: list[Task]) -> list[tuple[list[Verdict], Quiet | None]]:
    """Return what the seeds gave; an interrupt ends it with those that are done."""
    done = []
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        try:
            for found in pool.map(run_seed, tasks):
                done.append(found)
                print(f"{len(done)} of {len(tasks)} seeds are done", file=sys.stderr)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.terminate()
    return done


def run_seed(task: Task) -> tuple[list[Verdict], Quiet | None]:
    """Return the verdicts of one seed, and what it gives without an incident."""
    shared = load(task.folder)
    worlds = Worlds(shared, task.seed, task.scale)
    try:
        quiet = listen(worlds) if task.quiet else None
        chosen = [each for each in catalogue.scenarios(shared) if task.only in each.name]
        return [_tell(judge(worlds, each)) for each in chosen], quiet
    finally:
        worlds.close()


def _tell(verdict: Verdict) -> Verdict:
    moved = sorted(verdict.moved.items(), key=lambda item: -abs(item[1]))[:4]
    shown = ", ".join(f"{name} {dollars:+.2f}" for name, dollars in moved)
    true = ", ".join(f"{name} {dollars:+.2f}" for name, dollars in verdict.true.items())
    print(f"seed {verdict.seed}: {verdict.name}: true {true}; named {shown} ({verdict.error:.1%})", file=sys.stderr)
    return verdict


if __name__ == "__main__":
    main()
