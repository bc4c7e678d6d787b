"""The five leading signals of a window, bucket by bucket, beside what is usual at such times of the week.

They move before dollars do. What is usual is known from the four weeks before the window: of shares the pooled ratio of
the same times of the week, of all others their median; the band is three times the usual distance from it, and no
narrower than what chance makes of so many requests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import exp, log, sqrt
from statistics import median
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from infercost import schema
from infercost.analyze import queries
from infercost.analyze.report import Signal, Window
from infercost.analyze.windows import bucket_unit, zone_of
from infercost.config.limits import TRAFFIC

if TYPE_CHECKING:
    import duckdb

    from infercost.analyze.explanation import Explanation

_ALL = (queries.EVERYTHING,)

HISTORY = timedelta(days=28)
"""Time before the window that tells what is usual."""

LEAST_HISTORY = timedelta(days=21)
"""History below which there is no band: a signal that cannot be judged is not called quiet."""

BAND = 3.0
"""Half of the band's width, in usual distances."""

_MAD_TO_DEVIATION = 1.4826

SHARE, TOKENS, RATE = "share", "tokens", "tokens_per_second"
"""Units of signals."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class _Kind:
    """A signal: the query and the columns it is read from, and the drivers that book its dollars.

    A share is `top` by `bottom`, any other value is the column `top` by itself; `size` is how many were counted.
    """

    name: str
    title: str
    unit: str
    query: str
    top: str
    drivers: tuple[str, ...]
    size: str
    bottom: str = ""


KINDS: tuple[_Kind, ...] = (
    _Kind("token_rate", "Token rate", RATE, "token_rate", "tokens_per_second", TRAFFIC, "attempts"),
    _Kind("prompt_length", "Prompt length, p95", TOKENS, "prompt_length", "p95_tokens", ("prompt_length",), "requests"),
    _Kind(
        *("prompt_cache_share", "Prompt cache share", SHARE, "cache_hit_rate", "cache_read_tokens", ("prompt_cache",)),
        size="attempts",
        bottom="input_tokens",
    ),
    _Kind(
        *("gateway_hit_rate", "Gateway cache hits", SHARE, "cache_hit_rate", "gateway_hits", ("gateway_cache",)),
        size="gateway_lookups",
        bottom="gateway_lookups",
    ),
    _Kind(
        *("routing_share", "Routing", SHARE, "routing_distribution", "requests", ("routing",)),
        size="all_requests",
        bottom="all_requests",
    ),
    _Kind(
        *("retry_rate", "Retry rate", SHARE, "retry_rate", "failed_requests", ("retries",)),
        size="requests",
        bottom="requests",
    ),
)
"""The signals in their order; the cache hit rate is two, the provider's and the gateway's."""


@dataclass(frozen=True)
class _Point:
    """The value of one bucket, with what it was counted from; None is unknown."""

    top: float
    bottom: float
    size: float
    value: float | None


def signals(
    connection: "duckdb.DuckDBPyConnection", window: Window, baseline: Window | None, explanation: "Explanation | None"
) -> tuple[Signal, ...]:
    """Return every signal of which the window or its baseline has a value."""
    bucket = bucket_unit(window)
    read = _Reader(connection, zone_of(window))
    found = [_signal(kind, read, bucket, window, baseline, explanation) for kind in KINDS]
    return tuple(each for each in found if each.current is not None or each.baseline is not None)


class _Reader:
    """Runs the queries of signals, each once for a span, and gives the points of a kind by bucket."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", zone: ZoneInfo) -> None:
        self.connection = connection
        self.zone = zone
        self._known: dict[tuple[Any, ...], list[Row]] = {}

    def rows(self, query: str, bucket: str, start: datetime, end: datetime) -> list[Row]:
        """Return the rows of a query over [start, end)."""
        key = (query, bucket, start, end)
        if key not in self._known:
            by = () if query == "routing_distribution" else _ALL
            parameters: dict[str, queries.Value] = {"since": start, "until": end, "zone": self.zone.key}
            parameters["bucket"] = bucket
            self._known[key] = queries.run(self.connection, queries.find(query), parameters, by).to_pylist()
        return self._known[key]

    def points(
        self, kind: _Kind, bucket: str, start: datetime, end: datetime, tier: str | None
    ) -> dict[datetime, _Point]:
        """Return the points of [start, end) by bucket; `tier` is that whose share of requests is meant."""
        rows = self.rows(kind.query, bucket, start, end)
        if kind.query == "routing_distribution":
            rows = _of_tier(rows, tier)
        return {row["bucket"].astimezone(self.zone): _point(kind, row) for row in rows}


def _of_tier(rows: Sequence[Row], tier: str | None) -> list[Row]:
    """Return a row a bucket: the requests of one tier, which may be none, and those of all; no row without a tier."""
    if tier is None:
        return []
    found: dict[datetime, dict[str, Any]] = {}
    for row in rows:
        counted = found.setdefault(row["bucket"], {"bucket": row["bucket"], "requests": 0, "all_requests": 0})
        counted["all_requests"] += row["requests"]
        if row["model_tier"] == tier:
            counted["requests"] += row["requests"]
    return list(found.values())


def _point(kind: _Kind, row: Row) -> _Point:
    top, size = row[kind.top], float(row[kind.size] or 0)
    if kind.unit != SHARE:
        return _Point(0.0, 0.0, size, None if top is None else float(top))
    bottom = float(row[kind.bottom] or 0)
    return _Point(float(top or 0), bottom, size, float(top or 0) / bottom if bottom else None)


