-- Logs of Cloudflare AI Gateway as its API gives them.
WITH told AS (
    SELECT
        record_number,
        nullif(trim(id), '') AS id,
        nullif(trim(created_at), '') AS written_at,
        utc(created_at) AS created,
        lower(nullif(trim(provider), '')) AS logged_provider,
        nullif(trim(model), '') AS model,
        nullif(split_part(path, '?', 1), '') AS api_path,
        lower(nullif(request_type, '')) AS kind,
        lower(nullif(model_type, '')) AS model_kind,
        lower(response_content_type) AS content_type,
        try_cast(try_cast(status_code AS DOUBLE) AS INTEGER) AS code,
        try_cast(success AS BOOLEAN) AS has_succeeded,
        try_cast(cached AS BOOLEAN) AS is_hit,
        try_cast(cost AS DECIMAL(18, 12)) AS cost,
        coalesce(try_cast(custom_cost AS BOOLEAN), false) AS is_custom_cost,
        try_cast(duration AS DOUBLE) AS duration_ms,
        try_cast(try_cast(step AS DOUBLE) AS INTEGER) AS step,
        try_cast(try_cast(tokens_in AS DOUBLE) AS BIGINT) AS input,
        try_cast(try_cast(tokens_out AS DOUBLE) AS BIGINT) AS output,
        tokens_in AS input_text,
        tokens_out AS output_text,
        coalesce(code >= 400 OR NOT has_succeeded, false) AS has_failed,
        -- The zeros of a failed call only say that nothing was counted.
        coalesce(input, output) IS NOT NULL AND (NOT has_failed OR coalesce(input, 0) + coalesce(output, 0) > 0)
            AS has_usage,
        -- The API writes the object as text.
        CASE json_type(metadata)
            WHEN 'OBJECT' THEN metadata
            WHEN 'VARCHAR' THEN try_cast(metadata ->> '$' AS JSON)
        END AS meta,
        json_pairs(meta) AS pairs
    FROM records
),

judged AS (
    SELECT
        *,
        -- Ids of people and sessions have columns of their own, where they are hashed.
        list_filter(
            pairs,
            lambda pair: NOT regexp_full_match(lower(pair.key), 'user|user_?id|end_?user|session|session_?id')
        ) AS tag_pairs,
        list_filter(pairs, lambda pair: regexp_full_match(lower(pair.key), 'user|user_?id|end_?user'))[1].value
            AS user_name,
        list_filter(pairs, lambda pair: regexp_full_match(lower(pair.key), 'session|session_?id'))[1].value
            AS session,
        list_filter(pairs, lambda pair: lower(pair.key) IN ('team', 'team_name'))[1].value AS team,
        coalesce(status_of(code), CASE WHEN NOT has_succeeded THEN 'error' WHEN has_succeeded THEN 'ok' END, 'ok')
            AS http_outcome,
        CASE
            WHEN regexp_matches(api_path, 'embed') OR model_kind = 'text-embeddings' OR kind LIKE 'embed%'
                THEN 'embeddings'
            WHEN api_path LIKE '%chat/completions' THEN 'chat'
            WHEN api_path LIKE '%completions' THEN 'text_completion'
            WHEN api_path LIKE '%responses' THEN 'responses'
            WHEN api_path LIKE '%messages' THEN 'messages'
            WHEN api_path LIKE '%enerateContent' THEN 'generate_content'
            WHEN regexp_full_match(kind, '[a-z_]{1,40}') THEN kind
        END AS operation
    FROM told
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN id IS NULL THEN 'id is missing'
        WHEN written_at IS NULL THEN 'created_at is missing'
        WHEN created IS NULL THEN 'created_at is no time: ' || left(written_at, 60)
        WHEN input IS NULL AND input_text <> '' THEN 'tokens_in is not a number: ' || left(input_text, 40)
        WHEN output IS NULL AND output_text <> '' THEN 'tokens_out is not a number: ' || left(output_text, 40)
    END AS reject_reason,
    id AS dedupe_key,
    CASE WHEN has_usage THEN 2 ELSE 1 END AS dedupe_rank,
    id AS request_id,
    step + 1 AS attempt_number,
    step > 0 AS is_fallback,
    created AS started_at,
    CASE WHEN duration_ms >= 0 THEN duration_ms / 1000 END AS duration_seconds,
    CASE
        WHEN content_type LIKE 'text/event-stream%' THEN true
        WHEN content_type LIKE 'application/json%' THEN false
    END AS stream,
    operation AS operation_name,
    api_path AS endpoint,
    coalesce(
        map {
            'aws-bedrock': 'aws.bedrock', 'azure-openai': 'azure.ai.openai', 'google-ai-studio': 'gcp.gemini',
            'google-vertex-ai': 'gcp.vertex_ai', 'mistral': 'mistral_ai', 'grok': 'x_ai', 'xai': 'x_ai',
            'perplexity-ai': 'perplexity', 'workers-ai': 'cloudflare'
        }[logged_provider],
        logged_provider
    ) AS provider_name,
    -- Which of both models it is, the asked or the answering, is not told.
    model AS request_model,
    model AS price_model,
    user_name AS user_id,
    session AS session_id,
    team AS team_name,
    tag_map(tag_pairs || [{'key': 'custom_cost', 'value': CASE WHEN is_custom_cost THEN 'true' END}]) AS tags,
    CASE WHEN has_usage THEN input END AS input_uncached_tokens,
    CASE WHEN has_usage THEN coalesce(output, CASE WHEN operation = 'embeddings' THEN 0 END) END
        AS output_text_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    -- An answer of 200 that did not succeed was cut, or refused by the gateway.
    CASE WHEN http_outcome = 'ok' AND NOT coalesce(has_succeeded, true) THEN 'error' ELSE http_outcome END AS status,
    CASE
        WHEN code >= 400 THEN 'http_' || code
        WHEN NOT has_succeeded THEN 'failed'
    END AS error_type,
    CASE WHEN code BETWEEN 100 AND 599 THEN code END AS http_status,
    CASE WHEN is_hit THEN 'exact' WHEN NOT is_hit THEN 'miss' END AS gateway_cache,
    -- A 0 beside tokens says that Cloudflare has no price for the model, unless the user set it.
    CASE WHEN is_hit THEN 0 WHEN cost > 0 OR is_custom_cost OR NOT has_usage THEN cost END AS reported_cost
FROM judged
