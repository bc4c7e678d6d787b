-- Lines of Cloudflare's Logpush of AI Gateway. Bodies and metadata are encrypted unless the owner has decrypted them;
-- of a decrypted answer only its id, model and usage are read.
WITH told AS (
    SELECT
        record_number,
        source_line,
        source_file,
        nullif(trim(Id), '') AS id,
        coalesce(nullif(Datetime, ''), nullif(CreatedAt, ''), nullif(Timestamp, '')) AS written_at,
        nullif(trim(Gateway), '') AS gateway_name,
        lower(nullif(trim(Provider), '')) AS logged_provider,
        nullif(trim(Model), '') AS model,
        nullif(split_part(coalesce(Path, Endpoint), '?', 1), '') AS api_path,
        try_cast(try_cast(StatusCode AS DOUBLE) AS INTEGER) AS code,
        try_cast(Success AS BOOLEAN) AS has_succeeded,
        try_cast(Cached AS BOOLEAN) AS is_hit,
        coalesce(try_cast(RateLimited AS BOOLEAN), false) AS is_limited,
        try_cast(Cost AS DECIMAL(18, 12)) AS cost,
        try_cast(Duration AS DOUBLE) AS duration_ms,
        try_cast(try_cast(Step AS DOUBLE) AS INTEGER) AS step,
        try_cast(try_cast(TokensIn AS DOUBLE) AS BIGINT) AS line_in,
        try_cast(try_cast(TokensOut AS DOUBLE) AS BIGINT) AS line_out,
        CASE json_type(Metadata)
            WHEN 'OBJECT' THEN Metadata
            WHEN 'VARCHAR' THEN try_cast(Metadata ->> '$' AS JSON)
        END AS meta,
        -- An encrypted part is an object of a wrapped key, an initialisation vector and the data.
        json_exists(meta, '$.iv') AND json_exists(meta, '$.data') AS is_sealed,
        coalesce(nullif(ResponseBody.iv, ''), nullif(RequestBody.iv, ''), nullif(meta ->> '$.iv', '')) AS vector,
        try_cast(RequestBody.stream AS BOOLEAN) AS is_streamed,
        -- An answer from the gateway's cache repeats the id of the call that filled it.
        CASE WHEN NOT coalesce(is_hit, false) THEN nullif(ResponseBody.id, '') END AS answer_id,
        coalesce(nullif(ResponseBody.model, ''), nullif(ResponseBody.modelVersion, '')) AS answer_model,
        coalesce(ResponseBody.created, ResponseBody.created_at) AS answer_time,
        ResponseBody.usage AS usage,
        ResponseBody.usageMetadata AS gemini
    FROM records
),

counted AS (
    SELECT
        *,
        CASE WHEN is_sealed THEN [] ELSE json_pairs(meta) END AS pairs,
        coalesce(
            utc(written_at),
            CASE
                WHEN try_cast(written_at AS DOUBLE) BETWEEN 1e8 AND 1e11 THEN from_seconds(written_at)
                WHEN try_cast(written_at AS DOUBLE) BETWEEN 1e11 AND 1e14 THEN from_milliseconds(written_at)
                WHEN try_cast(written_at AS DOUBLE) BETWEEN 1e17 AND 1e20 THEN from_nanoseconds(written_at)
            END,
            CASE WHEN try_cast(answer_time AS DOUBLE) BETWEEN 1e8 AND 1e11 THEN from_seconds(answer_time) END,
            CAST(
                try_strptime(regexp_extract(source_file, '(\d{8}T\d{6}Z)_\d{8}T\d{6}Z', 1), '%Y%m%dT%H%M%SZ')
                AS TIMESTAMPTZ
            )
        ) AS started,
        try_cast(coalesce(
            usage ->> '$.prompt_tokens', usage ->> '$.input_tokens', gemini ->> '$.promptTokenCount'
        ) AS BIGINT) AS body_in,
        try_cast(coalesce(
            usage ->> '$.completion_tokens', usage ->> '$.output_tokens', gemini ->> '$.candidatesTokenCount'
        ) AS BIGINT) AS body_out,
        try_cast(coalesce(
            usage ->> '$.prompt_tokens_details.cached_tokens', usage ->> '$.input_tokens_details.cached_tokens',
            usage ->> '$.cache_read_input_tokens', gemini ->> '$.cachedContentTokenCount'
        ) AS BIGINT) AS reads,
        -- Only Anthropic's own usage has these keys, or the plain names without OpenAI's details.
        coalesce(
            coalesce(usage ->> '$.cache_read_input_tokens', usage ->> '$.cache_creation_input_tokens') IS NOT NULL
            OR (usage ->> '$.input_tokens' IS NOT NULL AND logged_provider = 'anthropic'),
            false
        ) AS is_anthropic,
        try_cast(usage ->> '$.cache_creation_input_tokens' AS BIGINT) AS writes,
        try_cast(usage ->> '$.cache_creation.ephemeral_1h_input_tokens' AS BIGINT) AS writes_1h,
        try_cast(coalesce(
            usage ->> '$.prompt_tokens_details.cache_write_tokens',
            usage ->> '$.input_tokens_details.cache_write_tokens'
        ) AS BIGINT) AS writes_30m,
        try_cast(coalesce(
            usage ->> '$.completion_tokens_details.reasoning_tokens',
            usage ->> '$.output_tokens_details.reasoning_tokens', usage ->> '$.output_tokens_details.thinking_tokens'
        ) AS BIGINT) AS inner_reasoning,
        try_cast(gemini ->> '$.thoughtsTokenCount' AS BIGINT) AS thoughts
    FROM told
),

