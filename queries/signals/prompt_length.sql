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
--   usual_p50_tokens: median of p50 of the same times of the week in the four weeks before; NULL = none, or the window
--   usual_p95_tokens: the same of the 95th percentile
--   usual_p99_tokens: the same of the 99th percentile
--   low_p95_tokens: below this it is unusual; NULL = too little is known
--   high_p95_tokens: above this it is unusual; NULL = too little is known
--   shift: population stability index of lengths against the usual ones: 0.1 is some, 0.25 much; NULL = none are known

WITH requests AS (
    SELECT
        *,
        row_number() OVER in_request AS number_in_request,
        last_value(input_tokens IGNORE NULLS) OVER whole AS prompt_tokens
    FROM attempts_by_bucket($since, $until, $zone, $bucket, 4)
    WINDOW
        in_request AS (
            PARTITION BY request_key, is_past
            ORDER BY started_at, attempt_number, attempt_id
        ),
        whole AS (
            PARTITION BY request_key, is_past
            ORDER BY started_at, attempt_number, attempt_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        )
),

prompts AS (
    SELECT
        *,
        row($by) AS part,
        floor(2 * log2(greatest(prompt_tokens, 1))) AS half_octave
    FROM requests
    WHERE number_in_request = 1 AND prompt_tokens IS NOT NULL
),

measured AS (
    SELECT
        $by,
        part,
        is_past,
        bucket,
        place,
        count(*) AS requests,
        avg(prompt_tokens) AS mean_tokens,
        quantile_cont(prompt_tokens, 0.5) AS p50_tokens,
        quantile_cont(prompt_tokens, 0.95) AS p95_tokens,
        quantile_cont(prompt_tokens, 0.99) AS p99_tokens
    FROM prompts
    GROUP BY $by, part, is_past, bucket, place
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
        median(p50_tokens) AS usual_p50,
        median(p95_tokens) AS usual_p95,
        median(p99_tokens) AS usual_p99,
        count(*) AS known
    FROM past
    GROUP BY part, told
),

distances AS (
    SELECT
        part,
        usual_distance(ln(p95_tokens / usual_p95), known) AS apart
    FROM measured
    INNER JOIN usual USING (part, place)
    WHERE is_past AND p95_tokens > 0 AND usual_p95 > 0
    GROUP BY part
),

lengths AS (
    SELECT
        part,
        is_past,
        bucket,
        place,
        half_octave,
        count(*) AS requests
    FROM prompts
    GROUP BY part, is_past, bucket, place, half_octave
),

past_lengths AS (
    SELECT
        *,
        unnest(week_places(place, $bucket)) AS told
    FROM lengths
    WHERE is_past
),

usual_lengths AS (
    SELECT
        part,
        told AS place,
        half_octave,
        sum(requests) AS requests
    FROM past_lengths
    GROUP BY part, told, half_octave
),

classes AS (
    SELECT
        part,
        bucket,
        half_octave,
        requests AS now,
        0 AS before
    FROM lengths
    WHERE NOT is_past
    UNION ALL
    SELECT
        part,
        bucket,
        half_octave,
        0 AS now,
        usual_lengths.requests AS before
    FROM measured
    INNER JOIN usual_lengths USING (part, place)
    WHERE NOT is_past
),

-- Half a request more in every class: a class that is empty on one side is no infinite distance.
compared AS (
    SELECT
        part,
        bucket,
        sum(now) + 0.5 AS now,
        sum(before) + 0.5 AS before,
        sum(sum(now) + 0.5) OVER in_bucket AS all_now,
        sum(sum(before) + 0.5) OVER in_bucket AS all_before
    FROM classes
    GROUP BY part, bucket, half_octave
    WINDOW in_bucket AS (PARTITION BY part, bucket)
),

shifts AS (
    SELECT
        part,
        bucket,
        sum((now / all_now - before / all_before) * ln((now / all_now) / (before / all_before))) AS shift
    FROM compared
    GROUP BY part, bucket
)

SELECT
    $by,
    bucket,
    requests,
    mean_tokens,
    p50_tokens,
    p95_tokens,
    p99_tokens,
    usual_p50 AS usual_p50_tokens,
    usual_p95 AS usual_p95_tokens,
    usual_p99 AS usual_p99_tokens,
    level_band(usual_p95, apart, requests).low AS low_p95_tokens,
    level_band(usual_p95, apart, requests).high AS high_p95_tokens,
    if(usual_p50 IS NULL, NULL, shift) AS shift
FROM measured
LEFT JOIN usual USING (part, place)
LEFT JOIN distances USING (part)
LEFT JOIN shifts USING (part, bucket)
WHERE NOT is_past
ORDER BY bucket, $by
