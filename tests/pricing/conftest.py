"""Fixtures of the pricing tests: the book of the installed package, and a bench that prices attempts with it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest

from infercost import engine, schema
from infercost.config import Alias, PriceOverride
from infercost.pricing.apply import apply
from infercost.pricing.book import load_book
from infercost.pricing.overrides import with_overrides
from infercost.pricing.tables import create_maps

Attempt = Mapping[str, Any]
Priced = list[dict[str, Any]]

TOKEN_COLUMNS = [f"{kind}_tokens" for kind in schema.TOKEN_KINDS]


class Bench:
    """A DuckDB connection with an `attempts` table that can be filled from dicts and priced."""

    def __init__(self, book: pa.Table) -> None:
        self.book = book
        self.connection = engine.connect()

    def fill(self, attempts: Sequence[Attempt]) -> None:
        columns = [column for column in schema.ATTEMPTS if column.origin in ("log", "attribution")]
        columns += [schema.ATTEMPT_COLUMNS[name] for name in ("attempt_id", "input_tokens", "output_tokens")]
        self.connection.execute(f"CREATE OR REPLACE TABLE attempts ({schema.columns_sql(tuple(columns))})")
        for number, attempt in enumerate(attempts):
            row = {"status": "ok", "started_at": "2026-11-20T12:00:00Z", "attempt_id": str(number), **attempt}
            for name, kinds in (("input_tokens", schema.INPUT_KINDS), ("output_tokens", schema.OUTPUT_KINDS)):
                known = [row[f"{kind}_tokens"] for kind in kinds if row.get(f"{kind}_tokens") is not None]
                row.setdefault(name, sum(known) if known else None)
            names = ", ".join(engine.identifier(name) for name in row)
            marks = ", ".join("?" for _ in row)
            self.connection.execute(f"INSERT INTO attempts ({names}) VALUES ({marks})", list(row.values()))

    def set_prices(self, book: pa.Table, effective: pa.Table) -> None:
        for name, table in (("book_prices", book), ("effective_prices", effective)):
            self.connection.register(name, table)

    def price(
        self,
        attempts: Sequence[Attempt],
        overrides: tuple[PriceOverride, ...] = (),
        aliases: tuple[Alias, ...] = (),
    ) -> Priced:
        self.fill(attempts)
        self.set_prices(self.book, with_overrides(self.book, overrides))
        create_maps(self.connection, "attempts", aliases, overrides)
        apply(self.connection, "attempts", "priced")
        return self.rows("SELECT * EXCLUDE (started_at) FROM priced ORDER BY attempt_id::BIGINT")

    def rows(self, sql: str) -> Priced:
        result: Priced = self.connection.sql(sql).to_arrow_table().to_pylist()
        return result


@pytest.fixture(scope="session")
def book() -> pa.Table:
    return load_book()


@pytest.fixture
def bench(book: pa.Table) -> Bench:
    return Bench(book)


@pytest.fixture
def price(bench: Bench) -> Callable[..., Priced]:
    return bench.price
