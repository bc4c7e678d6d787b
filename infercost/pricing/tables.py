"""Puts what pricing needs into a DuckDB connection: both price tables, and the map of the names that were logged."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from infercost.config import Alias, PriceOverride
from infercost.engine import identifier
from infercost.pricing.book import load_book
from infercost.pricing.overrides import with_overrides
from infercost.pricing.regions import region_class
from infercost.pricing.resolve import ModelName, model_map, resolve

if TYPE_CHECKING:
    import duckdb


def create_prices(
    connection: "duckdb.DuckDBPyConnection",
    overrides: tuple[PriceOverride, ...] = (),
    cache_folder: Path | None = None,
    book: pa.Table | None = None,
) -> None:
    """Create the tables `book_prices` and `effective_prices` (schema.PRICES) that `apply` reads.

    `book` takes the place of the installed one.
    """
    book = load_book(cache_folder) if book is None else book
    _create(connection, "book_prices", book)
    _create(connection, "effective_prices", with_overrides(book, overrides))


REGION_MAP = ("provider_name", "region", "region_class")
"""Columns of `region_map`: the logged regions that have prices of their own, with the class that `prices` names."""


def create_maps(
    connection: "duckdb.DuckDBPyConnection",
    source: str,
    aliases: Sequence[Alias] = (),
    overrides: Sequence[PriceOverride] = (),
) -> None:
    """Create `model_map` (schema.MODEL_MAP) and `region_map` for the distinct names and regions in `source`."""
    names = [ModelName(*row) for row in _distinct(connection, source, "provider_name", "price_model")]
    _create(connection, "model_map", model_map(resolve(names, aliases, overrides)))
    regions = _distinct(connection, source, "provider_name", "region")
    rows = [(*row, region_class(*row)) for row in regions]
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(REGION_MAP))]
    _create(connection, "region_map", pa.table(columns, list(REGION_MAP)))


def _distinct(connection: "duckdb.DuckDBPyConnection", source: str, first: str, second: str) -> list[tuple[str, str]]:
    """Return the distinct pairs of two columns whose second is known."""
    query = f"SELECT DISTINCT {first}, {second} FROM {identifier(source)} WHERE {second} IS NOT NULL ORDER BY ALL"
    return connection.execute(query).fetchall()


def _create(connection: "duckdb.DuckDBPyConnection", name: str, table: pa.Table) -> None:
    connection.register("_incoming", table)
    try:
        connection.execute(f"CREATE OR REPLACE TABLE {identifier(name)} AS FROM _incoming")
    finally:
        connection.unregister("_incoming")
