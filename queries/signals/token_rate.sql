-- question: How many tokens a second does each endpoint take?
-- grain: one row per bucket and group with attempts, in order of time
-- parameters: since, until, zone, bucket, by
-- by: endpoint
-- by_allowed: everything
-- columns:
--   endpoint: route of the API that the client called
--   bucket: its first moment, UTC: of 5 minutes, an hour or a day in the zone, or the window
--   tokens: input tokens, cache included, and output tokens, reasoning included
--   tokens_per_second: tokens by the seconds of the bucket that are in the window
--   input_tokens: input tokens, cache included
--   output_tokens: output tokens, reasoning included
--   attempts: attempts with a record of their own
--   cost_usd: effective cost, USD; NULL = no attempt has a price

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

counted AS (
    SELECT
        $by,
        bucket,
        coalesce(sum(input_tokens), 0) AS read,
        coalesce(sum(output_tokens), 0) AS written,
        count(*) AS attempts,
        sum(effective_cost) AS cost_usd,
        CASE $bucket
            WHEN 'window' THEN $until
            WHEN 'day' THEN (bucket AT TIME ZONE $zone + INTERVAL 1 DAY) AT TIME ZONE $zone
            WHEN 'hour' THEN bucket + INTERVAL 1 HOUR
            ELSE bucket + INTERVAL 5 MINUTE
        END AS bucket_end
    FROM in_window
    GROUP BY $by, bucket
)

SELECT
    $by,
    bucket,
    cast(read + written AS BIGINT) AS tokens,
    (read + written) / epoch(least(bucket_end, $until) - greatest(bucket, $since)) AS tokens_per_second,
    cast(read AS BIGINT) AS input_tokens,
    cast(written AS BIGINT) AS output_tokens,
    attempts,
    cost_usd
FROM counted
ORDER BY bucket, $by
