"""Measures how long `infercost check` takes, as cron runs it: first, with nothing new, with five minutes more.

    PYTHONPATH=benchmarks python -m scenarios.check_time [--days 56] [--scale 20000] [--runs 5]

The store holds the traffic of the made-up company of the scenarios. Seconds are those of the whole process, from start
to exit, with those that its processor worked.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from infercost import config
from infercost.ingest.pipeline import ingest
from infercost.store import Store
from scenarios import logs, prices
from scenarios.shared import DEFAULT, between, load

MINUTES = 5
"""Minutes of traffic that are read before each of the last runs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=56, help="days of history")
    parser.add_argument("--scale", type=int, default=20_000, help="requests a day")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5, help="runs with nothing new, and with five minutes more")
    parser.add_argument("--shared", type=Path, default=DEFAULT, help="folder of the traffic generator")
    arguments = parser.parse_args()
    shared = load(arguments.shared)
    simulation = shared.simulate(arguments.seed, arguments.days + 1, (), arguments.scale)
    with TemporaryDirectory(prefix="check-time-") as name, logs.configured(shared, (), Path(name)) as settings:
        folder = Path(name)
        store = Store.create(folder / "store")

        def read(first: float, last: float) -> None:
            log = folder / f"{first}.jsonl"
            logs.write(shared, between(simulation, first, last), log)
            ingest([str(log)], store, config.load(settings))

        # The newest day ends in the afternoon, so that some of it is there and some is to come.
        end = arguments.days - 1 / 3
        read(0, end)
        print(f"first            {_seconds(folder, end)[0]:.2f} s")
        _print("nothing new", [_seconds(folder, end) for _ in range(arguments.runs)])
        taken = []
        for number in range(arguments.runs):
            later = end + (number + 1) * MINUTES / 1440
            read(end + number * MINUTES / 1440, later)
            taken.append(_seconds(folder, later))
        _print(f"{MINUTES} minutes more", taken)


def _print(label: str, taken: list[tuple[float, float]]) -> None:
    seconds, worked = zip(*taken, strict=True)
    print(
        f"{label:<16} median {statistics.median(seconds):.2f} s   {min(seconds):.2f} to {max(seconds):.2f} s   "
        f"processor {statistics.median(worked):.2f} s"
    )


def _seconds(folder: Path, day: float) -> tuple[float, float]:
    """Return the seconds that a check takes at the end of a day, and those that its processor works."""
    command = [sys.executable, "-m", "infercost", "check", "--store", str(folder / "store")]
    now = prices.moment(0).timestamp() + day * 86400
    environment = {**os.environ, "INFERCOST_NOW": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))}
    started, before = time.perf_counter(), _worked()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - started, _worked() - before
    if done.returncode not in (0, 6):
        raise SystemExit(f"infercost check: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return taken


def _worked() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
