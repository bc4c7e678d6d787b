"""Measures how soon the page of a year shows something, and how large it is: makes logs, reports, opens it.

    PYTHONPATH=tests/render python benchmarks/first_paint.py [--requests 400] [--rounds 5]

Needs Chromium and ChromeDriver. Prints the median of the browser's own paint times, and the range.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
from browser import Browser, browser

MAPPING = """
name = "year"
title = "Made up"
input_includes_cache = true

[columns]
id = "id"
started_at = { from = "ts" }
request_model = "model"
response_model = "model"
input_tokens = "read"
output_tokens = "written"

[tags]
feature = "feature"
"""

LOG = """
COPY (
    SELECT
        n AS id,
        strftime(
            TIMESTAMP '2025-01-01' + to_microseconds((day * 86400000000 + hash(n) % 86400000000)::BIGINT), '%xT%XZ'
        ) AS ts,
        'feature ' || (hash(n, 1) % 30) AS feature,
        ['gpt-4o', 'gpt-4o-mini', 'gpt-4.1', 'gpt-5', 'gpt-5-mini'][1 + (hash(n, 2) % 5)::INTEGER] AS model,
        500 + hash(n, 3) % 9000 + 2 * day AS read,
        50 + hash(n, 4) % 900 AS written
    FROM (SELECT number AS n, number // {requests} AS day FROM range({requests} * 730) AS numbers (number))
) TO '{path}' (FORMAT json)
"""

PAINT = """
const shown = performance.getEntriesByName('first-contentful-paint')[0];
return [shown ? shown.startTime : null, document.querySelectorAll('*').length];
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=400, help="requests a day")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        page = made(Path(name), arguments.requests)
        with browser() as chromium:
            found = [painted(chromium, page) for _ in range(arguments.rounds)]
        times = [shown for shown, _ in found]
        print(
            f"first contentful paint {statistics.median(times):.0f} ms (from {min(times):.0f} to {max(times):.0f}), "
            f"{page.stat().st_size / 1e6:.2f} MB, {found[0][1]:,} elements"
        )


def made(folder: Path, requests: int) -> Path:
    """Return the page of the second of two years."""
    log, mapping, store, page = (folder / each for each in ("log.jsonl", "year.toml", "store", "page.html"))
    mapping.write_text(MAPPING, encoding="utf-8")
    duckdb.execute(LOG.format(requests=requests, path=log))
    infercost = [sys.executable, "-m", "infercost"]
    run([*infercost, "ingest", "logs", str(log), "--format", str(mapping), "--store", str(store)])
    window = ["--since", "365d", "--until", "2026-12-31"]
    run([*infercost, "report", *window, "--store", str(store), "--output", str(page)])
    return page


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def painted(chromium: Browser, page: Path) -> tuple[float, int]:
    """Return when the page showed something, in milliseconds after it was opened, and its elements."""
    chromium.open(page, width=1100)
    for _ in range(50):
        shown, elements = chromium.run(PAINT)
        if shown is not None:
            return shown, elements
        time.sleep(0.1)
    raise RuntimeError("the page showed nothing within five seconds")


if __name__ == "__main__":
    main()
