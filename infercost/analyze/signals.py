"""The five leading signals of a window, bucket by bucket, beside what is usual at such times of the week.

They move before dollars do. What is usual is known from the four weeks before the window, and says the SQL of each
signal: of shares the pooled ratio of the same times of the week, of all others their median; the band is three times
the usual distance from it, and no narrower than what chance makes of so many requests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from infercost import schema
from infercost.analyze import queries
from infercost.analyze.database import oldest
from infercost.analyze.report import Signal, Window
from infercost.analyze.windows import bucket_unit, zone_of
from infercost.config.limits import TRAFFIC

if TYPE_CHECKING:
    import duckdb

    from infercost.analyze.explanation import Explanation

_ALL = (queries.EVERYTHING,)

PREFIXES = ("", "usual_", "low_", "high_")
"""What stands before the name of a signal's column: nothing for its value."""

LEAST_HISTORY = timedelta(days=21)
"""History below which there is no band: a signal that cannot be judged is not called quiet."""

SHARE, TOKENS, RATE = "share", "tokens", "tokens_per_second"
"""Units of signals."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class _Kind:
    """A signal: the query and the column it is read from, beside which stand usual_, low_ and high_ of that name.

    `drivers` book its dollars.
    """

    name: str
    title: str
    unit: str
    query: str
    column: str
    drivers: tuple[str, ...]


CACHES = "cache_hit_rate"

ROUTING = "routing_distribution"
"""The query whose rows are those of tiers, not of everything."""

KINDS: tuple[_Kind, ...] = (
    _Kind("token_rate", "Token rate", RATE, "token_rate", "tokens_per_second", TRAFFIC),
    _Kind("prompt_length", "Prompt length, p95", TOKENS, "prompt_length", "p95_tokens", ("prompt_length",)),
    _Kind("prompt_cache_share", "Prompt cache share", SHARE, CACHES, "prompt_cache_share", ("prompt_cache",)),
    _Kind("gateway_hit_rate", "Gateway cache hits", SHARE, CACHES, "gateway_hit_rate", ("gateway_cache",)),
    _Kind("routing_share", "Routing", SHARE, ROUTING, "request_share", ("routing",)),
    _Kind("retry_rate", "Retry rate", SHARE, "retry_rate", "retry_rate", ("retries",)),
)
"""The signals in their order; the cache hit rate is two, the provider's and the gateway's."""


def signals(
    connection: "duckdb.DuckDBPyConnection", window: Window, baseline: Window | None, explanation: "Explanation | None"
) -> tuple[Signal, ...]:
    """Return every signal of which the window or its baseline has a value."""
    first = oldest(connection)
    is_judged = first is not None and first <= window.start - LEAST_HISTORY
    read = _Reader(connection, zone_of(window))
    found = [_signal(kind, read, window, baseline, explanation, is_judged=is_judged) for kind in KINDS]
    return tuple(each for each in found if each.current is not None or each.baseline is not None)


class _Reader:
    """Runs the queries of signals, each once for a window and a length of buckets."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", zone: ZoneInfo) -> None:
        self.connection = connection
        self.zone = zone
        self._known: dict[tuple[Any, ...], list[Row]] = {}

    def parameters(self, bucket: str, window: Window) -> dict[str, queries.Value]:
        """Return what a query of a signal is asked with."""
        return {**queries.between(window), "zone": self.zone.key, "bucket": bucket}

    def rows(self, query: str, bucket: str, window: Window) -> list[Row]:
        """Return the rows of a query: those of everything, or of tiers."""
        key = (query, bucket, window.start, window.end)
        if key not in self._known:
            parameters = self.parameters(bucket, window)
            by = () if query == ROUTING else _ALL
            self._known[key] = queries.run(self.connection, queries.find(query), parameters, by).to_pylist()
        return self._known[key]

    def of(self, kind: _Kind, bucket: str, window: Window, tier: str | None) -> list[Row]:
        """Return the rows of a signal; `tier` is that whose share of requests is meant, which may be none."""
        if kind.query == ROUTING and tier is None:
            return []
        rows = self.rows(kind.query, bucket, window)
        if tier is None:
            return rows
        found = {row["bucket"]: row for row in rows if row["model_tier"] == tier}
        none = {**dict.fromkeys(f"{prefix}{kind.column}" for prefix in PREFIXES), kind.column: 0.0}
        return [found.get(start, {**none, "bucket": start}) for start in dict.fromkeys(row["bucket"] for row in rows)]


def _signal(
    kind: _Kind,
    read: _Reader,
    window: Window,
    baseline: Window | None,
    explanation: "Explanation | None",
    *,
    is_judged: bool,
) -> Signal:
    bucket = bucket_unit(window)
    tier = _tier(read, window, baseline) if kind.query == ROUTING else None
    rows = read.of(kind, bucket, window, tier)
    starts = tuple(row["bucket"].astimezone(read.zone) for row in rows)
    values, usual, low, high = (tuple(row[f"{prefix}{kind.column}"] for row in rows) for prefix in PREFIXES)
    if not is_judged:
        low = high = (None,) * len(rows)
    outside = (
        start
        for start, value, least, most in zip(starts, values, low, high, strict=True)
        if value is not None and least is not None and most is not None and not least <= value <= most
    )
    query = queries.find(kind.query)
    return Signal(
        name=kind.name,
        title=f"{kind.title} to {tier}" if tier else kind.title,
        unit=kind.unit,
        current=_whole(kind, read, window, tier),
        baseline=_whole(kind, read, baseline, tier) if baseline else None,
        buckets=starts,
        bucket_unit=bucket,
        values=values,
        usual=usual,
        low=low,
        high=high,
        outside=tuple(outside),
        is_judged=is_judged and any(each is not None for each in usual),
        drivers=kind.drivers,
        effect=_effect(kind.drivers, explanation),
        sql=queries.rendered_sql(query, query.by if tier else _ALL, read.parameters(bucket, window)),
    )


def _whole(kind: _Kind, read: _Reader, window: Window, tier: str | None) -> float | None:
    value: float | None = next((row[kind.column] for row in read.of(kind, "window", window, tier)), None)
    return value


def _tier(read: _Reader, window: Window, baseline: Window | None) -> str | None:
    """Return the tier whose share of requests moved most; without a baseline that with the most requests."""

    def shares(of: Window | None) -> dict[str, float]:
        rows = read.rows(ROUTING, "window", of) if of else []
        return {row["model_tier"]: row["request_share"] for row in rows if row["model_tier"] != schema.UNATTRIBUTED}

    now, before = shares(window), shares(baseline)
    names = sorted({*now, *before})
    return max(names, key=lambda name: abs(now.get(name, 0.0) - before.get(name, 0.0)), default=None)


def _effect(drivers: Sequence[str], explanation: "Explanation | None") -> Decimal | None:
    """Return what the drivers behind a signal did to spend, US dollars."""
    if explanation is None:
        return None
    return sum((line.effect for line in explanation.drivers if line.name in drivers), Decimal(0))