def _signal(
    kind: _Kind,
    read: _Reader,
    bucket: str,
    window: Window,
    baseline: Window | None,
    explanation: "Explanation | None",
) -> Signal:
    tier = _tier(read, window, baseline) if kind.query == "routing_distribution" else None
    known = read.points(kind, bucket, window.start - HISTORY, window.end, tier)
    past = {start: point for start, point in known.items() if start.timestamp() < window.start.timestamp()}
    now = {start: point for start, point in known.items() if start not in past}
    usual = _Usual(kind.unit, bucket, past)
    is_judged = bool(past) and (window.start - LEAST_HISTORY).timestamp() >= min(past).timestamp()
    bands = [usual.band(start, point) if is_judged else (usual.at(start), None, None) for start, point in now.items()]
    outside = [
        start
        for (start, point), (_, low, high) in zip(now.items(), bands, strict=True)
        if point.value is not None and low is not None and high is not None and not low <= point.value <= high
    ]
    query = queries.find(kind.query)
    parameters: dict[str, queries.Value] = {"since": window.start, "until": window.end, "zone": read.zone.key}
    parameters["bucket"] = bucket
    return Signal(
        name=kind.name,
        title=f"{kind.title} to {tier}" if tier else kind.title,
        unit=kind.unit,
        current=_whole(kind, read, window, tier),
        baseline=_whole(kind, read, baseline, tier) if baseline else None,
        buckets=tuple(now),
        bucket_unit=bucket,
        values=tuple(point.value for point in now.values()),
        usual=tuple(middle for middle, _, _ in bands),
        low=tuple(low for _, low, _ in bands),
        high=tuple(high for _, _, high in bands),
        outside=tuple(outside),
        is_judged=is_judged,
        drivers=kind.drivers,
        effect=_effect(kind.drivers, explanation),
        sql=queries.rendered_sql(query, query.by if tier else _ALL, parameters),
    )


def _whole(kind: _Kind, read: _Reader, window: Window, tier: str | None) -> float | None:
    points = read.points(kind, "window", window.start, window.end, tier)
    return next((point.value for point in points.values()), None)


def _tier(read: _Reader, window: Window, baseline: Window | None) -> str | None:
    """Return the tier whose share of requests moved most; without a baseline that with the most requests."""

    def shares(of: Window | None) -> dict[str, float]:
        rows = read.rows("routing_distribution", "window", of.start, of.end) if of else []
        return {row["model_tier"]: row["request_share"] for row in rows if row["model_tier"] != schema.UNATTRIBUTED}

    now, before = shares(window), shares(baseline)
    names = sorted({*now, *before})
    return max(names, key=lambda name: abs(now.get(name, 0.0) - before.get(name, 0.0)), default=None)


def _effect(drivers: Sequence[str], explanation: "Explanation | None") -> Decimal | None:
    """Return what the drivers behind a signal did to spend, US dollars."""
    if explanation is None:
        return None
    return sum((line.effect for line in explanation.drivers if line.name in drivers), Decimal(0))


class _Usual:
    """What is usual at each time of the week, and how far values usually are from it."""

    def __init__(self, unit: str, bucket: str, past: Mapping[datetime, _Point]) -> None:
        self.is_share = unit == SHARE
        # The first slot is that of the time itself.
        self._slots = _week_days if bucket == "day" else _week_hours
        self._past: dict[int, list[_Point]] = {}
        for start, point in past.items():
            if point.value is not None:
                self._past.setdefault(self._slots(start)[0], []).append(point)
        self._distance = self._measure()

    def at(self, start: datetime) -> float | None:
        """Return the usual value at such a time; None where no such time is known."""
        return self._middle([point for slot in self._slots(start) for point in self._past.get(slot, ())])

    def band(self, start: datetime, point: _Point) -> tuple[float | None, float | None, float | None]:
        """Return the usual value with the bounds of the band."""
        middle = self.at(start)
        if middle is None or self._distance is None:
            return middle, None, None
        if not self.is_share:
            factor = exp(BAND * max(self._distance, 1 / sqrt(max(point.size, 1))))
            return middle, middle / factor, middle * factor
        width = BAND * max(self._distance, sqrt(_sampling(middle, point.size)))
        return middle, max(0.0, middle - width), min(1.0, middle + width)

    def _middle(self, points: Sequence[_Point]) -> float | None:
        if self.is_share:
            bottom = sum(point.bottom for point in points)
            return sum(point.top for point in points) / bottom if bottom else None
        values = [point.value for point in points if point.value]
        return median(values) if values else None

    def _measure(self) -> float | None:
        """Return the usual distance (of logarithms where it is no share) of a value from the others of its time."""
        distances = []
        for points in self._past.values():
            for place, point in enumerate(points):
                others = self._middle([*points[:place], *points[place + 1 :]])
                if others is None or not point.value:
                    continue
                apart = point.value - others if self.is_share else log(point.value / others) if others else None
                if apart is not None:
                    distances.append(abs(apart))
        return _MAD_TO_DEVIATION * median(distances) if distances else None


def _sampling(share: float, count: float) -> float:
    """Return the variance of a share of `count` by chance alone; of the share 0, that of half of one."""
    share = min(max(share, 0.5 / count), 1.0) if count else share
    return share * (1 - share) / count if count else 0.0


def _week_days(start: datetime) -> tuple[int, ...]:
    return (start.weekday(),)


def _week_hours(start: datetime) -> tuple[int, ...]:
    """Return the hour of the week and its neighbours: single hours have too little in them."""
    hour = start.weekday() * 24 + start.hour
    return (hour, (hour - 1) % 168, (hour + 1) % 168)
