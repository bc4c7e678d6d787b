"""Runs one log format over one file the short way: `records` from its declaration, then its map.sql.

`python -m tests.formats.run_format --regenerate NAME` writes expected.jsonl anew from the format's sample.
"""

import argparse
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infercost.engine import connect, identifier, literal
from infercost.schema import MAPPED, Column, columns_sql

if TYPE_CHECKING:
    import duckdb

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ROOT / "infercost" / "ingest" / "formats"
SHARED = ROOT.parent / "shared"
MAXIMUM_RECORD_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Declaration:
    """One format folder: what to read, how to know it, and the SQL that maps it."""

    name: str
    shape: str
    columns: dict[str, str]
    identify: tuple[str, ...]
    map_sql: str
    folder: Path

    @property
    def sample(self) -> Path:
        """The sample beside the declaration, in whatever file type the format has."""
        return next(path for path in sorted(self.folder.glob("sample.*")))

    @property
    def expected(self) -> Path:
        """The mapped rows of the sample, as a person has read them."""
        return self.folder / "expected.jsonl"


def declaration(name: str) -> Declaration:
    """Return the format `name`; its `map` key names a SQL file relative to the folder, else it is map.sql."""
    folder = FORMATS / name.replace("-", "_")
    parsed = tomllib.loads((folder / "format.toml").read_text(encoding="utf-8"))
    return Declaration(
        name=parsed["name"],
        shape=parsed["shape"],
        columns=parsed["columns"],
        identify=tuple(parsed["identify"]["all"]),
        map_sql=(folder / parsed.get("map", "map.sql")).read_text(encoding="utf-8"),
        folder=folder,
    )


def names() -> list[str]:
    """Return every format folder that has a declaration, by name."""
    return sorted(path.parent.name for path in FORMATS.glob("*/format.toml"))


def _head(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(4096).lstrip("\ufeff \t\r\n")[:1]


def _reader(path: Path, columns: dict[str, str], shape: str) -> str:
    """Return the table function that reads `path` with the declared columns, or raw lines when there are none."""
    declared = ", ".join(f"{identifier(name)}: {literal(kind)}" for name, kind in columns.items())
    if shape == "csv":
        return f"read_csv({literal(str(path))}, header = true, all_varchar = true, auto_detect = true)"
    layout = (
        "array"
        if _head(path) == "["
        else "newline_delimited"
        if path.suffix in (".jsonl", ".ndjson")
        else "unstructured"
    )
    return (
        f"read_json({literal(str(path))}, columns = {{{declared}}}, format = '{layout}', "
        f"maximum_object_size = {MAXIMUM_RECORD_BYTES})"
    )


def _create_raw(connection: "duckdb.DuckDBPyConnection", paths: tuple[Path, ...], declared: Declaration) -> None:
    wanted = ", ".join(f"{identifier(name)} {kind}" for name, kind in declared.columns.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE raw ({wanted}, source_file VARCHAR, source_line BIGINT)")
    for path in paths:
        reader = _reader(path, declared.columns, declared.shape)
        present = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {reader}").fetchall()]
        kept = ", ".join(identifier(name) for name in present if name.lower() in {c.lower() for c in declared.columns})
        connection.execute(
            f"INSERT INTO raw BY NAME SELECT {kept}, {literal(path.name)} AS source_file, "
            f"row_number() OVER () AS source_line FROM {reader}"
        )


def map_file(
    connection: "duckdb.DuckDBPyConnection", name: str, *paths: Path, table: str = "mapped"
) -> "duckdb.DuckDBPyConnection":
    """Read `paths` with the format `name` and insert what its SQL gives into a new temp table of MAPPED columns.

    Several paths are one batch, as the pipeline would read them. Returns the connection.
    """
    declared = declaration(name)
    _create_raw(connection, paths, declared)
    connection.execute("CREATE OR REPLACE TEMP VIEW records AS SELECT *, rowid AS record_number FROM raw")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {identifier(table)} ({columns_sql(MAPPED)})")
    connection.execute(f"INSERT INTO {identifier(table)} BY NAME {declared.map_sql.rstrip().rstrip(';')}")
    return connection


def _as_text(column: Column) -> str:
    name = identifier(column.name)
    if column.type == "TIMESTAMPTZ":
        return f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%fZ') AS {name}"
    if column.type.startswith("DECIMAL"):
        return f"CAST({name} AS VARCHAR) AS {name}"
    if column.type.startswith("MAP"):
        return f"CAST(to_json({name}) AS VARCHAR) AS {name}"
    return name


def mapped_rows(connection: "duckdb.DuckDBPyConnection", table: str = "mapped") -> list[dict[str, Any]]:
    """Return the mapped rows in the order of the file, each with its known columns only, values as JSON has them."""
    select = ", ".join(_as_text(column) for column in MAPPED)
    cursor = connection.execute(
        f"SELECT {select} FROM {identifier(table)} ORDER BY record_number, started_at, dedupe_key"
    )
    maps = {column.name for column in MAPPED if column.type.startswith("MAP")}
    rows = []
    for values in cursor.fetchall():
        known = ((column.name, value) for column, value in zip(MAPPED, values, strict=True) if value is not None)
        rows.append({name: json.loads(value) if name in maps else value for name, value in known})
    return rows


def sample_rows(name: str) -> list[dict[str, Any]]:
    """Return the mapped rows of the format's own sample."""
    with connect() as connection:
        return mapped_rows(map_file(connection, name, declaration(name).sample))


def expected_rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of expected.jsonl."""
    lines = declaration(name).expected.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def claims(connection: "duckdb.DuckDBPyConnection", name: str, path: Path, lines: int = 100) -> bool:
    """Return whether all predicates of the format hold for some record (or the header) at the head of the file."""
    declared = declaration(name)
    condition = " AND ".join(f"({predicate})" for predicate in declared.identify)
    if declared.shape == "csv":
        with path.open(encoding="utf-8", errors="replace") as file:
            header = [field.strip().strip('"') for field in file.readline().split(",")]
        query = f"SELECT coalesce(bool_or({condition}), false) FROM (SELECT CAST($1 AS VARCHAR[]) AS header)"
        found = connection.execute(query, [header]).fetchone()
    else:
        records = _head_records(path, lines)
        query = f"SELECT coalesce(bool_or({condition}), false) FROM (SELECT CAST(unnest($1) AS JSON) AS record)"
        found = connection.execute(query, [records]).fetchone() if records else (False,)
    return bool(found and found[0])


def _head_records(path: Path, lines: int) -> list[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        whole = json.loads(text)
        return [json.dumps(item) for item in (whole[:lines] if isinstance(whole, list) else [whole])]
    except ValueError:
        return [line for line in text.splitlines()[:lines] if _is_object(line)]


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def regenerate(name: str) -> Path:
    """Write expected.jsonl from the sample; the result is to be read by a person before it is kept."""
    target = declaration(name).expected
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in sample_rows(name))
    target.write_text(text, encoding="utf-8")
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regenerate", metavar="NAME", nargs="+", required=True, choices=names())
    for chosen in parser.parse_args().regenerate:
        regenerate(chosen)
