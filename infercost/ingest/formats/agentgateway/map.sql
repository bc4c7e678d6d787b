-- Requests through agentgateway: lines of its access log, and rows of its store, which keep the line's keys as JSON.
WITH opened AS (
    SELECT
        *,
        try_cast(attributes_json ->> '$' AS JSON) AS told,
        CASE WHEN json_type(told) = 'OBJECT' THEN told END AS extra
    FROM records
),

named AS (
    SELECT
        record_number,
        nullif(id, '') AS row_id,
        coalesce(nullif(trace_id, ''), nullif("trace.id", ''), extra ->> '$."trace.id"') AS trace,
        coalesce(nullif(span_id, ''), nullif("span.id", ''), extra ->> '$."span.id"') AS span,
        nullif(started_at, '') AS start_text,
        nullif(coalesce(completed_at, "time", "timestamp"), '') AS end_text,
        nullif(lower(coalesce(gen_ai_operation_name, "gen_ai.operation.name")), '') AS operation,
        nullif(lower(coalesce(gen_ai_provider_name, "gen_ai.provider.name")), '') AS provider,
        nullif(coalesce(gen_ai_request_model, "gen_ai.request.model"), '') AS asked,
        nullif(coalesce(gen_ai_response_model, "gen_ai.response.model"), '') AS served,
        extra ->> '$."agw.ai.original_model"' AS first_asked,
        try_cast(
            coalesce(input_tokens, "gen_ai.usage.input_tokens", extra ->> '$."gen_ai.usage.input_tokens"') AS BIGINT
        ) AS input,
        try_cast(
            coalesce(output_tokens, "gen_ai.usage.output_tokens", extra ->> '$."gen_ai.usage.output_tokens"') AS BIGINT
        ) AS output,
        try_cast(
            coalesce(total_tokens, "gen_ai.usage.total_tokens", extra ->> '$."gen_ai.usage.total_tokens"') AS BIGINT
        ) AS total,
        try_cast(
            coalesce("gen_ai.usage.cache_read.input_tokens", extra ->> '$."gen_ai.usage.cache_read.input_tokens"')
            AS BIGINT
        ) AS reads,
        try_cast(
            coalesce(
                "gen_ai.usage.cache_creation.input_tokens", extra ->> '$."gen_ai.usage.cache_creation.input_tokens"'
            ) AS BIGINT
        ) AS writes,
        try_cast(
            coalesce("gen_ai.usage.reasoning_tokens", extra ->> '$."gen_ai.usage.reasoning_tokens"') AS BIGINT
        ) AS reasoning,
        try_cast(
            coalesce("gen_ai.usage.input_audio_tokens", extra ->> '$."gen_ai.usage.input_audio_tokens"') AS BIGINT
        ) AS told_audio_in,
        try_cast(
            coalesce("gen_ai.usage.output_audio_tokens", extra ->> '$."gen_ai.usage.output_audio_tokens"') AS BIGINT
        ) AS told_audio_out,
        try_cast(
            coalesce("gen_ai.usage.output_image_tokens", extra ->> '$."gen_ai.usage.output_image_tokens"') AS BIGINT
        ) AS told_image_out,
        try_cast(
            coalesce(cost, "agw.ai.usage.cost.total", extra ->> '$."agw.ai.usage.cost.total"') AS DECIMAL(18, 12)
        ) AS cost_usd,
        try_cast(
            coalesce("agw.ai.time_to_first_token", extra ->> '$."agw.ai.time_to_first_token"') AS DOUBLE
        ) AS first_token,
        try_cast(coalesce("retry.attempt", extra ->> '$."retry.attempt"') AS INTEGER) AS retries,
        try_cast(
            coalesce(http_status, "http.status", "http.response.status_code", extra ->> '$."http.status"') AS INTEGER
        ) AS http,
        nullif(coalesce(error, extra ->> '$.error'), '') AS failure,
        nullif(coalesce(reason, extra ->> '$.reason'), '') AS cause,
        coalesce("duration", extra ->> '$.duration') AS duration_text,
        CASE regexp_extract(duration_text, '^\s*[0-9.]+\s*([a-zµμ]+)\s*$', 1)
            WHEN 's' THEN 1
            WHEN 'ms' THEN 1e-3
            WHEN 'us' THEN 1e-6
            WHEN 'µs' THEN 1e-6
            WHEN 'μs' THEN 1e-6
            WHEN 'ns' THEN 1e-9
        END * try_cast(regexp_extract(duration_text, '^\s*([0-9.]+)', 1) AS DOUBLE) AS told_duration,
        coalesce(try_cast(duration_ms AS DOUBLE) / 1000, told_duration) AS took,
        coalesce(
            utc(start_text),
            utc(end_text) - to_microseconds((CASE WHEN took BETWEEN 0 AND 1e9 THEN took ELSE 0 END * 1e6)::BIGINT)
        ) AS started,
        nullif(split_part(coalesce("http.path", "url.path", extra ->> '$."http.path"', ''), '?', 1), '') AS api_path,
        coalesce(endpoint, extra ->> '$.endpoint') AS upstream,
        coalesce(gateway, extra ->> '$.gateway') AS gateway_name,
        coalesce(route, extra ->> '$.route') AS route_name,
        coalesce(protocol, extra ->> '$.protocol') AS kind,
        "src.addr" AS source,
        coalesce(
            agentgateway_user, "agentgateway.user", extra ->> '$."agentgateway.user"', "jwt.sub",
            extra ->> '$."jwt.sub"'
        ) AS user_name,
        coalesce(agentgateway_group, "agentgateway.group", extra ->> '$."agentgateway.group"') AS group_name,
        coalesce("agw.api_key.name", extra ->> '$."agw.api_key.name"') AS key_name,
        coalesce(user_agent_name, extra ->> '$."user_agent.name"') AS agent_name
    FROM opened
),

