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
    kinds = range(len(schema.TOKEN_KINDS))
    columns = [
        [row.price_id for row in rows],
        *([getattr(row, name) for row in rows] for name in PriceRow.__slots__[:8]),
        *([row.rates[kind] for row in rows] for kind in kinds),
        [row.basis for row in rows],
        [row.source for row in rows],
    ]
    target = arrow_schema(schema.PRICES)
    return pa.table([pa.array(values, field.type) for values, field in zip(columns, target, strict=True)], target)


def from_table(table: pa.Table) -> list[PriceRow]:
    """Return the rows of a table with the columns of schema.PRICES."""
    columns = [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in table.columns]
    count = len(schema.TOKEN_KINDS)
    values = [column.to_pylist() for column in columns]
    rates = zip(*values[9 : 9 + count], strict=True)
    return [PriceRow(*row) for row in zip(*values[1:9], rates, *values[9 + count :], strict=True)]
