-- Requests through APISIX's ai-proxy, as its logger plugins (llm_summary) or nginx's access log (llm_*) tell of them.
WITH told AS (
    SELECT
        *,
        try_cast(llm_summary ->> '$' AS JSON) AS parsed,
        CASE WHEN json_type(parsed) = 'OBJECT' THEN parsed END AS summary
    FROM records
),

named AS (
    -- nginx writes '-' or nothing for a variable without a value.
    SELECT
        record_number,
        summary IS NOT NULL AS has_summary,
        nullif(nullif(coalesce(summary ->> '$.request_model', request_llm_model), '-'), '') AS asked,
        nullif(nullif(coalesce(summary ->> '$.model', llm_model), '-'), '') AS served,
        lower(nullif(nullif(request_type, '-'), '')) AS kind,
        try_cast(coalesce(summary ->> '$.prompt_tokens', llm_prompt_tokens) AS BIGINT) AS prompt,
        try_cast(coalesce(summary ->> '$.completion_tokens', llm_completion_tokens) AS BIGINT) AS completion,
        try_cast(coalesce(summary ->> '$.total_tokens', llm_total_tokens) AS BIGINT) AS total,
        try_cast(coalesce(summary ->> '$.cache_read_input_tokens', llm_cache_read_input_tokens) AS BIGINT) AS reads,
        try_cast(
            coalesce(summary ->> '$.cache_creation_input_tokens', llm_cache_creation_input_tokens) AS BIGINT
        ) AS writes,
        try_cast(coalesce(summary ->> '$.reasoning_tokens', llm_reasoning_tokens) AS BIGINT) AS reasoning,
        try_cast(coalesce(summary ->> '$.duration', llm_time_to_first_token) AS DOUBLE) AS first_token_ms,
        try_cast(coalesce(summary ->> '$.stream', nullif(llm_stream, '-')) AS BOOLEAN) AS told_stream,
        nullif(nullif(coalesce(summary ->> '$.end_user_id', llm_end_user_id), '-'), '') AS end_user,
        nullif(nullif(request_id, '-'), '') AS told_request,
        nullif(nullif(apisix_request_id, '-'), '') AS own_request,
        nullif(trace_id, '-') AS trace,
        list_filter([route_id, route_name], lambda name: name NOT IN ('', '-'))[1] AS route,
        nullif(nullif(service_id, '-'), '') AS service,
        coalesce(client_ip, remote_addr) AS client,
        list_filter(
            [
                CASE WHEN json_type(consumer) = 'OBJECT' THEN consumer ->> '$.username' ELSE consumer ->> '$' END,
                consumer_name
            ],
            lambda name: name NOT IN ('', '-')
        )[1] AS consumer_name,
        nullif(split_part(coalesce(request.uri, uri, request_uri, ''), '?', 1), '') AS api_path,
        nullif(nullif(split_part(coalesce(upstream_uri, ''), '?', 1), '-'), '') AS upstream_path,
        lower(
            split_part(
                list_filter([upstream_host, upstream_addr, upstream], lambda name: name NOT IN ('', '-'))[1], ':', 1
            )
        ) AS host,
        -- With several upstreams nginx writes '502, 200': the last one answered.
        try_cast(trim(split_part(coalesce(response.status, status, upstream_status), ',', -1)) AS INTEGER) AS http,
        -- The variables of nginx are seconds with three decimals, those of APISIX whole milliseconds.
        coalesce(
            try_cast(latency AS DOUBLE) / 1000,
            try_cast(request_time AS DOUBLE),
            try_cast(summary ->> '$.upstream_response_time' AS DOUBLE) / 1000,
            try_cast(coalesce(upstream_response_time, apisix_upstream_response_time) AS DOUBLE)
            / CASE
                WHEN contains(coalesce(upstream_response_time, apisix_upstream_response_time), '.') THEN 1
                ELSE 1000
            END
        ) AS duration,
        nullif(nullif(start_time, '-'), '') AS start_text,
        CASE
            WHEN try_cast(start_text AS DOUBLE) BETWEEN 1e11 AND 1e14 THEN from_milliseconds(start_text)
            WHEN try_cast(start_text AS DOUBLE) BETWEEN 1e8 AND 1e11 THEN from_seconds(start_text)
            ELSE utc(start_text)
        END AS told_start,
        list_filter(
            [msec, time_iso8601, "@timestamp", "timestamp", time_local], lambda text: text NOT IN ('', '-')
        )[1] AS end_text,
        CASE
            WHEN try_cast(end_text AS DOUBLE) BETWEEN 1e11 AND 1e14 THEN from_milliseconds(end_text)
            WHEN try_cast(end_text AS DOUBLE) BETWEEN 1e8 AND 1e11 THEN from_seconds(end_text)
            ELSE coalesce(utc(end_text), try_strptime(end_text, '%d/%b/%Y:%H:%M:%S %z')::TIMESTAMPTZ)
        END AS told_end,
        coalesce(
            told_start,
            told_end - to_microseconds((CASE WHEN duration BETWEEN 0 AND 1e9 THEN duration ELSE 0 END * 1e6)::BIGINT)
        ) AS started
    FROM told
),

