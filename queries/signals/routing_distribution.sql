-- question: Which share of requests and of spend does each tier of models take?
-- grain: one row per bucket with a request and group with one in the window or the weeks before, in order of time
-- parameters: since, until, zone, bucket, by
-- by: model_tier
-- by_allowed: everything
-- columns:
--   model_tier: tier of the model of the request's first attempt
--   bucket: its first moment, UTC: of 5 minutes, an hour or a day in the zone, or the window
--   requests: requests, at the time and in the group of their first attempt
--   all_requests: those of all groups in the bucket
--   request_share: requests by those of all groups in the bucket
--   usual_request_share: that of the same times of the week in the four weeks before; NULL = none, or the window
--   low_request_share: below this it is unusual; NULL = too little is known
--   high_request_share: above this it is unusual; NULL = too little is known
--   cost_usd: effective cost of all their attempts, USD; NULL = no attempt has a price
--   cost_share: cost by that of all groups in the bucket; NULL = no cost
--   usual_cost_share: that of the same times of the week in the four weeks before; NULL = none, or the window
--   distance: share of the bucket's requests that went to another group than usual, 0 to 1; NULL = nothing is usual

WITH requests AS (
    SELECT
        *,
        row_number() OVER in_request AS number_in_request,
        sum(effective_cost) OVER whole AS request_cost
    FROM attempts_by_bucket($since, $until, $zone, $bucket, 4)
    WINDOW
        in_request AS (
            PARTITION BY request_key, is_past
            ORDER BY started_at, attempt_number, attempt_id
        ),
        whole AS (PARTITION BY request_key, is_past)
),

counted AS (
    SELECT
        $by,
        row($by) AS part,
        is_past,
        bucket,
        place,
        count(*) AS requests,
        cast(sum(request_cost) AS DECIMAL(38, 12)) AS cost_usd
    FROM requests
    WHERE number_in_request = 1
    GROUP BY $by, is_past, bucket, place
),

buckets AS (
    SELECT
        is_past,
        bucket,
        place,
        sum(requests) AS all_requests,
        sum(cost_usd) AS all_cost
    FROM counted
    GROUP BY is_past, bucket, place
),

parts AS (
    SELECT DISTINCT
        $by,
        part
    FROM counted
),

-- A group without a request in a bucket has the share 0 there.
measured AS (
    SELECT
        parts.*,
        buckets.*,
        coalesce(counted.requests, 0) AS requests,
        counted.cost_usd,
        coalesce(counted.requests, 0) / all_requests AS request_share
    FROM buckets
    CROSS JOIN parts
    LEFT JOIN counted
        ON
            buckets.bucket = counted.bucket
            AND buckets.is_past = counted.is_past
            AND parts.part = counted.part
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
        sum(requests) / sum(all_requests) AS usual,
        sum(cost_usd) / nullif(sum(all_cost), 0) AS usual_cost,
        count(*) AS known
    FROM past
    GROUP BY part, told
),

distances AS (
    SELECT
        part,
        usual_distance(request_share - usual, known) AS apart
    FROM measured
    INNER JOIN usual USING (part, place)
    WHERE is_past
    GROUP BY part
)

SELECT
    $by,
    bucket,
    requests,
    cast(all_requests AS BIGINT) AS all_requests,
    request_share,
    usual AS usual_request_share,
    share_band(usual, apart, all_requests).low AS low_request_share,
    share_band(usual, apart, all_requests).high AS high_request_share,
    cost_usd,
    cast(cost_usd / nullif(all_cost, 0) AS DOUBLE) AS cost_share,
    cast(usual_cost AS DOUBLE) AS usual_cost_share,
    sum(abs(request_share - usual)) OVER (PARTITION BY bucket) / 2 AS distance
FROM measured
LEFT JOIN usual USING (part, place)
LEFT JOIN distances USING (part)
WHERE NOT is_past
ORDER BY bucket, $by
