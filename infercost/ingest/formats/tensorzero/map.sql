-- Rows of ModelInference are the calls; rows of ChatInference and JsonInference tell the episode and the tags.
WITH inferences AS (
    SELECT
        id AS inference,
        nullif(episode_id, '') AS episode,
        nullif(function_name, '') AS function_called,
        nullif(variant_name, '') AS variant,
        CASE json_type(tags) WHEN 'VARCHAR' THEN try_cast(tags ->> '$' AS JSON) ELSE tags END AS labels
    FROM records
    WHERE coalesce(inference_id, '') = '' AND coalesce(model_name, '') = '' AND coalesce(id, '') <> ''
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY record_number) = 1
),

calls AS (
    SELECT
        record_number,
        nullif(r.id, '') AS row_id,
        nullif(r.inference_id, '') AS inference_of,
        coalesce(nullif(r.function_name, ''), function_called) AS function_of,
        coalesce(nullif(r.variant_name, ''), variant) AS variant_of,
        coalesce(nullif(r.episode_id, ''), episode) AS episode_of,
        labels,
        coalesce(created_at, timestamp) AS written_at,
        -- A UUIDv7 begins with the milliseconds since 1970; its 13th digit says that it is one.
        CASE
            WHEN regexp_matches(r.id, '^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?7')
                THEN from_milliseconds(try_cast('0x' || left(replace(r.id, '-', ''), 12) AS BIGINT))
        END AS uuid_time,
        coalesce(utc(coalesce(created_at, timestamp)), uuid_time) AS started,
        nullif(r.model_name, '') AS model,
        lower(nullif(r.model_provider_name, '')) AS served_by,
        input_tokens,
        try_cast(input_tokens AS BIGINT) AS input,
        try_cast(output_tokens AS BIGINT) AS output,
        try_cast(provider_cache_read_input_tokens AS BIGINT) AS reads,
        try_cast(provider_cache_write_input_tokens AS BIGINT) AS cache_column,
        try_cast(response_time_ms AS DOUBLE) / 1000 AS seconds,
        try_cast(ttft_ms AS DOUBLE) / 1000 AS first_token,
        coalesce(try_cast(cached AS BOOLEAN), false) AS is_hit,
        try_cast(cost AS DECIMAL(18, 12)) AS dollars,
        -- The first line of a stream holds the model and the id just as a whole answer does.
        try_cast(raw_response AS JSON) AS whole,
        coalesce(whole, try_cast(split_part(raw_response, chr(10), 1) AS JSON)) AS answer
    FROM records AS r
    LEFT JOIN inferences ON r.inference_id = inferences.inference
    WHERE NOT (coalesce(r.inference_id, '') = '' AND coalesce(r.model_name, '') = '')
),

counted AS (
    SELECT
        *,
        coalesce(input, output) IS NOT NULL AS is_known,
        coalesce(answer ->> '$.model', answer ->> '$.message.model', answer ->> '$.response.model') AS answered_model,
        -- 'openai::gpt-5' names provider and model without a configuration.
        regexp_replace(model, '^[a-z_]+::', '') AS plain_model,
        contains(coalesce(served_by, ''), 'deepseek') OR contains(lower(coalesce(model, '')), 'deepseek')
            AS is_deepseek,
        CASE WHEN is_deepseek THEN 0 ELSE cache_column END AS writes,
        coalesce(reads, 0) + coalesce(writes, 0) AS cache,
        contains(lower(coalesce(answered_model, plain_model, '')), 'gpt') OR coalesce(served_by = 'openai', false)
            AS is_openai
    FROM calls
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN row_id IS NULL THEN 'id is missing'
        WHEN started IS NULL AND written_at <> '' THEN 'created_at is not a time: ' || left(written_at, 60)
        WHEN started IS NULL THEN 'created_at is missing and id is no UUIDv7: ' || left(row_id, 60)
        WHEN input IS NULL AND input_tokens <> '' THEN 'input_tokens is not a number: ' || left(input_tokens, 40)
    END AS reject_reason,
    row_id AS dedupe_key,
    CASE WHEN is_known THEN 1 + coalesce(input, 0) + coalesce(output, 0) ELSE 0 END AS dedupe_rank,
    coalesce(inference_of, row_id) AS request_id,
    -- The answer of a hit has the id of the call that filled the cache.
    CASE
        WHEN NOT is_hit THEN coalesce(answer ->> '$.id', answer ->> '$.message.id', answer ->> '$.response.id')
    END AS response_id,
    episode_of AS session_id,
    started AS started_at,
    seconds AS duration_seconds,
    first_token AS time_to_first_token_seconds,
    CASE WHEN first_token IS NOT NULL THEN true END AS stream,
    CASE
        WHEN contains(lower(coalesce(function_of, '')), 'embedding')
            OR (output IS NULL AND contains(lower(coalesce(answered_model, plain_model, '')), 'embedding'))
            THEN 'embeddings'
        ELSE 'chat'
    END AS operation_name,
    -- The name in the configuration, which is the provider's own unless the operator chose another one.
    CASE
        WHEN served_by IN ('azure') THEN 'azure.ai.openai'
        WHEN served_by LIKE 'aws_bedrock%' THEN 'aws.bedrock'
        WHEN served_by LIKE 'gcp_vertex%' THEN 'gcp.vertex_ai'
        WHEN served_by LIKE 'google_ai_studio%' THEN 'gcp.gemini'
        WHEN served_by = 'mistral' THEN 'mistral_ai'
        WHEN served_by = 'xai' THEN 'x_ai'
        ELSE served_by
    END AS provider_name,
    model AS request_model,
    answered_model AS response_model,
    coalesce(answered_model, plain_model) AS price_model,
    labels ->> '$.user_id' AS user_id,
    tag_map(
        json_pairs(json_merge_patch(labels, '{"user_id": null}')) || [
            {'key': 'function', 'value': function_of},
            {'key': 'variant', 'value': variant_of}
        ]
    ) AS tags,
    CASE WHEN is_known THEN apart(coalesce(input, 0), cache) END AS input_uncached_tokens,
    CASE WHEN is_known THEN reads END AS cache_read_tokens,
    CASE WHEN is_known AND NOT is_openai THEN writes END AS cache_write_5m_tokens,
    CASE WHEN is_known AND is_openai THEN writes END AS cache_write_30m_tokens,
    -- A stored 0 and an unknown output are both NULL; where the input is known, so was the output.
    CASE WHEN is_known THEN coalesce(output, 0) END AS output_text_tokens,
    CASE WHEN is_known THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE WHEN is_known THEN not_included(input, cache, 'input_tokens', 'cached tokens') END AS contradiction,
    dollars AS reported_cost,
    -- The cache is looked up by a hash of the whole request.
    CASE WHEN is_hit THEN 'exact' END AS gateway_cache,
    'ok' AS status
FROM counted
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM records
WHERE coalesce(inference_id, '') = '' AND coalesce(model_name, '') = ''
