"""Cases of the packaged queries and views: a folder each in cases/, named like the query.

input.jsonl holds rows of `attempts`. Left out means NULL, except for what nearly every case would have to repeat:
attempt_id (a1, a2, ... by line), started_at (2026-11-02T12:00:00Z), status (ok), usage_source (reported), list_cost
(the effective_cost), input_tokens and output_tokens (sums of the kinds given), and (unattributed) for what rules fill.
Optional: loads.jsonl, prices.jsonl and model_map.jsonl (rows of those tables), params.toml (parameters other than
PARAMETERS, and `by`).

`python tests/queries/query_cases.py [NAME...]` prints how the results differ from expected.jsonl; with --write it also
writes them, to be read before they are committed.
"""

import argparse
import difflib
import json
import sys
import tomllib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infercost import engine, schema
from infercost.analyze import queries

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

CASES = Path(__file__).resolve().parent / "cases"

PARAMETERS: dict[str, Any] = {
    "since": datetime(2026, 11, 1, tzinfo=UTC),
    "until": datetime(2026, 11, 8, tzinfo=UTC),
    "baseline_since": datetime(2026, 10, 25, tzinfo=UTC),
    "baseline_until": datetime(2026, 11, 1, tzinfo=UTC),
    "zone": "UTC",
    "limit": 10,
    "token_budget": 2000,
    "bucket": "day",
}


def store(
    attempts: Iterable[dict[str, Any]],
    loads: Iterable[dict[str, Any]] = (),
    prices: Iterable[dict[str, Any]] = (),
    model_map: Iterable[dict[str, Any]] = (),
) -> "duckdb.DuckDBPyConnection":
    """Return a connection with the tables of a store that holds those rows, and the packaged views."""
    connection = engine.connect()
    for table, columns in schema.TABLES.items():
        connection.execute(f"CREATE TABLE {table} ({schema.columns_sql(columns)})")
    connection.execute("ALTER TABLE attempts ADD COLUMN day DATE")
    rows = [_complete(row, number) for number, row in enumerate(attempts, start=1)]
    given = {"attempts": rows, "loads": list(loads), "prices": list(prices), "model_map": list(model_map)}
    for table, wanted in given.items():
        _insert(connection, table, wanted)
    connection.execute("UPDATE attempts SET day = cast(started_at AT TIME ZONE 'UTC' AS DATE)")
    queries.create_views(connection)
    return connection


def answer(name: str) -> list[str]:
    """Return the lines that the case called `name` gives now."""
    folder = CASES / name
    given = tomllib.loads(_text(folder / "params.toml"))
    connection = store(*(_rows(folder / f"{table}.jsonl") for table in ("input", "loads", "prices", "model_map")))
    if name in queries.views():
        return lines(connection.sql(f"FROM {name} ORDER BY ALL").to_arrow_table())
    query = queries.find(name)
    by = tuple(given.pop("by", ()))
    parameters = {key: {**PARAMETERS, **given}[key] for key in query.parameters if key != "by"}
    return lines(queries.run(connection, query, parameters, by))


def expected(name: str) -> list[str]:
    """Return the lines that the case called `name` should give."""
    return _text(CASES / name / "expected.jsonl").splitlines()


def lines(table: "pa.Table") -> list[str]:
    """Return the rows as JSON lines without their NULLs: decimals as short strings, times in ISO 8601."""
    return [
        json.dumps({key: _plain(value) for key, value in row.items() if value is not None}, ensure_ascii=False)
        for row in table.to_pylist()
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, float):
        return round(value, 12)
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return {str(key): count for key, count in value}
    return value


def _complete(row: dict[str, Any], number: int) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "attempt_id": f"a{number}",
        "started_at": "2026-11-02T12:00:00Z",
        "status": "ok",
        "usage_source": "reported",
        "list_cost": row.get("effective_cost"),
        **dict.fromkeys(schema.ATTRIBUTED, schema.UNATTRIBUTED),
    }
    for total, kinds in (("input_tokens", schema.INPUT_KINDS), ("output_tokens", schema.OUTPUT_KINDS)):
        counts = [row[f"{kind}_tokens"] for kind in kinds if row.get(f"{kind}_tokens") is not None]
        defaults[total] = sum(counts) if counts else None
    return {**defaults, **row}


def _insert(connection: "duckdb.DuckDBPyConnection", table: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        names = ", ".join(f'"{name}"' for name in row)
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' for _ in row)})", list(row.values()))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _text(path).splitlines() if line]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main() -> int:
    """Print the differences of the cases named on the command line (all by default); return 1 when there are any."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    changed = 0
    for name in options.names or sorted(path.name for path in CASES.iterdir()):
        now = answer(name)
        diff = list(difflib.unified_diff(expected(name), now, f"{name}: expected", f"{name}: now", lineterm=""))
        changed += bool(diff)
        sys.stdout.writelines(f"{line}\n" for line in diff)
        if options.write and diff:
            (CASES / name / "expected.jsonl").write_text("".join(f"{line}\n" for line in now), encoding="utf-8")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
