"""Ingest of 1 GB of LiteLLM JSON Lines against DuckDB's bare COPY of the same columns, as a ratio in one run.

    python benchmarks/ingest.py [--megabytes 1000] [--rounds 3] [--record-kb 13.6 2]

For each record size it writes a log (records of the format's own sample with new ids, padded with a prompt as real
records are: 13.6 kB is what LiteLLM 1.106 writes with messages, 2 kB with message logging off), then runs both as
whole processes in turn, and prints medians, the ratio pair by pair, peak memory, and where the time goes.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infercost.ingest.registry import formats

BARE = """
import sys
from infercost import engine
from infercost.ingest.registry import formats
source, target = sys.argv[1:]
columns = formats()["litellm"].columns
declared = ", ".join(f"{engine.identifier(n)}: {engine.literal(t)}" for n, t in columns.items())
with engine.connect() as connection:
    connection.execute(
        f"COPY (SELECT * FROM read_json({engine.literal(source)}, columns = {{{declared}}}, "
        f"format = 'newline_delimited')) TO {engine.literal(target)} (FORMAT parquet, COMPRESSION zstd)"
    )
"""
DAY_SECONDS = 86_400
FIRST_SECOND = 1_790_000_000


@dataclass(frozen=True)
class Run:
    """Wall seconds and peak memory (MB) of one process, and what it printed."""

    seconds: float
    peak_mb: float
    output: str


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record-kb", type=float, nargs="+", default=[13.6, 2.0])
    arguments = parser.parse_args()
    for size in arguments.record_kb:
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), arguments.megabytes, size, arguments.rounds)


def compare(folder: Path, megabytes: int, record_kb: float, rounds: int) -> None:
    log = folder / "log.jsonl"
    count = write_log(log, megabytes * 1_000_000, int(record_kb * 1000))
    size = log.stat().st_size / 1e6
    print(f"\n{size:,.0f} MB, {count:,} records of {size / count * 1000:,.1f} kB, {os.cpu_count()} cores")
    bare_command = [sys.executable, "-c", BARE, str(log), str(folder / "bare.parquet")]
    store = folder / "store"
    own_command = [sys.executable, "-m", "infercost", "ingest", "logs", str(log), "--store", str(store), "--json"]
    pairs: list[tuple[Run, Run]] = []
    for round_number in range(rounds + 1):
        shutil.rmtree(store, ignore_errors=True)
        pair = (run(bare_command), run(own_command))
        if round_number:  # the first warms the disk's cache
            pairs.append(pair)
    report(pairs, size)


def report(pairs: list[tuple[Run, Run]], size: float) -> None:
    for name, runs in (("bare COPY", [bare for bare, _ in pairs]), ("infercost", [own for _, own in pairs])):
        seconds = statistics.median(each.seconds for each in runs)
        peak = max(each.peak_mb for each in runs)
        print(f"  {name:<10} {seconds:6.2f} s  {size / seconds:8,.0f} MB/s  peak {peak:,.0f} MB")
    ratios = sorted(own.seconds / bare.seconds for bare, own in pairs)
    print(f"  ratio      {statistics.median(ratios):6.2f}    (from {ratios[0]:.2f} to {ratios[-1]:.2f})")
    result = json.loads(pairs[-1][1].output)
    stages = ", ".join(f"{name} {seconds:.2f}" for name, seconds in result["stage_seconds"].items())
    print(f"  attempts {result['attempts']:,}, rejected {result['rejected']:,}; seconds by stage: {stages}")
    outside = pairs[-1][1].seconds - sum(result["stage_seconds"].values())
    print(f"  start of the process, price book and the rest: {outside:.2f} s")


def run(command: list[str]) -> Run:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    output = process.stdout.read().decode() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        raise SystemExit(f"{command} left with {process.returncode}")
    return Run(time.perf_counter() - started, usage.ru_maxrss / 1024, output)


def write_log(path: Path, size: int, record_bytes: int) -> int:
    """Write about `size` bytes of records with ids and times of their own; return how many."""
    chance = random.Random(1)  # noqa: S311 (ids of a log that is thrown away)
    count = 0
    with path.open("wb") as out:
        while out.tell() < size:
            # A log is written in order of time: the further into the file, the later in the 30 days.
            start = FIRST_SECOND + out.tell() / size * 30 * DAY_SECONDS
            for record in records(chance, record_bytes, start):
                out.write(record)
                count += 1
    return count


def records(chance: random.Random, record_bytes: int, begin: float) -> Iterator[bytes]:
    """Yield the sample's records once, each as a new call within a minute from `begin`."""
    for line in formats()["litellm"].sample.read_bytes().splitlines():
        record = json.loads(line)
        if "startTime" not in record:
            continue
        duration = float(record.get("endTime") or record["startTime"]) - float(record["startTime"])
        start = begin + chance.random() * 60
        record |= {"startTime": start, "endTime": start + duration, "completionStartTime": start + duration}
        for key in ("id", "litellm_call_id", "trace_id"):
            record[key] = f"{chance.getrandbits(128):032x}"
        padding = record_bytes - len(json.dumps(record)) - 60
        record["messages"] = [{"role": "user", "content": "lorem ipsum " * max(0, padding // 12)}]
        yield json.dumps(record).encode() + b"\n"


if __name__ == "__main__":
    main()
