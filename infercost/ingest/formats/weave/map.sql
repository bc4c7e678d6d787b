-- One row per call and model in its usage, and one per call without usage. A call carries the sum of what lies below
-- it, so the usage of a model is counted where no call below has usage of that model: this is decided over the whole
-- trace, by the places that all calls give. Inputs and outputs are not read.
WITH
told AS MATERIALIZED (
    SELECT
        record_number,
        nullif(id, '') AS id,
        nullif(trace_id, '') AS trace_id,
        nullif(parent_id, '') AS parent_id,
        nullif(thread_id, '') AS thread_id,
        nullif(started_at, '') AS start_text,
        utc(started_at) AS started,
        utc(ended_at) AS ended,
        -- weave:///entity/project/op/openai.chat.completions.create:version
        coalesce(nullif(regexp_extract(op_name, '/op/([^/]+?)(:[^/:]*)?$', 1), ''), op_name) AS op,
        display_name,
        project_id,
        wb_user_id,
        wb_run_id,
        nullif(exception, '') AS exception,
        CASE WHEN json_type(attributes) = 'VARCHAR' THEN try_cast(attributes ->> '$' AS JSON) ELSE attributes END
            AS attributes_json,
        CASE WHEN json_type(summary) = 'VARCHAR' THEN try_cast(summary ->> '$' AS JSON) ELSE summary END
            AS summary_json,
        coalesce(
            regexp_matches(
                op,
                '^(openai|anthropic|mistralai|cohere|groq|google|vertexai|bedrock|litellm|together|huggingface)\.'
            ),
            false
        ) AS is_client
    FROM records
),

used AS (
    SELECT
        record_number,
        entry.key AS model,
        entry.value AS usage
    FROM (
        SELECT
            record_number,
            unnest(map_entries(try_cast(summary_json -> '$.usage' AS MAP(VARCHAR, JSON)))) AS entry
        FROM told
    )
    WHERE json_type(entry.value) = 'OBJECT'
),

-- A client's call without usage (a failure, a stream) is a call too, once it has ended: before that its usage, and with
-- it the model that it is known by, may be still to come. '' stands for its unknown model.
parts AS MATERIALIZED (
    SELECT
        told.record_number,
        coalesce(used.model, '') AS model,
        used.usage
    FROM told
    LEFT JOIN used USING (record_number)
    WHERE used.record_number IS NOT NULL OR (told.is_client AND (told.ended IS NOT NULL OR told.exception IS NOT NULL))
),

counted AS (
    SELECT
        told.*,
        nullif(parts.model, '') AS model,
        parts.usage,
        coalesce(usage ->> '$.prompt_tokens', usage ->> '$.input_tokens') AS input_text,
        coalesce(usage ->> '$.completion_tokens', usage ->> '$.output_tokens') AS output_text,
        coalesce(usage -> '$.prompt_tokens_details', usage -> '$.input_tokens_details') AS input_details,
        coalesce(usage -> '$.completion_tokens_details', usage -> '$.output_tokens_details') AS output_details,
        try_cast(input_text AS BIGINT) AS told_prompt,
        try_cast(output_text AS BIGINT) AS told_completion,
        -- Beyond what a count can be, yet small enough for sums: the ingest rejects such a record, and it alone.
        CASE WHEN told_prompt > 2e12 THEN 2_000_000_000_000 ELSE told_prompt END AS prompt,
        CASE WHEN told_completion > 2e12 THEN 2_000_000_000_000 ELSE told_completion END AS completion,
        nullif(try_cast(usage ->> '$.total_tokens' AS BIGINT), 0) AS total,
        coalesce(
            try_cast(input_details ->> '$.cached_tokens' AS BIGINT),
            try_cast(usage ->> '$.cache_read_input_tokens' AS BIGINT)
        ) AS reads,
        coalesce(
            try_cast(input_details ->> '$.cache_write_tokens' AS BIGINT),
            try_cast(usage ->> '$.cache_creation_input_tokens' AS BIGINT)
        ) AS writes,
        try_cast(usage ->> '$.cache_creation.ephemeral_5m_input_tokens' AS BIGINT) AS writes_5m,
        try_cast(usage ->> '$.cache_creation.ephemeral_1h_input_tokens' AS BIGINT) AS writes_1h,
        try_cast(input_details ->> '$.audio_tokens' AS BIGINT) AS input_audio,
        coalesce(
            try_cast(output_details ->> '$.reasoning_tokens' AS BIGINT),
            try_cast(output_details ->> '$.thinking_tokens' AS BIGINT)
        ) AS reasoning,
        try_cast(output_details ->> '$.audio_tokens' AS BIGINT) AS output_audio,
        coalesce(prompt, completion) IS NOT NULL AS has_usage,
        CASE
            WHEN writes IS NOT NULL THEN greatest(writes - coalesce(writes_5m, 0) - coalesce(writes_1h, 0), 0)
        END AS writes_rest,
        coalesce(reads, 0) + coalesce(writes_rest, 0) + coalesce(writes_5m, 0) + coalesce(writes_1h, 0) AS cached,
        -- Anthropic's own names, unless the total is that of an inclusive input.
        usage ->> '$.prompt_tokens' IS NULL AND json_type(input_details) IS NULL
        AND coalesce(usage ->> '$.cache_read_input_tokens', usage ->> '$.cache_creation_input_tokens') IS NOT NULL
        AND NOT coalesce(cached > 0 AND total = prompt + completion, false) AS is_exclusive,
        total - coalesce(prompt, 0) - coalesce(completion, 0) - CASE WHEN is_exclusive THEN cached ELSE 0 END AS over,
        map_extract_value(try_cast(summary_json -> '$.weave.costs' AS MAP(VARCHAR, JSON)), parts.model) AS costs
    FROM parts
    INNER JOIN told USING (record_number)
),

