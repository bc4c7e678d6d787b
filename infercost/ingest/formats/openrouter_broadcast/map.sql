-- Deliveries of OpenRouter Broadcast. The generation span carries usage and cost; the spans below it repeat the call,
-- except those of providers that were tried before the one that answered, which are attempts of their own.
WITH resources AS (
    SELECT
        record_number,
        unnest(resourceSpans) AS resource_span
    FROM records
),

scopes AS (
    SELECT
        record_number,
        list_filter(
            resource_span.resource.attributes, lambda attribute: attribute.key = 'service.name'
        )[1].value.stringValue AS service,
        list_filter(
            resource_span.resource.attributes, lambda attribute: attribute.key = 'openrouter.trace.id'
        )[1].value.stringValue AS resource_generation,
        unnest(resource_span.scopeSpans) AS scope_span
    FROM resources
),

raw_spans AS (
    SELECT
        record_number,
        service,
        resource_generation,
        unnest(scope_span.spans) AS span
    FROM scopes
),

-- Keys and values as text, and only the keys that are used below: prompts and answers stay behind here.
read_spans AS (
    SELECT
        record_number,
        row_number() OVER () AS span_number,
        coalesce(service = 'openrouter', false) AS is_openrouter,
        -- An application may set a trace id of its own, which several generations share.
        CASE WHEN starts_with(resource_generation, 'gen-') THEN resource_generation END AS resource_generation,
        span.name AS span_name,
        nullif(lower(span.traceId), '') AS trace_id,
        nullif(lower(span.spanId), '') AS span_id,
        span.startTimeUnixNano AS start_text,
        from_nanoseconds(span.startTimeUnixNano) AS started,
        from_nanoseconds(span.endTimeUnixNano) AS ended,
        coalesce(span.status.code IN ('2', 'STATUS_CODE_ERROR'), false) AS has_error_status,
        span.status.message AS message,
        list_transform(
            list_filter(
                span.attributes,
                lambda attribute: regexp_matches(
                    attribute.key,
                    '^(gen_ai\.(operation\.name|provider\.name|usage\..*|request\.model|response\.(model|id))|'
                    || '(session|user)\.id|span\.(type|level|status_message)|trace\.(name|metadata\..*)|'
                    || 'span\.metadata\.(attempt_index|status_code|is_byok|model_permaslug))$'
                )
            ),
            lambda attribute: {
                'key': attribute.key,
                'value': coalesce(
                    attribute.value.stringValue, attribute.value.intValue, attribute.value.doubleValue,
                    attribute.value.boolValue
                )
            }
        ) AS attributes
    FROM raw_spans
),

spans AS (
    SELECT
        *,
        -- The first of repeated keys counts; a MAP must not see the second.
        map_from_entries(
            list_filter(
                attributes,
                lambda attribute, position:
                    list_position(list_transform(attributes, lambda other: other.key), attribute.key) = position
            )
        ) AS a
    FROM read_spans
),

classed AS (
    SELECT
        *,
        nullif(a['gen_ai.response.id'], '') AS own_id,
        -- The ids of the spans below are those of the generation with a tail.
        coalesce(
            nullif(regexp_replace(own_id, ':(attempt-\d+|generation)$', ''), ''), resource_generation
        ) AS generation,
        CASE
            WHEN NOT is_openrouter THEN 'other'
            WHEN a['span.metadata.attempt_index'] IS NOT NULL OR regexp_matches(own_id, ':attempt-\d+$') THEN 'attempt'
            WHEN a['span.type'] = 'generation' THEN 'generation'
            -- The documented example names no type.
            WHEN a['span.type'] IS NULL AND coalesce(
                a['gen_ai.request.model'], a['gen_ai.usage.input_tokens'], a['gen_ai.usage.prompt_tokens']
            ) IS NOT NULL THEN 'generation'
            ELSE 'other'
        END AS class
    FROM spans
),

