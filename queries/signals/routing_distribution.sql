-- question: Which share of requests and of spend does each tier of models take?
-- grain: one row per bucket with a request and group that has one there or at such times before, in order of time
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
        cast(sum(requests) AS BIGINT) AS all_requests,
        sum(cost_usd) AS all_cost
    FROM counted
    GROUP BY is_past, bucket, place
),

now AS (
    SELECT
        bucket,
        all_requests,
        all_cost
    FROM buckets
    WHERE NOT is_past
),

past_buckets AS (
    SELECT
        *,
        unnest(week_places(place, $bucket)) AS told
    FROM buckets
    WHERE is_past
),

places AS (
    SELECT
        told AS place,
        sum(all_requests) AS place_requests,
        sum(all_cost) AS place_cost,
        count(*) AS known
    FROM past_buckets
    GROUP BY told
),

past AS (
    SELECT
        *,
        unnest(week_places(place, $bucket)) AS told
    FROM counted
    WHERE is_past
),

sums AS (
    SELECT
        part,
        told AS place,
        sum(requests) AS part_requests,
        sum(cost_usd) AS part_cost
    FROM past
    GROUP BY part, told
),

usual AS (
    SELECT
        part,
        place,
        part_requests / place_requests AS usual,
        part_cost / nullif(place_cost, 0) AS usual_cost,
        known
    FROM sums
    INNER JOIN places USING (place)
),

distances AS (
    SELECT
        part,
        usual_distance(requests / all_requests - usual, known) AS apart
    FROM counted
    INNER JOIN buckets USING (is_past, bucket, place)
    INNER JOIN usual USING (part, place)
    WHERE is_past
    GROUP BY part
),

parts AS (
    SELECT DISTINCT
        $by,
        part
    FROM counted
),

-- A group without a request in a bucket has the share 0 there, which is told where it usually has more.
measured AS (
    SELECT
        $by,
        part,
        bucket,
        place,
        requests,
        cost_usd
    FROM counted
    WHERE NOT is_past
    UNION ALL BY NAME
    SELECT
        $by,
        part,
        bucket,
        place,
        0 AS requests
    FROM buckets
    INNER JOIN usual USING (place)
    INNER JOIN parts USING (part)
    ANTI JOIN counted USING (part, is_past, bucket)
    WHERE NOT is_past
),

compared AS (
    SELECT
        $by,
        part,
        bucket,
        requests,
        all_requests,
        cost_usd,
        all_cost,
        requests / all_requests AS request_share,
        if(places.known IS NULL, NULL, coalesce(usual, 0)) AS usual,
        usual_cost
    FROM measured
    INNER JOIN now USING (bucket)
    LEFT JOIN places USING (place)
    LEFT JOIN usual USING (part, place)
)

SELECT
    $by,
    bucket,
    requests,
    all_requests,
    request_share,
    usual AS usual_request_share,
    share_band(usual, apart, all_requests).low AS low_request_share,
    share_band(usual, apart, all_requests).high AS high_request_share,
    cost_usd,
    cast(cost_usd / nullif(all_cost, 0) AS DOUBLE) AS cost_share,
    cast(usual_cost AS DOUBLE) AS usual_cost_share,
    sum(abs(request_share - usual)) OVER (PARTITION BY bucket) / 2 AS distance
FROM compared
LEFT JOIN distances USING (part)
ORDER BY bucket, $by
