"""From pieces to canonical columns: the tables `raw` (parsed), `bad` (what could not be), `records_at` and `mapped`."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from infercost import engine, schema
from infercost.ingest.parse import Parser
from infercost.ingest.pieces import Piece
from infercost.ingest.registry import Format

if TYPE_CHECKING:
    import duckdb

_HERE = Path(__file__).parent


class Mapper:
    """Reads pieces of one format with its declaration and its SELECT; the tables are those of the connection."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", form: Format, max_record_bytes: int) -> None:
        self.connection = connection
        self.form = form
        self.parser = Parser(connection, form, max_record_bytes)
        connection.execute((_HERE / "macros.sql").read_text(encoding="utf-8"))
        if form.macros_sql:
            connection.execute(form.macros_sql)

    def parse(self, pieces: Sequence[Piece]) -> None:
        """Fill `raw` and `bad`."""
        # Only here the order of rows says which line a record is; without it every later step runs in parallel.
        self.connection.execute("SET preserve_insertion_order = true")
        self.parser.parse(pieces)
        self.connection.execute("SET preserve_insertion_order = false")

    def map(self, pieces: Sequence[Piece], loads: Sequence[str]) -> None:
        """Run the format's SELECT over `records` into `mapped`; `loads` are the ids of the pieces' loads."""
        run = self.connection.execute
        run(
            "CREATE OR REPLACE TEMP TABLE pieces (piece INT, load_id VARCHAR, source_file VARCHAR, first_line BIGINT, "
            "file_modified_at TIMESTAMPTZ)"
        )
        self.connection.executemany(
            "INSERT INTO pieces VALUES (?, ?, ?, ?, ?)",
            [(n, loads[n], piece.source, piece.first_line, piece.modified_at) for n, piece in enumerate(pieces)],
        )
        run(
            "CREATE OR REPLACE TEMP TABLE placed AS SELECT pieces.*, coalesce(first_row, 0) AS first_row FROM pieces "
            "LEFT JOIN (SELECT piece, min(rowid) AS first_row FROM raw GROUP BY piece) USING (piece)"
        )
        run(f"CREATE OR REPLACE TEMP TABLE records_at AS {step('records_at')}")
        run(f"CREATE OR REPLACE TEMP TABLE mapped ({schema.columns_sql(self.form.mapped)})")
        (rows,) = run("SELECT count(*) FROM raw").fetchall()[0]
        self._map_range(0, rows)
        run("DROP TABLE raw")

    def _map_range(self, start: int, stop: int) -> None:
        """Map the records of a range of `raw`; one that makes the SELECT fail is found by halving and rejected."""
        import duckdb

        columns = ", ".join(f"raw.{engine.identifier(name)}" for name in self.form.columns)
        records = step("records", columns=columns, raw=self.ranges("raw", start, stop))
        self.connection.execute(f"CREATE OR REPLACE TEMP VIEW records AS {records}")
        try:
            self.connection.execute(f"INSERT INTO mapped BY NAME {self.form.map_sql}")
        except (duckdb.OutOfRangeException, duckdb.ConversionException, duckdb.InvalidInputException) as error:
            if stop - start > 1:
                middle = (start + stop) // 2
                self._map_range(start, middle)
                self._map_range(middle, stop)
                return
            self.connection.execute(
                "INSERT INTO bad SELECT piece, source_line, ?, NULL FROM records_at WHERE record_number = ?",
                [str(error).splitlines()[0], start],
            )

    def ranges(self, table: str, start: int = 0, stop: int | None = None) -> str:
        """Return the rows of a table from `start` to `stop`, with `position`, as one SELECT a thread.

        DuckDB gives a thread no less than a row group of 122,880 rows, so a batch would keep only one busy.
        """
        if stop is None:
            (stop,) = self.connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0]
        (threads,) = self.connection.execute("SELECT current_setting('threads')").fetchall()[0]
        bounds = [start + (stop - start) * each // threads for each in range(threads + 1)]
        return " UNION ALL ".join(
            f"SELECT *, rowid AS position FROM {table} WHERE rowid >= {first} AND rowid < {end}"
            for first, end in pairwise(bounds)
        )


def judge(form: Format) -> str:
    """Return the SELECT that says of each row of `mapped` whether it is usable, another kind of record, or a reject."""
    family = engine.literal(f"{form.family}:")
    if form.table == "bills":
        return step("judge_bills", family=family, measures=", ".join(map(engine.literal, schema.MEASURES)))
    tokens = ", ".join(f"coalesce({kind}_tokens, 0)" for kind in schema.TOKEN_KINDS)
    return step("judge", family=family, tokens=tokens)


def step(name: str, **parts: str) -> str:
    """Return the SQL of a step, with `$name` replaced by generated SQL."""
    return Template((_HERE / "steps" / f"{name}.sql").read_text(encoding="utf-8")).substitute(parts)
