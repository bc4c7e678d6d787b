-- question: What does each hour cost?
-- grain: one row per hour with attempts, cut in the zone
-- parameters: since, until, zone
-- columns:
--   hour: start of the hour, UTC
--   local_hour: the same on the clock of the zone (twice where the clock is set back)
--   cost_usd: effective cost, USD; NULL = no attempt has a price
--   list_cost_usd: cost by the price book, before the user's own prices, USD
--   requests: requests, counted where their first attempt of the window is, so that rows add up
--   attempts: attempts with a record of their own
--   failed_attempts: attempts with status error
--   input_tokens: input tokens, cache included
--   cache_read_tokens: input tokens read from the provider's prompt cache
--   output_tokens: output tokens, reasoning included
--   unpriced_attempts: attempts with tokens and no price, which cost_usd leaves out

WITH in_window AS (
    SELECT
        *,
        started_at AT TIME ZONE $zone AS local_time,
        row_number() OVER (
            PARTITION BY coalesce(request_id, attempt_id)
            ORDER BY started_at, attempt_number, attempt_id
        ) = 1 AS is_first
    FROM attempts
    WHERE
        -- The store is cut by UTC day; naming the days leaves out files.
        day BETWEEN cast($since AT TIME ZONE 'UTC' AS DATE) AND cast($until AT TIME ZONE 'UTC' AS DATE)
        AND started_at >= $since
        AND started_at < $until
),

cut AS (
    SELECT
        *,
        -- Zones may be off UTC by part of an hour: step back from the moment by the minutes of the local clock.
        started_at - (local_time - date_trunc('hour', local_time)) AS hour,
        date_trunc('hour', local_time) AS local_hour
    FROM in_window
)

SELECT
    hour,
    local_hour,
    sum(effective_cost) AS cost_usd,
    sum(list_cost) AS list_cost_usd,
    count(*) FILTER (WHERE is_first) AS requests,
    count(*) AS attempts,
    count(*) FILTER (WHERE status = 'error') AS failed_attempts,
    cast(sum(input_tokens) AS BIGINT) AS input_tokens,
    cast(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    cast(sum(output_tokens) AS BIGINT) AS output_tokens,
    count(*) FILTER (WHERE effective_cost IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL)
        AS unpriced_attempts
FROM cut
GROUP BY
    hour,
    local_hour
ORDER BY hour
