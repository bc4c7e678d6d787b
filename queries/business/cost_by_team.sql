-- question: What does each team cost?
-- grain: one row per team (per combination of the columns given as `by`)
-- parameters: since, until, by
-- by: team
-- by_allowed: user_id, session_id, api_key_name, team_name, deployment, region, price_basis, usage_source
-- columns:
--   team: owning team by the rules
--   cost_usd: effective cost, USD; NULL = no attempt has a price
--   cost_share: part of the window's cost, 0..1
--   list_cost_usd: cost by the price book, before the user's own prices, USD
--   requests: requests, counted where their first attempt of the window is, so that rows add up
--   attempts: attempts with a record of their own
--   failed_attempts: attempts with status error
--   input_tokens: input tokens, cache included
--   cache_read_tokens: input tokens read from the provider's prompt cache
--   output_tokens: output tokens, reasoning included
--   cost_per_request_usd: cost_usd a request, for display, USD
--   unpriced_attempts: attempts with tokens and no price, which cost_usd leaves out

WITH in_window AS (
    SELECT
        *,
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
    $by,
    sum(effective_cost) AS cost_usd,
    sum(effective_cost) / nullif(sum(sum(effective_cost)) OVER (), 0) AS cost_share,
    sum(list_cost) AS list_cost_usd,
    count(*) FILTER (WHERE is_first) AS requests,
    count(*) AS attempts,
    count(*) FILTER (WHERE status = 'error') AS failed_attempts,
    cast(sum(input_tokens) AS BIGINT) AS input_tokens,
    cast(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    cast(sum(output_tokens) AS BIGINT) AS output_tokens,
    sum(effective_cost) / nullif(count(*) FILTER (WHERE is_first), 0) AS cost_per_request_usd,
    count(*) FILTER (WHERE effective_cost IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL)
        AS unpriced_attempts
FROM in_window
GROUP BY $by
ORDER BY cost_usd DESC NULLS LAST, $by
