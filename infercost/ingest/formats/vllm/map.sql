-- Answers of a vLLM server with a metrics object: OpenAI's shape, alone or in a line of the user's own.
WITH opened AS (
    SELECT
        *,
        try_cast(response ->> '$' AS JSON) AS outer_response,
        try_cast(request ->> '$' AS JSON) AS request_json,
        coalesce(try_cast(request_json ->> '$.body' AS JSON), request_json) AS wanted,
        -- The answer may lie inside a line of the user's own logger.
        list_filter(
            [
                try_cast(outer_response ->> '$.body' AS JSON), outer_response, try_cast(body ->> '$' AS JSON),
                try_cast(output ->> '$' AS JSON)
            ],
            lambda part: json_type(part) = 'OBJECT' AND (
                json_exists(part, '$.metrics') OR json_exists(part, '$.usage') OR json_exists(part, '$.error')
            )
        )[1] AS inner_body,
        inner_body IS NOT NULL AS has_envelope,
        coalesce(
            inner_body,
            json_object(
                'id', id, 'object', object, 'created', created, 'created_at', created_at, 'model', model,
                'usage', usage, 'metrics', metrics, 'service_tier', service_tier, 'error', error
            )
        ) AS answer
    FROM records
),

told AS (
    SELECT
        *,
        CASE WHEN json_type(answer, '$.usage') = 'OBJECT' THEN answer -> '$.usage' END AS used,
        coalesce(answer ->> '$.object', '') AS kind,
        nullif(answer ->> '$.id', '') AS answer_id,
        nullif(answer ->> '$.model', '') AS served,
        coalesce(nullif(wanted ->> '$.model', ''), CASE WHEN has_envelope THEN nullif(model, '') END) AS asked,
        try_cast(coalesce(used ->> '$.prompt_tokens', used ->> '$.input_tokens') AS BIGINT) AS prompt,
        try_cast(coalesce(used ->> '$.completion_tokens', used ->> '$.output_tokens') AS BIGINT) AS completion,
        coalesce(used -> '$.prompt_tokens_details', used -> '$.input_tokens_details') AS details_in,
        coalesce(used -> '$.completion_tokens_details', used -> '$.output_tokens_details') AS details_out,
        try_cast(details_in ->> '$.cached_tokens' AS BIGINT) AS reads,
        try_cast(details_out ->> '$.reasoning_tokens' AS BIGINT) AS reasoning,
        try_cast(answer ->> '$.metrics.time_to_first_token_ms' AS DOUBLE) AS first_token_ms,
        try_cast(answer ->> '$.metrics.generation_time_ms' AS DOUBLE) AS generation_ms,
        try_cast(answer ->> '$.metrics.queue_time_ms' AS DOUBLE) AS queue_ms,
        coalesce(answer ->> '$.created', answer ->> '$.created_at') AS created_text,
        coalesce(from_seconds(nullif(try_cast(created_text AS DOUBLE), 0)), list_filter(
            list_transform(
                [started_at, start_time, "timestamp", "time", ts, logged_at],
                lambda written: CASE
                    WHEN try_cast(written AS DOUBLE) IS NULL THEN utc(written)
                    WHEN try_cast(written AS DOUBLE) BETWEEN 1e8 AND 1e11 THEN from_seconds(written)
                    WHEN try_cast(written AS DOUBLE) BETWEEN 1e11 AND 1e14 THEN from_milliseconds(written)
                END
            ),
            lambda moment: moment IS NOT NULL
        )[1]) AS started,
        -- The first token is counted from when the request left the queue, the generation from the first token.
        coalesce(
            coalesce(queue_ms, 0) + first_token_ms + generation_ms, try_cast(duration_ms AS DOUBLE),
            try_cast(latency_ms AS DOUBLE)
        ) AS took_ms,
        CASE
            WHEN kind LIKE '%.chunk' THEN true
            ELSE coalesce(try_cast(stream AS BOOLEAN), try_cast(wanted ->> '$.stream' AS BOOLEAN))
        END AS streamed,
        coalesce(
            try_cast(outer_response ->> '$.status_code' AS INTEGER), try_cast(status_code AS INTEGER),
            try_cast(http_status AS INTEGER), try_cast(answer ->> '$.error.code' AS INTEGER)
        ) AS http,
        coalesce(
            CASE WHEN json_type(answer, '$.error') NOT IN ('NULL') THEN answer -> '$.error' END,
            CASE WHEN json_type(error) NOT IN ('NULL') THEN error END
        ) AS failure,
        prompt IS NOT NULL OR completion IS NOT NULL AS has_usage,
        failure IS NOT NULL OR coalesce(http >= 400, false) AS failed,
        -- The chunks of a stream before the last one tell of nothing that the last one does not.
        has_usage OR failed
        OR (kind NOT LIKE '%.chunk' AND (kind <> '' OR json_exists(answer, '$.metrics.generation_time_ms'))) AS is_call
    FROM opened
)

