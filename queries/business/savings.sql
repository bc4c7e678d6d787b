-- question: What did caches save, and what did failed attempts and fallbacks cost?
-- grain: one row for the window
-- parameters: since, until
-- columns:
--   prompt_cache_saved_usd: tokens read from the prompt cache at the uncached rate less their own, list prices, USD
--   prompt_cache_premium_usd: tokens written to the prompt cache at their rate less the uncached one, list prices, USD
--   prompt_cache_net_usd: what is saved less the premium, USD; NULL = no cached token has a price
--   cache_read_tokens: input tokens that were read from the prompt cache
--   gateway_cache_hits: answers of the gateway's own cache
--   gateway_cache_avoided_usd: what those would have cost as far as their logs say, USD; NULL = none says
--   failed_attempts: attempts that failed
--   failed_usd: effective cost of failed attempts, USD; NULL = none has a price
--   fallback_attempts: attempts that answered for another model group than the one asked first
--   fallback_premium_usd: their cost less the mean of what the first choice answers in the feature; NULL = no such, USD

WITH in_window AS (
    SELECT
        *,
        coalesce(request_id, attempt_id) AS request_key
    FROM attempts
    WHERE
        day BETWEEN cast($since AT TIME ZONE 'UTC' AS DATE) AND cast($until AT TIME ZONE 'UTC' AS DATE)
        AND started_at >= $since
        AND started_at < $until
),

ordered AS (
    SELECT
        *,
        row_number() OVER in_request AS place,
        first_value(request_model) OVER in_request AS first_request_model
    FROM in_window
    WINDOW in_request AS (PARTITION BY request_key ORDER BY started_at, attempt_number, attempt_id)
),

rates AS (
    SELECT DISTINCT ON (price_id)
        price_id,
        input_uncached_rate,
        cache_read_rate,
        cache_write_5m_rate,
        cache_write_30m_rate,
        cache_write_1h_rate,
        cache_write_12h_rate
    FROM prices
    ORDER BY price_id
),

cached AS (
    SELECT
        sum(cast(cache_read_tokens AS HUGEINT) * (input_uncached_rate - cache_read_rate)) AS saved,
        sum(
            cast(coalesce(cache_write_5m_tokens, 0) AS HUGEINT) * coalesce(cache_write_5m_rate - input_uncached_rate, 0)
            + coalesce(cache_write_30m_tokens, 0) * coalesce(cache_write_30m_rate - input_uncached_rate, 0)
            + coalesce(cache_write_1h_tokens, 0) * coalesce(cache_write_1h_rate - input_uncached_rate, 0)
            + coalesce(cache_write_12h_tokens, 0) * coalesce(cache_write_12h_rate - input_uncached_rate, 0)
        ) AS premium
    FROM ordered
    INNER JOIN rates ON coalesce(ordered.list_price_id, ordered.price_id) = rates.price_id
    WHERE ordered.effective_cost > 0
),

usual AS (
    SELECT
        feature,
        first_request_model,
        sum(effective_cost) / count(effective_cost) AS mean
    FROM ordered
    WHERE place = 1 AND status = 'ok' AND coalesce(gateway_cache, '') NOT IN ('exact', 'semantic', 'hit')
    GROUP BY ALL
),

fallbacks AS (
    SELECT
        count(*) AS attempts,
        sum(ordered.effective_cost - usual.mean) AS premium
    FROM ordered
    LEFT JOIN usual
        ON
            ordered.feature IS NOT DISTINCT FROM usual.feature
            AND ordered.first_request_model = usual.first_request_model
    WHERE
        ordered.place > 1
        AND ordered.status = 'ok'
        AND ordered.request_model <> ordered.first_request_model
),

counted AS (
    SELECT
        sum(cache_read_tokens) AS cache_read_tokens,
        count(*) FILTER (WHERE gateway_cache IN ('exact', 'semantic', 'hit')) AS hits,
        sum(avoided_cost) AS avoided,
        count(*) FILTER (WHERE status <> 'ok') AS failed,
        sum(effective_cost) FILTER (WHERE status <> 'ok') AS failed_cost
    FROM ordered
)

SELECT
    cast(cached.saved AS DECIMAL(26, 0)) * 0.000000000001 AS prompt_cache_saved_usd,
    cast(cached.premium AS DECIMAL(26, 0)) * 0.000000000001 AS prompt_cache_premium_usd,
    cast(cached.saved - cached.premium AS DECIMAL(26, 0)) * 0.000000000001 AS prompt_cache_net_usd,
    cast(coalesce(counted.cache_read_tokens, 0) AS BIGINT) AS cache_read_tokens,
    counted.hits AS gateway_cache_hits,
    counted.avoided AS gateway_cache_avoided_usd,
    counted.failed AS failed_attempts,
    counted.failed_cost AS failed_usd,
    fallbacks.attempts AS fallback_attempts,
    cast(fallbacks.premium AS DECIMAL(38, 12)) AS fallback_premium_usd
FROM cached
CROSS JOIN counted
CROSS JOIN fallbacks
