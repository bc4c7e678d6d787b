-- One row per span and per log record of an OTLP/JSON line, and one per line without any. Only spans and events of
-- single model calls, and the failed HTTP attempts below them, are calls; agents, chains, tools, roll-ups and metrics
-- are skipped. Texts are never read, except that OpenInference keeps the id, tier and cache lifetimes of an answer
-- nowhere but in output.value. `otel_console` reads the same SELECT with the other columns filled.
WITH RECURSIVE
-- protobuf's own JSON writer can keep the field names of the .proto files: with the other spelling it is the same JSON.
respelled AS (
    SELECT
        record_number,
        list_reduce(
            [
                {'was': '', 'is': concat('{"spans":', resource_spans, ',"logs":', resource_logs, '}')},
                {'was': '"scope_spans"', 'is': '"scopeSpans"'},
                {'was': '"scope_logs"', 'is': '"scopeLogs"'},
                {'was': '"log_records"', 'is': '"logRecords"'},
                {'was': '"trace_id"', 'is': '"traceId"'},
                {'was': '"span_id"', 'is': '"spanId"'},
                {'was': '"parent_span_id"', 'is': '"parentSpanId"'},
                {'was': '"trace_state"', 'is': '"traceState"'},
                {'was': '"event_name"', 'is': '"eventName"'},
                {'was': '"start_time_unix_nano"', 'is': '"startTimeUnixNano"'},
                {'was': '"end_time_unix_nano"', 'is': '"endTimeUnixNano"'},
                {'was': '"observed_time_unix_nano"', 'is': '"observedTimeUnixNano"'},
                {'was': '"time_unix_nano"', 'is': '"timeUnixNano"'},
                {'was': '"string_value"', 'is': '"stringValue"'},
                {'was': '"int_value"', 'is': '"intValue"'},
                {'was': '"double_value"', 'is': '"doubleValue"'},
                {'was': '"bool_value"', 'is': '"boolValue"'},
                {'was': '"array_value"', 'is': '"arrayValue"'}
            ],
            lambda text, spelling: {'was': '', 'is': replace(text.is, spelling.was, spelling.is)}
        ).is AS respelled_json
    FROM (
        SELECT
            record_number,
            coalesce(CAST(resource_spans AS VARCHAR), 'null') AS resource_spans,
            coalesce(CAST(resource_logs AS VARCHAR), 'null') AS resource_logs
        FROM records
        WHERE resource_spans IS NOT NULL OR resource_logs IS NOT NULL
    )
),

snake_case AS (
    SELECT
        record_number,
        json_transform(
            respelled_json,
            '{"spans": [{"resource": {"attributes": [{"key": "VARCHAR", "value": {"stringValue": "VARCHAR",
                "intValue": "VARCHAR", "doubleValue": "VARCHAR", "boolValue": "VARCHAR", "arrayValue": "JSON"}}]},
              "scopeSpans": [{"scope": {"name": "VARCHAR", "version": "VARCHAR"}, "spans": [{
                "traceId": "VARCHAR", "spanId": "VARCHAR", "parentSpanId": "VARCHAR", "traceState": "VARCHAR",
                "name": "VARCHAR", "startTimeUnixNano": "VARCHAR", "endTimeUnixNano": "VARCHAR",
                "attributes": [{"key": "VARCHAR", "value": {"stringValue": "VARCHAR", "intValue": "VARCHAR",
                  "doubleValue": "VARCHAR", "boolValue": "VARCHAR", "arrayValue": "JSON"}}],
                "events": [{"name": "VARCHAR", "timeUnixNano": "VARCHAR", "attributes": [{"key": "VARCHAR",
                  "value": {"stringValue": "VARCHAR"}}]}],
                "status": {"code": "VARCHAR", "message": "VARCHAR"}}]}]}],
              "logs": [{"resource": {"attributes": [{"key": "VARCHAR", "value": {"stringValue": "VARCHAR",
                "intValue": "VARCHAR", "doubleValue": "VARCHAR", "boolValue": "VARCHAR", "arrayValue": "JSON"}}]},
              "scopeLogs": [{"scope": {"name": "VARCHAR", "version": "VARCHAR"}, "logRecords": [{
                "traceId": "VARCHAR", "spanId": "VARCHAR", "timeUnixNano": "VARCHAR",
                "observedTimeUnixNano": "VARCHAR", "eventName": "VARCHAR", "body": "JSON",
                "attributes": [{"key": "VARCHAR", "value": {"stringValue": "VARCHAR", "intValue": "VARCHAR",
                  "doubleValue": "VARCHAR", "boolValue": "VARCHAR", "arrayValue": "JSON"}}]}]}]}]}'
        ) AS given
    FROM respelled
),

span_scopes AS (
    SELECT
        record_number,
        resource_span.resource.attributes AS resource_attributes,
        unnest(resource_span.scopeSpans) AS scope_span
    FROM (
        SELECT
            record_number,
            unnest(resourceSpans) AS resource_span
        FROM records
        UNION ALL
        SELECT
            record_number,
            unnest(given.spans)
        FROM snake_case
    )
),

log_scopes AS (
    SELECT
        record_number,
        resource_log.resource.attributes AS resource_attributes,
        unnest(resource_log.scopeLogs) AS scope_log
    FROM (
        SELECT
            record_number,
            unnest(resourceLogs) AS resource_log
        FROM records
        UNION ALL
        SELECT
            record_number,
            unnest(given.logs)
        FROM snake_case
    )
),

-- The console exporters of the Python SDK print one span or log record an object, with plain values.
printed AS (
    SELECT
        record_number,
        context IS NOT NULL AS is_span,
        name,
        coalesce(context ->> '$.trace_id', trace_id) AS trace_text,
        coalesce(context ->> '$.span_id', span_id) AS span_text,
        parent_id,
        'ot=' || nullif(regexp_extract(context ->> '$.trace_state', 'key=ot, value=([^}]*)', 1), '') AS trace_state,
        -- Without a time that can be read the text itself stays, to be named in the reason.
        coalesce(CAST(epoch_us(utc(coalesce(start_time, timestamp))) * 1000 AS VARCHAR), start_time, timestamp)
            AS start_text,
        CAST(epoch_us(utc(observed_timestamp)) * 1000 AS VARCHAR) AS observed_text,
        CAST(epoch_us(utc(end_time)) * 1000 AS VARCHAR) AS end_text,
        coalesce(status ->> '$.status_code', '') AS status_code,
        status ->> '$.description' AS status_message,
        event_name,
        body,
        list_transform(
            map_entries(try_cast(resource -> '$.attributes' AS MAP(VARCHAR, JSON))),
            lambda entry: {'key': entry.key, 'value': {
                'stringValue': CASE WHEN json_type(entry.value) <> 'ARRAY' THEN entry.value ->> '$' END,
                'intValue': NULL::VARCHAR, 'doubleValue': NULL::VARCHAR, 'boolValue': NULL::VARCHAR,
                'arrayValue': CASE WHEN json_type(entry.value) = 'ARRAY' THEN entry.value END
            }}
        ) AS resource_attributes,
        list_transform(
            map_entries(try_cast(attributes AS MAP(VARCHAR, JSON))),
            lambda entry: {'key': entry.key, 'value': {
                'stringValue': CASE WHEN json_type(entry.value) <> 'ARRAY' THEN entry.value ->> '$' END,
                'intValue': NULL::VARCHAR, 'doubleValue': NULL::VARCHAR, 'boolValue': NULL::VARCHAR,
                'arrayValue': CASE WHEN json_type(entry.value) = 'ARRAY' THEN entry.value END
            }}
        ) AS attributes,
        list_transform(
            try_cast(events AS STRUCT("name" VARCHAR, "timestamp" VARCHAR, "attributes" JSON)[]),
            lambda event: {
                'name': event.name,
                'timeUnixNano': CAST(epoch_us(utc(event.timestamp)) * 1000 AS VARCHAR),
                'attributes': [{'key': 'exception.type', 'value': {
                    'stringValue': event.attributes ->> '$."exception.type"'
                }}]
            }
        ) AS events
    FROM records
    WHERE context IS NOT NULL OR attributes IS NOT NULL
),

