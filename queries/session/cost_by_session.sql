-- question: What does each session cost?
-- grain: one row per session with attempts in the window, dearest first; attempts without a session are one row
-- parameters: since, until, limit
-- columns:
--   session_id: conversation or session; NULL = attempts without one, together
--   started_at: start of its first attempt of the window, UTC
--   last_at: start of its last attempt of the window, UTC
--   feature: product feature of its first attempt
--   cohort: customer group of its first attempt
--   cost_usd: effective cost, USD; NULL = no attempt has a price
--   requests: requests with an attempt in the window
--   attempts: attempts with a record of their own
--   failed_attempts: attempts with status error
--   input_tokens: input tokens, cache included
--   cache_read_tokens: input tokens read from the provider's prompt cache
--   output_tokens: output tokens, reasoning included
--   max_prompt_tokens: longest prompt of an attempt, tokens
--   unpriced_attempts: attempts with tokens and no price, which cost_usd leaves out

SELECT
    session_id,
    min(started_at) AS started_at,
    max(started_at) AS last_at,
    arg_min(feature, started_at) AS feature,
    arg_min(cohort, started_at) AS cohort,
    sum(effective_cost) AS cost_usd,
    count(DISTINCT coalesce(request_id, attempt_id)) AS requests,
    count(*) AS attempts,
    count(*) FILTER (WHERE status = 'error') AS failed_attempts,
    cast(sum(input_tokens) AS BIGINT) AS input_tokens,
    cast(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    cast(sum(output_tokens) AS BIGINT) AS output_tokens,
    max(input_tokens) AS max_prompt_tokens,
    count(*) FILTER (WHERE effective_cost IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL)
        AS unpriced_attempts
FROM attempts
WHERE
    -- The store is cut by UTC day; naming the days leaves out files.
    day BETWEEN cast($since AT TIME ZONE 'UTC' AS DATE) AND cast($until AT TIME ZONE 'UTC' AS DATE)
    AND started_at >= $since
    AND started_at < $until
GROUP BY session_id
ORDER BY cost_usd DESC NULLS LAST, session_id ASC
LIMIT $limit
