-- Access log of Envoy AI Gateway: one line is one request of a client, whatever Envoy tried for it.
WITH told AS (
    -- Envoy writes null or '-' for what it does not know.
    SELECT
        record_number,
        nullif(trim(start_time), '-') AS start_text,
        try_cast(duration AS DOUBLE) AS duration_ms,
        list_filter(
            ["x-envoy-origin-path", "x-envoy-original-path", path, ":path"], lambda text: text NOT IN ('', '-')
        )[1] AS full_path,
        try_cast(response_code AS INTEGER) AS code,
        nullif(nullif(response_code_details, '-'), '') AS code_details,
        coalesce(nullif(response_flags, '-'), '') AS flags,
        nullif(nullif(route_name, '-'), '') AS route_name,
        nullif(nullif(upstream_cluster, '-'), '') AS upstream_cluster,
        nullif(nullif(upstream_host, '-'), '') AS upstream_host,
        concat_ws('|', bytes_received, bytes_sent, duration) AS sizes,
        list_filter(["x-request-id", request_id], lambda text: text NOT IN ('', '-'))[1] AS request,
        try_cast(coalesce("x-envoy-attempt-count", upstream_request_attempt_count) AS INTEGER) AS tries,
        nullif(nullif("mcp.method.name", '-'), '') AS mcp_method,
        nullif(nullif("session.id", '-'), '') AS session,
        list_filter(
            ["trace.id", regexp_extract(traceparent, '^[0-9a-f]{2}-([0-9a-f]{32})-', 1)],
            lambda text: text NOT IN ('', '-')
        )[1] AS trace,
        list_filter(["user.id", "x-user-id"], lambda text: text NOT IN ('', '-'))[1] AS user_name,
        nullif(nullif("x-team-id", '-'), '') AS team,
        nullif("x-tenant-id", '-') AS tenant,
        nullif(nullif("gen_ai.request.model", '-'), '') AS asked,
        nullif(nullif("gen_ai.request.model_override", '-'), '') AS overridden,
        nullif(nullif("gen_ai.response.model", '-'), '') AS answered,
        list_filter(
            ["gen_ai.provider.name", "gen_ai.backend.name"], lambda text: text NOT IN ('', '-')
        )[1] AS backend,
        nullif(nullif("gen_ai.operation.name", '-'), '') AS operation,
        coalesce(try_cast("gen_ai.usage.input_tokens" AS BIGINT), try_cast(llm_input_token AS BIGINT)) AS told_input,
        coalesce(try_cast("gen_ai.usage.output_tokens" AS BIGINT), try_cast(llm_output_token AS BIGINT))
            AS told_output,
        coalesce(try_cast("gen_ai.usage.total_tokens" AS BIGINT), try_cast(llm_total_token AS BIGINT)) AS told_total,
        try_cast(
            coalesce("gen_ai.usage.reasoning_tokens", "gen_ai.usage.reasoning.output_tokens", llm_reasoning_token)
            AS BIGINT
        ) AS reasoning,
        try_cast(
            coalesce(
                "gen_ai.usage.cached_input_tokens", "gen_ai.usage.cache_read.input_tokens",
                "gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.cached_tokens",
                "gen_ai.usage.input_tokens.cached", llm_cached_input_token
            ) AS BIGINT
        ) AS reads,
        try_cast(
            coalesce(
                "gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.cache_creation.input_tokens",
                "gen_ai.usage.cache_write.input_tokens", llm_cache_creation_input_token
            ) AS BIGINT
        ) AS writes
    FROM records
),

counted AS (
    SELECT
        *,
        split_part(full_path, '?', 1) AS api_path,
        coalesce(told_input, told_total - told_output) AS input,
        coalesce(told_output, told_total - told_input) AS output,
        coalesce(reads, 0) + coalesce(writes, 0) AS cached,
        CASE
            WHEN try_cast(start_text AS DOUBLE) BETWEEN 1e8 AND 1e11 THEN from_seconds(start_text)
            WHEN try_cast(start_text AS DOUBLE) BETWEEN 1e11 AND 1e14 THEN from_milliseconds(start_text)
            ELSE utc(start_text)
        END AS started,
        -- DC: the client closed the connection, which Envoy logs with the code it had sent until then, or 0.
        list_contains(string_split(flags, ','), 'DC') AS client_left
    FROM told
),

