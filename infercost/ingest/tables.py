"""Turns tables (CSV, TSV, Parquet) into lines of JSON, a row a record, so that a format reads them like any log.

DuckDB reads and writes; only the columns that the format declares are taken over.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infercost import engine
from infercost.ingest.registry import Format

if TYPE_CHECKING:
    import duckdb

PARQUET_MAGIC = b"PAR1"
DELIMITERS = (",", "\t", ";", "|")
_SCALARS = ("VARCHAR", "BIGINT", "INTEGER", "HUGEINT", "DOUBLE", "BOOLEAN", "DECIMAL", "TIMESTAMP", "TIMESTAMPTZ")


@dataclass(frozen=True)
class BadRow:
    """A row of a CSV file that is none: its position (the header is 1), the reason, and its length."""

    line: int
    reason: str
    record_bytes: int


def delimiter_of(header: str) -> str:
    """Return the delimiter of a CSV header: of the usual ones that which makes most columns."""
    return max(DELIMITERS, key=lambda each: len(next(csv.reader([header], delimiter=each), [])))


def parquet_head(path: Path, rows: int) -> tuple[str, ...]:
    """Return the first rows of a Parquet file as JSON texts; raises OSError when it is none."""
    import duckdb

    with engine.connect() as connection:
        try:
            found = connection.execute(
                f"SELECT to_json(row)::VARCHAR FROM read_parquet({engine.literal(str(path))}) AS row LIMIT {rows}"
            ).fetchall()
        except duckdb.Error as error:
            raise OSError(0, f"not a whole Parquet file: {str(error).splitlines()[0]}") from error
    return tuple(row[0] for row in found)


def write_parquet_rows(connection: "duckdb.DuckDBPyConnection", path: Path, form: Format, out: Path) -> None:
    """Write the rows of a Parquet file as lines; raises OSError when the file is damaged."""
    import duckdb

    read = f"read_parquet({engine.literal(str(path))})"
    run = connection.execute
    run("SET preserve_insertion_order = true")
    try:
        header = [row[0] for row in run(f"DESCRIBE SELECT * FROM {read}").fetchall()]
        known = {name.lower(): name for name in header}
        select = [
            f"{engine.identifier(known[name.lower()])} AS {engine.identifier(name)}"
            for name in form.columns
            if name.lower() in known
        ] or ["NULL AS nothing"]
        run(f"COPY (SELECT {', '.join(select)} FROM {read}) TO {engine.literal(str(out))} (FORMAT json)")
    except (duckdb.InvalidInputException, duckdb.IOException) as error:
        raise OSError(0, f"not a whole Parquet file: {str(error).splitlines()[0]}") from error


def write_csv_rows(
    connection: "duckdb.DuckDBPyConnection", path: Path, form: Format, max_record_bytes: int, out: Path
) -> list[BadRow]:
    """Write the rows of a CSV file as lines, with an empty line in the place of each bad row, and return those."""
    import duckdb

    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        first = stream.readline()
        delimiter = delimiter_of(first)
        stream.seek(0)
        header = _distinct(next(csv.reader(stream, delimiter=delimiter), []))
    declared = ", ".join(f"{engine.identifier(name)}: 'VARCHAR'" for name in header)
    read = (
        f"{engine.literal(str(path))}, columns = {{{declared}}}, header = true, auto_detect = false, "
        f"delim = {engine.literal(delimiter)}, quote = '\"', escape = '\"', compression = 'none', "
        f"max_line_size = {max_record_bytes}"
    )
    select = ", ".join(_cells(header, form)) or "NULL AS nothing"
    target = engine.literal(str(out))
    connection.execute("SET preserve_insertion_order = true")
    try:
        connection.execute(f"COPY (SELECT {select} FROM read_csv({read})) TO {target} (FORMAT json)")
    except duckdb.Error:
        return _write_around_bad_rows(
            connection, f"SELECT {select} FROM read_csv({read}, store_rejects = true)", target
        )
    return []


def _write_around_bad_rows(connection: "duckdb.DuckDBPyConnection", select: str, target: str) -> list[BadRow]:
    run = connection.execute
    run(f"CREATE OR REPLACE TEMP TABLE good_rows AS SELECT to_json(row)::VARCHAR AS text FROM ({select}) AS row")
    bad = run(
        "SELECT line, first(error_message), first(octet_length(encode(csv_line))) FROM reject_errors "
        "GROUP BY line ORDER BY line"
    ).fetchall()
    run("CREATE OR REPLACE TEMP TABLE bad_rows AS SELECT DISTINCT line FROM reject_errors")
    run("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    # The good rows take, in order, the lines that the bad ones leave.
    run(
        "COPY (SELECT text FROM (SELECT line, text FROM (SELECT row_number() OVER () AS nth, text FROM good_rows) "
        "JOIN (SELECT line, row_number() OVER (ORDER BY line) AS nth FROM (SELECT unnest(range(2, 2 + "
        "(SELECT count(*) FROM good_rows) + (SELECT count(*) FROM bad_rows))) AS line) "
        "WHERE line NOT IN (SELECT line FROM bad_rows)) USING (nth) "
        "UNION ALL SELECT line, '' FROM bad_rows) ORDER BY line) "
        f"TO {target} (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x1f')"
    )
    run("DROP TABLE good_rows; DROP TABLE bad_rows")
    return [BadRow(*row) for row in bad]


def _cells(header: Sequence[str], form: Format) -> list[str]:
    """Return the expressions of the declared columns that the header has: no text is NULL, JSON is taken as such."""
    known = {name.lower(): name for name in header}
    found = []
    for name, kind in form.columns.items():
        if name.lower() in known:
            cell = f"nullif({engine.identifier(known[name.lower()])}, '')"
            if not kind.upper().startswith(_SCALARS) or kind.endswith("[]"):
                cell = f"coalesce(try_cast({cell} AS JSON), to_json({cell}))"
            found.append(f"{cell} AS {engine.identifier(name)}")
    return found


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names with a number behind those that repeat, as DuckDB needs them."""
    seen: dict[str, int] = {}
    result: list[str] = []
    for name in names:
        count = seen.get(name.lower(), 0)
        seen[name.lower()] = count + 1
        result.append(f"{name}_{count}" if count else name)
    return result
