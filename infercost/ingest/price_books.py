"""Adds a price book from a file to the store, beside those that it has; what is stored keeps its costs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infercost import engine
from infercost.errors import UsageError
from infercost.pricing.books import book_names, read_file
from infercost.store import Commit, Store
from infercost.store.views import relation

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Added:
    """Rows of the file, and how many of them the store did not have yet."""

    rows: int
    new: int


def read_new_book(store: Store, path: Path, name: str | None) -> "pa.Table":
    """Return the book in the file, under a name that is free in the store or whose rows are the same.

    Raises UsageError where the store has another book of that name: a book that costs were worked out by never changes.
    """
    table = read_file(path, name)
    with engine.connect() as connection:
        connection.register("given", table)
        connection.execute(f"CREATE TEMP VIEW stored AS {relation(store.snapshot(), 'prices')}")
        taken = connection.execute(
            "SELECT DISTINCT book FROM given WHERE book IN (SELECT book FROM stored) "
            "AND price_id NOT IN (SELECT price_id FROM stored) ORDER BY book"
        ).fetchall()
    if taken:
        raise UsageError(
            f"{path}: the store has another book called {taken[0][0]!r}; books are added, never changed",
            hint=f"Give this one a name of its own: --name {path.stem}.",
        )
    return table


def add_book(store: Store, path: Path, name: str | None) -> Added:
    """Add the price rows of the file to the store in one commit; again, nothing is added.

    Raises UsageError as `read_new_book` does, StoreBusyError when another process writes.
    """
    with store.writer(), engine.connect(store.work / "spill") as connection:
        table = read_new_book(store, path, name)
        connection.register("given", table)
        stored = relation(store.snapshot(), "prices")
        select = f"SELECT DISTINCT * FROM given ANTI JOIN ({stored}) AS stored USING (price_id)"
        ((new,),) = connection.execute(f"SELECT count(*) FROM ({select})").fetchall()
        if new:
            change = Commit()
            change.add("prices", store.write(connection, "prices", select, "book"))
            store.commit(change)
        return Added(len(table), new)


def names_of(table: "pa.Table") -> str:
    """Return the names of the books in a table, joined as `reprice --book` takes them."""
    return ",".join(book_names(table))
