-- question: Which sessions cost far more than sessions of their feature do?
-- grain: one row per session that costs more than the far end of its like, by what it costs above the usual
-- parameters: since, until, baseline_since, baseline_until, limit
-- columns:
--   session_id: conversation or session
--   started_at: start of its first attempt of the window, UTC
--   feature: product feature of its first attempt
--   cohort: customer group of its first attempt
--   cost_usd: effective cost, USD
--   usual_usd: median cost of the sessions of its feature: of the baseline's if there are 20, else the window's
--   times_usual: cost_usd by usual_usd
--   requests: requests with an attempt in the window
--   usual_requests: median requests of those sessions
--   failed_attempts: attempts with status error
--   input_tokens: input tokens, cache included
--   output_tokens: output tokens, reasoning included
--   first_prompt_tokens: length of its first known prompt, tokens
--   last_prompt_tokens: length of its last known prompt, tokens
--   outliers: how many such sessions there are in all
--   sessions: sessions of the window with a cost

WITH in_windows AS (
    SELECT
        *,
        started_at >= $since AND started_at < $until AS is_now
    FROM attempts
    WHERE
        session_id IS NOT NULL
        AND (
            (
                -- The store is cut by UTC day; naming the days leaves out files.
                day BETWEEN cast($since AT TIME ZONE 'UTC' AS DATE) AND cast($until AT TIME ZONE 'UTC' AS DATE)
                AND started_at >= $since
                AND started_at < $until
            )
            OR (
                day BETWEEN cast($baseline_since AT TIME ZONE 'UTC' AS DATE)
                AND cast($baseline_until AT TIME ZONE 'UTC' AS DATE)
                AND started_at >= $baseline_since
                AND started_at < $baseline_until
            )
        )
),

sessions AS (
    SELECT
        is_now,
        session_id,
        min(started_at) AS started_at,
        arg_min(feature, started_at) AS feature,
        arg_min(cohort, started_at) AS cohort,
        sum(effective_cost) AS cost_usd,
        count(DISTINCT coalesce(request_id, attempt_id)) AS requests,
        count(*) FILTER (WHERE status = 'error') AS failed_attempts,
        cast(coalesce(sum(input_tokens), 0) AS BIGINT) AS input_tokens,
        cast(coalesce(sum(output_tokens), 0) AS BIGINT) AS output_tokens,
        arg_min(input_tokens, started_at) AS first_prompt_tokens,
        arg_max(input_tokens, started_at) AS last_prompt_tokens
    FROM in_windows
    GROUP BY is_now, session_id
    HAVING sum(effective_cost) > 0
),

-- Far is beyond the third quartile of the logarithm of cost by 1.5 interquartile ranges (Tukey's fence); a feature with
-- fewer than 20 sessions to compare with has no outliers.
measured AS (
    SELECT
        feature,
        is_now,
        count(*) AS size,
        quantile_cont(cost_usd, 0.5) AS usual_usd,
        quantile_cont(requests, 0.5) AS usual_requests,
        quantile_cont(ln(cost_usd), 0.75) AS upper_quartile,
        upper_quartile - quantile_cont(ln(cost_usd), 0.25) AS spread
    FROM sessions
    GROUP BY feature, is_now
    HAVING count(*) >= 20
),

alike AS (
    SELECT DISTINCT ON (feature) *
    FROM measured
    ORDER BY feature ASC, is_now ASC
),

found AS (
    SELECT
        sessions.*,
        alike.usual_usd,
        alike.usual_requests,
        ln(sessions.cost_usd) > alike.upper_quartile + 1.5 * alike.spread AS is_far,
        count(*) OVER () AS all_sessions
    FROM sessions
    LEFT JOIN alike ON sessions.feature = alike.feature
    WHERE sessions.is_now
)

SELECT
    session_id,
    started_at,
    feature,
    cohort,
    cost_usd,
    cast(usual_usd AS DECIMAL(38, 12)) AS usual_usd,
    cast(cost_usd / usual_usd AS DOUBLE) AS times_usual,
    requests,
    usual_requests,
    failed_attempts,
    input_tokens,
    output_tokens,
    first_prompt_tokens,
    last_prompt_tokens,
    count(*) OVER () AS outliers,
    all_sessions AS sessions
FROM found
WHERE is_far
ORDER BY cost_usd - usual_usd DESC, session_id ASC
LIMIT $limit
