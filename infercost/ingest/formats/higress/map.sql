-- Access log of Higress; what its plugin ai-statistics counted stands in ai_log, JSON written as a text.
WITH opened AS (
    SELECT
        * EXCLUDE (ai_log, start_time, "path"),
        nullif(nullif(trim(ai_log), '-'), '') AS ai_text,
        try_cast(ai_text AS JSON) AS once,
        -- A shipper of logs may have quoted the text once more.
        coalesce(CASE WHEN json_type(once) = 'VARCHAR' THEN try_cast(once ->> '$' AS JSON) END, once) AS whole,
        CASE WHEN json_type(whole) = 'OBJECT' THEN whole END AS ai,
        nullif(nullif(trim(start_time), '-'), '') AS start_text,
        nullif(nullif(split_part("path", '?', 1), '-'), '') AS api_path
    FROM records
),

picked AS (
    -- A long question cuts the text, so that it is no JSON any more; the members that were written whole still count.
    -- A quoted text inside has a backslash before its quotes, so that a prompt cannot pass for a member.
    SELECT
        *,
        ai IS NULL AND ai_text IS NOT NULL AS is_cut,
        map_from_entries(
            list_transform(
                [
                    'model', 'session_id', 'chat_id', 'response_type', 'consumer', 'input_token', 'output_token',
                    'total_token', 'cached_tokens', 'reasoning_tokens', 'llm_first_token_duration',
                    'llm_service_duration', 'api_name'
                ],
                lambda name: {
                    'key': name,
                    'value': CASE
                        WHEN ai IS NOT NULL THEN nullif(nullif(ai ->> ('$.' || name), '-'), '')
                        WHEN is_cut THEN nullif(
                            coalesce(
                                nullif(regexp_extract(ai_text, '[{,]\s*"' || name || '"\s*:\s*"([^"\\]*)"', 1), ''),
                                regexp_extract(ai_text, '[{,]\s*"' || name || '"\s*:\s*(\d+)\s*[,}]', 1)
                            ), ''
                        )
                    END
                }
            )
        ) AS member,
        try_cast(ai ->> '$.input_token_details' AS JSON) AS details_in,
        try_cast(ai ->> '$.output_token_details' AS JSON) AS details_out
    FROM opened
),

counted AS (
    SELECT
        *,
        member['model'] AS model,
        try_cast(member['input_token'] AS BIGINT) AS input,
        try_cast(member['output_token'] AS BIGINT) AS output,
        try_cast(member['total_token'] AS BIGINT) AS total,
        coalesce(
            try_cast(member['cached_tokens'] AS BIGINT), try_cast(details_in ->> '$.cached_tokens' AS BIGINT),
            try_cast(details_in ->> '$.cache_read_input_tokens' AS BIGINT)
        ) AS reads,
        coalesce(
            try_cast(details_in ->> '$.cache_write_tokens' AS BIGINT),
            try_cast(details_in ->> '$.cache_creation_input_tokens' AS BIGINT)
        ) AS writes,
        coalesce(
            try_cast(member['reasoning_tokens'] AS BIGINT), try_cast(details_out ->> '$.reasoning_tokens' AS BIGINT)
        ) AS reasoning,
        try_cast(details_in ->> '$.audio_tokens' AS BIGINT) AS told_audio_in,
        try_cast(details_out ->> '$.audio_tokens' AS BIGINT) AS told_audio_out,
        coalesce(reads, 0) + coalesce(writes, 0) AS cached,
        contains(lower(coalesce(model, '')), 'claude') AS declared_apart,
        coalesce(regexp_matches(model, '(^|[/:.])(gpt|chatgpt|codex|o[1-9]|openai)'), false) AS keeps_30m,
        try_cast(member['llm_first_token_duration'] AS DOUBLE) AS first_token_ms,
        coalesce(try_cast(member['llm_service_duration'] AS DOUBLE), try_cast(duration AS DOUBLE)) AS duration_ms,
        -- Answers in one piece have no first token.
        CASE
            WHEN lower(member['response_type']) = 'stream' THEN true
            WHEN member['response_type'] IS NOT NULL THEN false
            WHEN first_token_ms > 0 THEN true
        END AS streamed,
        CASE
            WHEN try_cast(start_text AS DOUBLE) BETWEEN 1e8 AND 1e11 THEN from_seconds(start_text)
            WHEN try_cast(start_text AS DOUBLE) BETWEEN 1e11 AND 1e14 THEN from_milliseconds(start_text)
            ELSE utc(start_text)
        END AS started,
        try_cast(response_code AS INTEGER) AS code,
        nullif(nullif(response_flags, '-'), '') AS flags,
        list_contains(string_split(coalesce(flags, ''), ','), 'DC') AS client_left,
        nullif(nullif(request_id, '-'), '') AS request,
        nullif(nullif(trace_id, '-'), '') AS trace,
        nullif(nullif(route_name, '-'), '') AS route,
        nullif(nullif(upstream_cluster, '-'), '') AS cluster
    FROM picked
),