raw_spans AS (
    SELECT
        record_number,
        true AS is_span,
        'startTimeUnixNano' AS time_field,
        resource_attributes,
        scope_span.scope.name AS scope,
        scope_span.scope.version AS scope_version,
        unnest(scope_span.spans) AS span
    FROM span_scopes
),

raw_logs AS (
    SELECT
        record_number,
        resource_attributes,
        scope_log.scope.name AS scope,
        scope_log.scope.version AS scope_version,
        unnest(scope_log.logRecords) AS log
    FROM log_scopes
),

-- Spans and log records side by side. A log record hangs below the span that it names: it is no span itself.
signals AS (
    SELECT
        * EXCLUDE (span),
        span.name AS span_name,
        CAST(NULL AS VARCHAR) AS event_name,
        CAST(NULL AS VARCHAR) AS body_text,
        span.traceId AS trace_text,
        span.spanId AS span_text,
        span.parentSpanId AS parent_text,
        span.traceState AS trace_state,
        span.startTimeUnixNano AS start_text,
        span.endTimeUnixNano AS end_text,
        span.status.code AS status_code,
        span.status.message AS status_message,
        span.events AS events,
        span.attributes AS attributes
    FROM raw_spans
    UNION ALL BY NAME
    SELECT
        * EXCLUDE (log),
        false AS is_span,
        'timeUnixNano and observedTimeUnixNano' AS time_field,
        log.eventName AS event_name,
        log.body ->> '$.stringValue' AS body_text,
        log.traceId AS trace_text,
        log.spanId AS parent_text,
        -- A time of zero is protobuf's way to say that there is none.
        coalesce(nullif(nullif(log.timeUnixNano, '0'), ''), log.observedTimeUnixNano) AS start_text,
        log.attributes AS attributes
    FROM raw_logs
    UNION ALL BY NAME
    SELECT
        record_number,
        is_span,
        CASE WHEN is_span THEN 'start_time' ELSE 'timestamp' END AS time_field,
        resource_attributes,
        CASE WHEN is_span THEN name END AS span_name,
        event_name,
        CASE WHEN json_type(body) = 'VARCHAR' THEN body ->> '$' END AS body_text,
        trace_text,
        CASE WHEN is_span THEN span_text END AS span_text,
        CASE WHEN is_span THEN parent_id ELSE span_text END AS parent_text,
        trace_state,
        coalesce(start_text, CASE WHEN NOT is_span THEN observed_text END) AS start_text,
        end_text,
        status_code,
        status_message,
        events,
        attributes
    FROM printed
),

-- Keys and values as text, and only the keys that are used below: prompts and answers stay behind here.
read_spans AS (
    SELECT
        row_number() OVER () AS span_number,
        record_number,
        is_span,
        time_field,
        list_transform(
            list_filter(
                resource_attributes,
                lambda attribute: regexp_matches(
                    attribute.key,
                    '^(service\.(name|namespace|version)$|deployment\.environment|'
                    || '(app|tenant|customer|feature|cohort|team)([._]|$)|'
                    || '(project|product|environment|department|cost_center)$)'
                )
            ),
            lambda attribute: {
                'slot': 'tag', 'rank': 0, 'key': attribute.key,
                'value': coalesce(attribute.value.stringValue, attribute.value.intValue, attribute.value.boolValue)
            }
        ) AS resource_tags,
        list_filter(resource_attributes, lambda attribute: attribute.key = 'service.name')[1].value.stringValue
            AS service,
        scope,
        scope_version,
        span_name,
        coalesce(
            nullif(event_name, ''),
            list_filter(attributes, lambda attribute: attribute.key = 'event.name')[1].value.stringValue,
            body_text
        ) AS event_name,
        body_text,
        try_cast(start_text AS BIGINT) AS start_ns,
        try_cast(end_text AS BIGINT) AS end_ns,
        start_text,
        lower(ltrim(trace_text, ' ')) AS trace_hex,
        trace_text,
        lower(ltrim(span_text, ' ')) AS span_hex,
        span_text,
        lower(ltrim(parent_text, ' ')) AS parent_hex,
        parent_text,
        -- OpenTelemetry's own member of the trace state: the threshold of consistent sampling, as up to 14 hex digits.
        nullif(
            regexp_extract(trace_state, '(?:^|,)\s*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:[;,\s]|$)', 1), ''
        ) AS threshold,
        coalesce(status_code IN ('2', 'STATUS_CODE_ERROR', 'ERROR'), false) AS has_error_status,
        try_cast(nullif(regexp_extract(status_message, 'Error code: (\d{3})', 1), '') AS INTEGER) AS message_status,
        nullif(
            regexp_extract(status_message, 'request_id[''"]?\s*:\s*[''"](req_[A-Za-z0-9_-]+)', 1), ''
        ) AS message_request,
        list_filter(
            flatten(
                list_transform(
                    list_filter(events, lambda event: event.name = 'exception'), lambda event: event.attributes
                )
            ),
            lambda attribute: attribute.key = 'exception.type'
        )[1].value.stringValue AS exception_type,
        list_min(
            list_transform(
                list_filter(
                    events,
                    lambda event: event.name IN (
                        'First Token Stream Event', 'gen_ai.content.completion.chunk', 'ai.stream.firstChunk'
                    )
                ),
                lambda event: try_cast(event.timeUnixNano AS BIGINT)
            )
        ) AS first_token_ns,
        -- Cloudflare writes each key of the caller's metadata as an attribute of its own, next to those of its gateway.
        coalesce(
            list_contains(list_transform(attributes, lambda attribute: attribute.key), 'gen_ai.model.provider'), false
        ) AS is_cloudflare,
        list_transform(
            list_filter(
                attributes,
                lambda attribute: regexp_matches(
                    attribute.key,
                    '^('
                    || 'gen_ai\.(operation\.name|system|provider\.name|model\.provider|usage\..*'
                    || '|request\.(model|stream|id)|user|is_streaming|response\.(id|model|time_to_first_chunk)'
                    || '|(conversation|session)\.id'
                    || '|(latency|server)\.time_to_first_token|openai\.(api_base|response\.service_tier))|'
                    || 'llm\.(token_count\..*|usage\..*|cost\.total|system|provider|model_name'
                    || '|request\.(type|model_name)|response\.model_name|invocation_parameters|is_streaming)|'
                    || 'embedding\.(model_name|invocation_parameters)|openinference\.span\.kind|output\.value|'
                    || 'metadata|tag\.tags|traceloop\.(span\.kind|association\.properties\..*)|'
                    || 'langfuse\.((session|user)\.id|trace\.(tags|metadata\..*))|'
                    || 'openai\.(api\.type|response\.service_tier)|'
                    || 'anthropic\.(request\.id|usage\..*|response\.service_tier)|'
                    || 'ai\.(operationId|usage\..*|model\.(id|provider)|response\.(id|model|msToFirstChunk)'
                    || '|stream\.msToFirstChunk|telemetry\.(functionId|metadata\..*))|'
                    || 'mlflow\.(chat\.tokenUsage|llm\.(model|provider|cost)|spanType|gateway\.linkedTraceId)|'
                    || 'agw\.ai\.(usage\.cost\.total|time_to_first_token)|retry\.attempt|jwt\.sub|'
                    || 'http\.(method|status_code|status|url|target|route|request\.(method|resend_count)'
                    || '|response\.status_code)|'
                    || 'url\.(path|full)|server\.(address|port)|error\.type|(session|user|enduser|conversation)\.id|'
                    || '(app|tenant|customer|feature|cohort)([._].*)?|team|project|product|environment|'
                    || 'SampleRate|sampling\.(probability|threshold)|'
                    -- what the events of coding agents are made of
                    || 'event\.(kind|timestamp|sequence)|prompt[._]id|model|cost_usd|(duration|ttft)_ms|attempt|speed'
                    || '|(input|output|cache_read|cache_creation)_tokens|[a-z_]+_token_count|query_source|request_id'
                    || '|status_code|error_type|auth_type|user\.(email|account_uuid|account_id)|organization\.id'
                    || ')$'
                )
                OR (
                    is_cloudflare
                    AND NOT starts_with(attribute.key, 'gen_ai.')
                    AND length(coalesce(attribute.value.stringValue, '')) <= 256
                )
            ),
            lambda attribute: {
                'key': attribute.key,
                'value': coalesce(
                    attribute.value.stringValue, attribute.value.intValue, attribute.value.doubleValue,
                    attribute.value.boolValue, CAST(attribute.value.arrayValue AS VARCHAR)
                )
            }
        ) AS attributes
    FROM signals
),

