"""Runs the packaged questions: each is one .sql file in queries/ whose header says all that is to know about it."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from infercost import assets, engine, schema
from infercost.analyze.report import Window
from infercost.errors import QueryError, UsageError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

VIEWS_FOLDER = "views"
MACROS_FOLDER = "macros"
STEPS_FOLDER = "reconcile"
"""Queries that build on each other's tables; `infercost query` does not list them."""

DEFAULT_LIMIT = 20

BUCKETS: tuple[str, ...] = ("5min", "hour", "day", "window")
"""Lengths of the pieces of time that signals are measured in; `window` is the whole of it."""

LISTED_VIEWS = ("requests", "sessions")
"""Views whose rows can be asked for like a query."""

EVERYTHING = "everything"
"""A column of signals to group by that is the same for every attempt."""

PARAMETERS: dict[str, str] = {
    "since": "first moment of the window",
    "until": "first moment after the window",
    "baseline_since": "first moment of the window compared with; NULL = none",
    "baseline_until": "first moment after the window compared with; NULL = none",
    "zone": "IANA name of the zone in which days and hours are cut",
    "limit": f"most rows to return, {DEFAULT_LIMIT} unless given",
    "token_budget": "tokens that a session may take; NULL = no budget",
    "bucket": "how time is cut: " + ", ".join(BUCKETS),
    "by": "columns to group by",
    "tolerance": "picodollars of a row up to which a gap is taken for rounding",
}
"""Every parameter that a query may name in its header."""

_MOMENTS = ("since", "until", "baseline_since", "baseline_until")
_OPTIONAL = {"baseline_since": "TIMESTAMPTZ", "baseline_until": "TIMESTAMPTZ", "token_budget": "BIGINT"}
"""Parameters that may be NULL, with their type, which a NULL does not have of itself."""

_PLACEHOLDER = re.compile(r"\$([a-z_]+)")
_HEADER_LINE = re.compile(r"-- (?P<key>[a-z_]+):\s*(?P<value>.*)")
_COLUMN_LINE = re.compile(r"--   (?P<name>[a-z0-9_]+): (?P<doc>.+)")
_REQUIRED = ("question", "grain", "columns")
_KEYS = (*_REQUIRED, "parameters", "by", "by_allowed", "same_as")

Value = datetime | str | int | None


@dataclass(frozen=True)
class Query:
    """One packaged question: its header, and its SQL without the header.

    `columns` names the result's columns with the default `by`; other `by` columns take the place of the default ones.
    """

    name: str
    folder: str
    question: str
    grain: str
    parameters: tuple[str, ...]
    by: tuple[str, ...]
    by_allowed: tuple[str, ...]
    columns: Mapping[str, str]
    sql: str
    path: Path


class _Header(NamedTuple):
    """The key-value lines of a header, its columns, and how many lines it takes."""

    values: dict[str, str]
    columns: dict[str, str]
    length: int


def catalog() -> dict[str, Query]:
    """Return every packaged query by its name, in the order of folders and names; no views, macros and steps."""
    return {name: parse(path) for name, path in _paths().items()}


def _paths() -> dict[str, Path]:
    """Return the file of every packaged query, by its name."""
    root = assets.folder("queries")
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*.sql")):
        if path.relative_to(root).parts[0] in (VIEWS_FOLDER, MACROS_FOLDER, STEPS_FOLDER):
            continue
        if path.stem in found:
            raise QueryError(f"{path}: {found[path.stem]} has the same name; a query's name must be its own")
        found[path.stem] = path
    return found


def find(name: str) -> Query:
    """Return the packaged query called `name`; raises UsageError that names the nearest and all others."""
    paths = _paths()
    if name in paths:
        return parse(paths[name])
    if name in LISTED_VIEWS:
        return _rows_of(name)
    near = difflib.get_close_matches(name, paths, n=1)
    guess = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(f"there is no query called {name!r}{guess}", hint=f"queries: {', '.join(paths)}")


def _rows_of(view: str) -> Query:
    """Return the query of the rows of a view that began in a window, dearest first."""
    found = parse(assets.folder("queries") / VIEWS_FOLDER / f"{view}.sql")
    sql = (
        f"SELECT * FROM {view}\nWHERE started_at >= $since AND started_at < $until\n"
        "ORDER BY effective_cost DESC NULLS LAST, started_at, 1\nLIMIT $limit\n"
    )
    return replace(found, parameters=("since", "until", "limit"), sql=sql)


