-- Rows of Bifrost's table `logs`: one try of a provider with its retries folded in; fallbacks are rows of their own.
WITH opened AS (
    -- What the API gives as an object is text with JSON in the database.
    SELECT
        *,
        CASE json_type(token_usage) WHEN 'VARCHAR' THEN try_cast(token_usage ->> '$' AS JSON) ELSE token_usage END
            AS usage,
        CASE json_type(cache_debug) WHEN 'VARCHAR' THEN try_cast(cache_debug ->> '$' AS JSON) ELSE cache_debug END
            AS lookup,
        CASE json_type(error_details) WHEN 'VARCHAR' THEN try_cast(error_details ->> '$' AS JSON) ELSE error_details END
            AS failure,
        CASE json_type(attempt_trail) WHEN 'VARCHAR' THEN try_cast(attempt_trail ->> '$' AS JSON) ELSE attempt_trail END
            AS trail,
        CASE json_type(metadata) WHEN 'VARCHAR' THEN try_cast(metadata ->> '$' AS JSON) ELSE metadata END AS labels,
        CASE json_type(routing_engines_used)
            WHEN 'ARRAY' THEN array_to_string(from_json(routing_engines_used, '["VARCHAR"]'), ',')
            ELSE routing_engines_used ->> '$'
        END AS engines
    FROM records
),

typed AS (
    SELECT
        record_number,
        nullif(id, '') AS row_id,
        nullif(parent_request_id, '') AS parent,
        coalesce(parent, row_id) AS request,
        timestamp AS written_at,
        utc(timestamp) AS started,
        lower(coalesce(nullif(object_type, ''), object)) AS kind,
        lower(provider) AS served_by,
        nullif(model, '') AS served,
        nullif(alias, '') AS asked,
        nullif(canonical_model_name, '') AS canonical,
        greatest(
            coalesce(try_cast(number_of_retries AS BIGINT), 0),
            coalesce(CASE WHEN json_type(trail) = 'ARRAY' THEN json_array_length(trail)::BIGINT - 1 END, 0)
        ) AS retries,
        coalesce(try_cast(fallback_index AS BIGINT), 0) AS hop,
        lower(status) AS state,
        try_cast(latency AS DOUBLE) / 1000 AS seconds,
        try_cast(stream AS BOOLEAN) AS streamed,
        try_cast(cost AS DECIMAL(18, 12)) AS dollars,
        lower(service_tier) AS tier,
        nullif(user_id, '') AS who,
        coalesce(nullif(team_name, ''), nullif(team_id, '')) AS team,
        coalesce(nullif(virtual_key_id, ''), nullif(selected_key_id, '')) AS key_id,
        coalesce(nullif(virtual_key_name, ''), nullif(selected_key_name, '')) AS key_name,
        json_pairs(labels) || [
            {'key': 'customer', 'value': coalesce(nullif(customer_name, ''), customer_id)},
            {'key': 'business_unit', 'value': business_unit_name},
            {'key': 'routing_rule', 'value': routing_rule_name},
            {'key': 'routing_engines', 'value': engines},
            {'key': 'provider_key', 'value': selected_key_name}
        ] AS tag_list,
        lookup ->> '$.cache_hit' AS hit,
        lower(lookup ->> '$.hit_type') AS hit_type,
        try_cast(failure ->> '$.status_code' AS INTEGER) AS failure_code,
        coalesce(
            nullif(failure ->> '$.error.type', ''),
            nullif(failure ->> '$.type', ''),
            nullif(failure ->> '$.error.code', '')
        ) AS failure_type,
        json_type(usage) = 'OBJECT' AS has_usage,
        coalesce(try_cast(usage ->> '$.prompt_tokens' AS BIGINT), try_cast(prompt_tokens AS BIGINT), 0) AS prompt,
        coalesce(try_cast(usage ->> '$.completion_tokens' AS BIGINT), try_cast(completion_tokens AS BIGINT), 0)
            AS completion,
        usage -> '$.prompt_tokens_details' AS input_details,
        usage -> '$.completion_tokens_details' AS output_details,
        coalesce(
            try_cast(input_details ->> '$.cached_read_tokens' AS BIGINT),
            try_cast(input_details ->> '$.cached_tokens' AS BIGINT),
            try_cast(cached_read_tokens AS BIGINT)
        ) AS reads,
        coalesce(
            try_cast(input_details ->> '$.cached_write_tokens' AS BIGINT),
            try_cast(input_details ->> '$.cache_write_tokens' AS BIGINT),
            0
        ) AS writes,
        coalesce(try_cast(input_details ->> '$.cached_write_token_details.cached_write_tokens_5m' AS BIGINT), 0)
            AS writes_5m,
        coalesce(try_cast(input_details ->> '$.cached_write_token_details.cached_write_tokens_1h' AS BIGINT), 0)
            AS writes_1h,
        coalesce(try_cast(input_details ->> '$.audio_tokens' AS BIGINT), 0) AS audio_in,
        coalesce(try_cast(input_details ->> '$.image_tokens' AS BIGINT), 0) AS image_in,
        coalesce(try_cast(output_details ->> '$.reasoning_tokens' AS BIGINT), 0) AS reasoning,
        coalesce(try_cast(output_details ->> '$.audio_tokens' AS BIGINT), 0) AS audio_out,
        coalesce(try_cast(output_details ->> '$.image_tokens' AS BIGINT), 0) AS image_out,
        try_cast(output_details ->> '$.num_search_queries' AS BIGINT) AS searches
    FROM opened
),