-- Which coding agent tells of a model call here: their events, and Claude Code's span, have names of their own.
told_by AS (
    SELECT
        * EXCLUDE (body_text),
        CASE
            WHEN span_name = 'claude_code.llm_request' AND is_span THEN 'claude'
            WHEN is_span THEN NULL
            WHEN event_name IN ('claude_code.api_request', 'claude_code.api_error') THEN 'claude'
            WHEN event_name IN ('api_request', 'api_error') AND (
                starts_with(body_text, 'claude_code.') OR starts_with(scope, 'com.anthropic.claude_code')
                OR starts_with(service, 'claude-code')
            ) THEN 'claude'
            WHEN event_name = 'codex.sse_event' THEN 'codex'
            WHEN event_name IN ('gemini_cli.api_response', 'gemini_cli.api_error') THEN 'gemini'
        END AS agent,
        NOT is_span AND coalesce(ends_with(event_name, 'api_error'), false) AS is_error_event,
        -- Gemini CLI repeats each of its responses in the standard event, without cached and thinking tokens.
        NOT is_span
        AND coalesce(regexp_full_match(event_name, 'gen_ai\.client\.(inference\.)?operation\.details'), false)
        AND NOT coalesce(service = 'gemini-cli' OR scope = 'gemini-cli', false) AS is_details
    FROM read_spans
),

spans AS MATERIALIZED (
    SELECT
        * EXCLUDE (trace_hex, trace_text, span_hex, span_text, parent_hex, parent_text),
        -- Ids are hex, but base64 where a protobuf library wrote the JSON.
        CASE
            WHEN regexp_full_match(trace_hex, '0x[0-9a-f]{32}') THEN substr(trace_hex, 3)
            WHEN regexp_full_match(trace_text, '[A-Za-z0-9+/]{22}==') THEN lower(hex(from_base64(trace_text)))
            ELSE nullif(trace_hex, '')
        END AS trace_id,
        CASE
            WHEN regexp_full_match(span_hex, '0x[0-9a-f]{16}') THEN substr(span_hex, 3)
            WHEN regexp_full_match(span_text, '[A-Za-z0-9+/]{11}=') THEN lower(hex(from_base64(span_text)))
            ELSE nullif(span_hex, '')
        END AS span_id,
        CASE
            WHEN regexp_full_match(parent_hex, '0x[0-9a-f]{16}') THEN substr(parent_hex, 3)
            WHEN regexp_full_match(parent_text, '[A-Za-z0-9+/]{11}=') THEN lower(hex(from_base64(parent_text)))
            ELSE nullif(parent_hex, '')
        END AS parent_id,
        -- The first of repeated keys counts; a MAP must not see the second.
        map_from_entries(
            list_filter(
                attributes,
                lambda attribute, position:
                    attribute.key IS NOT NULL
                    AND list_position(list_transform(attributes, lambda other: other.key), attribute.key) = position
            )
        ) AS a
    FROM told_by
),

-- MLflow keeps its counts and its price as JSON texts.
mlflow AS (
    SELECT
        *,
        coalesce(service = 'gemini-cli' OR scope = 'gemini-cli', false) AS is_gemini_cli,
        CASE
            WHEN json_valid(a['mlflow.chat.tokenUsage']) THEN json_extract_string(
                a['mlflow.chat.tokenUsage'],
                ['$.input_tokens', '$.output_tokens', '$.total_tokens', '$.cache_read_input_tokens',
                    '$.cache_creation_input_tokens']
            )
        END AS used,
        CASE
            WHEN json_valid(a['mlflow.llm.cost']) THEN json_extract_string(a['mlflow.llm.cost'], '$.total_cost')
        END AS mlflow_cost
    FROM spans
),

counted AS (
    SELECT
        *,
        -- Claude Code's input leaves cached tokens out, Gemini's leaves out those of tool prompts.
        CASE agent
            WHEN 'claude' THEN try_cast(a['input_tokens'] AS BIGINT)
                + coalesce(try_cast(a['cache_read_tokens'] AS BIGINT), 0)
                + coalesce(try_cast(a['cache_creation_tokens'] AS BIGINT), 0)
            WHEN 'codex' THEN try_cast(a['input_token_count'] AS BIGINT)
            WHEN 'gemini' THEN try_cast(a['input_token_count'] AS BIGINT)
                + coalesce(try_cast(a['tool_token_count'] AS BIGINT), 0)
            ELSE try_cast(coalesce(
                a['gen_ai.usage.input_tokens'], a['gen_ai.usage.prompt_tokens'], a['llm.token_count.prompt'],
                a['ai.usage.inputTokens'], a['ai.usage.promptTokens'], a['ai.usage.tokens'], used[1]
            ) AS BIGINT)
        END AS input_all,
        try_cast(coalesce(
            a['gen_ai.usage.reasoning.output_tokens'], a['gen_ai.usage.reasoning_tokens'],
            a['gen_ai.usage.reasoning_output_tokens'], a['gen_ai.usage.output_tokens.reasoning'],
            a['llm.usage.reasoning_tokens'], a['llm.token_count.completion_details.reasoning'],
            a['ai.usage.reasoningTokens'], a['ai.usage.outputTokenDetails.reasoningTokens'],
            CASE agent
                WHEN 'codex' THEN a['reasoning_token_count']
                WHEN 'gemini' THEN a['thoughts_token_count']
            END
        ) AS BIGINT) AS reasoning_all,
        -- The thoughts that Gemini CLI leaves out of the output, in events and in spans, are added to it.
        CASE
            WHEN agent = 'claude' THEN try_cast(a['output_tokens'] AS BIGINT)
            WHEN agent = 'codex' THEN try_cast(a['output_token_count'] AS BIGINT)
            WHEN agent = 'gemini' THEN try_cast(a['output_token_count'] AS BIGINT)
                + coalesce(try_cast(a['thoughts_token_count'] AS BIGINT), 0)
            ELSE try_cast(coalesce(
                a['gen_ai.usage.output_tokens'], a['gen_ai.usage.completion_tokens'], a['llm.token_count.completion'],
                a['ai.usage.outputTokens'], a['ai.usage.completionTokens'], used[2]
            ) AS BIGINT) + CASE WHEN is_gemini_cli THEN coalesce(reasoning_all, 0) ELSE 0 END
        END AS output_all,
        CASE
            WHEN agent IS NULL AND NOT is_gemini_cli THEN try_cast(coalesce(
                a['gen_ai.usage.total_tokens'], a['llm.usage.total_tokens'], a['llm.token_count.total'],
                a['ai.usage.totalTokens'], used[3]
            ) AS BIGINT)
        END AS total_all,
        try_cast(coalesce(
            a['gen_ai.usage.cache_read.input_tokens'], a['gen_ai.usage.cache_read_input_tokens'],
            a['gen_ai.usage.cached_tokens'], a['gen_ai.usage.input_cached_tokens'],
            a['gen_ai.usage.input_tokens.cached'], a['llm.token_count.prompt_details.cache_read'],
            a['ai.usage.cachedInputTokens'], a['ai.usage.inputTokenDetails.cacheReadTokens'], used[4],
            CASE agent
                WHEN 'claude' THEN a['cache_read_tokens']
                WHEN 'codex' THEN a['cached_token_count']
                WHEN 'gemini' THEN a['cached_content_token_count']
            END
        ) AS BIGINT) AS cache_read,
        try_cast(coalesce(
            a['gen_ai.usage.cache_write.input_tokens'], a['gen_ai.usage.cache_creation.input_tokens'],
            a['gen_ai.usage.cache_creation_input_tokens'], a['gen_ai.usage.input_tokens.cache_write'],
            a['llm.token_count.prompt_details.cache_write'], a['ai.usage.inputTokenDetails.cacheWriteTokens'], used[5],
            CASE agent
                WHEN 'claude' THEN a['cache_creation_tokens']
                WHEN 'codex' THEN a['cache_write_token_count']
            END
        ) AS BIGINT) AS write_all,
        try_cast(coalesce(
            a['gen_ai.usage.audio.input_tokens'], a['llm.token_count.prompt_details.audio']
        ) AS BIGINT) AS input_audio_all,
        try_cast(a['gen_ai.usage.audio.cache_read.input_tokens'] AS BIGINT) AS input_audio_cached,
        try_cast(a['gen_ai.usage.image.input_tokens'] AS BIGINT) AS input_image_all,
        try_cast(a['gen_ai.usage.image.cache_read.input_tokens'] AS BIGINT) AS input_image_cached,
        try_cast(coalesce(
            a['gen_ai.usage.audio.output_tokens'], a['llm.token_count.completion_details.audio']
        ) AS BIGINT) AS output_audio_all,
        try_cast(a['gen_ai.usage.image.output_tokens'] AS BIGINT) AS output_image_all,
        lower(a['gen_ai.operation.name']) AS logged_operation,
        a['ai.operationId'] AS ai_operation,
        upper(a['openinference.span.kind']) AS inference_kind,
        lower(a['llm.request.type']) AS request_type,
        try_cast(coalesce(
            a['http.response.status_code'], a['http.status_code'], a['http.status'],
            CASE WHEN agent IS NOT NULL THEN a['status_code'] END
        ) AS INTEGER) AS own_http_status,
        coalesce(a['http.request.method'], a['http.method']) AS http_method,
        has_error_status OR is_error_event OR a['error.type'] IS NOT NULL AS failed,
        -- One parse for everything that OpenInference keeps in the answer; a cut answer still has its id in front.
        CASE
            WHEN a['gen_ai.response.id'] IS NULL AND json_valid(a['output.value']) THEN json_extract_string(
                a['output.value'],
                ['$.id', '$.service_tier', '$.usage.service_tier', '$.usage.cache_creation.ephemeral_5m_input_tokens',
                    '$.usage.cache_creation.ephemeral_1h_input_tokens', '$.object']
            )
            WHEN a['gen_ai.response.id'] IS NULL
                THEN [nullif(regexp_extract(a['output.value'], '^\s*\{\s*"id"\s*:\s*"([^"\\]{1,200})"', 1), '')]
        END AS answer
    FROM mlflow
),

