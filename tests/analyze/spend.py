"""Attempts whose costs follow from tokens and rates, for the tests of drivers."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import small_store

from infercost import assets
from infercost.analyze.drivers import cells, effects, matches, split
from infercost.analyze.explanation import Child
from infercost.config import Config
from infercost.pricing.book import load_book
from infercost.pricing.run import prepare, price

if TYPE_CHECKING:
    import duckdb

SINCE = datetime(2026, 11, 9, tzinfo=UTC)
"""A Monday; windows are a week and the week before unless a test says otherwise."""

WEEK = timedelta(days=7)
SPAN = cells.Span(SINCE, SINCE + WEEK, SINCE - WEEK, SINCE)
RATES = {"small": (1, 4), "large": (5, 25), "new": (10, 50)}
"""Picodollars (in millions) of an input and of an output token; a token from the cache costs a tenth of the input."""

MILLION = 1_000_000


@dataclass(frozen=True)
class Call:
    """One attempt: when (days from SINCE, negative in the baseline), by whom, of which model, with which tokens."""

    day: int
    feature: str = "chat"
    model: str = "small"
    hour: int = 12
    cohort: str = "free"
    route: str = "main"
    prompt: int = 1000
    cached: int = 0
    output: int = 100
    reasoning: int = 0
    request: str | None = None
    number: int = 1
    status: str = "ok"
    gateway_cache: str | None = None
    priced: bool = True
    lane: str = "standard"
    raised: bool = False
    paid: Decimal = Decimal(1)
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def price_id(self) -> str:
        """The price row of the call."""
        return f"{self.model}-{self.lane}-{'late' if self.raised else 'early'}"

    def row(self) -> dict[str, Any]:
        """Return the row of `attempts`."""
        hit = self.gateway_cache == "exact"
        tokens = {
            "input_uncached": self.prompt - self.cached,
            "cache_read": self.cached,
            "output_text": self.output,
            "reasoning": self.reasoning,
        }
        listed = {kind: 0 if hit else count * rate(self, kind) for kind, count in tokens.items()}
        paid = {kind: int(amount * self.paid) for kind, amount in listed.items()}
        known = self.priced
        return {
            "started_at": (SINCE + timedelta(days=self.day, hours=self.hour, seconds=self.number)).isoformat(),
            "request_id": self.request,
            "attempt_number": self.number,
            "status": self.status,
            "feature": self.feature,
            "cohort": self.cohort,
            "team": "core",
            "route": self.route,
            "model_tier": self.model,
            "endpoint": "/v1/chat",
            "provider_name": "acme",
            "request_model": self.route,
            "response_model": self.model,
            "price_model": self.model,
            "gateway_cache": self.gateway_cache,
            **{f"{kind}_tokens": count for kind, count in tokens.items()},
            "input_tokens": self.prompt,
            "output_tokens": self.output + self.reasoning,
            **{f"{kind}_cost": money(amount) if known else None for kind, amount in paid.items()},
            "list_cost": money(sum(listed.values())) if known else None,
            "effective_cost": money(sum(paid.values())) if known else None,
            "price_id": self.price_id if known else None,
            "list_price_id": self.price_id if known else None,
            "price_basis": "book" if known else None,
            **self.more,
        }


def money(picodollars: int) -> Decimal:
    """Return picodollars as the store keeps them."""
    return Decimal(picodollars).scaleb(-12)


def rate(call: Call, kind: str) -> int:
    """Return the picodollars of a token: half in the batch lane, a quarter more after a raise."""
    read, write = RATES[call.model]
    rates = {"input_uncached": read * 10, "cache_read": read, "output_text": write * 10, "reasoning": write * 10}
    base = rates[kind] * MILLION // 10
    base = base * 5 // 4 if call.raised else base
    return base // 2 if call.lane == "batch" else base


def price_rows(calls: Iterable[Call]) -> list[dict[str, Any]]:
    """Return the price rows that calls need, with the standard rows beside those of other lanes."""
    found = {}
    for call in calls:
        for lane in ("standard", call.lane):
            like = Call(call.day, model=call.model, lane=lane, raised=call.raised)
            found[like.price_id] = {
                "price_id": like.price_id,
                "book": "book 1",
                "provider": "acme",
                "model": call.model,
                "lane": lane,
                "input_from": 0,
                **({"effective_from": SINCE.isoformat()} if call.raised else {}),
                **{
                    f"{kind}_rate": rate(like, kind)
                    for kind in ("input_uncached", "cache_read", "output_text", "reasoning")
                },
            }
    return list(found.values())


def store(calls: Iterable[Call]) -> "duckdb.DuckDBPyConnection":
    """Return a connection to a store that holds the calls."""
    listed = list(calls)
    return small_store.store([call.row() for call in listed], prices=price_rows(listed))


def book_store(calls: Iterable[Call], settings: Config) -> "duckdb.DuckDBPyConnection":
    """Return a connection to a store that holds the calls as an ingest by the installed book makes it."""
    connection = small_store.store([call.row() for call in calls])
    prepare(connection, settings, book=_book())
    price(connection, settings, "attempts", "priced_view")
    connection.execute("CREATE TEMP TABLE priced AS FROM priced_view")
    connection.execute("DELETE FROM attempts")
    connection.execute("INSERT INTO attempts BY NAME FROM priced")
    used = "SELECT list_price_id AS price_id FROM priced UNION SELECT price_id FROM priced"
    connection.execute(f"INSERT INTO prices BY NAME FROM book_prices SEMI JOIN ({used}) USING (price_id)")
    return connection


@cache
def _book() -> pa.Table:
    return load_book(assets.cache_folder())


def of_book(call: Call, model: str, provider: str = "openai", tier: str | None = None) -> Call:
    """Return the call as one of a model of the book; its costs are those of `book_store`."""
    names = {"response_model": model, "price_model": model, "provider_name": provider, "service_tier": tier}
    return replace(call, more={**call.more, **names})


KINDS = ("input_uncached", "cache_read", "output_text", "reasoning")
"""The token kinds that calls have."""


def split_calls(
    calls: Iterable[Call], span: cells.Span = SPAN, zone: str = "UTC", *, sessions: bool = False
) -> "duckdb.DuckDBPyConnection":
    """Return a connection that holds the split of the calls."""
    connection = store(calls)
    kinds = cells.build(connection, span, sessions=sessions)
    matches.match(connection, span, zone)
    split.split(connection, kinds)
    return connection


def bridge(calls: Iterable[Call], span: cells.Span = SPAN) -> Child:
    """Return the bridge of all spend."""
    with split_calls(calls, span) as connection:
        return effects.whole(connection)


def moved(child: Child) -> dict[str, Decimal]:
    """Return the drivers of a bridge that are not zero."""
    return {name: effect for name, effect in child.effects.items() if effect}
