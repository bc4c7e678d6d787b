-- Model invocation logs of AWS Bedrock, as S3 has them or wrapped by CloudWatch. Prompts are never read.
WITH wrapped AS (
    -- get-query-results has a list of {field, value} for each row, or (through some shells) one list for all rows.
    SELECT
        * EXCLUDE (results),
        list_transform(
            list_filter(
                flatten(
                    list_transform(
                        try_cast(results AS JSON[]),
                        lambda row: CASE WHEN json_type(row) = 'ARRAY' THEN CAST(row AS JSON[]) ELSE [row] END
                    )
                ),
                lambda cell: cell ->> '$.field' = '@message'
            ),
            lambda cell: cell ->> '$.value'
        ) AS found,
        json_type(results) = 'ARRAY' AS is_query,
        unnest(
            CASE
                WHEN is_query AND found = [] THEN [NULL]
                WHEN is_query THEN found
                ELSE [coalesce("@message", CASE WHEN message LIKE '%ModelInvocationLog%' THEN message END)]
            END
        ) AS text
    FROM records
),

texts AS (
    SELECT
        *,
        json_transform(
            try_cast(text AS JSON),
            '{"schemaType": "VARCHAR", "timestamp": "VARCHAR", "accountId": "VARCHAR", "identity": {"arn": "VARCHAR"},
              "region": "VARCHAR", "inferenceRegion": "VARCHAR", "requestId": "VARCHAR", "operation": "VARCHAR",
              "modelId": "VARCHAR", "errorCode": "VARCHAR", "status": "VARCHAR", "requestMetadata": "JSON",
              "input": {"inputTokenCount": "BIGINT", "cacheReadInputTokenCount": "BIGINT",
                "cacheWriteInputTokenCount": "BIGINT"},
              "output": {"outputTokenCount": "BIGINT", "outputBodyJson": "JSON"}}'
        ) AS told
    FROM wrapped
),

logs AS (
    SELECT
        record_number,
        text IS NOT NULL AND NOT coalesce(json_valid(text), false) AS is_cut,
        coalesce(is_query, false) AND text IS NULL AS is_bare_query,
        coalesce(told.schemaType, schemaType) AS schema_type,
        coalesce(told.timestamp, "timestamp") AS written_at,
        coalesce(told.accountId, accountId) AS account,
        coalesce(told.identity.arn, identity.arn) AS caller,
        coalesce(told.region, region) AS called_region,
        coalesce(told.inferenceRegion, inferenceRegion) AS served_region,
        coalesce(told.requestId, requestId) AS request,
        coalesce(told.operation, operation) AS operation,
        coalesce(told.modelId, modelId) AS model_id,
        coalesce(told.errorCode, errorCode) AS error_code,
        CASE WHEN text IS NULL THEN status ELSE told.status END AS status_text,
        coalesce(told.requestMetadata, requestMetadata) AS request_metadata,
        CASE WHEN text IS NULL THEN input ELSE told.input END AS input,
        CASE WHEN text IS NULL THEN output ELSE told.output END AS output,
        CASE WHEN text IS NULL THEN output.outputBodyJson ELSE told.output.outputBodyJson END AS body
    FROM texts
),

bodies AS (
    -- A stream is logged as the list of its events; a whole answer is read as a list of one. Every look into a body
    -- parses it again and keeps the memory for it, so one takes what is needed.
    SELECT
        * EXCLUDE (body),
        json_type(body) AS body_kind,
        CASE
            WHEN json_type(body) = 'ARRAY' THEN json_transform(
                body,
                '[{"id": "VARCHAR", "model": "VARCHAR", "type": "VARCHAR", "usage": "JSON",
                   "message": {"id": "VARCHAR", "model": "VARCHAR", "type": "VARCHAR", "usage": "JSON"},
                   "metrics": {"latencyMs": "DOUBLE"}, "serviceTier": {"type": "VARCHAR"},
                   "performanceConfig": {"latency": "VARCHAR"}, "amazon-bedrock-guardrailAction": "VARCHAR",
                   "metadata": {"usage": "JSON", "metrics": {"latencyMs": "DOUBLE"}, "serviceTier": {"type": "VARCHAR"},
                     "performanceConfig": {"latency": "VARCHAR"}},
                   "amazon-bedrock-invocationMetrics": {"invocationLatency": "DOUBLE", "firstByteLatency": "DOUBLE"}}]'
            )
            WHEN json_type(body) = 'OBJECT' THEN [json_transform(
                body,
                '{"id": "VARCHAR", "model": "VARCHAR", "type": "VARCHAR", "usage": "JSON",
                  "message": {"id": "VARCHAR", "model": "VARCHAR", "type": "VARCHAR", "usage": "JSON"},
                  "metrics": {"latencyMs": "DOUBLE"}, "serviceTier": {"type": "VARCHAR"},
                  "performanceConfig": {"latency": "VARCHAR"}, "amazon-bedrock-guardrailAction": "VARCHAR",
                  "metadata": {"usage": "JSON", "metrics": {"latencyMs": "DOUBLE"}, "serviceTier": {"type": "VARCHAR"},
                    "performanceConfig": {"latency": "VARCHAR"}},
                  "amazon-bedrock-invocationMetrics": {"invocationLatency": "DOUBLE", "firstByteLatency": "DOUBLE"}}'
            )]
        END AS events
    FROM logs
),