classed AS (
    SELECT
        *,
        input_all IS NOT NULL OR output_all IS NOT NULL AS has_usage,
        coalesce(
            nullif(a['gen_ai.response.id'], ''),
            CASE WHEN inference_kind IN ('LLM', 'EMBEDDING') THEN nullif(answer[1], '') END,
            nullif(a['ai.response.id'], ''),
            nullif(a['gen_ai.request.id'], '')
        ) AS response_id,
        -- An agent's event names no answer. What tells it from the others is the provider's id of the request, else its
        -- place in the session.
        CASE
            WHEN agent IS NOT NULL THEN coalesce(
                CASE WHEN starts_with(a['request_id'], 'req_') THEN a['request_id'] END,
                agent || ':' || md5(concat_ws(
                    '|', event_name, a['session.id'], a['conversation.id'], a['event.sequence'],
                    coalesce(a['event.timestamp'], start_text), a['prompt_id'], a['model'], input_all, output_all
                ))
            )
        END AS agent_key,
        coalesce(a['anthropic.request.id'], message_request) AS provider_request,
        coalesce(
            try_cast(a['anthropic.usage.cache_creation.ephemeral_5m_input_tokens'] AS BIGINT),
            try_cast(a['gen_ai.usage.input_tokens.cache_write_5m'] AS BIGINT),
            try_cast(answer[4] AS BIGINT)
        ) AS write_5m,
        coalesce(
            try_cast(a['anthropic.usage.cache_creation.ephemeral_1h_input_tokens'] AS BIGINT),
            try_cast(a['gen_ai.usage.input_tokens.cache_write_1h'] AS BIGINT),
            try_cast(answer[5] AS BIGINT)
        ) AS write_1h,
        -- call: one model call. rolled: carries sums of calls below, or none. bare: usage without a name for what it
        -- is. http: an HTTP client request, perhaps an attempt of a call. event: a log record of a call.
        CASE
            WHEN agent IS NOT NULL AND is_span THEN 'call'
            WHEN agent = 'codex'
                THEN CASE WHEN a['event.kind'] = 'response.completed' THEN 'event' ELSE 'other' END
            WHEN agent IS NOT NULL OR is_details THEN 'event'
            WHEN NOT is_span THEN 'other'
            -- The gateway of MLflow writes its calls into the trace of the caller a second time.
            WHEN a['mlflow.gateway.linkedTraceId'] IS NOT NULL THEN 'rolled'
            WHEN ai_operation IS NOT NULL
                THEN CASE
                    WHEN regexp_matches(ai_operation, '\.do(Generate|Stream|Embed)$') THEN 'call' ELSE 'rolled'
                END
            WHEN inference_kind IN ('LLM', 'EMBEDDING') THEN 'call'
            WHEN inference_kind IN (
                'AGENT', 'CHAIN', 'TOOL', 'RETRIEVER', 'RERANKER', 'GUARDRAIL', 'EVALUATOR', 'PROMPT'
            ) THEN 'rolled'
            WHEN logged_operation IN (
                'chat', 'text_completion', 'generate_content', 'embeddings', 'responses', 'messages', 'completion',
                'completions', 'embedding', 'image_generation', 'rerank', 'transcription', 'speech'
            ) THEN 'call'
            WHEN regexp_matches(logged_operation, '^(invoke_|create_agent|execute_|plan|retriev|search_memory)')
                THEN 'rolled'
            WHEN lower(a['traceloop.span.kind']) IN ('workflow', 'task', 'agent', 'tool') THEN 'rolled'
            WHEN request_type IN ('chat', 'completion', 'embedding', 'rerank') THEN 'call'
            WHEN trim(a['mlflow.spanType'], '"') IN ('LLM', 'CHAT_MODEL', 'EMBEDDING') THEN 'call'
            WHEN input_all IS NOT NULL OR output_all IS NOT NULL THEN 'bare'
            WHEN upper(http_method) = 'POST' THEN 'http'
            ELSE 'other'
        END AS class
    FROM counted
),

-- Two emitters that tell of one failed call share the provider's id of the request. The call is the span that began
-- first: the standard event, which knows no such id, names that span.
requests AS (
    SELECT
        provider_request AS request,
        arg_min(trace_id || ':' || span_id, start_ns) AS first_span
    FROM classed
    WHERE provider_request IS NOT NULL AND response_id IS NULL
    GROUP BY provider_request
),

