-- question: Which loads and price books stand behind both windows?
-- grain: one row
-- parameters: since, until, baseline_since, baseline_until
-- columns:
--   loads: loads that brought attempts of the windows, and those that brought none at all (their time is unknown)
--   records: records that those loads saw
--   duplicates: records that repeat an attempt
--   overlapping: attempts that another format told of too, and that count once
--   skipped: records of other kinds than calls
--   rejected: records that could not be used
--   price_books: books and versions whose prices the attempts of the windows have, by name
--   oldest_event: start of the oldest attempt of the whole store, UTC; NULL = the store is empty
--   newest_event: start of the newest attempt of the whole store, UTC; NULL = the store is empty

WITH in_windows AS (
    SELECT
        *,
        TRUE AS is_current
    FROM attempts
    WHERE
        -- The store is cut by UTC day; naming the days leaves out files.
        day BETWEEN cast($since AT TIME ZONE 'UTC' AS DATE) AND cast($until AT TIME ZONE 'UTC' AS DATE)
        AND started_at >= $since
        AND started_at < $until
    UNION ALL
    SELECT
        *,
        FALSE AS is_current
    FROM attempts
    WHERE
        day >= cast($baseline_since AT TIME ZONE 'UTC' AS DATE)
        AND day <= cast($baseline_until AT TIME ZONE 'UTC' AS DATE)
        AND started_at >= $baseline_since
        AND started_at < $baseline_until
),

concerned AS (
    SELECT loads.*
    FROM loads
    WHERE
        loads.load_id IN (SELECT in_windows.load_id FROM in_windows)
        OR NOT EXISTS (
            SELECT 1
            FROM attempts
            WHERE attempts.load_id = loads.load_id
        )
),

events AS (
    SELECT
        min(started_at) AS oldest_event,
        max(started_at) AS newest_event
    FROM attempts
)

SELECT
    count(concerned.load_id) AS loads,
    cast(coalesce(sum(concerned.records), 0) AS BIGINT) AS records,
    cast(coalesce(sum(concerned.duplicates), 0) AS BIGINT) AS duplicates,
    cast(coalesce(sum(concerned.overlapping), 0) AS BIGINT) AS overlapping,
    cast(coalesce(sum(concerned.skipped), 0) AS BIGINT) AS skipped,
    cast(coalesce(sum(concerned.rejected), 0) AS BIGINT) AS rejected,
    (
        SELECT coalesce(list(DISTINCT prices.book ORDER BY prices.book), [])
        FROM prices
        WHERE prices.price_id IN (SELECT in_windows.price_id FROM in_windows)
    ) AS price_books,
    any_value(events.oldest_event) AS oldest_event,
    any_value(events.newest_event) AS newest_event
FROM events
LEFT JOIN concerned ON TRUE