judged AS (
    SELECT
        *,
        coalesce(asked, served, provider, operation) IS NOT NULL OR coalesce(lower(kind) = 'llm', false)
        OR input IS NOT NULL OR output IS NOT NULL AS is_call,
        -- The zeros of a failed call only say that nothing was counted.
        coalesce(input, output) IS NOT NULL AND NOT coalesce(
            http >= 400 AND coalesce(input, 0) = 0 AND coalesce(output, 0) = 0, false
        ) AS has_usage,
        coalesce(reads, 0) + coalesce(writes, 0) AS cached,
        lower(coalesce(served, asked, '')) AS model_key,
        regexp_matches(model_key, '(^|[/:.])(gpt|chatgpt|codex|o[1-9]|openai)') AS keeps_30m,
        coalesce(provider IN ('anthropic', 'aws.bedrock', 'bedrock'), false) OR contains(model_key, 'claude')
            AS declared_apart,
        -- A total that adds the cache to input and output proves that the input leaves it out.
        coalesce(cached > 0 AND NOT declared_apart AND cached <= input AND total = input + output + cached, false)
            AS total_says_apart,
        CASE WHEN declared_apart OR total_says_apart THEN input ELSE apart(input, cached) END AS fresh,
        apart(output, reasoning) AS visible,
        CASE WHEN told_audio_in >= 0 THEN least(told_audio_in, fresh) END AS audio_in,
        CASE WHEN told_audio_out >= 0 THEN least(told_audio_out, visible) END AS audio_out,
        CASE WHEN told_image_out >= 0 THEN least(told_image_out, visible - coalesce(audio_out, 0)) END AS image_out,
        http >= 400 OR (failure IS NOT NULL AND http IS NULL) AS failed
    FROM named
)

