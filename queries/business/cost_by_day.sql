-- question: What does each day cost?
-- grain: one row per day with attempts, in the zone
-- parameters: since, until, zone
-- columns:
--   day: day in the zone
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
        cast(started_at AT TIME ZONE $zone AS DATE) AS local_day,
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
)

SELECT
    local_day AS day,
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
FROM in_window
GROUP BY local_day
ORDER BY local_day
