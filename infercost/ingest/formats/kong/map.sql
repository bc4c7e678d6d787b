-- One row per model call that a line of Kong's log plugins tells of; lines without one are other traffic.
WITH lines AS (
    SELECT
        record_number,
        ai,
        coalesce(nullif(started_at, ''), '') AS started,
        nullif(client_ip, '') AS client_ip,
        nullif(request.id, '') AS request_key,
        nullif(split_part(request.uri, '?', 1), '') AS path,
        try_cast(latencies.request AS DOUBLE) / 1000 AS seconds,
        try_cast(response.status AS INTEGER) AS response_status,
        -- One status a try, as nginx joins them: the last one answered.
        try_cast(nullif(regexp_extract(upstream_status, '([0-9]{3})[^0-9]*$', 1), '') AS INTEGER) AS upstream,
        CASE WHEN json_type(tries) = 'ARRAY' THEN json_array_length(tries)::INTEGER END AS tried,
        nullif(workspace_name, '') AS workspace,
        nullif(route ->> '$.name', '') AS route_name,
        nullif(service ->> '$.name', '') AS service_name,
        coalesce(
            nullif(consumer ->> '$.custom_id', ''),
            nullif(consumer ->> '$.username', ''),
            nullif(consumer ->> '$.id', '')
        ) AS consumer_name,
        nullif(authenticated_entity ->> '$.id', '') AS credential,
        list_concat(
            coalesce(try_cast(route -> '$.tags' AS VARCHAR[]), []),
            coalesce(try_cast(service -> '$.tags' AS VARCHAR[]), [])
        ) AS labels
    FROM records
),

children AS (
    -- Newer versions write ai.proxy for every proxy plugin, older ones ai.<plugin>. A plugin that only guards or
    -- rewrites has neither usage nor a model.
    SELECT
        record_number,
        unnest(
            list_filter(
                map_entries(try_cast(ai AS MAP(VARCHAR, JSON))),
                lambda child:
                    json_type(child.value, '$.usage') = 'OBJECT'
                    OR coalesce(child.value ->> '$.meta.request_model', child.value ->> '$.meta.provider_name') <> ''
            )
        ) AS child
    FROM lines
    WHERE json_type(ai) = 'OBJECT'
),

answers AS (
    SELECT
        record_number,
        child.key AS plugin,
        child.value AS entry,
        child.value -> '$.usage' AS usage,
        -- The tries of the line belong to the proxied call, not to what a judge asked beside it.
        row_number() OVER (
            PARTITION BY record_number ORDER BY (child.key = 'proxy') DESC, contains(child.key, 'proxy') DESC, child.key
        ) = 1 AS is_main
    FROM children
),

counted AS (
    SELECT
        *,
        entry ->> '$.meta.provider_name' AS provider,
        coalesce(
            nullif(try_cast(usage ->> '$.prompt_tokens' AS BIGINT), 0),
            nullif(try_cast(usage ->> '$.prompt_token' AS BIGINT), 0),
            try_cast(usage ->> '$.input_tokens' AS BIGINT),
            try_cast(usage ->> '$.prompt_tokens' AS BIGINT),
            try_cast(usage ->> '$.prompt_token' AS BIGINT)
        ) AS prompt,
        coalesce(
            nullif(try_cast(usage ->> '$.completion_tokens' AS BIGINT), 0),
            nullif(try_cast(usage ->> '$.completion_token' AS BIGINT), 0),
            try_cast(usage ->> '$.output_tokens' AS BIGINT),
            try_cast(usage ->> '$.completion_tokens' AS BIGINT),
            try_cast(usage ->> '$.completion_token' AS BIGINT)
        ) AS completion,
        try_cast(usage ->> '$.total_tokens' AS BIGINT) AS total,
        try_cast(
            coalesce(
                usage ->> '$.prompt_tokens_details.cached_tokens', usage ->> '$.input_tokens_details.cached_tokens'
            ) AS BIGINT
        ) AS cached,
        try_cast(
            coalesce(usage ->> '$.prompt_tokens_details.audio_tokens', usage ->> '$.input_tokens_details.audio_tokens')
            AS BIGINT
        ) AS audio_in,
        try_cast(
            coalesce(
                usage ->> '$.completion_tokens_details.reasoning_tokens',
                usage ->> '$.output_tokens_details.reasoning_tokens'
            ) AS BIGINT
        ) AS reasoning,
        try_cast(
            coalesce(
                usage ->> '$.completion_tokens_details.audio_tokens', usage ->> '$.output_tokens_details.audio_tokens'
            ) AS BIGINT
        ) AS audio_out,
        try_cast(usage ->> '$.cost' AS DECIMAL(18, 12)) AS cost,
        lower(entry ->> '$.cache.cache_status') AS cache_status,
        coalesce(entry ->> '$.cache.embeddings_model', entry ->> '$.cache.embeddings_provider') <> '' AS is_semantic,
        entry ->> '$.meta.request_mode' AS mode
    FROM answers
),

