"""The user's own prices: overrides, aliases, exchange rates and pools, from infercost.toml and the files it names.

Amounts in other currencies become US dollars here, so that every other room knows dollars alone.
"""

import csv
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from infercost import schema
from infercost.config import currency
from infercost.config.reader import Reader

SCOPES: tuple[str, ...] = ("team", "key")
"""Whose price an override is: the team by the rules, or the key's alias or id; globs."""

WEIGHTS: Mapping[str, Decimal] = {"prefill": Decimal(1), "cached": Decimal(0), "decode": Decimal("2.5")}
"""What a token of a pool weighs: of the uncached input, of the cached input, and of the output."""

_LISTS = ("override", "alias", "exchange", "pool")
_FILES = ("files", "exchange_files")
_SHARES = ("discount", "margin")
_SERVED = ("provider", "model", "deployment")


@dataclass(frozen=True)
class PriceOverride:
    """The user's own price of a model; what it leaves out keeps the book's.

    `rates` are US dollars per million tokens, `fees` US dollars apiece; `discount` and `margin` are shares that scale
    every rate and fee after those. `scope` narrows it to teams or keys. `label` says where it stands.
    """

    provider: str | None
    model: str
    effective_from: datetime | None
    effective_to: datetime | None
    rates: Mapping[str, Decimal]
    discount: Decimal | None
    margin: Decimal | None = None
    fees: Mapping[str, Decimal] = field(default_factory=dict)
    scope: Mapping[str, str] = field(default_factory=dict)
    currency: str = currency.DOLLAR
    label: str | None = None

    @property
    def scope_name(self) -> str | None:
        """The scope as `prices.scope` names it; None = everybody's."""
        return ", ".join(f"{name}={pattern}" for name, pattern in self.scope.items()) or None


@dataclass(frozen=True)
class Alias:
    """`name` (a logged model name, globs allowed) is priced as `model` of `provider`."""

    name: str
    provider: str
    model: str


@dataclass(frozen=True)
class Pool:
    """Capacity that costs the same whether it is used or not: US dollars an hour, shared by what it serves.

    `served` are globs over columns of attempts, all of which hold; `weights` are those of WEIGHTS.
    """

    name: str
    hour: Decimal
    effective_from: datetime | None
    effective_to: datetime | None
    served: Mapping[str, str]
    weights: Mapping[str, Decimal]
    currency: str = currency.DOLLAR
    label: str | None = None