judged AS (
    SELECT
        *,
        -- The zeros of a failed call only say that nothing was counted.
        coalesce(input, output) IS NOT NULL AND NOT coalesce(
            (code >= 400 OR code = 0) AND coalesce(input, 0) = 0 AND coalesce(output, 0) = 0, false
        ) AS has_usage,
        coalesce(
            regexp_matches(coalesce(answered, overridden, asked), '(^|[/:.])(gpt|chatgpt|codex|o[1-9]|openai)'), false
        ) AS keeps_30m,
        regexp_matches(
            api_path,
            '/(completions|embeddings|responses|messages|rerank|images/generations|audio/[a-z]+)$'
            '|/(converse(-stream)?|invoke|[^/]+:(streamG|g)enerateContent)$'
        ) AS is_ai_path,
        -- Requests of other kinds pass the same proxy; one that failed before its model was read is known by its path.
        mcp_method IS NULL AND (
            coalesce(asked, overridden, answered) IS NOT NULL OR coalesce(input, output) IS NOT NULL
            OR coalesce(is_ai_path AND (code >= 400 OR code = 0 OR client_left), false)
        ) AS is_call
    FROM counted
)

SELECT
    record_number,
    is_call,
    CASE
        WHEN NOT is_call THEN NULL
        WHEN start_text IS NULL THEN 'start_time is missing'
        WHEN started IS NULL THEN 'start_time is no time: ' || left(start_text, 60)
    END AS reject_reason,
    coalesce(
        request || '|' || start_text,
        concat_ws('|', start_text, asked, upstream_host, sizes, input, output)
    ) AS dedupe_key,
    CASE WHEN has_usage THEN 2 ELSE 1 END AS dedupe_rank,
    request AS request_id,
    trace AS trace_id,
    session AS session_id,
    started AS started_at,
    CASE WHEN duration_ms BETWEEN 0 AND 1e12 THEN duration_ms / 1000 END AS duration_seconds,
    CASE
        WHEN operation IS NOT NULL THEN lower(operation)
        WHEN api_path LIKE '%/chat/completions' THEN 'chat'
        WHEN api_path LIKE '%/completions' THEN 'text_completion'
        WHEN api_path LIKE '%/embeddings' THEN 'embeddings'
        WHEN api_path LIKE '%/responses' THEN 'responses'
        WHEN api_path LIKE '%/messages' THEN 'messages'
        WHEN api_path LIKE '%enerateContent' THEN 'generate_content'
        WHEN api_path LIKE '%/rerank' THEN 'rerank'
    END AS operation_name,
    api_path AS endpoint,
    backend AS deployment,
    asked AS request_model,
    coalesce(answered, overridden) AS response_model,
    coalesce(answered, overridden, asked) AS price_model,
    user_name AS user_id,
    team AS team_name,
    tag_map([
        {'key': 'route', 'value': route_name},
        {'key': 'tenant', 'value': tenant},
        {'key': 'upstream_cluster', 'value': upstream_cluster},
        {'key': 'response_flags', 'value': flags}
    ]) AS tags,
    CASE WHEN tries >= 1 THEN tries END AS attempt_number,
    CASE WHEN tries >= 1 THEN tries - 1 END AS unlogged_attempts,
    CASE WHEN has_usage THEN apart(input, cached) END AS input_uncached_tokens,
    CASE WHEN has_usage THEN reads END AS cache_read_tokens,
    -- OpenAI keeps what it writes for 30 minutes, the others for 5 unless they are asked to keep it longer.
    CASE WHEN has_usage AND NOT keeps_30m THEN writes END AS cache_write_5m_tokens,
    CASE WHEN has_usage AND keeps_30m THEN writes END AS cache_write_30m_tokens,
    -- Embeddings and rankings have no output to count.
    CASE
        WHEN NOT has_usage THEN NULL
        WHEN output IS NULL AND regexp_matches(api_path, '/(embeddings|rerank)$') THEN 0
        ELSE apart(output, reasoning)
    END AS output_text_tokens,
    CASE WHEN has_usage THEN reasoning END AS reasoning_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    coalesce(
        not_included(input, cached, 'input tokens', 'cached tokens'),
        not_included(output, reasoning, 'output tokens', 'reasoning tokens')
    ) AS contradiction,
    CASE
        WHEN client_left OR code = 499 THEN 'cancelled'
        WHEN code >= 400 OR code = 0 THEN 'error'
        ELSE 'ok'
    END AS status,
    CASE
        WHEN client_left OR code = 499 THEN 'client_disconnected'
        WHEN code >= 400 OR code = 0
            THEN coalesce(
                CASE
                    WHEN code_details <> 'via_upstream' AND regexp_full_match(code_details, '[A-Za-z0-9_.:{}|-]{1,120}')
                        THEN code_details
                END,
                nullif(flags, ''), 'http_' || code
            )
    END AS error_type,
    CASE WHEN code >= 100 THEN code END AS http_status
FROM judged