def create_views(connection: "duckdb.DuckDBPyConnection") -> None:
    """Create every packaged view, and the macros that queries share, over the tables that `connection` holds."""
    for name, select in views().items():
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {engine.identifier(name)} AS {select}")
    for path in sorted((assets.folder("queries") / MACROS_FOLDER).glob("*.sql")):
        connection.execute(path.read_text(encoding="utf-8"))


def views() -> dict[str, str]:
    """Return the SELECT of every packaged view by the view's name, in an order in which they can be created."""
    return {path.stem: parse(path).sql for path in sorted((assets.folder("queries") / VIEWS_FOLDER).glob("*.sql"))}


def create_step(connection: "duckdb.DuckDBPyConnection", name: str, parameters: Mapping[str, Value]) -> None:
    """Create the temporary table `name` from the query of that name in STEPS_FOLDER; it takes what its header names.

    Raises UsageError for a parameter that is missing, QueryError when DuckDB refuses the SQL.
    """
    import duckdb

    query = parse(assets.folder("queries") / STEPS_FOLDER / f"{name}.sql")
    values = _checked(query, {each: value for each, value in parameters.items() if each in query.parameters})
    try:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {engine.identifier(name)} AS {query.sql}", values)
    except duckdb.Error as error:
        raise QueryError(f"query {name} ({query.path}): {error}") from error


def between(window: Window) -> dict[str, Value]:
    """Return the parameters of a question about one window."""
    return {"since": window.start, "until": window.end}


def both(window: Window, baseline: Window | None) -> dict[str, Value]:
    """Return the parameters of a question that compares two windows, or has no baseline."""
    return {
        **between(window),
        "baseline_since": baseline.start if baseline else None,
        "baseline_until": baseline.end if baseline else None,
    }


def run(
    connection: "duckdb.DuckDBPyConnection",
    query: Query,
    parameters: Mapping[str, Value],
    by: tuple[str, ...] = (),
) -> "pa.Table":
    """Return the rows that answer `query`; `by` left empty is the default of its header.

    `connection` holds the store's tables and views. Moments are aware datetimes. Raises UsageError for a parameter or
    a `by` that the query does not take or that is missing, QueryError when DuckDB refuses the SQL.
    """
    import duckdb

    values = _checked(query, parameters)
    sql = _PLACEHOLDER.sub(lambda match: _bound(match[1]), _grouped(query, by))
    try:
        return connection.sql(sql, params=values).to_arrow_table()
    except duckdb.Error as error:
        raise QueryError(f"query {query.name} ({query.path}): {error}") from error


def rendered_sql(query: Query, by: tuple[str, ...], parameters: Mapping[str, Value]) -> str:
    """Return the SQL that `run` executes with its parameters written in as literals, ready for `infercost sql`."""
    values = _checked(query, parameters)
    sql = _PLACEHOLDER.sub(lambda match: _written(match[1], values[match[1]]), _grouped(query, by))
    return f"-- {query.question}\n{sql}"


