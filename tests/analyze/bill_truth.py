"""Calls whose truth is known, the logs that a gateway keeps of them, and the bill that a provider sends for them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import small_store

from infercost.analyze.bill_gaps import Cell, Reconciliation
from infercost.analyze.reconcile import reconcile
from infercost.config import Config

if TYPE_CHECKING:
    import duckdb

FIRST = date(2026, 11, 2)
DAYS = 8
PICO = 10**12
SONNET, HAIKU = "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"
KINDS = ("input_uncached", "cache_read", "output_text")

# Picodollars a token, by model, lane and kind: what logs and bill agree on.
RATES: dict[tuple[str, str], dict[str, int]] = {
    (SONNET, "standard"): {"input_uncached": 3_000_000, "cache_read": 300_000, "output_text": 15_000_000},
    (SONNET, "batch"): {"input_uncached": 1_500_000, "cache_read": 150_000, "output_text": 7_500_000},
    (HAIKU, "standard"): {"input_uncached": 1_000_000, "cache_read": 100_000, "output_text": 5_000_000},
    (HAIKU, "batch"): {"input_uncached": 500_000, "cache_read": 50_000, "output_text": 2_500_000},
}
BOOK_NAMES = {SONNET: "claude-sonnet-4-5", HAIKU: "claude-haiku-4-5"}


@dataclass(frozen=True)
class Call:
    """One call of a model: when, which, in which lane, and its tokens by kind."""

    at: datetime
    model: str
    lane: str
    tokens: dict[str, int]
    key: str | None = None

    def cost(self, kind: str, lane: str | None = None) -> int:
        """Picodollars of a kind, in the call's own lane unless another is named."""
        return self.tokens[kind] * RATES[self.model, lane or self.lane][kind]


def calls(seed: int = 1, days: int = DAYS, each_hour: int = 1) -> list[Call]:
    """Return calls of every hour of the days, and of a day more on both sides; days are busier than nights."""
    random = Random(seed)  # noqa: S311
    found = []
    for hour in range(-24, (days + 1) * 24):
        at = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(hours=hour)
        busy = 3 if 8 <= at.hour < 20 else 1
        for model, lane in ((SONNET, "standard"), (HAIKU, "standard"), (HAIKU, "batch")):
            for _ in range(each_hour):
                tokens = {kind: random.randrange(1, 40_000 * busy) for kind in KINDS}
                found.append(Call(at + timedelta(minutes=random.randrange(60)), model, lane, tokens))
    return found


def logged(found: Iterable[Call], **changes: Any) -> list[dict[str, Any]]:
    """Return the attempts that a gateway logs, priced by RATES."""
    return [_attempt(call) | changes for call in found]


def _attempt(call: Call) -> dict[str, Any]:
    costs = {kind: call.cost(kind) for kind in KINDS}
    return {
        "started_at": call.at.isoformat(),
        "provider_name": "anthropic",
        "price_model": f"anthropic/{call.model}",
        "response_model": f"anthropic/{call.model}",
        "service_tier": None if call.lane == "standard" else call.lane,
        "status": "ok",
        "api_key_id": call.key,
        **{f"{kind}_tokens": call.tokens[kind] for kind in KINDS},
        **{f"{kind}_cost": Decimal(costs[kind]) / PICO for kind in KINDS},
        "input_tokens": call.tokens["input_uncached"] + call.tokens["cache_read"],
        "output_tokens": call.tokens["output_text"],
        "effective_cost": Decimal(sum(costs.values())) / PICO,
        "price_id": f"{BOOK_NAMES[call.model]} {call.lane}",
    }


def prices() -> list[dict[str, Any]]:
    """Return RATES as rows of the book."""
    return [
        {
            "price_id": f"{BOOK_NAMES[model]} {lane}",
            "book": "book",
            "provider": "anthropic",
            "model": BOOK_NAMES[model],
            "lane": lane,
            "input_from": 0,
            **{f"{kind}_rate": rate for kind, rate in rates.items()},
        }
        for (model, lane), rates in RATES.items()
    ]


@dataclass(frozen=True)
class Line:
    """A line of the bill before it is written: money in picodollars."""

    day: date
    model: str
    lane: str
    kind: str
    tokens: int
    picodollars: int
    requests: int
    key: str | None = None


def billed(found: Iterable[Call], hours: int = 0, days: int = DAYS) -> list[Line]:
    """Return the lines of a bill for calls; its days begin `hours` before those of UTC."""
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for call in found:
        day = (call.at + timedelta(hours=hours)).date()
        if FIRST <= day < FIRST + timedelta(days=days):
            for kind in KINDS:
                place = sums[day, call.model, call.lane, kind, call.key]
                place[0] += call.tokens[kind]
                place[1] += call.cost(kind)
                place[2] += 1
    return [
        Line(day, model, lane, kind, tokens, picodollars, requests, key)
        for (day, model, lane, kind, key), (tokens, picodollars, requests) in sums.items()
    ]