named AS (
    SELECT
        *,
        CASE WHEN is_exclusive THEN prompt ELSE apart(prompt, cached) END AS fresh,
        CASE WHEN input_audio IS NOT NULL THEN least(input_audio, fresh) END AS fresh_audio,
        coalesce(reasoning, 0) + coalesce(output_audio, 0) AS output_parts,
        -- Of a provider that leaves thoughts out of the output the total alone tells.
        CASE WHEN over > 0 AND reasoning IS NULL AND completion IS NOT NULL THEN over END AS thoughts,
        op LIKE '%embed%' AS is_embedding,
        lower(coalesce(nullif(costs ->> '$.provider_id', 'default'), regexp_extract(op, '^([a-z]+)\.', 1)))
            AS told_provider,
        coalesce(regexp_matches(lower(model), '(^|[/:.])(gpt|chatgpt|codex|o[1-9]|openai)'), false) AS keeps_30m,
        try_cast(costs ->> '$.prompt_tokens_total_cost' AS DECIMAL(18, 12)) AS prompt_cost,
        try_cast(costs ->> '$.completion_tokens_total_cost' AS DECIMAL(18, 12)) AS completion_cost,
        CASE WHEN coalesce(prompt_cost, completion_cost) IS NOT NULL
            THEN coalesce(prompt_cost, 0) + coalesce(completion_cost, 0) END AS cost,
        exception IS NOT NULL OR coalesce(summary_json ->> '$.weave.status' = 'error', false) AS failed,
        try_cast(exception AS JSON) ->> '$.type' AS error_class,
        -- The class in the record, or the beginning of a message, which may repeat a prompt.
        coalesce(error_class, regexp_extract(exception, '^([A-Za-z_][A-Za-z0-9_.]{2,63})(:|\(|$)', 1)) AS error_text,
        try_cast(summary_json ->> '$.weave.latency_ms' AS DOUBLE) / 1000 AS latency
    FROM counted
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN id IS NULL THEN 'id is missing'
        WHEN start_text IS NULL THEN 'started_at is missing'
        WHEN started IS NULL THEN 'started_at is not an ISO 8601 time: ' || left(start_text, 60)
        WHEN least(prompt, completion, reads, writes, reasoning) < 0 THEN 'a token count is negative'
        WHEN input_text IS NOT NULL AND prompt IS NULL
            THEN 'prompt_tokens of summary.usage is not a number: ' || left(input_text, 40)
        WHEN output_text IS NOT NULL AND completion IS NULL
            THEN 'completion_tokens of summary.usage is not a number: ' || left(output_text, 40)
    END AS reject_reason,
    id || CASE WHEN model IS NOT NULL THEN ':' || model ELSE '' END AS dedupe_key,
    id AS node_id,
    [parent_id] AS parent_ids,
    coalesce(model, '') AS call_kind,
    CASE WHEN ended IS NOT NULL THEN 2_000_000_000_000 ELSE 0 END
    + CASE WHEN cost IS NOT NULL THEN 1_000_000_000_000 ELSE 0 END
    + greatest(least(coalesce(prompt, 0) + coalesce(completion, 0), 999_999_999_999), 0) AS dedupe_rank,
    id AS request_id,
    trace_id,
    thread_id AS session_id,
    started AS started_at,
    coalesce(CASE WHEN latency >= 0 THEN latency END, seconds_between(started, ended)) AS duration_seconds,
    CASE
        WHEN is_embedding THEN 'embeddings'
        WHEN op LIKE 'openai.responses%' THEN 'responses'
        WHEN op LIKE 'anthropic.%' THEN 'messages'
        ELSE 'chat'
    END AS operation_name,
    CASE
        WHEN told_provider IN ('azure', 'azure_openai') THEN 'azure.ai.openai'
        WHEN told_provider IN ('google', 'gemini', 'google_genai') THEN 'gcp.gemini'
        WHEN told_provider IN ('vertexai', 'vertex_ai') THEN 'gcp.vertex_ai'
        WHEN told_provider IN ('bedrock', 'aws') THEN 'aws.bedrock'
        WHEN told_provider IN ('mistral', 'mistralai') THEN 'mistral_ai'
        WHEN told_provider IN ('xai', 'x-ai') THEN 'x_ai'
        -- A library in front of many providers, and ops of the application.
        WHEN told_provider <> 'litellm' AND (is_client OR costs ->> '$.provider_id' <> 'default') THEN told_provider
    END AS provider_name,
    tier_of(usage ->> '$.service_tier') AS service_tier,
    model AS request_model,
    model AS response_model,
    model AS price_model,
    coalesce(attributes_json ->> '$.user_id', nullif(wb_user_id, '')) AS user_id,
    tag_map(
        [
            {'key': 'op', 'value': op},
            {'key': 'display_name', 'value': display_name},
            {'key': 'project', 'value': project_id},
            {'key': 'wb_run_id', 'value': wb_run_id},
            {'key': 'requests', 'value': CASE WHEN try_cast(usage ->> '$.requests' AS BIGINT) > 1
                THEN usage ->> '$.requests' END}
        ]
        || list_filter(json_pairs(attributes_json), lambda pair: pair.key <> 'user_id')
    ) AS tags,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE WHEN has_usage THEN fresh - coalesce(fresh_audio, 0) END AS input_uncached_tokens,
    CASE WHEN has_usage THEN reads END AS cache_read_tokens,
    CASE WHEN NOT has_usage THEN NULL
        WHEN NOT keeps_30m AND coalesce(writes_5m, writes_rest) IS NOT NULL
            THEN coalesce(writes_5m, 0) + coalesce(writes_rest, 0)
        ELSE writes_5m
    END AS cache_write_5m_tokens,
    CASE WHEN has_usage AND keeps_30m THEN writes_rest END AS cache_write_30m_tokens,
    CASE WHEN has_usage THEN writes_1h END AS cache_write_1h_tokens,
    CASE WHEN has_usage THEN fresh_audio END AS input_audio_tokens,
    CASE
        WHEN is_embedding AND has_usage THEN coalesce(completion, 0)
        WHEN has_usage THEN apart(completion, output_parts)
    END AS output_text_tokens,
    CASE WHEN has_usage THEN coalesce(reasoning, thoughts) END AS reasoning_tokens,
    CASE WHEN has_usage THEN output_audio END AS output_audio_tokens,
    try_cast(usage ->> '$.server_tool_use.web_search_requests' AS BIGINT) AS web_search_requests,
    CASE WHEN has_usage THEN coalesce(
        CASE WHEN NOT is_exclusive THEN not_included(prompt, cached, 'prompt_tokens', 'cached tokens') END,
        not_included(completion, output_parts, 'completion_tokens', 'completion_tokens_details'),
        CASE
            WHEN thoughts > 0
                THEN 'total_tokens (' || total || ') exceeds the sum of its parts (' || (total - over)
                || '): the gap of ' || thoughts || ' is read as reasoning'
        END
    ) END AS contradiction,
    CASE WHEN failed THEN 'error' WHEN ended IS NOT NULL THEN 'ok' END AS status,
    CASE
        WHEN failed AND regexp_full_match(error_text, '[A-Za-z_][A-Za-z0-9_.]{2,63}') THEN error_text
    END AS error_type,
    CASE
        WHEN failed THEN try_cast(
            regexp_extract(exception, '(?i)(?:error code|status(?: code)?)[:= ]+([45][0-9]{2})\b', 1) AS INTEGER
        )
    END AS http_status,
    cost AS reported_cost
FROM named
UNION ALL BY NAME
-- The application's own ops.
SELECT
    told.record_number,
    false AS is_call,
    told.id AS node_id,
    [told.parent_id] AS parent_ids,
    told.trace_id,
    told.started AS started_at
FROM told
ANTI JOIN parts USING (record_number)
