-- question: How many requests have a failed attempt, and what did those attempts cost?
-- grain: one row per bucket and group with a request, in order of time
-- parameters: since, until, zone, bucket, by
-- by: feature
-- by_allowed: everything
-- columns:
--   feature: product feature
--   bucket: its first moment, UTC: of 5 minutes, an hour or a day in the zone, or the window
--   requests: requests, at the time and in the group of their first attempt
--   failed_requests: requests with a failed attempt, whether they were answered in the end or not
--   retry_rate: failed_requests by requests
--   usual_retry_rate: that of the same times of the week in the four weeks before; NULL = none, or the window
--   low_retry_rate: below this it is unusual; NULL = too little is known
--   high_retry_rate: above this it is unusual; NULL = too little is known
--   attempts: attempts of those requests, with those that the log only tells of
--   failed_attempts: attempts that failed, with those that the log only tells of
--   wasted_tokens: input and output tokens of failed attempts
--   wasted_usd: effective cost of failed attempts, USD; NULL = none has a price
--   error_types: error type -> failed attempts

WITH requests AS (
    SELECT
        *,
        row_number() OVER in_request AS number_in_request,
        count(*) OVER whole + coalesce(sum(unlogged_attempts) OVER whole, 0) AS attempts,
        count(*) FILTER (WHERE status = 'error') OVER whole + coalesce(sum(unlogged_attempts) OVER whole, 0)
            AS failed_attempts,
        sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) FILTER (WHERE status = 'error') OVER whole
            AS wasted,
        sum(effective_cost) FILTER (WHERE status = 'error') OVER whole AS failed_cost,
        list(error_type) FILTER (WHERE status = 'error' AND error_type IS NOT NULL) OVER whole AS failures
    FROM attempts_by_bucket($since, $until, $zone, $bucket, 4)
    WINDOW
        in_request AS (
            PARTITION BY request_key, is_past
            ORDER BY started_at, attempt_number, attempt_id
        ),
        whole AS (PARTITION BY request_key, is_past)
),

measured AS (
    SELECT
        $by,
        row($by) AS part,
        is_past,
        bucket,
        place,
        count(*) AS requests,
        count(*) FILTER (WHERE failed_attempts > 0) AS failed_requests,
        count(*) FILTER (WHERE failed_attempts > 0) / count(*) AS retry_rate,
        cast(sum(attempts) AS BIGINT) AS attempts,
        cast(sum(failed_attempts) AS BIGINT) AS failed_attempts,
        cast(coalesce(sum(wasted), 0) AS BIGINT) AS wasted_tokens,
        cast(sum(failed_cost) AS DECIMAL(38, 12)) AS wasted_usd,
        cast(
            list_aggregate(flatten(list(failures) FILTER (WHERE failures IS NOT NULL)), 'histogram')
            AS MAP (VARCHAR, BIGINT)
        ) AS error_types
    FROM requests
    WHERE number_in_request = 1
    GROUP BY $by, is_past, bucket, place
),

past AS (
    SELECT
        *,
        unnest(week_places(place, $bucket)) AS told
    FROM measured
    WHERE is_past
),

usual AS (
    SELECT
        part,
        told AS place,
        sum(failed_requests) / sum(requests) AS usual,
        count(*) AS known
    FROM past
    GROUP BY part, told
),

distances AS (
    SELECT
        part,
        usual_distance(retry_rate - usual, known) AS apart
    FROM measured
    INNER JOIN usual USING (part, place)
    WHERE is_past
    GROUP BY part
)

SELECT
    $by,
    bucket,
    requests,
    failed_requests,
    retry_rate,
    usual AS usual_retry_rate,
    share_band(usual, apart, requests).low AS low_retry_rate,
    share_band(usual, apart, requests).high AS high_retry_rate,
    attempts,
    failed_attempts,
    wasted_tokens,
    wasted_usd,
    error_types
FROM measured
LEFT JOIN usual USING (part, place)
LEFT JOIN distances USING (part)
WHERE NOT is_past
ORDER BY bucket, $by
