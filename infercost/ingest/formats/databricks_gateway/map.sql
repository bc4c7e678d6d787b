-- Rows of system.ai_gateway.usage: one invocation with its attempts in routing_information.
WITH typed AS (
    SELECT
        record_number,
        coalesce(event_time, request_time) AS written_at,
        utc(written_at) AS started,
        nullif(invocation_id, '') AS invocation,
        input_tokens AS told_input,
        nullif(request_id, '') AS request,
        lower(service_type) AS service,
        coalesce(nullif(endpoint_name, ''), nullif(service_name, '')) AS endpoint_called,
        lower(destination_type) AS kind,
        nullif(destination_name, '') AS destination,
        nullif(destination_model, '') AS model,
        nullif(requester, '') AS who,
        lower(api_type) AS api,
        try_cast(try_cast(status_code AS DOUBLE) AS INTEGER) AS code,
        try_cast(try_cast(input_tokens AS DOUBLE) AS BIGINT) AS input,
        try_cast(try_cast(output_tokens AS DOUBLE) AS BIGINT) AS output,
        try_cast(try_cast(total_tokens AS DOUBLE) AS BIGINT) AS total,
        -- A query may have turned the struct into text.
        CASE json_type(token_details) WHEN 'VARCHAR' THEN try_cast(token_details ->> '$' AS JSON) ELSE token_details END
            AS details,
        try_cast(coalesce(details ->> '$.cache_read_input_tokens', details ->> '$.cached_tokens') AS BIGINT) AS reads,
        try_cast(
            coalesce(details ->> '$.cache_creation_input_tokens', details ->> '$.cache_write_input_tokens') AS BIGINT
        ) AS writes,
        try_cast(coalesce(details ->> '$.output_reasoning_tokens', details ->> '$.reasoning_tokens') AS BIGINT)
            AS reasoning,
        coalesce(reads, 0) + coalesce(writes, 0) AS cache,
        try_cast(coalesce(latency_ms, execution_time_ms) AS DOUBLE) / 1000 AS seconds,
        CASE json_type(request_tags) WHEN 'VARCHAR' THEN try_cast(request_tags ->> '$' AS JSON) ELSE request_tags END
            AS labels,
        CASE json_type(routing_information)
            WHEN 'VARCHAR' THEN try_cast(routing_information ->> '$' AS JSON)
            ELSE routing_information
        END AS routing,
        CASE WHEN json_type(routing, '$.attempts') = 'ARRAY' THEN from_json(routing -> '$.attempts', '["JSON"]') ELSE []
        END AS attempts,
        list_filter(
            list_transform(
                attempts,
                lambda each: coalesce(each ->> '$.destination', each ->> '$.destination_name', each ->> '$.model')
            ),
            lambda each: each <> ''
        ) AS path,
        user_agent,
        workspace_id
    FROM records
),

read AS (
    SELECT
        *,
        coalesce(input > 0, false) OR coalesce(output > 0, false) OR (input IS NOT NULL AND coalesce(code, 200) < 400)
            AS is_known,
        -- The documentation does not say what input_tokens includes; a total tells it.
        cache > 0 AND coalesce(total = input + output + cache, false) AS total_proves,
        total_proves OR cache > input AS is_exclusive
    FROM typed
)

SELECT
    record_number,
    -- MCP services are tools, not models.
    NOT coalesce(starts_with(service, 'mcp'), false) AS is_call,
    CASE
        WHEN coalesce(written_at, '') = '' THEN 'event_time is missing'
        WHEN started IS NULL THEN 'event_time is not a time: ' || left(written_at, 60)
        WHEN coalesce(invocation, request) IS NULL THEN 'invocation_id and request_id are missing'
        WHEN input IS NULL AND told_input <> '' THEN 'input_tokens is not a number: ' || left(told_input, 40)
    END AS reject_reason,
    coalesce(invocation, request) AS dedupe_key,
    coalesce(input, 0) + coalesce(output, 0) AS dedupe_rank,
    coalesce(request, invocation) AS request_id,
    CASE WHEN attempts <> [] THEN len(attempts) END AS attempt_number,
    CASE WHEN attempts <> [] THEN len(attempts) - 1 END AS unlogged_attempts,
    started AS started_at,
    seconds AS duration_seconds,
    CASE
        WHEN contains(api, 'embed') THEN 'embeddings'
        WHEN contains(api, 'chat') THEN 'chat'
        WHEN contains(api, 'response') THEN 'responses'
        WHEN contains(api, 'messages') THEN 'messages'
        WHEN contains(api, 'generate') THEN 'generate_content'
        WHEN contains(api, 'completion') THEN 'text_completion'
    END AS operation_name,
    endpoint_called AS endpoint,
    -- Which provider serves an external model is not in the row.
    CASE WHEN kind IS NULL OR NOT contains(kind, 'external') THEN 'databricks' END AS provider_name,
    destination AS deployment,
    endpoint_called AS request_model,
    model AS response_model,
    -- Models of Databricks lie in a catalog of their own, whose name is not part of theirs.
    regexp_replace(coalesce(model, endpoint_called), '^(models/)?(system\.ai\.)?', '') AS price_model,
    CASE WHEN len(path) > 1 THEN array_to_string(path, ' > ') END AS routing_path,
    CASE WHEN attempts <> [] THEN len(attempts) > 1 AND len(list_distinct(path)) < 2 END AS is_retry,
    CASE WHEN attempts <> [] THEN len(list_distinct(path)) > 1 END AS is_fallback,
    who AS user_id,
    tag_map(
        json_pairs(labels) || [
            {'key': 'workspace_id', 'value': workspace_id},
            {'key': 'user_agent', 'value': user_agent}
        ]
    ) AS tags,
    CASE WHEN is_known THEN CASE WHEN is_exclusive THEN input ELSE input - cache END END AS input_uncached_tokens,
    CASE WHEN is_known THEN reads END AS cache_read_tokens,
    CASE WHEN is_known THEN writes END AS cache_write_5m_tokens,
    CASE WHEN is_known THEN apart(coalesce(output, 0), reasoning) END AS output_text_tokens,
    CASE WHEN is_known THEN reasoning END AS reasoning_tokens,
    CASE WHEN is_known THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE
        WHEN is_known THEN coalesce(
            CASE WHEN NOT total_proves THEN not_included(input, cache, 'input_tokens', 'cached tokens') END,
            not_included(output, reasoning, 'output_tokens', 'reasoning tokens')
        )
    END AS contradiction,
    code AS http_status,
    status_of(code) AS status
FROM read
