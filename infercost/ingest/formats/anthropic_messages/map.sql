-- Answers of Anthropic's Messages API: bodies alone, in an envelope of the user's own logger, or in the results of a
-- message batch. One record is one call; with usage.iterations it may be several. Texts of answers are never read.
WITH located AS (
    -- A logger may write the body, or the whole HTTP response, as a text that holds JSON. One look into each place
    -- takes what is needed: every look parses the whole answer again and keeps the memory for it.
    SELECT
        * EXCLUDE (response, body, result),
        response IS NOT NULL OR body IS NOT NULL AS has_place,
        list_transform(
            [response, body],
            lambda place: json_transform(
                CASE WHEN starts_with(place::VARCHAR, '"') THEN try_cast(place ->> '$' AS JSON) ELSE place END,
                '{"status_code": "VARCHAR", "body": "JSON",
                  "id": "VARCHAR", "type": "VARCHAR", "model": "VARCHAR", "stop_reason": "VARCHAR",
                  "usage": "JSON", "error": "JSON", "request_id": "VARCHAR"}'
            )
        ) AS places,
        coalesce(result.type, '') AS outcome,
        coalesce(custom_id IS NOT NULL AND result IS NOT NULL, false) AS is_batch,
        result.message AS batch_answer,
        result.error AS batch_error
    FROM records
),

chosen AS (
    SELECT
        * EXCLUDE (places),
        places[1].status_code AS response_status,
        places[1].request_id AS response_request_id,
        list_filter(
            [
                batch_answer,
                json_transform(
                    batch_error,
                    '{"id": "VARCHAR", "type": "VARCHAR", "model": "VARCHAR", "stop_reason": "VARCHAR",
                      "usage": "JSON", "error": "JSON", "request_id": "VARCHAR"}'
                ),
                json_transform(
                    CASE
                        WHEN starts_with(places[1].body::VARCHAR, '"')
                            THEN try_cast(places[1].body ->> '$' AS JSON)
                        ELSE places[1].body
                    END,
                    '{"id": "VARCHAR", "type": "VARCHAR", "model": "VARCHAR", "stop_reason": "VARCHAR",
                      "usage": "JSON", "error": "JSON", "request_id": "VARCHAR"}'
                ),
                struct_pack(
                    id := places[1].id, type := places[1].type, model := places[1].model,
                    stop_reason := places[1].stop_reason, usage := places[1].usage, error := places[1].error,
                    request_id := places[1].request_id
                ),
                struct_pack(
                    id := places[2].id, type := places[2].type, model := places[2].model,
                    stop_reason := places[2].stop_reason, usage := places[2].usage, error := places[2].error,
                    request_id := places[2].request_id
                )
            ],
            lambda part: part.usage IS NOT NULL OR part.stop_reason IS NOT NULL OR part.error IS NOT NULL
                OR part.type LIKE '%error'
        )[1] AS inner_body
    FROM located
),

bodied AS (
    SELECT
        * EXCLUDE (inner_body),
        is_batch OR inner_body IS NOT NULL OR has_place AS has_envelope,
        CASE
            WHEN inner_body IS NOT NULL THEN inner_body
            -- The record itself, as far as its names are those of a body.
            WHEN NOT is_batch AND NOT has_place THEN struct_pack(
                id := id, type := type, model := model, stop_reason := CAST(NULL AS VARCHAR), usage := usage,
                error := error, request_id := request_id
            )
        END AS answer
    FROM chosen
),

opened AS (
    SELECT
        *,
        json_transform(
            CASE WHEN json_type(answer.usage) = 'OBJECT' THEN answer.usage END,
            '{"input_tokens": "BIGINT", "output_tokens": "BIGINT", "cache_read_input_tokens": "BIGINT",
              "cache_creation_input_tokens": "BIGINT", "input_tokens_details": "JSON",
              "cache_creation": {"ephemeral_5m_input_tokens": "BIGINT", "ephemeral_1h_input_tokens": "BIGINT"},
              "output_tokens_details": {"thinking_tokens": "BIGINT"},
              "server_tool_use": {"web_search_requests": "BIGINT"},
              "service_tier": "VARCHAR", "speed": "VARCHAR", "inference_geo": "VARCHAR",
              "iterations": [{"type": "VARCHAR", "model": "VARCHAR", "input_tokens": "BIGINT",
                "output_tokens": "BIGINT", "cache_read_input_tokens": "BIGINT",
                "cache_creation_input_tokens": "BIGINT", "cache_creation": {
                  "ephemeral_5m_input_tokens": "BIGINT", "ephemeral_1h_input_tokens": "BIGINT"}}]}'
        ) AS used,
        -- An error of the API stands in `error`, that of a batch one level deeper.
        list_filter(
            [answer.error -> '$.error', answer.error, CASE WHEN outcome = 'errored' THEN to_json(answer) END],
            lambda part: json_type(part) = 'OBJECT'
        )[1] AS told_error
    FROM bodied
),

