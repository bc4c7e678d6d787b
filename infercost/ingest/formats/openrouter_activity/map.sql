-- Activity export of OpenRouter: one row is one generation, whatever providers were tried for it.
WITH told AS (
    SELECT
        record_number,
        nullif(trim(generation_id), '') AS id,
        nullif(trim(created_at), '') AS written_at,
        utc(created_at) AS created,
        nullif(trim(model_permaslug), '') AS model,
        -- Permaslugs turn the names of Claude round: claude-4.6-sonnet is its maker's claude-sonnet-4.6.
        regexp_replace(model, '^anthropic/claude-([0-9.]+)-(opus|sonnet|haiku)', 'anthropic/claude-\2-\1')
            AS named_by_maker,
        lower(nullif(trim(variant), '')) AS variant,
        nullif(trim(provider_name), '') AS upstream,
        -- Numbers of CSV files may have a decimal point, or a dollar sign.
        try_cast(try_cast(tokens_prompt AS DOUBLE) AS BIGINT) AS prompt,
        try_cast(try_cast(tokens_completion AS DOUBLE) AS BIGINT) AS completion,
        try_cast(try_cast(tokens_reasoning AS DOUBLE) AS BIGINT) AS reasoning,
        try_cast(try_cast(tokens_cached AS DOUBLE) AS BIGINT) AS cached,
        try_cast(ltrim(cost_total, '$') AS DECIMAL(18, 12)) AS cost,
        try_cast(ltrim(byok_usage_inference, '$') AS DECIMAL(18, 12)) AS byok_cost,
        coalesce(byok_cost > 0, false) AS is_byok,
        try_cast(ltrim(cost_web_search, '$') AS DECIMAL(18, 12)) AS search_cost,
        try_cast(ltrim(cost_file_processing, '$') AS DECIMAL(18, 12)) AS file_cost,
        try_cast(generation_time_ms AS DOUBLE) AS generation_ms,
        try_cast(time_to_first_token_ms AS DOUBLE) AS first_token_ms,
        try_cast(streamed AS BOOLEAN) AS is_streamed,
        coalesce(try_cast(cancelled AS BOOLEAN), false) AS is_cancelled,
        lower(nullif(trim(finish_reason_normalized), '')) AS finish,
        nullif(trim(finish_reason_raw), '') AS raw_finish,
        nullif(trim("user"), '') AS user_name,
        nullif(trim(api_key_name), '') AS key_name,
        nullif(trim(app_name), '') AS app
    FROM records
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN id IS NULL THEN 'generation_id is missing'
        WHEN written_at IS NULL THEN 'created_at is missing'
        WHEN created IS NULL THEN 'created_at is no time: ' || left(written_at, 60)
    END AS reject_reason,
    id AS dedupe_key,
    CASE WHEN coalesce(prompt, completion) IS NOT NULL THEN 10 ELSE 1 END AS dedupe_rank,
    id AS request_id,
    -- Clients get this id as the id of the answer, so their own logs have it too.
    id AS response_id,
    created AS started_at,
    CASE WHEN generation_ms >= 0 THEN generation_ms / 1000 END AS duration_seconds,
    CASE WHEN is_streamed AND first_token_ms > 0 THEN first_token_ms / 1000 END AS time_to_first_token_seconds,
    -- OpenRouter sells at its own prices; with the user's own key the provider behind it does.
    CASE
        WHEN NOT is_byok THEN 'openrouter'
        ELSE coalesce(
            map {
                'amazon bedrock': 'aws.bedrock', 'azure': 'azure.ai.openai', 'google': 'gcp.vertex_ai',
                'google ai studio': 'gcp.gemini', 'mistral': 'mistral_ai', 'xai': 'x_ai'
            }[lower(upstream)],
            lower(upstream)
        )
    END AS provider_name,
    upstream AS deployment,
    is_streamed AS stream,
    model AS response_model,
    -- Other variants route the same model differently; the free one has another price.
    CASE WHEN variant = 'free' AND model NOT LIKE '%:free' THEN model || ':free' ELSE named_by_maker END
        AS price_model,
    user_name AS user_id,
    key_name AS api_key_name,
    tag_map([
        {'key': 'app', 'value': app},
        {'key': 'variant', 'value': variant},
        {'key': 'byok_fee', 'value': CASE WHEN is_byok THEN CAST(cost AS VARCHAR) END},
        {'key': 'byok_usage_inference', 'value': CASE WHEN is_byok THEN CAST(byok_cost AS VARCHAR) END},
        {'key': 'cost_web_search', 'value': CASE WHEN search_cost <> 0 THEN CAST(search_cost AS VARCHAR) END},
        {'key': 'cost_file_processing', 'value': CASE WHEN file_cost <> 0 THEN CAST(file_cost AS VARCHAR) END}
    ]) AS tags,
    apart(prompt, cached) AS input_uncached_tokens,
    CASE WHEN prompt IS NOT NULL THEN cached END AS cache_read_tokens,
    apart(completion, reasoning) AS output_text_tokens,
    CASE WHEN completion IS NOT NULL THEN reasoning END AS reasoning_tokens,
    CASE WHEN coalesce(prompt, completion) IS NULL THEN 'missing' ELSE 'reported' END AS usage_source,
    coalesce(
        not_included(prompt, cached, 'tokens_prompt', 'tokens_cached'),
        not_included(completion, reasoning, 'tokens_completion', 'tokens_reasoning')
    ) AS contradiction,
    CASE WHEN is_cancelled THEN 'cancelled' WHEN finish = 'error' THEN 'error' ELSE 'ok' END AS status,
    CASE
        WHEN is_cancelled THEN 'cancelled'
        WHEN finish = 'error' AND regexp_full_match(raw_finish, '[A-Za-z0-9_.-]{1,60}') THEN raw_finish
        WHEN finish = 'error' THEN 'error'
    END AS error_type,
    CASE WHEN is_byok THEN coalesce(cost, 0) + byok_cost ELSE cost END AS reported_cost
FROM told
