-- One row per row of the `logs` table. Types: 1 top-up, 2 charged call, 3 management, 4 system, 5 failed attempt
-- (in One API: an operator's test of a channel), 6 refund.
WITH typed AS (
    SELECT
        record_number,
        try_cast(id AS BIGINT) AS id,
        nullif(request_id, '') AS request_key,
        try_cast(type AS INTEGER) AS type,
        created_at,
        from_seconds(created_at) AS written,
        nullif(nullif(user_id, ''), '0') AS user_id,
        nullif(username, '') AS username,
        nullif(nullif(token_id, ''), '0') AS token_id,
        nullif(token_name, '') AS token_name,
        nullif(model_name, '') AS model,
        quota AS quota_text,
        try_cast(quota AS DECIMAL(18, 6)) AS quota,
        try_cast(prompt_tokens AS BIGINT) AS prompt,
        try_cast(completion_tokens AS BIGINT) AS completion,
        prompt_tokens AS prompt_text,
        completion_tokens AS completion_text,
        try_cast(use_time AS DOUBLE) AS use_seconds,
        try_cast(elapsed_time AS DOUBLE) / 1000 AS elapsed_seconds,
        use_time IS NULL AND elapsed_time IS NOT NULL AS is_one_api,
        try_cast(is_stream AS BOOLEAN) AS stream,
        nullif(nullif(coalesce(channel_id, channel), ''), '0') AS channel,
        nullif(channel_name, '') AS channel_name,
        nullif("group", '') AS user_group,
        try_cast(other AS JSON) AS other
    FROM records
),

read AS (
    SELECT
        *,
        other ->> '$.claude' = 'true' OR other ->> '$.usage_semantic' = 'anthropic' AS told_claude,
        coalesce(try_cast(other -> '$.admin_info.use_channel' AS VARCHAR[]), []) AS channels,
        other ->> '$.task_id' AS task,
        try_cast(other ->> '$.cache_tokens' AS BIGINT) AS cached,
        try_cast(other ->> '$.cache_creation_tokens' AS BIGINT) AS written_tokens,
        try_cast(other ->> '$.cache_creation_tokens_5m' AS BIGINT) AS written_5m,
        try_cast(other ->> '$.cache_creation_tokens_1h' AS BIGINT) AS written_1h,
        coalesce(
            try_cast(other ->> '$.audio_input' AS BIGINT), try_cast(other ->> '$.audio_input_token_count' AS BIGINT)
        ) AS audio_in,
        try_cast(other ->> '$.audio_output' AS BIGINT) AS audio_out,
        other ->> '$.stream_status.status' AS stream_status,
        other ->> '$.stream_status.end_reason' AS end_reason
    FROM typed
),

kinds AS (
    SELECT
        *,
        coalesce(told_claude, false) AS is_claude,
        CASE
            -- A settlement moves only money: what the task really cost less what was taken before, or all of it back.
            WHEN
                type = 6
                OR (
                    type = 2 AND task IS NOT NULL
                    AND coalesce(other ->> '$.quota_delta', other ->> '$.actual_quota') IS NOT NULL
                )
                THEN 'adjustment'
            WHEN type = 2 THEN 'call'
            WHEN type = 5 AND is_one_api THEN 'test'
            WHEN type = 5 THEN 'error'
        END AS kind,
        -- More than a year is no duration, and no interval either.
        CASE
            WHEN coalesce(use_seconds, elapsed_seconds) BETWEEN 0 AND 31536000
                THEN coalesce(use_seconds, elapsed_seconds)
        END AS seconds
    FROM read
),

retried AS (
    -- Rows of failed attempts exist only where the operator asked for them, so those that a later success tells of
    -- are looked for: by the request, else by who asked for what on which channel within the time of the success.
    SELECT
        success.record_number,
        count(DISTINCT failure.record_number) AS failures
    FROM kinds AS success
    INNER JOIN kinds AS failure
        ON
            failure.kind = 'error'
            AND success.model = failure.model
            AND failure.token_name IS NOT DISTINCT FROM success.token_name
            AND failure.username IS NOT DISTINCT FROM success.username
            AND CASE
                WHEN success.request_key IS NOT NULL THEN failure.request_key = success.request_key
                ELSE
                    failure.request_key IS NULL
                    AND list_contains(success.channels[:-2], failure.channel)
                    AND failure.written <= success.written
                    AND failure.written >= success.written - to_seconds(coalesce(success.seconds, 0) + 1)
            END
    WHERE success.kind = 'call' AND len(success.channels) > 1
    GROUP BY success.record_number
),

counted AS (
    SELECT
        kinds.*,
        coalesce(retried.failures, 0) AS logged_failures,
        kind IN ('call', 'test') AND (prompt > 0 OR completion > 0) AS known,
        greatest(coalesce(written_tokens, 0), coalesce(written_5m, 0) + coalesce(written_1h, 0)) AS writes,
        greatest(writes - coalesce(written_5m, 0) - coalesce(written_1h, 0), 0) AS write_rest,
        is_claude OR contains(lower(coalesce(other ->> '$.upstream_model_name', model)), 'claude') AS is_anthropic,
        CASE WHEN is_claude THEN prompt ELSE apart(prompt, coalesce(cached, 0) + writes) END AS fresh,
        CASE WHEN audio_in >= 0 THEN least(audio_in, fresh) END AS heard,
        CASE WHEN audio_out >= 0 THEN least(audio_out, completion) END AS spoken,
        coalesce(nullif(other ->> '$.upstream_model_name', ''), model) AS served
    FROM kinds
    LEFT JOIN retried USING (record_number)
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN coalesce(created_at, '') = '' THEN 'created_at is missing'
        WHEN written IS NULL THEN 'created_at is not in epoch seconds: ' || left(created_at, 40)
        WHEN quota_text <> '' AND quota IS NULL THEN 'quota is not a number: ' || left(quota_text, 40)
        WHEN prompt_text <> '' AND prompt IS NULL THEN 'prompt_tokens is not a whole number: ' || left(prompt_text, 40)
        WHEN completion_text <> '' AND completion IS NULL
            THEN 'completion_tokens is not a whole number: ' || left(completion_text, 40)
        WHEN least(prompt, completion, cached, writes) < 0 THEN 'a token count is negative'
    END AS reject_reason,
    concat_ws(
        ' ',
        coalesce(request_key, '#' || coalesce(id % 1024, 0)::VARCHAR || ' ' || coalesce(token_name, '')),
        type, created_at, coalesce(channel, '-'), model, prompt, completion, quota, coalesce(task, '')
    ) AS dedupe_key,
    CASE WHEN known THEN 2 ELSE 0 END + CASE WHEN json_exists(other, '$.admin_info') THEN 1 ELSE 0 END AS dedupe_rank,
    -- An adjustment is no other attempt at the request.
    CASE WHEN kind <> 'adjustment' THEN request_key END AS request_id,
    CASE
        WHEN kind = 'adjustment' THEN written
        ELSE written - to_microseconds(round(coalesce(seconds, 0) * 1e6)::BIGINT)
    END AS started_at,
    CASE WHEN kind <> 'adjustment' THEN seconds END AS duration_seconds,
    CASE
        WHEN stream AND kind = 'call' AND try_cast(other ->> '$.frt' AS DOUBLE) > 0
            THEN try_cast(other ->> '$.frt' AS DOUBLE) / 1000
    END AS time_to_first_token_seconds,
    stream,
    CASE
        WHEN kind = 'adjustment' THEN 'billing_adjustment'
        WHEN regexp_matches(other ->> '$.request_path', '/chat/completions$') THEN 'chat'
        WHEN regexp_matches(other ->> '$.request_path', '/completions$') THEN 'text_completion'
        WHEN regexp_matches(other ->> '$.request_path', '/embeddings$') THEN 'embeddings'
        WHEN regexp_matches(other ->> '$.request_path', '/responses$') THEN 'responses'
        WHEN regexp_matches(other ->> '$.request_path', '/messages$') THEN 'messages'
        WHEN regexp_matches(other ->> '$.request_path', ':(stream)?generateContent$', 'i') THEN 'generate_content'
    END AS operation_name,
    other ->> '$.request_path' AS endpoint,
    coalesce(channel_name, channel) AS deployment,
    model AS request_model,
    CASE WHEN kind IN ('call', 'test') THEN served END AS response_model,
    CASE WHEN kind <> 'adjustment' THEN served END AS price_model,
    CASE WHEN kind IN ('call', 'error') AND len(channels) > 0 THEN len(channels)::INTEGER END AS attempt_number,
    CASE
        WHEN kind = 'call' AND len(channels) > 0 THEN greatest(len(channels) - 1 - logged_failures, 0)::INTEGER
    END AS unlogged_attempts,
    CASE WHEN kind IN ('call', 'error') AND len(channels) > 0 THEN len(channels) > 1 END AS is_retry,
    coalesce(username, user_id) AS user_id,
    token_id AS api_key_id,
    token_name AS api_key_name,
    tag_map(
        [
            {'key': 'group', 'value': user_group},
            {'key': 'group_ratio', 'value': other ->> '$.group_ratio'},
            {
                'key': 'user_group_ratio',
                'value': CASE
                    WHEN try_cast(other ->> '$.user_group_ratio' AS DOUBLE) > 0 THEN other ->> '$.user_group_ratio'
                END
            },
            {'key': 'billing_source', 'value': other ->> '$.billing_source'},
            {'key': 'reasoning_effort', 'value': other ->> '$.reasoning_effort'},
            {'key': 'channels', 'value': array_to_string(channels, ' > ')},
            {'key': 'task_id', 'value': task},
            {'key': 'adjustment', 'value': CASE WHEN kind = 'adjustment' THEN if(type = 6, 'refund', 'settlement') END},
            {'key': 'channel_test', 'value': CASE WHEN kind = 'test' THEN 'true' END}
        ]
    ) AS tags,
    -- An adjustment has no tokens of its own; the zeros of other rows only say that nothing was counted.
    CASE WHEN kind = 'adjustment' THEN 0 WHEN known THEN fresh - coalesce(heard, 0) END AS input_uncached_tokens,
    CASE WHEN known THEN cached END AS cache_read_tokens,
    CASE
        WHEN NOT known OR (written_tokens IS NULL AND written_5m IS NULL AND NOT is_claude) THEN NULL
        WHEN is_anthropic THEN coalesce(written_5m, 0) + write_rest
        ELSE coalesce(written_5m, 0)
    END AS cache_write_5m_tokens,
    CASE WHEN known AND NOT is_anthropic AND written_tokens IS NOT NULL THEN write_rest END AS cache_write_30m_tokens,
    CASE WHEN known THEN written_1h END AS cache_write_1h_tokens,
    CASE WHEN known THEN heard END AS input_audio_tokens,
    CASE WHEN kind = 'adjustment' THEN 0 WHEN known THEN completion - coalesce(spoken, 0) END AS output_text_tokens,
    CASE WHEN known THEN spoken END AS output_audio_tokens,
    CASE
        WHEN kind = 'adjustment' THEN 'reported'
        WHEN NOT known THEN 'missing'
        WHEN other ->> '$.admin_info.local_count_tokens' = 'true' THEN 'estimated'
        ELSE 'reported'
    END AS usage_source,
    CASE WHEN kind = 'call' THEN try_cast(other ->> '$.web_search_call_count' AS BIGINT) END AS web_search_requests,
    CASE
        WHEN known AND NOT is_claude
            THEN not_included(
                prompt, coalesce(cached, 0) + writes, 'prompt_tokens', 'cache_tokens + cache_creation_tokens'
            )
    END AS contradiction,
    CASE
        WHEN kind = 'error' THEN 'error'
        WHEN stream_status = 'error' AND contains(end_reason, 'client') THEN 'cancelled'
        WHEN stream_status = 'error' THEN 'error'
        ELSE 'ok'
    END AS status,
    CASE
        WHEN kind = 'error' THEN coalesce(nullif(other ->> '$.error_code', ''), nullif(other ->> '$.error_type', ''))
        WHEN stream_status = 'error' THEN end_reason
    END AS error_type,
    CASE WHEN kind = 'error' THEN try_cast(other ->> '$.status_code' AS INTEGER) END AS http_status,
    -- 500,000 quota are a dollar. A refund's row holds what was given back as a positive number.
    try_cast(CASE WHEN type = 6 THEN -abs(quota) ELSE quota END * 0.000002 AS DECIMAL(18, 12)) AS reported_cost
FROM counted
WHERE kind IS NOT NULL
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call,
    CASE WHEN type IS NULL THEN 'type is missing or not a number' END AS reject_reason
FROM counted
WHERE kind IS NULL