judged AS (
    SELECT
        *,
        coalesce(prompt, completion) IS NOT NULL AS known,
        coalesce(cache_status = 'hit', false) AS is_hit,
        coalesce(lower(provider) IN ('anthropic', 'bedrock'), false) AS is_exclusive,
        -- A total that only adds up with the part beside the number proves that the number leaves the part out.
        coalesce(cached > 0 AND total = prompt + cached + completion, false) AS cached_beside,
        coalesce(reasoning > 0 AND total = prompt + completion + reasoning, false) AS reasoning_beside
    FROM counted
),

split AS (
    SELECT
        *,
        CASE WHEN is_exclusive OR cached_beside THEN prompt ELSE apart(prompt, cached) END AS fresh,
        CASE WHEN reasoning_beside THEN completion ELSE apart(completion, reasoning) END AS visible,
        -- least() passes over NULL, and an unknown count stays unknown.
        CASE WHEN audio_in >= 0 THEN least(audio_in, fresh) END AS heard,
        CASE WHEN audio_out >= 0 THEN least(audio_out, visible) END AS spoken
    FROM judged
),

rag AS (
    -- The retrieval of ai-rag-injector embeds the prompt: a paid call of its own, of which the line tells the tokens.
    SELECT
        record_number,
        coalesce(ai -> '$.proxy."rag-inject"', ai -> '$."rag-inject"', ai -> '$."ai-rag-injector"') AS entry
    FROM lines
),

