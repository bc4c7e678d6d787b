"""What a mapping file can say: the columns with their kinds and units, and the checked file itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from infercost import schema

Kind = Literal["text", "time", "seconds", "whole", "number", "flag", "money", "choice"]

_TEXTS = (
    *("id", "model", "request_id", "response_id", "trace_id", "session_id", "operation_name", "endpoint"),
    *("provider_name", "deployment", "region", "service_tier", "request_model", "response_model", "price_model"),
    *("routing_path", "team_name", "user_id", "api_key_id", "api_key_name", "error_type"),
)
_WHOLE = (
    *("input_tokens", "output_tokens", "cache_write_tokens", *(f"{kind}_tokens" for kind in schema.TOKEN_KINDS)),
    *("http_status", "attempt_number", "unlogged_attempts", "web_search_requests"),
)
CHOICES: Mapping[str, tuple[str, ...]] = {
    "status": schema.STATUSES,
    "gateway_cache": schema.GATEWAY_CACHE,
    "usage_source": schema.USAGE_SOURCES,
}
KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys(("started_at", "ended_at"), "time"),
    **dict.fromkeys(("duration_seconds", "time_to_first_token_seconds"), "seconds"),
    **dict.fromkeys(_WHOLE, "whole"),
    **dict.fromkeys(("weight", "sampling_rate"), "number"),
    **dict.fromkeys(("stream", "is_retry", "is_fallback"), "flag"),
    "reported_cost": "money",
    **dict.fromkeys(CHOICES, "choice"),
}
"""Columns that a mapping may fill, with what their values are. Those that the table `attempts` does not have help to
fill it: see HELPERS."""

HELPERS: Mapping[str, str] = {
    "id": "what makes the call one: two records with the same id are one call, the one with more tokens is kept",
    "model": "the model, where the log has one name for it; stands for request_model and response_model",
    "ended_at": "end of the attempt; gives duration_seconds where that is not mapped",
    "input_tokens": "input tokens in all; what the other input columns do not take is input_uncached_tokens",
    "output_tokens": "output tokens in all; what the other output columns do not take is output_text_tokens",
    "cache_write_tokens": "cache writes of a lifetime that the log does not tell: taken as five minutes",
    "sampling_rate": "share of the calls that the log holds, 0 to 1; gives weight",
}
"""Columns that no table has, and the meaning of the totals, which are split."""

FILLS: Mapping[str, str] = {
    "model": "price_model",
    "ended_at": "duration_seconds",
    "input_tokens": "input_uncached_tokens",
    "output_tokens": "output_text_tokens",
    "cache_write_tokens": "cache_write_5m_tokens",
    "sampling_rate": "weight",
}
"""Where the value of such a column goes."""

UNITS: Mapping[Kind, Mapping[str, Decimal]] = {
    "time": {"text": Decimal(0), "s": Decimal(1_000_000), "ms": Decimal(1000), "us": Decimal(1), "ns": Decimal(0)},
    "seconds": {"s": Decimal(1), "ms": Decimal("1e-3"), "us": Decimal("1e-6"), "ns": Decimal("1e-9")},
    "money": {
        "usd": Decimal(1),
        "cents": Decimal("0.01"),
        "microdollars": Decimal("1e-6"),
        "nanodollars": Decimal("1e-9"),
    },
}
"""Units by kind, the first being the default; what a value is multiplied with (times: microseconds)."""

MEANINGS: Mapping[Kind, str] = {
    "text": "text; a number is taken as its digits, an object or a list as nothing",
    "time": "a moment",
    "seconds": "a duration",
    "whole": "a whole number (`120` or `120.0`)",
    "number": "a number",
    "flag": "`true` or `false`, also as text, `yes`, `no`, `1` or `0`",
    "money": "an amount; `$` and spaces are left out, a comma is refused",
    "choice": "one of a few words, in any case",
}

MISSING = ("", "-")
"""Texts that stand for no value unless the file says otherwise."""

CACHE = (
    *("cache_read_tokens", "cache_write_tokens"),
    *(f"{kind}_tokens" for kind in schema.TOKEN_KINDS if kind.startswith("cache_write_")),
)
"""Columns of which `input_includes_cache` speaks."""


@dataclass(frozen=True)
class Field:
    """Where a column comes from: the first of `paths` that has a value, or a constant; and how its text is read."""

    column: str
    paths: tuple[str, ...] = ()
    value: str | None = None
    unit: str | None = None
    factor: Decimal = Decimal(1)
    renamed: Mapping[str, str] | None = None
    zone: str | None = None
    layout: str | None = None

    @property
    def kind(self) -> Kind:
        """What the values of the column are."""
        return KINDS[self.column]


@dataclass(frozen=True)
class MappingFile:
    """A mapping file as it stands, checked."""

    path: Path
    name: str
    title: str
    gateway: str
    grain: str
    input_includes_cache: bool
    output_includes_reasoning: bool
    instead_of: tuple[str, ...]
    missing: tuple[str, ...]
    only: Mapping[str, tuple[str, ...]]
    fields: Mapping[str, Field]
    tags: Mapping[str, str]
    identify: tuple[str, ...]

    @property
    def paths(self) -> list[str]:
        """Every path that the file names."""
        paths = [path for field in self.fields.values() for path in field.paths]
        return [*paths, *self.only, *self.tags.values()]
