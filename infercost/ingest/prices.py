"""Prices a batch, and brings to the store what is new of the price book and of the model names."""

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from infercost.config import Config
from infercost.engine import literal
from infercost.pricing import pools
from infercost.pricing.whole import price_view
from infercost.store import Commit, Snapshot, Store
from infercost.store.views import relation

if TYPE_CHECKING:
    import duckdb


def price(connection: "duckdb.DuckDBPyConnection", settings: Config, source: str, target: str) -> None:
    """Make view `target`: the rows of `source` with their costs; the connection holds the price tables.

    What pools served is shared among the rows at hand; `settle` shares it among all of an hour.
    """
    price_view(connection, settings, source, target)


def settle(
    connection: "duckdb.DuckDBPyConnection", store: Store, settings: Config, snapshot: Snapshot, days: Iterable[date]
) -> Snapshot:
    """Share the hours of pools anew among all attempts of `days` (UTC) in the store, and commit what that changes."""
    listed = ", ".join(f"DATE {literal(day.isoformat())}" for day in sorted(days))
    if not listed or not settings.pools:
        return snapshot
    run = connection.execute
    stored = f"SELECT * FROM ({relation(snapshot, 'attempts', ('filename',))}) WHERE day IN ({listed})"
    run(f"CREATE OR REPLACE TEMP VIEW settled_days AS {stored}")
    pools.share(connection, "settled_days", settings.pools)
    differs = " OR ".join(f"pool_costs.{name} IS DISTINCT FROM stored.{name}" for name in pools.shared_columns())
    rows = run(
        "SELECT DISTINCT stored.filename FROM settled_days AS stored INNER JOIN pool_costs USING (attempt_id) "
        f"WHERE {differs}"
    ).fetchall()
    if not rows:
        return snapshot
    files = ", ".join(literal(row[0]) for row in rows)
    change = Commit()
    change.remove("attempts", snapshot.parts_of("attempts", [row[0] for row in rows]))
    select = f"SELECT * EXCLUDE (filename) FROM ({pools.shared('settled_days')}) WHERE filename IN ({files})"
    change.add("attempts", store.write(connection, "attempts", select, f"pools-{snapshot.sequence}"))
    return store.commit(change)


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
