-- Answers of llama.cpp's server: OpenAI's shape or its own, both with timings; alone or in a line of the user's own.
WITH found AS (
    -- The answer may lie inside a line of the user's own logger, as JSON or as a text of it. One look into each place
    -- takes what is needed: every look parses the whole answer again and keeps the memory for it.
    SELECT
        *,
        coalesce(request.body, struct_pack(
            model := request.model, stream := request.stream, "user" := request."user", metadata := request.metadata
        )) AS wanted,
        list_transform(
            [response, body, output],
            lambda place: json_transform(
                CASE WHEN starts_with(place::VARCHAR, '"') THEN try_cast(place ->> '$' AS JSON) ELSE place END,
                '{"status_code": "VARCHAR", "body": "JSON",
                  "id": "VARCHAR", "object": "VARCHAR", "created": "VARCHAR", "model": "VARCHAR", "usage": "JSON",
                  "timings": "JSON", "tokens_evaluated": "VARCHAR", "tokens_predicted": "VARCHAR", "error": "JSON"}'
            )
        ) AS places
    FROM records
),

chosen AS (
    SELECT
        * EXCLUDE (response, body, output, places),
        places[1].status_code AS outer_status,
        list_filter(
            [
                json_transform(
                    CASE
                        WHEN starts_with(places[1].body::VARCHAR, '"')
                            THEN try_cast(places[1].body ->> '$' AS JSON)
                        ELSE places[1].body
                    END,
                    '{"status_code": "VARCHAR", "body": "JSON",
                          "id": "VARCHAR", "object": "VARCHAR", "created": "VARCHAR", "model": "VARCHAR",
                          "usage": "JSON",
                      "timings": "JSON", "tokens_evaluated": "VARCHAR", "tokens_predicted": "VARCHAR", "error": "JSON"}'
                ),
                places[1], places[2], places[3]
            ],
            lambda part: part.timings IS NOT NULL OR part.usage IS NOT NULL OR part.error IS NOT NULL
                OR part.object IS NOT NULL
        )[1] AS inner_body
    FROM found
),

opened AS (
    SELECT
        * EXCLUDE (inner_body),
        inner_body IS NOT NULL AS has_envelope,
        CASE
            WHEN inner_body IS NOT NULL THEN inner_body
            ELSE struct_pack(
                status_code := CAST(NULL AS VARCHAR), body := CAST(NULL AS JSON), id := id, object := object,
                created := created, model := model, usage := usage, timings := timings,
                tokens_evaluated := tokens_evaluated, tokens_predicted := tokens_predicted, error := error
            )
        END AS answer
    FROM chosen
),

counted AS (
    SELECT
        *,
        json_transform(
            answer.usage,
            '{"prompt_tokens": "VARCHAR", "completion_tokens": "VARCHAR",
              "prompt_tokens_details": {"cached_tokens": "BIGINT"}}'
        ) AS used,
        json_transform(
            answer.timings,
            '{"cache_n": "BIGINT", "prompt_n": "BIGINT", "prompt_ms": "DOUBLE", "predicted_n": "VARCHAR",
              "predicted_ms": "DOUBLE"}'
        ) AS timed,
        CASE
            WHEN json_type(answer.error) <> 'NULL' THEN answer.error
            WHEN json_type(error) <> 'NULL' THEN error
        END AS failure
    FROM opened
),

told AS (
    SELECT
        *,
        coalesce(answer.object, '') AS kind,
        nullif(answer.id, '') AS answer_id,
        nullif(answer.model, '') AS served,
        coalesce(nullif(wanted.model, ''), CASE WHEN has_envelope THEN nullif(model, '') END) AS asked,
        timed.cache_n AS told_cache,
        timed.prompt_n AS evaluated,
        try_cast(coalesce(used.prompt_tokens, answer.tokens_evaluated) AS BIGINT) AS prompt,
        used.prompt_tokens_details.cached_tokens AS told_reads,
        try_cast(
            coalesce(timed.predicted_n, used.completion_tokens, answer.tokens_predicted) AS BIGINT
        ) AS completion,
        timed.prompt_ms AS prompt_ms,
        timed.predicted_ms AS predicted_ms,
        -- Before it had cache_n the server told the whole prompt and the evaluated part of it all the same.
        coalesce(told_cache, told_reads, CASE WHEN prompt >= evaluated THEN prompt - evaluated END) AS reads,
        coalesce(evaluated, apart(prompt, reads)) AS fresh,
        coalesce(from_seconds(nullif(try_cast(answer.created AS DOUBLE), 0)), list_filter(
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
            ELSE coalesce(try_cast(stream AS BOOLEAN), try_cast(wanted.stream AS BOOLEAN))
        END AS streamed,
        coalesce(
            try_cast(outer_status AS INTEGER), try_cast(status_code AS INTEGER),
            try_cast(http_status AS INTEGER), try_cast(answer.error ->> '$.code' AS INTEGER)
        ) AS http,
        fresh IS NOT NULL OR completion IS NOT NULL AS has_usage,
        failure IS NOT NULL OR coalesce(http >= 400, false) AS failed,
        has_usage OR failed OR (kind <> '' AND kind NOT LIKE '%.chunk') AS is_call
    FROM counted
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
        answer_id || '|' || coalesce(answer.created, epoch_us(started)::VARCHAR),
        -- Attempts of one request share its id, so it alone does not tell them apart.
        concat_ws('|', nullif(request_id, ''), epoch_us(started), served, reads, fresh, completion, took_ms, http)
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
    coalesce(nullif(user_id, ''), nullif("user", ''), wanted."user") AS user_id,
    nullif(team, '') AS team_name,
    tag_map(
        json_pairs(metadata) || json_pairs(wanted.metadata)
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
