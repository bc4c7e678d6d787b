-- Rows of ApiManagementGatewayLlmLog (the calls) and ApiManagementGatewayLogs (what tells more of them).
WITH properties AS (
    -- The key's first letter is small in some exports and large in others; the messages are not looked at.
    SELECT
        record_number,
        coalesce(time, TimeGenerated) AS written_at,
        location,
        durationMs AS duration_told,
        TRY(
            map_from_entries(
                list_transform(
                    list_filter(
                        map_entries(
                            try_cast(
                                CASE json_type(properties)
                                    WHEN 'VARCHAR' THEN try_cast(properties ->> '$' AS JSON)
                                    ELSE properties
                                END AS MAP(VARCHAR, JSON)
                            )
                        ),
                        lambda entry: NOT ends_with(lower(entry.key), 'messages')
                        AND json_type(entry.value) NOT IN ('OBJECT', 'ARRAY')
                    ),
                    lambda entry: {'key': lower(entry.key), 'value': entry.value ->> '$'}
                )
            )
        ) AS fields
    FROM records
    WHERE json_type(properties) IN ('OBJECT', 'VARCHAR')
),

answers AS (
    SELECT
        record_number,
        unnest(
            from_json(tables, '[{"columns": [{"name": "VARCHAR"}], "rows": ["JSON"]}]')
        ) AS answer
    FROM records
    WHERE json_type(tables) = 'ARRAY'
),

answered AS (
    SELECT
        record_number,
        list_transform(answer.columns, lambda each: lower(each.name)) AS names,
        unnest(list_transform(answer.rows, lambda each: try_cast(each AS JSON[]))) AS cells
    FROM answers
),

tabled AS (
    SELECT
        record_number,
        TRY(
            map_from_entries(
                list_filter(
                    list_transform(
                        list_zip(names, cells),
                        lambda pair: {'key': pair[1], 'value': pair[2] ->> '$'}
                    ),
                    lambda pair: pair.key IS NOT NULL AND NOT ends_with(pair.key, 'messages')
                )
            )
        ) AS fields
    FROM answered
),

parts AS (
    SELECT
        record_number,
        coalesce(fields['timegenerated'], written_at) AS written_at,
        fields['correlationid'] AS correlation,
        fields['requestid'] AS request,
        fields['operationname'] AS operation,
        fields['deploymentname'] AS deployment_name,
        fields['modelname'] AS model_name,
        fields['prompttokens'] AS prompt_tokens,
        fields['promptcachedtokens'] AS cached_tokens,
        fields['completiontokens'] AS completion_tokens,
        fields['totaltokens'] AS total_tokens,
        fields['isstreamcompletion'] AS is_stream,
        fields['sequencenumber'] AS sequence,
        coalesce(fields['region'], location) AS region,
        fields['responsecode'] AS response_code,
        fields['backendresponsecode'] AS backend_code,
        coalesce(fields['totaltime'], duration_told) AS total_time,
        fields['cache'] AS cache,
        fields['apimsubscriptionid'] AS subscription,
        fields['apiid'] AS api,
        fields['productid'] AS product,
        fields['operationid'] AS api_operation,
        fields['userid'] AS user_name,
        fields['backendid'] AS backend,
        fields['backendurl'] AS backend_url,
        fields['lasterrorreason'] AS error_reason
    FROM (
        FROM properties
        UNION ALL BY NAME
        FROM tabled
    )
    UNION ALL BY NAME
    SELECT
        record_number,
        coalesce(TimeGenerated, "TimeGenerated [UTC]", time) AS written_at,
        CorrelationId AS correlation,
        coalesce(RequestId, requestId_s) AS request,
        OperationName AS operation,
        coalesce(DeploymentName, deploymentName_s) AS deployment_name,
        coalesce(ModelName, modelName_s) AS model_name,
        coalesce(PromptTokens, promptTokens_d) AS prompt_tokens,
        coalesce(PromptCachedTokens, promptCachedTokens_d) AS cached_tokens,
        coalesce(CompletionTokens, completionTokens_d) AS completion_tokens,
        coalesce(TotalTokens, totalTokens_d) AS total_tokens,
        coalesce(IsStreamCompletion, isStreamCompletion_b) AS is_stream,
        coalesce(SequenceNumber, sequenceNumber_d) AS sequence,
        coalesce(Region, location) AS region,
        coalesce(ResponseCode, responseCode_d) AS response_code,
        coalesce(BackendResponseCode, backendResponseCode_d) AS backend_code,
        TotalTime AS total_time,
        coalesce(Cache, cache_s) AS cache,
        coalesce(ApimSubscriptionId, apimSubscriptionId_s) AS subscription,
        coalesce(ApiId, apiId_s) AS api,
        coalesce(ProductId, productId_s) AS product,
        OperationId AS api_operation,
        coalesce(UserId, userId_s) AS user_name,
        coalesce(BackendId, backendId_s) AS backend,
        BackendUrl AS backend_url,
        coalesce(LastErrorReason, lastError_reason_s) AS error_reason
    FROM records
    WHERE
        coalesce(json_type(properties), '') NOT IN ('OBJECT', 'VARCHAR')
        AND coalesce(json_type(tables), '') <> 'ARRAY'
),

