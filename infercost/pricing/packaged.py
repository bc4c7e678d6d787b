"""Reads the packaged data that the book is completed with (infercost/pricing/data, made by `just books`)."""

import csv
import hashlib
import tomllib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from infercost import assets
from infercost.pricing.rows import microseconds

LITELLM = "litellm"
MODEL_PRICES = "model-prices"


def folder() -> Path:
    """Return the folder with the data."""
    return assets.folder("pricing") / "data"


def stamp() -> bytes:
    """Return a hash of all the data."""
    hashed = hashlib.blake2b()
    for path in sorted(folder().iterdir()):
        hashed.update(path.name.encode() + b"\0" + path.read_bytes())
    return hashed.digest()


def csv_rows(name: str) -> list[dict[str, str]]:
    """Return the lines of a CSV file by column name."""
    with (folder() / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def parquet_rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file by column name."""
    rows: list[dict[str, Any]] = pq.read_table(folder() / name).to_pylist()
    return rows


@cache
def _sources() -> dict[str, dict[str, str]]:
    return tomllib.loads((folder() / "sources.toml").read_text(encoding="utf-8"))


def label(source: str) -> str:
    """Return the name of a book with its version, such as `litellm 1.110.2`."""
    return f"{source} {_sources()[source]['version']}"


def day(source: str) -> str:
    """Return the day of a book's figures, as YYYY-MM-DD."""
    return _sources()[source]["date"]


def moment(text: str) -> int | None:
    """Return an ISO 8601 time or day (UTC where it names no zone) as microseconds since 1970; None for no text."""
    if not text:
        return None
    parsed = datetime.fromisoformat(text)
    return microseconds(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
