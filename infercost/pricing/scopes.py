"""Finds whose prices hold for an attempt, where overrides are meant for one team or key alone.

Each distinct (team, key) is looked at once; those to which the same overrides apply share one set of prices.
"""

import fnmatch
from collections.abc import Iterable, Sequence

from infercost.config import PriceOverride

Holder = tuple[str | None, str | None, str | None]
"""Team, alias of the key, id of the key."""

HOLDER = ("team", "api_key_name", "api_key_id")
"""The columns of attempts that make up a holder."""


def applying(holder: Holder, overrides: Iterable[PriceOverride]) -> tuple[PriceOverride, ...]:
    """Return the overrides that hold for a holder, in order: those without a scope, and those whose scope fits."""
    return tuple(each for each in overrides if _fits(holder, each))


def scope_of(overrides: Sequence[PriceOverride]) -> str | None:
    """Return the name of the scope in which just these overrides hold, None when none of them has a scope."""
    return " + ".join(dict.fromkeys(each.scope_name for each in overrides if each.scope_name)) or None


def _fits(holder: Holder, override: PriceOverride) -> bool:
    team, *keys = holder
    seen = {"team": [team], "key": keys}
    return all(any(_matches(value, pattern) for value in seen[name]) for name, pattern in override.scope.items())


def _matches(value: str | None, pattern: str) -> bool:
    return value is not None and fnmatch.fnmatchcase(value.lower(), pattern.lower())
