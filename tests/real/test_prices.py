"""Holds our prices against the two libraries that the world computes its bills with: genai-prices and LiteLLM."""

import json
import os
import random
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from genai_prices.data import providers
from genai_prices.types import TieredPrices
from pricing.conftest import Bench
from pricing.library import is_corrected, library_cases, own_costs

from infercost import schema
from infercost.pricing import flatten, names, packaged
from infercost.pricing.apply import apply
from infercost.pricing.book import book_version, load_book
from infercost.pricing.rows import from_table, microseconds
from infercost.pricing.tables import create_maps
from real.litellm_rates import KEYS, Entry
from real.price_classes import RELATIVE, Pair, Rows, classify
from real.programs import Programs

pytestmark = pytest.mark.real

ENOUGH = 5_000
MOMENTS = [datetime(2025, 2, 1, 5, tzinfo=UTC) + timedelta(hours=11 * step) for step in range(1_600)]
"""Two years from before most of the book's dated changes to after its last ones, at every hour of the day."""

LITELLM = packaged.label(packaged.LITELLM)
"""The release that our second book is made of."""

PROVIDERS = {
    **{name: name for name in ("anthropic", "azure", "bedrock", "cerebras", "deepseek", "fireworks_ai", "gemini")},
    **{name: name for name in ("groq", "mistral", "moonshot", "openai", "perplexity", "together_ai", "xai")},
    "bedrock_converse": "bedrock",
}
"""Providers of LiteLLM's map with the one that it is asked about them as."""

_HALF = Decimal("0.5e-12")


@pytest.fixture(scope="module")
def book() -> pa.Table:
    return load_book()


@pytest.fixture
def bench(book: pa.Table) -> Bench:
    return Bench(book)


def test_costs_equal_those_of_genai_prices(bench: Bench, book: pa.Table) -> None:
    cases = library_cases(9_000, MOMENTS, corrected=True)
    ours = [case for case in cases if not is_corrected(case["provider_name"], case["price_model"])]
    both = own_costs(bench, book, ours)
    left_out = Counter({"a correction is about the model": len(cases) - len(ours)}) + _left_out(bench)
    _print_table(f"genai-prices: {len(both)} of {len(cases)} compared; left out:", left_out)
    assert len(both) >= ENOUGH
    assert len(both) + left_out.total() == len(cases)
    different = [(case, cost) for case, cost in both if abs(cost - case["expected"]) > _rounding(case)]
    assert different == []


def test_costs_equal_those_of_litellm_but_for_known_classes(bench: Bench, book: pa.Table, programs: Programs) -> None:
    binaries = programs.python(LITELLM.replace(" ", "=="))
    prices, rows = _map(binaries), Rows(from_table(book))
    cases = _litellm_cases(prices, book, 5_500)
    ours = _our_costs(bench, book, cases)
    compared = [(case, row) for case, row in zip(cases, ours, strict=True) if row["list_cost"] is not None]
    theirs = _litellm_costs(binaries, [case for case, _ in compared])
    classes: Counter[str] = Counter()
    examples: dict[str, str] = {}
    faults = []
    for (case, row), cost in zip(compared, theirs, strict=True):
        found = _class_of(case, row, Decimal(repr(cost)), prices, rows)
        if found is None:
            faults.append((case, row, cost))
            continue
        classes[found[0]] += 1
        examples.setdefault(found[0], f"{case['key']} {case['lane']} {found[1]}")
    table = Counter({f"{name:<76} {examples[name]}": count for name, count in classes.items()})
    _print_table(f"{LITELLM}: {len(compared)} of {len(cases)} compared (ours / theirs, USD per million tokens)", table)
    assert len(compared) >= ENOUGH
    assert faults == []
    assert classes.total() == len(compared)


def _class_of(
    case: dict[str, Any], row: dict[str, Any], cost: Decimal, prices: dict[str, Any], rows: Rows
) -> tuple[str, str] | None:
    """Return the class of a case; None where LiteLLM's cost is not that of its rates, or a difference has no class."""
    tokens = case["tokens"]
    sent = sum(count for kind, count in tokens.items() if kind in schema.INPUT_KINDS)
    entry = Entry(prices[case["key"]], case["provider"], case["lane"], sent)
    read = sum((entry.applied(kind).rate * count for kind, count in tokens.items() if count), Decimal(0))
    if not _is_close(read, cost):
        return None
    if _is_close(row["list_cost"], cost):
        return "equal", ""
    at, today = (microseconds(moment) for moment in (datetime.fromisoformat(case["at"]), _today()))
    return classify(Pair(rows.by_id[row["list_price_id"]], entry, rows, at, today), tokens)


