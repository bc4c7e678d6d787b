"""Adds up effects over leaves: by driver, by dimension, and what only one driver or all but one would give."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from infercost import engine, schema
from infercost.analyze.drivers import factors, split
from infercost.analyze.explanation import Child, SplitTable

if TYPE_CHECKING:
    import duckdb


def dollars(picodollars: int | None) -> Decimal:
    """Return picodollars as dollars; None (no leaf) is 0."""
    return Decimal(int(picodollars or 0)) / schema.PICODOLLARS_PER_DOLLAR


def whole(connection: "duckdb.DuckDBPyConnection", where: str = "TRUE") -> Child:
    """Return the bridge of all leaves that the SQL condition `where` holds for."""
    return table(connection, (), where).rows[0]


def table(connection: "duckdb.DuckDBPyConnection", by: tuple[str, ...], where: str = "TRUE") -> SplitTable:
    """Return the split by some of factors.DIMENSIONS, largest change first; without any it is one row."""
    return rows_of(connection, "driver_effects", by, where)


def rows_of(connection: "duckdb.DuckDBPyConnection", source: str, by: tuple[str, ...], where: str) -> SplitTable:
    """Return the rows of a split by columns of `source`, which has costs and effects as `driver_effects` does."""
    keys = ", ".join(f"cast({engine.identifier(name)} AS VARCHAR)" for name in by)
    sums = ", ".join(f"sum({name})" for name in factors.NAMES)
    rows = connection.execute(
        f"SELECT {f'{keys}, ' if keys else ''} sum(cost_0), sum(cost_1), {sums} FROM {source} WHERE {where} "
        f"GROUP BY {keys or '()'}"
    ).fetchall()
    children = [_child(row, len(by)) for row in rows]
    return SplitTable(by, tuple(sorted(children, key=lambda each: (-abs(each.after - each.before), each.values))))


def _child(row: tuple[object, ...], width: int) -> Child:
    before, after, *effects = (dollars(each) for each in row[width:])  # type: ignore[arg-type]
    values = tuple(str(value) for value in row[:width])
    return Child(values, before, after, dict(zip(factors.NAMES, effects, strict=True)))


def alone(connection: "duckdb.DuckDBPyConnection", where: str = "TRUE") -> Mapping[str, tuple[Decimal, Decimal]]:
    """Return for each driver the effect had only it changed, and what the change would be less had it not changed."""
    places = split.PLACES
    before = " * ".join(f"a{place}" for place in places)
    after = " * ".join(f"b{place}" for place in places)
    columns = [f"{before} AS before", f"{after} AS after"]
    for place in places:
        columns.append(_product(place, "b", "a", places) + f" AS only{place}")
        columns.append(_product(place, "a", "b", places) + f" AS without{place}")
    names = [name for name in factors.NAMES if name not in factors.OUTSIDE]
    sums = ", ".join(
        f"sum(cast({split.driver_value(name, value)} AS BIGINT))"
        for name in names
        for value in ("only{place} - before", "after - without{place}")
    )
    found = connection.execute(
        f"WITH products AS (SELECT *, {', '.join(columns)} FROM driver_leaves WHERE continues AND {where}) "
        f"SELECT {sums} FROM products"
    ).fetchall()[0]
    pairs = zip(found[::2], found[1::2], strict=True)
    return {name: (dollars(only), dollars(undo)) for name, (only, undo) in zip(names, pairs, strict=True)}


def _product(place: int, own: str, other: str, places: range) -> str:
    return " * ".join(f"{own if each == place else other}{each}" for each in places)
