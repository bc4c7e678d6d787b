-- question: How much of everything happened in each hour, by every dimension?
-- grain: one row per UTC hour and combination of dimensions; every measure adds up over rows
-- columns:
--   hour: start of the hour, UTC
--   feature: product feature
--   cohort: customer group
--   team: owning team
--   route: named route
--   model_tier: tier of the model
--   endpoint: route of the API that the client called
--   provider_name: provider
--   request_model: model or model group that was asked for
--   response_model: model that answered
--   gateway: program that wrote the log
--   format: log format
--   operation_name: kind of call
--   service_tier: tier that served; NULL = standard
--   status: ok, error or cancelled
--   error_type: class of the error
--   gateway_cache: exact, semantic, hit, miss; NULL = unknown
--   attempts: attempts with a record of their own
--   requests: requests, counted where their first attempt is (distinct requests would not add up)
--   unlogged_attempts: failed attempts that the log only tells of
--   failed_attempts: attempts with status error
--   retried_attempts: attempts that the log marks as a retry
--   fallback_attempts: attempts that the log marks as a fallback
--   cache_hits: answers from the gateway's own cache
--   streams: attempts answered as a stream
--   unpriced_attempts: attempts with tokens and no price
--   no_usage_attempts: attempts without token counts
--   estimated_attempts: attempts whose tokens the gateway estimated
--   input_uncached_tokens: input uncached tokens; NULL = unknown for every attempt
--   cache_read_tokens: cache read tokens; NULL = unknown for every attempt
--   cache_write_5m_tokens: cache write 5m tokens; NULL = unknown for every attempt
--   cache_write_30m_tokens: cache write 30m tokens; NULL = unknown for every attempt
--   cache_write_1h_tokens: cache write 1h tokens; NULL = unknown for every attempt
--   cache_write_12h_tokens: cache write 12h tokens; NULL = unknown for every attempt
--   input_audio_tokens: input audio tokens; NULL = unknown for every attempt
--   input_image_tokens: input image tokens; NULL = unknown for every attempt
--   output_text_tokens: output text tokens; NULL = unknown for every attempt
--   reasoning_tokens: reasoning tokens; NULL = unknown for every attempt
--   output_audio_tokens: output audio tokens; NULL = unknown for every attempt
--   output_image_tokens: output image tokens; NULL = unknown for every attempt
--   input_tokens: input tokens, cache included
--   output_tokens: output tokens, reasoning included
--   list_cost: cost by the price book, USD; leaves out unpriced attempts; NULL = none is priced
--   effective_cost: cost after the user's own prices, USD; leaves out unpriced attempts; NULL = none is priced
--   reported_cost: cost that the logs give themselves, USD
--   avoided_cost: what gateway cache hits would have cost, USD; NULL = no hit
--   input_uncached_cost: effective cost of the input uncached tokens, USD
--   cache_read_cost: effective cost of the cache read tokens, USD
--   cache_write_5m_cost: effective cost of the cache write 5m tokens, USD
--   cache_write_30m_cost: effective cost of the cache write 30m tokens, USD
--   cache_write_1h_cost: effective cost of the cache write 1h tokens, USD
--   cache_write_12h_cost: effective cost of the cache write 12h tokens, USD
--   input_audio_cost: effective cost of the input audio tokens, USD
--   input_image_cost: effective cost of the input image tokens, USD
--   output_text_cost: effective cost of the output text tokens, USD
--   reasoning_cost: effective cost of the reasoning tokens, USD
--   output_audio_cost: effective cost of the output audio tokens, USD
--   output_image_cost: effective cost of the output image tokens, USD
--   fee_cost: effective cost of web searches and other fees per request, USD
--   prompt_histogram: bucket -> attempts by input_tokens (buckets: see below)
--   output_histogram: bucket -> attempts by output_tokens (buckets: see below)

-- Histograms: bucket b >= 0 holds the lengths in (g^(b-1), g^b] with g = 1.01 / 0.99, bucket -1 holds the length 0.
-- Reading a bucket as 2 * g^b / (g + 1) is wrong by 1 % at most, so merged maps (counts added by bucket) give any
-- percentile with that error.
WITH marked AS (
    SELECT
        *,
        date_trunc('hour', started_at) AS hour,
        row_number() OVER (
            PARTITION BY coalesce(request_id, attempt_id)
            ORDER BY started_at, attempt_number, attempt_id
        ) = 1 AS is_first,
        CASE
            WHEN input_tokens = 0 THEN -1
            WHEN input_tokens > 0 THEN cast(ceil(ln(input_tokens) / ln(1.01 / 0.99)) AS INTEGER)
        END AS prompt_bucket,
        CASE
            WHEN output_tokens = 0 THEN -1
            WHEN output_tokens > 0 THEN cast(ceil(ln(output_tokens) / ln(1.01 / 0.99)) AS INTEGER)
        END AS output_bucket
    FROM attempts
)

