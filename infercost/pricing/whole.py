"""Prices a whole set of attempts by a configuration: by the token, and by the hour where a pool served."""

from datetime import datetime
from typing import TYPE_CHECKING

from infercost.config import Config
from infercost.engine import identifier
from infercost.pricing import pools
from infercost.pricing.apply import apply
from infercost.pricing.tables import create_maps

if TYPE_CHECKING:
    import duckdb


def price_view(
    connection: "duckdb.DuckDBPyConnection", settings: Config, source: str, target: str, as_of: datetime | None = None
) -> None:
    """Make view `target`: the rows of `source` with their costs; the connection holds the price tables.

    What pools served is shared among the rows at hand. `as_of` is that of `apply`; pools go by each attempt's own time.
    """
    create_maps(connection, source, settings.aliases, settings.price_overrides)
    if not settings.pools:
        apply(connection, source, target, "VIEW", as_of)
        return
    apply(connection, source, "priced_by_token", "VIEW", as_of)
    pools.share(connection, source, settings.pools)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {identifier(target)} AS {pools.shared('priced_by_token')}")
