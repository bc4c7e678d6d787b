-- Answers of Cohere's own API (chat v1 and v2, embed, rerank), in an envelope of the user's own logger: the bodies have
-- no time, and most name no model. What is billed stands in billed_units; tokens counts what the model saw.
WITH located AS (
    SELECT
        *,
        list_filter(
            [
                response.body,
                struct_pack(
                    id := response.id, response_id := response.response_id, model := response.model,
                    usage := response.usage, meta := response.meta
                ),
                body,
                output
            ],
            lambda part: part.usage IS NOT NULL OR part.meta IS NOT NULL
        )[1] AS inner_body,
        coalesce(
            inner_body,
            struct_pack(id := id, response_id := NULL::VARCHAR, model := model, usage := usage, meta := meta)
        ) AS answer
    FROM records
),

opened AS (
    SELECT
        *,
        coalesce(answer.usage -> '$.billed_units', answer.meta -> '$.billed_units') AS billed,
        coalesce(answer.usage -> '$.tokens', answer.meta -> '$.tokens') AS seen,
        nullif(coalesce(answer.id, answer.response_id), '') AS answer_id,
        nullif(coalesce(request.model, CASE WHEN inner_body IS NOT NULL THEN model END), '') AS wanted,
        nullif(answer.model, '') AS served
    FROM located
),

counted AS (
    SELECT
        *,
        try_cast(coalesce(billed ->> '$.input_tokens', seen ->> '$.input_tokens') AS BIGINT) AS input,
        try_cast(coalesce(billed ->> '$.output_tokens', seen ->> '$.output_tokens') AS BIGINT) AS answered,
        try_cast(billed ->> '$.image_tokens' AS BIGINT) AS images,
        try_cast(billed ->> '$.search_units' AS DOUBLE) AS searches,
        input IS NOT NULL OR answered IS NOT NULL AS has_usage,
        coalesce(try_cast(status_code AS INTEGER), try_cast(http_status AS INTEGER)) AS http,
        list_filter(
            list_transform(
                [started_at, start_time, "timestamp", "time", ts, created_at, logged_at],
                lambda written: CASE
                    WHEN try_cast(written AS DOUBLE) IS NULL THEN utc(written)
                    WHEN try_cast(written AS DOUBLE) BETWEEN 1e8 AND 1e11 THEN from_seconds(written)
                    WHEN try_cast(written AS DOUBLE) BETWEEN 1e11 AND 1e14 THEN from_milliseconds(written)
                END
            ),
            lambda moment: moment IS NOT NULL
        )[1] AS started,
        coalesce(
            try_cast(duration_ms AS DOUBLE) / 1000, try_cast(latency_ms AS DOUBLE) / 1000,
            try_cast(duration_seconds AS DOUBLE)
        ) AS duration,
        coalesce(json_type(error) IN ('OBJECT', 'VARCHAR') OR http >= 400, false) AS failed
    FROM opened
)

SELECT
    record_number,
    billed IS NOT NULL OR seen IS NOT NULL OR failed AS is_call,
    CASE
        WHEN billed IS NULL AND seen IS NULL AND NOT failed THEN NULL
        WHEN started IS NULL THEN 'timestamp is missing: the body has no time of its own'
        WHEN least(input, answered, images) < 0 THEN 'a token count is negative'
    END AS reject_reason,
    coalesce(
        answer_id,
        -- An id of the user's own logger may be a row number, which begins anew in the next file.
        CASE WHEN inner_body IS NOT NULL AND length(id) >= 16 THEN id END,
        concat_ws(
            '|', CASE WHEN inner_body IS NOT NULL THEN nullif(id, '') END, request_id, epoch_us(started), wanted,
            md5(concat_ws('|', billed, seen, error))
        )
    ) AS dedupe_key,
    CASE WHEN has_usage THEN 4 WHEN failed THEN 1 ELSE 2 END AS dedupe_rank,
    coalesce(nullif(request_id, ''), CASE WHEN inner_body IS NOT NULL THEN nullif(id, '') END, answer_id) AS request_id,
    answer_id AS response_id,
    trace_id,
    nullif(session_id, '') AS session_id,
    started AS started_at,
    CASE WHEN duration >= 0 THEN duration END AS duration_seconds,
    coalesce(try_cast(stream AS BOOLEAN), try_cast(request.stream AS BOOLEAN)) AS stream,
    CASE
        WHEN searches IS NOT NULL AND answered IS NULL THEN 'rerank'
        WHEN has_usage AND answered IS NULL THEN 'embeddings'
        WHEN has_usage THEN 'chat'
    END AS operation_name,
    -- What follows the path may be a key.
    split_part(nullif(endpoint, ''), '?', 1) AS endpoint,
    CASE
        WHEN json_type(provider) = 'VARCHAR'
            AND lower(provider ->> '$') IN ('bedrock', 'aws', 'aws.bedrock', 'aws_bedrock')
            THEN 'aws.bedrock'
        ELSE 'cohere'
    END AS provider_name,
    coalesce(wanted, served) AS request_model,
    served AS response_model,
    coalesce(served, wanted) AS price_model,
    nullif(team, '') AS team_name,
    coalesce(nullif(user_id, ''), nullif("user", '')) AS user_id,
    tag_map(json_pairs(metadata) || [{'key': 'feature', 'value': feature}]) AS tags,
    input AS input_uncached_tokens,
    images AS input_image_tokens,
    CASE WHEN has_usage THEN coalesce(answered, 0) END AS output_text_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE WHEN http = 499 THEN 'cancelled' WHEN failed THEN 'error' ELSE 'ok' END AS status,
    CASE
        WHEN failed AND regexp_full_match(coalesce(error ->> '$.type', error ->> '$'), '[A-Za-z0-9_.:-]{1,64}')
            THEN coalesce(error ->> '$.type', error ->> '$')
    END AS error_type,
    coalesce(http, CASE WHEN has_usage AND NOT failed THEN 200 END) AS http_status,
    try_cast(cost_usd AS DECIMAL(18, 12)) AS reported_cost
FROM counted
