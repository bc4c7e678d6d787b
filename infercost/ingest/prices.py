"""Shares the hours of pools anew, and brings to the store what is new of the price book and of the model names."""

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from infercost.config import Config
from infercost.engine import literal
from infercost.pricing import pools
from infercost.store import Commit, Snapshot, Store
from infercost.store.views import relation

if TYPE_CHECKING:
    import duckdb


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
    # An id stands for everything in its row: ids alone say what is new, and the rows are only read to be written.
    known = "SELECT price_id FROM book_prices UNION ALL SELECT price_id FROM effective_prices"
    own = "SELECT DISTINCT * FROM effective_prices ANTI JOIN book_prices USING (price_id)"
    is_new = f"ANTI JOIN (SELECT price_id FROM ({relation(snapshot, 'prices')})) AS stored USING (price_id)"
    names = f"FROM model_map EXCEPT FROM ({relation(snapshot, 'model_map')})"
    selects = {
        "prices": (f"SELECT * FROM ({known}) {is_new}", f"SELECT * FROM (FROM book_prices UNION ALL {own}) {is_new}"),
        "model_map": (names, names),
    }
    for table, (asked, select) in selects.items():
        if connection.execute(f"SELECT count(*) > 0 FROM ({asked})").fetchall()[0][0]:
            change.add(table, store.write(connection, table, select, name))
