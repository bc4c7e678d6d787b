"""Tells which logged regions have prices of their own, what the price book calls them, and what they cost more."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from infercost.pricing import names, packaged
from infercost.pricing.rows import PriceRow, half_up

GLOBAL = ("global", "")

_LOCATION = re.compile(r"(?:^|/)locations/([^/]+)/")
_DATA_ZONE = re.compile(r"(?:azure/)?(us|eu)/")


def region_class(provider_name: str | None, region: str | None, model: str | None = None) -> str | None:
    """Return the class of a logged region as `prices.region` names it, or None where every region costs the same.

    Vertex AI: every endpoint but the global one is `regional`. Anthropic and OpenAI: the geography that was asked for.
    Azure: the data zone, `us` or `eu`. Some names of models have the region in them: `model` speaks where no region
    was logged (a path with `locations/us-east5/`), and on Azure (`azure/eu/gpt-5.1`).
    """
    provider = names.book_provider(provider_name)
    name = (model or "").strip().lower()
    place = (region or "").strip().lower()
    if provider is None and name.startswith("azure/"):
        provider = "azure"
    if provider == "azure":
        zone = _DATA_ZONE.match(name)
        return zone[1] if zone else place if place in ("us", "eu") else None
    location = _LOCATION.search(name)
    place = place or (location[1] if location else "")
    if place in GLOBAL:
        return None
    if provider == "google":
        return "regional"
    return place if provider in ("anthropic", "openai") else None


def region_rows(rows: Iterable[PriceRow]) -> Iterator[PriceRow]:
    """Yield, for the rows of models that cost more in a class of regions, the rows of that class, in every lane."""
    premiums: dict[tuple[str, str], list[dict[str, str]]] = {}
    for line in packaged.csv_rows("regions.csv"):
        premiums.setdefault((line["provider"], line["model"]), []).append(line)
    for row in rows:
        for line in premiums.get((row.provider, row.model), ()):
            factor = Decimal(line["factor"])
            rates = tuple(None if rate is None else half_up(rate * factor) for rate in row.rates)
            yield replace(
                row,
                region=line["region"],
                rates=rates,
                source=line["source"],
                source_date=packaged.day(packaged.LITELLM),
            )