def parse(path: Path) -> Query:
    """Return the query or view in the file `path`; raises QueryError that names the line of a header it cannot read.

    A header with `same_as` has no SQL: it asks another file's question with another default of `by`.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    header = _header(path, lines)
    if "same_as" in header.values:
        return _variant(path, header)
    parameters = _names(header.values.get("parameters", ""))
    by = _names(header.values.get("by", ""))
    unknown = [name for name in parameters if name not in PARAMETERS]
    if unknown:
        raise QueryError(f"{path}: unknown parameter {unknown[0]}; allowed are {', '.join(PARAMETERS)}")
    if bool(by) != ("by" in parameters):
        raise QueryError(f"{path}: the parameter `by` and its default, the line `-- by: ...`, go together")
    query = Query(
        name=path.stem,
        folder=path.parent.name,
        question=header.values["question"],
        grain=header.values["grain"],
        parameters=parameters,
        by=by,
        by_allowed=(*schema.DIMENSIONS, *_names(header.values.get("by_allowed", ""))) if by else (),
        columns=header.columns,
        sql="\n".join(lines[header.length :]).strip() + "\n",
        path=path,
    )
    _checked_by(query, by)
    return query


def _variant(path: Path, header: _Header) -> Query:
    """Return the query that `same_as` names, grouped by the columns that this header names and describes."""
    other = parse(path.with_name(f"{header.values['same_as']}.sql"))
    by = tuple(header.columns)
    shared = {name: doc for name, doc in other.columns.items() if name not in other.by}
    query = replace(
        other,
        name=path.stem,
        question=header.values["question"],
        grain=header.values["grain"],
        by=by,
        columns={**header.columns, **shared},
        path=path,
    )
    _checked_by(query, by)
    return query


def _header(path: Path, lines: list[str]) -> _Header:
    values: dict[str, str] = {}
    columns: dict[str, str] = {}
    length = next((number for number, line in enumerate(lines) if not line.startswith("--")), len(lines))
    for number, line in enumerate(lines[:length]):
        if "columns" in values and (column := _COLUMN_LINE.fullmatch(line)):
            columns[column["name"]] = column["doc"]
        elif (pair := _HEADER_LINE.fullmatch(line)) and pair["key"] in _KEYS:
            values[pair["key"]] = pair["value"].strip()
        else:
            raise QueryError(
                f"{path}:{number + 1}: not a line of a header: {line}",
                hint=f"a header has `-- key: value` with the keys {', '.join(_KEYS)}, then `--   column: meaning`",
            )
    missing = [key for key in _REQUIRED if key not in values]
    if missing or not columns:
        raise QueryError(f"{path}: the header has no {missing[0] if missing else 'columns'}")
    return _Header(values, columns, length)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _grouped(query: Query, by: tuple[str, ...]) -> str:
    """Return the query's SQL with `$by` replaced by quoted column names."""
    columns = _checked_by(query, by or query.by)
    names = ", ".join(engine.identifier(column) for column in columns)
    return re.sub(r"\$by\b", lambda _: names, query.sql)


def _checked_by(query: Query, by: tuple[str, ...]) -> tuple[str, ...]:
    if by and not query.by:
        raise UsageError(f"query {query.name} always groups the same way and takes no `by`")
    for column in by:
        if column not in query.by_allowed:
            near = difflib.get_close_matches(column, query.by_allowed, n=1)
            guess = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(
                f"query {query.name} cannot group by {column!r}{guess}",
                hint=f"columns to group by: {', '.join(query.by_allowed)}",
            )
    if len(set(by)) != len(by):
        raise UsageError(f"query {query.name} cannot group by one column twice: {', '.join(by)}")
    return by


def _checked(query: Query, parameters: Mapping[str, Value]) -> dict[str, Value]:
    """Return the values to bind: those given and the default limit, each of the kind that its name asks for."""
    taken = [name for name in query.parameters if name != "by"]
    defaults: dict[str, Value] = {"limit": DEFAULT_LIMIT, "token_budget": None}
    values = {name: value for name, value in defaults.items() if name in taken}
    values |= parameters
    for name in values:
        if name not in taken:
            raise UsageError(f"query {query.name} has no parameter {name!r}", hint=f"parameters: {', '.join(taken)}")
    for name in taken:
        if name not in values:
            raise UsageError(f"query {query.name} needs the parameter {name!r}: {PARAMETERS[name]}")
        _check_value(query, name, values[name])
    return values


def _check_value(query: Query, name: str, value: Value) -> None:
    if value is None and name in _OPTIONAL:
        return
    if name in _MOMENTS:
        good, wanted = isinstance(value, datetime) and value.tzinfo is not None, "a time with a zone"
    elif name in ("limit", "token_budget"):
        good, wanted = isinstance(value, int) and value > 0, "a whole number above 0"
    elif name == "bucket":
        good, wanted = value in BUCKETS, f"one of {', '.join(BUCKETS)}"
    elif name == "tolerance":
        good, wanted = isinstance(value, int) and value >= 0, "a whole number of picodollars"
    else:
        good, wanted = _is_zone(value), "an IANA zone name such as Europe/Berlin"
    if not good:
        raise UsageError(f"query {query.name}: the parameter {name!r} must be {wanted}, not {value!r}")


def _is_zone(value: Value) -> bool:
    try:
        return isinstance(value, str) and bool(ZoneInfo(value).key)
    except (ValueError, OSError, KeyError):
        return False


def _bound(name: str) -> str:
    """Return the placeholder of the parameter `name`; a NULL that is bound has no type of its own and is given one."""
    return f"CAST(${name} AS {_OPTIONAL[name]})" if name in _OPTIONAL else f"${name}"


def _written(name: str, value: Value) -> str:
    """Return the value of a parameter as SQL."""
    return f"CAST(NULL AS {_OPTIONAL[name]})" if value is None else _literal(value)


def _literal(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return engine.moment(value)
    return engine.literal(value) if isinstance(value, str) else str(value)
