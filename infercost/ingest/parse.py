"""Reads pieces into the temporary table `raw`: the columns that the format declares, one row a record.

Sound pieces take DuckDB's declared read. A piece with a bad record is read again line by line, which keeps every
good record and puts the bad ones, with line and reason, into the temporary table `bad`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infercost import engine
from infercost.ingest.pieces import Piece
from infercost.ingest.registry import Format

if TYPE_CHECKING:
    import duckdb
    from duckdb.sqltypes import DuckDBPyType

_CHUNK_BYTES = 8 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class Parser:
    """Fills `raw` and `bad` of one connection with the records of one format."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", form: Format, max_record_bytes: int) -> None:
        self.connection = connection
        self.format = form
        self.max_record_bytes = max_record_bytes

    def parse(self, pieces: Sequence[Piece]) -> None:
        """Read all pieces; `raw.piece` is a piece's position in the list."""
        self._empty()
        if not self._fast(pieces):
            for number, piece in enumerate(pieces):
                if len(pieces) == 1 or not self._fast_one(number, piece):
                    LineReader(self, number, piece).read()
        rows = [
            (number, trouble.line, trouble.reason, trouble.record_bytes)
            for number, piece in enumerate(pieces)
            for trouble in piece.troubles
        ]
        if rows:
            self.connection.executemany("INSERT INTO bad VALUES (?, ?, ?, ?)", rows)

    def _empty(self) -> None:
        columns = ", ".join(f"{engine.identifier(name)} {kind}" for name, kind in self.format.columns.items())
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE raw ({columns}, piece INTEGER, line BIGINT)")
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE bad (piece INTEGER, line BIGINT, reason VARCHAR, record_bytes BIGINT)"
        )

    def _fast(self, pieces: Sequence[Piece]) -> bool:
        """Read all pieces at once; return False, with `raw` empty, when a line of one of them is not a sound record."""
        import duckdb

        read = self._read_json([str(piece.path) for piece in pieces])
        try:
            self.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE raw AS SELECT {self._names()}, "
                f"file_index::INTEGER AS piece, NULL::BIGINT AS line FROM {read}"
            )
        except duckdb.Error:
            self._empty()
            return False
        found = dict(self.connection.execute("SELECT piece, count(*) FROM raw GROUP BY piece").fetchall())
        # Blank lines make fewer records than lines; then only the line by line path knows the line numbers.
        if all(found.get(number, 0) == piece.lines for number, piece in enumerate(pieces)):
            return True
        self._empty()
        return False

    def _fast_one(self, number: int, piece: Piece) -> bool:
        """Add one piece to `raw`; return False, with nothing added, when one of its lines is not a sound record."""
        import duckdb

        read = self._read_json([str(piece.path)])
        try:
            self.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE one AS SELECT {self._names()}, {number} AS piece, "
                f"NULL::BIGINT AS line FROM {read}"
            )
        except duckdb.Error:
            return False
        (rows,) = self.connection.execute("SELECT count(*) FROM one").fetchall()[0]
        if rows != piece.lines:
            return False
        self.connection.execute("INSERT INTO raw FROM one")
        return True

    def _names(self) -> str:
        return ", ".join(engine.identifier(name) for name in self.format.columns)

    def _read_json(self, paths: list[str]) -> str:
        listed = ", ".join(engine.literal(path) for path in paths)
        declared = ", ".join(
            f"{engine.identifier(name)}: {engine.literal(kind)}" for name, kind in self.format.columns.items()
        )
        return (
            f"read_json([{listed}], columns = {{{declared}}}, format = 'newline_delimited', records = true, "
            # DuckDB takes what fits into its buffer, which is twice this size.
            f"compression = 'none', maximum_object_size = {self.max_record_bytes // 2})"
        )


