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
--   attempts: attempts of those requests, with those that the log only tells of
--   failed_attempts: attempts that failed, with those that the log only tells of
--   wasted_tokens: input and output tokens of failed attempts
--   wasted_usd: effective cost of failed attempts, USD; NULL = none has a price
--   error_types: error type -> failed attempts

WITH in_window AS (
    SELECT
        *,
        'everything' AS everything,
        status = 'error' AS is_failed,
        coalesce(request_id, attempt_id) AS request_key,
        CASE $bucket
            WHEN 'window' THEN $since
            WHEN 'day' THEN date_trunc('day', started_at AT TIME ZONE $zone) AT TIME ZONE $zone
            -- The hour that is repeated when a clock is set back is two hours.
            WHEN 'hour' THEN started_at - to_microseconds(epoch_us(started_at AT TIME ZONE $zone) % 3600000000)
            ELSE time_bucket(INTERVAL 5 MINUTE, started_at)
        END AS bucket
    FROM attempts
    WHERE
        -- The store is cut by UTC day; naming the days leaves out files.
        day BETWEEN cast($since AT TIME ZONE 'UTC' AS DATE) AND cast($until AT TIME ZONE 'UTC' AS DATE)
        AND started_at >= $since
        AND started_at < $until
),

folded AS (
    SELECT
        request_key,
        count(*) + coalesce(sum(unlogged_attempts), 0) AS attempts,
        count(*) FILTER (WHERE is_failed) + coalesce(sum(unlogged_attempts), 0) AS failed_attempts,
        coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) FILTER (WHERE is_failed), 0) AS wasted,
        sum(effective_cost) FILTER (WHERE is_failed) AS wasted_usd,
        list(error_type) FILTER (WHERE is_failed AND error_type IS NOT NULL) AS error_types
    FROM in_window
    GROUP BY request_key
),

requests AS (
    SELECT
        first_attempt.*,
        folded.attempts,
        folded.failed_attempts,
        folded.wasted,
        folded.wasted_usd,
        folded.error_types
    FROM (
        SELECT DISTINCT ON (request_key) * EXCLUDE (unlogged_attempts)
        FROM in_window
        ORDER BY request_key, started_at, attempt_number, attempt_id
    ) AS first_attempt
    INNER JOIN folded ON first_attempt.request_key = folded.request_key
)

SELECT
    $by,
    bucket,
    count(*) AS requests,
    count(*) FILTER (WHERE failed_attempts > 0) AS failed_requests,
    count(*) FILTER (WHERE failed_attempts > 0) / count(*) AS retry_rate,
    cast(sum(attempts) AS BIGINT) AS attempts,
    cast(sum(failed_attempts) AS BIGINT) AS failed_attempts,
    cast(sum(wasted) AS BIGINT) AS wasted_tokens,
    cast(sum(wasted_usd) AS DECIMAL(38, 12)) AS wasted_usd,
    cast(
        list_aggregate(flatten(list(error_types) FILTER (WHERE error_types IS NOT NULL)), 'histogram')
        AS MAP (VARCHAR, BIGINT)
    ) AS error_types
FROM requests
GROUP BY $by, bucket
ORDER BY bucket, $by