facts AS MATERIALIZED (
    SELECT
        classed.* EXCLUDE (attributes),
        coalesce(response_id, provider_request) AS identity,
        coalesce(
            response_id,
            agent_key,
            requests.first_span,
            provider_request,
            trace_id || ':' || CASE WHEN class = 'event' THEN parent_id ELSE span_id END,
            md5(concat_ws('|', scope, coalesce(span_name, event_name), start_text, end_ns, input_all, output_all))
        ) AS dedupe_key,
        -- What this span says of the session, the user and the application.
        list_concat(
            list_filter(
                [
                    {'slot': 'session', 'rank': 0, 'key': '', 'value': coalesce(
                        a['gen_ai.conversation.id'], a['session.id'], a['gen_ai.session.id'], a['langfuse.session.id'],
                        a['traceloop.association.properties.session_id'], a['conversation.id'],
                        a['ai.telemetry.metadata.sessionId']
                    )},
                    -- The user.id of a coding agent is that of the installation.
                    {'slot': 'user', 'rank': 0, 'key': '', 'value': coalesce(
                        CASE
                            WHEN agent IS NOT NULL
                                THEN coalesce(a['user.email'], a['user.account_uuid'], a['user.account_id'])
                        END,
                        a['user.id'], a['enduser.id'], a['gen_ai.user'], a['langfuse.user.id'],
                        a['traceloop.association.properties.user_id'], a['ai.telemetry.metadata.userId'], a['jwt.sub']
                    )}
                ],
                lambda entry: entry.value != ''
            ),
            list_transform(
                list_filter(
                    attributes,
                    lambda attribute: regexp_matches(
                        attribute.key,
                        '^((app|tenant|customer|feature|cohort)([._]|$)|(team|project|product|environment)$|'
                        || 'traceloop\.association\.properties\.|langfuse\.trace\.metadata\.|'
                        || 'ai\.telemetry\.(functionId$|metadata\.))'
                    )
                    AND NOT regexp_matches(attribute.key, '\.(user_id|session_id|userId|sessionId)$')
                    OR (agent IS NOT NULL AND attribute.key IN ('query_source', 'organization.id'))
                    OR (
                        is_cloudflare
                        AND NOT regexp_matches(
                            attribute.key, '^((gen_ai|http|url|server|error|user|enduser|session)\.|metadata$)'
                        )
                    )
                ),
                lambda attribute: {
                    'slot': 'tag', 'rank': 0,
                    'key': regexp_replace(
                        attribute.key,
                        '^(traceloop\.association\.properties|langfuse\.trace\.metadata|ai\.telemetry(\.metadata)?)\.',
                        ''
                    ),
                    'value': attribute.value
                }
            ),
            list_transform(
                CASE
                    WHEN json_valid(coalesce(a['tag.tags'], a['langfuse.trace.tags'])) THEN list_concat(
                        json_extract_string(
                            coalesce(a['tag.tags'], a['langfuse.trace.tags']), '$.values[*].stringValue'
                        ),
                        json_extract_string(coalesce(a['tag.tags'], a['langfuse.trace.tags']), '$[*]')
                    )
                END,
                lambda tag: {
                    'slot': 'tag', 'rank': 1, 'key': split_part(tag, ':', 1),
                    'value': CASE WHEN contains(tag, ':') THEN substr(tag, strpos(tag, ':') + 1) ELSE '' END
                }
            ),
            list_transform(
                list_filter(
                    map_entries(
                        CASE
                            WHEN json_valid(a['metadata']) AND json_type(a['metadata']) = 'OBJECT'
                                THEN from_json(a['metadata'], '"MAP(VARCHAR, JSON)"')
                        END
                    ),
                    lambda entry: json_type(entry.value) NOT IN ('OBJECT', 'ARRAY', 'NULL')
                        AND NOT regexp_matches(entry.key, '^(ls_|langgraph_(checkpoint|step|path)|__)')
                ),
                lambda entry: {
                    'slot': CASE
                        WHEN entry.key IN ('user_id', 'userId') THEN 'user'
                        WHEN entry.key IN ('session_id', 'sessionId', 'thread_id') THEN 'session'
                        ELSE 'tag'
                    END,
                    'rank': 2, 'key': entry.key, 'value': entry.value ->> '$'
                }
            )
        ) AS said
    FROM classed
    LEFT JOIN requests ON classed.provider_request = requests.request
),

-- A collector that fans out writes a span twice: the way up must know it once.
links AS MATERIALIZED (
    SELECT
        trace_id,
        span_id,
        min(span_number) AS span_number,
        arg_min(parent_id, span_number) AS parent_id,
        arg_min(class, span_number) = 'rolled' AS is_rolled
    FROM facts
    WHERE trace_id IS NOT NULL AND span_id IS NOT NULL
    GROUP BY trace_id, span_id
),

-- Every ancestor of every span that may be an attempt; `near` ends at an agent, chain or tool. The depth bounds cycles.
walk AS (
    SELECT
        span_number AS target,
        trace_id,
        parent_id AS next_id,
        CAST(NULL AS BIGINT) AS ancestor,
        0 AS depth,
        true AS near
    FROM facts
    WHERE class IN ('call', 'bare', 'http', 'event') AND parent_id IS NOT NULL
    UNION ALL
    SELECT
        walk.target,
        walk.trace_id,
        links.parent_id,
        links.span_number,
        walk.depth + 1,
        walk.near AND NOT links.is_rolled
    FROM walk
    INNER JOIN links ON walk.trace_id = links.trace_id AND walk.next_id = links.span_id
    WHERE walk.depth < 32
),

ways AS MATERIALIZED (
    SELECT
        target,
        ancestor,
        depth,
        near
    FROM walk
    WHERE ancestor != target
),

up AS (
    SELECT
        ways.target AS span_number,
        bool_or(above.has_usage AND ways.near) AS is_under_usage,
        arg_min(ways.ancestor, ways.depth) FILTER (ways.near) AS nearest_call,
        arg_max(ways.ancestor, ways.depth) FILTER (ways.near) AS outermost_call
    FROM ways
    INNER JOIN facts AS above ON ways.ancestor = above.span_number AND above.class = 'call'
    GROUP BY ways.target
),

down AS (
    SELECT
        ways.ancestor AS span_number,
        bool_or(below.class = 'call' AND ways.near) AS has_calls_below,
        bool_or(below.class = 'call' AND ways.near AND below.has_usage) AS has_usage_below,
        bool_or(below.has_usage) AS has_any_usage_below,
        list(below.identity) FILTER (below.class = 'call' AND ways.near) AS identities_below
    FROM ways
    INNER JOIN facts AS below ON ways.target = below.span_number AND below.class IN ('call', 'bare')
    INNER JOIN facts AS above ON ways.ancestor = above.span_number AND above.class IN ('call', 'bare')
    GROUP BY ways.ancestor
),

verdicts AS MATERIALIZED (
    SELECT
        facts.span_number,
        facts.class,
        facts.dedupe_key,
        up.nearest_call,
        coalesce(up.outermost_call, facts.span_number) AS outermost_call,
        CASE
            -- The same call as a span below, by the provider's id: both are read, and the dedupe keeps the better one.
            WHEN facts.class = 'call' AND list_contains(down.identities_below, facts.identity) THEN true
            WHEN facts.class = 'call' AND facts.has_usage THEN NOT coalesce(down.has_usage_below, false)
            WHEN facts.class = 'call' AND facts.failed THEN NOT coalesce(down.has_calls_below, false)
            -- Neither usage nor failure: a detail of the call above it, the shell of one below, or an unmetered call.
            WHEN facts.class = 'call'
                THEN NOT coalesce(up.is_under_usage, false) AND NOT coalesce(down.has_calls_below, false)
            WHEN facts.class = 'bare'
                THEN NOT coalesce(up.is_under_usage, false) AND NOT coalesce(down.has_any_usage_below, false)
            ELSE facts.class = 'event'
        END AS is_model_call
    FROM facts
    LEFT JOIN up ON facts.span_number = up.span_number
    LEFT JOIN down ON facts.span_number = down.span_number
),

-- The standard event repeats the span that it names: with the span at hand it is the same call, or none as well.
judged AS MATERIALIZED (
    SELECT
        facts.* REPLACE (coalesce(above.dedupe_key, facts.dedupe_key) AS dedupe_key),
        verdicts.nearest_call,
        verdicts.outermost_call,
        verdicts.is_model_call AND coalesce(above.is_model_call, true) AS is_model_call
    FROM facts
    INNER JOIN verdicts ON facts.span_number = verdicts.span_number
    LEFT JOIN links ON facts.is_details AND facts.trace_id = links.trace_id AND facts.parent_id = links.span_id
    LEFT JOIN verdicts AS above ON links.span_number = above.span_number AND above.class IN ('call', 'bare')
),

