"""Puts what pricing needs into a DuckDB connection: both price tables, and the map of the names that were logged."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from infercost.config import Alias, PriceOverride
from infercost.engine import identifier
from infercost.pricing.book import load_book
from infercost.pricing.overrides import with_overrides
from infercost.pricing.resolve import ModelName, model_map, resolve

if TYPE_CHECKING:
    import duckdb


def create_prices(
    connection: "duckdb.DuckDBPyConnection",
    overrides: tuple[PriceOverride, ...] = (),
    cache_folder: Path | None = None,
) -> None:
    """Create the tables `book_prices` and `effective_prices` (schema.PRICES) that `apply` reads."""
    book = load_book(cache_folder)
    _create(connection, "book_prices", book)
    _create(connection, "effective_prices", with_overrides(book, overrides))


def create_model_map(
    connection: "duckdb.DuckDBPyConnection",
    source: str,
    aliases: Sequence[Alias] = (),
    overrides: Sequence[PriceOverride] = (),
) -> None:
    """Create the table `model_map` (schema.MODEL_MAP) for the distinct names in table or view `source`."""
    query = f"SELECT DISTINCT provider_name, price_model FROM {identifier(source)} WHERE price_model IS NOT NULL"
    found = connection.execute(f"{query} ORDER BY ALL").fetchall()
    names = [ModelName(provider, model) for provider, model in found]
    _create(connection, "model_map", model_map(resolve(names, aliases, overrides)))


def _create(connection: "duckdb.DuckDBPyConnection", name: str, table: pa.Table) -> None:
    connection.register("_incoming", table)
    try:
        connection.execute(f"CREATE OR REPLACE TABLE {identifier(name)} AS FROM _incoming")
    finally:
        connection.unregister("_incoming")