def _is_close(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= RELATIVE * max(one, other)


def _today() -> datetime:
    """Return noon of the day that the map is of."""
    return datetime.fromisoformat(f"{packaged.day(packaged.LITELLM)}T12:00:00+00:00")


def _map(binaries: Path) -> dict[str, Any]:
    """Return LiteLLM's price map, read as a file: the package itself never comes into this process."""
    file = next(binaries.parent.glob("lib/python*/site-packages/litellm/model_prices_and_context_window_backup.json"))
    prices: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    return prices


def _litellm_cases(prices: dict[str, Any], book: pa.Table, count: int) -> list[dict[str, Any]]:
    """Return random attempts on models that both books know by the same name, two of three of today."""
    known = set(zip(book["provider"].to_pylist(), book["model"].to_pylist(), strict=True))
    pool: dict[str, list[tuple[str, str, str]]] = {}
    for key, entry in prices.items():
        stated = str(entry.get("litellm_provider"))
        model = key.partition("/")[2] if key.startswith(f"{stated}/") else key
        provider = names.book_provider(stated) or stated
        # The price of an off-peak hour is that of the moment when LiteLLM is asked, which no test can choose.
        usable = entry.get("mode") in ("chat", "responses", "completion") and not entry.get("off_peak_pricing")
        if stated in PROVIDERS and usable and (provider, model) in known and _is_taken(key, PROVIDERS[stated], prices):
            pool.setdefault(PROVIDERS[stated], []).append((key, provider, model))
    chance = random.Random(20261128)  # noqa: S311
    return [_litellm_case(chance, asked, pool[asked]) for asked in chance.choices(sorted(pool), k=count)]


def _is_taken(key: str, provider: str, prices: dict[str, Any]) -> bool:
    """Tell whether LiteLLM, asked for a key, takes that entry, and not another one that its rules of names prefer."""
    prefix = f"{provider}/"
    rerouted = key.startswith("azure/mistral")
    is_doubled = key.startswith(prefix * 2)
    return not rerouted and not is_doubled and (key.startswith(prefix) or prefix + key not in prices)


def _litellm_case(chance: random.Random, asked: str, models: list[tuple[str, str, str]]) -> dict[str, Any]:
    key, provider, model = chance.choice(models)
    lane = chance.choice(["standard", "standard", "standard", *flatten.LANES])
    kinds = [kind for kind in KEYS if lane != "batch" or "audio" not in kind]
    tokens = dict.fromkeys(KEYS, 0)
    for kind in chance.sample(kinds, 4):
        tokens[kind] = chance.choice([1, 777, 40_000, 120_000, 199_999, 200_000, 200_001, 272_001])
    at = _today() if chance.random() < 2 / 3 else chance.choice([at for at in MOMENTS if at < _today()])
    places = {"key": key, "provider": asked, "book_provider": provider, "model": model}
    return {**places, "lane": lane, "at": at.isoformat(), "tokens": tokens}


def _our_costs(bench: Bench, book: pa.Table, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    bench.fill(
        [
            {
                "provider_name": case["book_provider"],
                "price_model": case["model"],
                "service_tier": None if case["lane"] == flatten.STANDARD else case["lane"],
                "started_at": case["at"],
                **{f"{kind}_tokens": value for kind, value in case["tokens"].items()},
            }
            for case in cases
        ]
    )
    bench.set_prices(book, book)
    create_maps(bench.connection, "attempts")
    bench.connection.execute(
        "CREATE OR REPLACE TABLE model_map AS SELECT DISTINCT provider_name, price_model, provider_name AS provider,"
        " price_model AS model, 'exact' AS method, '' AS book FROM attempts"
    )
    apply(bench.connection, "attempts", "priced")
    return bench.rows("SELECT list_cost, list_price_id FROM priced ORDER BY attempt_id::BIGINT")


def _litellm_costs(binaries: Path, cases: list[dict[str, Any]]) -> list[float]:
    """Ask LiteLLM with the map of its own package, in one process."""
    done = subprocess.run(
        [binaries / "python", Path(__file__).with_name("litellm_ask.py")],
        input=json.dumps(cases),
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    costs: list[float] = json.loads(done.stdout)
    return costs


def _left_out(bench: Bench) -> Counter[str]:
    """Count the priced attempts whose price row is not one of the library's own, by the reason."""
    rows = bench.rows(f"""
        SELECT
            CASE
                WHEN row.price_id IS NULL THEN 'infercost has no price'
                WHEN row.book <> '{book_version()}' THEN 'price of ' || split_part(row.book, ' ', 1)
                ELSE 'basis ' || row.basis
            END AS reason,
            count(*) AS attempts
        FROM priced
        LEFT JOIN book_prices AS row ON row.price_id = priced.list_price_id
        WHERE row.price_id IS NULL OR row.book <> '{book_version()}' OR row.basis <> 'book'
        GROUP BY ALL
    """)
    return Counter({row["reason"]: row["attempts"] for row in rows})


def _rounding(case: Mapping[str, Any]) -> Decimal:
    """Return what rounding may change: nothing where every rate is whole picodollars, else half a one per token."""
    exact = all(rate * 10**6 == (rate * 10**6).to_integral_value() for rate in _library_rates(case))
    return Decimal(0) if exact else _HALF * sum(case[f"{kind}_tokens"] for kind in schema.TOKEN_KINDS)


def _library_rates(case: Mapping[str, Any]) -> Iterator[Decimal]:
    provider = next(item for item in providers if item.id == case["provider_name"])
    model = next(item for item in provider.models if item.id == case["price_model"])
    context = flatten.LANES[case["service_tier"] or flatten.STANDARD] or None
    price = model.get_prices(datetime.fromisoformat(case["started_at"]), context)
    for key, value in price.__dict__.items():
        if isinstance(value, TieredPrices):
            yield value.base
            yield from (tier.price for tier in value.tiers)
        elif value is not None and key.endswith("_mtok"):
            yield value


def _print_table(title: str, counts: Counter[str]) -> None:
    print(f"\n{title}")  # noqa: T201
    for name, count in counts.most_common():
        print(f"  {count:>6}  {name}")  # noqa: T201
