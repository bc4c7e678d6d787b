"""Puts what pricing needs into a DuckDB connection: both price tables, and the map of the names that were logged."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from infercost.config import Alias, Pool, PriceOverride
from infercost.engine import identifier
from infercost.pricing import scopes
from infercost.pricing.book import load_book
from infercost.pricing.overrides import scoped_rows, with_overrides
from infercost.pricing.pools import price_rows
from infercost.pricing.regions import region_class
from infercost.pricing.resolve import ModelName, model_map, resolve
from infercost.pricing.rows import to_table

if TYPE_CHECKING:
    import duckdb


def create_prices(
    connection: "duckdb.DuckDBPyConnection",
    overrides: tuple[PriceOverride, ...] = (),
    cache_folder: Path | None = None,
    pools: Sequence[Pool] = (),
    book: pa.Table | None = None,
) -> None:
    """Create the views `book_prices` and `effective_prices` (schema.PRICES) that `apply` reads.

    The rows of pools are among the effective ones; no attempt's name resolves to them. `book` takes the place of the
    installed one.
    """
    book = load_book(cache_folder) if book is None else book
    # Arrow tables are read where they lie: a copy in DuckDB costs more than the few times that it is read.
    connection.register("book_prices", book)
    effective = [with_overrides(book, overrides), to_table(price_rows(pools))]
    connection.register("effective_prices", pa.concat_tables(effective))


REGION_MAP = ("provider_name", "price_model", "region", "region_class")
"""Columns of `region_map`: what was logged of regions with prices of their own, with the class that `prices` names."""

SCOPE_MAP = (*scopes.HOLDER, "scope")
"""Columns of `scope_map`: the teams and keys that have prices of their own, with the scope that `prices` names."""


def create_maps(
    connection: "duckdb.DuckDBPyConnection",
    source: str,
    aliases: Sequence[Alias] = (),
    overrides: Sequence[PriceOverride] = (),
) -> None:
    """Create `model_map` (schema.MODEL_MAP), `region_map` and `scope_map` for what is distinct in `source`.

    Prices of scopes that appear for the first time are added to `effective_prices`.
    """
    regions = _distinct(connection, source, "provider_name", "price_model", "region")
    pairs = dict.fromkeys((provider, model) for provider, model, _ in regions)
    names = [ModelName(provider, model) for provider, model in pairs if model is not None]
    _create(connection, "model_map", model_map(resolve(names, aliases, overrides)))
    classes = [(*row, region_class(row[0], row[2], row[1])) for row in regions]
    rows = [row for row in classes if row[-1] is not None]
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(REGION_MAP))]
    _create(connection, "region_map", pa.table(columns, list(REGION_MAP)))
    _create_scopes(connection, source, overrides)


def _create_scopes(connection: "duckdb.DuckDBPyConnection", source: str, overrides: Sequence[PriceOverride]) -> None:
    """Create `scope_map`, which is empty where no override has a scope, and the prices of the scopes in it."""
    columns = ", ".join(scopes.HOLDER)
    asked = f"SELECT DISTINCT {columns} FROM {identifier(source)}" if any(each.scope for each in overrides) else None
    holders = connection.execute(f"{asked} ORDER BY ALL").fetchall() if asked else []
    found = {holder: scopes.applying(holder, overrides) for holder in holders}
    rows = [(*holder, scope) for holder, those in found.items() if (scope := scopes.scope_of(those))]
    arrays = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(SCOPE_MAP))]
    _create(connection, "scope_map", pa.table(arrays, list(SCOPE_MAP)))
    for scope, those in {scopes.scope_of(those): those for those in found.values()}.items():
        known = connection.execute("SELECT count(*) FROM effective_prices WHERE scope = ?", [scope]).fetchall()
        if scope and known == [(0,)]:
            book, effective = (
                connection.sql(f"FROM {name}").to_arrow_table() for name in ("book_prices", "effective_prices")
            )
            rows_of_scope = scoped_rows(book, those, scope).cast(effective.schema)
            connection.register("effective_prices", pa.concat_tables([effective, rows_of_scope]))


def _distinct(connection: "duckdb.DuckDBPyConnection", source: str, *columns: str) -> list[tuple[Any, ...]]:
    """Return the distinct values of some columns together."""
    query = f"SELECT DISTINCT {', '.join(columns)} FROM {identifier(source)} ORDER BY ALL"
    return connection.execute(query).fetchall()


def _create(connection: "duckdb.DuckDBPyConnection", name: str, table: pa.Table) -> None:
    connection.register("_incoming", table)
    try:
        connection.execute(f"CREATE OR REPLACE TABLE {identifier(name)} AS FROM _incoming")
    finally:
        connection.unregister("_incoming")