generations AS (
    SELECT
        *,
        coalesce(generation, trace_id || ':' || span_id, md5(concat_ws('|', span_name, start_text))) AS id,
        try_cast(coalesce(a['gen_ai.usage.input_tokens'], a['gen_ai.usage.prompt_tokens']) AS BIGINT) AS input,
        try_cast(coalesce(a['gen_ai.usage.output_tokens'], a['gen_ai.usage.completion_tokens']) AS BIGINT) AS output,
        try_cast(coalesce(
            a['gen_ai.usage.input_tokens.cached'], a['gen_ai.usage.cache_read.input_tokens'],
            a['gen_ai.usage.cache_read_input_tokens'], a['gen_ai.usage.cached_tokens']
        ) AS BIGINT) AS cached,
        try_cast(coalesce(
            a['gen_ai.usage.input_tokens.cache_write'], a['gen_ai.usage.cache_write.input_tokens'],
            a['gen_ai.usage.cache_creation.input_tokens'], a['gen_ai.usage.cache_creation_input_tokens']
        ) AS BIGINT) AS told_writes,
        try_cast(a['gen_ai.usage.input_tokens.cache_write_5m'] AS BIGINT) AS writes_5m,
        try_cast(a['gen_ai.usage.input_tokens.cache_write_1h'] AS BIGINT) AS writes_1h,
        CASE
            WHEN coalesce(told_writes, writes_5m, writes_1h) IS NOT NULL
                THEN greatest(told_writes, coalesce(writes_5m, 0) + coalesce(writes_1h, 0))
        END AS writes,
        try_cast(coalesce(
            a['gen_ai.usage.output_tokens.reasoning'], a['gen_ai.usage.reasoning.output_tokens'],
            a['gen_ai.usage.reasoning_tokens']
        ) AS BIGINT) AS reasoning,
        coalesce(input, output) IS NOT NULL AS has_usage,
        coalesce(cached, 0) + coalesce(writes, 0) AS cached_or_written,
        nullif(a['gen_ai.request.model'], '') AS request_model,
        nullif(a['gen_ai.response.model'], '') AS response_model,
        -- A write without its lifetime has the default one: half an hour at OpenAI, five minutes at Anthropic.
        coalesce(starts_with(coalesce(response_model, request_model), 'openai/'), false)
        AND coalesce(writes_5m, writes_1h) IS NULL AS has_openai_writes,
        nullif(a['trace.metadata.openrouter.provider_name'], '') AS upstream,
        nullif(a['trace.metadata.openrouter.provider_slug'], '') AS upstream_slug,
        try_cast(a['trace.metadata.openrouter.first_token_ms'] AS DOUBLE) AS first_token_ms,
        try_cast(a['trace.metadata.openrouter.provider_body_end_ms'] AS DOUBLE) AS body_end_ms,
        lower(coalesce(message, a['span.status_message'])) AS failure,
        has_error_status OR coalesce(a['span.level'] = 'ERROR', false) AS has_failed,
        coalesce(regexp_matches(failure, 'disconnect|cancel|abort'), false) AS client_left,
        coalesce(
            try_cast(a['trace.metadata.provider_responses'] AS STRUCT(
                provider_name VARCHAR, model_permaslug VARCHAR, status VARCHAR, latency VARCHAR, is_byok VARCHAR
            )[]),
            []
        ) AS responses,
        tag_map(
            list_transform(
                list_filter(
                    attributes,
                    lambda attribute:
                        starts_with(attribute.key, 'trace.metadata.')
                        AND NOT starts_with(attribute.key, 'trace.metadata.openrouter.')
                        AND attribute.key <> 'trace.metadata.provider_responses'
                        AND length(attribute.value) <= 256 AND left(ltrim(attribute.value), 1) NOT IN ('{', '[')
                ),
                lambda attribute: {
                    'key': substr(attribute.key, length('trace.metadata.') + 1), 'value': attribute.value
                }
            )
            || [
                {
                    'key': 'trace_name',
                    'value': CASE WHEN a['trace.name'] <> 'OpenRouter Request' THEN left(a['trace.name'], 256) END
                },
                {
                    'key': 'generation_name',
                    'value': CASE WHEN span_name NOT IN ('LLM Generation', 'chat') THEN left(span_name, 256) END
                }
            ]
        ) AS tags
    FROM classed
    WHERE class = 'generation'
),

told_attempts AS (
    -- The generation span lists the providers that were tried; the spans below it have their times.
    SELECT
        id AS generation,
        unnest(list_transform(
            responses,
            lambda each, position: {
                'index': position - 1,
                'status': try_cast(try_cast(each.status AS DOUBLE) AS INTEGER),
                'provider': each.provider_name,
                'model': each.model_permaslug,
                'byok': try_cast(each.is_byok AS BOOLEAN),
                'milliseconds': try_cast(each.latency AS DOUBLE),
                'record_number': record_number,
                'trace_id': trace_id,
                'has_failed': false,
                'span_number': CAST(NULL AS BIGINT),
                'started': CAST(NULL AS TIMESTAMPTZ),
                'ended': CAST(NULL AS TIMESTAMPTZ)
            }
        ), recursive := true)
    FROM generations
),