def bill(
    lines: Iterable[Line], *, usage: bool = True, requests: bool = False, quantities: bool = False
) -> list[dict[str, Any]]:
    """Return rows of `bills`: a cost line each, and with `usage` a line of tokens, with `requests` one of calls.

    `quantities` puts the tokens on the cost lines.
    """
    rows = []
    for line in lines:
        row: dict[str, Any] = {
            "format": "anthropic-cost-report",
            "provider_name": "anthropic",
            "measure": "cost",
            "period_start": f"{line.day}T00:00:00Z",
            "period_end": f"{line.day + timedelta(days=1)}T00:00:00Z",
            "model": line.model,
            "charge": f"{line.model} {line.kind}",
            "token_kind": "output" if line.kind == "output_text" else line.kind,
            "service_tier": None if line.lane == "standard" else line.lane,
            "api_key_id": line.key,
            "billed_cost": Decimal(line.picodollars) / PICO,
            "currency": "USD",
            "tags": {"grouped_by": "all"},
        }
        count = {"quantity": line.tokens, "quantity_unit": "tokens"}
        told = {**row, "format": "anthropic-usage-report", "measure": "usage", "billed_cost": None, "currency": None}
        rows.append(row | count if quantities else row)
        if usage:
            rows.append(told | count)
        if requests and line.kind == "output_text":
            rows.append(told | {"token_kind": None, "requests": line.requests, "quantity_unit": "requests"})
    return [{"bill_id": f"b{number}", **row} for number, row in enumerate(rows)]


def fee(day: date, charge: str, dollars: str, **columns: Any) -> dict[str, Any]:
    """Return a cost line that is not by the token."""
    return {
        "bill_id": f"fee {day} {charge}",
        "format": "anthropic-cost-report",
        "provider_name": "anthropic",
        "measure": "cost",
        "period_start": f"{day}T00:00:00Z",
        "period_end": f"{day + timedelta(days=1)}T00:00:00Z",
        "charge": charge,
        "billed_cost": dollars,
        "currency": "USD",
        "tags": {"grouped_by": "all"},
        **columns,
    }


def compared(
    attempts: Iterable[dict[str, Any]], bills: Sequence[dict[str, Any]], settings: Config | None = None, **options: Any
) -> Reconciliation:
    """Return the reconciliation of a store with those attempts, those bill lines and RATES as its book."""
    with small_store.store([]) as connection:
        _insert(connection, "prices", prices())
        _insert(connection, "bills", bills)
        _insert(connection, "attempts", list(attempts))
        connection.execute("UPDATE attempts SET day = cast(started_at AT TIME ZONE 'UTC' AS DATE)")
        return reconcile(connection, settings or Config(), **options)


def _insert(connection: "duckdb.DuckDBPyConnection", table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows at once; one by one would take most of a test's time."""
    if not rows:
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [_plain(row.get(name)) for row in rows] for name in names}
    kinds = {"tags": pa.map_(pa.string(), pa.string())}
    given = pa.table({name: pa.array(values, kinds.get(name, pa.string())) for name, values in columns.items()})
    connection.register("given", given)
    connection.execute(f"INSERT INTO {table} BY NAME FROM given")
    connection.unregister("given")


def _plain(value: Any) -> Any:
    """Return what Arrow takes for text, or for a map."""
    if isinstance(value, dict):
        return list(value.items())
    return value if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def cents(lines: Iterable[Line]) -> list[Line]:
    """Return the lines with every amount rounded to a cent, as consoles show them."""
    cent = Decimal("0.01")
    return [
        replace(line, picodollars=int((Decimal(line.picodollars) / PICO).quantize(cent, ROUND_HALF_EVEN) * PICO))
        for line in lines
    ]


def cost_of(found: Iterable[Call], chosen: Callable[[Call], bool] = lambda _: True) -> Decimal:
    """Return what calls of the bill's days cost, in dollars."""
    total = sum(
        call.cost(kind)
        for call in found
        for kind in KINDS
        if FIRST <= call.at.date() < FIRST + timedelta(days=DAYS) and chosen(call)
    )
    return Decimal(total) / PICO


def cells_with(found: Reconciliation, cause: str) -> list[Cell]:
    """Return the cells that have a cause."""
    return [cell for cell in found.cells if cause in cell.causes]
