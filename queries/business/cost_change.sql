-- question: How did cost, requests and tokens change against a baseline window?
-- grain: one row per feature with attempts in either window (per combination of the columns given as `by`)
-- parameters: since, until, baseline_since, baseline_until, by
-- by: feature
-- by_allowed: user_id, session_id, api_key_name, team_name, deployment, region, price_basis, usage_source
-- columns:
--   feature: product feature by the rules
--   cost_usd: effective cost in the window, USD; 0 = no attempts, NULL = no attempt has a price
--   baseline_cost_usd: the same in the baseline window
--   change_usd: cost_usd minus baseline_cost_usd, USD
--   requests: requests, counted where their first attempt of the window is, so that rows add up
--   baseline_requests: the same in the baseline window
--   attempts: attempts with a record of their own
--   baseline_attempts: the same in the baseline window
--   input_tokens: input tokens, cache included
--   baseline_input_tokens: the same in the baseline window
--   output_tokens: output tokens, reasoning included
--   baseline_output_tokens: the same in the baseline window
--   unpriced_attempts: attempts with tokens and no price, which cost_usd leaves out
--   baseline_unpriced_attempts: the same in the baseline window

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

marked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY is_current, coalesce(request_id, attempt_id)
            ORDER BY started_at, attempt_number, attempt_id
        ) = 1 AS is_first,
        effective_cost IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL AS is_unpriced
    FROM in_windows
),

figures AS (
    SELECT
        $by,
        CASE
            WHEN count(*) FILTER (WHERE is_current) = 0 THEN 0
            ELSE sum(effective_cost) FILTER (WHERE is_current)
        END AS cost_usd,
        CASE
            WHEN count(*) FILTER (WHERE NOT is_current) = 0 THEN 0
            ELSE sum(effective_cost) FILTER (WHERE NOT is_current)
        END AS baseline_cost_usd,
        count(*) FILTER (WHERE is_current AND is_first) AS requests,
        count(*) FILTER (WHERE NOT is_current AND is_first) AS baseline_requests,
        count(*) FILTER (WHERE is_current) AS attempts,
        count(*) FILTER (WHERE NOT is_current) AS baseline_attempts,
        cast(sum(input_tokens) FILTER (WHERE is_current) AS BIGINT) AS input_tokens,
        cast(sum(input_tokens) FILTER (WHERE NOT is_current) AS BIGINT) AS baseline_input_tokens,
        cast(sum(output_tokens) FILTER (WHERE is_current) AS BIGINT) AS output_tokens,
        cast(sum(output_tokens) FILTER (WHERE NOT is_current) AS BIGINT) AS baseline_output_tokens,
        count(*) FILTER (WHERE is_current AND is_unpriced) AS unpriced_attempts,
        count(*) FILTER (WHERE NOT is_current AND is_unpriced) AS baseline_unpriced_attempts
    FROM marked
    GROUP BY $by
)

SELECT
    $by,
    cost_usd,
    baseline_cost_usd,
    cost_usd - baseline_cost_usd AS change_usd,
    requests,
    baseline_requests,
    attempts,
    baseline_attempts,
    input_tokens,
    baseline_input_tokens,
    output_tokens,
    baseline_output_tokens,
    unpriced_attempts,
    baseline_unpriced_attempts
FROM figures
ORDER BY abs(change_usd) DESC NULLS LAST, cost_usd DESC NULLS LAST, $by