typed AS (
    SELECT
        * EXCLUDE (correlation, request, deployment_name, model_name),
        nullif(correlation, '') AS correlation,
        nullif(request, '') AS request,
        nullif(deployment_name, '') AS deployment_name,
        nullif(model_name, '') AS model_name,
        coalesce(
            utc(written_at),
            -- As the portal writes times into a CSV file.
            try_strptime(written_at, ['%m/%d/%Y, %I:%M:%S.%g %p', '%m/%d/%Y, %I:%M:%S %p'])::TIMESTAMPTZ
        ) AS started,
        try_cast(try_cast(prompt_tokens AS DOUBLE) AS BIGINT) AS prompt,
        try_cast(try_cast(cached_tokens AS DOUBLE) AS BIGINT) AS cached,
        try_cast(try_cast(completion_tokens AS DOUBLE) AS BIGINT) AS completion,
        try_cast(try_cast(total_tokens AS DOUBLE) AS BIGINT) AS total,
        try_cast(try_cast(sequence AS DOUBLE) AS BIGINT) AS part,
        try_cast(try_cast(response_code AS DOUBLE) AS INTEGER) AS code,
        nullif(try_cast(try_cast(backend_code AS DOUBLE) AS INTEGER), 0) AS provider_code,
        -- Only the log of the LLM gateway has these; the other has a response code in every row.
        coalesce(response_code, subscription, api, backend_code) IS NULL AND (
            coalesce(prompt_tokens, completion_tokens, model_name, deployment_name, sequence) IS NOT NULL
        ) AS is_llm
    FROM parts
),

completed AS (
    -- The prompt may be counted on one row of a call and the answer on another one: each lacks what the other has.
    SELECT * REPLACE (
        CASE WHEN lacks_prompt THEN coalesce(max(prompt) OVER same_call, prompt) ELSE prompt END AS prompt,
        CASE WHEN lacks_answer THEN coalesce(max(completion) OVER same_call, completion) ELSE completion END
            AS completion,
        CASE WHEN lacks_prompt THEN coalesce(cached, max(cached) OVER same_call) ELSE cached END AS cached,
        CASE WHEN NOT lacks_prompt AND NOT lacks_answer THEN total END AS total
    )
    FROM (
        SELECT
            *,
            is_llm AND correlation IS NOT NULL AND coalesce(prompt, 0) = 0 AND coalesce(completion, 0) > 0
                AS lacks_prompt,
            is_llm AND correlation IS NOT NULL AND coalesce(completion, 0) = 0 AND coalesce(prompt, 0) > 0
                AS lacks_answer
        FROM typed
    )
    WINDOW same_call AS (PARTITION BY correlation, is_llm)
),

gateway AS (
    -- One row a request; a request that the gateway answered twice has its last answer.
    SELECT *
    FROM typed
    WHERE NOT is_llm AND correlation IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY correlation ORDER BY started DESC, record_number) = 1
),

calls AS (
    SELECT
        llm.*,
        lower(gateway.cache) AS cache_told,
        gateway.code AS final_code,
        coalesce(gateway.provider_code, gateway.code) AS call_code,
        try_cast(gateway.total_time AS DOUBLE) / 1000 AS seconds,
        nullif(gateway.subscription, '') AS subscription_name,
        nullif(gateway.user_name, '') AS user_told,
        nullif(gateway.error_reason, '') AS reason,
        coalesce(nullif(gateway.backend, ''), regexp_extract(gateway.backend_url, '^https?://([^/:?]+)', 1))
            AS backend_name,
        [
            {'key': 'api', 'value': gateway.api},
            {'key': 'product', 'value': gateway.product},
            {'key': 'api_operation', 'value': gateway.api_operation},
            -- Where the gateway runs; its backend may be anywhere.
            {'key': 'gateway_region', 'value': coalesce(nullif(llm.region, ''), gateway.region)}
        ] AS labels,
        coalesce(llm.prompt, 0) + coalesce(llm.cached, 0) + coalesce(llm.completion, 0) AS tokens,
        tokens > 0 AS is_known,
        lower(coalesce(llm.model_name, llm.deployment_name, '')) AS name,
        lower(coalesce(gateway.backend_url, gateway.backend, '')) AS host,
        contains(name, 'claude') AS is_anthropic,
        contains(name, 'embed') OR contains(lower(coalesce(llm.operation, '')), 'embed') AS is_embedding
    FROM completed AS llm
    LEFT JOIN gateway ON llm.correlation = gateway.correlation
    WHERE llm.is_llm
)

