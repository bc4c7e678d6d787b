"""Makes infercost/pricing/data from two price books that are read, never imported: `just books`.

    python tools/books.py [--litellm WHEEL] [--model-prices WHEEL]

Without a wheel, the newest is downloaded with pip. What goes into the package: models that genai-prices lacks and
lanes that it lacks (LiteLLM), prices before the ones it knows (model-prices), and the premium of regions (LiteLLM).
"""

import argparse
import csv
import itertools
import json
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from genai_prices.data import providers
from litellm_prices import MODES, Line, lines, web_search_fee

from infercost import schema
from infercost.pricing import names
from infercost.pricing.resolve import FALLBACK_BOOK, ModelName, Resolution, resolve

DATA = Path(__file__).resolve().parents[1] / "infercost" / "pricing" / "data"
LITELLM_URL = "https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json"
LITELLM_MAP = "litellm/model_prices_and_context_window_backup.json"
NOT_IN_DOLLARS = ("ovhcloud",)
"""Providers whose euros the map holds as dollars."""

LANE_PROVIDERS = ("google", "aws", "azure", "x-ai")
"""Providers of genai-prices that have lanes which it lacks."""

LABS = {
    "anthropic": "anthropic",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "google": "google",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshotai": "moonshotai",
    "openai": "openai",
    "xai": "x-ai",
    "zai": "zai",
}
"""Makers in model-prices with their provider in genai-prices."""

SHORTEST = timedelta(hours=48)
"""A price that was recorded for less is taken for a slip that was put right."""

