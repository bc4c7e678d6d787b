-- One row per run. Only runs of type llm are calls; which of nested ones repeat others is decided over the whole trace,
-- by the places that all runs give. Inputs and outputs are never read.
WITH unwrapped AS (
    -- Parquet keeps objects as JSON text.
    SELECT
        * EXCLUDE (extra, metadata, tags, parent_run_ids, prompt_token_details, completion_token_details),
        CASE WHEN json_type(extra) = 'VARCHAR' THEN try_cast(extra ->> '$' AS JSON) ELSE extra END AS more,
        CASE WHEN json_type(metadata) = 'VARCHAR' THEN try_cast(metadata ->> '$' AS JSON) ELSE metadata END AS own_meta,
        CASE WHEN json_type(tags) = 'VARCHAR' THEN try_cast(tags ->> '$' AS JSON) ELSE tags END AS labels,
        CASE WHEN json_type(parent_run_ids) = 'VARCHAR' THEN try_cast(parent_run_ids ->> '$' AS JSON)
            ELSE parent_run_ids END AS parents,
        CASE WHEN json_type(prompt_token_details) = 'VARCHAR' THEN try_cast(prompt_token_details ->> '$' AS JSON)
            ELSE prompt_token_details END AS prompt_details,
        CASE
            WHEN json_type(completion_token_details) = 'VARCHAR'
                THEN try_cast(completion_token_details ->> '$' AS JSON)
            ELSE completion_token_details
        END AS completion_details
    FROM records
),

told AS MATERIALIZED (
    SELECT
        record_number,
        nullif(id, '') AS id,
        coalesce(lower(run_type) = 'llm', false) AS is_llm,
        name,
        nullif(trace_id, '') AS trace_id,
        nullif(start_time, '') AS start_text,
        nullif(end_time, '') AS end_text,
        nullif(first_token_time, '') AS first_token_text,
        lower(status) AS status_text,
        nullif(error, '') AS message,
        coalesce(nullif(session_name, ''), project_name, nullif(session_id, ''), project_id) AS project,
        thread_id,
        labels,
        CASE WHEN json_type(more, '$.metadata') = 'OBJECT' THEN more -> '$.metadata' ELSE own_meta END AS meta,
        more -> '$.invocation_params' AS parameters,
        meta -> '$.usage_metadata' AS usage,
        -- Runs without usage have zeros.
        coalesce(try_cast(prompt_tokens AS BIGINT), 0) <> 0 OR coalesce(try_cast(completion_tokens AS BIGINT), 0) <> 0
            AS has_counts,
        has_counts OR coalesce(usage ->> '$.input_tokens', usage ->> '$.output_tokens') IS NOT NULL AS has_usage,
        try_cast(CASE WHEN has_counts THEN prompt_tokens ELSE usage ->> '$.input_tokens' END AS BIGINT) AS told_prompt,
        try_cast(CASE WHEN has_counts THEN completion_tokens ELSE usage ->> '$.output_tokens' END AS BIGINT)
            AS told_completion,
        -- Beyond what a count can be, yet small enough for sums: the ingest rejects such a record, and it alone.
        CASE WHEN told_prompt > 2e12 THEN 2_000_000_000_000 ELSE told_prompt END AS prompt,
        CASE WHEN told_completion > 2e12 THEN 2_000_000_000_000 ELSE told_completion END AS completion,
        nullif(try_cast(CASE WHEN has_counts THEN total_tokens ELSE usage ->> '$.total_tokens' END AS BIGINT), 0)
            AS total,
        CASE WHEN json_keys(prompt_details) <> [] THEN prompt_details ELSE usage -> '$.input_token_details' END
            AS input_details,
        CASE WHEN json_keys(completion_details) <> [] THEN completion_details ELSE usage -> '$.output_token_details' END
            AS output_details,
        coalesce(
            try_cast(total_cost AS DECIMAL(18, 12)),
            try_cast(prompt_cost AS DECIMAL(18, 12)) + coalesce(try_cast(completion_cost AS DECIMAL(18, 12)), 0)
        ) AS cost,
        -- Everything above the run: as a list, in the dotted order, or the next one alone.
        CASE
            WHEN json_type(parents) = 'ARRAY' THEN list_transform(
                try_cast(parents AS VARCHAR[]), lambda above: lower(above)
            )
            WHEN dotted_order LIKE '%.%'
                THEN list_filter(
                    regexp_extract_all(lower(dotted_order), 'z([0-9a-f]{8}-[0-9a-f-]{27})', 1),
                    lambda above: above <> lower(id)
                )
            WHEN parent_run_id <> '' THEN [lower(parent_run_id)]
        END AS above_ids
    FROM unwrapped
),

