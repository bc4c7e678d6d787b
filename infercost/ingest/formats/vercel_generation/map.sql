-- Generation records of Vercel AI Gateway: one row a generation.
WITH flat AS (
    -- The API puts the object under `data`; whoever collects them often keeps only what is inside.
    SELECT
        record_number,
        unnest(coalesce(
            data,
            struct_pack(
                id := id, model := model, provider_name := provider_name, created_at := created_at,
                total_cost := total_cost, usage := usage, upstream_inference_cost := upstream_inference_cost,
                is_byok := is_byok, streamed := streamed, finish_reason := finish_reason, latency := latency,
                generation_time := generation_time, native_tokens_prompt := native_tokens_prompt,
                native_tokens_completion := native_tokens_completion,
                native_tokens_reasoning := native_tokens_reasoning, native_tokens_cached := native_tokens_cached,
                native_tokens_cache_creation := native_tokens_cache_creation,
                billable_web_search_calls := billable_web_search_calls
            )
        ))
    FROM records
),

told AS (
    SELECT
        record_number,
        nullif(trim(id), '') AS id,
        -- A file of answers has the API's errors too: those are not calls.
        coalesce(id, model, native_tokens_prompt, native_tokens_completion, total_cost) IS NOT NULL AS is_generation,
        nullif(trim(model), '') AS model,
        lower(nullif(trim(provider_name), '')) AS logged_provider,
        nullif(trim(created_at), '') AS written_at,
        utc(created_at) AS created,
        try_cast(coalesce(total_cost, usage) AS DECIMAL(18, 12)) AS cost,
        try_cast(upstream_inference_cost AS DECIMAL(18, 12)) AS upstream_cost,
        coalesce(try_cast(is_byok AS BOOLEAN), false) AS is_byok,
        try_cast(streamed AS BOOLEAN) AS is_streamed,
        lower(nullif(finish_reason, '')) AS finish,
        try_cast(latency AS DOUBLE) AS first_token_ms,
        try_cast(generation_time AS DOUBLE) AS generation_ms,
        try_cast(try_cast(native_tokens_prompt AS DOUBLE) AS BIGINT) AS prompt,
        try_cast(try_cast(native_tokens_completion AS DOUBLE) AS BIGINT) AS completion,
        try_cast(try_cast(native_tokens_reasoning AS DOUBLE) AS BIGINT) AS reasoning,
        try_cast(try_cast(native_tokens_cached AS DOUBLE) AS BIGINT) AS reads,
        try_cast(try_cast(native_tokens_cache_creation AS DOUBLE) AS BIGINT) AS writes,
        coalesce(reads, 0) + coalesce(writes, 0) AS cached_or_written,
        coalesce(prompt, completion) IS NOT NULL AS has_usage,
        coalesce(starts_with(model, 'openai/'), false) AS is_openai,
        try_cast(try_cast(billable_web_search_calls AS DOUBLE) AS BIGINT) AS searches
    FROM flat
)

SELECT
    record_number,
    is_generation AS is_call,
    CASE
        WHEN NOT is_generation THEN NULL
        WHEN id IS NULL THEN 'id is missing'
        WHEN written_at IS NULL THEN 'created_at is missing'
        WHEN created IS NULL THEN 'created_at is no time: ' || left(written_at, 60)
    END AS reject_reason,
    id AS dedupe_key,
    CASE WHEN has_usage THEN 2 ELSE 1 END AS dedupe_rank,
    id AS request_id,
    -- Clients get this id as the id of the answer, so their own logs have it too.
    id AS response_id,
    created AS started_at,
    CASE WHEN generation_ms >= 0 THEN generation_ms / 1000 END AS duration_seconds,
    CASE WHEN is_streamed AND first_token_ms > 0 THEN first_token_ms / 1000 END AS time_to_first_token_seconds,
    is_streamed AS stream,
    coalesce(
        map {
            'bedrock': 'aws.bedrock', 'azure': 'azure.ai.openai', 'google': 'gcp.gemini', 'vertex': 'gcp.vertex_ai',
            'vertexanthropic': 'gcp.vertex_ai', 'mistral': 'mistral_ai', 'xai': 'x_ai'
        }[logged_provider],
        logged_provider
    ) AS provider_name,
    model AS response_model,
    model AS price_model,
    tag_map([
        {'key': 'byok', 'value': CASE WHEN is_byok THEN 'true' END},
        {'key': 'upstream_inference_cost', 'value': CASE WHEN is_byok THEN CAST(upstream_cost AS VARCHAR) END}
    ]) AS tags,
    apart(prompt, cached_or_written) AS input_uncached_tokens,
    CASE WHEN prompt IS NOT NULL THEN reads END AS cache_read_tokens,
    -- The lifetime of a write is not told: the default one of the model's maker.
    CASE WHEN prompt IS NOT NULL AND NOT is_openai THEN writes END AS cache_write_5m_tokens,
    CASE WHEN prompt IS NOT NULL AND is_openai THEN writes END AS cache_write_30m_tokens,
    apart(completion, reasoning) AS output_text_tokens,
    CASE WHEN completion IS NOT NULL THEN reasoning END AS reasoning_tokens,
    searches AS web_search_requests,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    coalesce(
        not_included(prompt, cached_or_written, 'native_tokens_prompt', 'cached and written tokens'),
        not_included(completion, reasoning, 'native_tokens_completion', 'native_tokens_reasoning')
    ) AS contradiction,
    CASE WHEN finish = 'error' THEN 'error' ELSE 'ok' END AS status,
    CASE WHEN finish = 'error' THEN 'error' END AS error_type,
    cost AS reported_cost
FROM told
