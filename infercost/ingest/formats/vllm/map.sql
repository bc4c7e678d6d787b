-- Answers of a vLLM server with a metrics object: OpenAI's shape, alone or in a line of the user's own.
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
                  "id": "VARCHAR", "object": "VARCHAR", "created": "VARCHAR", "created_at": "VARCHAR",
                  "model": "VARCHAR",
                  "usage": "JSON", "metrics": "JSON", "service_tier": "VARCHAR", "error": "JSON"}'
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
                      "id": "VARCHAR", "object": "VARCHAR", "created": "VARCHAR", "created_at": "VARCHAR",
                      "model": "VARCHAR",
                      "usage": "JSON", "metrics": "JSON", "service_tier": "VARCHAR", "error": "JSON"}'
                ),
                places[1], places[2], places[3]
            ],
            lambda part: part.metrics IS NOT NULL OR part.usage IS NOT NULL OR part.error IS NOT NULL
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
                created := created, created_at := created_at, model := model, usage := usage, metrics := metrics,
                service_tier := service_tier, error := error
            )
        END AS answer
    FROM chosen
),

counted AS (
    SELECT
        *,
        json_transform(
            answer.usage,
            '{"prompt_tokens": "VARCHAR", "input_tokens": "VARCHAR", "completion_tokens": "VARCHAR",
              "output_tokens": "VARCHAR",
              "prompt_tokens_details": {"cached_tokens": "BIGINT"}, "input_tokens_details": {"cached_tokens": "BIGINT"},
              "completion_tokens_details": {"reasoning_tokens": "BIGINT"},
              "output_tokens_details": {"reasoning_tokens": "BIGINT"}}'
        ) AS used,
        json_transform(
            answer.metrics,
            '{"time_to_first_token_ms": "DOUBLE", "generation_time_ms": "DOUBLE", "queue_time_ms": "DOUBLE"}'
        ) AS measured,
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
        try_cast(coalesce(used.prompt_tokens, used.input_tokens) AS BIGINT) AS prompt,
        try_cast(coalesce(used.completion_tokens, used.output_tokens) AS BIGINT) AS completion,
        coalesce(used.prompt_tokens_details.cached_tokens, used.input_tokens_details.cached_tokens) AS reads,
        coalesce(used.completion_tokens_details.reasoning_tokens, used.output_tokens_details.reasoning_tokens)
            AS reasoning,
        measured.time_to_first_token_ms AS first_token_ms,
        measured.generation_time_ms AS generation_ms,
        measured.queue_time_ms AS queue_ms,
        coalesce(answer.created, answer.created_at) AS created_text,
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
            ELSE coalesce(try_cast(stream AS BOOLEAN), try_cast(wanted.stream AS BOOLEAN))
        END AS streamed,
        coalesce(
            try_cast(outer_status AS INTEGER), try_cast(status_code AS INTEGER),
            try_cast(http_status AS INTEGER), try_cast(answer.error ->> '$.code' AS INTEGER)
        ) AS http,
        prompt IS NOT NULL OR completion IS NOT NULL AS has_usage,
        failure IS NOT NULL OR coalesce(http >= 400, false) AS failed,
        -- The chunks of a stream before the last one tell of nothing that the last one does not.
        has_usage OR failed
        OR (kind NOT LIKE '%.chunk' AND (kind <> '' OR generation_ms IS NOT NULL)) AS is_call
    FROM counted
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
        -- Attempts of one request share its id, so it alone does not tell them apart.
        concat_ws('|', nullif(request_id, ''), epoch_us(started), served, prompt, completion, took_ms, http)
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
    tier_of(answer.service_tier) AS service_tier,
    coalesce(asked, served) AS request_model,
    served AS response_model,
    coalesce(served, asked) AS price_model,
    coalesce(nullif(user_id, ''), nullif("user", ''), wanted."user") AS user_id,
    nullif(team, '') AS team_name,
    tag_map(
        json_pairs(metadata) || json_pairs(wanted.metadata)
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
