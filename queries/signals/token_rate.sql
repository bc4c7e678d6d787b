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
--   usual_tokens_per_second: median of the same times of the week in the four weeks before; NULL = none, or the window
--   low_tokens_per_second: below this it is unusual; NULL = too little is known
--   high_tokens_per_second: above this it is unusual; NULL = too little is known
--   input_tokens: input tokens, cache included
--   output_tokens: output tokens, reasoning included
--   attempts: attempts with a record of their own
--   cost_usd: effective cost, USD; NULL = no attempt has a price

WITH counted AS (
    SELECT
        $by,
        row($by) AS part,
        is_past,
        bucket,
        place,
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
    FROM attempts_by_bucket($since, $until, $zone, $bucket, 4)
    GROUP BY $by, is_past, bucket, place
),

measured AS (
    SELECT
        *,
        (read + written) / epoch(
            least(bucket_end, if(is_past, $since, $until))
            - greatest(bucket, if(is_past, $since - INTERVAL 28 DAY, $since))
        ) AS tokens_per_second
    FROM counted
),

past AS (
    SELECT
        *,
        unnest(week_places(place, $bucket)) AS told
    FROM measured
    WHERE is_past AND read + written > 0
),

usual AS (
    SELECT
        part,
        told AS place,
        median(tokens_per_second) AS usual,
        count(*) AS known
    FROM past
    GROUP BY part, told
),

distances AS (
    SELECT
        part,
        usual_distance(ln(tokens_per_second / usual), known) AS apart
    FROM measured
    INNER JOIN usual USING (part, place)
    WHERE is_past AND tokens_per_second > 0
    GROUP BY part
)

SELECT
    $by,
    bucket,
    cast(read + written AS BIGINT) AS tokens,
    tokens_per_second,
    usual AS usual_tokens_per_second,
    level_band(usual, apart, attempts).low AS low_tokens_per_second,
    level_band(usual, apart, attempts).high AS high_tokens_per_second,
    cast(read AS BIGINT) AS input_tokens,
    cast(written AS BIGINT) AS output_tokens,
    attempts,
    cost_usd
FROM measured
LEFT JOIN usual USING (part, place)
LEFT JOIN distances USING (part)
WHERE NOT is_past
ORDER BY bucket, $by