counted AS (
    SELECT
        *,
        -- Absent members of token_usage are zeros; in the table's own columns a zero may also be an unknown.
        has_usage OR prompt > 0 OR completion > 0 AS is_known,
        greatest(writes, writes_5m + writes_1h) AS written,
        -- A write without a lifetime has the default one of its provider.
        written - writes_5m - writes_1h AS unsplit,
        served_by IN ('openai', 'azure') AS is_openai,
        coalesce(reads, 0) + written AS cache,
        apart(prompt, cache) AS fresh,
        apart(completion, reasoning) AS visible
    FROM typed
),

hops AS (
    -- Retries and fallbacks count on through the rows of a request, if the first of them is here. A row may be here
    -- twice.
    SELECT
        request,
        hop,
        CASE
            WHEN first(hop) OVER chain = 0
                THEN sum(tries) OVER chain
        END AS nth
    FROM (
        SELECT
            request,
            hop,
            max(retries) + 1 AS tries
        FROM typed
        GROUP BY request, hop
    )
    WINDOW chain AS (PARTITION BY request ORDER BY hop)
)

SELECT
    record_number,
    -- Unfinished rows are written anew when they end; lists of models are no model calls.
    coalesce(state <> 'processing', true) AND coalesce(kind NOT IN ('list_models', 'list', 'count_tokens'), true)
        AS is_call,
    CASE
        WHEN row_id IS NULL THEN 'id is missing'
        WHEN coalesce(written_at, '') = '' THEN 'timestamp is missing'
        WHEN started IS NULL THEN 'timestamp is not a time: ' || left(written_at, 60)
    END AS reject_reason,
    row_id AS dedupe_key,
    CASE WHEN is_known THEN 1 + prompt + completion ELSE 0 END AS dedupe_rank,
    counted.request AS request_id,
    nth AS attempt_number,
    retries AS unlogged_attempts,
    retries > 0 AS is_retry,
    counted.hop > 0 AS is_fallback,
    started AS started_at,
    seconds AS duration_seconds,
    CASE
        WHEN starts_with(kind, 'chat') THEN 'chat'
        WHEN starts_with(kind, 'text') THEN 'text_completion'
        WHEN starts_with(kind, 'embedding') THEN 'embeddings'
        WHEN starts_with(kind, 'response') THEN 'responses'
        ELSE kind
    END AS operation_name,
    CASE served_by
        WHEN 'azure' THEN 'azure.ai.openai'
        WHEN 'bedrock' THEN 'aws.bedrock'
        WHEN 'vertex' THEN 'gcp.vertex_ai'
        WHEN 'gemini' THEN 'gcp.gemini'
        WHEN 'mistral' THEN 'mistral_ai'
        WHEN 'xai' THEN 'x_ai'
        ELSE served_by
    END AS provider_name,
    tier_of(tier) AS service_tier,
    streamed AS stream,
    coalesce(asked, served) AS request_model,
    served AS response_model,
    coalesce(canonical, served) AS price_model,
    who AS user_id,
    team AS team_name,
    key_id AS api_key_id,
    key_name AS api_key_name,
    tag_map(tag_list) AS tags,
    CASE WHEN is_known THEN apart(fresh, audio_in + image_in) END AS input_uncached_tokens,
    CASE WHEN is_known THEN coalesce(reads, CASE WHEN has_usage THEN 0 END) END AS cache_read_tokens,
    CASE WHEN is_known AND has_usage THEN writes_5m + CASE WHEN is_openai THEN 0 ELSE unsplit END END
        AS cache_write_5m_tokens,
    CASE WHEN is_known AND has_usage AND is_openai THEN unsplit END AS cache_write_30m_tokens,
    CASE WHEN is_known AND has_usage THEN writes_1h END AS cache_write_1h_tokens,
    CASE WHEN is_known AND has_usage THEN CASE WHEN audio_in + image_in > fresh THEN 0 ELSE audio_in END END
        AS input_audio_tokens,
    CASE WHEN is_known AND has_usage THEN CASE WHEN audio_in + image_in > fresh THEN 0 ELSE image_in END END
        AS input_image_tokens,
    CASE WHEN is_known THEN apart(visible, audio_out + image_out) END AS output_text_tokens,
    CASE WHEN is_known AND has_usage THEN reasoning END AS reasoning_tokens,
    CASE WHEN is_known AND has_usage THEN CASE WHEN audio_out + image_out > visible THEN 0 ELSE audio_out END END
        AS output_audio_tokens,
    CASE WHEN is_known AND has_usage THEN CASE WHEN audio_out + image_out > visible THEN 0 ELSE image_out END END
        AS output_image_tokens,
    searches AS web_search_requests,
    CASE WHEN is_known THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE
        WHEN is_known THEN coalesce(
            not_included(prompt, cache, 'prompt_tokens', 'cached tokens'),
            not_included(completion, reasoning, 'completion_tokens', 'reasoning_tokens'),
            CASE
                WHEN audio_in + image_in > fresh
                    THEN 'audio and image tokens (' || (audio_in + image_in) || ') exceed the uncached prompt_tokens ('
                    || fresh || '), which should include them: left out'
                WHEN audio_out + image_out > visible
                    THEN 'audio and image tokens (' || (audio_out + image_out) || ') exceed the completion_tokens ('
                    || visible || '), which should include them: left out'
            END
        )
    END AS contradiction,
    dollars AS reported_cost,
    CASE
        WHEN hit = 'true' THEN CASE hit_type WHEN 'direct' THEN 'exact' WHEN 'semantic' THEN 'semantic' ELSE 'hit' END
        WHEN hit = 'false' THEN 'miss'
    END AS gateway_cache,
    failure_code AS http_status,
    CASE
        WHEN state = 'cancelled' OR failure_type = 'request_cancelled' THEN 'cancelled'
        WHEN state = 'error' THEN 'error'
        WHEN state = 'success' THEN 'ok'
    END AS status,
    CASE WHEN state <> 'success' THEN failure_type END AS error_type
FROM counted
LEFT JOIN hops ON counted.request = hops.request AND counted.hop = hops.hop