SELECT
    record_number,
    -- A first row without tokens and without a model is a probe of the endpoint.
    is_known OR coalesce(model_name, deployment_name, request) IS NOT NULL OR coalesce(part, 0) > 0 AS is_call,
    CASE
        WHEN coalesce(correlation, request) IS NULL THEN 'CorrelationId and RequestId are missing'
        WHEN coalesce(written_at, '') = '' THEN 'TimeGenerated is missing'
        WHEN started IS NULL THEN 'TimeGenerated is not a time: ' || left(written_at, 60)
        WHEN prompt IS NULL AND prompt_tokens <> '' THEN 'PromptTokens is not a number: ' || left(prompt_tokens, 40)
        WHEN completion IS NULL AND completion_tokens <> ''
            THEN 'CompletionTokens is not a number: ' || left(completion_tokens, 40)
    END AS reject_reason,
    coalesce(correlation, request) AS dedupe_key,
    4 * tokens + CASE WHEN coalesce(model_name, deployment_name) IS NULL THEN 0 ELSE 2 END
    + CASE WHEN coalesce(part, 0) = 0 THEN 1 ELSE 0 END AS dedupe_rank,
    coalesce(correlation, request) AS request_id,
    CASE WHEN regexp_matches(request, '^(chatcmpl-|cmpl-|resp_|msg_)') THEN request END AS response_id,
    started AS started_at,
    seconds AS duration_seconds,
    CASE
        WHEN is_embedding THEN 'embeddings'
        WHEN contains(lower(operation), 'chat') THEN 'chat'
        WHEN contains(lower(operation), 'response') THEN 'responses'
        WHEN contains(lower(operation), 'messages') THEN 'messages'
    END AS operation_name,
    CASE
        WHEN regexp_matches(host, 'openai\.azure|cognitiveservices\.azure|ai\.azure') AND NOT is_anthropic
            THEN 'azure.ai.openai'
        WHEN contains(host, 'api.openai.com') THEN 'openai'
        WHEN contains(host, 'bedrock') THEN 'aws.bedrock'
        WHEN contains(host, 'aiplatform.googleapis') THEN 'gcp.vertex_ai'
        WHEN contains(host, 'generativelanguage.googleapis') THEN 'gcp.gemini'
        WHEN is_anthropic THEN 'anthropic'
        WHEN regexp_matches(name, '^(gpt|chatgpt|o[0-9]|text-embedding)') THEN 'azure.ai.openai'
    END AS provider_name,
    backend_name AS deployment,
    CASE lower(is_stream) WHEN 'true' THEN true WHEN '1' THEN true WHEN 'false' THEN false WHEN '0' THEN false END
        AS stream,
    deployment_name AS request_model,
    model_name AS response_model,
    coalesce(model_name, deployment_name) AS price_model,
    user_told AS user_id,
    subscription_name AS api_key_id,
    subscription_name AS api_key_name,
    tag_map(labels) AS tags,
    CASE WHEN is_known THEN CASE WHEN is_anthropic THEN coalesce(prompt, 0) ELSE apart(coalesce(prompt, 0), cached) END
    END AS input_uncached_tokens,
    CASE WHEN is_known THEN cached END AS cache_read_tokens,
    CASE WHEN is_known THEN coalesce(completion, CASE WHEN is_embedding THEN 0 END) END AS output_text_tokens,
    CASE WHEN is_known THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE
        WHEN is_known THEN coalesce(
            CASE WHEN NOT is_anthropic THEN not_included(prompt, cached, 'PromptTokens', 'PromptCachedTokens') END,
            CASE
                WHEN total NOT IN (0, prompt + completion, prompt + completion + coalesce(cached, 0))
                    THEN 'TotalTokens (' || total || ') is not the sum of PromptTokens (' || prompt
                    || ') and CompletionTokens (' || completion || ')'
            END
        )
    END AS contradiction,
    CASE cache_told WHEN 'hit' THEN 'hit' WHEN 'miss' THEN 'miss' END AS gateway_cache,
    call_code AS http_status,
    coalesce(status_of(call_code), status_of(final_code), CASE WHEN completion > 0 THEN 'ok' END) AS status,
    CASE WHEN call_code >= 400 THEN reason END AS error_type
FROM calls
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call,
    CASE
        WHEN json_type(properties) = 'VARCHAR' AND try_cast(properties ->> '$' AS JSON) IS NULL
            THEN 'properties is a text that is not JSON'
    END AS reject_reason
FROM records
WHERE record_number NOT IN (SELECT record_number FROM typed WHERE is_llm)