opened AS (
    -- The message opens a stream, its last event has the measurements.
    SELECT
        *,
        CASE
            WHEN body_kind = 'OBJECT' THEN struct_pack(
                id := events[1].id, model := events[1].model, type := events[1].type, usage := events[1].usage
            )
            ELSE list_filter(
                list_transform(events, lambda event: event.message), lambda message: message IS NOT NULL
            )[1]
        END AS opening,
        list_filter(list_transform(events, lambda event: event.usage), lambda told: told IS NOT NULL)[-1]
            AS event_usage,
        list_filter(list_transform(events, lambda event: event.metadata.usage), lambda told: told IS NOT NULL)[-1]
            AS metadata_usage,
        list_filter(
            list_transform(
                events, lambda event: coalesce(event.metrics.latencyMs, event.metadata.metrics.latencyMs)
            ),
            lambda told: told IS NOT NULL
        )[-1] AS latency_ms,
        list_filter(
            list_transform(
                events,
                lambda event: coalesce(
                    event.serviceTier.type, event.metadata.serviceTier.type,
                    CASE
                        WHEN coalesce(event.performanceConfig.latency, event.metadata.performanceConfig.latency)
                            = 'optimized' THEN 'latency-optimized'
                    END
                )
            ),
            lambda told: told IS NOT NULL
        )[-1] AS event_tier,
        list_filter(
            list_transform(events, lambda event: event."amazon-bedrock-invocationMetrics"),
            lambda told: told IS NOT NULL
        )[-1] AS measured,
        list_filter(
            list_transform(events, lambda event: event."amazon-bedrock-guardrailAction"),
            lambda told: told IS NOT NULL
        )[-1] AS guardrail
    FROM bodies
),

used AS (
    SELECT
        * EXCLUDE (events),
        coalesce(event_usage, metadata_usage, opening.usage) AS last_usage,
        opening.usage AS first_usage,
        coalesce(first_usage -> '$.cache_creation', last_usage -> '$.cache_creation') AS split,
        try_cast(last_usage -> '$.cacheDetails' AS STRUCT(ttl VARCHAR, "inputTokens" BIGINT)[]) AS cache_details
    FROM opened
),

counted AS (
    SELECT
        *,
        input.inputTokenCount IS NOT NULL OR output.outputTokenCount IS NOT NULL AS is_counted,
        coalesce(
            input.inputTokenCount,
            try_cast(coalesce(last_usage ->> '$.inputTokens', first_usage ->> '$.input_tokens') AS BIGINT)
        ) AS uncached,
        coalesce(
            output.outputTokenCount,
            try_cast(coalesce(last_usage ->> '$.outputTokens', last_usage ->> '$.output_tokens') AS BIGINT)
        ) AS completion,
        coalesce(
            input.cacheReadInputTokenCount,
            try_cast(
                coalesce(
                    last_usage ->> '$.cacheReadInputTokens', last_usage ->> '$.cacheReadInputTokenCount',
                    first_usage ->> '$.cache_read_input_tokens'
                ) AS BIGINT
            )
        ) AS reads,
        coalesce(
            input.cacheWriteInputTokenCount,
            try_cast(
                coalesce(
                    last_usage ->> '$.cacheWriteInputTokens', last_usage ->> '$.cacheWriteInputTokenCount',
                    first_usage ->> '$.cache_creation_input_tokens'
                ) AS BIGINT
            )
        ) AS writes,
        coalesce(
            try_cast(split ->> '$.ephemeral_1h_input_tokens' AS BIGINT),
            list_sum(
                list_transform(
                    list_filter(cache_details, lambda each: lower(each.ttl) = '1h'), lambda each: each.inputTokens
                )
            )::BIGINT
        ) AS told_1h,
        try_cast(last_usage ->> '$.output_tokens_details.thinking_tokens' AS BIGINT) AS told_thinking,
        try_cast(last_usage ->> '$.totalTokens' AS BIGINT) AS told_total
    FROM used
),