@dataclass
class LineReader:
    """Reads one piece line by line: bad lines go to `bad`, good ones to `raw` with their line number."""

    parser: Parser
    number: int
    piece: Piece

    def read(self) -> None:
        """Read the piece in chunks of some megabytes; the lines of a chunk are one Arrow column."""
        shape = Shape.of(self.parser.connection, self.parser.format)
        for first_line, lines in self._chunks():
            chunk = pa.table({"line": pa.array(np.arange(first_line, first_line + len(lines))), "content": lines})
            self.parser.connection.register("chunk", chunk)
            self._check(shape)
            self.parser.connection.unregister("chunk")

    def _check(self, shape: "Shape") -> None:
        run = self.parser.connection.execute
        run(
            "CREATE OR REPLACE TEMP TABLE texts AS SELECT line, octet_length(content) AS record_bytes, "
            "TRY(decode(content)) AS content FROM chunk WHERE length(trim(coalesce(TRY(decode(content)), 'x'), "
            "' \t\r\n')) > 0"
        )
        run(
            "CREATE OR REPLACE TEMP TABLE checked AS SELECT line, record_bytes, content, CASE "
            "WHEN content IS NULL THEN 'not valid UTF-8' "
            "WHEN NOT json_valid(content) THEN 'not valid JSON' "
            "WHEN json_type(content) <> 'OBJECT' THEN 'not a JSON object' "
            "END AS problem FROM texts"
        )
        # Every test parses its text again, and keeps memory for it: let each see its own column alone.
        run(
            "CREATE OR REPLACE TEMP TABLE slim AS SELECT line, record_bytes, problem, CASE WHEN problem IS NULL THEN "
            f"json_transform(content, {engine.literal(shape.columns)}) END AS declared, "
            "declared::JSON::VARCHAR AS content FROM checked"
        )
        run(
            "CREATE OR REPLACE TEMP TABLE judged AS SELECT line, record_bytes, content, "
            f"CASE WHEN problem IS NOT NULL THEN problem ELSE {shape.problem} END AS reason FROM slim"
        )
        run(f"INSERT INTO bad SELECT {self.number}, line, reason, record_bytes FROM judged WHERE reason IS NOT NULL")
        names = ", ".join(f"record.{engine.identifier(name)}" for name in self.parser.format.columns)
        run(
            f"INSERT INTO raw SELECT {names}, {self.number}, line FROM (SELECT line, json_transform(content, "
            f"{engine.literal(shape.structure)}) AS record FROM judged WHERE reason IS NULL ORDER BY line)"
        )

    def _chunks(self) -> Iterator[tuple[int, pa.Array]]:
        """Yield (number of the first line, lines); lines longer than the limit are put into `bad` instead."""
        line = self.piece.first_line
        rest = b""
        with self.piece.path.open("rb") as stream:
            first = True
            while chunk := stream.read(_CHUNK_BYTES):
                data = rest + (chunk.removeprefix(_BOM) if first else chunk)
                first = False
                if len(data) > self.parser.max_record_bytes and b"\n" not in data:
                    size, rest = self._skip_line(len(data), stream)
                    self._too_long(line, size)
                    line += 1
                    continue
                cut = data.rfind(b"\n") + 1
                if cut:
                    yield from self._lines(line, data[:cut])
                    line += data.count(b"\n", 0, cut)
                rest = data[cut:]
        if rest:
            yield from self._lines(line, rest + b"\n")

    def _lines(self, line: int, data: bytes) -> Iterator[tuple[int, pa.Array]]:
        """Yield the lines of `data`, which ends with a line break, as one Arrow column; too long ones are emptied."""
        parts = pc.split_pattern(pa.array([data], pa.large_binary()), b"\n")
        lines = parts.flatten().slice(0, data.count(b"\n"))
        sizes = pc.binary_length(lines)
        too_long = pc.greater(sizes, self.parser.max_record_bytes)
        if pc.any(too_long).as_py():
            for position in pc.indices_nonzero(too_long).to_pylist():
                self._too_long(line + position, sizes[position].as_py())
            lines = pc.if_else(too_long, pa.scalar(b"", pa.large_binary()), lines)
        yield line, lines

    def _skip_line(self, size: int, stream: "object") -> tuple[int, bytes]:
        """Read on to the end of a line without keeping it; return its size and what follows it."""
        while chunk := stream.read(_CHUNK_BYTES):  # type: ignore[attr-defined]
            cut = chunk.find(b"\n")
            if cut >= 0:
                return size + cut, chunk[cut + 1 :]
            size += len(chunk)
        return size, b""

    def _too_long(self, line: int, size: int) -> None:
        limit = self.parser.max_record_bytes
        reason = f"{size:,} bytes in one line; the limit is {limit:,} (max_record_bytes under [ingest])"
        self.parser.connection.execute("INSERT INTO bad VALUES (?, ?, ?, ?)", [self.number, line, reason, size])