SELECT
    record_number,
    is_call,
    CASE
        WHEN NOT is_call THEN NULL
        WHEN start_text IS NULL AND end_text IS NULL THEN 'started_at (of a row) or time (of a line) is missing'
        WHEN started IS NULL THEN 'no time: ' || left(coalesce(start_text, end_text), 60)
    END AS reject_reason,
    coalesce(
        'span:' || trace || ':' || span,
        'row:' || row_id,
        concat_ws('|', 'line', epoch_us(utc(end_text)), trace, source, route_name, asked, served, input, output, http)
    ) AS dedupe_key,
    CASE WHEN has_usage THEN 2 ELSE 0 END + CASE WHEN row_id IS NOT NULL THEN 1 ELSE 0 END AS dedupe_rank,
    coalesce(trace || ':' || span, row_id) AS request_id,
    trace AS trace_id,
    started AS started_at,
    CASE WHEN took BETWEEN 0 AND 1e9 THEN took END AS duration_seconds,
    CASE WHEN first_token > 0 AND first_token < 1e9 THEN first_token END AS time_to_first_token_seconds,
    CASE WHEN first_token > 0 THEN true END AS stream,
    operation AS operation_name,
    api_path AS endpoint,
    CASE
        WHEN provider IN ('azure', 'azure.openai', 'azure_openai', 'azureopenai') THEN 'azure.ai.openai'
        WHEN provider = 'bedrock' THEN 'aws.bedrock'
        WHEN provider = 'gemini' THEN 'gcp.gemini'
        WHEN provider IN ('vertex', 'vertexai', 'vertex_ai') THEN 'gcp.vertex_ai'
        ELSE provider
    END AS provider_name,
    nullif(upstream, '') AS deployment,
    coalesce(first_asked, asked) AS request_model,
    served AS response_model,
    coalesce(served, asked) AS price_model,
    nullif(user_name, '') AS user_id,
    nullif(group_name, '') AS team_name,
    nullif(key_name, '') AS api_key_name,
    tag_map([
        {'key': 'gateway', 'value': gateway_name},
        {'key': 'route', 'value': route_name},
        {'key': 'user_agent', 'value': agent_name}
    ]) AS tags,
    CASE WHEN retries >= 0 THEN retries + 1 END AS attempt_number,
    CASE WHEN retries >= 0 THEN retries END AS unlogged_attempts,
    CASE WHEN retries > 0 THEN true END AS is_retry,
    CASE WHEN has_usage THEN fresh - coalesce(audio_in, 0) END AS input_uncached_tokens,
    CASE WHEN has_usage THEN reads END AS cache_read_tokens,
    CASE WHEN has_usage AND NOT keeps_30m THEN writes END AS cache_write_5m_tokens,
    CASE WHEN has_usage AND keeps_30m THEN writes END AS cache_write_30m_tokens,
    CASE WHEN has_usage THEN audio_in END AS input_audio_tokens,
    CASE
        WHEN operation = 'embeddings' AND output IS NULL AND has_usage THEN 0
        WHEN has_usage THEN visible - coalesce(audio_out, 0) - coalesce(image_out, 0)
    END AS output_text_tokens,
    CASE WHEN has_usage THEN reasoning END AS reasoning_tokens,
    CASE WHEN has_usage THEN audio_out END AS output_audio_tokens,
    CASE WHEN has_usage THEN image_out END AS output_image_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE WHEN has_usage THEN coalesce(
        CASE WHEN NOT declared_apart THEN not_included(input, cached, 'input_tokens', 'cached tokens') END,
        CASE
            WHEN total_says_apart
                THEN 'total_tokens (' || total || ') adds cached tokens (' || cached
                || ') to the input, which should include them: read as exclusive'
        END,
        not_included(output, reasoning, 'output_tokens', 'reasoning_tokens')
    ) END AS contradiction,
    CASE WHEN http = 499 THEN 'cancelled' WHEN failed THEN 'error' ELSE 'ok' END AS status,
    CASE
        WHEN failed THEN coalesce(
            CASE WHEN regexp_full_match(cause, '[A-Za-z0-9_.:-]{1,64}') THEN cause END,
            -- The error is a message, which may repeat what was asked; only a class of errors is one word.
            CASE WHEN regexp_full_match(failure, '[A-Za-z0-9_.:-]{1,64}') THEN failure END,
            'http_' || http, 'error'
        )
    END AS error_type,
    CASE WHEN http >= 100 THEN http END AS http_status,
    cost_usd AS reported_cost
FROM judged
