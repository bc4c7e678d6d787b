"""Reads `infercost.toml` into frozen dataclasses; what the file does not say has the default that is written here."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from infercost import schema
from infercost.errors import ConfigError

CONFIG_NAME = "infercost.toml"
DEFAULT_STORE = "infercost-store"
DEFAULT_MAX_RECORD_BYTES = 32 * 1024 * 1024
"""DuckDB reads with buffers of this size whatever it is told, so that a lower limit saves nothing."""

BUDGET_PERIODS = ("day", "week", "month")

RULE_FIELDS: tuple[str, ...] = (
    "key",
    "team",
    "user",
    "endpoint",
    "model",
    "response_model",
    "provider",
    "deployment",
    "gateway",
    "format",
    "operation",
    "session",
    "path",
    "routing_path",
)
"""Fields that a rule may look at, beside `tags.NAME` and `tag` (a bare tag)."""


@dataclass(frozen=True)
class Rule:
    """When every condition holds (field -> patterns, any of which may match), set columns to values or templates."""

    when: Mapping[str, tuple[str, ...]]
    set: Mapping[str, str]


@dataclass(frozen=True)
class PriceOverride:
    """The user's own price of a model, in US dollars per million tokens; a kind left out keeps the book's rate."""

    provider: str | None
    model: str
    effective_from: datetime | None
    effective_to: datetime | None
    rates: Mapping[str, Decimal]
    discount: Decimal | None


@dataclass(frozen=True)
class Alias:
    """`name` (a logged model name, globs allowed) is priced as `model` of `provider`."""

    name: str
    provider: str
    model: str


@dataclass(frozen=True)
class Budget:
    """An amount in US dollars for a period; `where` narrows it to columns with given values."""

    name: str
    amount: Decimal
    period: str
    where: Mapping[str, str]


@dataclass(frozen=True)
class Config:
    """Everything the user may set, with its default."""

    path: Path | None = None
    store: Path | None = None
    zone: str = "UTC"
    rules: tuple[Rule, ...] = ()
    default_rules: bool = True
    model_tiers: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    price_overrides: tuple[PriceOverride, ...] = ()
    aliases: tuple[Alias, ...] = ()
    budgets: tuple[Budget, ...] = ()
    hash_ids: bool = True
    max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES
    mappings: tuple[Path, ...] = ()


_SECTIONS = ("store", "time", "attribution", "model_tiers", "prices", "budgets", "privacy", "ingest")


def load(path: Path | None = None, folder: Path | None = None) -> Config:
    """Return the configuration of `path`, else of `infercost.toml` in `folder`, else the defaults.

    `folder` is the working directory unless given. Raises ConfigError naming the file, the key and what is allowed.
    """
    if path is None:
        found = (folder or Path()) / CONFIG_NAME
        if not found.is_file():
            return Config()
        path = found
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="Run `infercost init` to write one.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    return _parse(document, path)


def _parse(document: Mapping[str, Any], path: Path) -> Config:
    reader = _Reader(path)
    reader.only(document, _SECTIONS, "")
    store = reader.text(document, "store", "path")
    privacy = reader.table(document, "privacy", ("hash_ids",))
    ingest = reader.table(document, "ingest", ("max_record_bytes", "mappings"))
    prices = reader.table(document, "prices", ("override", "alias"))
    attribution = reader.table(document, "attribution", ("rules", "defaults"))
    return Config(
        path=path,
        store=(path.parent / store) if store else None,
        zone=_zone(reader, document),
        rules=_rules(reader, attribution),
        default_rules=reader.flag(attribution, "defaults", "attribution", default=True),
        model_tiers=_model_tiers(reader, document),
        price_overrides=tuple(_override(reader, item) for item in reader.items(prices, "override", "prices.override")),
        aliases=tuple(_alias(reader, item) for item in reader.items(prices, "alias", "prices.alias")),
        budgets=tuple(_budget(reader, item) for item in reader.items(document, "budgets", "budgets")),
        hash_ids=reader.flag(privacy, "hash_ids", "privacy", default=True),
        mappings=_mappings(reader, ingest, path),
        max_record_bytes=reader.integer(ingest, "max_record_bytes", "ingest", least=DEFAULT_MAX_RECORD_BYTES),
    )


class _Reader:
    """Takes typed values out of the TOML document; every complaint names the file and the key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, key: str, problem: str) -> ConfigError:
        return ConfigError(f"{self.path}: {key}: {problem}", hint="`infercost init` writes a commented example.")

    def only(self, table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
        for key in table:
            if key not in allowed:
                name = f"{where}.{key}" if where else key
                raise self.fail(name, f"not known; allowed: {', '.join(allowed)}")

    def table(self, document: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> Mapping[str, Any]:
        value = document.get(name, {})
        if not isinstance(value, dict):
            raise self.fail(name, "must be a table")
        self.only(value, allowed, name)
        return value

    def text(self, document: Mapping[str, Any], section: str, key: str) -> str | None:
        value = self.table(document, section, (key,)).get(key)
        if value is not None and not isinstance(value, str):
            raise self.fail(f"{section}.{key}", "must be text")
        return value

    def flag(self, table: Mapping[str, Any], key: str, where: str, *, default: bool) -> bool:
        value = table.get(key, default)
        if not isinstance(value, bool):
            raise self.fail(f"{where}.{key}", "must be true or false")
        return value

    def texts(self, table: Mapping[str, Any], key: str, where: str) -> list[str]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
            raise self.fail(f"{where}.{key}", "must be a list of texts")
        return value

    def integer(self, table: Mapping[str, Any], key: str, where: str, *, least: int) -> int:
        value = table.get(key, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.fail(f"{where}.{key}", f"must be a whole number of at least {least}")
        return value

    def optional_text(self, table: Mapping[str, Any], key: str, where: str) -> str | None:
        return self.required_text(table, key, where) if key in table else None

    def items(self, table: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.fail(where, f"must be a list of tables, written [[{where}]]")
        return value

    def required_text(self, table: Mapping[str, Any], key: str, where: str) -> str:
        if key not in table:
            raise self.fail(f"{where}.{key}", "is required")
        value = table[key]
        if not isinstance(value, str) or not value:
            raise self.fail(f"{where}.{key}", "must be text")
        return value

    def decimal(self, value: Any, where: str) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise self.fail(where, "must be a number")
        try:
            # repr of a TOML float is the shortest decimal that means it, which is what the user wrote.
            number = Decimal(str(value))
        except InvalidOperation as error:
            raise self.fail(where, f"{value!r} is not a number") from error
        if not number.is_finite() or number < 0:
            raise self.fail(where, "must be a number of at least 0")
        return number

    def moment(self, table: Mapping[str, Any], key: str, where: str) -> datetime | None:
        value = table.get(key)
        if value is None:
            return None
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        raise self.fail(f"{where}.{key}", "must be a date such as 2026-11-01 (not quoted)")


def _mappings(reader: "_Reader", ingest: Mapping[str, Any], path: Path) -> tuple[Path, ...]:
    """Return the mapping files that the globs under [ingest] name, relative to the configuration."""
    found: list[Path] = []
    for pattern in reader.texts(ingest, "mappings", "ingest"):
        matches = sorted(path.parent.glob(pattern)) if not Path(pattern).is_absolute() else [Path(pattern)]
        # A glob may find nothing yet; a name that is not there is a mistake.
        if not matches and not set(pattern) & set("*?["):
            raise reader.fail("ingest.mappings", f"{pattern!r} names no file")
        found += matches
    return tuple(dict.fromkeys(found))


def _zone(reader: _Reader, document: Mapping[str, Any]) -> str:
    zone = reader.text(document, "time", "zone") or "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise reader.fail("time.zone", f"{zone!r} is not an IANA zone such as UTC or Europe/Berlin") from error
    return zone


def _rules(reader: _Reader, attribution: Mapping[str, Any]) -> tuple[Rule, ...]:
    return tuple(_rule(reader, item) for item in reader.items(attribution, "rules", "attribution.rules"))


def _rule(reader: _Reader, item: Mapping[str, Any]) -> Rule:
    where = "attribution.rules"
    reader.only(item, ("when", "set"), where)
    when = item.get("when", {})
    target = item.get("set")
    if not isinstance(when, dict) or not isinstance(target, dict) or not target:
        raise reader.fail(where, "each rule needs `set = { ... }` and may have `when = { ... }`")
    reader.only(target, schema.ATTRIBUTED, f"{where}.set")
    conditions: dict[str, tuple[str, ...]] = {}
    for name, patterns in when.items():
        _check_field(reader, name, f"{where}.when")
        texts = patterns if isinstance(patterns, list) else [patterns]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise reader.fail(f"{where}.when.{name}", "must be text or a list of texts")
        conditions[name] = tuple(texts)
    for column, template in target.items():
        if not isinstance(template, str) or not template:
            raise reader.fail(f"{where}.set.{column}", 'must be text, such as "search" or "{tags.feature}"')
    return Rule(when=conditions, set=dict(target))


def _check_field(reader: _Reader, name: str, where: str) -> None:
    if name == "tag" or name in RULE_FIELDS or (name.startswith("tags.") and len(name) > len("tags.")):
        return
    raise reader.fail(f"{where}.{name}", f"not known; allowed: tag, tags.NAME, {', '.join(RULE_FIELDS)}")


def _model_tiers(reader: _Reader, document: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    tiers = document.get("model_tiers")
    if tiers is None:
        return None
    if not isinstance(tiers, dict):
        raise reader.fail("model_tiers", 'must be a table of tier = ["model glob", ...]')
    for tier, globs in tiers.items():
        if not isinstance(globs, list) or not all(isinstance(glob, str) for glob in globs):
            raise reader.fail(f"model_tiers.{tier}", "must be a list of model names (globs allowed)")
    return tuple((tier, tuple(globs)) for tier, globs in tiers.items())


def _override(reader: _Reader, item: Mapping[str, Any]) -> PriceOverride:
    where = "prices.override"
    reader.only(item, ("provider", "model", "from", "to", "discount", *schema.TOKEN_KINDS), where)
    discount = item.get("discount")
    rates = {kind: reader.decimal(item[kind], f"{where}.{kind}") for kind in schema.TOKEN_KINDS if kind in item}
    if not rates and discount is None:
        raise reader.fail(where, f"needs a discount or at least one of {', '.join(schema.TOKEN_KINDS)}")
    share = None if discount is None else reader.decimal(discount, f"{where}.discount")
    if share is not None and share > 1:
        raise reader.fail(f"{where}.discount", "is a share: 0.2 is 20 % off")
    begin, end = reader.moment(item, "from", where), reader.moment(item, "to", where)
    if begin is not None and end is not None and begin >= end:
        raise reader.fail(f"{where}.to", "must be after from")
    return PriceOverride(
        provider=reader.optional_text(item, "provider", where),
        model=reader.required_text(item, "model", where),
        effective_from=begin,
        effective_to=end,
        rates=rates,
        discount=share,
    )


def _alias(reader: _Reader, item: Mapping[str, Any]) -> Alias:
    where = "prices.alias"
    reader.only(item, ("name", "provider", "model"), where)
    name, provider, model = (reader.required_text(item, key, where) for key in ("name", "provider", "model"))
    return Alias(name, provider, model)


def _budget(reader: _Reader, item: Mapping[str, Any]) -> Budget:
    where = "budgets"
    reader.only(item, ("name", "amount", "period", "where"), where)
    period = item.get("period", "month")
    if period not in BUDGET_PERIODS:
        raise reader.fail(f"{where}.period", f"{period!r} is not one of {', '.join(BUDGET_PERIODS)}")
    narrow = item.get("where", {})
    if not isinstance(narrow, dict) or not all(isinstance(value, str) for value in narrow.values()):
        raise reader.fail(f"{where}.where", 'must be a table of column = "value"')
    reader.only(narrow, schema.DIMENSIONS, f"{where}.where")
    if "amount" not in item:
        raise reader.fail(f"{where}.amount", "is required")
    amount = reader.decimal(item["amount"], f"{where}.amount")
    return Budget(reader.required_text(item, "name", where), amount, period, dict(narrow))