judged AS (
    SELECT
        *,
        coalesce(asked, served) IS NOT NULL OR has_summary
        OR coalesce(starts_with(kind, 'ai_'), false) OR coalesce(prompt > 0 OR completion > 0, false) AS is_call,
        -- A request without an answer that was counted leaves both variables at zero.
        coalesce(prompt <> 0 OR completion <> 0 OR reads <> 0 OR writes <> 0, false) AS has_usage,
        coalesce(told_stream, CASE kind WHEN 'ai_stream' THEN true WHEN 'ai_chat' THEN false END) AS streamed,
        lower(coalesce(served, asked)) AS model_key,
        coalesce(reads, 0) + coalesce(writes, 0) AS cached,
        coalesce(regexp_matches(model_key, '(^|[/:.])(gpt|chatgpt|codex|o[1-9]|openai)'), false) AS keeps_30m,
        CASE
            WHEN regexp_matches(coalesce(upstream_path, ''), '/(messages|converse|converse-stream|invoke)$') THEN true
            WHEN regexp_matches(coalesce(upstream_path, ''), '/(completions|responses|embeddings)$') THEN false
            WHEN host LIKE 'bedrock%.amazonaws.com' THEN true
            WHEN regexp_matches(coalesce(api_path, ''), '/(messages|converse|converse-stream)$')
                AND contains(model_key, 'claude') THEN true
            ELSE coalesce(regexp_matches(model_key, 'claude|(^|\.)amazon\.nova'), false)
        END AS declared_apart,
        -- A total that adds the cache to prompt and completion proves that the prompt leaves it out.
        coalesce(cached > 0 AND NOT declared_apart AND cached <= prompt AND total = prompt + completion + cached, false)
            AS total_says_apart
    FROM named
)