counted AS (
    SELECT
        * REPLACE (
            -- Details of the input are the shape of OpenAI's Responses API, whose answers may stand in the same file.
            CASE
                WHEN coalesce(used.input_tokens, used.output_tokens) IS NOT NULL AND used.input_tokens_details IS NULL
                    THEN used
            END AS used
        ),
        answer.type AS kind,
        nullif(answer.model, '') AS served,
        nullif(
            coalesce(request.body.model, request.model, CASE WHEN has_envelope THEN model END), ''
        ) AS wanted,
        coalesce(used.iterations, []) AS told_iterations,
        list_filter(told_iterations, lambda part: part.type IN ('message', 'fallback_message')) AS sampled,
        -- Iterations of the one model add up to the top level; others are not in it, or have another price.
        len(list_filter(told_iterations, lambda part: part.type <> 'message')) > 0 AS is_split,
        list_position(list_transform(told_iterations, lambda part: part.type = sampled[1].type), true) AS main_position,
        coalesce(used.input_tokens, 0) + coalesce(used.output_tokens, 0) + coalesce(used.cache_read_input_tokens, 0)
        + coalesce(used.cache_creation_input_tokens, 0) AS top_tokens
    FROM opened
),

checked AS (
    SELECT
        *,
        coalesce(
            list_sum(
                list_transform(
                    list_filter(told_iterations, lambda part: part.type = 'message'),
                    lambda part: part.input_tokens + part.output_tokens + coalesce(part.cache_read_input_tokens, 0)
                    + coalesce(part.cache_creation_input_tokens, 0)
                )
            )::BIGINT,
            0
        ) AS message_tokens,
        coalesce(
            list_sum(
                list_transform(
                    list_filter(told_iterations, lambda part: part.type = 'fallback_message'),
                    lambda part: part.input_tokens + part.output_tokens + coalesce(part.cache_read_input_tokens, 0)
                    + coalesce(part.cache_creation_input_tokens, 0)
                )
            )::BIGINT,
            0
        ) AS fallback_tokens,
        CASE
            WHEN sampled <> [] AND top_tokens NOT IN (
                message_tokens, message_tokens + fallback_tokens, fallback_tokens
            ) THEN 'usage.iterations of the answer add up to ' || (message_tokens + fallback_tokens)
                || ' tokens, the usage beside them to ' || top_tokens
        END AS sum_trouble,
        coalesce(
            not_included(
                used.output_tokens, used.output_tokens_details.thinking_tokens, 'output_tokens', 'thinking_tokens'
            ),
            CASE
                WHEN coalesce(used.cache_creation.ephemeral_5m_input_tokens, 0)
                    + coalesce(used.cache_creation.ephemeral_1h_input_tokens, 0) > used.cache_creation_input_tokens
                    THEN 'cache_creation adds up to more than cache_creation_input_tokens ('
                    || used.cache_creation_input_tokens || '): read as its parts say'
            END
        ) AS count_trouble
    FROM counted
),

timed AS (
    SELECT
        *,
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
        )[1] AS written_at,
        -- The results of a batch have no time at all; their file is no older than the answers in it.
        coalesce(written_at, CASE WHEN is_batch THEN file_modified_at END) AS started,
        coalesce(
            try_cast(duration_ms AS DOUBLE) / 1000, try_cast(latency_ms AS DOUBLE) / 1000,
            try_cast(duration_seconds AS DOUBLE)
        ) AS duration,
        coalesce(try_cast(ttft_ms AS DOUBLE), try_cast(time_to_first_token_ms AS DOUBLE)) / 1000 AS first_token,
        coalesce(try_cast(stream AS BOOLEAN), request.stream, request.body.stream) AS streamed,
        coalesce(
            try_cast(response_status AS INTEGER), try_cast(status_code AS INTEGER),
            try_cast(http_status AS INTEGER), CASE WHEN has_envelope THEN try_cast(status AS INTEGER) END
        ) AS http,
        told_error IS NOT NULL OR outcome IN ('errored', 'expired') OR coalesce(http >= 400, false) AS failed,
        nullif(answer.id, '') AS answer_id,
        coalesce(
            nullif(request_id, ''), nullif(answer.request_id, ''), nullif(response_request_id, ''),
            CASE WHEN has_envelope THEN nullif(id, '') END
        ) AS request_name,
        lower(nullif(trim(provider), '')) AS told_provider
    FROM checked
),

