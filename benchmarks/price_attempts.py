"""Pricing of 10 million attempts against the same scan and write without it, as a ratio in one run.

    python benchmarks/price_attempts.py [--millions 10] [--rounds 3]

Attempts of 47 models in several service tiers over 145 days, with six kinds of tokens and web searches, lie in Parquet.
One side reads them, prices them and writes what the store would hold. It is held against two others: `same` reads the
same rows with their costs and writes them, which is the same writing without the pricing; `bare` reads and writes the
attempts alone, without the twenty columns of costs. All run in this process in turn; medians and ratios round by round.
"""

import argparse
import resource
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from infercost import assets, engine
from infercost.pricing.apply import apply
from infercost.pricing.tables import create_maps, create_prices

if TYPE_CHECKING:
    import duckdb

MODELS = 47
DAYS = 145
TIERS = ("NULL", "NULL", "NULL", "'batch'", "'flex'", "'priority'")

# Most attempts are of few models, as in life: the squared random number takes the first names most often.
ATTEMPTS = """
COPY (
    SELECT
        n::VARCHAR AS attempt_id,
        TIMESTAMPTZ '2026-07-01' + (n * {days} * 86400.0 / {count}) * INTERVAL 1 SECOND AS started_at,
        name.provider AS provider_name,
        name.model AS price_model,
        [{tiers}][1 + (hash(n * 3) % {tier_count})::INT] AS service_tier,
        NULL::VARCHAR AS region, NULL::VARCHAR AS team, NULL::VARCHAR AS api_key_name, NULL::VARCHAR AS api_key_id,
        'ok' AS status, NULL::INTEGER AS http_status, NULL::VARCHAR AS gateway_cache,
        (hash(n * 5) % 9000)::BIGINT AS input_uncached_tokens,
        (hash(n * 7) % 40000)::BIGINT AS cache_read_tokens,
        (hash(n * 11) % 3000)::BIGINT AS cache_write_5m_tokens,
        (hash(n * 13) % 500)::BIGINT AS cache_write_1h_tokens,
        NULL::BIGINT AS cache_write_30m_tokens, NULL::BIGINT AS cache_write_12h_tokens,
        NULL::BIGINT AS input_audio_tokens, NULL::BIGINT AS input_image_tokens,
        (hash(n * 17) % 2000)::BIGINT AS output_text_tokens,
        (hash(n * 19) % 1500)::BIGINT AS reasoning_tokens,
        NULL::BIGINT AS output_audio_tokens, NULL::BIGINT AS output_image_tokens,
        input_uncached_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens AS input_tokens,
        output_text_tokens + reasoning_tokens AS output_tokens,
        CASE WHEN hash(n * 23) % 50 = 0 THEN 1 END::BIGINT AS web_search_requests
    FROM range({count}) AS numbers (n)
    INNER JOIN names AS name ON name.place = ({models} * pow((hash(n * 29) % 1000000) / 1000000.0, 2))::INT % {models}
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""
NAMES = f"""
CREATE TABLE names AS
SELECT provider, model, row_number() OVER (ORDER BY hour_rows DESC, model) - 1 AS place
FROM (
    SELECT provider, model, count(*) AS hour_rows
    FROM book_prices
    WHERE provider IN ('openai', 'anthropic', 'google', 'deepseek') AND lane = 'standard' AND region IS NULL
    GROUP BY ALL
)
ORDER BY place
LIMIT {MODELS}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--millions", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    count = int(arguments.millions * 1_000_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with engine.connect(folder / "spill") as connection:
            create_prices(connection, (), assets.cache_folder())
            write_attempts(connection, folder / "attempts.parquet", count)
            rounds = [measure(connection, folder) for _ in range(arguments.rounds)]
            report(connection, folder, count, rounds)


def write_attempts(connection: "duckdb.DuckDBPyConnection", path: Path, count: int) -> None:
    connection.execute(NAMES)
    tiers = ", ".join(TIERS)
    connection.execute(
        ATTEMPTS.format(days=DAYS, count=count, tiers=tiers, tier_count=len(TIERS), models=MODELS, path=path)
    )
    connection.execute(f"CREATE VIEW attempts AS FROM read_parquet({engine.literal(str(path))})")


def measure(connection: "duckdb.DuckDBPyConnection", folder: Path) -> tuple[float, float, float]:
    """Return the seconds with pricing, for the same rows without it, and for the attempts alone."""
    moments = [time.perf_counter()]
    create_maps(connection, "attempts")
    apply(connection, "attempts", "priced", "VIEW")
    priced = folder / "priced.parquet"
    for source, target in (
        ("priced", priced),
        (f"read_parquet({engine.literal(str(priced))})", folder / "same.parquet"),
        ("attempts", folder / "bare.parquet"),
    ):
        copy(connection, source, target)
        moments.append(time.perf_counter())
    first, second, third = (after - before for before, after in pairwise(moments))
    return first, second, third


def copy(connection: "duckdb.DuckDBPyConnection", source: str, target: Path) -> None:
    connection.execute(f"COPY (FROM {source}) TO {engine.literal(str(target))} (FORMAT parquet, COMPRESSION zstd)")


def report(
    connection: "duckdb.DuckDBPyConnection", folder: Path, count: int, rounds: list[tuple[float, float, float]]
) -> None:
    for name, seconds in zip(("priced", "same", "bare"), zip(*rounds, strict=True), strict=True):
        print(f"{name:<8} {statistics.median(seconds):6.2f} s  (from {min(seconds):.2f} to {max(seconds):.2f})")
    for place, name in ((1, "same"), (2, "bare")):
        ratios = sorted(each[0] / each[place] for each in rounds)
        print(f"priced / {name}  {statistics.median(ratios):.2f}  (from {ratios[0]:.2f} to {ratios[-1]:.2f})")
    total, unpriced = connection.execute(
        f"SELECT sum(effective_cost), count(*) FILTER (WHERE effective_cost IS NULL) "
        f"FROM read_parquet({engine.literal(str(folder / 'priced.parquet'))})"
    ).fetchall()[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count:,} attempts cost ${total:,}, {unpriced:,} without a price; peak {peak:,.0f} MB")


if __name__ == "__main__":
    main()
