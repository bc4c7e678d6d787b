-- Answers of Ollama's own API: the last part of a stream or the whole, alone or in a line of the user's own.
WITH found AS (
    -- The answer may lie inside a line of the user's own logger, as JSON or as a text of it. One look into each place
    -- takes what is needed: every look parses the whole answer again and keeps the memory for it.
    SELECT
        *,
        coalesce(request.body, struct_pack(
            model := request.model, stream := request.stream, "user" := request."user", metadata := request.metadata
        )) AS wanted,
        list_transform(
            -- Ollama itself calls the text of an answer `response`, and that text may be JSON.
            CASE WHEN total_duration IS NULL AND done IS NULL THEN [response, body, output] END,
            lambda place: json_transform(
                CASE WHEN starts_with(place::VARCHAR, '"') THEN try_cast(place ->> '$' AS JSON) ELSE place END,
                '{"status_code": "VARCHAR", "body": "JSON",
                  "model": "VARCHAR", "created_at": "VARCHAR", "done": "VARCHAR", "total_duration": "VARCHAR",
                  "load_duration": "VARCHAR", "prompt_eval_count": "VARCHAR", "prompt_eval_duration": "VARCHAR",
                  "eval_count": "VARCHAR", "error": "JSON", "message": {"role": "VARCHAR"}, "embeddings": ["JSON"]}'
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
                      "model": "VARCHAR", "created_at": "VARCHAR", "done": "VARCHAR", "total_duration": "VARCHAR",
                      "load_duration": "VARCHAR", "prompt_eval_count": "VARCHAR", "prompt_eval_duration": "VARCHAR",
                      "eval_count": "VARCHAR", "error": "JSON", "message": {"role": "VARCHAR"}, "embeddings": ["JSON"]}'
                ),
                places[1], places[2], places[3]
            ],
            lambda part: part.total_duration IS NOT NULL OR part.done IS NOT NULL OR part.error IS NOT NULL
        )[1] AS inner_body
    FROM found
),

opened AS (
    SELECT
        * EXCLUDE (inner_body, message, embeddings),
        inner_body IS NOT NULL AS has_envelope,
        CASE
            WHEN inner_body IS NOT NULL THEN inner_body
            ELSE struct_pack(
                status_code := CAST(NULL AS VARCHAR), body := CAST(NULL AS JSON), model := model,
                created_at := created_at, done := done, total_duration := total_duration,
                load_duration := load_duration, prompt_eval_count := prompt_eval_count::VARCHAR,
                prompt_eval_duration := prompt_eval_duration, eval_count := eval_count::VARCHAR, error := error,
                message := message, embeddings := embeddings
            )
        END AS answer
    FROM chosen
),

told AS (
    SELECT
        *,
        nullif(answer.model, '') AS served,
        coalesce(nullif(wanted.model, ''), CASE WHEN has_envelope THEN nullif(model, '') END) AS asked,
        try_cast(answer.prompt_eval_count AS BIGINT) AS prompt,
        try_cast(answer.eval_count AS BIGINT) AS completion,
        try_cast(answer.total_duration AS BIGINT) AS total_ns,
        try_cast(answer.load_duration AS BIGINT) AS load_ns,
        try_cast(answer.prompt_eval_duration AS BIGINT) AS prompt_ns,
        coalesce(
            total_ns / 1e9, try_cast(duration_ms AS DOUBLE) / 1000, try_cast(latency_ms AS DOUBLE) / 1000
        ) AS took,
        nullif(answer.created_at, '') AS end_text,
        list_filter(
            list_transform(
                [started_at, start_time, "timestamp", "time", ts, logged_at],
                lambda written: CASE
                    WHEN try_cast(written AS DOUBLE) IS NULL THEN utc(written)
                    WHEN try_cast(written AS DOUBLE) BETWEEN 1e8 AND 1e11 THEN from_seconds(written)
                    WHEN try_cast(written AS DOUBLE) BETWEEN 1e11 AND 1e14 THEN from_milliseconds(written)
                END
            ),
            lambda moment: moment IS NOT NULL
        )[1] AS beside,
        -- Written when the answer is complete.
        coalesce(
            utc(end_text) - to_microseconds((CASE WHEN took BETWEEN 0 AND 1e9 THEN took ELSE 0 END * 1e6)::BIGINT),
            beside
        ) AS started,
        answer.embeddings IS NOT NULL AS is_embedding,
        answer.message IS NOT NULL AS is_chat,
        coalesce(try_cast(stream AS BOOLEAN), try_cast(wanted.stream AS BOOLEAN)) AS streamed,
        coalesce(
            try_cast(outer_status AS INTEGER), try_cast(status_code AS INTEGER),
            try_cast(http_status AS INTEGER), try_cast(answer.error ->> '$.code' AS INTEGER)
        ) AS http,
        coalesce(
            CASE WHEN json_type(answer.error) <> 'NULL' THEN answer.error END,
            CASE WHEN json_type(error) <> 'NULL' THEN error END
        ) AS failure,
        prompt IS NOT NULL OR completion IS NOT NULL AS has_usage,
        failure IS NOT NULL OR coalesce(http >= 400, false) AS failed,
        has_usage OR failed OR total_ns IS NOT NULL AS is_call
    FROM opened
)

SELECT
    record_number,
    is_call,
    CASE
        WHEN NOT is_call THEN NULL
        WHEN end_text IS NOT NULL AND started IS NULL THEN 'created_at is no time: ' || left(end_text, 60)
        WHEN started IS NULL THEN 'created_at is missing, and the record has no timestamp'
        WHEN least(prompt, completion, total_ns) < 0 THEN 'a token count or a duration is negative'
    END AS reject_reason,
    concat_ws(
        '|', coalesce(end_text, epoch_us(beside)::VARCHAR), nullif(request_id, ''), served, prompt, completion,
        total_ns, prompt_ns, CASE WHEN NOT has_usage THEN http END
    ) AS dedupe_key,
    CASE WHEN has_usage THEN 1 ELSE 0 END AS dedupe_rank,
    nullif(request_id, '') AS request_id,
    nullif(trace_id, '') AS trace_id,
    nullif(session_id, '') AS session_id,
    started AS started_at,
    CASE WHEN took BETWEEN 0 AND 1e9 THEN took END AS duration_seconds,
    CASE WHEN streamed AND prompt_ns >= 0 THEN (greatest(load_ns, 0) + prompt_ns) / 1e9 END
        AS time_to_first_token_seconds,
    streamed AS stream,
    CASE WHEN is_embedding THEN 'embeddings' WHEN is_chat THEN 'chat' WHEN has_usage THEN 'text_completion' END
        AS operation_name,
    'ollama' AS provider_name,
    coalesce(asked, served) AS request_model,
    served AS response_model,
    coalesce(served, asked) AS price_model,
    coalesce(nullif(user_id, ''), nullif("user", ''), wanted."user") AS user_id,
    nullif(team, '') AS team_name,
    tag_map(
        json_pairs(metadata) || json_pairs(wanted.metadata)
        || [{'key': 'feature', 'value': feature}, {'key': 'environment', 'value': environment}]
    ) AS tags,
    prompt AS input_uncached_tokens,
    CASE WHEN is_embedding AND has_usage THEN 0 ELSE completion END AS output_text_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
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