named AS (
    SELECT
        *,
        coalesce(uncached, completion) IS NOT NULL AS has_usage,
        least(coalesce(told_1h, 0), coalesce(writes, 0)) AS written_1h,
        coalesce(writes, 0) - written_1h AS written_5m,
        CASE WHEN told_thinking <= completion THEN told_thinking END AS thinking,
        -- What follows the account of an ARN; the version of a model has a colon of its own.
        nullif(regexp_extract(model_id, '^arn(:[^:]*){4}:(.*)$', 2), '') AS resource,
        coalesce(regexp_extract(resource, '([^/]+)$', 1), model_id) AS model_name,
        -- These names say nothing about the model; the prices of foundation models need its own.
        coalesce(
            regexp_matches(
                resource,
                '^(application-inference-profile|provisioned-model|imported-model|custom-model|custom-model-deployment|'
                || 'prompt-router|default-prompt-router|prompt)/'
            ),
            false
        ) AS is_opaque,
        nullif(opening.model, '') AS answered_by,
        nullif(opening.id, '') AS answer_id,
        utc(written_at) AS started,
        schema_type = 'ModelInvocationLog' OR (schema_type IS NULL AND model_id IS NOT NULL AND request IS NOT NULL)
            AS is_call,
        coalesce(contains(lower(model_name), 'embed'), false) AS is_embedding,
        try_cast(status_text AS INTEGER) AS http,
        coalesce(nullif(last_usage ->> '$.service_tier', ''), event_tier) AS told_tier
    FROM counted
)

SELECT
    record_number,
    coalesce(is_call, false) AS is_call,
    CASE
        WHEN is_cut THEN '@message is not whole JSON: the export has cut it off'
        WHEN is_bare_query THEN 'the query result has no field @message: add it to the query'
        WHEN NOT coalesce(is_call, false) THEN NULL
        WHEN request IS NULL THEN 'requestId is missing'
        WHEN written_at IS NULL THEN 'timestamp is missing'
        WHEN started IS NULL THEN 'timestamp is not an ISO 8601 time: ' || left(written_at, 60)
        WHEN least(uncached, completion, reads, writes) < 0 THEN 'a token count is negative'
    END AS reject_reason,
    request AS dedupe_key,
    CASE WHEN has_usage THEN 4 ELSE 0 END + CASE WHEN writes IS NOT NULL THEN 2 ELSE 0 END
    + CASE WHEN body_kind IN ('OBJECT', 'ARRAY') THEN 1 ELSE 0 END AS dedupe_rank,
    request AS request_id,
    answer_id AS response_id,
    started AS started_at,
    coalesce(latency_ms, measured.invocationLatency) / 1000 AS duration_seconds,
    CASE WHEN operation LIKE '%Stream' THEN measured.firstByteLatency END / 1000
        AS time_to_first_token_seconds,
    operation LIKE '%Stream' AS stream,
    CASE
        WHEN is_embedding THEN 'embeddings'
        WHEN operation LIKE 'Converse%' THEN 'chat'
        WHEN coalesce(opening.type = 'message', false) THEN 'messages'
        ELSE 'invoke_model'
    END AS operation_name,
    operation AS endpoint,
    'aws.bedrock' AS provider_name,
    coalesce(served_region, called_region) AS region,
    resource AS deployment,
    tier_of(told_tier) AS service_tier,
    model_name AS request_model,
    answered_by AS response_model,
    -- The name with its geography (us., eu., global.) has the price that is charged; the answer's does not tell.
    CASE WHEN is_opaque THEN coalesce(answered_by, model_name) ELSE model_name END AS price_model,
    caller AS user_id,
    tag_map(
        json_pairs(request_metadata)
        || [
            {'key': 'account', 'value': account},
            {'key': 'called_region', 'value': CASE WHEN served_region <> called_region THEN called_region END},
            {'key': 'guardrail', 'value': CASE WHEN guardrail <> 'NONE' THEN lower(guardrail) END}
        ]
    ) AS tags,
    uncached AS input_uncached_tokens,
    CASE WHEN has_usage THEN coalesce(reads, 0) END AS cache_read_tokens,
    CASE WHEN has_usage THEN written_5m END AS cache_write_5m_tokens,
    CASE WHEN has_usage THEN written_1h END AS cache_write_1h_tokens,
    CASE WHEN is_embedding AND has_usage THEN coalesce(completion, 0) ELSE completion - coalesce(thinking, 0) END
        AS output_text_tokens,
    CASE WHEN has_usage THEN thinking END AS reasoning_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    try_cast(last_usage ->> '$.server_tool_use.web_search_requests' AS BIGINT) AS web_search_requests,
    CASE
        WHEN coalesce(reads, 0) + coalesce(writes, 0) > 0 AND told_total = uncached + completion
            THEN 'totalTokens (' || told_total || ') leaves no room for the cached tokens ('
            || (coalesce(reads, 0) + coalesce(writes, 0)) || ') beside the input: read as beside it'
        WHEN told_1h > coalesce(writes, 0)
            THEN 'cache writes of one hour (' || told_1h || ') exceed all cache writes (' || coalesce(writes, 0) || ')'
    END AS contradiction,
    CASE
        WHEN error_code IS NOT NULL OR http >= 400 THEN 'error'
        ELSE 'ok'
    END AS status,
    error_code AS error_type,
    http AS http_status
FROM named
