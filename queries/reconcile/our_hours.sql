-- question: What do the logs have in each hour, by model, price and kind of tokens?
-- grain: one row per UTC hour, seller with a bill, model, price row, lane and kind with tokens or cost
-- parameters: since, until
-- columns:
--   hour: start of the hour, UTC
--   seller: provider of the price book, or the gateway that sends the bill
--   model: model key
--   shown_model: name to show
--   price_id: row of `prices` that made the cost; NULL = unpriced
--   lane: service tier that served
--   token_kind: kind of tokens; fee = what the cost has beyond its tokens
--   tokens: tokens sent to the provider (answers of the gateway's own cache are left out)
--   unpriced_tokens: those of them without a price
--   picodollars: effective cost
--   requests: attempts with tokens; told once, on the row of kind requests

-- A day more on both sides than a bill's days can be shifted by.
WITH sent AS (
    SELECT
        attempts.*,
        our_names.seller,
        our_names.model,
        our_names.shown_model,
        date_trunc('hour', attempts.started_at) AS hour,
        CASE
            WHEN lower(coalesce(attempts.service_tier, '')) IN ('', 'auto', 'default') THEN 'standard'
            ELSE lower(attempts.service_tier)
        END AS lane
    FROM attempts
    INNER JOIN our_names
        ON
            CASE WHEN attempts.gateway IN ('openrouter', 'vercel') THEN attempts.gateway ELSE attempts.provider_name END
            IS NOT DISTINCT FROM our_names.provider
            AND coalesce(attempts.price_model, attempts.response_model, attempts.request_model)
            IS NOT DISTINCT FROM our_names.logged_name
    SEMI JOIN bill_windows ON our_names.seller = bill_windows.seller
    WHERE
        attempts.day >= cast($since AT TIME ZONE 'UTC' AS DATE)
        AND attempts.day <= cast($until AT TIME ZONE 'UTC' AS DATE)
        AND coalesce(attempts.gateway_cache, '') NOT IN ('exact', 'semantic', 'hit')
),

summed AS (
    SELECT
        hour,
        seller,
        model,
        shown_model,
        price_id,
        lane,
        effective_cost IS NULL AS is_unpriced,
        count(*) FILTER (WHERE coalesce(input_tokens, 0) + coalesce(output_tokens, 0) > 0) AS requests,
        sum(effective_cost) AS effective_cost,
        sum(input_uncached_tokens) AS input_uncached_tokens,
        sum(input_uncached_cost) AS input_uncached_cost,
        sum(cache_read_tokens) AS cache_read_tokens,
        sum(cache_read_cost) AS cache_read_cost,
        sum(cache_write_5m_tokens) AS cache_write_5m_tokens,
        sum(cache_write_5m_cost) AS cache_write_5m_cost,
        sum(cache_write_30m_tokens) AS cache_write_30m_tokens,
        sum(cache_write_30m_cost) AS cache_write_30m_cost,
        sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
        sum(cache_write_1h_cost) AS cache_write_1h_cost,
        sum(cache_write_12h_tokens) AS cache_write_12h_tokens,
        sum(cache_write_12h_cost) AS cache_write_12h_cost,
        sum(input_audio_tokens) AS input_audio_tokens,
        sum(input_audio_cost) AS input_audio_cost,
        sum(input_image_tokens) AS input_image_tokens,
        sum(input_image_cost) AS input_image_cost,
        sum(output_text_tokens) AS output_text_tokens,
        sum(output_text_cost) AS output_text_cost,
        sum(reasoning_tokens) AS reasoning_tokens,
        sum(reasoning_cost) AS reasoning_cost,
        sum(output_audio_tokens) AS output_audio_tokens,
        sum(output_audio_cost) AS output_audio_cost,
        sum(output_image_tokens) AS output_image_tokens,
        sum(output_image_cost) AS output_image_cost
    FROM sent
    GROUP BY ALL
),

parts AS (
    SELECT
        hour,
        seller,
        model,
        shown_model,
        price_id,
        lane,
        is_unpriced,
        requests,
        effective_cost,
        unnest(
            [
                struct_pack(
                    token_kind := 'input_uncached', tokens := input_uncached_tokens, cost := input_uncached_cost
                ),
                struct_pack(token_kind := 'cache_read', tokens := cache_read_tokens, cost := cache_read_cost),
                struct_pack(
                    token_kind := 'cache_write_5m', tokens := cache_write_5m_tokens, cost := cache_write_5m_cost
                ),
                struct_pack(
                    token_kind := 'cache_write_30m', tokens := cache_write_30m_tokens, cost := cache_write_30m_cost
                ),
                struct_pack(
                    token_kind := 'cache_write_1h', tokens := cache_write_1h_tokens, cost := cache_write_1h_cost
                ),
                struct_pack(
                    token_kind := 'cache_write_12h', tokens := cache_write_12h_tokens, cost := cache_write_12h_cost
                ),
                struct_pack(token_kind := 'input_audio', tokens := input_audio_tokens, cost := input_audio_cost),
                struct_pack(token_kind := 'input_image', tokens := input_image_tokens, cost := input_image_cost),
                struct_pack(token_kind := 'output_text', tokens := output_text_tokens, cost := output_text_cost),
                struct_pack(token_kind := 'reasoning', tokens := reasoning_tokens, cost := reasoning_cost),
                struct_pack(token_kind := 'output_audio', tokens := output_audio_tokens, cost := output_audio_cost),
                struct_pack(token_kind := 'output_image', tokens := output_image_tokens, cost := output_image_cost)
            ],
            recursive := TRUE
        )
    FROM summed
),

-- What a cost has beyond its tokens is a fee; a column of its own for fees belongs here, and nowhere else.
fees AS (
    SELECT
        hour,
        seller,
        model,
        shown_model,
        price_id,
        lane,
        effective_cost - sum(coalesce(cost, 0)) AS cost
    FROM parts
    WHERE effective_cost IS NOT NULL
    GROUP BY hour, seller, model, shown_model, price_id, lane, is_unpriced, requests, effective_cost
)

SELECT
    hour,
    seller,
    model,
    shown_model,
    price_id,
    lane,
    token_kind,
    cast(coalesce(tokens, 0) AS HUGEINT) AS tokens,
    cast(CASE WHEN is_unpriced THEN coalesce(tokens, 0) ELSE 0 END AS HUGEINT) AS unpriced_tokens,
    cast(coalesce(cost, 0) * 1000000000000 AS HUGEINT) AS picodollars,
    cast(0 AS HUGEINT) AS requests
FROM parts
WHERE tokens > 0 OR cost <> 0
UNION ALL
SELECT
    hour,
    seller,
    model,
    shown_model,
    price_id,
    lane,
    'requests' AS token_kind,
    0 AS tokens,
    0 AS unpriced_tokens,
    0 AS picodollars,
    requests
FROM summed
WHERE requests > 0
UNION ALL
SELECT
    hour,
    seller,
    'fees in the logs' AS model,
    'fees in the logs' AS shown_model,
    price_id,
    lane,
    'fee' AS token_kind,
    0 AS tokens,
    0 AS unpriced_tokens,
    cast(cost * 1000000000000 AS HUGEINT) AS picodollars,
    0 AS requests
FROM fees
WHERE cost <> 0
