"""Reads LiteLLM's price map: which rates it has for a model, by lane and long-context tier, in picodollars."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from infercost import schema
from infercost.pricing.rows import MAX_RATE, PARENT, Rates, half_up

LANES = {"standard": "", "batch": "_batches", "flex": "_flex", "priority": "_priority"}
"""Each lane with the end of the keys that hold its rates."""

MODES = ("chat", "completion", "responses", "embedding", "audio_transcription", "realtime")
"""What a model may be to be priced by tokens alone; the price of an image stands in no token rate of this map."""

_KEYS = {
    "input_uncached": "input_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "cache_write_12h": "cache_creation_input_token_cost_above_12hr",
    "input_audio": "input_cost_per_audio_token",
    "input_image": "input_cost_per_image_token",
    "output_text": "output_cost_per_token",
    "reasoning": "output_cost_per_reasoning_token",
    "output_audio": "output_cost_per_audio_token",
    "output_image": "output_cost_per_image_token",
}
_TIER = re.compile(r"_above_(\d+)k_tokens")
_INCLUSIVE = ("xai",)
"""Providers whose dearer tier begins at the bound itself, not one token above it."""


@dataclass(frozen=True, slots=True)
class Line:
    """Rates of one lane from `input_from` tokens on; derived when the map has the rate of another lane or tier only."""

    lane: str
    input_from: int
    rates: Rates
    basis: str


def lines(entry: Mapping[str, Any]) -> list[Line]:
    """Return the rates of a model in the lanes that the map has, or nothing where it knows no price above zero."""
    table = _ranges(entry) or _Table(entry, _bounds(entry), inclusive=entry.get("litellm_provider") in _INCLUSIVE)
    found: list[Line] = []
    for lane, suffix in LANES.items():
        if not any(table.value(kind, suffix, 0) for kind in ("input_uncached", "output_text")):
            continue
        for bound in (0, *table.bounds):
            line = _line(table, lane, bound)
            if not found or found[-1].lane != lane or found[-1].rates != line.rates:
                found.append(line)
    sound = all(rate is None or rate <= MAX_RATE for line in found for rate in line.rates)
    return found if sound and any(line.lane == "standard" for line in found) else []


def web_search_fee(entry: Mapping[str, Any]) -> int | None:
    """Return picodollars for a web search, where the map has one price whatever the size of its context."""
    costs = set((entry.get("search_context_cost_per_query") or {}).values())
    return half_up(Decimal(costs.pop()) * 10**12) if len(costs) == 1 else None


class _Table:
    """The rates of one entry by kind, lane and bound."""

    def __init__(self, entry: Mapping[str, Any], bounds: list[int], *, inclusive: bool = False) -> None:
        self._entry = entry
        self._inclusive = inclusive
        self.bounds = bounds

    def value(self, kind: str, suffix: str, bound: int) -> int | None:
        """Return the rate that stands in the map, None for a rate that it lacks or that is zero."""
        tier = f"_above_{bound // 1000}k_tokens" if bound else ""
        return _picodollars(self._entry.get(f"{_KEYS[kind]}{tier}{suffix}")) if kind in _KEYS else None

    def input_from(self, bound: int) -> int:
        """Return the first count of input tokens that the tier is about."""
        return bound + (0 if self._inclusive or not bound else 1)


class _Ranges(_Table):
    """The rates of an entry that lists ranges of input tokens, for the standard lane."""

    def __init__(self, ranges: Mapping[int, Mapping[str, Any]]) -> None:
        super().__init__({}, [bound for bound in ranges if bound])
        self._ranges = ranges

    def value(self, kind: str, suffix: str, bound: int) -> int | None:
        return None if suffix or kind not in _KEYS else _picodollars(self._ranges[bound].get(_KEYS[kind]))


def _ranges(entry: Mapping[str, Any]) -> _Ranges | None:
    tiers = [tier for tier in entry.get("tiered_pricing") or () if "range" in tier]
    return _Ranges({int(tier["range"][0]): tier for tier in tiers}) if tiers else None


def _bounds(entry: Mapping[str, Any]) -> list[int]:
    return sorted({int(found[1]) * 1000 for key in entry if (found := _TIER.search(key))})


def _picodollars(value: object) -> int | None:
    return half_up(Decimal(str(value)) * 10**12) if value is not None and Decimal(str(value)) > 0 else None


def _line(table: _Table, lane: str, bound: int) -> Line:
    known: dict[str, int | None] = {}
    derived = False
    for kind in schema.TOKEN_KINDS:
        value, stands = _rate(table, kind, LANES[lane], bound)
        if value is None and kind in PARENT:
            value = known[PARENT[kind]]
        elif kind in ("input_uncached", "output_text"):
            derived = derived or not stands
        known[kind] = value
    rates = tuple(known[kind] for kind in schema.TOKEN_KINDS)
    return Line(lane, table.input_from(bound), rates, "derived" if derived else "book")


def _rate(table: _Table, kind: str, suffix: str, bound: int) -> tuple[int | None, bool]:
    """Return a rate, and whether it stands in the map; else the standard rate in the proportion of the base rates."""
    stands = table.value(kind, suffix, bound)
    if stands is not None:
        return stands, True
    if not suffix:
        return table.value(kind, "", 0), True
    usual = table.value(kind, "", bound) or table.value(kind, "", 0)
    if usual is None:
        return None, True
    lane, base = next(_proportions(table, kind, suffix), (1, 1))
    return half_up(Decimal(usual) * lane / base), False


def _proportions(table: _Table, kind: str, suffix: str) -> Iterator[tuple[int, int]]:
    for other in (kind, "input_uncached", "output_text"):
        lane, base = table.value(other, suffix, 0), table.value(other, "", 0)
        if lane and base:
            yield lane, base