-- HTTP client requests below a call are its attempts, in order of time. A failed call is its last request; a call that
-- came through is the request that did not fail.
requests_below AS (
    SELECT
        tried.span_number,
        tried.nearest_call AS call_number,
        tried.start_ns,
        tried.own_http_status AS http_status,
        -- What follows the path may be a key.
        coalesce(tried.a['url.path'], split_part(tried.a['http.target'], '?', 1), nullif(regexp_extract(
            coalesce(tried.a['url.full'], tried.a['http.url']), '^[a-z]+://[^/?]+(/[^?#]*)', 1
        ), '')) AS url_path,
        tried.failed OR coalesce(tried.own_http_status >= 400, false) AS has_failed,
        row_number() OVER tries AS attempt_number,
        count(*) OVER (PARTITION BY tried.nearest_call) AS attempts
    FROM judged AS tried
    INNER JOIN links ON tried.span_number = links.span_number
    WHERE tried.class = 'http' AND tried.nearest_call IS NOT NULL
    WINDOW tries AS (PARTITION BY tried.nearest_call ORDER BY tried.start_ns, tried.span_number)
),

attempts_below AS (
    SELECT
        requests_below.*,
        requests_below.attempt_number = requests_below.attempts
        AND (judged.failed OR NOT requests_below.has_failed) AS is_the_call
    FROM requests_below
    INNER JOIN judged ON requests_below.call_number = judged.span_number
),

tried AS (
    SELECT
        call_number,
        max(attempts) + CASE WHEN bool_or(is_the_call) THEN 0 ELSE 1 END AS attempt_number,
        count(*) FILTER (has_failed AND NOT is_the_call) AS failed_attempts,
        any_value(http_status) FILTER (is_the_call) AS http_status,
        any_value(start_ns) FILTER (is_the_call AND attempt_number > 1) AS start_ns,
        any_value(url_path) AS url_path
    FROM attempts_below
    GROUP BY call_number
),

-- Spans of one call (one dedupe key) share its request, session, user and tags: the nearest span that tells wins.
shared AS (
    SELECT
        judged.dedupe_key,
        arg_min(
            CASE
                WHEN root.agent IS NULL
                    THEN coalesce(root.trace_id || ':' || coalesce(root.span_id, root.parent_id), judged.dedupe_key)
                ELSE judged.dedupe_key
            END,
            root.start_ns
        ) AS request_id
    FROM judged
    INNER JOIN facts AS root ON judged.outermost_call = root.span_number
    WHERE judged.is_model_call OR judged.class = 'call'
    GROUP BY judged.dedupe_key
),

tellers AS (
    SELECT
        dedupe_key,
        span_number AS teller,
        0 AS depth
    FROM judged
    WHERE class = 'call' OR is_model_call
    UNION ALL
    SELECT
        judged.dedupe_key,
        ways.ancestor,
        ways.depth
    FROM ways
    INNER JOIN judged ON ways.target = judged.span_number AND (judged.class = 'call' OR judged.is_model_call)
),

told AS (
    SELECT
        tellers.dedupe_key,
        tellers.depth,
        unnest(facts.said) AS entry
    FROM tellers
    INNER JOIN facts ON tellers.teller = facts.span_number
    UNION ALL
    SELECT
        dedupe_key,
        1000,
        unnest(resource_tags)
    FROM judged
    WHERE class = 'call' OR is_model_call
),

nearest AS (
    SELECT
        dedupe_key,
        entry.slot AS slot,
        left(entry.key, 256) AS key,
        min(depth * 4 + entry.rank) AS distance,
        left(arg_min(entry.value, (depth * 4 + entry.rank, entry.value)), 256) AS value
    FROM told
    WHERE entry.value IS NOT NULL AND (entry.slot != 'tag' OR entry.key != '')
    GROUP BY dedupe_key, entry.slot, left(entry.key, 256)
),

attributed AS (
    SELECT
        dedupe_key,
        arg_min(value, distance) FILTER (slot = 'session' AND value != '') AS session_id,
        arg_min(value, distance) FILTER (slot = 'user' AND value != '') AS user_id,
        map_from_entries(
            (list({'key': key, 'value': value} ORDER BY distance, key) FILTER (slot = 'tag'))[1:63]
        ) AS tags
    FROM nearest
    GROUP BY dedupe_key
),

named AS (
    SELECT
        judged.*,
        shared.request_id,
        attributed.session_id,
        attributed.user_id,
        -- Which emitter wrote the span says what its numbers can tell.
        map_concat(
            coalesce(attributed.tags, map {}),
            CASE WHEN judged.scope != '' THEN map {'otel.scope.name': left(judged.scope, 256)} ELSE map {} END
        ) AS tags,
        tried.url_path AS tried_path,
        tried.start_ns AS last_start_ns,
        coalesce(judged.own_http_status, tried.http_status, judged.message_status) AS known_http_status,
        tried.failed_attempts,
        -- The larger of what the HTTP spans and the SDK's own count tell; greatest() ignores the one that is unknown.
        greatest(tried.attempt_number, 1 + try_cast(judged.a['http.request.resend_count'] AS INTEGER)) AS tried_number,
        try_cast(judged.a['http.request.resend_count'] AS INTEGER) AS resends,
        coalesce(judged.scope LIKE 'com.anthropic.sdk.%', false) AS is_native,
        CASE WHEN judged.agent = 'claude' THEN try_cast(judged.a['attempt'] AS INTEGER) END AS agent_attempt,
        coalesce(judged.a['llm.invocation_parameters'], judged.a['embedding.invocation_parameters']) AS parameters,
        CASE
            -- The AI SDK appends the kind of model, as in openai.responses or google.vertex.chat.
            WHEN judged.ai_operation IS NOT NULL THEN regexp_extract(
                lower(coalesce(judged.a['ai.model.provider'], judged.a['gen_ai.system'])), '^(google\.vertex|[^.]+)', 1
            )
            WHEN judged.agent IS NOT NULL
                THEN map {'claude': 'anthropic', 'codex': 'openai', 'gemini': 'gemini'}[judged.agent]
            ELSE lower(coalesce(
                judged.a['gen_ai.provider.name'], judged.a['gen_ai.model.provider'], judged.a['gen_ai.system'],
                judged.a['llm.provider'], judged.a['llm.system'], trim(judged.a['mlflow.llm.provider'], '"'),
                nullif(regexp_extract(judged.scope, '(anthropic|openai|bedrock|mistralai|groq|cohere)', 1), '')
            ))
        END AS logged_provider
    FROM judged
    LEFT JOIN shared ON judged.dedupe_key = shared.dedupe_key
    LEFT JOIN attributed ON judged.dedupe_key = attributed.dedupe_key
    LEFT JOIN links ON judged.trace_id = links.trace_id AND judged.span_id = links.span_id
    LEFT JOIN tried ON coalesce(links.span_number, judged.span_number) = tried.call_number
    WHERE judged.class IN ('call', 'bare', 'event')
),

