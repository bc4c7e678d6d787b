"""One batch: pieces of one format, from text to a commit. Every step is SQL over temporary tables.

`raw` (parsed) -> `mapped` (canonical columns) -> `judged` (usable or not) -> `winners` (one row an attempt) ->
`prepared` (ids hashed, attributed) -> `priced` -> Parquet.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infercost import __version__, clock, engine, schema
from infercost.attribution import rules
from infercost.config import Config
from infercost.ingest import bills, nesting, prices, sources
from infercost.ingest.mapper import Mapper, judge, step
from infercost.ingest.pieces import Piece
from infercost.ingest.registry import GROUPS, Format
from infercost.ingest.result import COUNTS, Contradiction, FileResult, IngestResult, Rejected
from infercost.pricing.book import book_versions
from infercost.pricing.run import price
from infercost.store import Commit, Snapshot, Store
from infercost.store.views import relation

if TYPE_CHECKING:
    import duckdb

SHOWN_REJECTS = 20
IS_UNPRICED = "effective_cost IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL"
"""An attempt whose tokens are known and whose price is not, as the queries count it."""


@dataclass
class Batch:
    """Everything one batch needs; `run` does it and returns the store's new snapshot."""

    connection: "duckdb.DuckDBPyConnection"
    store: Store
    settings: Config
    result: IngestResult
    form: Format
    formats: Mapping[str, Format]
    sampling_rate: float | None = None

    def __post_init__(self) -> None:
        self.mapper = Mapper(self.connection, self.form, self.settings.max_record_bytes)

    def run(self, pieces: Sequence[Piece], results: dict[str, FileResult], snapshot: Snapshot) -> Snapshot:
        """Read `pieces`, add what is new to the store, and add the counts to `results` (by source file)."""
        loads = [_load_id(piece, snapshot.sequence) for piece in pieces]
        with self._timed("parse"):
            self.mapper.parse(pieces)
        with self._timed("map"):
            self.mapper.map(pieces, loads)
        change = self._bills(snapshot, loads) if self.form.table == "bills" else self._attempts(snapshot, loads)
        with self._timed("write"):
            self._book(change, pieces, loads, results)
        with self._timed("commit"):
            return self.store.commit(change)

    def _bills(self, snapshot: Snapshot, loads: Sequence[str]) -> Commit:
        with self._timed("dedupe"):
            bills.prepare(self.connection, self.store, self.settings, self.form)
        with self._timed("write"):
            return bills.write(self.connection, self.store, snapshot, loads[0])

    def _attempts(self, snapshot: Snapshot, loads: Sequence[str]) -> Commit:
        self._judge()
        with self._timed("dedupe"):
            removed = self._dedupe(snapshot)
        with self._timed("attribute"):
            self._prepare()
        days = self.connection.execute("SELECT DISTINCT (started_at AT TIME ZONE 'UTC')::DATE FROM winners").fetchall()
        self.result.days.update(day for (day,) in days)
        with self._timed("price"):
            price(self.connection, self.settings, "prepared", nesting.PRICED if self.form.nests else "priced")
            if self.form.nests:
                nesting.divide(self.connection)
        with self._timed("write"):
            return self._write(snapshot, removed, loads[0])

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        taken = time.perf_counter() - start
        self.result.stage_seconds[stage] = self.result.stage_seconds.get(stage, 0.0) + taken

    def _judge(self) -> None:
        """Decide for each mapped record whether it is a usable attempt, another kind of record, or a reject."""
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {judge(self.form)}")

    def _dedupe(self, snapshot: Snapshot) -> list[str]:
        """Keep one record an attempt, in the batch and against the store; return the files to write again."""
        run = self.connection.execute
        run(f"CREATE OR REPLACE TEMP TABLE winners AS {step('winners')}")
        run("CREATE OR REPLACE TEMP TABLE left_out (attempt_id VARCHAR, mapped_row BIGINT)")
        run("CREATE OR REPLACE TEMP TABLE aside (attempt_id VARCHAR, mapped_row BIGINT)")
        stored = relation(snapshot, "attempts", ("filename",))
        if self.form.nests:
            nesting.decide(self.connection, self.form, snapshot)
            self._settle(nesting.stored(snapshot))
            nesting.set_aside(self.connection, snapshot)
        elif snapshot.parts.get("attempts"):
            self._settle(stored)
        else:
            return []
        self._settle_overlaps(snapshot, stored)
        rows = run("SELECT DISTINCT filename FROM settled").fetchall()
        return [row[0] for row in rows]

    def _settle(self, stored: str) -> None:
        """Compare the winners with the copies of them that are stored: leave out those that are no better."""
        run = self.connection.execute
        run(f"CREATE OR REPLACE TEMP TABLE known AS {step('known', stored=stored)}")
        run(f"CREATE OR REPLACE TEMP TABLE settled AS {step('settle')}")
        run(
            "DELETE FROM winners WHERE attempt_id IN (SELECT attempt_id FROM known) "
            "AND attempt_id NOT IN (SELECT attempt_id FROM settled WHERE superseded)"
        )
        run(
            "UPDATE winners SET started_at = least(winners.started_at, known.started_at) FROM known "
            "WHERE winners.attempt_id = known.attempt_id"
        )

    def _settle_overlaps(self, snapshot: Snapshot, stored: str) -> None:
        """Count a call once that two formats tell of: one record of it is kept, the other left out or taken out."""
        run = self.connection.execute
        seen = run(f"SELECT DISTINCT format FROM ({relation(snapshot, 'loads')}) WHERE attempts > 0").fetchall()
        others = {name: self._comes_first(name) for (name,) in seen if self._family(name) != self.form.family}
        if not others:
            return
        run("CREATE OR REPLACE TEMP TABLE others (format VARCHAR, wins BOOLEAN)")
        self.connection.executemany("INSERT INTO others VALUES (?, ?)", sorted(others.items()))
        run(f"CREATE OR REPLACE TEMP TABLE overlapping AS {step('overlapping', stored=stored)}")
        run("INSERT INTO left_out SELECT DISTINCT attempt_id, mapped_row FROM overlapping WHERE NOT replaces")
        run("DELETE FROM winners WHERE attempt_id IN (SELECT attempt_id FROM left_out)")
        run(
            "INSERT INTO settled (attempt_id, filename, superseded) SELECT DISTINCT stored_id, filename, true "
            "FROM overlapping WHERE attempt_id IN (SELECT attempt_id FROM winners)"
        )
        told = run("SELECT format, replaces, count(DISTINCT attempt_id) FROM overlapping GROUP BY ALL ORDER BY ALL")
        for other, replaces, count in told.fetchall():
            kept, left_out = (self.form.name, other) if replaces else (other, self.form.name)
            self.result.tell_overlap(kept, left_out, count)

    def _family(self, name: str) -> str:
        """Return the family of a format that wrote into the store; one that is gone since is its own."""
        return self.formats[name].family if name in self.formats else name

    def _comes_first(self, name: str) -> bool:
        """Return whether the record of the format `name` is kept when this format tells of the same call."""
        other = self.formats.get(name)
        if other is None:
            return False
        place = (GROUPS.index(other.group), other.family), (GROUPS.index(self.form.group), self.form.family)
        return place[0] < place[1]

    def _prepare(self) -> None:
        """Make `prepared`: the winners with hashed ids, totals, provenance and what the rules say of them."""
        own = {
            "attempt_id": "winners.attempt_id",
            "started_at": "winners.started_at",
            "dedupe_rank": "winners.dedupe_rank",
            "format": engine.literal(self.form.name),
            "grain": engine.literal(self.form.grain),
            "weight": f"coalesce({_finite('weight')}, {self._weight()})",
            "duration_seconds": _finite("duration_seconds"),
            "time_to_first_token_seconds": _finite("time_to_first_token_seconds"),
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
            f"JOIN ({self.mapper.ranges('mapped')}) AS mapped ON mapped.position = winners.mapped_row "
            "JOIN records_at USING (record_number))"
        )

    def _weight(self) -> str:
        """Return how many calls a record stands for, by what the user says of the export."""
        return "NULL" if self.sampling_rate is None else f"{1 / self.sampling_rate!r}::DOUBLE"

    def _write(self, snapshot: Snapshot, files: list[str], name: str) -> Commit:
        change = Commit()
        if self.form.nests:
            nesting.write(self.connection, self.store, snapshot, change, files, name)
            prices.add_new(self.connection, self.store, snapshot, change, name)
            return change
        day = "(started_at AT TIME ZONE 'UTC')::DATE AS day"
        select = f"SELECT *, {day} FROM priced"
        if files:
            listed = ", ".join(engine.literal(file) for file in files)
            change.remove("attempts", snapshot.parts_of("attempts", files))
            select += f" UNION ALL BY NAME {step('rewrite', files=listed)}"
        if self._any("winners") or files:
            change.add("attempts", self.store.write(self.connection, "attempts", select, name))
        prices.add_new(self.connection, self.store, snapshot, change, name)
        return change

    def _book(
        self, change: Commit, pieces: Sequence[Piece], loads: Sequence[str], results: dict[str, FileResult]
    ) -> None:
        """Add to the change what the loads were and what they rejected."""
        self._count(pieces, loads, results)
        change.add("loads", self.store.write(self.connection, "loads", "FROM new_loads", loads[0]))
        if self._any("new_rejects"):
            change.add("rejects", self.store.write(self.connection, "rejects", "FROM new_rejects", loads[0]))

    def _any(self, table: str) -> bool:
        return bool(self.connection.execute(f"SELECT count(*) > 0 FROM {table}").fetchall()[0][0])

    def _count(self, pieces: Sequence[Piece], loads: Sequence[str], results: dict[str, FileResult]) -> None:
        """Make `new_rejects` and `new_loads`, and add the counts to the results of the files."""
        run = self.connection.execute
        run(f"CREATE OR REPLACE TEMP TABLE new_rejects AS {step('rejects')}")
        is_bill = self.form.table == "bills"
        if not is_bill:
            parts = {"is_unpriced": IS_UNPRICED, "unattributed": engine.literal(schema.UNATTRIBUTED)}
            run(f"CREATE OR REPLACE TEMP TABLE told AS {step('told', **parts)}")
        counted = self.connection.sql(step("counts_bills" if is_bill else "counts")).to_arrow_table().to_pylist()
        rows = []
        for counts, piece, load in zip(counted, pieces, loads, strict=True):
            told = ("attempts", "bill_lines", "overlapping", "skipped", "rejected")
            counts["duplicates"] = counts["records"] - sum(counts[each] for each in told)
            result = results[piece.source]
            result.bytes += piece.bytes
            for each in COUNTS:
                setattr(result, each, getattr(result, each) + counts[each])
            rows.append(self._load_row(piece, load, counts))
        run(f"CREATE OR REPLACE TEMP TABLE new_loads ({schema.columns_sql(schema.LOADS)})")
        marks = ", ".join("?" for _ in schema.LOADS)
        self.connection.executemany(f"INSERT INTO new_loads VALUES ({marks})", rows)
        self._show_rejects()
        if not is_bill:
            self._show_attempts()

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
            "book": book_versions(),
            "schema_version": schema.SCHEMA_VERSION,
            "infercost_version": __version__,
        }
        return [row[column.name] for column in schema.LOADS]

    def _show_rejects(self) -> None:
        """Add the first rejects to the result."""
        room = SHOWN_REJECTS - len(self.result.rejects)
        if room > 0:
            rows = self.connection.execute(
                f"SELECT source_file, source_line, reason FROM new_rejects ORDER BY ALL LIMIT {room}"
            ).fetchall()
            self.result.rejects += [Rejected(*row) for row in rows]

    def _show_attempts(self) -> None:
        """Add the unpriced models, and what contradicts the format's rules, to the result."""
        run = self.connection.execute
        unpriced = run(
            "SELECT unpriced_model, sum(attempts)::BIGINT FROM told WHERE unpriced_model IS NOT NULL GROUP BY ALL"
        ).fetchall()
        for model, count in unpriced:
            self.result.unpriced_models[model] = self.result.unpriced_models.get(model, 0) + count
        rows = run(
            "SELECT contradiction, sum(attempts)::BIGINT, min(first_place).file, min(first_place).line "
            "FROM told WHERE contradiction IS NOT NULL GROUP BY contradiction ORDER BY contradiction"
        ).fetchall()
        self.result.contradictions += [Contradiction(self.form.name, *row) for row in rows]


def _sum(kinds: tuple[str, ...]) -> str:
    """Return the SQL sum of token kinds: unknown kinds count as none, and all unknown is unknown."""
    known = ", ".join(f"mapped.{kind}_tokens" for kind in kinds)
    added = " + ".join(f"coalesce(mapped.{kind}_tokens, 0)" for kind in kinds)
    return f"CASE WHEN coalesce({known}) IS NOT NULL THEN {added} END"


def _finite(name: str) -> str:
    """Return the SQL of a mapped number that is unknown where it is not one: logs hold NaN, infinity and negatives."""
    return f"CASE WHEN isfinite(mapped.{name}) AND mapped.{name} >= 0 THEN mapped.{name} END"


def _load_id(piece: Piece, sequence: int) -> str:
    """Return an id that no other load of the store has: of the range read and the commit it belongs to."""
    text = f"{piece.source}\0{piece.byte_start}\0{piece.byte_end}\0{piece.first_line}\0{sequence}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