span_attempts AS (
    SELECT
        generation,
        coalesce(
            try_cast(a['span.metadata.attempt_index'] AS BIGINT),
            try_cast(regexp_extract(own_id, ':attempt-(\d+)$', 1) AS BIGINT)
        ) AS index,
        try_cast(a['span.metadata.status_code'] AS INTEGER) AS status,
        coalesce(
            nullif(a['trace.metadata.openrouter.provider_name'], ''),
            nullif(regexp_extract(span_name, '^provider attempt \d+: (.+)$', 1), '')
        ) AS provider,
        nullif(a['span.metadata.model_permaslug'], '') AS model,
        try_cast(a['span.metadata.is_byok'] AS BOOLEAN) AS byok,
        CAST(NULL AS DOUBLE) AS milliseconds,
        record_number,
        trace_id,
        has_error_status AS has_failed,
        span_number,
        started,
        ended
    FROM classed
    WHERE class = 'attempt'
),

-- One row for each provider that was tried; a delivery that came twice brings its spans twice.
attempts AS (
    SELECT
        *,
        max(index) OVER (PARTITION BY generation) AS last_index
    FROM (
        SELECT * FROM span_attempts
        UNION ALL BY NAME
        SELECT * FROM told_attempts
    )
    WHERE generation IS NOT NULL AND index IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY generation, index ORDER BY span_number IS NULL, span_number, record_number
    ) = 1
),

