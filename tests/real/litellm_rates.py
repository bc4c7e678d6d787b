"""Reads from an entry of LiteLLM's price map the rate that LiteLLM applies to each kind of token, and where it stands.

The sum over an attempt must be LiteLLM's own cost, so what is said here about LiteLLM is held against LiteLLM.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

KEYS = {
    "input_uncached": "input_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_30m": "cache_creation_input_token_cost_above_30m",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "cache_write_12h": "cache_creation_input_token_cost_above_12hr",
    "input_audio": "input_cost_per_audio_token",
    "output_text": "output_cost_per_token",
    "reasoning": "output_cost_per_reasoning_token",
    "output_audio": "output_cost_per_audio_token",
}
LANES = {"standard": "", "flex": "_flex", "priority": "_priority", "fast": "_priority", "batch": "_batches"}
LANELESS = ("deepseek", "xai", "perplexity", "fireworks_ai")
"""Providers whose own function of LiteLLM is not told the lane; batches have another function."""

_TIER = re.compile(r"_above_(\d+)k_tokens")
_LONG_WRITES = ("cache_write_30m", "cache_write_1h", "cache_write_12h")


@dataclass(frozen=True, slots=True)
class Applied:
    """A rate in dollars per token, and the key of the map that it stands under; None where another kind's is taken."""

    rate: Decimal
    key: str | None


@dataclass(frozen=True)
class Entry:
    """An entry of the map as LiteLLM reads it for one provider, lane and count of input tokens."""

    entry: Mapping[str, Any]
    provider: str
    lane: str
    input_tokens: int

    @property
    def suffix(self) -> str:
        return "" if self.provider in LANELESS and self.lane != "batch" else LANES[self.lane]

    @property
    def factor(self) -> Decimal:
        """Return what Anthropic's fast mode multiplies every rate with."""
        special = self.entry.get("provider_specific_entry") or {}
        fast = self.lane == "fast" and self.provider == "anthropic"
        return Decimal(str(special.get("fast", 1))) if fast else Decimal(1)

    def has_lane(self) -> bool:
        """Tell whether the map has any rate of the lane."""
        stated = self.suffix and any(key.endswith(self.suffix) for key in self.entry if "_token" in key)
        return bool(stated) or self.factor != 1

    def applied(self, kind: str) -> Applied:
        found = self._batch(kind) if self.lane == "batch" else self._live(kind)
        return Applied(found.rate * self.factor, found.key)

    def _at(self, key: str) -> Applied | None:
        value = self.entry.get(key)
        return None if value is None else Applied(Decimal(str(value)), key)

    def crossed(self) -> list[int]:
        """Return the bounds of long context that the input is above, in thousands; xAI's include the bound itself."""
        bounds = {int(found[1]) for key in self.entry if (found := _TIER.search(key))}
        least = self.input_tokens + (1 if self.provider == "xai" else 0)
        return sorted(bound for bound in bounds if least > bound * 1000)

    def _stated(self, kind: str, suffix: str) -> Applied | None:
        """Return the rate of the highest tier that has one, in the lane or else in the standard lane."""
        key = KEYS[kind]
        found = self._at(f"{key}{suffix}") or self._at(key)
        for bound in self.crossed() if self.provider != "perplexity" else ():
            tier = f"{key}_above_{bound}k_tokens"
            usual = None if kind in _LONG_WRITES else self._at(tier)
            found = self._at(f"{tier}{suffix}") or usual or found
        return found

    def _instead(self, of: str) -> Applied:
        return Applied(self.applied(of).rate / self.factor, None)

    def _live(self, kind: str) -> Applied:
        if kind == "reasoning":
            return self._reasoning()
        if self.provider == "perplexity" and kind not in ("input_uncached", "cache_read", "output_text"):
            return self._instead("output_text" if kind.startswith("output") else "input_uncached")
        if kind == "output_audio":
            found = None if self.provider == "xai" else self._at(KEYS[kind])
            return found or self._instead("output_text")
        found = self._stated(kind, self.suffix)
        if found is not None or kind in ("input_uncached", "output_text"):
            return found or Applied(Decimal(0), None)
        if kind == "cache_read" and self.provider == "fireworks_ai":
            return Applied(Decimal(str(self.entry[KEYS["input_uncached"]])) / 2, None)
        return self._instead("cache_write_5m" if kind in _LONG_WRITES else "input_uncached")

    def _reasoning(self) -> Applied:
        key = KEYS["reasoning"]
        in_lane = self._at(f"{key}{self.suffix}")
        output_in_lane = self.suffix and self._at(f"{KEYS['output_text']}{self.suffix}")
        usual = None if output_in_lane else self._at(key)
        found = None if self.provider == "xai" else in_lane or usual
        return found or self._instead("output_text")

    def _batch(self, kind: str) -> Applied:
        kind = "output_text" if kind == "reasoning" else kind
        if kind != "output_text" and self._in_batch("input_uncached") is None:
            return self._half("cache_write_5m" if kind in _LONG_WRITES else kind)
        found = self._in_batch(kind)
        if found is not None:
            return found
        if kind == "output_text":
            return self._half(kind)
        usual = self._stated(kind, "") if kind == "cache_read" else None
        if kind in _LONG_WRITES:
            return Applied(self._batch("cache_write_5m").rate, None)
        return usual or Applied(self._batch("input_uncached").rate, None)

    def _in_batch(self, kind: str) -> Applied | None:
        key = KEYS[kind]
        found = self._at(f"{key}_batches")
        for bound in self.crossed():
            found = self._at(f"{key}_above_{bound}k_tokens_batches") or found
        return found

    def _half(self, kind: str) -> Applied:
        """Return half of the plain rate, which LiteLLM takes for a batch without rates; a cached read is then free."""
        found = self._at(KEYS[kind])
        if found is None and kind == "cache_write_5m":
            found = self._at(KEYS["input_uncached"])
        return Applied(found.rate / 2 if found else Decimal(0), None)
