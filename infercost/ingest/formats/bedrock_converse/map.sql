-- Answers of Bedrock's Converse API, alone or in an envelope of the user's own logger. Texts of answers are never read.
WITH located AS (
    SELECT
        *,
        try_cast(response ->> '$' AS JSON) AS response_json,
        list_filter(
            [try_cast(response_json ->> '$.body' AS JSON), response_json, try_cast(body ->> '$' AS JSON)],
            lambda part: json_type(part) = 'OBJECT' AND (
                json_exists(part, '$.usage') OR json_exists(part, '$.ResponseMetadata') OR json_exists(part, '$.Error')
            )
        )[1] AS inner_body,
        inner_body IS NOT NULL OR response IS NOT NULL OR body IS NOT NULL AS has_envelope,
        coalesce(
            inner_body,
            CASE
                WHEN NOT has_envelope THEN json_object(
                    'usage', usage, 'metrics', metrics, 'ResponseMetadata', "ResponseMetadata",
                    'serviceTier', "serviceTier", 'performanceConfig', "performanceConfig"
                )
            END
        ) AS answer
    FROM records
),

opened AS (
    SELECT
        *,
        CASE WHEN json_type(answer, '$.usage.inputTokens') IS NOT NULL THEN answer -> '$.usage' END AS used,
        coalesce(answer -> '$.ResponseMetadata', "ResponseMetadata") AS transport,
        nullif(coalesce(request.modelId, modelId, request.model, model_id, model), '') AS model_name,
        nullif(transport ->> '$.RequestId', '') AS aws_request,
        coalesce(
            aws_request, nullif(request_id, ''), CASE WHEN has_envelope THEN nullif(id, '') END
        ) AS request_name,
        try_cast(used ->> '$.inputTokens' AS BIGINT) AS uncached,
        try_cast(used ->> '$.outputTokens' AS BIGINT) AS completion,
        try_cast(used ->> '$.totalTokens' AS BIGINT) AS told_total,
        -- Two names of one number.
        try_cast(coalesce(used ->> '$.cacheReadInputTokens', used ->> '$.cacheReadInputTokenCount') AS BIGINT) AS reads,
        try_cast(coalesce(used ->> '$.cacheWriteInputTokens', used ->> '$.cacheWriteInputTokenCount') AS BIGINT)
            AS writes,
        list_sum(
            list_transform(
                list_filter(
                    try_cast(used -> '$.cacheDetails' AS STRUCT(ttl VARCHAR, "inputTokens" BIGINT)[]),
                    lambda each: lower(each.ttl) = '1h'
                ),
                lambda each: each.inputTokens
            )
        )::BIGINT AS told_1h
    FROM located
),

timed AS (
    SELECT
        *,
        coalesce(
            list_filter(
                list_transform(
                    [
                        started_at, start_time, "timestamp", "time", ts, created_at, logged_at, completed_at, ended_at
                    ],
                    lambda written: CASE
                        WHEN try_cast(written AS DOUBLE) IS NULL THEN utc(written)
                        -- The magnitude tells seconds from milliseconds, microseconds and nanoseconds.
                        WHEN try_cast(written AS DOUBLE) BETWEEN 1e8 AND 1e11 THEN from_seconds(written)
                        WHEN try_cast(written AS DOUBLE) BETWEEN 1e11 AND 1e14 THEN from_milliseconds(written)
                        WHEN try_cast(written AS DOUBLE) BETWEEN 1e14 AND 1e17 THEN epoch_time(written, 1)
                        WHEN try_cast(written AS DOUBLE) > 1e17 THEN from_nanoseconds(written)
                    END
                ),
                lambda moment: moment IS NOT NULL
            )[1],
            try_strptime(transport ->> '$.HTTPHeaders.date', '%a, %d %b %Y %H:%M:%S GMT') AT TIME ZONE 'UTC'
        ) AS started,
        coalesce(
            try_cast(answer ->> '$.metrics.latencyMs' AS DOUBLE) / 1000, try_cast(duration_ms AS DOUBLE) / 1000,
            try_cast(latency_ms AS DOUBLE) / 1000, try_cast(duration_seconds AS DOUBLE)
        ) AS duration,
        coalesce(try_cast(ttft_ms AS DOUBLE), try_cast(time_to_first_token_ms AS DOUBLE)) / 1000 AS first_token,
        try_cast(stream AS BOOLEAN) OR operation = 'ConverseStream' AS streamed,
        coalesce(
            try_cast(transport ->> '$.HTTPStatusCode' AS INTEGER), try_cast(status_code AS INTEGER),
            try_cast(http_status AS INTEGER), try_cast(status AS INTEGER)
        ) AS http,
        coalesce(
            answer ->> '$.Error.Code', nullif(errorCode, ''), error ->> '$.Code', error ->> '$.code',
            error ->> '$.type',
            CASE WHEN json_type(error) = 'VARCHAR' THEN error ->> '$' END
        ) AS told_error,
        nullif(regexp_extract(model_name, '^arn(:[^:]*){4}:(.*)$', 2), '') AS resource,
        coalesce(regexp_extract(resource, '([^/]+)$', 1), model_name) AS bare_model,
        try_cast(transport ->> '$.RetryAttempts' AS INTEGER) AS retries,
        coalesce(uncached, completion) IS NOT NULL AS has_usage,
        least(coalesce(told_1h, 0), coalesce(writes, 0)) AS written_1h
    FROM opened
),

