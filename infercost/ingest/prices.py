"""Prices a batch, and brings to the store what is new of the price book and of the model names."""

from typing import TYPE_CHECKING

from infercost.config import Config
from infercost.pricing.apply import apply
from infercost.pricing.tables import create_maps
from infercost.store import Commit, Snapshot, Store
from infercost.store.views import relation

if TYPE_CHECKING:
    import duckdb


def price(connection: "duckdb.DuckDBPyConnection", settings: Config, source: str, target: str) -> None:
    """Make view `target`: the rows of `source` with their costs; the connection holds the price tables."""
    create_maps(connection, source, settings.aliases, settings.price_overrides)
    apply(connection, source, target, "VIEW")


def add_new(
    connection: "duckdb.DuckDBPyConnection", store: Store, snapshot: Snapshot, change: Commit, name: str
) -> None:
    """Add to the commit the price rows and the model names that the store does not have yet."""
    selects = {
        "prices": "SELECT * FROM (FROM book_prices UNION FROM effective_prices) AS new "
        f"ANTI JOIN ({relation(snapshot, 'prices')}) AS stored USING (price_id)",
        "model_map": f"FROM model_map EXCEPT FROM ({relation(snapshot, 'model_map')})",
    }
    for table, select in selects.items():
        if connection.execute(f"SELECT count(*) > 0 FROM ({select})").fetchall()[0][0]:
            change.add(table, store.write(connection, table, select, name))
