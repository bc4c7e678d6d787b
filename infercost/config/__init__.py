"""Reads `infercost.toml` into frozen dataclasses; what the file does not say has the default that is written here."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from infercost import schema
from infercost.config.budgets import Budget, read_budget
from infercost.config.check import Check, read_check
from infercost.config.prices import Alias, Pool, PriceOverride, read_prices
from infercost.config.reader import CONFIG_NAME, Reader
from infercost.errors import ConfigError

__all__ = ["CONFIG_NAME", "Alias", "Budget", "Check", "Config", "Pool", "PriceOverride", "Rule", "load"]

DEFAULT_STORE = "infercost-store"
DEFAULT_MAX_RECORD_BYTES = 32 * 1024 * 1024
"""DuckDB reads with buffers of this size whatever it is told, so that a lower limit saves nothing."""

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
    pools: tuple[Pool, ...] = ()
    budgets: tuple[Budget, ...] = ()
    check: Check = field(default_factory=Check)
    hash_ids: bool = True
    max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES
    mappings: tuple[Path, ...] = ()


_SECTIONS = ("store", "time", "attribution", "model_tiers", "prices", "budgets", "check", "privacy", "ingest")


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
    reader = Reader(path)
    reader.only(document, _SECTIONS, "")
    store = reader.text(document, "store", "path")
    privacy = reader.table(document, "privacy", ("hash_ids",))
    ingest = reader.table(document, "ingest", ("max_record_bytes", "mappings"))
    prices = read_prices(reader, document)
    attribution = reader.table(document, "attribution", ("rules", "defaults"))
    config = Config(
        path=path,
        store=(path.parent / store) if store else None,
        zone=_zone(reader, document),
        rules=_rules(reader, attribution),
        default_rules=reader.flag(attribution, "defaults", "attribution", default=True),
        model_tiers=_model_tiers(reader, document),
        price_overrides=prices.overrides,
        aliases=prices.aliases,
        pools=prices.pools,
        budgets=_budgets(reader, document),
        check=read_check(reader, document),
        hash_ids=reader.flag(privacy, "hash_ids", "privacy", default=True),
        mappings=reader.files(ingest, "mappings", "ingest"),
        max_record_bytes=reader.integer(ingest, "max_record_bytes", "ingest", least=DEFAULT_MAX_RECORD_BYTES),
    )
    known = [budget.name for budget in config.budgets]
    for limit in config.check.limits:
        if limit.budget is not None and limit.budget not in known:
            raise reader.fail("check.limits", f"{limit.text!r}: no budget of that name; budgets: {', '.join(known)}")
    return config


def _zone(reader: Reader, document: Mapping[str, Any]) -> str:
    zone = reader.text(document, "time", "zone") or "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise reader.fail("time.zone", f"{zone!r} is not an IANA zone such as UTC or Europe/Berlin") from error
    return zone


def _rules(reader: Reader, attribution: Mapping[str, Any]) -> tuple[Rule, ...]:
    return tuple(_rule(reader, item) for item in reader.items(attribution, "rules", "attribution.rules"))


def _rule(reader: Reader, item: Mapping[str, Any]) -> Rule:
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


def _check_field(reader: Reader, name: str, where: str) -> None:
    if name == "tag" or name in RULE_FIELDS or (name.startswith("tags.") and len(name) > len("tags.")):
        return
    raise reader.fail(f"{where}.{name}", f"not known; allowed: tag, tags.NAME, {', '.join(RULE_FIELDS)}")


def _model_tiers(reader: Reader, document: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    tiers = document.get("model_tiers")
    if tiers is None:
        return None
    if not isinstance(tiers, dict):
        raise reader.fail("model_tiers", 'must be a table of tier = ["model glob", ...]')
    for tier, globs in tiers.items():
        if not isinstance(globs, list) or not all(isinstance(glob, str) for glob in globs):
            raise reader.fail(f"model_tiers.{tier}", "must be a list of model names (globs allowed)")
    return tuple((tier, tuple(globs)) for tier, globs in tiers.items())


def _budgets(reader: Reader, document: Mapping[str, Any]) -> tuple[Budget, ...]:
    """Return the budgets; a limit of a check names them, so no two have one name."""
    found = tuple(read_budget(reader, item) for item in reader.items(document, "budgets", "budgets"))
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise reader.fail("budgets.name", f"{name!r} is the name of two budgets")
    return found
