"""Makes OpenAI's bill for two weeks of the sample logs, with gaps in it whose truth is known.

Usage: python sample_bills/make_bill.py --store STORE, where STORE holds sample_logs. README.md says what is in it.
"""

import argparse
import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from infercost.analyze.database import connect
from infercost.store import Store

FIRST, LAST = date(2026, 11, 5), date(2026, 11, 18)
DISCOUNT_FROM = date(2026, 11, 12)
DISCOUNTED, DISCOUNT = "gpt-5.5", Decimal("0.9")
BYPASSING, BYPASSED_A_DAY = "gpt-4.1-mini", Decimal("1.25")
FEE, FEE_A_DAY = "Web search tool calls", Decimal("0.2")
LOST_DAY, LOST_MODEL, LOST_CALLS, LOST_TOKENS = date(2026, 11, 10), "gpt-5.4", 40, 1_200_000
"""Calls that the bill has and the logs have not, and their input tokens, at LOST_RATE dollars a token."""

LOST_RATE = Decimal("0.0000025")

_CALLS = """
SELECT
    day, regexp_replace(price_model, '^.*/', '') AS model,
    coalesce(sum(input_uncached_tokens), 0)::BIGINT AS input, coalesce(sum(input_uncached_cost), 0) AS input_cost,
    coalesce(sum(cache_read_tokens), 0)::BIGINT AS cached, coalesce(sum(cache_read_cost), 0) AS cached_cost,
    (coalesce(sum(output_text_tokens), 0) + coalesce(sum(reasoning_tokens), 0))::BIGINT AS output,
    coalesce(sum(output_text_cost), 0) + coalesce(sum(reasoning_cost), 0) AS output_cost,
    count(*) FILTER (WHERE coalesce(input_tokens, 0) + coalesce(output_tokens, 0) > 0) AS calls
FROM attempts
WHERE day BETWEEN $first AND $last AND provider_name = 'openai' AND list_cost IS NOT NULL
    AND coalesce(gateway_cache, '') NOT IN ('exact', 'semantic', 'hit')
GROUP BY ALL HAVING calls > 0 ORDER BY ALL
"""


def pages(store: Path) -> dict[str, str]:
    """Return the bill's files by name: pages of the costs API and of the usage API."""
    costs: dict[date, list[Any]] = defaultdict(list)
    usage: dict[date, list[Any]] = defaultdict(list)
    with connect(Store.open(store)) as connection:
        found = connection.sql(_CALLS, params={"first": FIRST, "last": LAST}).to_arrow_table().to_pylist()
    for row in found:
        day, model = row["day"], row["model"]
        is_lost = (day, model) == (LOST_DAY, LOST_MODEL)
        if is_lost:
            row["input"] += LOST_TOKENS
            row["input_cost"] += LOST_TOKENS * LOST_RATE
        share = DISCOUNT if model.startswith(DISCOUNTED) and day >= DISCOUNT_FROM else 1
        for words, kind in (("input", "input"), ("cached input", "cached"), ("output", "output")):
            if row[f"{kind}_cost"]:
                costs[day].append(_cost(f"{model}, {words}", row[f"{kind}_cost"] * share))
        usage[day].append(_usage(model, row, row["calls"] + LOST_CALLS * is_lost))
    for day in costs:
        costs[day] += [_cost(f"{BYPASSING}, input", BYPASSED_A_DAY), _cost(FEE, FEE_A_DAY)]
    return {"openai-costs.json": _page(costs), "openai-usage.json": _page(usage)}


def _cost(line_item: str, dollars: Decimal) -> dict[str, Any]:
    return {
        "object": "organization.costs.result",
        "amount": {"value": f"{dollars.normalize():f}", "currency": "usd"},
        "line_item": line_item,
        "project_id": "proj_desk",
    }


def _usage(model: str, row: dict[str, Any], calls: int) -> dict[str, Any]:
    return {
        "object": "organization.usage.completions.result",
        "input_tokens": row["input"] + row["cached"],
        "input_uncached_tokens": row["input"],
        "input_cached_tokens": row["cached"],
        "output_tokens": row["output"],
        "num_model_requests": calls,
        "project_id": "proj_desk",
        "model": model,
    }


def _page(results: dict[date, list[Any]]) -> str:
    data = [
        {
            "object": "bucket",
            "start_time": int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()),
            "end_time": int((datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)).timestamp()),
            "results": found,
        }
        for day, found in sorted(results.items())
    ]
    return json.dumps({"object": "page", "data": data, "has_more": False, "next_page": None}, indent=1) + "\n"


def main() -> None:
    """Write the files beside this one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    for name, text in pages(parser.parse_args().store).items():
        (Path(__file__).parent / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
