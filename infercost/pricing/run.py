"""Prices attempts by the configuration: the book with the user's own prices, then what pools share."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from infercost.config import Config
from infercost.engine import identifier
from infercost.pricing import pools
from infercost.pricing.apply import apply
from infercost.pricing.tables import create_maps, create_prices

if TYPE_CHECKING:
    import duckdb


def prepare(
    connection: "duckdb.DuckDBPyConnection",
    settings: Config,
    cache_folder: Path | None = None,
    book: pa.Table | None = None,
) -> None:
    """Create the price tables by which `price` prices; `book` takes the place of the installed one."""
    create_prices(connection, settings.price_overrides, cache_folder, settings.pools, book)


def price(
    connection: "duckdb.DuckDBPyConnection",
    settings: Config,
    source: str,
    target: str,
    as_of: datetime | None = None,
) -> None:
    """Make view `target`: the rows of `source` with their costs, each by its own time or all as at `as_of`.

    What pools served is shared among the rows at hand. The connection holds the tables of `prepare`.
    """
    create_maps(connection, source, settings.aliases, settings.price_overrides)
    if not settings.pools:
        apply(connection, source, target, "VIEW", as_of)
        return
    apply(connection, source, "priced_by_token", "VIEW", as_of)
    pools.share(connection, source, settings.pools)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {identifier(target)} AS {pools.shared('priced_by_token')}")
