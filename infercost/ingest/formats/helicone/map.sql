-- One row per request that Helicone logged.
WITH read AS (
    SELECT
        record_number,
        -- ClickHouse has no NULL for ids: it stores zeros.
        nullif(nullif(request_id, ''), '00000000-0000-0000-0000-000000000000') AS request_key,
        nullif(nullif(response_id, ''), '00000000-0000-0000-0000-000000000000') AS response_key,
        nullif(nullif(cache_reference_id, ''), '00000000-0000-0000-0000-000000000000') AS cache_key,
        nullif(nullif(proxy_key_id, ''), '00000000-0000-0000-0000-000000000000') AS proxy_key,
        try_cast(cache_enabled AS BOOLEAN) AS cache_enabled,
        request_created_at AS started_text,
        utc(request_created_at) AS started,
        utc(response_created_at) AS ended,
        coalesce(epoch_ms(utc(updated_at)), 0) AS updated,
        coalesce(response_status, status) AS status_text,
        try_cast(coalesce(response_status, status) AS INTEGER) AS code,
        lower(nullif(provider, '')) AS provider,
        lower(target_url) AS target,
        coalesce(nullif(request_path, ''), nullif(target_url, '')) AS url,
        coalesce(nullif(request_user_id, ''), nullif(user_id, '')) AS user_id,
        -- The export tool doubles the quotes of objects before it quotes the cell.
        coalesce(
            try_cast(nullif(request_properties, '') AS JSON), try_cast(replace(request_properties, '""', '"') AS JSON),
            try_cast(nullif(properties, '') AS JSON), try_cast(replace(properties, '""', '"') AS JSON)
        ) AS labels,
        coalesce(nullif(request_model, ''), nullif(model, '')) AS asked,
        coalesce(nullif(model_override, ''), nullif(response_model, ''), nullif(model, ''), nullif(request_model, ''))
            AS served,
        nullif(model, '') AS model,
        coalesce(try_cast(delay_ms AS DOUBLE), try_cast(latency AS DOUBLE)) / 1000 AS seconds,
        nullif(try_cast(time_to_first_token AS DOUBLE), 0) / 1000 AS first_token,
        prompt_tokens AS prompt_text,
        completion_tokens AS completion_text,
        try_cast(prompt_tokens AS BIGINT) AS prompt,
        try_cast(completion_tokens AS BIGINT) AS completion,
        try_cast(prompt_cache_write_tokens AS BIGINT) AS writes,
        try_cast(prompt_cache_read_tokens AS BIGINT) AS reads,
        try_cast(prompt_audio_tokens AS BIGINT) AS audio_in,
        try_cast(completion_audio_tokens AS BIGINT) AS audio_out,
        -- The table's own columns tell its integer `cost` from that of the CSV export.
        coalesce(
            try_cast(costUSD AS DECIMAL(18, 12)),
            CASE
                WHEN organization_id IS NOT NULL OR (response_status IS NULL AND status IS NOT NULL)
                    THEN try_cast(cost AS DECIMAL(18, 0)) * 0.000000001
                WHEN contains(cost, '.') THEN try_cast(cost AS DECIMAL(18, 12))
            END
        ) AS cost,
        nullif(prompt_id, '') AS prompt_id,
        nullif(response_body.id, '') AS provider_id
    FROM records
),

