"""Says what the scenarios' models cost: a price book of their own, and an infercost.toml with its discounts.

List prices and the batch lane stand in the book, as those of a provider do; a discount is an override for the API key
of a feature. Effects of the generator that change prices become dated rows of either.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from infercost import schema
from infercost.pricing.rows import PriceRow, microseconds, picodollars, to_table

START = datetime(2026, 6, 1, tzinfo=UTC)
"""The first moment of every scenario, a Monday."""

PROVIDER = "acme"
BOOK = "scenarios 1"
_FOREVER_DAYS = 10_000
_LANES = {"standard": Decimal(1), "batch": Decimal("0.5")}
_PLACE = {"input_uncached": 0, "cache_read": 1, "cache_write_5m": 2, "output_text": 3, "reasoning": 3}
"""Where the generator keeps the price of each token kind."""


def moment(day: float) -> datetime:
    """Return the moment that a day of the generator begins."""
    return START + timedelta(days=day)


def book(models: dict[str, tuple[Any, ...]], effects: Iterable[Any]) -> pa.Table:
    """Return the price book: every model in both lanes, dated where an effect changes its price."""
    changes = [effect for effect in effects if effect.kind == "price"]
    return to_table(row for name, figures in models.items() for row in _rows(name, figures, changes))


def _rows(name: str, figures: tuple[Any, ...], changes: list[Any]) -> Iterator[PriceRow]:
    mine = [each for each in changes if each.model in (None, name)]
    cuts = sorted({day for each in mine for day in (each.start, each.end) if day < _FOREVER_DAYS})
    for since, until in zip((None, *cuts), (*cuts, None), strict=True):
        level = Decimal(1)
        for each in mine:
            if since is not None and each.start <= since < each.end:
                level *= 1 + Decimal(str(each.mag))
        for lane, share in _LANES.items():
            rates = {kind: Decimal(str(figures[place])) * level * share for kind, place in _PLACE.items()}
            yield PriceRow(
                book=BOOK,
                provider=PROVIDER,
                model=name,
                lane=lane,
                start=None if since is None else microseconds(moment(since)),
                end=None if until is None else microseconds(moment(until)),
                input_from=0,
                input_to=None,
                rates=tuple(picodollars(rates[kind]) if kind in rates else None for kind in schema.TOKEN_KINDS),
                basis="book",
                source="the traffic generator",
            )


def configuration(models: Iterable[str], effects: Iterable[Any], mapping: Path) -> str:
    """Return an infercost.toml: the mapping of the log, the models by name, and the discounts among the effects."""
    parts = [f'[ingest]\nmappings = ["{mapping}"]']
    # An override of nothing makes the model's name known, as the names of models are those of the installed book.
    parts += [f'[[prices.override]]\nprovider = "{PROVIDER}"\nmodel = "{name}"\ndiscount = 0' for name in models]
    for effect in effects:
        if effect.kind == "discount":
            parts += [_discount(effect, feature) for feature in effect.feats or (None,)]
    return "\n\n".join(parts) + "\n"


def _discount(effect: Any, feature: str | None) -> str:
    size = Decimal(str(effect.mag))
    share = f"margin = {size}" if size > 0 else f"discount = {-size}"
    lines = ["[[prices.override]]", f'provider = "{PROVIDER}"', 'model = "*"', f"from = {_time(effect.start)}", share]
    if effect.end < _FOREVER_DAYS:
        lines.append(f"to = {_time(effect.end)}")
    if feature is not None:
        lines.append(f'key = "{feature}"')
    return "\n".join(lines)


def _time(day: float) -> str:
    return moment(day).isoformat().replace("+00:00", "Z")