Map = Mapping[str, Mapping[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--litellm", type=Path)
    parser.add_argument("--model-prices", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        litellm = arguments.litellm or download("litellm", Path(folder))
        model_prices = arguments.model_prices or download("model-prices", Path(folder))
        make(litellm, model_prices)


def download(package: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), package]
    subprocess.run(command, check=True)
    return next(folder.glob(f"{package.replace('-', '_')}-*.whl"))


def make(litellm: Path, model_prices: Path) -> None:
    DATA.mkdir(exist_ok=True)
    prices: Map = {
        key: entry
        for key, entry in read_json(litellm, LITELLM_MAP).items()
        if entry.get("litellm_provider") and key != "sample_spec"
    }
    history = read_json(model_prices, "model_prices/snapshot.json")
    found = dict(zip(prices, map(first_book_only, resolve([logged(*item) for item in prices.items()])), strict=True))
    write_parquet("litellm_models.parquet", fallback_rows(prices, found))
    write_parquet("litellm_lanes.parquet", lane_rows(prices, found))
    write_csv("regions.csv", ("provider", "model", "region", "factor", "source"), region_rows(prices, found))
    columns = ("provider", "model", "from", "to", "input", "output", "cache_read", "cache_write", "source", "date")
    write_csv("history.csv", columns, history_rows(history["prices"]))
    copy_licences(litellm, "litellm")
    copy_licences(model_prices, "model-prices")
    sources = {
        "litellm": (version(litellm), newest_file(litellm)),
        "model-prices": (version(model_prices), datetime.fromisoformat(history["updated_at"]).date().isoformat()),
    }
    text = "# Which releases the files in this folder are made of, and the day of their data.\n"
    for name, (number, day) in sources.items():
        text += f'\n[{name}]\nversion = "{number}"\ndate = "{day}"\n'
    tomllib.loads(text)
    (DATA / "sources.toml").write_text(text, encoding="utf-8")


def read_json(wheel: Path, name: str) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        document: dict[str, Any] = json.loads(archive.read(name), parse_float=Decimal)
    return document


def copy_licences(wheel: Path, package: str) -> None:
    """Put the licences of a package beside the data that come from it, as they ask."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            folder, _, licence = name.partition(".dist-info/licenses/")
            if licence and "/" not in folder:
                kept = f"LICENSE.{package}" if licence == "LICENSE" else PurePosixPath(licence).name
                (DATA / kept).write_bytes(archive.read(name))


def version(wheel: Path) -> str:
    return wheel.name.split("-")[1]


def newest_file(wheel: Path) -> str:
    """Return the day of the download: the map has no date of its own, and a wheel's files are dated 1980."""
    return datetime.fromtimestamp(wheel.stat().st_mtime, UTC).date().isoformat()


def logged(key: str, entry: Mapping[str, Any]) -> ModelName:
    return ModelName(entry["litellm_provider"], key)


def first_book_only(resolution: Resolution) -> Resolution:
    """Return a resolution as it is without the data that are being made."""
    found = resolution.method != FALLBACK_BOOK
    return resolution if found else Resolution(resolution.name, None, None, None)


def own_name(key: str, entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return the provider and the model of a key, the provider as genai-prices calls it where it knows it."""
    stated = entry["litellm_provider"].removesuffix("-embedding-models")
    head, slash, tail = key.partition("/")
    provider = names.book_provider(stated) or stated
    if slash and (head == stated or (names.book_provider(head) or head) == provider):
        return provider, tail.lower()
    return provider, key.lower()


def fallback_rows(prices: Map, found: Mapping[str, Resolution]) -> list[dict[str, Any]]:
    """Return the rows of models that genai-prices does not know under this name."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    # The Gemini API's own entry stands before Vertex AI's, which names the same model without a prefix.
    for key, entry in sorted(prices.items(), key=lambda item: (not item[0].startswith("gemini/"), item[0])):
        provider, model = own_name(key, entry)
        usable = entry.get("mode") in MODES and not entry.get("off_peak_pricing")
        if found[key].model or not usable or provider in NOT_IN_DOLLARS:
            continue
        made = [row(provider, model, line, entry) for line in lines(entry)]
        if made:
            rows.setdefault((provider, model), made)
    return [each for _, made in sorted(rows.items()) for each in made]


def lane_rows(prices: Map, found: Mapping[str, Resolution]) -> list[dict[str, Any]]:
    """Return the rows of models with more lanes than the standard one, which is there to compare with."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    # The Gemini API's own entry first, which has more lanes than Vertex AI's, then the plainest name.
    order = sorted(prices.items(), key=lambda item: (not item[0].startswith("gemini/"), len(item[0]), item[0]))
    for key, entry in order:
        goal = found[key]
        if goal.provider not in LANE_PROVIDERS or goal.model is None or entry.get("mode") not in MODES:
            continue
        made = [row(goal.provider, goal.model, line, entry) for line in lines(entry)]
        if len({each["lane"] for each in made}) > 1 and not is_regional(key):
            rows.setdefault((goal.provider, goal.model), made)
    return [each for _, made in sorted(rows.items()) for each in made]


def is_regional(key: str) -> bool:
    return key.startswith(("azure/us/", "azure/eu/", "azure/global")) or (key.startswith("bedrock/") and "/" in key[8:])


def row(provider: str, model: str, line: Line, entry: Mapping[str, Any]) -> dict[str, Any]:
    rates = {f"{kind}_rate": rate for kind, rate in zip(schema.TOKEN_KINDS, line.rates, strict=True)}
    return {
        "provider": provider,
        "model": model,
        "lane": line.lane,
        "input_from": line.input_from,
        "basis": line.basis,
        **rates,
        "web_search_fee": web_search_fee(entry),
        "source": page(entry),
    }


def page(entry: Mapping[str, Any]) -> str:
    """Return the page that an entry of the map names, without a query, or the map itself."""
    named = str(entry.get("source") or "").partition("?")[0].split()
    return named[0] if named and named[0].startswith("http") else LITELLM_URL


def region_rows(prices: Map, found: Mapping[str, Resolution]) -> Iterator[tuple[object, ...]]:
    """Yield what a class of regions costs more, as a factor on every rate of the model."""
    seen: dict[tuple[str, str, str], tuple[object, ...]] = {}
    for key, entry in sorted(prices.items()):
        goal = found[key]
        own = (goal.provider, goal.model) if goal.provider and goal.model else own_name(key, entry)
        for region, factor in factors(key, entry, prices):
            if factor != 1:
                seen.setdefault((*own, region), (*own, region, plain(factor), page(entry)))
    yield from (seen[key] for key in sorted(seen))


def factors(key: str, entry: Mapping[str, Any], prices: Map) -> Iterator[tuple[str, Decimal]]:
    provider = names.book_provider(entry["litellm_provider"])
    if provider == "google" and entry.get("regional_endpoint_uplift_multiplier"):
        yield "regional", Decimal(str(entry["regional_endpoint_uplift_multiplier"]))
    if provider == "anthropic" and (entry.get("provider_specific_entry") or {}).get("us"):
        yield "us", Decimal(str(entry["provider_specific_entry"]["us"]))
    if provider == "openai":
        for region in ("us", "eu"):
            if entry.get(f"regional_processing_uplift_multiplier_{region}"):
                yield region, Decimal(str(entry[f"regional_processing_uplift_multiplier_{region}"]))
    for region in ("us", "eu"):
        if key.startswith(f"azure/{region}/"):
            name = key.removeprefix(f"azure/{region}/")
            base = prices.get(f"azure/global/{name}") or prices.get(f"azure/{name}")
            factor = premium(entry, base or {})
            if factor:
                yield region, factor


def premium(zone: Mapping[str, Any], base: Mapping[str, Any]) -> Decimal | None:
    """Return the factor between two entries, when input and output agree on it to a tenth of a percent."""
    keys = [key for key in ("input_cost_per_token", "output_cost_per_token") if base.get(key) and zone.get(key)]
    ratios = {round(Decimal(str(zone[key])) / Decimal(str(base[key])), 2) for key in keys}
    return ratios.pop() if len(ratios) == 1 else None


def history_rows(prices: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    """Yield the prices of each model that changed its price, the last of them today's.

    Whether genai-prices has the same one today is asked when the book is made, of the release installed then.
    """
    for lab, provider in sorted(LABS.items()):
        known = {model.id for item in providers if item.id == provider for model in item.models}
        for model, lanes in sorted(prices.get(lab, {}).items()):
            spans = list(changes(lanes.get("standard", ())))
            if model not in known or "image" in model or len(spans) < 2:
                continue
            for (start, rates), (end, _) in itertools.zip_longest(spans, spans[1:], fillvalue=(None, {})):
                figures = (plain(rates.get(kind)) for kind in ("input", "output", "cache_read", "cache_write"))
                yield provider, model, start or "", end or "", *figures, rates["source"], rates["valid_from"][:10]


def changes(spans: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    """Yield (start, rates) where input or output changed, without prices of zero and of less than SHORTEST."""
    joined: list[tuple[str | None, Mapping[str, Any]]] = []
    for span in spans:
        rates = span["rates"]
        if not rates or not rates.get("input"):
            continue
        if not joined or amounts(joined[-1][1]) != amounts(rates):
            joined.append((span["start"], rates))
        elif rates.get("cache_read") is not None and joined[-1][1].get("cache_read") is None:
            joined[-1] = (joined[-1][0], rates)
    kept: list[tuple[str | None, Mapping[str, Any]]] = []
    for (start, rates), (end, _) in itertools.zip_longest(joined, joined[1:], fillvalue=(None, {})):
        is_slip = end and datetime.fromisoformat(end) - datetime.fromisoformat(start or rates["valid_from"]) < SHORTEST
        if not is_slip and not (kept and amounts(kept[-1][1]) == amounts(rates)):
            kept.append((start if kept else None, rates))
    yield from kept


def amounts(rates: Mapping[str, Any]) -> tuple[Any, Any]:
    return rates.get("input"), rates.get("output")


def plain(value: object) -> str:
    return "" if value is None else f"{Decimal(str(value)).normalize():f}"


def write_csv(name: str, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with (DATA / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        written = [writer.writerow(row) for row in rows]
    print(f"{name}: {len(written)} rows")


def write_parquet(name: str, rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, DATA / name, compression="zstd", compression_level=19)
    models = {(row["provider"], row["model"]) for row in rows}
    print(f"{name}: {table.num_rows} rows, {len(models)} models, {(DATA / name).stat().st_size / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
