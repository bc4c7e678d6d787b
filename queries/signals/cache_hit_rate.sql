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
--   usual_gateway_hit_rate: that of the same times of the week in the four weeks before; NULL = none, or the window
--   low_gateway_hit_rate: below this it is unusual; NULL = too little is known
--   high_gateway_hit_rate: above this it is unusual; NULL = too little is known
--   gateway_missed_usd: effective cost of the attempts that the gateway's cache could not answer, USD
--   attempts: attempts with a record of their own that the gateway's cache did not answer
--   input_tokens: input tokens of those attempts, cache included
--   cache_read_tokens: of those, read from the provider's prompt cache
--   prompt_cache_share: cache_read_tokens by input_tokens; NULL = no input
--   usual_prompt_cache_share: that of the same times of the week in the four weeks before; NULL = none, or the window
--   low_prompt_cache_share: below this it is unusual; NULL = too little is known
--   high_prompt_cache_share: above this it is unusual; NULL = too little is known
--   uncached_usd: cost of the input tokens that were not read from a cache, USD; NULL = none has a price

WITH measured AS (
    SELECT
        $by,
        row($by) AS part,
        is_past,
        bucket,
        place,
        count(gateway_cache) AS lookups,
        count(*) FILTER (WHERE gateway_cache = 'exact') AS exact_hits,
        count(*) FILTER (WHERE gateway_cache = 'semantic') AS semantic_hits,
        count(*) FILTER (WHERE is_hit) AS hits,
        count(*) FILTER (WHERE NOT is_hit) AS attempts,
        cast(coalesce(sum(input_tokens) FILTER (WHERE NOT is_hit), 0) AS BIGINT) AS sent,
        cast(coalesce(sum(cache_read_tokens) FILTER (WHERE NOT is_hit), 0) AS BIGINT) AS cached,
        sum(effective_cost) FILTER (WHERE gateway_cache IS NOT NULL AND NOT is_hit) AS missed_usd,
        sum(input_uncached_cost) FILTER (WHERE NOT is_hit) AS uncached_usd
    FROM attempts_by_bucket($since, $until, $zone, $bucket, 4)
    GROUP BY $by, is_past, bucket, place
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
        sum(hits) / nullif(sum(lookups), 0) AS usual_hits,
        sum(cached) / nullif(sum(sent), 0) AS usual_cached,
        count(*) FILTER (WHERE lookups > 0) AS known_hits,
        count(*) FILTER (WHERE sent > 0) AS known_cached
    FROM past
    GROUP BY part, told
),

distances AS (
    SELECT
        part,
        usual_distance(hits / nullif(lookups, 0) - usual_hits, known_hits) AS apart_hits,
        usual_distance(cached / nullif(sent, 0) - usual_cached, known_cached) AS apart_cached
    FROM measured
    INNER JOIN usual USING (part, place)
    WHERE is_past
    GROUP BY part
)

SELECT
    $by,
    bucket,
    lookups AS gateway_lookups,
    exact_hits AS gateway_exact_hits,
    semantic_hits AS gateway_semantic_hits,
    hits AS gateway_hits,
    hits / nullif(lookups, 0) AS gateway_hit_rate,
    usual_hits AS usual_gateway_hit_rate,
    share_band(usual_hits, apart_hits, lookups).low AS low_gateway_hit_rate,
    share_band(usual_hits, apart_hits, lookups).high AS high_gateway_hit_rate,
    missed_usd AS gateway_missed_usd,
    attempts,
    sent AS input_tokens,
    cached AS cache_read_tokens,
    cached / nullif(sent, 0) AS prompt_cache_share,
    usual_cached AS usual_prompt_cache_share,
    share_band(usual_cached, apart_cached, attempts).low AS low_prompt_cache_share,
    share_band(usual_cached, apart_cached, attempts).high AS high_prompt_cache_share,
    uncached_usd
FROM measured
LEFT JOIN usual USING (part, place)
LEFT JOIN distances USING (part)
WHERE NOT is_past
ORDER BY bucket, $by