SELECT
    hour,
    feature,
    cohort,
    team,
    route,
    model_tier,
    endpoint,
    provider_name,
    request_model,
    response_model,
    gateway,
    format,
    operation_name,
    service_tier,
    status,
    error_type,
    gateway_cache,
    count(*) AS attempts,
    count(*) FILTER (WHERE is_first) AS requests,
    cast(coalesce(sum(unlogged_attempts), 0) AS BIGINT) AS unlogged_attempts,
    count(*) FILTER (WHERE status = 'error') AS failed_attempts,
    count(*) FILTER (WHERE is_retry) AS retried_attempts,
    count(*) FILTER (WHERE is_fallback) AS fallback_attempts,
    count(*) FILTER (WHERE gateway_cache IN ('exact', 'semantic', 'hit')) AS cache_hits,
    count(*) FILTER (WHERE stream) AS streams,
    count(*) FILTER (WHERE effective_cost IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL)
        AS unpriced_attempts,
    count(*) FILTER (WHERE coalesce(input_tokens, output_tokens) IS NULL) AS no_usage_attempts,
    count(*) FILTER (WHERE usage_source = 'estimated') AS estimated_attempts,
    cast(sum(input_uncached_tokens) AS BIGINT) AS input_uncached_tokens,
    cast(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    cast(sum(cache_write_5m_tokens) AS BIGINT) AS cache_write_5m_tokens,
    cast(sum(cache_write_30m_tokens) AS BIGINT) AS cache_write_30m_tokens,
    cast(sum(cache_write_1h_tokens) AS BIGINT) AS cache_write_1h_tokens,
    cast(sum(cache_write_12h_tokens) AS BIGINT) AS cache_write_12h_tokens,
    cast(sum(input_audio_tokens) AS BIGINT) AS input_audio_tokens,
    cast(sum(input_image_tokens) AS BIGINT) AS input_image_tokens,
    cast(sum(output_text_tokens) AS BIGINT) AS output_text_tokens,
    cast(sum(reasoning_tokens) AS BIGINT) AS reasoning_tokens,
    cast(sum(output_audio_tokens) AS BIGINT) AS output_audio_tokens,
    cast(sum(output_image_tokens) AS BIGINT) AS output_image_tokens,
    cast(sum(input_tokens) AS BIGINT) AS input_tokens,
    cast(sum(output_tokens) AS BIGINT) AS output_tokens,
    sum(list_cost) AS list_cost,
    sum(effective_cost) AS effective_cost,
    sum(reported_cost) AS reported_cost,
    sum(avoided_cost) AS avoided_cost,
    sum(input_uncached_cost) AS input_uncached_cost,
    sum(cache_read_cost) AS cache_read_cost,
    sum(cache_write_5m_cost) AS cache_write_5m_cost,
    sum(cache_write_30m_cost) AS cache_write_30m_cost,
    sum(cache_write_1h_cost) AS cache_write_1h_cost,
    sum(cache_write_12h_cost) AS cache_write_12h_cost,
    sum(input_audio_cost) AS input_audio_cost,
    sum(input_image_cost) AS input_image_cost,
    sum(output_text_cost) AS output_text_cost,
    sum(reasoning_cost) AS reasoning_cost,
    sum(output_audio_cost) AS output_audio_cost,
    sum(output_image_cost) AS output_image_cost,
    sum(fee_cost) AS fee_cost,
    cast(histogram(prompt_bucket) AS MAP (INTEGER, BIGINT)) AS prompt_histogram,
    cast(histogram(output_bucket) AS MAP (INTEGER, BIGINT)) AS output_histogram
FROM marked
GROUP BY
    hour,
    feature,
    cohort,
    team,
    route,
    model_tier,
    endpoint,
    provider_name,
    request_model,
    response_model,
    gateway,
    format,
    operation_name,
    service_tier,
    status,
    error_type,
    gateway_cache
