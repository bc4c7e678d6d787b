"""Measures how long `infercost --help` and one subcommand's help take from start to exit; not a test."""

import statistics
import subprocess
import sys
import time

RUNS = 15
COMMANDS = (["--help"], ["--version"], ["report", "--help"], ["ingest", "logs", "--help"])


def seconds(arguments: list[str]) -> list[float]:
    """Return the seconds of each run, the first (cold) one left out."""
    taken = []
    for _ in range(RUNS + 1):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", *arguments], check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - started)
    return taken[1:]


def main() -> None:
    """Print median and range of each command, and the bare interpreter for comparison."""
    for label, arguments in [
        ("python -m this", ["this"]),
        *((f"infercost {' '.join(each)}", ["infercost", *each]) for each in COMMANDS),
    ]:
        taken = seconds(arguments)
        print(f"{label:<32} median {statistics.median(taken):.3f} s   {min(taken):.3f} to {max(taken):.3f} s")


if __name__ == "__main__":
    main()
