"""The requests behind a driver: those of its segment that cost most above what their like cost in the baseline."""

from decimal import Decimal
from typing import TYPE_CHECKING

from infercost.analyze.build import NO_VALUE
from infercost.analyze.drivers import factors
from infercost.analyze.drivers.cells import Span, between
from infercost.analyze.drivers.measures import Conditions, filter_sql
from infercost.analyze.explanation import MovedRequest

if TYPE_CHECKING:
    import duckdb


def find(
    connection: "duckdb.DuckDBPyConnection", span: Span, driver: str, conditions: Conditions, limit: int
) -> tuple[MovedRequest, ...]:
    """Return up to `limit` requests of the window, those furthest above the baseline's mean of their cell first.

    Of the conditions those count that an attempt has a column for.
    """
    where = filter_sql(tuple(each for each in conditions if each[0] not in factors.DERIVED))
    cell = ", ".join(factors.CELL)
    named = ", ".join(f"coalesce({name}, '{NO_VALUE}') AS {name}" for name in factors.CELL)
    rows = connection.execute(f"""
        WITH named AS (
            SELECT * REPLACE ({named}),
                coalesce(response_model, request_model, price_model) AS model,
                coalesce(request_id, attempt_id) AS request_key
            FROM attempts
            WHERE {between(span.since, span.until)}
        ), requests_now AS (
            SELECT request_key, {cell}, min(started_at) AS started_at, max_by(model, effective_cost) AS model,
                count(*) AS attempts, sum(input_tokens)::BIGINT AS input_tokens,
                sum(output_tokens)::BIGINT AS output_tokens,
                sum(effective_cost) AS cost
            FROM named WHERE {where} GROUP BY ALL
        ), usual AS (
            SELECT {cell}, (sum(cost_0) + sum(calendar)) / 1e12 / nullif(max(requests), 0) AS mean
            FROM driver_effects
            INNER JOIN (SELECT {cell}, sum(requests_0) AS requests FROM driver_both GROUP BY ALL) USING ({cell})
            GROUP BY ALL
        )
        SELECT request_key, started_at, feature, model, attempts, input_tokens, output_tokens, cost, usual.mean
        FROM requests_now INNER JOIN usual USING ({cell})
        WHERE cost IS NOT NULL
        ORDER BY cost::DOUBLE - usual.mean DESC, request_key LIMIT {limit}
    """).fetchall()
    return tuple(
        MovedRequest(
            driver,
            key,
            when,
            feature,
            model or NO_VALUE,
            attempts,
            read or 0,
            written or 0,
            cost,
            Decimal(f"{mean or 0:.12f}"),
        )
        for key, when, feature, model, attempts, read, written, cost, mean in rows
    )
