-- question: What did each hour of the pools cost, who was served, and how much of it was idle?
-- grain: one row per pool and UTC hour of the window
-- parameters: since, until
-- columns:
--   pool: name of the pool
--   hour: start of the hour, UTC
--   hour_usd: what the hour cost, USD
--   shared_usd: cost of the attempts that were served, USD: all of the hour's cost where there was any weight
--   idle_usd: what nobody was served for, USD: all of the hour's cost where there was no weight
--   attempts: attempts served
--   input_tokens: input tokens served, cache included
--   output_tokens: output tokens served, reasoning included
--   usd_per_million_tokens: cost per million tokens of input and output, USD; falls with load; NULL = no tokens

WITH pools AS (
    SELECT
        price_id,
        model AS pool,
        effective_from,
        effective_to,
        cast(hour_fee AS DECIMAL(18, 0)) * 0.000000000001 AS hour_usd
    FROM prices
    WHERE hour_fee IS NOT NULL
),

served AS (
    SELECT
        price_id,
        date_trunc('hour', started_at) AS hour,
        sum(effective_cost) AS shared_usd,
        count(*) AS attempts,
        sum(input_tokens) AS input_tokens,
        sum(output_tokens) AS output_tokens
    FROM attempts
    WHERE
        price_basis = 'pool'
        AND day BETWEEN cast($since AT TIME ZONE 'UTC' AS DATE) AND cast($until AT TIME ZONE 'UTC' AS DATE)
    GROUP BY ALL
),

-- The store keeps what a pool cost before the configuration changed: the price that was used last is in force.
last_used AS (
    SELECT
        price_id,
        max(started_at) AS used_at
    FROM attempts
    WHERE price_basis = 'pool'
    GROUP BY price_id
),

hours AS (
    SELECT unnest(generate_series(date_trunc('hour', $since), $until - INTERVAL 1 MICROSECOND, INTERVAL 1 HOUR)) AS hour
),

matched AS (
    SELECT
        pools.*,
        hours.hour,
        served.shared_usd,
        served.attempts,
        served.input_tokens,
        served.output_tokens,
        row_number() OVER (
            PARTITION BY pools.pool, hours.hour
            ORDER BY served.attempts IS NULL, last_used.used_at DESC NULLS LAST, pools.price_id
        ) AS place
    FROM pools
    INNER JOIN hours
        ON
            hours.hour >= coalesce(pools.effective_from, cast('-infinity' AS TIMESTAMPTZ))
            AND hours.hour < coalesce(pools.effective_to, cast('infinity' AS TIMESTAMPTZ))
    LEFT JOIN served ON pools.price_id = served.price_id AND hours.hour = served.hour
    LEFT JOIN last_used ON pools.price_id = last_used.price_id
)

SELECT
    pool,
    hour,
    hour_usd,
    coalesce(shared_usd, 0) AS shared_usd,
    hour_usd - coalesce(shared_usd, 0) AS idle_usd,
    coalesce(attempts, 0) AS attempts,
    cast(coalesce(input_tokens, 0) AS BIGINT) AS input_tokens,
    cast(coalesce(output_tokens, 0) AS BIGINT) AS output_tokens,
    cast(shared_usd AS DOUBLE) * 1e6 / nullif(input_tokens + output_tokens, 0) AS usd_per_million_tokens
FROM matched
WHERE place = 1
ORDER BY pool, hour
