"""The split of a million rows of the hourly cube, and drill-downs into it, against the bare aggregation of the rows.

    python benchmarks/explain.py [--millions 1] [--leaves 0] [--rounds 3]

The cube has 40 features, 50 cohorts, 5 teams, 12 bands, 8 routes and 10 models in two weeks; nearly every row is a
leaf of its own, or the rows are hours of so many leaves as --leaves says. `bare` adds up the same
rows by leaf; `split` makes factors and effects of every leaf; `spread` books the effects to days; `drill` groups the
effects by two dimensions under a condition. All run in this process in turn; medians and ratios round by round.
"""

import argparse
import resource
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from infercost import engine
from infercost.analyze.drivers import cells, effects, matches, split, timeline
from infercost.analyze.explain import MOST_DATED

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

SINCE = datetime(2026, 11, 9, tzinfo=UTC)
WEEK = timedelta(days=7)
SPAN = cells.Span(SINCE, SINCE + WEEK, SINCE - WEEK, SINCE)
KINDS = ("input_uncached", "cache_read", "cache_write_5m", "output_text", "reasoning")
RATES = (3_000_000, 300_000, 3_750_000, 15_000_000, 15_000_000)

CUBE = """
CREATE TEMP TABLE driver_cells AS
WITH drawn AS (
    SELECT n, n % 2 = 0 AS is_now, hash(n // 2{leaves}) AS key, hash(n * 7) AS size FROM range({count}) AS numbers (n)
)
SELECT
    CASE WHEN is_now THEN 'current' ELSE 'baseline' END AS period,
    CASE WHEN is_now THEN {since} ELSE {before} END + INTERVAL 1 HOUR * (size % 168)::INTEGER AS hour,
    'feature ' || (key % 40) AS feature, 'cohort ' || (key // 40 % 50) AS cohort, 'team ' || (key % 5) AS team,
    'route ' || (key // 2000 % 8) AS first_route, '/v1/chat' AS first_endpoint, 'acme' AS first_provider,
    'model ' || (key // 16000 % 10) AS first_model, (5 + key // 160000 % 12)::INTEGER AS band,
    ['first_try', 'first_try', 'later_try', 'wasted'][1 + (key // 1920000 % 4)::INTEGER] AS outcome,
    first_route AS route, first_endpoint AS endpoint, first_provider AS provider_name,
    CASE WHEN outcome = 'later_try' THEN 'model 0' ELSE first_model END AS model,
    'mid' AS model_tier, FALSE AS is_pool,
    (1 + size % 20)::DOUBLE AS requests,
    requests AS dispatched, requests AS answered, requests AS priced,
    requests * pow(2e0, band) AS request_tokens, request_tokens AS priced_tokens,
    greatest(requests, 1 + size % 3)::DOUBLE AS attempts,
    attempts / 2 AS cached_calls, request_tokens / 2 AS cached_prompts,
    {measures}
FROM drawn
ORDER BY ALL
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--millions", type=float, default=1)
    parser.add_argument("--leaves", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, engine.connect(Path(name)) as connection:
        connection.execute(cube(int(arguments.millions * 1_000_000), arguments.leaves))
        cells.number(connection)
        matches.match(connection, SPAN, "UTC")
        report(connection, [measure(connection) for _ in range(arguments.rounds)])


def cube(count: int, leaves: int) -> str:
    measures = []
    for place, (kind, rate) in enumerate(zip(KINDS, RATES, strict=True)):
        units = f"attempts * (size // {10 ** (place + 1)} % 900)::DOUBLE"
        measures.append(
            f"{units} AS units_{kind}, units_{kind} * {rate}::DOUBLE AS base_{kind}, base_{kind} AS list_{kind}, "
            f"base_{kind} * 0.9e0 AS cost_{kind}, cast(cost_{kind} AS BIGINT) AS raw_{kind}"
        )
    return CUBE.format(
        count=count,
        leaves=f" % {leaves}" if leaves else "",
        since=engine.moment(SPAN.since),
        before=engine.moment(SPAN.baseline_since),
        measures=",\n    ".join(measures),
    )


def measure(connection: "duckdb.DuckDBPyConnection") -> dict[str, float]:
    """Return the seconds of each part."""
    names = (*split.COUNTS, *(f"{each}_{kind}" for kind in KINDS for each in split.MEASURES))
    sums = ", ".join(
        f"sum({name}) FILTER (WHERE period = '{period}')" for name in names for period in ("baseline", "current")
    )
    bare = f"CREATE OR REPLACE TEMP TABLE bare AS SELECT {', '.join(split.KEYS)}, {sums} FROM driver_cells GROUP BY ALL"
    where = "feature = 'feature 7'"
    parts: dict[str, Callable[[], object]] = {
        "bare": lambda: connection.execute(bare),
        "split": lambda: split.split(connection, KINDS),
        "spread": lambda: spread(connection),
        "whole": lambda: effects.whole(connection),
        "drill": lambda: effects.table(connection, ("cohort", "model"), where),
        "by_feature": lambda: effects.table(connection, ("feature",)),
    }
    seconds = {}
    for name, run in parts.items():
        start = time.perf_counter()
        run()
        seconds[name] = time.perf_counter() - start
    return seconds


def spread(connection: "duckdb.DuckDBPyConnection") -> None:
    (leaves,) = connection.execute("SELECT count(*) FROM driver_leaves").fetchall()[0]
    if leaves <= MOST_DATED:
        timeline.spread(connection, KINDS, timeline.DAY, "UTC")


def report(connection: "duckdb.DuckDBPyConnection", rounds: list[dict[str, float]]) -> None:
    for name in rounds[0]:
        seconds = [each[name] for each in rounds]
        ratios = sorted(each[name] / each["bare"] for each in rounds)
        print(
            f"{name:<11} {statistics.median(seconds):6.2f} s  {statistics.median(ratios):5.2f} x bare  "
            f"(from {ratios[0]:.2f} to {ratios[-1]:.2f})"
        )
    rows, leaves = (
        connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        for table in ("driver_cells", "driver_leaves")
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{rows:,} rows, {leaves:,} leaves by kind; peak {peak:,.0f} MB")


if __name__ == "__main__":
    main()
