-- question: How much of both windows do the figures cover: what has no price, no tokens, no feature?
-- grain: one row per window (current, baseline) that has attempts, and one for both
-- parameters: since, until, baseline_since, baseline_until
-- columns:
--   window_name: current, baseline, or both
--   attempts: attempts with a record of their own
--   requests: requests with an attempt in the window
--   cost_usd: effective cost, USD; NULL = no attempt has a price
--   unpriced_attempts: attempts with tokens and no price, which cost_usd leaves out
--   unpriced_tokens: tokens of those, input and output
--   no_usage_attempts: attempts without token counts
--   estimated_attempts: attempts whose tokens the gateway estimated
--   estimated_cost_usd: effective cost of those, USD; 0 = there are none
--   contradicting_attempts: attempts whose record contradicts its format's rules
--   sampled_attempts: attempts from exports that hold a sample of the traffic; nothing is scaled up
--   sampled_calls: calls that those stand for, rounded down
--   folded_attempts: attempts from logs with one record a request, where retries and fallbacks do not show
--   sessions: sessions with an attempt in the window
--   session_cost_usd: effective cost of their attempts, USD; NULL = none is priced
--   unattributed_attempts: attempts that no rule gives a feature
--   unattributed_cost_usd: effective cost of those, USD; 0 = there are none, NULL = none is priced

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
        CASE WHEN is_current THEN 'current' ELSE 'baseline' END AS window_name,
        effective_cost IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL AS is_unpriced,
        coalesce(feature, '(unattributed)') = '(unattributed)' AS is_unattributed
    FROM in_windows
)

SELECT
    coalesce(window_name, 'both') AS window_name,
    count(*) AS attempts,
    count(DISTINCT coalesce(request_id, attempt_id)) AS requests,
    sum(effective_cost) AS cost_usd,
    count(*) FILTER (WHERE is_unpriced) AS unpriced_attempts,
    cast(
        coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) FILTER (WHERE is_unpriced), 0) AS BIGINT
    ) AS unpriced_tokens,
    count(*) FILTER (WHERE coalesce(input_tokens, output_tokens) IS NULL) AS no_usage_attempts,
    count(*) FILTER (WHERE usage_source = 'estimated') AS estimated_attempts,
    CASE
        WHEN count(*) FILTER (WHERE usage_source = 'estimated') = 0 THEN 0
        ELSE sum(effective_cost) FILTER (WHERE usage_source = 'estimated')
    END AS estimated_cost_usd,
    count(*) FILTER (WHERE contradiction IS NOT NULL) AS contradicting_attempts,
    count(*) FILTER (WHERE weight <> 1) AS sampled_attempts,
    cast(coalesce(floor(sum(weight) FILTER (WHERE weight <> 1)), 0) AS BIGINT) AS sampled_calls,
    count(*) FILTER (WHERE grain = 'request') AS folded_attempts,
    count(DISTINCT session_id) AS sessions,
    sum(effective_cost) FILTER (WHERE session_id IS NOT NULL) AS session_cost_usd,
    count(*) FILTER (WHERE is_unattributed) AS unattributed_attempts,
    CASE
        WHEN count(*) FILTER (WHERE is_unattributed) = 0 THEN 0
        ELSE sum(effective_cost) FILTER (WHERE is_unattributed)
    END AS unattributed_cost_usd
FROM marked
GROUP BY GROUPING SETS ((window_name), ())
ORDER BY
    CASE WHEN window_name IS NULL THEN 2 WHEN window_name = 'current' THEN 0 ELSE 1 END
