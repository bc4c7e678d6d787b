-- Rows of an inference table; of request and response only the model, the usage and the ids are read.
WITH opened AS (
    SELECT
        * EXCLUDE (request, response),
        try_cast(request AS JSON) AS asked,
        try_cast(response AS JSON) AS answer,
        -- A stream is logged as the list of its parts, of which the last with usage has the sums.
        CASE json_type(answer)
            WHEN 'ARRAY' THEN list_filter(
                from_json(answer, '["JSON"]'), lambda part: json_type(part, '$.usage') = 'OBJECT'
            )
            WHEN 'OBJECT' THEN [answer]
            ELSE []
        END AS parts,
        parts[-1] AS last_part,
        CASE WHEN json_type(last_part, '$.usage') = 'OBJECT' THEN last_part -> '$.usage' END AS usage
    FROM records
),

typed AS (
    SELECT
        record_number,
        coalesce(nullif(databricks_request_id, ''), nullif(request_id, '')) AS id,
        nullif(client_request_id, '') AS client_request,
        coalesce(request_time, event_time, timestamp_ms) AS written_at,
        coalesce(utc(coalesce(request_time, event_time)), from_milliseconds(timestamp_ms)) AS started,
        try_cast(coalesce(execution_duration_ms, execution_time_ms, latency_ms) AS DOUBLE) / 1000 AS seconds,
        try_cast(try_cast(status_code AS DOUBLE) AS INTEGER) AS code,
        try_cast(sampling_fraction AS DOUBLE) AS fraction,
        nullif(requester, '') AS who,
        coalesce(nullif(served_entity_id, ''), nullif(destination_id, '')) AS served,
        CASE json_type(request_tags) WHEN 'VARCHAR' THEN try_cast(request_tags ->> '$' AS JSON) ELSE request_tags END
            AS labels,
        CASE json_type(request_metadata)
            WHEN 'VARCHAR' THEN try_cast(request_metadata ->> '$' AS JSON)
            ELSE request_metadata
        END AS meta,
        json_keys(asked) AS asked_keys,
        asked ->> '$.model' AS asked_model,
        try_cast(asked ->> '$.stream' AS BOOLEAN) AS asked_stream,
        json_type(answer) = 'ARRAY' AS is_listed,
        last_part ->> '$.model' AS model,
        last_part ->> '$.id' AS answer_id,
        last_part ->> '$.object' AS kind,
        usage,
        try_cast(usage ->> '$.prompt_tokens' AS BIGINT) AS prompt,
        try_cast(usage ->> '$.input_tokens' AS BIGINT) AS input,
        try_cast(coalesce(usage ->> '$.completion_tokens', usage ->> '$.output_tokens') AS BIGINT) AS output,
        try_cast(usage ->> '$.total_tokens' AS BIGINT) AS total,
        try_cast(
            coalesce(
                usage ->> '$.prompt_tokens_details.cached_tokens',
                usage ->> '$.input_tokens_details.cached_tokens',
                usage ->> '$.cache_read_input_tokens'
            ) AS BIGINT
        ) AS reads,
        try_cast(usage ->> '$.cache_creation_input_tokens' AS BIGINT) AS writes,
        try_cast(usage ->> '$.cache_creation.ephemeral_1h_input_tokens' AS BIGINT) AS writes_1h,
        try_cast(
            coalesce(
                usage ->> '$.prompt_tokens_details.cache_write_tokens',
                usage ->> '$.input_tokens_details.cache_write_tokens'
            ) AS BIGINT
        ) AS told_writes_30m,
        try_cast(
            coalesce(
                usage ->> '$.completion_tokens_details.reasoning_tokens',
                usage ->> '$.output_tokens_details.reasoning_tokens'
            ) AS BIGINT
        ) AS reasoning
    FROM opened
),

counted AS (
    SELECT
        *,
        coalesce(prompt, input) AS asked_tokens,
        -- Either name tells of the same writes.
        CASE WHEN writes IS NULL THEN told_writes_30m END AS writes_30m,
        coalesce(reads, 0) + coalesce(writes, writes_30m, 0) AS cache,
        asked_tokens IS NOT NULL AS is_known,
        -- Only Anthropic's own shape counts them beside input_tokens, which it does by definition.
        prompt IS NULL AND json_exists(usage, '$.cache_read_input_tokens') AS is_anthropic,
        cache > 0 AND coalesce(total = asked_tokens + output + cache, false) AS total_proves,
        is_anthropic OR total_proves OR cache > asked_tokens AS is_exclusive
    FROM typed
)

SELECT
    record_number,
    -- Requests to classical models carry tables instead of a prompt.
    is_known OR NOT coalesce(
        list_has_any(asked_keys, ['dataframe_records', 'dataframe_split', 'instances', 'inputs']), false
    ) AS is_call,
    CASE
        WHEN id IS NULL THEN 'databricks_request_id and request_id are missing'
        WHEN coalesce(written_at, '') = '' THEN 'request_time is missing'
        WHEN started IS NULL THEN 'request_time is not a time: ' || left(written_at, 60)
    END AS reject_reason,
    id AS dedupe_key,
    CASE WHEN is_known THEN 2 ELSE 0 END AS dedupe_rank,
    coalesce(client_request, id) AS request_id,
    answer_id AS response_id,
    started AS started_at,
    seconds AS duration_seconds,
    CASE
        WHEN kind = 'list' OR (list_contains(asked_keys, 'input') AND output IS NULL AND is_known) THEN 'embeddings'
        WHEN starts_with(kind, 'chat.completion') OR list_contains(asked_keys, 'messages') THEN 'chat'
        WHEN kind = 'response' THEN 'responses'
        WHEN kind = 'text_completion' THEN 'text_completion'
    END AS operation_name,
    meta ->> '$.endpoint_name' AS endpoint,
    'databricks' AS provider_name,
    served AS deployment,
    coalesce(is_listed OR asked_stream, asked_stream) AS stream,
    coalesce(asked_model, meta ->> '$.endpoint_name') AS request_model,
    model AS response_model,
    -- The price list has the names of the endpoints that Databricks runs itself, not those in their answers.
    coalesce(
        list_filter([asked_model, meta ->> '$.endpoint_name'], lambda name: starts_with(name, 'databricks-'))[1],
        model, asked_model, meta ->> '$.model_name'
    ) AS price_model,
    who AS user_id,
    tag_map(json_pairs(labels)) AS tags,
    CASE WHEN is_exclusive THEN asked_tokens ELSE asked_tokens - cache END AS input_uncached_tokens,
    CASE WHEN is_known THEN reads END AS cache_read_tokens,
    CASE WHEN is_known AND writes IS NOT NULL THEN apart(writes, writes_1h) END AS cache_write_5m_tokens,
    CASE WHEN is_known THEN writes_30m END AS cache_write_30m_tokens,
    CASE WHEN is_known THEN writes_1h END AS cache_write_1h_tokens,
    CASE WHEN is_known THEN apart(coalesce(output, 0), reasoning) END AS output_text_tokens,
    CASE WHEN is_known THEN reasoning END AS reasoning_tokens,
    CASE WHEN is_known THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE
        WHEN is_known THEN coalesce(
            CASE
                WHEN NOT is_anthropic AND NOT total_proves
                    THEN not_included(asked_tokens, cache, 'prompt_tokens', 'cached tokens')
            END,
            not_included(output, reasoning, 'completion_tokens', 'reasoning_tokens')
        )
    END AS contradiction,
    CASE WHEN fraction > 0 AND fraction < 1 THEN 1 / fraction END AS weight,
    code AS http_status,
    status_of(code) AS status
FROM counted
