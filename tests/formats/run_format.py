"""Runs one log format over files the way the ingest does, without a store.

`python -m tests.formats.run_format --regenerate NAME` writes expected*.jsonl anew from the format's samples.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infercost.engine import connect, identifier
from infercost.ingest import identify
from infercost.ingest.preview import Unreadable, preview
from infercost.ingest.registry import FORMATS_FOLDER, Format, read
from infercost.schema import MAPPED, MAPPED_BILLS, Column

if TYPE_CHECKING:
    import duckdb

ROOT = Path(__file__).resolve().parents[2]
FORMATS = FORMATS_FOLDER
SHARED = ROOT.parent / "shared"
MAXIMUM_RECORD_BYTES = 64 * 1024 * 1024


def declaration(name: str) -> Format:
    """Return the format `name`, from its folder alone."""
    return read(FORMATS / name.replace("-", "_"))


def names() -> list[str]:
    """Return every format folder that has a declaration, by name."""
    return sorted(path.parent.name for path in FORMATS.glob("*/format.toml"))


def map_file(
    connection: "duckdb.DuckDBPyConnection", name: str, *paths: Path, table: str = "mapped"
) -> "duckdb.DuckDBPyConnection":
    """Read `paths` with the format `name` and put what its SQL gives into a temp table of the mapped columns.

    Several paths are one batch, as the pipeline would read them. Returns the connection.
    """
    unreadable(connection, name, *paths)
    if table != "mapped":
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {identifier(table)} AS FROM mapped")
    return connection


def unreadable(connection: "duckdb.DuckDBPyConnection", name: str, *paths: Path) -> list[Unreadable]:
    """Map `paths` into the temp table `mapped` and return the records that could not be."""
    return preview(connection, declaration(name), paths, MAXIMUM_RECORD_BYTES)


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
    known = [row[0] for row in connection.execute(f"DESCRIBE {identifier(table)}").fetchall()]
    kinds = {column.name: column for column in (*MAPPED, *MAPPED_BILLS)}
    columns = [kinds[name] for name in known if name in kinds]
    select = ", ".join(_as_text(column) for column in columns)
    start = "started_at" if "started_at" in known else "period_start"
    cursor = connection.execute(
        f"SELECT {select} FROM {identifier(table)} ORDER BY record_number, {start}, dedupe_key, dedupe_rank"
    )
    maps = {column.name for column in columns if column.type.startswith("MAP")}
    rows = []
    for values in cursor.fetchall():
        told = ((column.name, value) for column, value in zip(columns, values, strict=True) if value is not None)
        rows.append({name: json.loads(value) if name in maps else value for name, value in told})
    return rows


def expected_of(sample: Path) -> Path:
    """Return the file of the rows that a sample maps to."""
    return sample.with_name(sample.stem.replace("sample", "expected", 1) + ".jsonl")


def sample_rows(name: str, sample: Path | None = None) -> list[dict[str, Any]]:
    """Return the mapped rows of a sample of the format, the first one unless another is named."""
    with connect() as connection:
        return mapped_rows(map_file(connection, name, sample or declaration(name).sample))


def expected_rows(name: str, sample: Path | None = None) -> list[dict[str, Any]]:
    """Return the rows of a sample's expected file, as a person has read them."""
    lines = expected_of(sample or declaration(name).sample).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def claims(connection: "duckdb.DuckDBPyConnection", name: str, path: Path) -> bool:
    """Return whether the format claims the file."""
    form = declaration(name)
    return identify.identify(connection, [identify.head_of(path)], {form.name: form})[0].format is not None


def regenerate(name: str) -> None:
    """Write the expected rows of every sample; the result is to be read by a person before it is kept."""
    for sample in declaration(name).samples:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in sample_rows(name, sample))
        expected_of(sample).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regenerate", metavar="NAME", nargs="+", required=True)
    for chosen in parser.parse_args().regenerate:
        regenerate(chosen)