models AS (
    SELECT
        *,
        coalesce(
            a['gen_ai.request.model'], a['llm.request.model_name'], a['ai.model.id'],
            CASE WHEN json_valid(parameters) THEN json_extract_string(parameters, '$.model') END,
            trim(a['mlflow.llm.model'], '"'), CASE WHEN agent IS NOT NULL THEN a['model'] END
        ) AS request_model,
        coalesce(
            a['gen_ai.response.model'], a['llm.response.model_name'], a['ai.response.model'],
            CASE
                WHEN NOT failed THEN coalesce(
                    a['llm.model_name'], a['embedding.model_name'], CASE WHEN agent IS NOT NULL THEN a['model'] END
                )
            END
        ) AS response_model,
        CASE
            WHEN a['server.address'] LIKE '%.openai.azure.com' THEN 'azure.ai.openai'
            WHEN logged_provider IN ('bedrock', 'aws', 'aws_bedrock', 'amazon-bedrock', 'amazon_bedrock')
                THEN 'aws.bedrock'
            WHEN logged_provider IN ('azure', 'az.ai.openai', 'azure_openai', 'azure-openai') THEN 'azure.ai.openai'
            WHEN logged_provider = 'az.ai.inference' THEN 'azure.ai.inference'
            WHEN logged_provider IN ('vertex_ai', 'vertexai', 'vertex', 'google_vertexai', 'google.vertex')
                THEN 'gcp.vertex_ai'
            WHEN logged_provider IN ('gemini', 'google', 'google_genai', 'google-ai') THEN 'gcp.gemini'
            WHEN logged_provider IN ('xai', 'x-ai') THEN 'x_ai'
            WHEN logged_provider IN ('mistral', 'mistralai') THEN 'mistral_ai'
            WHEN logged_provider IN ('watsonx', 'watson') THEN 'ibm.watsonx.ai'
            ELSE nullif(logged_provider, '')
        END AS provider_name,
        CASE
            WHEN a['openai.api.type'] = 'responses' OR answer[6] = 'response' OR starts_with(response_id, 'resp_')
                THEN 'responses'
            WHEN logged_operation IN ('completion', 'completions') OR answer[6] = 'text_completion'
                THEN 'text_completion'
            WHEN logged_operation = 'embedding' OR inference_kind = 'EMBEDDING' OR request_type = 'embedding'
                OR ai_operation LIKE '%.doEmbed' THEN 'embeddings'
            WHEN request_type = 'completion' THEN 'text_completion'
            WHEN agent IS NOT NULL
                THEN map {'claude': 'messages', 'codex': 'responses', 'gemini': 'generate_content'}[agent]
            ELSE coalesce(logged_operation, request_type, 'chat')
        END AS operation_name,
        lower(coalesce(
            a['openai.response.service_tier'], a['gen_ai.openai.response.service_tier'],
            a['anthropic.response.service_tier'], answer[2], answer[3],
            CASE WHEN agent = 'claude' AND lower(a['speed']) = 'fast' THEN 'fast' END
        )) AS tier,
        coalesce(
            try_cast(coalesce(a['gen_ai.request.stream'], a['gen_ai.is_streaming'], a['llm.is_streaming']) AS BOOLEAN),
            CASE WHEN json_valid(parameters) THEN try_cast(json_extract_string(parameters, '$.stream') AS BOOLEAN) END,
            CASE WHEN ai_operation LIKE '%.doStream' OR first_token_ns IS NOT NULL THEN true END
        ) AS logged_stream,
        coalesce(
            try_cast(coalesce(
                a['gen_ai.response.time_to_first_chunk'], a['gen_ai.latency.time_to_first_token'],
                a['gen_ai.server.time_to_first_token'], a['agw.ai.time_to_first_token']
            ) AS DOUBLE),
            try_cast(coalesce(
                a['ai.response.msToFirstChunk'], a['ai.stream.msToFirstChunk'],
                CASE WHEN agent IS NOT NULL THEN a['ttft_ms'] END
            ) AS DOUBLE) / 1000,
            (first_token_ns - start_ns) / 1e9
        ) AS logged_first_token,
        -- Emitters that leave the cache out altogether: what they do not say is unknown, not zero.
        is_cloudflare OR scope = 'opentelemetry.instrumentation.openai_v2'
        OR (scope = 'opentelemetry.util.genai.handler' AND starts_with(scope_version, '0.')) AS is_cache_blind,
        -- The parts must fit into the input: where they do not, or where the total counts them again, they lie outside.
        coalesce(cache_read, 0) + coalesce(write_all, coalesce(write_5m, 0) + coalesce(write_1h, 0)) AS cached_all,
        greatest(0, coalesce(input_audio_all, 0) - coalesce(input_audio_cached, 0)) AS audio_part,
        greatest(0, coalesce(input_image_all, 0) - coalesce(input_image_cached, 0)) AS image_part,
        -- An agent's event is written when the answer is complete.
        CASE
            WHEN is_span OR coalesce(agent = 'codex', true) THEN NULL
            WHEN try_cast(a['duration_ms'] AS DOUBLE) BETWEEN 0 AND 1e9 THEN try_cast(a['duration_ms'] AS DOUBLE)
        END AS agent_ms,
        -- How many calls a sampled one stands for: the threshold T of 2^56 lets 1 - T/2^56 of them through.
        coalesce(
            2.0 ^ 56 / (72057594037927936 - try_cast('0x' || rpad(coalesce(threshold, nullif(
                lower(regexp_extract(a['sampling.threshold'], '^[0-9a-fA-F]{1,14}$')), ''
            )), 14, '0') AS BIGINT)),
            CASE
                WHEN try_cast(a['sampling.probability'] AS DOUBLE) BETWEEN 1e-9 AND 1
                    THEN 1 / try_cast(a['sampling.probability'] AS DOUBLE)
            END,
            CASE
                WHEN try_cast(a['SampleRate'] AS DOUBLE) BETWEEN 1 AND 1e9 THEN try_cast(a['SampleRate'] AS DOUBLE)
            END
        ) AS weight
    FROM named
),

split AS (
    SELECT
        *,
        cached_all > input_all
        OR (cached_all > 0 AND coalesce(total_all = input_all + cached_all + output_all, false)) AS is_cache_outside,
        reasoning_all > output_all
        OR (reasoning_all > 0 AND coalesce(total_all = input_all + output_all + reasoning_all, false))
            AS is_reasoning_outside,
        coalesce(
            not_included(input_all, cached_all, 'the input', 'cached tokens'),
            CASE
                WHEN cached_all > 0 AND total_all = input_all + cached_all + output_all
                    THEN 'the total (' || total_all || ') counts cached tokens (' || cached_all
                    || ') beside the input (' || input_all || '), which should include them: read as exclusive'
            END,
            not_included(output_all, reasoning_all, 'the output', 'reasoning tokens'),
            CASE
                WHEN reasoning_all > 0 AND total_all = input_all + output_all + reasoning_all
                    THEN 'the total (' || total_all || ') counts reasoning tokens (' || reasoning_all
                    || ') beside the output (' || output_all || '), which should include them: read as exclusive'
            END
        ) AS contradiction,
        CASE
            WHEN operation_name = 'embeddings' AND input_all IS NOT NULL THEN coalesce(output_all, 0)
            ELSE output_all
        END AS output_known,
        coalesce(write_all, write_5m + coalesce(write_1h, 0), write_1h) AS write_known,
        coalesce(provider_name IN ('openai', 'azure.ai.openai', 'azure.ai.inference'), false)
        AND NOT coalesce(contains(lower(coalesce(response_model, request_model)), 'claude'), false) AS is_openai
    FROM models
),

leaves AS (
    SELECT
        *,
        CASE WHEN is_cache_outside THEN input_all ELSE apart(input_all, cached_all) END AS fresh,
        CASE WHEN output_known IS NOT NULL THEN least(output_known, coalesce(output_audio_all, 0)) END AS out_audio,
        CASE WHEN is_reasoning_outside THEN 0 ELSE coalesce(reasoning_all, 0) END AS inner_reasoning
    FROM split
),

