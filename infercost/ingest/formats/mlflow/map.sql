-- Spans of the gateway's traces: below the root gateway/<endpoint> each try of a provider has a span of its own.
WITH opened AS (
    SELECT
        record_number,
        try_cast(trace AS JSON) AS told,
        coalesce(info, told -> '$.info') AS about,
        coalesce(data, told -> '$.data') AS content,
        from_json(
            content -> '$.spans',
            '[{"trace_id": "VARCHAR", "span_id": "VARCHAR", "parent_span_id": "VARCHAR", "name": "VARCHAR",
               "start_time_unix_nano": "VARCHAR", "end_time_unix_nano": "VARCHAR", "status": {"code": "VARCHAR"},
               "events": "JSON", "attributes": "JSON"}]'
        ) AS spans
    FROM records
),

traces AS (
    SELECT
        record_number,
        coalesce(about ->> '$.trace_id', about ->> '$.request_id') AS trace_name,
        nullif(about ->> '$.client_request_id', '') AS client_request,
        coalesce(about -> '$.trace_metadata', about -> '$.request_metadata') AS meta,
        about -> '$.tags' AS labels,
        spans,
        coalesce(json_type(about) = 'OBJECT', false) AS is_trace,
        list_filter(spans, lambda span: span.parent_span_id IS NULL)[1] AS root,
        -- With a traceparent the gateway writes its spans into the caller's trace once more.
        list_transform(
            list_filter(
                spans, lambda span: json_exists(span.attributes, '$."mlflow.gateway.linkedTraceId"')
            ),
            lambda span: span.span_id
        ) AS mirrors,
        coalesce(json_exists(meta, '$."mlflow.gateway.endpointId"'), false)
        OR coalesce(starts_with((root).name, 'gateway/'), false) AS is_gateway
    FROM opened
),

tries AS (
    SELECT
        * EXCLUDE (spans),
        unnest(
            list_filter(
                spans,
                lambda span: regexp_matches(span.name, '^(provider|model)/') AND span.parent_span_id IS NOT NULL
                AND NOT list_contains(mirrors, span.parent_span_id) AND NOT list_contains(mirrors, span.span_id)
            )
        ) AS span
    FROM traces
    WHERE is_gateway
),

decoded AS (
    -- Values of attributes are JSON in text.
    SELECT
        record_number,
        coalesce(trace_name, span.trace_id) AS trace_name,
        client_request,
        meta,
        labels,
        span.span_id,
        from_nanoseconds(span.start_time_unix_nano) AS begun,
        from_nanoseconds(span.end_time_unix_nano) AS ended,
        from_nanoseconds(root.start_time_unix_nano) AS root_begun,
        from_nanoseconds(root.end_time_unix_nano) AS root_ended,
        upper(span.status.code) AS code,
        try_cast(span.attributes ->> '$."mlflow.llm.model"' AS JSON) ->> '$' AS model,
        lower(try_cast(span.attributes ->> '$."mlflow.llm.provider"' AS JSON) ->> '$') AS served_by,
        try_cast(span.attributes ->> '$.method' AS JSON) ->> '$' AS method,
        try_cast(span.attributes ->> '$.action' AS JSON) ->> '$' AS action,
        try_cast(try_cast(span.attributes ->> '$.streaming' AS JSON) ->> '$' AS BOOLEAN) AS streaming,
        try_cast(span.attributes ->> '$."mlflow.chat.tokenUsage"' AS JSON) AS usage,
        try_cast(span.attributes ->> '$."mlflow.llm.cost"' AS JSON) AS price,
        coalesce(
            try_cast(root.attributes ->> '$.endpoint_name' AS JSON) ->> '$',
            regexp_extract(root.name, '^gateway/(.+)$', 1)
        ) AS endpoint_called,
        try_cast(root.attributes ->> '$."mlflow.spanOutputs"' AS JSON) ->> '$.id' AS answer_id,
        list_filter(span.events ->> '$[*].attributes."exception.type"', lambda each: each <> '')[1] AS exception
    FROM tries
),