judged AS (
    SELECT
        *,
        coalesce(used IS NOT NULL OR kind = 'message', false) OR told_error IS NOT NULL
        OR outcome IN ('errored', 'canceled', 'expired') OR (has_envelope AND coalesce(http >= 400, false)) AS is_call,
        coalesce(
            answer_id,
            CASE WHEN starts_with(request_name, 'req_') THEN request_name END,
            -- An id that the application gave is the same for every attempt.
            concat_ws(
                '|', request_name, custom_id, epoch_us(written_at), served, outcome,
                md5(concat_ws('|', used, told_error))
            )
        ) AS call_key
    FROM timed
),

parts AS (
    SELECT
        *,
        unnest(
            CASE
                WHEN is_split THEN list_transform(
                    told_iterations,
                    lambda part, position: {
                        'position': position - 1,
                        'kind': part.type,
                        'model': part.model,
                        'is_main': coalesce(position = main_position, false),
                        'input': part.input_tokens,
                        'output': part.output_tokens,
                        'reads': part.cache_read_input_tokens,
                        'writes': part.cache_creation_input_tokens,
                        'writes_5m': part.cache_creation.ephemeral_5m_input_tokens,
                        'writes_1h': part.cache_creation.ephemeral_1h_input_tokens,
                        -- The top level counts the thinking of all of the answer's iterations together.
                        'thinking': CASE
                            WHEN len(sampled) = 1 AND position = main_position
                                THEN used.output_tokens_details.thinking_tokens
                        END
                    }
                )
                ELSE [
                    {
                        'position': 0,
                        'kind': 'message',
                        'model': CAST(NULL AS VARCHAR),
                        'is_main': true,
                        'input': used.input_tokens,
                        'output': used.output_tokens,
                        'reads': used.cache_read_input_tokens,
                        'writes': used.cache_creation_input_tokens,
                        'writes_5m': used.cache_creation.ephemeral_5m_input_tokens,
                        'writes_1h': used.cache_creation.ephemeral_1h_input_tokens,
                        'thinking': used.output_tokens_details.thinking_tokens
                    }
                ]
            END
        ) AS part
    FROM judged
    WHERE is_call
),