@dataclass(frozen=True)
class Prices:
    """Everything under [prices], in US dollars."""

    overrides: tuple[PriceOverride, ...] = ()
    aliases: tuple[Alias, ...] = ()
    pools: tuple[Pool, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """One entry of a list, with the reader that complains about it, the name of its list, and where it stands."""

    reader: Reader
    item: Mapping[str, Any]
    where: str
    label: str


def read_prices(reader: Reader, document: Mapping[str, Any]) -> Prices:
    """Return what the configuration and its price files say; raises ConfigError naming the file and the key or line."""
    prices = reader.table(document, "prices", (*_LISTS, *_FILES))
    rates = currency.read(reader, prices)
    entries: dict[str, list[_Entry]] = {name: [] for name in ("override", "alias", "pool")}
    for name, found in entries.items():
        items = enumerate(reader.items(prices, name, f"prices.{name}"), 1)
        found += [_Entry(reader, item, f"prices.{name}", f"prices.{name} {number}") for number, item in items]
    for path in reader.files(prices, "files", "prices"):
        for name, entry in _from_file(reader, path):
            entries[name].append(entry)
    return Prices(
        overrides=tuple(made for entry in entries["override"] for made in _overrides(entry, rates)),
        aliases=tuple(_alias(entry) for entry in entries["alias"]),
        pools=tuple(made for entry in entries["pool"] for made in _pools(entry, rates)),
    )


def _from_file(reader: Reader, path: Path) -> Iterator[tuple[str, _Entry]]:
    """Yield the entries of a price file: the lists of a TOML file, or an override for each row of a CSV file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise reader.fail("prices.files", f"{path}: {error}") from error
    if path.suffix.lower() == ".csv":
        own = Reader(path, texts_are_dates=True)
        for row in (rows := csv.DictReader(text.splitlines(), skipinitialspace=True)):
            kept = {key: value for key, value in row.items() if key is not None and value not in (None, "")}
            yield "override", _Entry(own, kept, f"line {rows.line_num}", f"{path.name}:{rows.line_num}")
        return
    own = Reader(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise reader.fail("prices.files", f"{path}: not valid TOML: {error}") from error
    own.only(document, ("override", "alias", "pool"), "")
    for name in document:
        for number, item in enumerate(own.items(document, name, name), 1):
            yield name, _Entry(own, item, name, f"{path.name} {name} {number}")


def _overrides(entry: _Entry, rates: currency.Rates) -> Iterator[PriceOverride]:
    reader, item, where = entry.reader, entry.item, entry.where
    reader.only(
        item,
        ("provider", "model", "from", "to", "currency", *SCOPES, *_SHARES, *schema.TOKEN_KINDS, *schema.FEES),
        where,
    )
    amounts = {name: reader.decimal(item[name], f"{where}.{name}") for name in _amount_names() if name in item}
    shares = {name: reader.decimal(item[name], f"{where}.{name}") for name in _SHARES if name in item}
    if not amounts and not shares:
        raise reader.fail(where, f"needs a discount, a margin or at least one of {', '.join(_amount_names())}")
    if shares.get("discount", Decimal(0)) > 1:
        raise reader.fail(f"{where}.discount", "is a share: 0.2 is 20 % off")
    money = currency.code(reader, item, where) if amounts else currency.DOLLAR
    for span in _spans(entry, rates, money):
        yield PriceOverride(
            provider=reader.optional_text(item, "provider", where),
            model=reader.required_text(item, "model", where),
            effective_from=span.start,
            effective_to=span.end,
            rates={kind: amounts[kind] * span.usd for kind in schema.TOKEN_KINDS if kind in amounts},
            discount=shares.get("discount"),
            margin=shares.get("margin"),
            fees={fee: amounts[fee] * span.usd for fee in schema.FEES if fee in amounts},
            scope={name: reader.required_text(item, name, where) for name in SCOPES if name in item},
            currency=money,
            label=f"{entry.label}{span.told}",
        )


def _amount_names() -> tuple[str, ...]:
    return (*schema.TOKEN_KINDS, *schema.FEES)


def _spans(entry: _Entry, rates: currency.Rates, money: str) -> list[currency.Span]:
    """Return the time in which an entry holds, cut where its currency's exchange rate changes."""
    reader, where = entry.reader, entry.where
    begin, end = reader.moment(entry.item, "from", where), reader.moment(entry.item, "to", where)
    if begin is not None and end is not None and begin >= end:
        raise reader.fail(f"{where}.to", "must be after from")
    found = currency.spans(rates, money, begin, end)
    if found is None:
        since = "ever" if begin is None else f"{begin:%Y-%m-%d}"
        raise reader.fail(
            f"{where}.currency",
            f"no rate of {money} at its beginning (since {since}); add one with [[prices.exchange]], or a later `from`",
        )
    return found


def _alias(entry: _Entry) -> Alias:
    entry.reader.only(entry.item, ("name", "provider", "model"), entry.where)
    name, provider, model = (
        entry.reader.required_text(entry.item, key, entry.where) for key in ("name", "provider", "model")
    )
    return Alias(name, provider, model)


def _pools(entry: _Entry, rates: currency.Rates) -> Iterator[Pool]:
    reader, item, where = entry.reader, entry.item, entry.where
    reader.only(item, ("name", "hour", "gpu_hour", "gpus", "from", "to", "currency", "weights", *_SERVED), where)
    served = {name: reader.required_text(item, name, where) for name in _SERVED if name in item}
    if not served:
        raise reader.fail(where, f"needs at least one of {', '.join(_SERVED)}: what it serves")
    hour = _hour(entry)
    stated = item.get("weights", {})
    if not isinstance(stated, dict):
        raise reader.fail(f"{where}.weights", f"must be a table with {', '.join(WEIGHTS)}")
    reader.only(stated, tuple(WEIGHTS), f"{where}.weights")
    weights = {name: reader.decimal(stated.get(name, usual), f"{where}.weights.{name}") for name, usual in _usual()}
    money = currency.code(reader, item, where)
    name = reader.required_text(item, "name", where)
    for span in _spans(entry, rates, money):
        yield Pool(name, hour * span.usd, span.start, span.end, served, weights, money, f"{entry.label}{span.told}")


def _usual() -> list[tuple[str, str]]:
    return [(name, str(weight)) for name, weight in WEIGHTS.items()]


def _hour(entry: _Entry) -> Decimal:
    """Return what an hour costs: stated as a whole, or as a number of GPUs with the price of one."""
    reader, item, where = entry.reader, entry.item, entry.where
    if ("hour" in item) == ("gpu_hour" in item):
        raise reader.fail(where, "needs either hour (what an hour costs) or gpu_hour (what one GPU costs) with gpus")
    if "hour" in item:
        return reader.decimal(item["hour"], f"{where}.hour")
    return reader.decimal(item["gpu_hour"], f"{where}.gpu_hour") * reader.decimal(item.get("gpus", 1), f"{where}.gpus")
