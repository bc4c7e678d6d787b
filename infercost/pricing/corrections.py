"""Reads `corrections.toml`: what the packaged price book has wrong, each with the page that says so."""

import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from infercost import assets, schema
from infercost.pricing.rows import microseconds

_FILE = "pricing/corrections.toml"
_FRIDAY = 4


@dataclass(frozen=True)
class Moved:
    """`name` is priced as `before` until `day` (UTC midnight), and as `model` from then on."""

    provider: str
    name: str
    before: str
    model: str
    day: date
    source: str


@dataclass(frozen=True)
class Peak:
    """The peak hours of `models` apply from `day` on, not on `holidays`, and where `weekdays_only` not on weekends."""

    provider: str
    models: tuple[str, ...]
    day: date
    weekdays_only: bool
    holidays: frozenset[date]
    source: str

    def applies(self, day: date) -> bool:
        """Tell whether the peak hours of `day` are dearer."""
        works = day.weekday() <= _FRIDAY or not self.weekdays_only
        return day >= self.day and works and day not in self.holidays


@dataclass(frozen=True)
class Rate:
    """Rates that the book lacks, in US dollars per million tokens, from `moment` on (None: always)."""

    provider: str
    model: str
    rates: dict[str, Decimal]
    moment: int | None
    source: str


@dataclass(frozen=True)
class Multiple:
    """In every lane and tier of `models`, `kind` costs `times` what `of` costs."""

    provider: str
    models: tuple[str, ...]
    kind: str
    of: str
    times: Decimal
    source: str


@dataclass(frozen=True)
class Retold:
    """From `moment` on (microseconds since 1970 UTC) the packaged history has the prices of `models`, not the book."""

    provider: str
    models: tuple[str, ...]
    moment: int
    source: str


@dataclass(frozen=True)
class Corrections:
    """Everything in the file."""

    moved: tuple[Moved, ...]
    peaks: tuple[Peak, ...]
    rates: tuple[Rate, ...]
    multiples: tuple[Multiple, ...]
    retold: tuple[Retold, ...]

    def peak(self, provider: str, model: str) -> Peak | None:
        """Return what is known about the peak hours of a model of the book."""
        return next((peak for peak in self.peaks if peak.provider == provider and model in peak.models), None)


def text() -> str:
    """Return the file as it is packaged."""
    return assets.text(_FILE)


@cache
def load() -> Corrections:
    """Return the packaged corrections."""
    document = tomllib.loads(text(), parse_float=Decimal)
    return Corrections(
        moved=tuple(
            Moved(item["provider"], item["name"], item["before"], item["model"], item["from"], item["source"])
            for item in document.get("moved", ())
        ),
        peaks=tuple(
            Peak(
                item["provider"],
                tuple(item["models"]),
                item["from"],
                item["weekdays_only"],
                frozenset(item["holidays"]),
                item["source"],
            )
            for item in document.get("peak", ())
        ),
        rates=tuple(_rate(item, model) for item in document.get("rate", ()) for model in item["models"]),
        multiples=tuple(
            Multiple(
                item["provider"],
                tuple(item["models"]),
                item["kind"],
                item["of"],
                Decimal(item["times"]),
                item["source"],
            )
            for item in document.get("multiple", ())
        ),
        retold=tuple(
            Retold(item["provider"], tuple(item["models"]), microseconds(item["from"]), item["source"])
            for item in document.get("retold", ())
        ),
    )


def _rate(item: dict[str, Any], model: str) -> Rate:
    rates = {kind: Decimal(item[kind]) for kind in schema.TOKEN_KINDS if kind in item}
    moment = microseconds(item["from"]) if "from" in item else None
    return Rate(item["provider"], model, rates, moment, item["source"])