judged AS (
    SELECT
        *,
        cache_key IS NOT NULL AS is_hit,
        coalesce(code, 0) = 0 AND coalesce(status_text, '') IN ('', '0') AS is_pending,
        -- Helicone logs tools and vector databases as requests too.
        coalesce(starts_with(model, 'tool:') OR model IN ('vector_db', 'vector-db'), false) AS is_tool,
        coalesce(prompt, 0) + coalesce(completion, 0) + coalesce(reads, 0) + coalesce(writes, 0) > 0
        -- The zeros of a failed call are the table's default.
        OR (code BETWEEN 200 AND 299 AND coalesce(prompt, completion) IS NOT NULL) AS known,
        provider = 'anthropic' OR contains(lower(served), 'claude') AS is_anthropic,
        labels ->> '$."Helicone-Session-Id"' AS session
    FROM read
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN coalesce(started_text, '') = '' THEN 'request_created_at is missing'
        WHEN started IS NULL THEN 'request_created_at is not a time: ' || left(started_text, 40)
        WHEN coalesce(response_key, request_key) IS NULL THEN 'response_id and request_id are missing'
        WHEN prompt_text <> '' AND prompt IS NULL THEN 'prompt_tokens is not a whole number: ' || left(prompt_text, 40)
        WHEN completion_text <> '' AND completion IS NULL
            THEN 'completion_tokens is not a whole number: ' || left(completion_text, 40)
        WHEN least(prompt, completion, reads, writes, audio_in, audio_out) < 0 THEN 'a token count is negative'
    END AS reject_reason,
    coalesce(response_key, request_key) AS dedupe_key,
    -- A later version of the table's row has the larger rank, among rows that are equally complete.
    updated + (
        CASE WHEN code IS NOT NULL THEN 4 ELSE 0 END + CASE WHEN known THEN 2 ELSE 0 END
        + CASE WHEN request_key IS NOT NULL THEN 1 ELSE 0 END
    ) * 10_000_000_000_000 AS dedupe_rank,
    request_key AS request_id,
    -- A cached answer repeats the id of the call that was paid for.
    CASE WHEN NOT is_hit THEN provider_id END AS response_id,
    session AS session_id,
    started AS started_at,
    coalesce(seconds, seconds_between(started, ended)) AS duration_seconds,
    first_token AS time_to_first_token_seconds,
    CASE WHEN first_token > 0 THEN true END AS stream,
    CASE
        WHEN regexp_matches(url, '/chat/completions') THEN 'chat'
        WHEN regexp_matches(url, '/completions') THEN 'text_completion'
        WHEN regexp_matches(url, '/embeddings') THEN 'embeddings'
        WHEN regexp_matches(url, '/responses') THEN 'responses'
        WHEN regexp_matches(url, '/messages') THEN 'messages'
        WHEN regexp_matches(url, ':(stream)?generatecontent', 'i') THEN 'generate_content'
    END AS operation_name,
    nullif(regexp_replace(split_part(url, '?', 1), '^[a-zA-Z]+://[^/]+', ''), '') AS endpoint,
    CASE
        WHEN provider IN ('azure', 'azure-openai', 'azure_openai') THEN 'azure.ai.openai'
        WHEN provider IN ('aws', 'bedrock', 'aws-bedrock') THEN 'aws.bedrock'
        WHEN provider IN ('vertex', 'vertexai', 'vertex-ai') OR (provider = 'google' AND contains(target, 'aiplatform'))
            THEN 'gcp.vertex_ai'
        WHEN provider IN ('google', 'google-ai-studio', 'gemini') THEN 'gcp.gemini'
        WHEN provider IN ('mistral', 'mistralai') THEN 'mistral_ai'
        WHEN provider IN ('x', 'xai', 'x.ai') THEN 'x_ai'
        ELSE provider
    END AS provider_name,
    asked AS request_model,
    served AS response_model,
    served AS price_model,
    user_id,
    proxy_key AS api_key_id,
    tag_map(
        list_filter(
            json_pairs(labels), lambda pair: lower(pair.key) NOT IN ('helicone-session-id', 'helicone-user-id')
        ) || [{'key': 'prompt_id', 'value': prompt_id}]
    ) AS tags,
    CASE WHEN known THEN prompt END AS input_uncached_tokens,
    CASE WHEN known THEN reads END AS cache_read_tokens,
    CASE WHEN known AND is_anthropic THEN writes END AS cache_write_5m_tokens,
    CASE WHEN known AND NOT coalesce(is_anthropic, false) THEN writes END AS cache_write_30m_tokens,
    CASE WHEN known THEN audio_in END AS input_audio_tokens,
    CASE WHEN known THEN completion END AS output_text_tokens,
    CASE WHEN known THEN audio_out END AS output_audio_tokens,
    CASE WHEN known THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE WHEN code = -3 THEN 'cancelled' WHEN code < 0 THEN 'error' ELSE status_of(code) END AS status,
    CASE WHEN code < 0 AND code <> -3 THEN 'helicone status ' || code END AS error_type,
    CASE WHEN code >= 100 THEN code END AS http_status,
    CASE WHEN is_hit THEN 'exact' WHEN cache_enabled THEN 'miss' END AS gateway_cache,
    CASE WHEN is_hit THEN 0 WHEN cost > 0 OR NOT known THEN try_cast(cost AS DECIMAL(18, 12)) END AS reported_cost
FROM judged
WHERE NOT is_pending AND NOT is_tool
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM judged
WHERE is_pending OR is_tool
