"""Dated exchange rates, which turn prices in other currencies into US dollars, one span of time a rate."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

from infercost.config.reader import Reader

DOLLAR = "USD"
_CODE = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True)
class Rate:
    """US dollars for one unit of a currency, from a moment on (None = since ever)."""

    since: datetime | None
    usd: Decimal


@dataclass(frozen=True)
class Span:
    """A part of a time in which one exchange rate holds; `told` says in words which."""

    start: datetime | None
    end: datetime | None
    usd: Decimal
    told: str


Rates = Mapping[str, tuple[Rate, ...]]
"""The rates of each currency, in order of time; one holds until the next begins, the last one from then on."""


def code(reader: Reader, table: Mapping[str, object], where: str) -> str:
    """Return the currency that an entry states, US dollars unless told; raises ConfigError for what is no ISO code."""
    value = table.get("currency") or DOLLAR
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise reader.fail(f"{where}.currency", f"{value!r} is not an ISO 4217 code such as EUR")
    return value


def read(reader: Reader, prices: Mapping[str, object]) -> Rates:
    """Return the rates of `[[prices.exchange]]` and of the files that `prices.exchange_files` names.

    Such a file has a column `Date` and one a currency, each in units for one euro, as the ECB publishes them.
    Raises ConfigError that names the file and the key or line.
    """
    found: dict[str, dict[datetime | None, Decimal]] = {}
    for path in reader.files(prices, "exchange_files", "prices"):
        for currency, since, usd in _from_file(reader, path):
            found.setdefault(currency, {})[since] = usd
    where = "prices.exchange"
    for item in reader.items(prices, "exchange", where):
        reader.only(item, ("currency", "from", "usd"), where)
        if "usd" not in item:
            raise reader.fail(f"{where}.usd", "is required: US dollars for one unit of the currency")
        usd = reader.decimal(item["usd"], f"{where}.usd")
        if usd == 0:
            raise reader.fail(f"{where}.usd", "must be more than 0")
        found.setdefault(code(reader, item, where), {})[reader.moment(item, "from", where)] = usd
    return {currency: _in_order(rates) for currency, rates in found.items()}


def spans(rates: Rates, currency: str, start: datetime | None, end: datetime | None) -> list[Span] | None:
    """Return the parts of [start, end) with the rate of each, or None when its beginning has no rate."""
    if currency == DOLLAR:
        return [Span(start, end, Decimal(1), "")]
    known = rates.get(currency, ())
    first = next((rate for rate in reversed(known) if _begun(rate.since, start)), None)
    if first is None:
        return None
    later = [rate for rate in known if not _begun(rate.since, start) and _before(rate.since, end)]
    holding = [first, *later]
    bounds = [start, *(rate.since for rate in later), end]
    return [
        Span(begin, stop, rate.usd, f" at {rate.usd.normalize():f} USD per {currency}{_since(rate)}")
        for rate, (begin, stop) in zip(holding, pairwise(bounds), strict=True)
    ]


def _since(rate: Rate) -> str:
    return "" if rate.since is None else f" since {rate.since:%Y-%m-%d}"


def _begun(since: datetime | None, moment: datetime | None) -> bool:
    return since is None or (moment is not None and since <= moment)


def _before(since: datetime | None, end: datetime | None) -> bool:
    return end is None or (since is not None and since < end)


def _in_order(rates: Mapping[datetime | None, Decimal]) -> tuple[Rate, ...]:
    ever = datetime.min.replace(tzinfo=UTC)
    return tuple(Rate(since, rates[since]) for since in sorted(rates, key=lambda since: since or ever))


def _from_file(reader: Reader, path: Path) -> Iterator[tuple[str, datetime, Decimal]]:
    """Yield currency, day and US dollars for one unit, from a file of units for one euro; `N/A` and blanks are none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise reader.fail("prices.exchange_files", f"{path}: {error.strerror}") from error
    for number, row in enumerate(csv.DictReader(lines, skipinitialspace=True), start=2):
        try:
            day = datetime.fromisoformat((row.get("Date") or "").strip()).replace(tzinfo=UTC)
            per_euro = {name.strip(): Decimal(value) for name, value in row.items() if _is_rate(name, value)}
            dollars = per_euro[DOLLAR]
        except (ValueError, InvalidOperation, KeyError) as error:
            raise reader.fail(
                "prices.exchange_files", f"{path}:{number}: needs a Date such as 2026-11-01 and a number under USD"
            ) from error
        yield "EUR", day, dollars
        yield from ((name, day, dollars / value) for name, value in per_euro.items() if name != DOLLAR and value > 0)


def _is_rate(name: str | None, value: str | None) -> bool:
    is_currency = name is not None and _CODE.fullmatch(name.strip()) is not None
    return is_currency and value is not None and value.strip() not in ("", "N/A")
