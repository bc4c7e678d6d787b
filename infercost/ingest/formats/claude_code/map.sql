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
                    "server_tool_use": {"web_search_requests": "BIGINT"},
                    "iterations": [{"type": "VARCHAR", "model": "VARCHAR", "input_tokens": "BIGINT",
                      "output_tokens": "BIGINT", "cache_creation_input_tokens": "BIGINT",
                      "cache_read_input_tokens": "BIGINT", "cache_creation": {
                        "ephemeral_5m_input_tokens": "BIGINT", "ephemeral_1h_input_tokens": "BIGINT"}}],
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
        coalesce(usage.iterations, []) AS iterations,
        list_filter(iterations, lambda part: part.type IN ('message', 'fallback_message')) AS sampled,
        -- Iterations of the one model add up to the usage beside them; others are not in it, or have another price.
        len(list_filter(iterations, lambda part: part.type <> 'message')) > 0 AS is_split,
        list_position(list_transform(iterations, lambda part: part.type = sampled[1].type), true) AS main_position,
        coalesce(usage.input_tokens, 0) + coalesce(usage.output_tokens, 0)
        + coalesce(usage.cache_creation_input_tokens, 0) + coalesce(usage.cache_read_input_tokens, 0) AS top_tokens,
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
        ) AS tag_list,
        list_transform(
            sampled,
            lambda part: coalesce(part.input_tokens, 0) + coalesce(part.output_tokens, 0)
            + coalesce(part.cache_creation_input_tokens, 0) + coalesce(part.cache_read_input_tokens, 0)
        ) AS sampled_sums,
        coalesce(list_sum(sampled_sums)::BIGINT, 0) AS sampled_tokens,
        coalesce(
            list_sum(
                list_filter(sampled_sums, lambda sum, position: sampled[position].type = 'fallback_message')
            )::BIGINT,
            0
        ) AS fallback_tokens,
        coalesce(
            -- Whether the usage beside the iterations holds what the model asked first has spent is not documented.
            CASE
                WHEN sampled <> []
                    AND top_tokens NOT IN (sampled_tokens, fallback_tokens, sampled_tokens - fallback_tokens)
                    THEN 'usage.iterations of the answer add up to ' || sampled_tokens
                    || ' tokens, the usage beside them to ' || top_tokens
            END,
            not_included(
                usage.output_tokens, usage.output_tokens_details.thinking_tokens, 'output_tokens', 'thinking_tokens'
            )
        ) AS trouble
    FROM counted
    WHERE is_call
),

parts AS (
    SELECT
        *,
        unnest(
            CASE
                WHEN is_split THEN list_transform(
                    iterations,
                    lambda part, position: {
                        'position': position - 1,
                        'kind': part.type,
                        'model': part.model,
                        'is_main': coalesce(position = main_position, false),
                        'input': part.input_tokens,
                        'output': part.output_tokens,
                        'reads': part.cache_read_input_tokens,
                        'writes': part.cache_creation_input_tokens,
                        'writes_5m': part.cache_creation.ephemeral_5m_input_tokens,
                        'writes_1h': part.cache_creation.ephemeral_1h_input_tokens,
                        -- The usage beside them counts the thinking of all of the answer's iterations together.
                        'thinking': CASE
                            WHEN len(sampled) = 1 AND position = main_position
                                THEN usage.output_tokens_details.thinking_tokens
                        END
                    }
                )
                ELSE [
                    {
                        'position': 0,
                        'kind': 'message',
                        'model': CAST(NULL AS VARCHAR),
                        'is_main': true,
                        'input': usage.input_tokens,
                        'output': usage.output_tokens,
                        'reads': usage.cache_read_input_tokens,
                        'writes': usage.cache_creation_input_tokens,
                        'writes_5m': usage.cache_creation.ephemeral_5m_input_tokens,
                        'writes_1h': usage.cache_creation.ephemeral_1h_input_tokens,
                        'thinking': usage.output_tokens_details.thinking_tokens
                    }
                ]
            END
        ) AS part
    FROM tagged
),