counted AS (
    SELECT
        *,
        coalesce(method, action) AS called,
        try_cast(usage ->> '$.input_tokens' AS BIGINT) AS input,
        try_cast(usage ->> '$.output_tokens' AS BIGINT) AS output,
        try_cast(usage ->> '$.cache_read_input_tokens' AS BIGINT) AS reads,
        try_cast(usage ->> '$.cache_creation_input_tokens' AS BIGINT) AS writes,
        try_cast(usage ->> '$.cache_creation_input_tokens_above_1hr' AS BIGINT) AS writes_1h,
        coalesce(reads, 0) + coalesce(writes, 0) AS cache,
        coalesce(input, output) IS NOT NULL AS is_known,
        coalesce(code = 'STATUS_CODE_ERROR', false) AS failed,
        row_number() OVER chain AS nth,
        lag(model) OVER chain AS earlier_model,
        first(model) OVER chain AS first_model,
        list(model) OVER chain AS path,
        count(*) OVER (PARTITION BY record_number) AS tries,
        max(CASE WHEN code IS DISTINCT FROM 'STATUS_CODE_ERROR' THEN begun END) OVER (PARTITION BY record_number)
            AS last_success,
        -- The span of a passthrough request begins when the answer is there: the root knows how long it took.
        action IS NOT NULL AND tries = 1 AND root_begun IS NOT NULL AS takes_root
    FROM decoded
    WINDOW chain AS (PARTITION BY record_number ORDER BY begun, span_id)
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN trace_name IS NULL OR coalesce(span_id, '') = '' THEN 'the id of the trace or of the span is missing'
        WHEN begun IS NULL THEN 'start_time_unix_nano is missing or not a number of nanoseconds'
    END AS reject_reason,
    trace_name || ':' || span_id AS dedupe_key,
    CASE WHEN is_known THEN 1 ELSE 0 END AS dedupe_rank,
    coalesce(client_request, trace_name) AS request_id,
    trace_name AS trace_id,
    -- Ids that the gateway makes up for providers without one are left out.
    CASE WHEN begun = last_success AND regexp_matches(answer_id, '^(chatcmpl-|cmpl-|resp_|msg_)') THEN answer_id END
        AS response_id,
    meta ->> '$."mlflow.trace.session"' AS session_id,
    CASE WHEN takes_root THEN root_begun ELSE begun END AS started_at,
    CASE
        WHEN takes_root THEN seconds_between(root_begun, root_ended)
        WHEN action IS NULL THEN seconds_between(begun, ended)
    END AS duration_seconds,
    nth AS attempt_number,
    CASE WHEN nth > 1 THEN array_to_string(path, ' > ') END AS routing_path,
    coalesce(nth > 1 AND model = earlier_model, false) AS is_retry,
    coalesce(nth > 1 AND model <> first_model, false) AS is_fallback,
    CASE
        WHEN contains(called, 'embedding') THEN 'embeddings'
        WHEN contains(called, 'response') THEN 'responses'
        WHEN contains(called, 'messages') THEN 'messages'
        WHEN contains(called, 'generate_content') THEN 'generate_content'
        WHEN contains(called, 'chat') THEN 'chat'
        WHEN contains(called, 'completions') THEN 'text_completion'
    END AS operation_name,
    endpoint_called AS endpoint,
    CASE served_by
        WHEN 'amazon bedrock' THEN 'aws.bedrock'
        WHEN 'bedrock' THEN 'aws.bedrock'
        WHEN 'azure' THEN 'azure.ai.openai'
        WHEN 'gemini' THEN 'gcp.gemini'
        WHEN 'vertex ai' THEN 'gcp.vertex_ai'
        WHEN 'vertex_ai' THEN 'gcp.vertex_ai'
        WHEN 'mistral' THEN 'mistral_ai'
        WHEN 'xai' THEN 'x_ai'
        ELSE served_by
    END AS provider_name,
    coalesce(streaming, CASE WHEN contains(called, 'stream') THEN true WHEN method IS NOT NULL THEN false END)
        AS stream,
    endpoint_called AS request_model,
    model AS response_model,
    model AS price_model,
    coalesce(
        meta ->> '$."mlflow.trace.user"', meta ->> '$."mlflow.auth.username"', meta ->> '$."mlflow.auth.userId"'
    ) AS user_id,
    tag_map(
        list_filter(
            json_pairs(labels) || json_pairs(meta),
            lambda pair: NOT starts_with(pair.key, 'mlflow.')
        ) || [{'key': 'caller', 'value': meta ->> '$."mlflow.gateway.caller"'}]
    ) AS tags,
    CASE WHEN is_known THEN apart(coalesce(input, 0), cache) END AS input_uncached_tokens,
    CASE WHEN is_known THEN reads END AS cache_read_tokens,
    CASE WHEN is_known AND served_by IS DISTINCT FROM 'openai' THEN writes - least(coalesce(writes_1h, 0), writes) END
        AS cache_write_5m_tokens,
    CASE WHEN is_known AND served_by = 'openai' THEN writes END AS cache_write_30m_tokens,
    CASE WHEN is_known AND served_by IS DISTINCT FROM 'openai' THEN least(writes_1h, coalesce(writes, writes_1h)) END
        AS cache_write_1h_tokens,
    CASE WHEN is_known THEN coalesce(output, 0) END AS output_text_tokens,
    CASE WHEN is_known THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE
        WHEN is_known THEN coalesce(
            not_included(input, cache, 'input_tokens', 'cached tokens'),
            not_included(
                writes, writes_1h, 'cache_creation_input_tokens', 'cache_creation_input_tokens_above_1hr'
            )
        )
    END AS contradiction,
    try_cast(price ->> '$.total_cost' AS DECIMAL(18, 12)) AS reported_cost,
    CASE WHEN failed THEN 'error' WHEN code = 'STATUS_CODE_OK' THEN 'ok' END AS status,
    CASE WHEN failed THEN exception END AS error_type
FROM counted
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call,
    CASE WHEN is_trace AND spans IS NULL THEN 'the trace has no list data.spans' END AS reject_reason
FROM traces
WHERE record_number NOT IN (SELECT record_number FROM tries)
