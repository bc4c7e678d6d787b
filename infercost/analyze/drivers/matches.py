"""Matches the hours of the baseline with those of the current window, so that lengths and weekdays do not count."""

from typing import TYPE_CHECKING

from infercost import engine
from infercost.analyze.drivers.cells import Span
from infercost.engine import moment

if TYPE_CHECKING:
    import duckdb

SAME_HOUR_OF_WEEK, SAME_HOUR_OF_DAY, ANY_HOUR = 1, 2, 3
"""How an hour of the current window found its hours in the baseline, best first."""

_SQL = """
CREATE OR REPLACE TEMP TABLE driver_matches AS
WITH hours AS (
    SELECT 'current' AS period, unnest(generate_series(
        date_trunc('hour', {since}), {until} - INTERVAL 1 MICROSECOND, INTERVAL 1 HOUR)) AS hour,
        {since} AS opened, {until} AS closed
    UNION ALL
    SELECT 'baseline', unnest(generate_series(
        date_trunc('hour', {baseline_since}), {baseline_until} - INTERVAL 1 MICROSECOND, INTERVAL 1 HOUR)),
        {baseline_since}, {baseline_until}
),

parts AS (
    SELECT
        period,
        hour,
        epoch(least(hour + INTERVAL 1 HOUR, closed) - greatest(hour, opened)) / 3600 AS part,
        hour(hour AT TIME ZONE {zone}) AS clock,
        isodow(hour AT TIME ZONE {zone}) AS weekday
    FROM hours
),

current AS (FROM parts WHERE period = 'current'),

baseline AS (FROM parts WHERE period = 'baseline'),

graded AS (
    SELECT
        current.hour,
        current.part,
        CASE
            WHEN EXISTS (
                FROM baseline WHERE baseline.clock = current.clock AND baseline.weekday = current.weekday
            ) THEN 1
            WHEN EXISTS (FROM baseline WHERE baseline.clock = current.clock) THEN 2
            ELSE 3
        END AS grade,
        current.clock,
        current.weekday
    FROM current
),

paired AS (
    SELECT graded.*, baseline.hour AS baseline_hour, baseline.part AS baseline_part
    FROM graded INNER JOIN baseline USING (clock, weekday) WHERE graded.grade = 1
    UNION ALL
    SELECT graded.*, baseline.hour, baseline.part
    FROM graded INNER JOIN baseline USING (clock) WHERE graded.grade = 2
    UNION ALL
    SELECT graded.*, baseline.hour, baseline.part
    FROM graded CROSS JOIN baseline WHERE graded.grade = 3
)

SELECT
    hour,
    baseline_hour,
    grade,
    part / sum(baseline_part) OVER (PARTITION BY hour) AS weight
FROM paired
"""


def match(connection: "duckdb.DuckDBPyConnection", span: Span, zone: str) -> int:
    """Create `driver_matches` (hour, baseline_hour, grade, weight) and return the worst grade that was needed.

    An hour of the current window is matched with the same hour of the week, else of the day, else with all hours; the
    weights of what an hour is matched with make its baseline the mean of them.
    """
    connection.execute(
        _SQL.format(
            since=moment(span.since),
            until=moment(span.until),
            baseline_since=moment(span.baseline_since),
            baseline_until=moment(span.baseline_until),
            zone=engine.literal(zone),
        )
    )
    return int(connection.execute("SELECT max(grade) FROM driver_matches").fetchall()[0][0])