SELECT
    record_number,
    is_call,
    CASE
        WHEN NOT is_call THEN NULL
        WHEN started IS NULL THEN 'created is missing, and the record has no timestamp'
        WHEN least(prompt, completion, reads, reasoning) < 0 THEN 'a token count is negative'
    END AS reject_reason,
    coalesce(
        answer_id || '|' || coalesce(created_text, epoch_us(started)::VARCHAR),
        nullif(request_id, ''),
        concat_ws('|', epoch_us(started), served, prompt, completion, took_ms, http)
    ) AS dedupe_key,
    CASE WHEN has_usage THEN 1 + coalesce(completion, 0) ELSE 0 END AS dedupe_rank,
    coalesce(nullif(request_id, ''), answer_id) AS request_id,
    CASE WHEN length(answer_id) >= 20 THEN answer_id END AS response_id,
    nullif(trace_id, '') AS trace_id,
    nullif(session_id, '') AS session_id,
    started AS started_at,
    CASE WHEN took_ms BETWEEN 0 AND 1e12 THEN took_ms / 1000 END AS duration_seconds,
    CASE WHEN streamed AND first_token_ms BETWEEN 0 AND 1e12 THEN first_token_ms / 1000 END
        AS time_to_first_token_seconds,
    streamed AS stream,
    CASE
        WHEN kind = 'text_completion' THEN 'text_completion'
        WHEN kind = 'response' THEN 'responses'
        WHEN starts_with(kind, 'chat.') THEN 'chat'
    END AS operation_name,
    'vllm' AS provider_name,
    tier_of(answer ->> '$.service_tier') AS service_tier,
    coalesce(asked, served) AS request_model,
    served AS response_model,
    coalesce(served, asked) AS price_model,
    coalesce(nullif(user_id, ''), nullif("user", ''), wanted ->> '$.user') AS user_id,
    nullif(team, '') AS team_name,
    tag_map(
        json_pairs(metadata) || json_pairs(wanted -> '$.metadata')
        || [{'key': 'feature', 'value': feature}, {'key': 'environment', 'value': environment}]
    ) AS tags,
    CASE WHEN has_usage THEN apart(prompt, reads) END AS input_uncached_tokens,
    CASE WHEN has_usage THEN reads END AS cache_read_tokens,
    CASE WHEN has_usage THEN apart(completion, reasoning) END AS output_text_tokens,
    CASE WHEN has_usage THEN reasoning END AS reasoning_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    coalesce(
        not_included(prompt, reads, 'prompt_tokens', 'cached_tokens'),
        not_included(completion, reasoning, 'completion_tokens', 'reasoning_tokens')
    ) AS contradiction,
    CASE WHEN http = 499 THEN 'cancelled' WHEN failed THEN 'error' ELSE 'ok' END AS status,
    CASE
        WHEN failed THEN coalesce(
            list_filter(
                [failure ->> '$.type', failure ->> '$.code', failure ->> '$'],
                -- A class of errors is one word; anything else may be a message that repeats a prompt.
                lambda name: regexp_full_match(name, '[A-Za-z0-9_.:-]{1,64}') AND try_cast(name AS INTEGER) IS NULL
            )[1],
            'http_' || http, 'error'
        )
    END AS error_type,
    coalesce(http, CASE WHEN has_usage AND NOT failed THEN 200 END) AS http_status
FROM told
