"""The price book: genai-prices and what completes it, as a table of dated rows, kept as Parquet once it is made."""

import contextlib
import hashlib
import os
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from infercost import schema
from infercost.pricing import corrections, packaged
from infercost.pricing.rows import arrow_schema, to_table

_PACKAGE = "genai-prices"

FLATTEN_VERSION = 2
"""Raised when the same package, corrections and data give other rows.

1: first version. 2: earlier prices, more lanes, regions, and the models of a second book.
"""


@cache
def book_version() -> str:
    """Return the name of the price book with its version, such as `genai-prices 0.2.3`."""
    return f"{_PACKAGE} {version(_PACKAGE)}"


def book_versions() -> str:
    """Return the names of all books whose rows the installed book has, joined with commas."""
    return ",".join([book_version(), *map(packaged.label, (packaged.LITELLM, packaged.MODEL_PRICES))])


def load_book(cache_folder: Path | None = None) -> pa.Table:
    """Return the price book with the columns of schema.PRICES, from `cache_folder` when it holds this version of it.

    Rates are picodollars per token; a NULL time or input_to is "no bound"; a NULL rate is "the book has no price".
    A cached file that cannot be read is made anew; a folder that cannot be written to is no error.
    """
    if cache_folder is None:
        return _flatten()
    path = cache_folder / _file_name()
    cached = _read(path)
    if cached is not None:
        return cached
    table = _flatten()
    _write(table, path)
    return table


def _flatten() -> pa.Table:
    # The library's data takes a quarter of a second to import, which a cached book does not need.
    from infercost.pricing import flatten, history, overrides, regions, second_book

    known = corrections.load()
    rows = history.with_history(flatten.price_rows(book_version(), known), known.retold)
    rows = second_book.with_lanes(overrides.corrected(rows, known))
    rows += second_book.model_rows({(row.provider, row.model) for row in rows})
    return to_table([*rows, *regions.region_rows(rows)])


def _file_name() -> str:
    stamp = hashlib.blake2b(corrections.text().encode() + packaged.stamp(), digest_size=4).hexdigest()
    return f"{book_version().replace(' ', '-')}-{FLATTEN_VERSION}-{stamp}.parquet"


def _read(path: Path) -> pa.Table | None:
    try:
        about = path.stat()
        return _kept(path, about.st_mtime_ns, about.st_size)
    except (OSError, pa.ArrowException):
        return None


@lru_cache(maxsize=1)
def _kept(path: Path, _changed: int, _bytes: int) -> pa.Table | None:
    """Return the table in a file, which is read again when it has changed; None where it is no price book."""
    table = pq.read_table(path)
    return table if table.schema.equals(arrow_schema(schema.PRICES)) else None


def _write(table: pa.Table, path: Path) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, part, compression="zstd")
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
