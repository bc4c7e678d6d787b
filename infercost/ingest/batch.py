"""One batch: pieces of one format, from text to a commit. Every step is SQL over temporary tables.

`raw` (parsed) -> `mapped` (canonical columns) -> `judged` (usable or not) -> `winners` (one row an attempt) ->
`prepared` (ids hashed, attributed) -> `priced` -> Parquet.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from infercost import __version__, clock, engine, schema
from infercost.attribution import rules
from infercost.config import Config
from infercost.ingest import prices, sources
from infercost.ingest.parse import Parser
from infercost.ingest.pieces import Piece
from infercost.ingest.registry import Format
from infercost.ingest.result import COUNTS, FileResult, IngestResult, Rejected
from infercost.pricing.book import book_version
from infercost.store import Commit, Snapshot, Store
from infercost.store.views import relation

if TYPE_CHECKING:
    import duckdb

SHOWN_REJECTS = 20
IS_UNPRICED = "list_cost IS NULL AND usage_source <> 'missing'"
"""An attempt whose tokens are known and whose price is not."""

_STEPS = Path(__file__).with_name("steps")


@dataclass
class Batch:
    """Everything one batch needs; `run` does it and returns the store's new snapshot."""

    connection: "duckdb.DuckDBPyConnection"
    store: Store
    settings: Config
    result: IngestResult
    form: Format

    def run(self, pieces: Sequence[Piece], results: dict[str, FileResult], snapshot: Snapshot) -> Snapshot:
        """Read `pieces`, add what is new to the store, and add the counts to `results` (by source file)."""
        loads = [_load_id(piece, snapshot.sequence) for piece in pieces]
        with self._timed("parse"):
            # Only here the order of rows says which line a record is; without it every later step runs in parallel.
            self.connection.execute("SET preserve_insertion_order = true")
            Parser(self.connection, self.form, self.settings.max_record_bytes).parse(pieces)
            self.connection.execute("SET preserve_insertion_order = false")
        with self._timed("map"):
            self._map(pieces, loads)
            self._judge()
        with self._timed("dedupe"):
            removed = self._dedupe(snapshot)
        with self._timed("attribute"):
            self._prepare()
        with self._timed("price"):
            prices.price(self.connection, self.settings, "prepared", "priced")
        with self._timed("write"):
            change = self._write(snapshot, removed, pieces, loads, results)
        with self._timed("commit"):
            return self.store.commit(change)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        taken = time.perf_counter() - start
        self.result.stage_seconds[stage] = self.result.stage_seconds.get(stage, 0.0) + taken

    def _map(self, pieces: Sequence[Piece], loads: Sequence[str]) -> None:
        """Run the format's SELECT over `records` into `mapped`."""
        run = self.connection.execute
        run("CREATE OR REPLACE TEMP TABLE pieces (piece INT, load_id VARCHAR, source_file VARCHAR, first_line BIGINT)")
        self.connection.executemany(
            "INSERT INTO pieces VALUES (?, ?, ?, ?)",
            [(n, loads[n], piece.source, piece.first_line) for n, piece in enumerate(pieces)],
        )
        run(
            "CREATE OR REPLACE TEMP TABLE placed AS SELECT pieces.*, coalesce(first_row, 0) AS first_row FROM pieces "
            "LEFT JOIN (SELECT piece, min(rowid) AS first_row FROM raw GROUP BY piece) USING (piece)"
        )
        run(f"CREATE OR REPLACE TEMP TABLE records_at AS {_step('records_at')}")
        run(f"CREATE OR REPLACE TEMP TABLE mapped ({schema.columns_sql(schema.MAPPED)})")
        (rows,) = run("SELECT count(*) FROM raw").fetchall()[0]
        self._map_range(0, rows)
        self._drop("raw")

    def _map_range(self, start: int, stop: int) -> None:
        """Map the records of a range of `raw`; one that makes the SELECT fail is found by halving and rejected."""
        import duckdb

        columns = ", ".join(f"raw.{engine.identifier(name)}" for name in self.form.columns)
        records = _step("records", columns=columns, raw=self._ranges("raw", start, stop))
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

    def _judge(self) -> None:
        """Decide for each mapped record whether it is a usable attempt, another kind of record, or a reject."""
        tokens = ", ".join(f"coalesce({kind}_tokens, 0)" for kind in schema.TOKEN_KINDS)
        step = _step("judge", family=engine.literal(f"{self.form.family}:"), tokens=tokens)
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {step}")

    def _dedupe(self, snapshot: Snapshot) -> list[str]:
        """Keep one record an attempt, in the batch and against the store; return the files to write again."""
        run = self.connection.execute
        run(f"CREATE OR REPLACE TEMP TABLE winners AS {_step('winners')}")
        if not snapshot.parts.get("attempts"):
            return []
        stored = relation(snapshot, "attempts", ("filename",))
        run(f"CREATE OR REPLACE TEMP TABLE known AS {_step('known', stored=stored)}")
        run(f"CREATE OR REPLACE TEMP TABLE settled AS {_step('settle')}")
        run(
            "DELETE FROM winners WHERE attempt_id IN (SELECT attempt_id FROM known) "
            "AND attempt_id NOT IN (SELECT attempt_id FROM settled WHERE superseded)"
        )
        run(
            "UPDATE winners SET started_at = least(winners.started_at, known.started_at) FROM known "
            "WHERE winners.attempt_id = known.attempt_id"
        )
        rows = run("SELECT DISTINCT filename FROM settled").fetchall()
        return [row[0] for row in rows]

    def _prepare(self) -> None:
        """Make `prepared`: the winners with hashed ids, totals, provenance and what the rules say of them."""
        own = {
            "attempt_id": "winners.attempt_id",
            "started_at": "winners.started_at",
            "dedupe_rank": "winners.dedupe_rank",
            "format": engine.literal(self.form.name),
            "gateway": f"coalesce(mapped.gateway, {engine.literal(self.form.gateway)})",
            "input_tokens": _sum(schema.INPUT_KINDS),
            "output_tokens": _sum(schema.OUTPUT_KINDS),
            "load_id": "records_at.load_id",
            "source_file": "records_at.source_file",
            "source_line": "records_at.source_line",
        }
        if self.settings.hash_ids:
            own |= {name: rules.hash_sql(f"mapped.{name}", self.store.salt) for name in ("user_id", "api_key_id")}
        known = [each.name for each in schema.ATTEMPTS if each.origin in ("log", "ingest")]
        select = ", ".join(f"{own.get(name, f'mapped.{name}')} AS {name}" for name in known)
        attributed = rules.expressions(self.settings, self.store.salt)
        columns = ", ".join(f"{expression} AS {name}" for name, expression in attributed.items())
        self.connection.execute(
            f"CREATE OR REPLACE TEMP VIEW prepared AS SELECT *, {columns} FROM (SELECT {select} FROM winners "
            f"JOIN ({self._ranges('mapped')}) AS mapped ON mapped.position = winners.mapped_row "
            "JOIN records_at USING (record_number))"
        )

    def _write(
        self,
        snapshot: Snapshot,
        files: list[str],
        pieces: Sequence[Piece],
        loads: Sequence[str],
        results: dict[str, FileResult],
    ) -> Commit:
        change = Commit()
        name = loads[0]
        day = "(started_at AT TIME ZONE 'UTC')::DATE AS day"
        select = f"SELECT *, {day} FROM priced"
        if files:
            listed = ", ".join(engine.literal(file) for file in files)
            change.remove("attempts", snapshot.parts_of("attempts", files))
            select += f" UNION ALL BY NAME {_step('rewrite', files=listed)}"
        if self._any("priced") or files:
            change.add("attempts", self.store.write(self.connection, "attempts", select, name))
        prices.add_new(self.connection, self.store, snapshot, change, name)
        self._count(pieces, loads, results)
        change.add("loads", self.store.write(self.connection, "loads", "FROM new_loads", name))
        if self._any("new_rejects"):
            change.add("rejects", self.store.write(self.connection, "rejects", "FROM new_rejects", name))
        return change

    def _ranges(self, table: str, start: int = 0, stop: int | None = None) -> str:
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

    def _drop(self, table: str) -> None:
        """Free the memory of a step's table that no later step reads."""
        self.connection.execute(f"DROP TABLE {table}")

    def _any(self, table: str) -> bool:
        return bool(self.connection.execute(f"SELECT count(*) > 0 FROM {table}").fetchall()[0][0])

    def _count(self, pieces: Sequence[Piece], loads: Sequence[str], results: dict[str, FileResult]) -> None:
        """Make `new_rejects` and `new_loads`, and add the counts to the results of the files."""
        run = self.connection.execute
        run(f"CREATE OR REPLACE TEMP TABLE new_rejects AS {_step('rejects')}")
        step = _step("counts", is_unpriced=IS_UNPRICED, unattributed=engine.literal(schema.UNATTRIBUTED))
        counted = self.connection.sql(step).to_arrow_table().to_pylist()
        rows = []
        for counts, piece, load in zip(counted, pieces, loads, strict=True):
            counts["duplicates"] = counts["records"] - counts["attempts"] - counts["skipped"] - counts["rejected"]
            result = results[piece.source]
            result.bytes += piece.bytes
            for each in COUNTS:
                setattr(result, each, getattr(result, each) + counts[each])
            rows.append(self._load_row(piece, load, counts))
        run(f"CREATE OR REPLACE TEMP TABLE new_loads ({schema.columns_sql(schema.LOADS)})")
        marks = ", ".join("?" for _ in schema.LOADS)
        self.connection.executemany(f"INSERT INTO new_loads VALUES ({marks})", rows)
        self._show()

    def _load_row(self, piece: Piece, load: str, counts: dict[str, int]) -> list[Any]:
        mark = sources.mark(piece.origin, piece.byte_end, piece.next_line, resumable=piece.resumable)
        row = {
            "load_id": load,
            "loaded_at": clock.now().isoformat(),
            "source_file": piece.source,
            "format": self.form.name,
            "byte_start": piece.byte_start,
            "byte_end": mark.byte_end,
            "file_bytes": mark.file_bytes,
            "next_line": mark.next_line,
            "resumable": mark.resumable,
            "head_bytes": mark.head_bytes,
            "head_hash": mark.head_hash,
            "tail_hash": mark.tail_hash,
            **counts,
            "book": book_version(),
            "schema_version": schema.SCHEMA_VERSION,
            "infercost_version": __version__,
        }
        return [row[column.name] for column in schema.LOADS]

    def _show(self) -> None:
        """Add the first rejects and the unpriced models to the result."""
        room = SHOWN_REJECTS - len(self.result.rejects)
        if room > 0:
            rows = self.connection.execute(
                f"SELECT source_file, source_line, reason FROM new_rejects ORDER BY ALL LIMIT {room}"
            ).fetchall()
            self.result.rejects += [Rejected(*row) for row in rows]
        unpriced = self.connection.execute(
            f"SELECT coalesce(price_model, '(no model)'), count(*) FROM priced WHERE {IS_UNPRICED} GROUP BY ALL"
        ).fetchall()
        for model, count in unpriced:
            self.result.unpriced_models[model] = self.result.unpriced_models.get(model, 0) + count


def _step(name: str, **parts: str) -> str:
    """Return the SQL of a step, with `$name` replaced by generated SQL."""
    return Template((_STEPS / f"{name}.sql").read_text(encoding="utf-8")).substitute(parts)


def _sum(kinds: tuple[str, ...]) -> str:
    """Return the SQL sum of token kinds: unknown kinds count as none, and all unknown is unknown."""
    known = ", ".join(f"mapped.{kind}_tokens" for kind in kinds)
    added = " + ".join(f"coalesce(mapped.{kind}_tokens, 0)" for kind in kinds)
    return f"CASE WHEN coalesce({known}) IS NOT NULL THEN {added} END"


def _load_id(piece: Piece, sequence: int) -> str:
    """Return an id that no other load of the store has: of the range read and the commit it belongs to."""
    text = f"{piece.source}\0{piece.byte_start}\0{piece.byte_end}\0{piece.first_line}\0{sequence}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