calls AS (
    SELECT
        record_number,
        plugin,
        is_main,
        provider,
        entry ->> '$.meta.request_model' AS request_model,
        coalesce(nullif(entry ->> '$.meta.response_model', ''), entry ->> '$.meta.request_model') AS response_model,
        entry ->> '$.meta.plugin_id' AS plugin_id,
        try_cast(entry ->> '$.meta.llm_latency' AS DOUBLE) / 1000 AS model_seconds,
        CASE WHEN mode = 'stream' THEN try_cast(usage ->> '$.time_to_first_token' AS DOUBLE) / 1000 END AS first_token,
        CASE WHEN mode IN ('stream', 'oneshot') THEN mode = 'stream' END AS stream,
        NULL AS operation,
        known,
        prompt,
        completion,
        fresh - coalesce(heard, 0) AS input_uncached_tokens,
        cached AS cache_read_tokens,
        heard AS input_audio_tokens,
        visible - coalesce(spoken, 0) AS output_text_tokens,
        reasoning AS reasoning_tokens,
        spoken AS output_audio_tokens,
        coalesce(
            CASE
                WHEN cached_beside AND NOT is_exclusive
                    THEN 'total_tokens (' || total || ') counts cached_tokens (' || cached
                    || ') beside prompt_tokens, which should include it: read as exclusive'
                WHEN NOT is_exclusive THEN not_included(prompt, cached, 'prompt_tokens', 'cached_tokens')
            END,
            CASE
                WHEN NOT reasoning_beside
                    THEN not_included(completion, reasoning, 'completion_tokens', 'reasoning_tokens')
            END
        ) AS contradiction,
        CASE WHEN is_hit THEN 0 WHEN cost > 0 THEN cost END AS reported_cost,
        CASE
            WHEN is_hit AND is_semantic THEN 'semantic'
            WHEN is_hit THEN 'exact'
            WHEN cache_status IN ('miss', 'refresh') THEN 'miss'
        END AS gateway_cache
    FROM split
    UNION ALL BY NAME
    SELECT
        record_number,
        'rag-inject' AS plugin,
        false AS is_main,
        entry ->> '$.embeddings_provider' AS provider,
        entry ->> '$.embeddings_model' AS request_model,
        entry ->> '$.embeddings_model' AS response_model,
        try_cast(entry ->> '$.embeddings_latency' AS DOUBLE) / 1000 AS model_seconds,
        'embeddings' AS operation,
        true AS known,
        try_cast(entry ->> '$.embeddings_tokens' AS BIGINT) AS prompt,
        0 AS completion,
        prompt AS input_uncached_tokens,
        0 AS output_text_tokens
    FROM rag
    WHERE try_cast(entry ->> '$.embeddings_tokens' AS BIGINT) > 0
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN started = '' THEN 'started_at is missing'
        WHEN from_milliseconds(started) IS NULL THEN 'started_at is not in epoch milliseconds: ' || left(started, 40)
        WHEN least(input_uncached_tokens, cache_read_tokens, output_text_tokens, reasoning_tokens) < 0
            THEN 'a token count is negative'
    END AS reject_reason,
    coalesce(
        request_key, concat_ws(' ', started, client_ip, path, plugin_id, prompt, completion)
    ) || ':' || plugin AS dedupe_key,
    coalesce(prompt, 0) + coalesce(completion, 0) AS dedupe_rank,
    -- A call beside the proxied one is not another attempt at it.
    CASE WHEN is_main THEN request_key ELSE request_key || ':' || plugin END AS request_id,
    request_key AS trace_id,
    from_milliseconds(started) AS started_at,
    CASE WHEN is_main THEN coalesce(seconds, model_seconds) ELSE model_seconds END AS duration_seconds,
    first_token AS time_to_first_token_seconds,
    stream,
    CASE WHEN is_main AND tried > 0 THEN tried END AS attempt_number,
    CASE WHEN is_main THEN greatest(tried - 1, 0) END AS unlogged_attempts,
    CASE WHEN is_main AND tried > 0 THEN tried > 1 END AS is_retry,
    CASE
        WHEN operation IS NOT NULL THEN operation
        WHEN regexp_matches(path, '/chat/completions$') THEN 'chat'
        WHEN regexp_matches(path, '/completions$') THEN 'text_completion'
        WHEN regexp_matches(path, '/embeddings$') THEN 'embeddings'
        WHEN regexp_matches(path, '/responses$') THEN 'responses'
        WHEN regexp_matches(path, '/messages$') THEN 'messages'
        WHEN regexp_matches(path, ':(stream)?generateContent$', 'i') THEN 'generate_content'
    END AS operation_name,
    path AS endpoint,
    CASE lower(provider)
        WHEN 'azure' THEN 'azure.ai.openai'
        WHEN 'bedrock' THEN 'aws.bedrock'
        WHEN 'gemini' THEN 'gcp.gemini'
        WHEN 'mistral' THEN 'mistral_ai'
        WHEN 'xai' THEN 'x_ai'
        WHEN '' THEN NULL
        ELSE lower(provider)
    END AS provider_name,
    plugin_id AS deployment,
    request_model,
    response_model,
    response_model AS price_model,
    consumer_name AS user_id,
    credential AS api_key_id,
    workspace AS team_name,
    -- A tag 'feature:chat' of a route or service is feature=chat, any other one a key without a value.
    map_from_entries(
        list_concat(
            map_entries(named),
            list_transform(
                list_filter(
                    list_distinct(list_filter(labels, lambda label: trim(label) <> '' AND instr(label, ':') < 2)),
                    lambda label: NOT map_contains(named, left(label, 128))
                )[:64],
                lambda label: {'key': left(label, 128), 'value': ''}
            )
        )
    ) AS tags,
    CASE WHEN known THEN input_uncached_tokens END AS input_uncached_tokens,
    CASE WHEN known THEN cache_read_tokens END AS cache_read_tokens,
    input_audio_tokens,
    -- Embeddings have no output.
    CASE WHEN known THEN coalesce(output_text_tokens, CASE WHEN regexp_matches(path, '/embeddings$') THEN 0 END) END
        AS output_text_tokens,
    CASE WHEN known THEN reasoning_tokens END AS reasoning_tokens,
    output_audio_tokens,
    CASE WHEN known THEN 'reported' ELSE 'missing' END AS usage_source,
    contradiction,
    coalesce(status_of(coalesce(response_status, upstream)), CASE WHEN known THEN 'ok' END) AS status,
    CASE WHEN is_main AND upstream >= 100 THEN upstream ELSE response_status END AS http_status,
    gateway_cache,
    reported_cost
FROM (
    SELECT
        calls.* EXCLUDE (known),
        -- The zeros of a failed call only say that nothing was counted.
        calls.known AND NOT coalesce(
            coalesce(calls.prompt, 0) + coalesce(calls.completion, 0) = 0
            AND coalesce(lines.response_status, lines.upstream) >= 400, false
        ) AS known,
        lines.* EXCLUDE (record_number, ai),
        tag_map(
            [
                {'key': 'route', 'value': lines.route_name},
                {'key': 'service', 'value': lines.service_name},
                {'key': 'kong_plugin', 'value': CASE WHEN calls.plugin <> 'proxy' THEN calls.plugin END}
            ]
            || list_transform(
                list_filter(lines.labels, lambda label: instr(label, ':') > 1),
                lambda label: {
                    'key': trim(left(label, instr(label, ':') - 1)), 'value': trim(substr(label, instr(label, ':') + 1))
                }
            )
        ) AS named
    FROM calls
    INNER JOIN lines USING (record_number)
)
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM lines
ANTI JOIN calls USING (record_number)