split AS (
    SELECT
        *,
        -- The body's counts tell of the cache, a count of the line alone does not.
        coalesce(body_in, body_out) IS NOT NULL AS has_body_usage,
        coalesce(body_in, body_out, line_in, line_out) IS NOT NULL AS has_usage,
        coalesce(reads, 0) + coalesce(writes_30m, 0) AS cached,
        CASE WHEN is_anthropic THEN body_in ELSE apart(body_in, cached) END AS body_fresh,
        list_filter(
            pairs,
            lambda pair: NOT regexp_full_match(lower(pair.key), 'user|user_?id|end_?user|session|session_?id')
        ) AS tag_pairs
    FROM counted
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN started IS NULL
            THEN 'no time: neither in the line nor in the name of the file (20261107T100000Z_20261107T100500Z_...)'
    END AS reject_reason,
    coalesce(
        id, answer_id, vector,
        -- The names of these files are unique, wherever they are copied to.
        md5(concat_ws('|', regexp_extract(source_file, '[^/\\]+$'), source_line, gateway_name, model, api_path, code))
    ) AS dedupe_key,
    CASE WHEN has_usage THEN 2 ELSE 1 END AS dedupe_rank,
    coalesce(id, answer_id, vector) AS request_id,
    answer_id AS response_id,
    step + 1 AS attempt_number,
    step > 0 AS is_fallback,
    started AS started_at,
    CASE WHEN duration_ms >= 0 THEN duration_ms / 1000 END AS duration_seconds,
    is_streamed AS stream,
    CASE
        WHEN regexp_matches(api_path, 'embed') THEN 'embeddings'
        WHEN api_path LIKE '%chat/completions' THEN 'chat'
        WHEN api_path LIKE '%completions' THEN 'text_completion'
        WHEN api_path LIKE '%responses' THEN 'responses'
        WHEN api_path LIKE '%messages' THEN 'messages'
        WHEN api_path LIKE '%enerateContent' THEN 'generate_content'
    END AS operation_name,
    api_path AS endpoint,
    coalesce(
        map {
            'aws-bedrock': 'aws.bedrock', 'azure-openai': 'azure.ai.openai', 'google-ai-studio': 'gcp.gemini',
            'google-vertex-ai': 'gcp.vertex_ai', 'mistral': 'mistral_ai', 'grok': 'x_ai', 'xai': 'x_ai',
            'perplexity-ai': 'perplexity', 'workers-ai': 'cloudflare'
        }[logged_provider],
        logged_provider
    ) AS provider_name,
    tier_of(usage ->> '$.service_tier') AS service_tier,
    model AS request_model,
    answer_model AS response_model,
    coalesce(answer_model, model) AS price_model,
    list_filter(pairs, lambda pair: regexp_full_match(lower(pair.key), 'user|user_?id|end_?user'))[1].value AS user_id,
    list_filter(pairs, lambda pair: regexp_full_match(lower(pair.key), 'session|session_?id'))[1].value AS session_id,
    list_filter(pairs, lambda pair: lower(pair.key) IN ('team', 'team_name'))[1].value AS team_name,
    tag_map(tag_pairs || [{'key': 'gateway', 'value': gateway_name}]) AS tags,
    coalesce(body_fresh, line_in) AS input_uncached_tokens,
    CASE WHEN body_in IS NOT NULL THEN coalesce(reads, 0) END AS cache_read_tokens,
    CASE
        WHEN body_in IS NOT NULL AND is_anthropic THEN greatest(coalesce(writes, 0) - coalesce(writes_1h, 0), 0)
    END AS cache_write_5m_tokens,
    CASE WHEN body_in IS NOT NULL AND NOT is_anthropic THEN writes_30m END AS cache_write_30m_tokens,
    CASE WHEN body_in IS NOT NULL AND is_anthropic THEN writes_1h END AS cache_write_1h_tokens,
    CASE
        WHEN coalesce(body_out, line_out) IS NULL AND regexp_matches(api_path, 'embed') AND has_usage THEN 0
        WHEN body_out IS NOT NULL THEN apart(body_out, inner_reasoning)
        ELSE line_out
    END AS output_text_tokens,
    CASE WHEN body_out IS NOT NULL THEN coalesce(inner_reasoning, thoughts) END AS reasoning_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    coalesce(
        CASE WHEN NOT is_anthropic THEN not_included(body_in, cached, 'input tokens', 'cached tokens') END,
        not_included(body_out, inner_reasoning, 'output tokens', 'reasoning tokens')
    ) AS contradiction,
    CASE
        WHEN is_limited OR NOT coalesce(has_succeeded, true) THEN 'error'
        ELSE coalesce(status_of(code), 'ok')
    END AS status,
    CASE
        WHEN is_limited THEN 'rate_limited'
        WHEN code >= 400 THEN 'http_' || code
        WHEN NOT has_succeeded THEN 'failed'
    END AS error_type,
    CASE WHEN code BETWEEN 100 AND 599 THEN code END AS http_status,
    CASE WHEN is_hit THEN 'exact' WHEN NOT is_hit THEN 'miss' END AS gateway_cache,
    CASE WHEN is_hit AND cost IS NOT NULL THEN 0 WHEN cost > 0 OR NOT has_usage THEN cost END AS reported_cost
FROM split
