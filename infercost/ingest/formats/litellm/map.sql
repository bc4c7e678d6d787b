-- LiteLLM StandardLoggingPayload: one record is one attempt; the proxy writes at most one failed attempt a request.
WITH chained AS (
    -- These records cannot be joined by litellm_call_id: the SDK's router gives every attempt its own (no key, route or
    -- address of a client in the record), and older versions log none. Their attempts share only the trace.
    SELECT
        record_number,
        endTime,
        nullif(model_group, '') AS model_group,
        coalesce(status = 'failure', false) AS failed,
        coalesce(nullif(litellm_call_id, ''), id) AS own_id,
        coalesce(nullif(trace_id, ''), nullif(litellm_call_id, ''), id) AS trace,
        TRY_CAST(hidden_params.additional_headers."x-litellm-attempted-retries" AS INTEGER)
        + TRY_CAST(hidden_params.additional_headers."x-litellm-attempted-fallbacks" AS INTEGER) AS told
    FROM records
    WHERE
        nullif(litellm_call_id, '') IS NULL
        OR (
            metadata.user_api_key_hash IS NULL
            AND metadata.user_api_key_request_route IS NULL
            AND nullif(requester_ip_address, '') IS NULL
        )
),

once AS (
    -- A record that is there twice is one attempt.
    SELECT
        trace,
        failed,
        own_id,
        min(endTime) AS endTime,
        arg_min(model_group, endTime) AS model_group,
        max(told) AS told
    FROM chained
    GROUP BY trace, failed, own_id
),

