-- question: How long are prompts, by the length of the whole request?
-- grain: one row per bucket and group with a request whose prompt is known, in order of time
-- parameters: since, until, zone, bucket, by
-- by: feature, route
-- by_allowed: everything
-- columns:
--   feature: product feature
--   route: named route
--   bucket: its first moment, UTC: of 5 minutes, an hour or a day in the zone, or the window
--   requests: requests whose last known prompt has a length, at the time and in the group of their first attempt
--   mean_tokens: mean prompt, tokens
--   p50_tokens: median prompt, tokens
--   p95_tokens: 95th percentile, tokens
--   p99_tokens: 99th percentile, tokens

WITH in_window AS (
    SELECT
        *,
        'everything' AS everything,
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

requests AS (
    SELECT
        *,
        row_number() OVER in_request AS place,
        last_value(input_tokens IGNORE NULLS) OVER whole AS prompt_tokens
    FROM in_window
    WINDOW
        in_request AS (
            PARTITION BY coalesce(request_id, attempt_id)
            ORDER BY started_at, attempt_number, attempt_id
        ),
        whole AS (
            PARTITION BY coalesce(request_id, attempt_id)
            ORDER BY started_at, attempt_number, attempt_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        )
)

SELECT
    $by,
    bucket,
    count(*) AS requests,
    avg(prompt_tokens) AS mean_tokens,
    quantile_cont(prompt_tokens, 0.5) AS p50_tokens,
    quantile_cont(prompt_tokens, 0.95) AS p95_tokens,
    quantile_cont(prompt_tokens, 0.99) AS p99_tokens
FROM requests
WHERE place = 1 AND prompt_tokens IS NOT NULL
GROUP BY $by, bucket
ORDER BY bucket, $by