modelled AS (
    SELECT
        *,
        part.kind = 'fallback_message' AS is_other_model,
        -- Where another model took over, an iteration without a name is that of the model that was asked.
        coalesce(part.model, CASE WHEN fallback_tokens > 0 THEN wanted END, served) AS answered_by,
        used IS NOT NULL AS has_usage,
        coalesce(part.writes_1h, 0) AS written_1h,
        -- A write without its lifetime, or the rest that the split leaves, has the default lifetime of five minutes.
        greatest(coalesce(part.writes_5m, 0), coalesce(part.writes, 0) - written_1h) AS written_5m,
        CASE WHEN part.thinking <= part.output THEN part.thinking END AS thinking
    FROM parts
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN started IS NULL AND has_envelope
            THEN 'the record has no time: expected timestamp, time, created_at, started_at or completed_at'
        WHEN started IS NULL
            THEN 'the body of an answer has no time: write it with a timestamp beside it'
        WHEN least(part.input, part.output, part.reads, part.writes) < 0 THEN 'a token count is negative'
    END AS reject_reason,
    call_key || CASE WHEN part.position > 0 THEN ':' || part.position ELSE '' END AS dedupe_key,
    -- A copy that tells of the iterations wins over one that has the top level alone, whose tokens they hold.
    CASE WHEN is_split THEN 1_000_000_000_000 ELSE 0 END + CASE WHEN has_usage THEN 1 ELSE 0 END
    + coalesce(part.input, 0) + coalesce(part.output, 0) + coalesce(part.reads, 0) + coalesce(part.writes, 0)
        AS dedupe_rank,
    coalesce(request_name, answer_id) AS request_id,
    answer_id AS response_id,
    nullif(trace_id, '') AS trace_id,
    coalesce(nullif(session_id, ''), nullif(conversation_id, '')) AS session_id,
    started AS started_at,
    CASE WHEN duration >= 0 AND part.is_main THEN duration END AS duration_seconds,
    CASE WHEN streamed AND first_token >= 0 AND part.is_main THEN first_token END AS time_to_first_token_seconds,
    streamed AS stream,
    CASE part.kind
        WHEN 'compaction' THEN 'compaction'
        WHEN 'advisor_message' THEN 'advisor'
        ELSE 'messages'
    END AS operation_name,
    -- What follows the path may be a key.
    split_part(coalesce(nullif(endpoint, ''), nullif(url, '')), '?', 1) AS endpoint,
    CASE
        WHEN told_provider IN ('bedrock', 'aws', 'aws_bedrock', 'amazon_bedrock') THEN 'aws.bedrock'
        WHEN told_provider IN ('vertex', 'vertex_ai', 'vertexai', 'google', 'google_vertex') THEN 'gcp.vertex_ai'
        WHEN told_provider IN ('azure', 'azure_ai', 'foundry') THEN 'azure.ai.inference'
        WHEN told_provider IS NOT NULL THEN told_provider
        -- The clouds that serve Claude say so in the ids that they give.
        WHEN starts_with(answer_id, 'msg_bdrk_') THEN 'aws.bedrock'
        WHEN starts_with(answer_id, 'msg_vrtx_') THEN 'gcp.vertex_ai'
        ELSE 'anthropic'
    END AS provider_name,
    nullif(deployment, '') AS deployment,
    coalesce(nullif(lower(used.inference_geo), 'not_available'), nullif(region, '')) AS region,
    CASE
        WHEN is_batch THEN 'batch'
        WHEN lower(used.speed) = 'fast' THEN 'fast'
        ELSE tier_of(used.service_tier)
    END AS service_tier,
    CASE
        WHEN part.kind = 'advisor_message' THEN answered_by
        ELSE coalesce(wanted, CASE WHEN is_other_model THEN NULL ELSE answered_by END)
    END AS request_model,
    CASE WHEN has_usage OR NOT failed THEN answered_by END AS response_model,
    coalesce(answered_by, wanted) AS price_model,
    CASE WHEN is_other_model AND wanted <> answered_by THEN wanted || ' > ' || answered_by END AS routing_path,
    CASE WHEN is_other_model THEN true END AS is_fallback,
    nullif(team, '') AS team_name,
    coalesce(
        nullif(user_id, ''), nullif(request.metadata.user_id, ''), nullif(request.body.metadata.user_id, '')
    ) AS user_id,
    nullif(api_key_id, '') AS api_key_id,
    nullif(api_key_name, '') AS api_key_name,
    tag_map(
        json_pairs(metadata) || json_pairs(tags)
        || list_transform(
            CASE WHEN json_type(tags) = 'ARRAY' THEN coalesce(try_cast(tags AS VARCHAR[]), []) ELSE [] END,
            lambda tag: {
                'key': CASE WHEN instr(tag, ':') > 1 THEN left(tag, instr(tag, ':') - 1) ELSE tag END,
                'value': CASE WHEN instr(tag, ':') > 1 THEN substr(tag, instr(tag, ':') + 1) ELSE 'true' END
            }
        )
        || [
            {'key': 'feature', 'value': feature},
            {'key': 'environment', 'value': environment},
            {'key': 'custom_id', 'value': custom_id}
        ]
    ) AS tags,
    CASE WHEN has_usage THEN part.input END AS input_uncached_tokens,
    CASE WHEN has_usage THEN coalesce(part.reads, 0) END AS cache_read_tokens,
    CASE WHEN has_usage THEN written_5m END AS cache_write_5m_tokens,
    CASE WHEN has_usage THEN written_1h END AS cache_write_1h_tokens,
    CASE WHEN has_usage THEN part.output - coalesce(thinking, 0) END AS output_text_tokens,
    CASE WHEN has_usage THEN thinking END AS reasoning_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE WHEN part.is_main THEN used.server_tool_use.web_search_requests END AS web_search_requests,
    coalesce(sum_trouble, CASE WHEN NOT is_split THEN count_trouble END) AS contradiction,
    CASE
        WHEN outcome = 'canceled' OR http = 499 THEN 'cancelled'
        WHEN failed THEN 'error'
        ELSE 'ok'
    END AS status,
    CASE
        WHEN outcome IN ('canceled', 'expired') THEN outcome
        WHEN failed THEN list_filter(
            [told_error ->> '$.type', error ->> '$'],
            -- A class of errors is one word; anything else may be a message that repeats a prompt.
            lambda name: regexp_full_match(name, '[A-Za-z0-9_.:-]{1,64}')
        )[1]
    END AS error_type,
    http AS http_status,
    CASE WHEN part.is_main THEN try_cast(cost_usd AS DECIMAL(18, 12)) END AS reported_cost
FROM modelled
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM judged
WHERE NOT is_call
