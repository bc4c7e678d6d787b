-- question: Which share of requests and of spend does each tier of models take?
-- grain: one row per bucket and group with a request, in order of time
-- parameters: since, until, zone, bucket, by
-- by: model_tier
-- by_allowed: everything
-- columns:
--   model_tier: tier of the model of the request's first attempt
--   bucket: its first moment, UTC: of 5 minutes, an hour or a day in the zone, or the window
--   requests: requests, at the time and in the group of their first attempt
--   request_share: requests by those of all groups in the bucket
--   cost_usd: effective cost of all their attempts, USD; NULL = no attempt has a price
--   cost_share: cost by that of all groups in the bucket; NULL = no cost

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
        sum(effective_cost) OVER whole AS request_cost
    FROM in_window
    WINDOW
        in_request AS (
            PARTITION BY coalesce(request_id, attempt_id)
            ORDER BY started_at, attempt_number, attempt_id
        ),
        whole AS (PARTITION BY coalesce(request_id, attempt_id))
),

counted AS (
    SELECT
        $by,
        bucket,
        count(*) AS requests,
        cast(sum(request_cost) AS DECIMAL(38, 12)) AS cost_usd
    FROM requests
    WHERE place = 1
    GROUP BY $by, bucket
)

SELECT
    $by,
    bucket,
    requests,
    requests / sum(requests) OVER in_bucket AS request_share,
    cost_usd,
    cast(cost_usd / nullif(sum(cost_usd) OVER in_bucket, 0) AS DOUBLE) AS cost_share
FROM counted
WINDOW in_bucket AS (PARTITION BY bucket)
ORDER BY bucket, $by
