"""One row of the price table in Python, and its way into and out of Arrow.

Times are microseconds since 1970 UTC, rates are integer picodollars per token; None is "no bound" or "no price".
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pyarrow as pa

from infercost import schema

MAX_RATE = 10**9
"""Picodollars per token (1,000 USD per million tokens): above it a price is taken for a slip of the unit."""

MAX_FEE = 10**15
"""Picodollars apiece (1,000 USD): above it a fee is taken for a slip of the unit."""

PARENT: dict[str, str] = {
    "cache_read": "input_uncached",
    "cache_write_5m": "input_uncached",
    "cache_write_30m": "cache_write_5m",
    "cache_write_1h": "cache_write_5m",
    "cache_write_12h": "cache_write_1h",
    "input_audio": "input_uncached",
    "input_image": "input_uncached",
    "reasoning": "output_text",
    "output_audio": "output_text",
    "output_image": "output_text",
}
"""The kind whose rate holds for a kind that has no price of its own."""

Rates = tuple[int | None, ...]
"""A rate for each of schema.TOKEN_KINDS, in that order."""

Fees = tuple[int | None, ...]
"""A fee for each of schema.FEES, in that order."""

NO_FEES: Fees = (None,) * len(schema.FEES)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ARROW = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "TIMESTAMPTZ": pa.timestamp("us", tz="UTC")}


@dataclass(frozen=True, slots=True)
class PriceRow:
    """Rates of one model in one lane, for times in [start, end) and input tokens in [input_from, input_to)."""

    book: str
    provider: str
    model: str
    lane: str
    start: int | None
    end: int | None
    input_from: int
    input_to: int | None
    rates: Rates
    basis: str
    source: str
    region: str | None = None
    scope: str | None = None
    fees: Fees = NO_FEES
    hour_fee: int | None = None
    currency: str = "USD"
    source_date: str | None = None

    @property
    def price_id(self) -> str:
        """Hash of everything in the row, the same on every machine."""
        text = "\x1f".join(str(getattr(self, name)) for name in self.__slots__)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def microseconds(moment: datetime) -> int:
    """Return an aware time as microseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def picodollars(usd_per_million: Decimal) -> int:
    """Return US dollars per million tokens as picodollars per token, rounded half up."""
    return half_up(usd_per_million * 1_000_000)


def half_up(value: Decimal) -> int:
    """Return `value` rounded to a whole number, halves away from zero."""
    return int(value.to_integral_value(ROUND_HALF_UP))


def arrow_schema(columns: tuple[schema.Column, ...]) -> pa.Schema:
    """Return the Arrow schema of a table whose columns are text, BIGINT or TIMESTAMPTZ."""
    return pa.schema([(column.name, _ARROW[column.type]) for column in columns])


def to_table(rows: Iterable[PriceRow]) -> pa.Table:
    """Return the rows as a table with exactly the columns of schema.PRICES."""
    rows = list(rows)
    target = arrow_schema(schema.PRICES)
    columns = [[_value(row, field.name) for row in rows] for field in target]
    return pa.table([pa.array(values, field.type) for values, field in zip(columns, target, strict=True)], target)


_ATTRIBUTE = {"effective_from": "start", "effective_to": "end"}
_RATE_PLACE = {f"{kind}_rate": place for place, kind in enumerate(schema.TOKEN_KINDS)}
_FEE_PLACE = {f"{fee}_fee": place for place, fee in enumerate(schema.FEES)}


def _value(row: PriceRow, column: str) -> object:
    if column in _RATE_PLACE:
        return row.rates[_RATE_PLACE[column]]
    if column in _FEE_PLACE:
        return row.fees[_FEE_PLACE[column]]
    return getattr(row, _ATTRIBUTE.get(column, column))


def from_table(table: pa.Table) -> list[PriceRow]:
    """Return the rows of a table with the columns of schema.PRICES."""
    columns = {
        name: (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    rates = zip(*(columns.pop(name) for name in _RATE_PLACE), strict=True)
    fees = zip(*(columns.pop(name) for name in _FEE_PLACE), strict=True)
    del columns["price_id"]
    names = [_ATTRIBUTE.get(name, name) for name in columns]
    return [
        PriceRow(rates=rate, fees=fee, **dict(zip(names, values, strict=True)))
        for rate, fee, values in zip(rates, fees, zip(*columns.values(), strict=True), strict=True)
    ]
