"""What was new in the window: names seen for the first time, and prices that took effect."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from infercost.analyze.drivers.cells import Span, between
from infercost.analyze.explanation import Event
from infercost.engine import moment

if TYPE_CHECKING:
    import duckdb

COLUMNS: dict[str, str] = {
    "feature": "feature",
    "route": "route",
    "routing_path": "routing path",
    "response_model": "model",
    "provider_name": "provider",
    "deployment": "deployment",
    "region": "region",
    "service_tier": "service tier",
    "gateway": "gateway",
}
"""Columns whose new values are told, with their name in words."""

TAG_VALUES = 30
"""A tag with more values than this names single requests, not versions; its new values are not told."""

MOST = 20

DAY, WEEK = timedelta(days=1), timedelta(days=7)

_Found = tuple[datetime, str, str, Decimal | None]


def find(connection: "duckdb.DuckDBPyConnection", span: Span) -> tuple[Event, ...]:
    """Return what began in the current window, the dearest first; a name counts when the whole store lacks it before.

    A price row is told when attempts of the window were priced by it and it took effect since the baseline began.
    """
    found = [
        Event(when.astimezone(span.since.tzinfo), kind, name, cost)
        for when, kind, name, cost in (
            *_names(connection, span),
            *_tags(connection, span),
            *_prices(connection, span),
        )
    ]
    return tuple(sorted(found, key=lambda event: (-(event.cost or 0), event.when, event.kind, event.name))[:MOST])


def _names(connection: "duckdb.DuckDBPyConnection", span: Span) -> list[_Found]:
    """Return the new values of COLUMNS; a column that had no value before says nothing new by having one."""
    # The day before holds nearly every name, and the week before the others: the whole store is seldom asked.
    return (
        _new_since(connection, span, span.since - DAY)
        and _new_since(connection, span, span.since - WEEK)
        and _new_since(connection, span, None)
    )


def _new_since(connection: "duckdb.DuckDBPyConnection", span: Span, oldest: datetime | None) -> list[_Found]:
    """Return the values of the window that attempts before it, from `oldest` on, do not have."""
    columns = ", ".join(COLUMNS)
    which = " ".join(f"WHEN grouping({column}) = 0 THEN '{column}'" for column in COLUMNS)
    value = f"coalesce({columns})"
    condition = between(oldest, span.until) if oldest else f"started_at < {moment(span.until)}"
    # The column may have been empty for just this time; only the whole store tells that it always was.
    had_any = f"name IN (SELECT name FROM seen GROUP BY name HAVING min(began) < {moment(span.since)})"
    rows = connection.execute(f"""
        WITH seen AS (
            SELECT CASE {which} END AS name, {value} AS value, min(started_at) AS began, sum(effective_cost) AS cost
            FROM attempts
            WHERE {condition}
            GROUP BY GROUPING SETS ({", ".join(f"({column})" for column in COLUMNS)})
            HAVING value IS NOT NULL
        )
        SELECT name, value, began, cost
        FROM seen
        WHERE began >= {moment(span.since)} AND {"true" if oldest else had_any}
    """).fetchall()
    return [(when, f"new {COLUMNS[name]}", str(found), cost) for name, found, when, cost in rows]


def _tags(connection: "duckdb.DuckDBPyConnection", span: Span) -> list[_Found]:
    rows = connection.execute(
        f"""
        WITH tagged AS (
            SELECT unnest(map_entries(tags)) AS tag, started_at, effective_cost
            FROM attempts
            WHERE started_at < {moment(span.until)} AND day >= cast({moment(span.first)} AS DATE)
        ), valued AS (
            SELECT tag.key AS key, tag.value AS value, min(started_at) AS began,
                sum(effective_cost) AS cost
            FROM tagged WHERE tag.value <> '' GROUP BY ALL
        )
        SELECT key, value, began, cost
        FROM valued
        SEMI JOIN (
            SELECT key FROM valued GROUP BY key
            HAVING count(*) <= {TAG_VALUES} AND min(began) < {moment(span.since)}
        ) AS versions USING (key)
        WHERE began >= {moment(span.since)}
        """
    ).fetchall()
    return [(when, f"new {key}", str(value), cost) for key, value, when, cost in rows]


def _prices(connection: "duckdb.DuckDBPyConnection", span: Span) -> list[_Found]:
    """Return the price rows in force that others preceded: the day on which a rate of a model in use changed."""
    rows = connection.execute(
        f"""
        WITH used AS (
            SELECT coalesce(list_price_id, price_id) AS price_id, sum(effective_cost) AS cost
            FROM attempts
            WHERE {between(span.since, span.until)}
            GROUP BY 1
        )
        SELECT prices.provider || ' ' || prices.model, prices.effective_from, sum(used.cost)
        FROM prices INNER JOIN used USING (price_id)
        WHERE prices.effective_from >= {moment(span.baseline_since)} AND prices.effective_from < {moment(span.until)}
        GROUP BY ALL
        """
    ).fetchall()
    return [(when, "price took effect", str(name), cost) for name, when, cost in rows]