ordered AS (
    -- A run ends with a success, because a request has at most one. Traces without a failure need no such reading.
    SELECT
        *,
        count(*) FILTER (NOT failed) OVER (
            PARTITION BY trace ORDER BY endTime, failed DESC, own_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS run,
        count(*) FILTER (NOT failed) OVER (PARTITION BY trace) AS trace_successes
    FROM once
    WHERE trace IN (SELECT DISTINCT trace FROM chained WHERE failed)
),

runs AS (
    -- The trace may be the client's session, so failures belong to the next success only if that says it retried or
    -- fell back. Streams say nothing: there the failures belong to it when it is the only success of the trace.
    SELECT
        trace,
        run,
        count(*) FILTER (failed) AS failures,
        max(own_id) FILTER (NOT failed) AS success_id,
        arg_max(own_id, (endTime, own_id)) FILTER (failed) AS last_failure_id,
        arg_min(model_group, (endTime, own_id)) FILTER (failed) AS first_group,
        coalesce(
            failures > 0 AND success_id IS NOT NULL
            AND coalesce(max(told) FILTER (NOT failed) > 0, max(trace_successes) = 1), false
        ) AS recovered
    FROM ordered
    GROUP BY trace, run
),

chain AS (
    SELECT
        ordered.trace,
        ordered.failed,
        ordered.own_id,
        CASE
            WHEN NOT ordered.failed THEN ordered.own_id
            WHEN runs.recovered THEN runs.success_id
            ELSE runs.last_failure_id
        END AS request_id,
        CASE WHEN ordered.failed OR runs.recovered THEN row_number() OVER attempts ELSE 1 END AS attempt_number,
        CASE WHEN ordered.failed OR runs.recovered THEN lag(ordered.model_group) OVER attempts END AS previous_group,
        CASE WHEN ordered.failed OR runs.recovered THEN runs.first_group END AS first_group,
        CASE WHEN NOT ordered.failed AND runs.recovered THEN runs.failures ELSE 0 END AS failures
    FROM ordered
    INNER JOIN runs USING (trace, run)
    WINDOW attempts AS (
        PARTITION BY ordered.trace, ordered.run ORDER BY ordered.endTime, ordered.failed DESC, ordered.own_id
    )
),

placed AS (
    SELECT
        chained.record_number,
        chain.*
    FROM chained
    INNER JOIN chain USING (trace, failed, own_id)
),

failures AS (
    -- The proxy's failure record holds the group that was asked for; the success after a fallback holds only its own.
    SELECT
        litellm_call_id,
        count(DISTINCT (id, startTime, endTime)) AS failures,
        arg_min(nullif(model_group, ''), startTime) AS first_group
    FROM records
    WHERE status = 'failure' AND nullif(litellm_call_id, '') IS NOT NULL
    GROUP BY litellm_call_id
),

flat AS (
    SELECT
        r.record_number,
        nullif(r.id, '') AS id,
        nullif(r.litellm_call_id, '') AS call_id,
        nullif(r.trace_id, '') AS trace_id,
        nullif(r.session_id, '') AS session_id,
        r.call_type,
        -- With json_logs the program's own messages stand between the payloads, in another shape.
        r.level IS NOT NULL AND r.call_type IS NULL AND r.startTime IS NULL AS is_message,
        coalesce(r.cache_hit, false) AS hit,
        r.cache_hit,
        r.stream,
        coalesce(r.status = 'failure', false) AS failed,
        r.custom_llm_provider AS provider,
        r.startTime,
        r.endTime,
        r.completionStartTime,
        r.model,
        nullif(r.model_group, '') AS model_group,
        nullif(r.model_id, '') AS model_id,
        nullif(r.api_base, '') AS api_base,
        nullif(r.end_user, '') AS end_user,
        r.request_tags,
        r.response_cost,
        r.metadata AS meta,
        nullif(r.error_information.error_code, '') AS error_code,
        nullif(r.error_information.error_class, '') AS error_class,
        nullif(r.model_map_information.model_map_key, '') AS map_key,
        coalesce(r.cost_breakdown.service_tier, r.response.service_tier) AS service_tier,
        nullif(r.cost_breakdown.vertex_location, '') AS vertex_location,
        TRY_CAST(r.hidden_params.additional_headers."x-litellm-attempted-retries" AS INTEGER) AS retries,
        TRY_CAST(r.hidden_params.additional_headers."x-litellm-attempted-fallbacks" AS INTEGER) AS fallbacks,
        chain.record_number IS NOT NULL AS is_chained,
        chain.request_id AS chain_request_id,
        chain.attempt_number AS chain_attempt_number,
        chain.previous_group,
        coalesce(chain.first_group, failures.first_group) AS first_group,
        coalesce(chain.failures, failures.failures, 0) AS logged_failures,
        -- Versions before usage_object keep the details only in the answer itself.
        CASE WHEN r.metadata.usage_object.prompt_tokens IS NULL THEN r.response.usage ELSE r.metadata.usage_object END
            AS usage,
        r.prompt_tokens,
        r.completion_tokens
    FROM records AS r
    LEFT JOIN placed AS chain ON r.record_number = chain.record_number
    LEFT JOIN failures ON r.litellm_call_id = failures.litellm_call_id AND r.status IS DISTINCT FROM 'failure'
),

detailed AS (
    SELECT
        *,
        lower(coalesce(service_tier, usage.service_tier)) AS tier,
        greatest(coalesce(prompt_tokens, 0), coalesce(usage.prompt_tokens, 0)) AS prompt,
        greatest(coalesce(completion_tokens, 0), coalesce(usage.completion_tokens, 0)) AS completion,
        prompt > 0 OR completion > 0 OR (NOT failed AND usage.prompt_tokens IS NOT NULL) AS known,
        usage.prompt_tokens_details AS input_details,
        usage.completion_tokens_details AS output_details,
        usage.cache_read_input_tokens AS top_reads,
        usage.cache_creation_input_tokens AS top_writes,
        coalesce(error_code = '499', false) AS disconnected,
        coalesce(retries, 0) + coalesce(fallbacks, 0) AS told,
        retries IS NULL AND fallbacks IS NULL AS untold
    FROM flat
),

counted AS (
    FROM litellm_tokens('detailed')
),

labelled AS (
    SELECT
        *,
        litellm_tags(request_tags) AS tag_entries,
        -- Ids of users and sessions have columns of their own, where they are hashed.
        list_filter(
            litellm_members(meta.requester_metadata),
            lambda e: e.k NOT IN (
                'headers', 'tags', 'used_client_oauth_token', 'user_id', 'session_id', 'trace_id', 'generation_id',
                'litellm_session_id', 'litellm_trace_id', 'litellm_call_id'
            )
            AND NOT starts_with(e.k, 'user_api_key')
        ) AS request_entries,
        litellm_members(meta.spend_logs_metadata) AS spend_entries,
        litellm_routing(meta.routing_decision) AS routing_entries,
        list_concat(tag_entries, request_entries, spend_entries, routing_entries)[:64] AS entries
    FROM counted
)

SELECT
    record_number,
    -- Files, batches and tools are logged beside the calls of models; a batch's own cost keeps its record a call.
    known OR coalesce(response_cost, 0) > 0
    OR NOT (
        is_message OR regexp_matches(coalesce(call_type, ''), 'file|batch|assistant|thread|fine_tun|mcp')
    ) AS is_call,
    CASE
        WHEN startTime NOT BETWEEN 0 AND 10000000000 THEN 'startTime is not in epoch seconds'
        WHEN prompt_tokens < 0 OR completion_tokens < 0 THEN 'a token count is negative'
    END AS reject_reason,
    CASE
        WHEN hit THEN 'hit:' || coalesce(call_id, id)
        WHEN failed THEN coalesce(call_id, id)
        ELSE coalesce(id, call_id)
    END AS dedupe_key,
    CASE WHEN known THEN 4 ELSE 2 END AS dedupe_rank,
    coalesce(chain_request_id, call_id, id) AS request_id,
    CASE
        WHEN is_chained THEN chain_attempt_number
        WHEN failed THEN 1
        WHEN untold AND first_group IS NULL THEN NULL
        ELSE greatest(told, logged_failures) + 1
    END AS attempt_number,
    CASE WHEN NOT failed AND NOT untold THEN greatest(told - logged_failures, 0) END AS unlogged_attempts,
    CASE WHEN NOT failed AND id <> coalesce(call_id, '') THEN split_part(id, '_cache_hit', 1) END AS response_id,
    trace_id,
    -- Without a session of its own a request's trace is its session: LiteLLM puts the client's session id there.
    coalesce(session_id, nullif(meta.requester_custom_headers."x-claude-code-session-id", ''), trace_id) AS session_id,
    CASE WHEN startTime BETWEEN 0 AND 10000000000 THEN make_timestamptz(CAST(round(startTime * 1e6) AS BIGINT)) END
        AS started_at,
    CASE WHEN endTime >= startTime THEN round(endTime - startTime, 6) END AS duration_seconds,
    CASE WHEN stream AND completionStartTime > startTime THEN round(completionStartTime - startTime, 6) END
        AS time_to_first_token_seconds,
    'litellm' AS gateway,
    litellm_operation(call_type) AS operation_name,
    coalesce(nullif(meta.user_api_key_request_route, ''), call_type) AS endpoint,
    litellm_provider(provider) AS provider_name,
    coalesce(model_id, api_base) AS deployment,
    vertex_location AS region,
    CASE
        WHEN usage.speed = 'fast' THEN 'fast'
        WHEN tier NOT IN ('', 'default', 'standard', 'auto') THEN tier
    END AS service_tier,
    stream,
    coalesce(first_group, model_group, model) AS request_model,
    model AS response_model,
    coalesce(map_key, model) AS price_model,
    CASE WHEN first_group <> model_group THEN first_group || ' > ' || model_group ELSE coalesce(model_group, model) END
        AS routing_path,
    CASE
        WHEN is_chained AND (failed OR previous_group IS NOT NULL) THEN coalesce(previous_group = model_group, false)
        WHEN failed THEN false
        WHEN untold AND first_group IS NULL THEN NULL
        ELSE coalesce(retries > 0, first_group = model_group, false)
    END AS is_retry,
    CASE
        WHEN failed THEN coalesce(first_group <> model_group, false)
        WHEN untold AND first_group IS NULL THEN NULL
        ELSE coalesce(fallbacks > 0, false) OR coalesce(first_group <> model_group, false)
    END AS is_fallback,
    coalesce(nullif(meta.user_api_key_team_alias, ''), nullif(meta.user_api_key_team_id, '')) AS team_name,
    coalesce(end_user, nullif(meta.user_api_key_end_user_id, ''), nullif(meta.user_api_key_user_id, '')) AS user_id,
    nullif(meta.user_api_key_hash, '') AS api_key_id,
    nullif(meta.user_api_key_alias, '') AS api_key_name,
    litellm_unique(entries) AS tags,
    input_uncached_tokens,
    cache_read_tokens,
    cache_write_5m_tokens,
    cache_write_30m_tokens,
    cache_write_1h_tokens,
    input_audio_tokens,
    input_image_tokens,
    output_text_tokens,
    reasoning_tokens,
    output_audio_tokens,
    output_image_tokens,
    contradiction,
    CASE WHEN NOT known THEN 'missing' WHEN failed OR disconnected THEN 'estimated' ELSE 'reported' END AS usage_source,
    CASE WHEN disconnected THEN 'cancelled' WHEN failed THEN 'error' ELSE 'ok' END AS status,
    CASE WHEN failed OR disconnected THEN error_class END AS error_type,
    CASE
        WHEN NOT failed AND error_code IS NULL THEN 200
        WHEN TRY_CAST(error_code AS INTEGER) BETWEEN 100 AND 599 THEN TRY_CAST(error_code AS INTEGER)
        -- A provider's own code such as 'server_error' leaves only the class; normalized_error differs by writer.
        WHEN error_code IS NOT NULL AND error_class = 'InternalServerError' THEN 500
    END AS http_status,
    -- False on a failure is only the field's default.
    CASE WHEN hit THEN 'hit' WHEN NOT cache_hit AND NOT failed THEN 'miss' END AS gateway_cache,
    CASE WHEN hit THEN 0 ELSE TRY_CAST(response_cost AS DECIMAL(18, 12)) END AS reported_cost
FROM labelled