@dataclass(frozen=True)
class Shape:
    """What the line by line path needs of the columns: JSON structure, names, and SQL that finds a bad value."""

    structure: str
    columns: str
    problem: str

    @classmethod
    def of(cls, connection: "duckdb.DuckDBPyConnection", form: Format) -> "Shape":
        """Return the shape of a format's columns, with DuckDB reading the types."""
        declared = ", ".join(f"NULL::{kind} AS {engine.identifier(name)}" for name, kind in form.columns.items())
        relation = connection.sql(f"SELECT {declared}")
        fields = list(zip(relation.columns, relation.types, strict=True))
        structure = ", ".join(f"{_quoted(name)}: {_structure(kind)}" for name, kind in fields)
        strict = [(name, kind) for name, kind in fields if name not in form.optional]
        tests = [
            test for name, kind in strict for test in _tests(name, f"declared.{engine.identifier(name)}", "$", kind)
        ]
        columns = ", ".join(f'{_quoted(name)}: "JSON"' for name, _ in fields)
        return cls(f"{{{structure}}}", f"{{{columns}}}", f"CASE {' '.join(tests)} END" if tests else "NULL")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '\\"') + '"'


def _structure(kind: "DuckDBPyType") -> str:
    if kind.id == "struct":
        return "{" + ", ".join(f"{_quoted(name)}: {_structure(child)}" for name, child in _children(kind)) + "}"
    if kind.id == "list":
        return f"[{_structure(_children(kind)[0][1])}]"
    return _quoted(str(kind))


def _children(kind: "DuckDBPyType") -> list[tuple[str, "DuckDBPyType"]]:
    """Return the fields of a struct, or the one element type of a list."""
    return cast("list[tuple[str, DuckDBPyType]]", kind.children)


def _tests(name: str, column: str, path: str, kind: "DuckDBPyType") -> list[str]:
    """Return WHEN branches that name the value, at a path of a column, which cannot become the declared type."""
    value = f"{column}, {engine.literal(path)}"
    found = f"json_type({value})"
    if kind.id == "struct":
        inner = [
            test
            for child, type_ in _children(kind)
            for test in _tests(f"{name}.{child}", column, f"{path}.{_quoted(child)}", type_)
        ]
        return [_branch(name, "an object", value, f"{found} NOT IN ('OBJECT', 'NULL')"), *inner]
    if kind.id == "list":
        return [_branch(name, "a list", value, f"{found} NOT IN ('ARRAY', 'NULL')")]
    if kind.id in ("varchar", "json"):
        return []
    wrong = f"{found} <> 'NULL' AND TRY_CAST(json_extract_string({value}) AS {kind}) IS NULL"
    return [_branch(name, f"a {str(kind).lower()}", value, wrong)]


def _branch(name: str, expected: str, value: str, wrong: str) -> str:
    message = engine.literal(f"{name}: expected {expected}, found ")
    return f"WHEN {wrong} THEN {message} || left(json_extract({value})::VARCHAR, 40)"
