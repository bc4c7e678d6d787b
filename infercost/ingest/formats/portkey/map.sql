-- One row per entry of an export; a fallback has an entry for every hop, retries are folded into one.
WITH read AS (
    SELECT
        record_number,
        nullif(id, '') AS id,
        nullif(trace_id, '') AS trace,
        created_at,
        coalesce(
            utc(created_at),
            -- Thirteen digits are milliseconds, ten seconds.
            CASE
                WHEN try_cast(created_at AS DOUBLE) >= 1e11 THEN from_milliseconds(created_at)
                ELSE from_seconds(created_at)
            END
        ) AS started,
        lower(coalesce(nullif(ai_org, ''), nullif(ai_provider, ''))) AS org,
        nullif(ai_model, '') AS model,
        try_cast(coalesce(nullif(req_units, ''), nullif(request_tokens, '')) AS BIGINT) AS units_in,
        try_cast(coalesce(nullif(res_units, ''), nullif(response_tokens, '')) AS BIGINT) AS units_out,
        coalesce(nullif(req_units, ''), nullif(request_tokens, '')) AS units_in_text,
        coalesce(nullif(res_units, ''), nullif(response_tokens, '')) AS units_out_text,
        nullif(regexp_replace(split_part(request_url, '?', 1), '^[a-zA-Z]+://[^/]+', ''), '') AS path,
        CASE
            WHEN coalesce(lower(cost_currency), '') IN ('', 'usd') THEN try_cast(cost AS DECIMAL(18, 12)) * 0.01
        END AS cost,
        try_cast(response_time AS DOUBLE) / 1000 AS seconds,
        try_cast(coalesce(nullif(response_status_code, ''), nullif(status_code, '')) AS INTEGER) AS code,
        try_cast(is_success AS BOOLEAN) AS is_success,
        nullif(config, '') AS config,
        prompt_slug,
        upper(cache_status) AS cache_status,
        try_cast(stream_mode AS BOOLEAN) AS stream,
        try_cast(retry_success_count AS INTEGER) AS retries,
        upper(mode) AS mode,
        nullif(virtual_key, '') AS virtual_key,
        nullif(workspace_slug, '') AS workspace,
        try_cast(metadata AS JSON) AS labels,
        -- Texts of lists come with either kind of quotes.
        coalesce(
            try_cast(try_cast("metadata.key" AS JSON) AS VARCHAR[]),
            try_cast(try_cast(replace("metadata.key", '''', '"') AS JSON) AS VARCHAR[])
        ) AS label_keys,
        coalesce(
            try_cast(try_cast("metadata.value" AS JSON) AS VARCHAR[]),
            try_cast(try_cast(replace("metadata.value", '''', '"') AS JSON) AS VARCHAR[])
        ) AS label_values,
        CASE WHEN json_type(request) = 'VARCHAR' THEN try_cast(request ->> '$' AS JSON) ELSE request END AS asked,
        CASE WHEN json_type(response) = 'VARCHAR' THEN try_cast(response ->> '$' AS JSON) ELSE response END AS answer
    FROM records
),

opened AS (
    SELECT
        * EXCLUDE (asked, answer),
        coalesce(nullif(asked ->> '$.model', ''), nullif(asked ->> '$.body.model', '')) AS asked_model,
        CASE WHEN json_type(answer, '$.body') = 'OBJECT' THEN answer -> '$.body' ELSE answer END AS body
    FROM read
),

labelled AS (
    SELECT
        * EXCLUDE (body),
        nullif(body ->> '$.id', '') AS response_id,
        coalesce(nullif(body ->> '$.model', ''), nullif(body ->> '$.modelVersion', ''), model) AS served,
        nullif(coalesce(body ->> '$.service_tier', body ->> '$.usage.service_tier'), '') AS tier,
        coalesce(
            nullif(body ->> '$.error.code', ''),
            nullif(body ->> '$.error.type', ''),
            nullif(body ->> '$.error.status', '')
        ) AS error_code,
        CASE
            WHEN json_type(body, '$.usageMetadata') = 'OBJECT' THEN body -> '$.usageMetadata'
            WHEN json_type(body, '$.usage') = 'OBJECT' THEN body -> '$.usage'
        END AS usage,
        json_pairs(labels) || coalesce(
            list_filter(
                list_transform(label_keys, lambda key, position: {'key': key, 'value': label_values[position]}),
                -- As with an object: what is too long to be a tag is a prompt.
                lambda pair: length(pair.value) <= 256
            ),
            []
        ) AS pairs
    FROM opened
),

named AS (
    SELECT
        *,
        CASE
            WHEN json_exists(usage, '$.promptTokenCount') THEN 'gemini'
            WHEN json_exists(usage, '$.inputTokens') THEN 'bedrock'
            WHEN
                json_exists(usage, '$.input_tokens') AND NOT json_exists(usage, '$.input_tokens_details')
                AND (
                    json_exists(usage, '$.cache_read_input_tokens')
                    OR json_exists(usage, '$.cache_creation_input_tokens')
                    OR contains(org, 'anthropic')
                )
                THEN 'anthropic'
            WHEN json_exists(usage, '$.input_tokens') OR json_exists(usage, '$.prompt_tokens') THEN 'openai'
        END AS shape,
        try_cast(
            coalesce(
                usage ->> '$.prompt_tokens', usage ->> '$.input_tokens', usage ->> '$.promptTokenCount',
                usage ->> '$.inputTokens'
            ) AS BIGINT
        ) + coalesce(try_cast(usage ->> '$.toolUsePromptTokenCount' AS BIGINT), 0) AS prompt,
        -- Embeddings have no output.
        coalesce(
            try_cast(
                coalesce(
                    usage ->> '$.completion_tokens', usage ->> '$.output_tokens', usage ->> '$.candidatesTokenCount',
                    usage ->> '$.outputTokens'
                ) AS BIGINT
            ),
            0
        ) AS completion,
        try_cast(
            coalesce(usage ->> '$.total_tokens', usage ->> '$.totalTokenCount', usage ->> '$.totalTokens') AS BIGINT
        ) AS total,
        try_cast(
            coalesce(
                usage ->> '$.prompt_tokens_details.cached_tokens', usage ->> '$.input_tokens_details.cached_tokens',
                usage ->> '$.cache_read_input_tokens', usage ->> '$.cachedContentTokenCount',
                usage ->> '$.cacheReadInputTokens', usage ->> '$.cacheReadInputTokenCount',
                usage ->> '$.prompt_cache_hit_tokens'
            ) AS BIGINT
        ) AS reads,
        try_cast(
            coalesce(
                usage ->> '$.cache_creation_input_tokens', usage ->> '$.cacheWriteInputTokens',
                usage ->> '$.cacheWriteInputTokenCount'
            ) AS BIGINT
        ) AS writes_5m,
        try_cast(
            coalesce(
                usage ->> '$.prompt_tokens_details.cache_write_tokens',
                usage ->> '$.input_tokens_details.cache_write_tokens'
            ) AS BIGINT
        ) AS writes_30m,
        try_cast(usage ->> '$.cache_creation.ephemeral_1h_input_tokens' AS BIGINT) AS writes_1h,
        try_cast(
            coalesce(
                usage ->> '$.completion_tokens_details.reasoning_tokens',
                usage ->> '$.output_tokens_details.reasoning_tokens',
                usage ->> '$.output_tokens_details.thinking_tokens',
                usage ->> '$.thoughtsTokenCount'
            ) AS BIGINT
        ) AS reasoning,
        try_cast(usage ->> '$.prompt_tokens_details.audio_tokens' AS BIGINT) AS audio_in,
        try_cast(usage ->> '$.completion_tokens_details.audio_tokens' AS BIGINT) AS audio_out,
        try_cast(usage ->> '$.server_tool_use.web_search_requests' AS BIGINT) AS searches,
        list_filter(pairs, lambda pair: pair.key = '_user')[1].value AS user_id,
        coalesce(is_success = false OR code >= 400, false) AS failed,
        coalesce(cache_status IN ('HIT', 'SEMANTIC HIT'), false) AS is_hit
    FROM labelled
),

counted AS (
    SELECT
        *,
        shape IS NOT NULL AND prompt IS NOT NULL AND (NOT failed OR prompt + completion > 0) AS has_usage,
        coalesce(reads, 0) + coalesce(writes_5m, 0) + coalesce(writes_30m, 0) AS cache,
        shape = 'openai' AND cache > 0 AND total = prompt + completion + cache AS cache_beside,
        -- In OpenAI's shape Portkey writes Anthropic's and Bedrock's own counts, under names that OpenAI does not
        -- have; where the prompt holds the cache too, OpenAI's details tell the cached tokens as well.
        coalesce(
            shape = 'openai' AND NOT json_exists(usage, '$.prompt_tokens_details')
            AND (
                json_exists(usage, '$.cache_read_input_tokens') OR json_exists(usage, '$.cache_creation_input_tokens')
            ),
            false
        ) AS is_translated,
        shape IN ('anthropic', 'bedrock') OR is_translated OR coalesce(cache_beside, false) AS is_exclusive,
        -- Anthropic's and Bedrock's counts stand beside each other by rule; of any other the total proves it.
        coalesce(cache_beside, false) AND NOT is_translated AND NOT json_exists(usage, '$.cache_read_input_tokens')
            AS total_proves,
        -- The zeros of a failed call only say that nothing was counted.
        coalesce(units_in + coalesce(units_out, 0) > 0 OR (NOT failed AND units_in IS NOT NULL), false) AS has_units,
        CASE WHEN is_exclusive THEN prompt ELSE apart(prompt, cache) END AS fresh,
        CASE
            WHEN shape = 'gemini' OR (reasoning > 0 AND total = prompt + completion + reasoning) THEN completion
            ELSE apart(completion, reasoning)
        END AS visible,
        CASE WHEN audio_in >= 0 THEN least(audio_in, fresh) END AS heard,
        CASE WHEN audio_out >= 0 THEN least(audio_out, visible) END AS spoken
    FROM named
),

hops AS (
    -- Hops of a fallback share the trace, but so do the requests of a session that names its own: a hop that answered
    -- ends its request. Copies of an entry count once.
    SELECT
        id,
        min(trace) AS trace,
        min(config) AS config,
        min(started) AS started,
        bool_and(failed) AS failed,
        min(coalesce(asked_model, model)) AS model
    FROM counted
    WHERE mode = 'FALLBACK' AND trace IS NOT NULL AND id IS NOT NULL
    GROUP BY id
),

runs AS (
    SELECT
        *,
        count(*) FILTER (NOT failed) OVER (
            PARTITION BY trace, config ORDER BY started, NOT failed, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS run
    FROM hops
),

placed AS (
    SELECT
        id,
        row_number() OVER so_far AS place,
        array_to_string(list(model) OVER so_far, ' > ') AS path_so_far,
        last_value(id) OVER whole AS run_id
    FROM runs
    WINDOW
        so_far AS (PARTITION BY trace, config, run ORDER BY started, NOT failed, id),
        whole AS (
            PARTITION BY trace, config, run ORDER BY started, NOT failed, id
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        )
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN coalesce(created_at, '') = '' THEN 'created_at is missing'
        WHEN started IS NULL THEN 'created_at is not a time: ' || left(created_at, 40)
        WHEN units_in_text IS NOT NULL AND units_in IS NULL
            THEN 'req_units is not a whole number: ' || left(units_in_text, 40)
        WHEN units_out_text IS NOT NULL AND units_out IS NULL
            THEN 'res_units is not a whole number: ' || left(units_out_text, 40)
        WHEN least(prompt, completion, reads, writes_5m, writes_30m, reasoning, units_in, units_out) < 0
            THEN 'a token count is negative'
        WHEN coalesce(id, trace) IS NULL THEN 'id and trace_id are missing'
    END AS reject_reason,
    coalesce(id, concat_ws(' ', 'trace', trace, created_at, model, units_in, units_out)) AS dedupe_key,
    CASE WHEN has_usage THEN 4 WHEN has_units THEN 2 ELSE 0 END AS dedupe_rank,
    coalesce(run_id, id) AS request_id,
    CASE WHEN coalesce(place, retries) IS NOT NULL THEN coalesce(place, 1) + greatest(coalesce(retries, 0), 0) END
        AS attempt_number,
    CASE WHEN retries IS NOT NULL THEN greatest(retries, 0) END AS unlogged_attempts,
    CASE WHEN retries IS NOT NULL THEN retries > 0 END AS is_retry,
    CASE WHEN mode IS NOT NULL THEN coalesce(place > 1, false) END AS is_fallback,
    CASE WHEN place > 1 THEN path_so_far END AS routing_path,
    CASE WHEN NOT is_hit THEN response_id END AS response_id,
    trace AS trace_id,
    started AS started_at,
    seconds AS duration_seconds,
    stream,
    CASE
        WHEN regexp_matches(path, '/chat/completions$') THEN 'chat'
        WHEN regexp_matches(path, '/completions$') THEN 'text_completion'
        WHEN regexp_matches(path, '/embeddings$') THEN 'embeddings'
        WHEN regexp_matches(path, '/responses$') THEN 'responses'
        WHEN regexp_matches(path, '/messages$') THEN 'messages'
        WHEN regexp_matches(path, ':(stream)?generatecontent$', 'i') THEN 'generate_content'
    END AS operation_name,
    path AS endpoint,
    CASE
        WHEN org IN ('azure-openai', 'azure') THEN 'azure.ai.openai'
        WHEN org = 'azure-ai' THEN 'azure.ai.inference'
        WHEN org = 'bedrock' THEN 'aws.bedrock'
        WHEN org = 'vertex-ai' THEN 'gcp.vertex_ai'
        WHEN org IN ('google', 'gemini') THEN 'gcp.gemini'
        WHEN org IN ('mistral-ai', 'mistral') THEN 'mistral_ai'
        WHEN org IN ('x-ai', 'xai') THEN 'x_ai'
        WHEN org = 'perplexity-ai' THEN 'perplexity'
        WHEN org = 'workers-ai' THEN 'cloudflare'
        WHEN org = 'novita-ai' THEN 'novita'
        ELSE org
    END AS provider_name,
    virtual_key AS deployment,
    tier_of(tier) AS service_tier,
    coalesce(asked_model, model) AS request_model,
    served AS response_model,
    coalesce(served, asked_model) AS price_model,
    user_id,
    virtual_key AS api_key_name,
    workspace AS team_name,
    tag_map(
        list_filter(pairs, lambda pair: pair.key <> '_user')
        || [
            {'key': 'prompt_slug', 'value': prompt_slug},
            {'key': 'config', 'value': config},
            {'key': 'mode', 'value': mode}
        ]
    ) AS tags,
    CASE WHEN has_usage THEN fresh - coalesce(heard, 0) WHEN has_units THEN units_in END AS input_uncached_tokens,
    CASE WHEN has_usage THEN coalesce(reads, CASE WHEN shape IN ('anthropic', 'bedrock') THEN 0 END) END
        AS cache_read_tokens,
    CASE
        WHEN has_usage AND writes_5m IS NOT NULL THEN greatest(writes_5m - coalesce(writes_1h, 0), 0)
        WHEN has_usage AND shape IN ('anthropic', 'bedrock') THEN 0
    END AS cache_write_5m_tokens,
    CASE WHEN has_usage THEN writes_30m END AS cache_write_30m_tokens,
    CASE WHEN has_usage THEN writes_1h END AS cache_write_1h_tokens,
    CASE WHEN has_usage THEN heard END AS input_audio_tokens,
    CASE WHEN has_usage THEN visible - coalesce(spoken, 0) WHEN has_units THEN coalesce(units_out, 0) END
        AS output_text_tokens,
    CASE WHEN has_usage THEN reasoning END AS reasoning_tokens,
    CASE WHEN has_usage THEN spoken END AS output_audio_tokens,
    CASE WHEN has_usage THEN searches END AS web_search_requests,
    CASE WHEN has_usage OR has_units THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE
        WHEN has_usage AND total_proves
            THEN 'total_tokens (' || total || ') counts cached tokens (' || cache
            || ') beside prompt_tokens, which should include them: read as exclusive'
        WHEN NOT has_usage OR is_exclusive THEN NULL
        ELSE coalesce(
            not_included(prompt, cache, 'prompt_tokens', 'cached tokens'),
            CASE
                WHEN shape = 'openai' AND total IS DISTINCT FROM prompt + completion + reasoning
                    THEN not_included(completion, reasoning, 'completion_tokens', 'reasoning tokens')
            END
        )
    END AS contradiction,
    CASE
        WHEN is_success = false AND coalesce(code, 0) < 400 THEN 'error'
        ELSE coalesce(status_of(code), CASE WHEN is_success THEN 'ok' END)
    END AS status,
    CASE WHEN failed THEN error_code END AS error_type,
    code AS http_status,
    CASE
        WHEN cache_status = 'SEMANTIC HIT' THEN 'semantic'
        WHEN cache_status = 'HIT' THEN 'exact'
        WHEN cache_status IN ('MISS', 'SEMANTIC MISS', 'REFRESH') THEN 'miss'
    END AS gateway_cache,
    CASE WHEN is_hit THEN 0 WHEN cost > 0 OR NOT (has_usage OR has_units) THEN try_cast(cost AS DECIMAL(18, 12)) END
        AS reported_cost
FROM counted
LEFT JOIN placed USING (id)