routes AS (
    SELECT
        *,
        count(*) OVER (
            PARTITION BY generation, provider, model ORDER BY index ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS same_before,
        sum(milliseconds) OVER (
            PARTITION BY generation ORDER BY index ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS waited_ms
    FROM attempts
),

paths AS (
    SELECT
        generation,
        list(model ORDER BY index) AS models,
        list_filter(models, lambda model, place: place = 1 OR models[place - 1] <> model) AS steps
    FROM attempts
    GROUP BY generation
),

-- One generation span tells the earlier attempts of its generation who asked.
owners AS (
    SELECT *
    FROM generations
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY has_usage DESC, span_number) = 1
),

calls AS (
    SELECT
        call.record_number,
        true AS is_call,
        CASE
            WHEN call.start_text IS NULL THEN 'startTimeUnixNano is missing'
            WHEN call.started IS NULL
                THEN 'startTimeUnixNano is not a count of nanoseconds: ' || left(call.start_text, 40)
        END AS reject_reason,
        call.id AS dedupe_key,
        CASE WHEN call.has_usage THEN 30 ELSE 3 END AS dedupe_rank,
        call.id AS request_id,
        routes.index + 1 AS attempt_number,
        CASE WHEN routes.index IS NOT NULL THEN 0 END AS unlogged_attempts,
        routes.index > 0 AND routes.same_before > 0 AS is_retry,
        routes.index > 0 AND routes.same_before = 0 AS is_fallback,
        CASE WHEN len(paths.steps) > 1 THEN array_to_string(paths.steps, ' > ') END AS routing_path,
        -- Clients get this id as the id of the answer, so their own logs have it too.
        call.generation AS response_id,
        call.trace_id,
        nullif(call.a['session.id'], '') AS session_id,
        nullif(call.a['user.id'], '') AS user_id,
        nullif(call.a['trace.metadata.openrouter.api_key_name'], '') AS api_key_name,
        call.tags,
        call.started AS started_at,
        seconds_between(call.started, call.ended) AS duration_seconds,
        CASE WHEN call.first_token_ms > 0 AND call.first_token_ms < call.body_end_ms THEN call.first_token_ms / 1000 END
            AS time_to_first_token_seconds,
        lower(coalesce(call.a['gen_ai.operation.name'], 'chat')) AS operation_name,
        -- OpenRouter sells at its own prices; with the user's own key the provider behind it does.
        CASE
            WHEN coalesce(routes.byok, false) THEN coalesce(
                map {
                    'amazon bedrock': 'aws.bedrock', 'azure': 'azure.ai.openai', 'google': 'gcp.vertex_ai',
                    'google ai studio': 'gcp.gemini', 'mistral': 'mistral_ai', 'xai': 'x_ai'
                }[lower(coalesce(call.upstream, routes.provider))],
                lower(coalesce(call.upstream, routes.provider))
            )
            ELSE 'openrouter'
        END AS provider_name,
        coalesce(call.upstream_slug, call.upstream, routes.provider) AS deployment,
        call.request_model,
        call.response_model,
        -- Permaslugs turn the names of Claude round: claude-4.6-sonnet is its maker's claude-sonnet-4.6.
        regexp_replace(
            coalesce(call.response_model, call.request_model),
            '^anthropic/claude-([0-9.]+)-(opus|sonnet|haiku)', 'anthropic/claude-\2-\1'
        ) AS price_model,
        apart(call.input, call.cached_or_written) AS input_uncached_tokens,
        CASE WHEN call.input IS NOT NULL THEN call.cached END AS cache_read_tokens,
        CASE
            WHEN call.input IS NOT NULL AND NOT call.has_openai_writes THEN call.writes - coalesce(call.writes_1h, 0)
        END AS cache_write_5m_tokens,
        CASE WHEN call.input IS NOT NULL AND call.has_openai_writes THEN call.writes END AS cache_write_30m_tokens,
        CASE WHEN call.input IS NOT NULL THEN call.writes_1h END AS cache_write_1h_tokens,
        apart(call.output, call.reasoning) AS output_text_tokens,
        CASE WHEN call.output IS NOT NULL THEN call.reasoning END AS reasoning_tokens,
        CASE WHEN call.has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
        coalesce(
            not_included(call.input, call.cached_or_written, 'input tokens', 'cached and written tokens'),
            not_included(call.output, call.reasoning, 'output tokens', 'reasoning tokens')
        ) AS contradiction,
        CASE WHEN NOT call.has_failed THEN 'ok' WHEN call.client_left THEN 'cancelled' ELSE 'error' END AS status,
        CASE
            WHEN NOT call.has_failed THEN NULL
            WHEN call.client_left THEN 'client_disconnected'
            WHEN routes.status >= 400 THEN 'http_' || routes.status
            ELSE 'error'
        END AS error_type,
        CASE WHEN routes.status BETWEEN 100 AND 599 THEN routes.status END AS http_status,
        try_cast(
            coalesce(call.a['gen_ai.usage.total_cost'], call.a['gen_ai.usage.cost']) AS DECIMAL(18, 12)
        ) AS reported_cost
    FROM generations AS call
    LEFT JOIN routes ON call.id = routes.generation AND routes.index = routes.last_index
    LEFT JOIN paths ON call.id = paths.generation
),

-- The last attempt is the call itself; those before it failed.
failures AS (
    SELECT
        tried.record_number,
        true AS is_call,
        tried.generation || ':attempt-' || tried.index AS dedupe_key,
        CASE WHEN tried.span_number IS NULL THEN 3 ELSE 4 END AS dedupe_rank,
        tried.generation AS request_id,
        tried.index + 1 AS attempt_number,
        0 AS unlogged_attempts,
        tried.index > 0 AND tried.same_before > 0 AS is_retry,
        tried.index > 0 AND tried.same_before = 0 AS is_fallback,
        tried.trace_id,
        nullif(owner.a['session.id'], '') AS session_id,
        nullif(owner.a['user.id'], '') AS user_id,
        nullif(owner.a['trace.metadata.openrouter.api_key_name'], '') AS api_key_name,
        owner.tags,
        coalesce(tried.started, owner.started + to_milliseconds(coalesce(tried.waited_ms, 0))) AS started_at,
        coalesce(seconds_between(tried.started, tried.ended), tried.milliseconds / 1000) AS duration_seconds,
        lower(coalesce(owner.a['gen_ai.operation.name'], 'chat')) AS operation_name,
        CASE
            WHEN coalesce(tried.byok, false) THEN coalesce(
                map {
                    'amazon bedrock': 'aws.bedrock', 'azure': 'azure.ai.openai', 'google': 'gcp.vertex_ai',
                    'google ai studio': 'gcp.gemini', 'mistral': 'mistral_ai', 'xai': 'x_ai'
                }[lower(tried.provider)],
                lower(tried.provider)
            )
            ELSE 'openrouter'
        END AS provider_name,
        tried.provider AS deployment,
        owner.request_model,
        regexp_replace(
            coalesce(tried.model, owner.request_model),
            '^anthropic/claude-([0-9.]+)-(opus|sonnet|haiku)', 'anthropic/claude-\2-\1'
        ) AS price_model,
        'missing' AS usage_source,
        'error' AS status,
        CASE WHEN tried.status >= 400 THEN 'http_' || tried.status ELSE 'error' END AS error_type,
        CASE WHEN tried.status BETWEEN 100 AND 599 THEN tried.status END AS http_status
    FROM routes AS tried
    LEFT JOIN owners AS owner ON tried.generation = owner.id
    WHERE tried.index < tried.last_index
)

SELECT * FROM calls
UNION ALL BY NAME
SELECT * FROM failures
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM classed
WHERE class <> 'generation' AND span_number NOT IN (
    SELECT span_number FROM routes WHERE index < last_index AND span_number IS NOT NULL
)
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM records
WHERE record_number NOT IN (SELECT classed.record_number FROM classed)