model_calls AS (
    SELECT
        record_number,
        true AS is_call,
        CASE
            WHEN start_text IS NULL THEN time_field || CASE WHEN is_span THEN ' is missing' ELSE ' are missing' END
            WHEN coalesce(start_ns, 0) <= 0 THEN time_field || ' is not ' || CASE
                WHEN contains(time_field, 'UnixNano') THEN 'a count of nanoseconds: ' ELSE 'an ISO 8601 time: '
            END || left(start_text, 40)
        END AS reject_reason,
        dedupe_key,
        10 * (
            (input_all IS NOT NULL)::BIGINT + (output_all IS NOT NULL)::BIGINT + (cache_read IS NOT NULL)::BIGINT
            + (write_all IS NOT NULL)::BIGINT + (write_5m IS NOT NULL)::BIGINT + (write_1h IS NOT NULL)::BIGINT
            + (reasoning_all IS NOT NULL)::BIGINT + (input_audio_all IS NOT NULL)::BIGINT
        )
        + CASE WHEN is_native THEN 2 ELSE 0 END + CASE WHEN known_http_status IS NOT NULL THEN 1 ELSE 0 END
        -- An event with as many counts as the span tells less of everything else.
        - CASE WHEN is_span THEN 0 ELSE 5 END AS dedupe_rank,
        coalesce(request_id, dedupe_key) AS request_id,
        -- The Anthropic SDK's span leaves the count out when nothing was sent again.
        CASE WHEN is_native THEN coalesce(tried_number, 1) ELSE coalesce(agent_attempt, tried_number) END
            AS attempt_number,
        CASE
            -- Claude Code tells of a failure when it gives up, with the number of its attempts.
            WHEN agent_attempt > 0 THEN agent_attempt - 1
            WHEN is_native OR resends IS NOT NULL OR failed_attempts IS NOT NULL
                THEN greatest(0, coalesce(resends, 0) - coalesce(failed_attempts, 0))
        END AS unlogged_attempts,
        CASE
            WHEN is_native THEN coalesce(tried_number, 1) > 1
            ELSE coalesce(coalesce(agent_attempt, tried_number) > 1, try_cast(a['retry.attempt'] AS INTEGER) > 0)
        END AS is_retry,
        response_id,
        trace_id,
        session_id,
        user_id,
        tags,
        from_nanoseconds(
            coalesce(last_start_ns, start_ns) - CAST(coalesce(agent_ms, 0) * 1e6 AS BIGINT)
        ) AS started_at,
        CASE
            WHEN end_ns >= start_ns THEN (end_ns - coalesce(last_start_ns, start_ns)) / 1e9
            ELSE agent_ms / 1e3
        END AS duration_seconds,
        CASE
            WHEN logged_stream IS DISTINCT FROM false
                -- Counted from the start of the span, but the attempt that answered may have begun later. What is then
                -- not positive is no measurement.
                THEN nullif(greatest(0, logged_first_token - (coalesce(last_start_ns, start_ns) - start_ns) / 1e9), 0)
        END AS time_to_first_token_seconds,
        operation_name,
        coalesce(
            a['http.route'], a['url.path'], tried_path, a['server.address'] || ' ' || operation_name
        ) AS endpoint,
        provider_name,
        coalesce(
            a['gen_ai.openai.api_base'],
            a['server.address']
            || CASE WHEN a['server.port'] NOT IN ('80', '443') THEN ':' || a['server.port'] ELSE '' END,
            a['server.address']
        ) AS deployment,
        tier_of(tier) AS service_tier,
        coalesce(logged_stream, CASE WHEN logged_first_token IS NOT NULL THEN true END) AS stream,
        request_model,
        response_model,
        coalesce(response_model, request_model) AS price_model,
        fresh - least(fresh, audio_part + image_part) AS input_uncached_tokens,
        CASE WHEN input_all IS NOT NULL AND NOT is_cache_blind THEN coalesce(cache_read, 0) ELSE cache_read END
            AS cache_read_tokens,
        CASE
            WHEN is_openai AND write_5m IS NULL THEN NULL
            WHEN write_known IS NOT NULL THEN write_known - coalesce(write_1h, 0)
        END AS cache_write_5m_tokens,
        CASE WHEN is_openai AND write_5m IS NULL THEN write_known - coalesce(write_1h, 0) END AS cache_write_30m_tokens,
        write_1h AS cache_write_1h_tokens,
        CASE WHEN input_audio_all IS NOT NULL AND fresh IS NOT NULL THEN least(audio_part, fresh) END
            AS input_audio_tokens,
        CASE
            WHEN input_image_all IS NOT NULL AND fresh IS NOT NULL
                THEN least(image_part, greatest(0, fresh - audio_part))
        END AS input_image_tokens,
        CASE
            WHEN output_known IS NOT NULL
                THEN greatest(0, output_known - inner_reasoning - out_audio - coalesce(output_image_all, 0))
        END AS output_text_tokens,
        CASE
            WHEN reasoning_all IS NOT NULL THEN reasoning_all
            WHEN operation_name = 'embeddings' AND output_known = 0 THEN 0
        END AS reasoning_tokens,
        CASE WHEN output_audio_all IS NOT NULL THEN out_audio END AS output_audio_tokens,
        output_image_all AS output_image_tokens,
        CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
        contradiction,
        weight,
        CASE
            WHEN NOT failed THEN 'ok'
            WHEN regexp_matches(coalesce(a['error.type'], exception_type), '(?i)cancel|GeneratorExit') THEN 'cancelled'
            ELSE 'error'
        END AS status,
        CASE
            WHEN failed THEN list_filter(
                [a['error.type'], exception_type, CASE WHEN agent IS NOT NULL THEN a['error_type'] END],
                -- A class of errors is one word; anything else may be a message that repeats a prompt.
                lambda name: regexp_full_match(name, '[A-Za-z0-9_.:<>-]{1,128}')
            )[1]
        END AS error_type,
        coalesce(
            known_http_status,
            -- The SDKs of OpenAI and Anthropic raise one class per status.
            CASE
                WHEN NOT failed THEN NULL
                WHEN regexp_full_match(a['error.type'], '[1-5]\d\d') THEN CAST(a['error.type'] AS INTEGER)
                ELSE map {
                    'BadRequestError': 400, 'AuthenticationError': 401, 'PermissionDeniedError': 403,
                    'NotFoundError': 404, 'ConflictError': 409, 'UnprocessableEntityError': 422, 'RateLimitError': 429,
                    'OverloadedError': 529
                }[regexp_extract(coalesce(a['error.type'], exception_type), '([A-Za-z]+)$', 1)]
            END
        ) AS http_status,
        try_cast(coalesce(
            a['gen_ai.usage.cost'], a['gen_ai.usage.total_cost'], a['llm.cost.total'], a['agw.ai.usage.cost.total'],
            mlflow_cost, CASE WHEN agent = 'claude' THEN a['cost_usd'] END
        ) AS DECIMAL(18, 12)) AS reported_cost
    FROM leaves
    WHERE is_model_call
),

http_attempts AS (
    SELECT
        judged.record_number,
        true AS is_call,
        CASE
            WHEN judged.start_text IS NULL THEN judged.time_field || ' is missing'
            WHEN coalesce(judged.start_ns, 0) <= 0
                THEN judged.time_field || ' is not a time: ' || left(judged.start_text, 40)
        END AS reject_reason,
        judged.dedupe_key,
        0 AS dedupe_rank,
        models.request_id,
        below.attempt_number,
        below.attempt_number > 1 AS is_retry,
        0 AS unlogged_attempts,
        judged.trace_id,
        models.session_id,
        models.user_id,
        models.tags,
        from_nanoseconds(judged.start_ns) AS started_at,
        CASE WHEN judged.end_ns >= judged.start_ns THEN (judged.end_ns - judged.start_ns) / 1e9 END AS duration_seconds,
        models.operation_name,
        below.url_path AS endpoint,
        models.provider_name,
        models.logged_stream AS stream,
        models.request_model,
        models.request_model AS price_model,
        'missing' AS usage_source,
        models.weight,
        'error' AS status,
        CASE
            WHEN regexp_full_match(judged.a['error.type'], '[A-Za-z0-9_.:<>-]{1,128}') THEN judged.a['error.type']
        END AS error_type,
        below.http_status
    FROM attempts_below AS below
    INNER JOIN judged ON below.span_number = judged.span_number
    INNER JOIN models ON below.call_number = models.span_number
    WHERE below.has_failed AND NOT below.is_the_call
)

SELECT * FROM model_calls
UNION ALL BY NAME
SELECT * FROM http_attempts
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM judged
WHERE class != 'http' AND NOT is_model_call
UNION ALL BY NAME
SELECT
    facts.record_number,
    false AS is_call
FROM facts
LEFT JOIN attempts_below AS below ON facts.span_number = below.span_number
WHERE facts.class = 'http' AND NOT (coalesce(below.has_failed, false) AND NOT coalesce(below.is_the_call, true))
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM records
WHERE record_number NOT IN (SELECT facts.record_number FROM facts)
