-- question: How do cost and its shares drift from day to day?
-- grain: one row per day and feature (per combination of the columns given as `by`), zeros where it had no attempts
-- parameters: since, until, zone, by
-- by: feature
-- by_allowed: user_id, session_id, api_key_name, team_name, deployment, region, price_basis, usage_source
-- columns:
--   day: day in the zone
--   feature: product feature by the rules
--   cost_usd: effective cost, USD; NULL = no attempt has a price
--   requests: requests, counted where their first attempt is
--   cost_share: part of the day's cost, 0..1
--   request_share: part of the day's requests, 0..1
--   mean_cost_share: mean cost_share of the 7 days before that have attempts, 0..1; NULL = there are none
--   mean_request_share: mean request_share of the 7 days before that have attempts, 0..1; NULL = there are none
--   cost_share_change: cost_share minus mean_cost_share
--   request_share_change: request_share minus mean_request_share

WITH in_window AS (
    SELECT
        *,
        cast(started_at AT TIME ZONE $zone AS DATE) AS local_day,
        row_number() OVER (
            PARTITION BY coalesce(request_id, attempt_id)
            ORDER BY started_at, attempt_number, attempt_id
        ) = 1 AS is_first
    FROM attempts
    WHERE
        -- The store is cut by UTC day; naming the days leaves out files.
        day BETWEEN cast($since AT TIME ZONE 'UTC' AS DATE) - 8 AND cast($until AT TIME ZONE 'UTC' AS DATE)
        -- Seven days more, so that the first day has days before it.
        AND started_at >= (($since AT TIME ZONE $zone) - INTERVAL 7 DAY) AT TIME ZONE $zone
        AND started_at < $until
),

every_day AS (
    SELECT DISTINCT local_day
    FROM in_window
),

every_value AS (
    SELECT DISTINCT $by
    FROM in_window
),

-- Rows of zeros by UNION instead of an outer join: GROUP BY holds two NULLs for the same, a join does not.
filled AS (
    SELECT
        $by,
        local_day,
        effective_cost,
        is_first,
        TRUE AS is_attempt
    FROM in_window
    UNION ALL
    SELECT
        $by,
        local_day,
        NULL AS effective_cost,
        FALSE AS is_first,
        FALSE AS is_attempt
    FROM every_value
    CROSS JOIN every_day
),

daily AS (
    SELECT
        $by,
        local_day,
        CASE WHEN count(*) FILTER (WHERE is_attempt) = 0 THEN 0 ELSE sum(effective_cost) END AS cost_usd,
        count(*) FILTER (WHERE is_first) AS requests
    FROM filled
    GROUP BY $by, local_day
),

shared AS (
    SELECT
        *,
        cost_usd / nullif(sum(cost_usd) OVER (PARTITION BY local_day), 0) AS cost_share,
        requests / nullif(sum(requests) OVER (PARTITION BY local_day), 0) AS request_share
    FROM daily
),

compared AS (
    SELECT
        *,
        avg(cost_share) OVER week_before AS mean_cost_share,
        avg(request_share) OVER week_before AS mean_request_share
    FROM shared
    WINDOW
        week_before AS (
            PARTITION BY $by
            ORDER BY local_day
            RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND INTERVAL 1 DAY PRECEDING
        )
)

SELECT
    local_day AS day,
    $by,
    cost_usd,
    requests,
    cost_share,
    request_share,
    mean_cost_share,
    mean_request_share,
    cost_share - mean_cost_share AS cost_share_change,
    request_share - mean_request_share AS request_share_change
FROM compared
WHERE local_day >= cast($since AT TIME ZONE $zone AS DATE)
ORDER BY local_day, $by
