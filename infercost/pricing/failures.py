"""Tells which failed requests are not billed, by provider and HTTP status: `failures.toml` as one SQL expression."""

import tomllib
from collections.abc import Iterable
from functools import cache
from typing import Any

from infercost import assets
from infercost.engine import literal

FILE = "pricing/failures.toml"


@cache
def document() -> dict[str, Any]:
    """Return the packaged rules as they are written."""
    return tomllib.loads(assets.text(FILE))


def not_billed(provider_name: str, http_status: str, is_resolved: str) -> str:
    """Return the SQL that is true for a status that is known not to be billed, false otherwise; the parts are SQL too.

    The rule of a provider is for its models; where the model is unknown, so is who answered, and the default holds.
    """
    rules = document()
    cases = " ".join(
        f"WHEN {_is_named(provider_name, rule['names'])} THEN {_any(http_status, rule['not_billed'])}"
        for rule in rules["rule"]
    )
    default = _any(http_status, rules["default"]["not_billed"])
    return f"coalesce(CASE WHEN NOT ({is_resolved}) THEN {default} {cases} ELSE {default} END, false)"


def _is_named(provider_name: str, patterns: Iterable[str]) -> str:
    names = f"lower({provider_name})"
    return " OR ".join(
        f"starts_with({names}, {literal(pattern[:-1])})" if pattern.endswith("*") else f"{names} = {literal(pattern)}"
        for pattern in patterns
    )


def _any(http_status: str, spans: Iterable[str]) -> str:
    bounds = (span.partition("-") for span in spans)
    return " OR ".join(f"{http_status} BETWEEN {int(low)} AND {int(high or low)}" for low, _, high in bounds)