counted AS (
    SELECT
        told.*,
        -- Integrations add the tier or the size of the context to a key: priority_cache_read, cache_read_over_200k.
        map_entries(try_cast(input_details AS MAP(VARCHAR, JSON))) AS input_entries,
        map_entries(try_cast(output_details AS MAP(VARCHAR, JSON))) AS output_entries,
        coalesce(
            try_cast(input_details ->> '$.cache_read' AS BIGINT),
            list_sum(list_transform(
                list_filter(input_entries, lambda entry: entry.key LIKE '%cache_read%'),
                lambda entry: try_cast(entry.value ->> '$' AS BIGINT)
            ))::BIGINT
        ) AS reads,
        coalesce(
            try_cast(input_details ->> '$.cache_creation' AS BIGINT),
            try_cast(input_details ->> '$.cache_write' AS BIGINT)
        ) AS writes,
        coalesce(
            try_cast(input_details ->> '$.ephemeral_5m_input_tokens' AS BIGINT),
            try_cast(input_details ->> '$.ephemeral_5m' AS BIGINT)
        ) AS writes_5m,
        coalesce(
            try_cast(input_details ->> '$.ephemeral_1h_input_tokens' AS BIGINT),
            try_cast(input_details ->> '$.ephemeral_1h' AS BIGINT)
        ) AS writes_1h,
        try_cast(input_details ->> '$.audio' AS BIGINT) AS input_audio,
        try_cast(input_details ->> '$.image' AS BIGINT) AS input_image,
        coalesce(
            try_cast(output_details ->> '$.reasoning' AS BIGINT),
            list_sum(list_transform(
                list_filter(output_entries, lambda entry: entry.key LIKE '%\_reasoning' ESCAPE '\'),
                lambda entry: try_cast(entry.value ->> '$' AS BIGINT)
            ))::BIGINT
        ) AS reasoning,
        try_cast(output_details ->> '$.audio' AS BIGINT) AS output_audio,
        try_cast(output_details ->> '$.image' AS BIGINT) AS output_image,
        list_filter(['priority', 'flex'], lambda tier: json_exists(input_details, '$.' || tier))[1] AS tier_key,
        CASE
            WHEN writes IS NOT NULL THEN greatest(writes - coalesce(writes_5m, 0) - coalesce(writes_1h, 0), 0)
        END AS writes_rest,
        coalesce(reads, 0) + coalesce(writes_rest, 0) + coalesce(writes_5m, 0) + coalesce(writes_1h, 0)
        + coalesce(input_audio, 0) + coalesce(input_image, 0) AS input_parts,
        coalesce(reasoning, 0) + coalesce(output_audio, 0) + coalesce(output_image, 0) AS output_parts,
        utc(start_text) AS started,
        utc(end_text) AS ended,
        utc(first_token_text) AS first_token_at,
        coalesce(
            meta ->> '$.ls_model_name', parameters ->> '$.model', parameters ->> '$.model_name',
            parameters ->> '$.model_id', parameters ->> '$.azure_deployment', parameters ->> '$.deployment_name'
        ) AS model,
        lower(meta ->> '$.ls_provider') AS told_provider,
        message IS NOT NULL OR coalesce(status_text = 'error', false) AS failed
    FROM told
    WHERE is_llm
),

named AS (
    SELECT
        *,
        -- OpenAI keeps what it writes for 30 minutes.
        coalesce(regexp_matches(lower(model), '(^|[/:.])(gpt|chatgpt|codex|o[1-9]|openai)'), false) AS keeps_30m
    FROM counted
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN id IS NULL THEN 'id is missing'
        WHEN start_text IS NULL THEN 'start_time is missing'
        WHEN started IS NULL THEN 'start_time is not an ISO 8601 time: ' || left(start_text, 60)
        WHEN least(prompt, completion, reads, writes, reasoning) < 0 THEN 'a token count is negative'
    END AS reject_reason,
    id AS dedupe_key,
    lower(id) AS node_id,
    above_ids AS parent_ids,
    'llm' AS call_kind,
    CASE WHEN has_usage THEN 4_000_000_000_000 ELSE 0 END
    + CASE WHEN ended IS NOT NULL THEN 2_000_000_000_000 ELSE 0 END
    + CASE WHEN cost IS NOT NULL THEN 1_000_000_000_000 ELSE 0 END
    + greatest(least(coalesce(prompt, 0) + coalesce(completion, 0), 999_999_999_999), 0) AS dedupe_rank,
    id AS request_id,
    trace_id,
    -- The run's session_id is its project.
    coalesce(
        meta ->> '$.session_id', meta ->> '$.thread_id', meta ->> '$.conversation_id', nullif(thread_id, '')
    ) AS session_id,
    started AS started_at,
    seconds_between(started, ended) AS duration_seconds,
    seconds_between(started, first_token_at) AS time_to_first_token_seconds,
    CASE
        WHEN first_token_at IS NOT NULL THEN true
        ELSE try_cast(coalesce(parameters ->> '$.stream', parameters ->> '$.streaming') AS BOOLEAN)
    END AS stream,
    CASE WHEN meta ->> '$.ls_model_type' = 'llm' THEN 'text_completion' ELSE 'chat' END AS operation_name,
    CASE
        WHEN told_provider IN ('azure', 'azure_openai') THEN 'azure.ai.openai'
        WHEN told_provider IN ('google', 'google_genai') THEN 'gcp.gemini'
        WHEN told_provider IN ('google_vertexai', 'vertexai', 'vertex_ai') THEN 'gcp.vertex_ai'
        WHEN told_provider IN ('bedrock', 'amazon_bedrock', 'aws', 'aws_bedrock') THEN 'aws.bedrock'
        WHEN told_provider IN ('mistral', 'mistralai') THEN 'mistral_ai'
        WHEN told_provider IN ('xai', 'x-ai') THEN 'x_ai'
        ELSE told_provider
    END AS provider_name,
    coalesce(parameters ->> '$.azure_deployment', parameters ->> '$.deployment_name') AS deployment,
    tier_of(coalesce(tier_key, parameters ->> '$.service_tier')) AS service_tier,
    model AS request_model,
    model AS price_model,
    coalesce(meta ->> '$.user_id', meta ->> '$.user', meta ->> '$.end_user') AS user_id,
    tag_map(
        [
            {'key': 'name', 'value': name},
            {'key': 'project', 'value': project}
        ]
        || list_filter(
            json_pairs(meta),
            -- What the tracer and LangGraph write of themselves; who asked has columns of its own.
            lambda pair: NOT regexp_matches(
                pair.key, '^(ls_|__|LANGSMITH|LANGCHAIN)|checkpoint|^(user_id|session_id|thread_id|conversation_id)$'
            )
        )
        || list_transform(
            CASE WHEN json_type(labels) = 'ARRAY' THEN coalesce(try_cast(labels AS VARCHAR[]), []) ELSE [] END,
            lambda label: {
                'key': CASE WHEN instr(label, ':') > 1 THEN left(label, instr(label, ':') - 1) ELSE label END,
                'value': CASE WHEN instr(label, ':') > 1 THEN trim(substr(label, instr(label, ':') + 1)) ELSE 'true' END
            }
        )
    ) AS tags,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE WHEN has_usage THEN apart(prompt, input_parts) END AS input_uncached_tokens,
    CASE WHEN has_usage THEN reads END AS cache_read_tokens,
    CASE WHEN NOT has_usage THEN NULL
        WHEN NOT keeps_30m AND coalesce(writes_5m, writes_rest) IS NOT NULL
            THEN coalesce(writes_5m, 0) + coalesce(writes_rest, 0)
        ELSE writes_5m
    END AS cache_write_5m_tokens,
    CASE WHEN has_usage AND keeps_30m THEN writes_rest END AS cache_write_30m_tokens,
    CASE WHEN has_usage THEN writes_1h END AS cache_write_1h_tokens,
    CASE WHEN has_usage THEN input_audio END AS input_audio_tokens,
    CASE WHEN has_usage THEN input_image END AS input_image_tokens,
    CASE WHEN has_usage THEN apart(completion, output_parts) END AS output_text_tokens,
    CASE WHEN has_usage THEN reasoning END AS reasoning_tokens,
    CASE WHEN has_usage THEN output_audio END AS output_audio_tokens,
    CASE WHEN has_usage THEN output_image END AS output_image_tokens,
    CASE WHEN has_usage THEN coalesce(
        not_included(prompt, input_parts, 'prompt_tokens', 'prompt_token_details'),
        not_included(completion, output_parts, 'completion_tokens', 'completion_token_details'),
        CASE
            WHEN total <> prompt + completion
                THEN 'total_tokens (' || total || ') is not prompt_tokens + completion_tokens ('
                || (prompt + completion) || ')'
        END
    ) END AS contradiction,
    CASE
        WHEN failed THEN 'error'
        WHEN status_text = 'success' OR (status_text IS NULL AND ended IS NOT NULL) THEN 'ok'
    END AS status,
    -- The message may repeat a prompt: only a class at its beginning is taken.
    CASE
        WHEN failed THEN nullif(regexp_extract(message, '^([A-Za-z_][A-Za-z0-9_.]{2,63})(:|\(|$)', 1), '')
    END AS error_type,
    CASE
        WHEN failed THEN try_cast(
            regexp_extract(message, '(?i)(?:error code|status(?: code)?)[:= ]+([45][0-9]{2})\b', 1) AS INTEGER
        )
    END AS http_status,
    cost AS reported_cost
FROM named
UNION ALL BY NAME
-- Chains, tools, retrievers.
SELECT
    record_number,
    false AS is_call,
    lower(id) AS node_id,
    above_ids AS parent_ids,
    trace_id,
    utc(start_text) AS started_at
FROM told
WHERE NOT is_llm
