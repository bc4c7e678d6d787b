-- Answers of llama.cpp's server: OpenAI's shape or its own, both with timings; alone or in a line of the user's own.
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
                json_exists(part, '$.timings') OR json_exists(part, '$.usage') OR json_exists(part, '$.error')
            )
        )[1] AS inner_body,
        inner_body IS NOT NULL AS has_envelope,
        coalesce(
            inner_body,
            json_object(
                'id', id, 'object', object, 'created', created, 'model', model, 'usage', usage, 'timings', timings,
                'tokens_evaluated', tokens_evaluated, 'tokens_predicted', tokens_predicted, 'stop', stop, 'error', error
            )
        ) AS answer
    FROM records
),

told AS (
    SELECT
        *,
        coalesce(answer ->> '$.object', '') AS kind,
        nullif(answer ->> '$.id', '') AS answer_id,
        nullif(answer ->> '$.model', '') AS served,
        coalesce(nullif(wanted ->> '$.model', ''), CASE WHEN has_envelope THEN nullif(model, '') END) AS asked,
        try_cast(answer ->> '$.timings.cache_n' AS BIGINT) AS told_cache,
        try_cast(answer ->> '$.timings.prompt_n' AS BIGINT) AS evaluated,
        try_cast(coalesce(answer ->> '$.usage.prompt_tokens', answer ->> '$.tokens_evaluated') AS BIGINT) AS prompt,
        try_cast(answer ->> '$.usage.prompt_tokens_details.cached_tokens' AS BIGINT) AS told_reads,
        try_cast(
            coalesce(
                answer ->> '$.timings.predicted_n', answer ->> '$.usage.completion_tokens',
                answer ->> '$.tokens_predicted'
            ) AS BIGINT
        ) AS completion,
        try_cast(answer ->> '$.timings.prompt_ms' AS DOUBLE) AS prompt_ms,
        try_cast(answer ->> '$.timings.predicted_ms' AS DOUBLE) AS predicted_ms,
        -- Before it had cache_n the server told the whole prompt and the evaluated part of it all the same.
        coalesce(told_cache, told_reads, CASE WHEN prompt >= evaluated THEN prompt - evaluated END) AS reads,
        coalesce(evaluated, apart(prompt, reads)) AS fresh,
        coalesce(from_seconds(nullif(try_cast(answer ->> '$.created' AS DOUBLE), 0)), list_filter(
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
        coalesce(prompt_ms + predicted_ms, try_cast(duration_ms AS DOUBLE), try_cast(latency_ms AS DOUBLE)) AS took_ms,
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
        fresh IS NOT NULL OR completion IS NOT NULL AS has_usage,
        failure IS NOT NULL OR coalesce(http >= 400, false) AS failed,
        has_usage OR failed OR (kind <> '' AND kind NOT LIKE '%.chunk') AS is_call
    FROM opened
)

SELECT
    record_number,
    is_call,
    CASE
        WHEN NOT is_call THEN NULL
        WHEN started IS NULL
            THEN 'created is missing: a native answer has no time, write a line with a timestamp around it'
        WHEN least(evaluated, completion, told_cache, prompt) < 0 THEN 'a token count is negative'
    END AS reject_reason,
    coalesce(
        answer_id || '|' || coalesce(answer ->> '$.created', epoch_us(started)::VARCHAR),
        nullif(request_id, ''),
        concat_ws('|', epoch_us(started), served, reads, fresh, completion, took_ms, http)
    ) AS dedupe_key,
    CASE WHEN has_usage THEN 1 + coalesce(completion, 0) ELSE 0 END AS dedupe_rank,
    coalesce(nullif(request_id, ''), answer_id) AS request_id,
    CASE WHEN length(answer_id) >= 20 THEN answer_id END AS response_id,
    nullif(trace_id, '') AS trace_id,
    nullif(session_id, '') AS session_id,
    started AS started_at,
    CASE WHEN took_ms BETWEEN 0 AND 1e12 THEN took_ms / 1000 END AS duration_seconds,
    CASE WHEN streamed AND prompt_ms BETWEEN 0 AND 1e12 THEN prompt_ms / 1000 END AS time_to_first_token_seconds,
    streamed AS stream,
    CASE
        WHEN starts_with(kind, 'chat.') THEN 'chat'
        WHEN kind = 'text_completion' OR has_usage THEN 'text_completion'
    END AS operation_name,
    'llama_cpp' AS provider_name,
    coalesce(asked, served) AS request_model,
    served AS response_model,
    coalesce(served, asked) AS price_model,
    coalesce(nullif(user_id, ''), nullif("user", ''), wanted ->> '$.user') AS user_id,
    nullif(team, '') AS team_name,
    tag_map(
        json_pairs(metadata) || json_pairs(wanted -> '$.metadata')
        || [{'key': 'feature', 'value': feature}, {'key': 'environment', 'value': environment}]
    ) AS tags,
    CASE WHEN has_usage THEN fresh END AS input_uncached_tokens,
    CASE WHEN has_usage THEN reads END AS cache_read_tokens,
    CASE WHEN has_usage THEN completion END AS output_text_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE
        WHEN told_cache + evaluated <> prompt
            THEN 'the prompt (' || prompt || ') is not cache_n (' || told_cache || ') and prompt_n (' || evaluated
            || ') together: read from timings'
    END AS contradiction,
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