SELECT
    record_number,
    is_call,
    CASE
        WHEN NOT is_call THEN NULL
        WHEN start_text IS NULL AND end_text IS NULL THEN 'start_time is missing, and the record has no other time'
        WHEN started IS NULL THEN 'no time: ' || left(coalesce(start_text, end_text), 60)
        WHEN least(prompt, completion, reads, writes, reasoning) < 0 THEN 'a token count is negative'
    END AS reject_reason,
    -- APISIX makes its own id; the other one may be the client's, who may use it twice.
    coalesce(
        own_request,
        told_request || '|' || epoch_ms(started),
        concat_ws('|', epoch_ms(started), route, client, asked, served, prompt, completion, http, duration)
    ) AS dedupe_key,
    CASE WHEN has_usage THEN 2 ELSE 0 END + CASE WHEN has_summary THEN 1 ELSE 0 END AS dedupe_rank,
    coalesce(told_request, own_request) AS request_id,
    trace AS trace_id,
    started AS started_at,
    CASE WHEN duration BETWEEN 0 AND 1e9 THEN duration END AS duration_seconds,
    CASE WHEN streamed AND first_token_ms > 0 AND first_token_ms < 1e12 THEN first_token_ms / 1000 END
        AS time_to_first_token_seconds,
    streamed AS stream,
    CASE
        WHEN coalesce(upstream_path, api_path) LIKE '%/chat/completions' THEN 'chat'
        WHEN coalesce(upstream_path, api_path) LIKE '%/completions' THEN 'text_completion'
        WHEN coalesce(upstream_path, api_path) LIKE '%/embeddings' THEN 'embeddings'
        WHEN coalesce(upstream_path, api_path) LIKE '%/responses' THEN 'responses'
        WHEN coalesce(upstream_path, api_path) LIKE '%/messages' THEN 'messages'
        WHEN regexp_matches(coalesce(upstream_path, api_path), '/converse(-stream)?$') THEN 'chat'
        WHEN kind IN ('ai_chat', 'ai_stream') THEN 'chat'
    END AS operation_name,
    api_path AS endpoint,
    CASE
        WHEN host LIKE '%.openai.azure.com' OR host LIKE '%.cognitiveservices.azure.com' THEN 'azure.ai.openai'
        WHEN host = 'api.openai.com' THEN 'openai'
        WHEN host = 'api.anthropic.com' THEN 'anthropic'
        WHEN host LIKE 'bedrock%.amazonaws.com' THEN 'aws.bedrock'
        WHEN host = 'generativelanguage.googleapis.com' THEN 'gcp.gemini'
        WHEN host LIKE '%aiplatform.googleapis.com' THEN 'gcp.vertex_ai'
        WHEN host = 'api.deepseek.com' THEN 'deepseek'
        WHEN host = 'openrouter.ai' THEN 'openrouter'
        WHEN host = 'api.mistral.ai' THEN 'mistral_ai'
        WHEN host = 'api.groq.com' THEN 'groq'
    END AS provider_name,
    CASE WHEN regexp_matches(host, '[a-z]') THEN host END AS deployment,
    nullif(regexp_extract(host, '^bedrock[a-z-]*\.([a-z0-9-]+)\.amazonaws\.com$', 1), '') AS region,
    asked AS request_model,
    served AS response_model,
    coalesce(served, asked) AS price_model,
    end_user AS user_id,
    consumer_name AS api_key_name,
    tag_map([{'key': 'route', 'value': route}, {'key': 'service', 'value': service}]) AS tags,
    CASE WHEN has_usage THEN CASE WHEN declared_apart OR total_says_apart THEN prompt ELSE apart(prompt, cached) END END
        AS input_uncached_tokens,
    CASE WHEN has_usage THEN reads END AS cache_read_tokens,
    CASE WHEN has_usage AND NOT keeps_30m THEN writes END AS cache_write_5m_tokens,
    CASE WHEN has_usage AND keeps_30m THEN writes END AS cache_write_30m_tokens,
    CASE
        WHEN has_usage AND completion IS NULL AND coalesce(upstream_path, api_path) LIKE '%/embeddings' THEN 0
        WHEN has_usage THEN apart(completion, reasoning)
    END AS output_text_tokens,
    CASE WHEN has_usage THEN reasoning END AS reasoning_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE WHEN has_usage THEN coalesce(
        CASE WHEN NOT declared_apart THEN not_included(prompt, cached, 'prompt_tokens', 'cached tokens') END,
        CASE
            WHEN total_says_apart
                THEN 'total_tokens (' || total || ') adds cached tokens (' || cached
                || ') to the prompt, which should include them: read as exclusive'
        END,
        not_included(completion, reasoning, 'completion_tokens', 'reasoning_tokens')
    ) END AS contradiction,
    coalesce(status_of(http), 'ok') AS status,
    CASE WHEN http >= 400 THEN 'http_' || http END AS error_type,
    http AS http_status
FROM judged