judged AS (
    SELECT
        *,
        -- The zeros of a failed call only say that nothing was counted.
        coalesce(input, output) IS NOT NULL AND NOT coalesce(
            (code >= 400 OR code = 0) AND coalesce(input, 0) = 0 AND coalesce(output, 0) = 0, false
        ) AS has_usage,
        -- The plugin says nothing of requests that failed before it; those of an AI path are calls all the same.
        ai_text IS NOT NULL
        OR coalesce(
            regexp_matches(api_path, '/(chat/completions|completions|embeddings|responses|messages)$')
            AND (code >= 400 OR code = 0), false
        ) AS is_call,
        coalesce(cached > 0 AND NOT declared_apart AND cached <= input AND total = input + output + cached, false)
            AS total_says_apart,
        CASE WHEN declared_apart OR total_says_apart THEN input ELSE apart(input, cached) END AS fresh,
        apart(output, reasoning) AS visible,
        CASE WHEN told_audio_in >= 0 THEN least(told_audio_in, fresh) END AS audio_in,
        CASE WHEN told_audio_out >= 0 THEN least(told_audio_out, visible) END AS audio_out
    FROM counted
)

SELECT
    record_number,
    is_call,
    CASE
        WHEN NOT is_call THEN NULL
        WHEN is_cut AND coalesce(input, output) IS NULL
            THEN 'ai_log is no whole JSON (cut at value_length_limit?) and holds no token counts'
        WHEN start_text IS NULL
            THEN 'start_time is missing: ai_log has no time, keep the line of the access log around it'
        WHEN started IS NULL THEN 'start_time is no time: ' || left(start_text, 60)
    END AS reject_reason,
    coalesce(
        request || '|' || start_text,
        concat_ws('|', start_text, trace, model, route, cluster, input, output, duration_ms)
    ) AS dedupe_key,
    CASE WHEN has_usage THEN 2 ELSE 0 END + CASE WHEN is_cut THEN 0 ELSE 1 END AS dedupe_rank,
    request AS request_id,
    trace AS trace_id,
    member['session_id'] AS session_id,
    -- The id of the provider's answer; a short one repeats: some servers draw one of a thousand.
    CASE WHEN length(member['chat_id']) >= 20 THEN member['chat_id'] END AS response_id,
    started AS started_at,
    CASE WHEN duration_ms BETWEEN 0 AND 1e12 THEN duration_ms / 1000 END AS duration_seconds,
    CASE WHEN streamed AND first_token_ms > 0 AND first_token_ms < 1e12 THEN first_token_ms / 1000 END
        AS time_to_first_token_seconds,
    streamed AS stream,
    CASE
        WHEN api_path LIKE '%/chat/completions' THEN 'chat'
        WHEN api_path LIKE '%/completions' THEN 'text_completion'
        WHEN api_path LIKE '%/embeddings' THEN 'embeddings'
        WHEN api_path LIKE '%/responses' THEN 'responses'
        WHEN api_path LIKE '%/messages' THEN 'messages'
    END AS operation_name,
    api_path AS endpoint,
    cluster AS deployment,
    model AS request_model,
    model AS price_model,
    member['consumer'] AS api_key_name,
    tag_map(
        [{'key': 'route', 'value': route}]
        || list_filter(
            json_pairs(ai),
            -- Questions and answers are members like the attributes that an operator adds; a name is one plain word.
            lambda pair: NOT map_contains(member, pair.key) AND NOT regexp_matches(
                lower(pair.key),
                'question|answer|message|reason|prompt|content|system|tool|text|body|query|detail|duration|token'
            ) AND regexp_full_match(pair.value, '[A-Za-z0-9_.:/@+-]{1,64}')
        )
    ) AS tags,
    CASE WHEN has_usage THEN fresh - coalesce(audio_in, 0) END AS input_uncached_tokens,
    CASE WHEN has_usage THEN reads END AS cache_read_tokens,
    CASE WHEN has_usage AND NOT keeps_30m THEN writes END AS cache_write_5m_tokens,
    CASE WHEN has_usage AND keeps_30m THEN writes END AS cache_write_30m_tokens,
    CASE WHEN has_usage THEN audio_in END AS input_audio_tokens,
    CASE
        WHEN has_usage AND output IS NULL AND api_path LIKE '%/embeddings' THEN 0
        WHEN has_usage THEN visible - coalesce(audio_out, 0)
    END AS output_text_tokens,
    CASE WHEN has_usage THEN reasoning END AS reasoning_tokens,
    CASE WHEN has_usage THEN audio_out END AS output_audio_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE WHEN has_usage THEN coalesce(
        CASE WHEN NOT declared_apart THEN not_included(input, cached, 'input_token', 'cached tokens') END,
        CASE
            WHEN total_says_apart
                THEN 'total_token (' || total || ') adds cached tokens (' || cached
                || ') to the input, which should include them: read as exclusive'
        END,
        not_included(output, reasoning, 'output_token', 'reasoning_tokens')
    ) END AS contradiction,
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
                    WHEN response_code_details NOT IN ('via_upstream', '-')
                        AND regexp_full_match(response_code_details, '[A-Za-z0-9_.:{}|-]{1,120}')
                        THEN response_code_details
                END,
                flags, 'http_' || code
            )
    END AS error_type,
    CASE WHEN code >= 100 THEN code END AS http_status
FROM judged
