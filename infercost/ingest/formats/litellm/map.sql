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

ordered AS (
    -- A run ends with a success, because a request has at most one. Traces without a failure need no such reading.
    SELECT
        *,
        count(*) FILTER (NOT failed) OVER (
            PARTITION BY trace ORDER BY endTime, record_number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS run,
        count(*) FILTER (NOT failed) OVER (PARTITION BY trace) AS trace_successes
    FROM chained
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
        arg_max(own_id, (endTime, record_number)) FILTER (failed) AS last_failure_id,
        arg_min(model_group, (endTime, record_number)) FILTER (failed) AS first_group,
        coalesce(
            failures > 0 AND success_id IS NOT NULL
            AND coalesce(max(told) FILTER (NOT failed) > 0, max(trace_successes) = 1), false
        ) AS recovered
    FROM ordered
    GROUP BY trace, run
),

chain AS (
    SELECT
        ordered.record_number,
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
    WINDOW attempts AS (PARTITION BY ordered.trace, ordered.run ORDER BY ordered.endTime, ordered.record_number)
),

failures AS (
    -- The proxy's failure record holds the group that was asked for; the success after a fallback holds only its own.
    SELECT
        litellm_call_id,
        count(*) AS failures,
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
    LEFT JOIN chain ON r.record_number = chain.record_number
    LEFT JOIN failures ON r.litellm_call_id = failures.litellm_call_id AND r.status IS DISTINCT FROM 'failure'
),

counted AS (
    SELECT
        *,
        lower(coalesce(service_tier, usage.service_tier)) AS tier,
        greatest(coalesce(prompt_tokens, 0), coalesce(usage.prompt_tokens, 0)) AS prompt,
        greatest(coalesce(completion_tokens, 0), coalesce(usage.completion_tokens, 0)) AS completion,
        prompt > 0 OR completion > 0 OR (NOT failed AND usage.prompt_tokens IS NOT NULL) AS known,
        usage.prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens AS write_5m,
        usage.prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens AS write_1h,
        coalesce(
            usage.prompt_tokens_details.cache_creation_tokens,
            usage.prompt_tokens_details.cache_write_tokens,
            usage.cache_creation_input_tokens
        ) AS writes,
        greatest(coalesce(usage.prompt_tokens_details.cached_tokens, usage.cache_read_input_tokens, 0), 0) AS reads,
        greatest(coalesce(writes, 0) - coalesce(write_5m, 0) - coalesce(write_1h, 0), 0) AS write_unknown,
        greatest(coalesce(writes, 0), coalesce(write_5m, 0) + coalesce(write_1h, 0)) AS written,
        -- More cache than prompt proves that this prompt leaves the cache out.
        prompt - CASE WHEN reads + written > prompt THEN 0 ELSE reads + written END AS fresh,
        -- least() passes over NULL, and an unknown count stays unknown.
        CASE
            WHEN usage.prompt_tokens_details.audio_tokens >= 0
                THEN least(usage.prompt_tokens_details.audio_tokens, fresh)
        END AS audio_in,
        CASE
            WHEN usage.prompt_tokens_details.image_tokens >= 0
                THEN least(usage.prompt_tokens_details.image_tokens, fresh - coalesce(audio_in, 0))
        END AS image_in,
        coalesce(usage.completion_tokens_details.reasoning_tokens, 0) AS reasoning,
        -- More reasoning than output proves that this output leaves the reasoning out.
        completion - CASE WHEN reasoning > completion THEN 0 ELSE reasoning END AS visible,
        CASE
            WHEN usage.completion_tokens_details.audio_tokens >= 0
                THEN least(usage.completion_tokens_details.audio_tokens, visible)
        END AS audio_out,
        CASE
            WHEN usage.completion_tokens_details.image_tokens >= 0
                THEN least(usage.completion_tokens_details.image_tokens, visible - coalesce(audio_out, 0))
        END AS image_out,
        provider IN ('openai', 'azure', 'azure_ai', 'text-completion-openai')
        AND NOT contains(model, 'claude') AS openai_like,
        coalesce(error_code = '499', false) AS disconnected,
        coalesce(retries, 0) + coalesce(fallbacks, 0) AS told,
        retries IS NULL AND fallbacks IS NULL AS untold
    FROM flat
),

labelled AS (
    SELECT
        *,
        -- 'feature:chat' is feature=chat, a bare tag is a key without a value; User-Agent tags are the gateway's own.
        list_transform(
            list_filter(request_tags, lambda t: trim(t) <> '' AND NOT starts_with(lower(t), 'user-agent:')),
            lambda t: struct_pack(
                k := left(trim(CASE WHEN instr(t, ':') > 1 THEN left(t, instr(t, ':') - 1) ELSE t END), 256),
                v := left(trim(CASE WHEN instr(t, ':') > 1 THEN substr(t, instr(t, ':') + 1) ELSE '' END), 256)
            )
        ) AS tag_entries,
        -- Ids of users and sessions have columns of their own, where they are hashed.
        CASE
            WHEN json_type(meta.requester_metadata) = 'OBJECT' THEN list_transform(
                list_filter(
                    map_entries(TRY(from_json(meta.requester_metadata, '"MAP(VARCHAR, JSON)"'))),
                    lambda e: left(CAST(e.value AS VARCHAR), 1) NOT IN ('{', '[') AND e.value ->> '$' IS NOT NULL
                    AND e.key NOT IN (
                        '', 'headers', 'tags', 'used_client_oauth_token',
                        'user_id', 'session_id', 'trace_id', 'generation_id', 'litellm_session_id',
                        'litellm_trace_id', 'litellm_call_id'
                    )
                    AND NOT starts_with(e.key, 'user_api_key')
                ),
                lambda e: struct_pack(k := left(e.key, 256), v := left(e.value ->> '$', 256))
            )
        END AS request_entries,
        CASE
            WHEN json_type(meta.spend_logs_metadata) = 'OBJECT' THEN list_transform(
                list_filter(
                    map_entries(TRY(from_json(meta.spend_logs_metadata, '"MAP(VARCHAR, JSON)"'))),
                    lambda e: e.key <> '' AND left(CAST(e.value AS VARCHAR), 1) NOT IN ('{', '[')
                    AND e.value ->> '$' IS NOT NULL
                ),
                lambda e: struct_pack(k := left(e.key, 256), v := left(e.value ->> '$', 256))
            )
        END AS spend_entries,
        CASE
            WHEN meta.routing_decision IS NOT NULL THEN list_filter(
                [
                    struct_pack(k := 'routing.tier', v := meta.routing_decision.tier),
                    struct_pack(k := 'routing.cause', v := left(meta.routing_decision.cause, 256)),
                    struct_pack(k := 'routing.router', v := left(meta.routing_decision.router_model_name, 256)),
                    struct_pack(k := 'routing.model', v := left(meta.routing_decision.routed_model, 256))
                ],
                lambda e: e.v <> ''
            )
        END AS routing_entries,
        list_concat(tag_entries, request_entries, spend_entries, routing_entries)[:64] AS entries,
        list_transform(entries, lambda e: e.k) AS keys
    FROM counted
)

SELECT
    record_number,
    -- Files, batches and tools are logged beside the calls of models; a batch's own cost keeps its record a call.
    known OR coalesce(response_cost, 0) > 0
    OR NOT regexp_matches(coalesce(call_type, ''), 'file|batch|assistant|thread|fine_tun|mcp') AS is_call,
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
    CASE
        WHEN call_type IN ('acompletion', 'completion') THEN 'chat'
        WHEN call_type IN ('aembedding', 'embedding') THEN 'embeddings'
        WHEN call_type = 'anthropic_messages' THEN 'messages'
        WHEN regexp_matches(call_type, '^a?generate_content') THEN 'generate_content'
        -- The leading a is that of the asynchronous call.
        WHEN starts_with(call_type, 'a') AND NOT regexp_matches(call_type, '^(add_|audio|anthropic|allm_)')
            THEN substr(call_type, 2)
        ELSE call_type
    END AS operation_name,
    coalesce(nullif(meta.user_api_key_request_route, ''), call_type) AS endpoint,
    CASE provider
        WHEN 'bedrock' THEN 'aws.bedrock'
        WHEN 'bedrock_converse' THEN 'aws.bedrock'
        WHEN 'vertex_ai' THEN 'gcp.vertex_ai'
        WHEN 'vertex_ai_beta' THEN 'gcp.vertex_ai'
        WHEN 'gemini' THEN 'gcp.gemini'
        WHEN 'azure' THEN 'azure.ai.openai'
        WHEN 'azure_ai' THEN 'azure.ai.inference'
        WHEN 'xai' THEN 'x_ai'
        WHEN 'mistral' THEN 'mistral_ai'
        WHEN 'watsonx' THEN 'ibm.watsonx.ai'
        WHEN '' THEN NULL
        ELSE provider
    END AS provider_name,
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
    CASE
        WHEN coalesce(len(entries), 0) = 0 THEN NULL
        WHEN len(list_distinct(keys)) = len(keys) THEN map_from_entries(entries)
        ELSE map_from_entries(list_filter(entries, lambda e, i: list_position(keys, e.k) = i))
    END AS tags,
    CASE WHEN known THEN fresh - coalesce(audio_in, 0) - coalesce(image_in, 0) END AS input_uncached_tokens,
    CASE WHEN known THEN reads END AS cache_read_tokens,
    CASE
        WHEN NOT known THEN NULL
        WHEN openai_like THEN write_5m
        WHEN writes IS NOT NULL OR write_5m IS NOT NULL THEN coalesce(write_5m, 0) + write_unknown
    END AS cache_write_5m_tokens,
    CASE WHEN known AND openai_like AND writes IS NOT NULL THEN write_unknown END AS cache_write_30m_tokens,
    CASE WHEN known THEN write_1h END AS cache_write_1h_tokens,
    CASE WHEN known THEN audio_in END AS input_audio_tokens,
    CASE WHEN known THEN image_in END AS input_image_tokens,
    CASE WHEN known THEN visible - coalesce(audio_out, 0) - coalesce(image_out, 0) END AS output_text_tokens,
    CASE WHEN known THEN reasoning END AS reasoning_tokens,
    CASE WHEN known THEN audio_out END AS output_audio_tokens,
    CASE WHEN known THEN image_out END AS output_image_tokens,
    CASE WHEN NOT known THEN 'missing' WHEN failed OR disconnected THEN 'estimated' ELSE 'reported' END AS usage_source,
    CASE WHEN disconnected THEN 'cancelled' WHEN failed THEN 'error' ELSE 'ok' END AS status,
    CASE WHEN failed OR disconnected THEN error_class END AS error_type,
    CASE
        WHEN NOT failed AND error_code IS NULL THEN 200
        WHEN TRY_CAST(error_code AS INTEGER) IS NOT NULL THEN CAST(error_code AS INTEGER)
        -- A provider's own code such as 'server_error' leaves only the class; normalized_error differs by writer.
        WHEN error_code IS NOT NULL AND error_class = 'InternalServerError' THEN 500
    END AS http_status,
    -- False on a failure is only the field's default.
    CASE WHEN hit THEN 'hit' WHEN NOT cache_hit AND NOT failed THEN 'miss' END AS gateway_cache,
    CASE WHEN hit THEN 0 ELSE TRY_CAST(response_cost AS DECIMAL(18, 12)) END AS reported_cost
FROM labelled
