-- Rows of system.serving.endpoint_usage, with the columns of system.serving.served_entities where a query joined them.
WITH typed AS (
    SELECT
        record_number,
        request_time,
        utc(request_time) AS started,
        nullif(databricks_request_id, '') AS request,
        nullif(client_request_id, '') AS client_request,
        try_cast(try_cast(status_code AS DOUBLE) AS INTEGER) AS code,
        input_token_count,
        output_token_count,
        try_cast(try_cast(input_token_count AS DOUBLE) AS BIGINT) AS input,
        try_cast(try_cast(output_token_count AS DOUBLE) AS BIGINT) AS output,
        try_cast(request_streaming AS BOOLEAN) AS streamed,
        nullif(requester, '') AS who,
        CASE json_type(usage_context) WHEN 'VARCHAR' THEN try_cast(usage_context ->> '$' AS JSON) ELSE usage_context END
            AS labels,
        nullif(endpoint_name, '') AS endpoint_called,
        nullif(served_entity_name, '') AS served,
        coalesce(nullif(entity_name, ''), nullif(served_entity_name, ''), nullif(endpoint_name, '')) AS model,
        upper(entity_type) AS kind,
        nullif(served_entity_id, '') AS served_id,
        workspace_id,
        coalesce(input, 0) + coalesce(output, 0) AS tokens,
        tokens > 0 OR (input IS NOT NULL AND coalesce(code, 200) < 400) AS is_known
    FROM records
)

SELECT
    record_number,
    -- Endpoints of classical models and of features have no tokens.
    tokens <> 0 OR tokens IS NULL OR coalesce(kind NOT IN ('CUSTOM_MODEL', 'FEATURE_SPEC'), true) AS is_call,
    CASE
        WHEN request IS NULL THEN 'databricks_request_id is missing'
        WHEN coalesce(request_time, '') = '' THEN 'request_time is missing'
        WHEN started IS NULL THEN 'request_time is not a time: ' || left(request_time, 60)
        WHEN input IS NULL AND input_token_count <> ''
            THEN 'input_token_count is not a number: ' || left(input_token_count, 40)
        WHEN output IS NULL AND output_token_count <> ''
            THEN 'output_token_count is not a number: ' || left(output_token_count, 40)
    END AS reject_reason,
    request AS dedupe_key,
    -- Above every row of the inference table, whose rank is 0 to 2.
    CASE WHEN is_known THEN 4 ELSE 3 END AS dedupe_rank,
    coalesce(client_request, request) AS request_id,
    started AS started_at,
    endpoint_called AS endpoint,
    CASE WHEN coalesce(kind, '') <> 'EXTERNAL_MODEL' THEN 'databricks' END AS provider_name,
    coalesce(served, served_id) AS deployment,
    streamed AS stream,
    endpoint_called AS request_model,
    model AS response_model,
    -- Models of Databricks lie in a catalog of their own, whose name is not part of theirs.
    regexp_replace(model, '^system\.ai\.', '') AS price_model,
    who AS user_id,
    tag_map(json_pairs(labels) || [{'key': 'workspace_id', 'value': workspace_id}]) AS tags,
    CASE WHEN is_known THEN coalesce(input, 0) END AS input_uncached_tokens,
    CASE WHEN is_known THEN coalesce(output, 0) END AS output_text_tokens,
    CASE WHEN is_known THEN 'reported' ELSE 'missing' END AS usage_source,
    code AS http_status,
    status_of(code) AS status
FROM typed
