-- Lines of SGLang's request metrics. request_parameters holds the prompt; only names and times are taken out of it.
WITH told AS (
    SELECT
        record_number,
        source_file,
        nullif(id, '') AS answer_id,
        try_cast(request_parameters ->> '$' AS JSON) AS asked,
        prompt_tokens AS prompt,
        completion_tokens AS completion,
        cached_tokens AS reads,
        reasoning_tokens AS reasoning,
        try_cast(e2e_latency AS DOUBLE) AS took,
        try_cast(ttft AS DOUBLE) AS first_token,
        coalesce(nullif(model, ''), nullif(asked ->> '$.model', '')) AS served,
        try_cast(asked ->> '$.stream' AS BOOLEAN) AS streamed,
        CASE WHEN json_type(finish_reason) = 'OBJECT' THEN finish_reason ->> '$.type' ELSE finish_reason ->> '$' END
            AS finish,
        try_cast(finish_reason ->> '$.status_code' AS INTEGER) AS http,
        finish_reason ->> '$.err_type' AS error_class,
        try_cast(response_sent_to_client_ts AS DOUBLE) AS sent,
        coalesce(
            from_seconds(request_received_ts),
            from_seconds(sent - CASE WHEN took BETWEEN 0 AND 1e9 THEN took ELSE 0 END),
            from_seconds(
                coalesce(
                    nullif(try_cast(asked ->> '$.received_time' AS DOUBLE), 0),
                    nullif(try_cast(asked ->> '$.received_timestamp' AS DOUBLE), 0)
                )
            )
        ) AS clock_time,
        -- A monotonic clock counts from the start of the machine, which is decades off.
        CASE WHEN clock_time >= TIMESTAMPTZ '2015-01-01' THEN clock_time END AS record_time,
        regexp_extract(source_file, 'request-metrics-(\d{8}_\d{2})[^/\\]*$', 1) AS file_hour,
        try_strptime(nullif(file_hour, ''), '%Y%m%d_%H')::TIMESTAMPTZ AS file_time,
        coalesce(record_time, file_time) AS started
    FROM records
),

judged AS (
    SELECT
        *,
        prompt IS NOT NULL OR completion IS NOT NULL AS has_usage,
        prompt IS NOT NULL AND completion IS NULL AND finish IS NULL AS is_embedding,
        coalesce(has_usage OR finish IS NOT NULL OR took IS NOT NULL, false) AS is_call
    FROM told
)

SELECT
    record_number,
    is_call,
    CASE
        WHEN NOT is_call THEN NULL
        WHEN started IS NULL
            THEN 'no time: the record has none and the file is not named sglang-request-metrics-YYYYMMDD_HH.log'
        WHEN least(prompt, completion, reads, reasoning) < 0 THEN 'a token count is negative'
    END AS reject_reason,
    concat_ws('|', answer_id, epoch_us(record_time), prompt, completion, reads, took) AS dedupe_key,
    CASE WHEN has_usage THEN 1 ELSE 0 END AS dedupe_rank,
    answer_id AS request_id,
    -- The id of the answer that clients get, unless they chose it themselves.
    CASE WHEN regexp_full_match(answer_id, '[0-9a-f]{32}') THEN answer_id END AS response_id,
    started AS started_at,
    CASE WHEN took BETWEEN 0 AND 1e9 THEN took END AS duration_seconds,
    CASE WHEN streamed AND first_token > 0 AND first_token < 1e9 THEN first_token END AS time_to_first_token_seconds,
    streamed AS stream,
    CASE WHEN is_embedding THEN 'embeddings' END AS operation_name,
    'sglang' AS provider_name,
    served AS request_model,
    served AS response_model,
    served AS price_model,
    tag_map([
        {'key': 'time_source', 'value': CASE WHEN record_time IS NULL AND file_time IS NOT NULL THEN 'file name' END},
        {'key': 'lora', 'value': asked ->> '$.lora_path'}
    ]) AS tags,
    CASE WHEN has_usage THEN apart(prompt, reads) END AS input_uncached_tokens,
    CASE WHEN has_usage THEN reads END AS cache_read_tokens,
    CASE WHEN is_embedding THEN 0 WHEN has_usage THEN apart(completion, reasoning) END AS output_text_tokens,
    CASE WHEN has_usage THEN reasoning END AS reasoning_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    coalesce(
        not_included(prompt, reads, 'prompt_tokens', 'cached_tokens'),
        not_included(completion, reasoning, 'completion_tokens', 'reasoning_tokens')
    ) AS contradiction,
    CASE WHEN finish = 'abort' AND coalesce(http, 499) IN (0, 499) THEN 'cancelled' WHEN finish = 'abort' THEN 'error'
        ELSE 'ok' END AS status,
    CASE
        WHEN finish = 'abort' AND regexp_full_match(error_class, '[A-Za-z0-9_.:-]{1,64}') THEN error_class
        WHEN finish = 'abort' THEN 'abort'
    END AS error_type,
    coalesce(CASE WHEN http >= 100 THEN http END, CASE WHEN finish <> 'abort' THEN 200 END) AS http_status
FROM judged