modelled AS (
    SELECT
        *,
        CASE WHEN NOT is_failure THEN coalesce(part.model, answer.model) END AS model,
        coalesce(part.writes_1h, 0) AS written_1h,
        -- A write without its lifetime, or the rest that the split leaves, has the default lifetime of five minutes.
        coalesce(greatest(part.writes_5m, part.writes - written_1h), 0) AS written_5m,
        CASE WHEN part.thinking <= part.output THEN part.thinking END AS thinking
    FROM parts
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN written_at IS NULL THEN 'timestamp is missing'
        WHEN written IS NULL THEN 'timestamp is not an ISO 8601 time: ' || left(written_at, 60)
        WHEN coalesce(answer.id, request, line_id) IS NULL THEN 'message.id, requestId and uuid are missing'
    END AS reject_reason,
    coalesce(answer.id, request, line_id) || CASE WHEN part.position > 0 THEN ':' || part.position ELSE '' END
        AS dedupe_key,
    -- Twice the tokens, so that the last bit can decide between equal copies. A copy that tells of the iterations wins
    -- over an earlier one that has the top level alone, whose tokens they hold.
    CASE WHEN is_split THEN 1_000_000_000_000 ELSE 0 END
    + 2 * (
        coalesce(part.input, 0) + coalesce(part.output, 0) + coalesce(part.writes, 0) + coalesce(part.reads, 0)
    ) + CASE WHEN is_sidechain THEN 0 ELSE 1 END AS dedupe_rank,
    coalesce(request, answer.id, line_id) AS request_id,
    answer.id AS response_id,
    session AS session_id,
    written AS started_at,
    CASE part.kind WHEN 'compaction' THEN 'compaction' WHEN 'advisor_message' THEN 'advisor' ELSE 'messages' END
        AS operation_name,
    'anthropic' AS provider_name,
    nullif(lower(usage.inference_geo), 'not_available') AS region,
    CASE
        WHEN lower(usage.speed) = 'fast' THEN 'fast'
        WHEN tier NOT IN ('', 'default', 'standard', 'auto') THEN tier
    END AS service_tier,
    -- Which model was asked for is not logged; only where another one took over it differs from the one that answered.
    CASE WHEN part.kind <> 'fallback_message' THEN model END AS request_model,
    model AS response_model,
    model AS price_model,
    CASE WHEN part.kind = 'fallback_message' THEN true END AS is_fallback,
    map_from_entries(list_transform(tag_list, lambda tag: {'key': tag.key, 'value': left(tag.value, 256)})) AS tags,
    -- The zeros of an error line are what the log states: nothing was spent.
    part.input AS input_uncached_tokens,
    CASE WHEN has_usage THEN coalesce(part.reads, 0) END AS cache_read_tokens,
    CASE WHEN has_usage THEN written_5m END AS cache_write_5m_tokens,
    CASE WHEN has_usage THEN written_1h END AS cache_write_1h_tokens,
    part.output - coalesce(thinking, 0) AS output_text_tokens,
    CASE WHEN is_failure AND part.output = 0 THEN 0 ELSE thinking END AS reasoning_tokens,
    CASE WHEN part.is_main THEN usage.server_tool_use.web_search_requests END AS web_search_requests,
    trouble AS contradiction,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE WHEN is_failure THEN 'error' ELSE 'ok' END AS status,
    CASE
        WHEN is_failure THEN list_filter(
            [
                CASE WHEN json_type(error) = 'VARCHAR' THEN error ->> '$' END, error ->> '$.error.type',
                error ->> '$.type'
            ],
            -- A class of errors is one word; anything else may be a message that repeats a prompt.
            lambda name: regexp_full_match(name, '[A-Za-z0-9_.:-]{1,64}')
        )[1]
    END AS error_type,
    CASE WHEN is_failure THEN try_cast(error ->> '$.status' AS INTEGER) END AS http_status,
    CASE WHEN part.is_main THEN try_cast(cost AS DECIMAL(18, 12)) END AS reported_cost
FROM modelled
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM counted
WHERE NOT is_call
