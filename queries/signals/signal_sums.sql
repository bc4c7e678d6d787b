-- question: What are the signals made of, as counts that add up over time?
-- grain: one row per bucket and group with an attempt, in order of time
-- parameters: since, until, zone, bucket, by
-- by: feature
-- by_allowed: everything
-- columns:
--   feature: product feature
--   bucket: its first moment, UTC: of 5 minutes, an hour or a day in the zone, or the window
--   requests: requests, at the time and in the group of their first attempt; one that goes on past midnight UTC is two
--   failed_requests: requests with a failed attempt, whether they were answered in the end or not
--   tier_requests: model tier of the first attempt -> requests; NULL = no request begins here
--   prompt_histogram: bucket -> requests by the length of the prompt (buckets of the view cells); NULL = none is known
--   attempts: attempts that no gateway cache answered
--   input_tokens: their input tokens, cache included
--   cache_read_tokens: tokens of those read from the prompt cache
--   output_tokens: their output tokens, reasoning included
--   gateway_lookups: attempts of which it is known whether the gateway's cache answered
--   gateway_hits: attempts that the gateway's cache answered
--   unpriced_attempts: attempts with tokens and no price
--   cost_usd: effective cost, USD; NULL = none has a price

WITH in_window AS (
    FROM attempts_by_bucket($since, $until, $zone, $bucket, 0)
),

of_attempts AS (
    SELECT
        $by,
        row($by) AS part,
        bucket,
        count(*) FILTER (WHERE NOT is_hit) AS attempts,
        cast(coalesce(sum(input_tokens) FILTER (WHERE NOT is_hit), 0) AS BIGINT) AS input_tokens,
        cast(coalesce(sum(cache_read_tokens) FILTER (WHERE NOT is_hit), 0) AS BIGINT) AS cache_read_tokens,
        cast(coalesce(sum(output_tokens) FILTER (WHERE NOT is_hit), 0) AS BIGINT) AS output_tokens,
        count(gateway_cache) AS gateway_lookups,
        count(*) FILTER (WHERE is_hit) AS gateway_hits,
        count(*) FILTER (WHERE effective_cost IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL)
            AS unpriced_attempts,
        sum(effective_cost) AS cost_usd
    FROM in_window
    GROUP BY $by, bucket
),

requests AS (
    SELECT
        $by,
        bucket,
        model_tier AS tier,
        row_number() OVER in_request AS number_in_request,
        bool_or(status = 'error' OR unlogged_attempts > 0) OVER whole AS is_failed,
        last_value(input_tokens IGNORE NULLS) OVER whole AS prompt_tokens
    FROM in_window
    WINDOW
        in_request AS (
            PARTITION BY day, request_key
            ORDER BY started_at, attempt_number, attempt_id
        ),
        whole AS (
            PARTITION BY day, request_key
            ORDER BY started_at, attempt_number, attempt_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        )
),

of_requests AS (
    SELECT
        row($by) AS part,
        bucket,
        count(*) AS requests,
        count(*) FILTER (WHERE is_failed) AS failed_requests,
        cast(histogram(tier) AS MAP (VARCHAR, BIGINT)) AS tier_requests,
        cast(
            histogram(
                CASE
                    WHEN prompt_tokens = 0 THEN -1
                    WHEN prompt_tokens > 0 THEN cast(ceil(ln(prompt_tokens) / ln(1.01 / 0.99)) AS INTEGER)
                END
            ) AS MAP (INTEGER, BIGINT)
        ) AS prompt_histogram
    FROM requests
    WHERE number_in_request = 1
    GROUP BY $by, bucket
)

SELECT
    $by,
    bucket,
    coalesce(requests, 0) AS requests,
    coalesce(failed_requests, 0) AS failed_requests,
    tier_requests,
    prompt_histogram,
    attempts,
    input_tokens,
    cache_read_tokens,
    output_tokens,
    gateway_lookups,
    gateway_hits,
    unpriced_attempts,
    cost_usd
FROM of_attempts
LEFT JOIN of_requests USING (part, bucket)
ORDER BY bucket, $by
