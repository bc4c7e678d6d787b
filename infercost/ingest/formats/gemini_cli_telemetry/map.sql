-- Events of Gemini CLI's telemetry file. Only its own events of answers and errors are calls; the rest repeats them.
WITH events AS (
    SELECT
        record_number,
        attributes ->> '$."event.name"' AS event,
        attributes ->> '$."event.timestamp"' AS written_at,
        coalesce(
            utc(attributes ->> '$."event.timestamp"'),
            -- The SDK's own time: seconds and nanoseconds.
            from_nanoseconds(
                try_cast(hrTime ->> '$[0]' AS HUGEINT) * 1000000000 + try_cast(hrTime ->> '$[1]' AS HUGEINT)
            )
        ) AS ended,
        nullif(attributes ->> '$.model', '') AS model,
        try_cast(attributes ->> '$.duration_ms' AS DOUBLE) / 1000 AS duration,
        try_cast(attributes ->> '$.input_token_count' AS BIGINT) AS prompt,
        try_cast(attributes ->> '$.output_token_count' AS BIGINT) AS answer,
        coalesce(try_cast(attributes ->> '$.cached_content_token_count' AS BIGINT), 0) AS cached,
        coalesce(try_cast(attributes ->> '$.thoughts_token_count' AS BIGINT), 0) AS thoughts,
        coalesce(try_cast(attributes ->> '$.tool_token_count' AS BIGINT), 0) AS tool,
        try_cast(attributes ->> '$.total_token_count' AS BIGINT) AS told_total,
        nullif(attributes ->> '$.prompt_id', '') AS prompt_id,
        nullif(attributes ->> '$."session.id"', '') AS session,
        lower(attributes ->> '$.auth_type') AS auth_type,
        attributes ->> '$.role' AS role,
        coalesce(attributes ->> '$.error_type', attributes ->> '$."error.type"') AS error_class,
        try_cast(
            coalesce(attributes ->> '$.status_code', attributes ->> '$."http.status_code"') AS INTEGER
        ) AS http
    FROM records
),

counted AS (
    SELECT
        *,
        event IN ('gemini_cli.api_response', 'gemini_cli.api_error') AS is_call,
        event = 'gemini_cli.api_error' AS is_error,
        coalesce(prompt, answer) IS NOT NULL AND NOT is_error AS has_usage,
        -- A total that has no room for a count beside the others says that another count includes it.
        coalesce(thoughts > 0 AND told_total = prompt + answer + tool, false) AS has_thoughts_inside,
        coalesce(tool > 0 AND told_total = prompt + answer + thoughts, false) AS has_tool_inside
    FROM events
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN ended IS NULL AND written_at IS NULL THEN 'event.timestamp is missing'
        WHEN ended IS NULL THEN 'event.timestamp is not an ISO 8601 time: ' || left(written_at, 60)
        WHEN least(prompt, answer, cached, thoughts, tool) < 0 THEN 'a token count is negative'
    END AS reject_reason,
    concat_ws('|', event, session, prompt_id, epoch_us(ended), model, prompt, answer, thoughts, duration) AS dedupe_key,
    session AS session_id,
    ended
    - to_microseconds(CAST(round(CASE WHEN duration BETWEEN 0 AND 86400 THEN duration ELSE 0 END * 1e6) AS BIGINT))
        AS started_at,
    CASE WHEN duration >= 0 THEN duration END AS duration_seconds,
    'generate_content' AS operation_name,
    CASE WHEN auth_type LIKE 'vertex%' THEN 'gcp.vertex_ai' ELSE 'gcp.gemini' END AS provider_name,
    model AS request_model,
    CASE WHEN NOT is_error THEN model END AS response_model,
    model AS price_model,
    tag_map([{'key': 'auth_type', 'value': auth_type}, {'key': 'role', 'value': role}]) AS tags,
    CASE WHEN has_usage THEN apart(prompt, cached) + CASE WHEN has_tool_inside THEN 0 ELSE tool END END
        AS input_uncached_tokens,
    CASE WHEN has_usage THEN cached END AS cache_read_tokens,
    CASE WHEN has_usage THEN CASE WHEN has_thoughts_inside THEN apart(answer, thoughts) ELSE answer END END
        AS output_text_tokens,
    CASE WHEN has_usage THEN thoughts END AS reasoning_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    coalesce(
        not_included(prompt, cached, 'input_token_count', 'cached_content_token_count'),
        CASE
            WHEN has_thoughts_inside
                THEN 'total_token_count (' || told_total || ') has no room for thoughts (' || thoughts
                || ') beside output_token_count: read as part of it'
            WHEN has_tool_inside
                THEN 'total_token_count (' || told_total || ') has no room for tool_token_count (' || tool
                || ') beside input_token_count: read as part of it'
        END
    ) AS contradiction,
    CASE WHEN is_error OR http >= 400 THEN coalesce(nullif(status_of(http), 'ok'), 'error') ELSE 'ok' END AS status,
    CASE
        -- A class of errors is one word; anything else may be a message that repeats a prompt.
        WHEN is_error AND regexp_full_match(error_class, '[A-Za-z0-9_.:-]{1,64}') THEN error_class
    END AS error_type,
    http AS http_status
FROM counted
WHERE is_call
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM counted
WHERE NOT coalesce(is_call, false)