judged AS (
    SELECT
        *,
        told_error IS NOT NULL OR coalesce(http >= 400, false) AS failed,
        has_usage OR failed AS is_call
    FROM timed
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN started IS NULL
            THEN 'the answer has no time: write it with a timestamp beside it, or with its ResponseMetadata'
        WHEN least(uncached, completion, reads, writes) < 0 THEN 'a token count is negative'
    END AS reject_reason,
    -- An id that the application gave may stand for several calls; that of AWS is one call's.
    coalesce(
        aws_request,
        concat_ws('|', request_name, epoch_us(started), model_name, md5(concat_ws('|', used, told_error)))
    ) AS dedupe_key,
    -- The record of the invocation log knows more of the call than the application does.
    CASE WHEN has_usage THEN 3 ELSE 0 END AS dedupe_rank,
    request_name AS request_id,
    nullif(trace_id, '') AS trace_id,
    coalesce(nullif(session_id, ''), nullif(conversation_id, '')) AS session_id,
    started AS started_at,
    CASE WHEN duration >= 0 THEN duration END AS duration_seconds,
    CASE WHEN streamed AND first_token >= 0 THEN first_token END AS time_to_first_token_seconds,
    streamed AS stream,
    'chat' AS operation_name,
    -- What follows the path may be a key.
    split_part(coalesce(nullif(endpoint, ''), nullif(url, ''), operation), '?', 1) AS endpoint,
    'aws.bedrock' AS provider_name,
    coalesce(nullif(deployment, ''), resource) AS deployment,
    nullif(region, '') AS region,
    tier_of(
        coalesce(
            answer ->> '$.serviceTier.type',
            CASE WHEN answer ->> '$.performanceConfig.latency' = 'optimized' THEN 'latency-optimized' END
        )
    ) AS service_tier,
    bare_model AS request_model,
    bare_model AS price_model,
    nullif(team, '') AS team_name,
    nullif(user_id, '') AS user_id,
    nullif(api_key_id, '') AS api_key_id,
    nullif(api_key_name, '') AS api_key_name,
    retries + 1 AS attempt_number,
    retries AS unlogged_attempts,
    CASE WHEN retries > 0 THEN true END AS is_retry,
    tag_map(
        json_pairs(metadata) || json_pairs(tags) || json_pairs(request.requestMetadata)
        || [{'key': 'feature', 'value': feature}, {'key': 'environment', 'value': environment}]
    ) AS tags,
    uncached AS input_uncached_tokens,
    CASE WHEN has_usage THEN coalesce(reads, 0) END AS cache_read_tokens,
    CASE WHEN has_usage THEN coalesce(writes, 0) - written_1h END AS cache_write_5m_tokens,
    CASE WHEN has_usage THEN written_1h END AS cache_write_1h_tokens,
    completion AS output_text_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE
        WHEN coalesce(reads, 0) + coalesce(writes, 0) > 0 AND told_total = uncached + completion
            THEN 'totalTokens (' || told_total || ') leaves no room for the cached tokens ('
            || (coalesce(reads, 0) + coalesce(writes, 0)) || ') beside inputTokens: read as beside it'
        WHEN told_1h > coalesce(writes, 0)
            THEN 'cache writes of one hour (' || told_1h || ') exceed all cache writes (' || coalesce(writes, 0) || ')'
    END AS contradiction,
    CASE WHEN failed THEN 'error' ELSE 'ok' END AS status,
    CASE
        -- A class of errors is one word; anything else may be a message that repeats a prompt.
        WHEN failed AND regexp_full_match(told_error, '[A-Za-z0-9_.:-]{1,64}') THEN told_error
    END AS error_type,
    http AS http_status,
    try_cast(cost_usd AS DECIMAL(18, 12)) AS reported_cost
FROM judged
WHERE is_call
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM judged
WHERE NOT coalesce(is_call, false)
