-- question: How much do the gateway's cache and the providers' prompt caches answer?
-- grain: one row per bucket and group with attempts, in order of time
-- parameters: since, until, zone, bucket, by
-- by: feature
-- by_allowed: everything
-- columns:
--   feature: product feature
--   bucket: its first moment, UTC: of 5 minutes, an hour or a day in the zone, or the window
--   gateway_lookups: attempts of which the log says whether the gateway's cache had the answer
--   gateway_exact_hits: answers to the very same request
--   gateway_semantic_hits: answers to a similar request
--   gateway_hits: answers of the gateway's cache of either kind, or of one that the log does not tell
--   gateway_hit_rate: gateway_hits by gateway_lookups; NULL = no cache is known of
--   attempts: attempts with a record of their own that the gateway's cache did not answer
--   input_tokens: input tokens of those attempts, cache included
--   cache_read_tokens: of those, read from the provider's prompt cache
--   prompt_cache_share: cache_read_tokens by input_tokens; NULL = no input
--   uncached_usd: cost of the input tokens that were not read from a cache, USD; NULL = none has a price

WITH in_window AS (
    SELECT
        *,
        'everything' AS everything,
        coalesce(gateway_cache, '') IN ('exact', 'semantic', 'hit') AS is_hit,
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
        count(gateway_cache) AS lookups,
        count(*) FILTER (WHERE gateway_cache = 'exact') AS exact_hits,
        count(*) FILTER (WHERE gateway_cache = 'semantic') AS semantic_hits,
        count(*) FILTER (WHERE is_hit) AS hits,
        count(*) FILTER (WHERE NOT is_hit) AS attempts,
        cast(coalesce(sum(input_tokens) FILTER (WHERE NOT is_hit), 0) AS BIGINT) AS sent,
        cast(coalesce(sum(cache_read_tokens) FILTER (WHERE NOT is_hit), 0) AS BIGINT) AS cached,
        sum(input_uncached_cost) FILTER (WHERE NOT is_hit) AS uncached_usd
    FROM in_window
    GROUP BY $by, bucket
)

SELECT
    $by,
    bucket,
    lookups AS gateway_lookups,
    exact_hits AS gateway_exact_hits,
    semantic_hits AS gateway_semantic_hits,
    hits AS gateway_hits,
    hits / nullif(lookups, 0) AS gateway_hit_rate,
    attempts,
    sent AS input_tokens,
    cached AS cache_read_tokens,
    cached / nullif(sent, 0) AS prompt_cache_share,
    uncached_usd
FROM counted
ORDER BY bucket, $by
