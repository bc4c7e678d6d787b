-- One row per line of a Claude Code transcript. The texts (`message.content`) are never read.
WITH lines AS (
    SELECT
        * EXCLUDE (data),
        -- A progress line of a sub-agent holds the sub-agent's own line once more, under data.message.
        CASE
            WHEN json_exists(data.message, '$.message.usage') THEN json_transform(
                data.message,
                '{"type": "VARCHAR", "uuid": "VARCHAR", "requestId": "VARCHAR", "timestamp": "VARCHAR",
                  "message": {"id": "VARCHAR", "model": "VARCHAR", "role": "VARCHAR", "usage": {
                    "input_tokens": "BIGINT", "output_tokens": "BIGINT",
                    "cache_creation_input_tokens": "BIGINT", "cache_read_input_tokens": "BIGINT",
                    "cache_creation": {"ephemeral_5m_input_tokens": "BIGINT", "ephemeral_1h_input_tokens": "BIGINT"},
                    "output_tokens_details": {"thinking_tokens": "BIGINT"},
                    "service_tier": "VARCHAR", "speed": "VARCHAR", "inference_geo": "VARCHAR"}}}'
            )
        END AS nested
    FROM records
),

calls AS (
    SELECT
        record_number,
        source_file,
        coalesce(nested.message, message) AS answer,
        coalesce(nested.message.usage, message.usage) AS usage,
        coalesce(nested.requestId, requestId) AS request,
        coalesce(nested.uuid, uuid) AS line_id,
        coalesce(nested.timestamp, timestamp) AS written_at,
        coalesce(nested.type, type, 'assistant') AS kind,
        -- A nested line repeats an answer that has, or had, its own line in the sub-agent's file.
        coalesce(isSidechain, false) OR nested IS NOT NULL AS is_sidechain,
        coalesce(isApiErrorMessage, false) AS is_api_error,
        coalesce(sessionId, session_id) AS session,
        error,
        costUSD AS cost,
        version,
        rtrim(cwd, '/\') AS cwd,
        gitBranch AS git_branch,
        agentId AS agent_id,
        entrypoint
    FROM lines
),

counted AS (
    SELECT
        *,
        -- The model '<synthetic>' stands for text that the program wrote itself: the sign of a failed call when it is
        -- marked as an API error, and no call at all otherwise.
        coalesce(
            kind = 'assistant' AND usage IS NOT NULL AND (answer.model IS DISTINCT FROM '<synthetic>' OR is_api_error),
            false
        ) AS is_call,
        coalesce(answer.model = '<synthetic>', false) OR is_api_error AS is_failure,
        coalesce(usage.input_tokens, usage.output_tokens) IS NOT NULL AS has_usage,
        usage.cache_creation.ephemeral_1h_input_tokens AS write_1h,
        -- A write without its lifetime, or the rest that the split leaves, has the default lifetime of five minutes.
        greatest(
            usage.cache_creation.ephemeral_5m_input_tokens,
            usage.cache_creation_input_tokens - coalesce(usage.cache_creation.ephemeral_1h_input_tokens, 0)
        ) AS write_5m,
        CASE
            WHEN usage.output_tokens_details.thinking_tokens <= usage.output_tokens
                THEN usage.output_tokens_details.thinking_tokens
        END AS thinking,
        try_cast(written_at AS TIMESTAMPTZ) AS written,
        lower(usage.service_tier) AS tier,
        nullif(regexp_extract(cwd, '([^/\\]+)$', 1), '') AS cwd_name,
        nullif(regexp_extract(source_file, 'projects[/\\]([^/\\]+)[/\\]', 1), '') AS folder_name
    FROM calls
),

tagged AS (
    SELECT
        *,
        list_filter(
            [
                {'key': 'project', 'value': coalesce(cwd_name, folder_name)},
                {'key': 'cwd', 'value': cwd},
                {'key': 'git_branch', 'value': git_branch},
                {'key': 'version', 'value': version},
                {'key': 'agent', 'value': CASE WHEN is_sidechain THEN 'sidechain' ELSE 'main' END},
                {'key': 'agent_id', 'value': agent_id},
                {'key': 'entrypoint', 'value': entrypoint}
            ],
            lambda tag: tag.value != ''
        ) AS tag_list
    FROM counted
    WHERE is_call
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN written_at IS NULL THEN 'timestamp is missing'
        WHEN written IS NULL THEN 'timestamp is not an ISO 8601 time: ' || left(written_at, 60)
        WHEN coalesce(answer.id, request, line_id) IS NULL THEN 'message.id, requestId and uuid are missing'
    END AS reject_reason,
    coalesce(answer.id, request, line_id) AS dedupe_key,
    -- Twice the tokens, so that the last bit can decide between equal copies.
    2 * (
        coalesce(usage.input_tokens, 0) + coalesce(usage.output_tokens, 0)
        + coalesce(usage.cache_creation_input_tokens, 0) + coalesce(usage.cache_read_input_tokens, 0)
    ) + CASE WHEN is_sidechain THEN 0 ELSE 1 END AS dedupe_rank,
    coalesce(request, answer.id, line_id) AS request_id,
    answer.id AS response_id,
    session AS session_id,
    written AS started_at,
    'messages' AS operation_name,
    'anthropic' AS provider_name,
    nullif(lower(usage.inference_geo), 'not_available') AS region,
    CASE
        WHEN lower(usage.speed) = 'fast' THEN 'fast'
        WHEN tier NOT IN ('', 'default', 'standard', 'auto') THEN tier
    END AS service_tier,
    CASE WHEN NOT is_failure THEN answer.model END AS request_model,
    CASE WHEN NOT is_failure THEN answer.model END AS response_model,
    CASE WHEN NOT is_failure THEN answer.model END AS price_model,
    map_from_entries(list_transform(tag_list, lambda tag: {'key': tag.key, 'value': left(tag.value, 256)})) AS tags,
    -- The zeros of an error line are what the log states: nothing was spent.
    usage.input_tokens AS input_uncached_tokens,
    CASE WHEN has_usage THEN coalesce(usage.cache_read_input_tokens, 0) END AS cache_read_tokens,
    CASE WHEN has_usage THEN coalesce(write_5m, 0) END AS cache_write_5m_tokens,
    CASE WHEN has_usage THEN coalesce(write_1h, 0) END AS cache_write_1h_tokens,
    usage.output_tokens - coalesce(thinking, 0) AS output_text_tokens,
    CASE WHEN is_failure AND usage.output_tokens = 0 THEN 0 ELSE thinking END AS reasoning_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE WHEN is_failure THEN 'error' ELSE 'ok' END AS status,
    CASE
        WHEN is_failure THEN coalesce(
            CASE WHEN json_type(error) = 'VARCHAR' THEN error ->> '$' END,
            error ->> '$.error.type',
            error ->> '$.type'
        )
    END AS error_type,
    CASE WHEN is_failure THEN try_cast(error ->> '$.status' AS INTEGER) END AS http_status,
    try_cast(cost AS DECIMAL(18, 12)) AS reported_cost
FROM tagged
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM counted
WHERE NOT is_call
