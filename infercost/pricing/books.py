"""Finds a whole price book by its name: the installed one, one that the store keeps, or one in a file."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from infercost import engine, schema
from infercost.config import CONFIG_NAME
from infercost.errors import UsageError
from infercost.pricing.book import book_version, load_book
from infercost.pricing.rows import MAX_RATE, arrow_schema, from_table, to_table

if TYPE_CHECKING:
    import duckdb

INSTALLED = "installed"
"""Names the book of the installed package, with the packaged corrections and without the user's overrides."""

_DEFAULTS = {"lane": "standard", "input_from": "0", "currency": "USD", "basis": "book"}
_NEEDED = ("provider", "model")


def find_book(
    name: str, cache_folder: Path | None = None, connection: "duckdb.DuckDBPyConnection | None" = None
) -> pa.Table:
    """Return the book called `name` with the columns of schema.PRICES.

    `installed`, a file as `read_file` takes it, or books of the store joined with commas, which `connection` holds as
    `prices`. Raises UsageError for a name that is none of these, naming those that there are.
    """
    if name.strip().lower() == INSTALLED:
        return load_book(cache_folder)
    if not needs_store(name):
        return read_file(Path(name))
    known = stored_books(connection) if connection is not None else []
    wanted = [part.strip() for part in name.split(",")]
    unknown = [part for part in wanted if part not in known]
    if unknown or connection is None:
        stored = ", ".join(repr(each) for each in known) or "none"
        raise UsageError(
            f"there is no price book called {(unknown or wanted)[0]!r}",
            hint=f"Name {INSTALLED}, a file, or a book of the store: {stored}.",
        )
    marks = ", ".join("?" for _ in wanted)
    found = connection.sql(f"SELECT DISTINCT {_columns()} FROM prices WHERE book IN ({marks})", params=wanted)
    return found.to_arrow_table().cast(arrow_schema(schema.PRICES))


def stored_books(connection: "duckdb.DuckDBPyConnection") -> list[str]:
    """Return the names of the books that the store's `prices` holds, without the user's own prices."""
    rows = connection.execute(f"SELECT DISTINCT book FROM prices WHERE book <> '{CONFIG_NAME}' ORDER BY book")
    return [book for (book,) in rows.fetchall()]


def newest_books(connection: "duckdb.DuckDBPyConnection") -> str | None:
    """Return the books that the store's latest load was priced by, as `find_book` takes them; None without any."""
    known = stored_books(connection)
    rows = connection.execute("SELECT book FROM loads WHERE book IS NOT NULL ORDER BY loaded_at DESC LIMIT 1")
    latest = [part.strip() for (book,) in rows.fetchall() for part in book.split(",")]
    return ",".join(part for part in latest if part in known) or None


def needs_store(name: str) -> bool:
    """Tell whether the book called `name` can only be one of the store."""
    return name.strip().lower() != INSTALLED and not Path(name).is_file()


def read_file(path: Path, name: str | None = None) -> pa.Table:
    """Return the book in a Parquet or CSV file, such as `infercost prices list --at all --format csv` writes.

    Columns are those of schema.PRICES, of which only `provider`, `model` and one rate must be there; rates are
    picodollars per token. `name` takes the place of the column `book`, which is the file's name where it is missing.
    `price_id` is worked out again. Raises UsageError for a file that is not like this.
    """
    import duckdb

    with engine.connect() as connection:
        try:
            connection.execute(f"CREATE TABLE given AS FROM {_reader(path)}")
            columns = [row[0] for row in connection.execute("DESCRIBE given").fetchall()]
            _check_columns(path, columns)
            values = ", ".join(_value(column, columns, path.stem, name) for column in schema.PRICES)
            table = connection.sql(f"SELECT {values} FROM given").to_arrow_table()
        except duckdb.Error as error:
            raise UsageError(f"{path}: {str(error).splitlines()[0]}", hint=_HINT) from error
    return _checked(path, table.cast(arrow_schema(schema.PRICES)))


_HINT = "`infercost prices list --at all --format csv` writes a file with the columns and units that are read here."


def book_names(table: pa.Table) -> list[str]:
    """Return the names in the column `book`, sorted."""
    return sorted(set(table["book"].to_pylist()))


def installed_name() -> str:
    """Return the name and version of the installed book."""
    return book_version()


def _columns() -> str:
    return ", ".join(column.name for column in schema.PRICES)


def _reader(path: Path) -> str:
    place = engine.literal(str(path))
    if path.suffix == ".parquet":
        return f"read_parquet({place})"
    # Everything is text at first, so that no digit of a rate is lost to a guessed type.
    rows = f"read_csv({place}, header = true, all_varchar = true, delim = ',')"
    # A name that a spreadsheet would take for a formula is written with an apostrophe before it.
    starts = engine.literal(f"^'([{engine.FORMULA_STARTS}])")
    return f"(SELECT regexp_replace(COLUMNS(*), {starts}, '\\1') FROM {rows})"


def _check_columns(path: Path, columns: list[str]) -> None:
    allowed = [column.name for column in schema.PRICES]
    unknown = [name for name in columns if name not in allowed]
    missing = [name for name in _NEEDED if name not in columns]
    if unknown or missing:
        problem = f"unknown column {unknown[0]!r}" if unknown else f"no column {missing[0]!r}"
        raise UsageError(f"{path}: {problem}; columns are {', '.join(allowed)}", hint=_HINT)


def _value(column: schema.Column, columns: list[str], stem: str, name: str | None) -> str:
    """Return the SQL of one column of the book: cast to its type, or its default where the file does not say."""
    defaults = {**_DEFAULTS, "book": stem, "source": f"{stem} (file)"}
    given = f"CAST(nullif(trim(CAST({column.name} AS VARCHAR)), '') AS {column.type})"
    if column.name == "book" and name is not None:
        given = engine.literal(name)
    elif column.name not in columns:
        given = f"CAST(NULL AS {column.type})"
    if column.name in defaults:
        given = f"coalesce({given}, CAST({engine.literal(defaults[column.name])} AS {column.type}))"
    return f"{given} AS {column.name}"


def _checked(path: Path, table: pa.Table) -> pa.Table:
    rows = from_table(table)
    for number, row in enumerate(rows, 1):
        amounts = [amount for amount in (*row.rates, *row.fees) if amount is not None]
        if not row.provider or not row.model:
            raise UsageError(f"{path}: row {number} has no provider or no model", hint=_HINT)
        if not amounts or min(amounts) < 0 or max((rate or 0 for rate in row.rates), default=0) > MAX_RATE:
            raise UsageError(
                f"{path}: row {number} ({row.provider}/{row.model}) needs a rate from 0 to {MAX_RATE:,} picodollars "
                "per token (1,000,000 is 1 USD per million tokens)",
                hint=_HINT,
            )
    if not rows:
        raise UsageError(f"{path}: no rows", hint=_HINT)
    return to_table(dict.fromkeys(rows))
