-- LiteLLM_SpendLogs: one row is one client request, and one more for each earlier attempt of it that was billed.
-- The columns come typed (JSON) or as text (CSV), so every number is cast here.
WITH earlier AS (
    SELECT
        regexp_replace(request_id, '-attempt-\d+$', '') AS call_id,
        count(*) AS rows_of_their_own
    FROM records
    WHERE regexp_matches(request_id, '-attempt-\d+$')
    GROUP BY ALL
),

texts AS (
    -- PostgreSQL writes JSON objects; LiteLLM's own callbacks and APIs write the same as JSON text in a string.
    SELECT
        * EXCLUDE (metadata, request_tags),
        CASE
            WHEN starts_with(CAST(metadata AS VARCHAR), '"') THEN TRY(CAST(metadata AS JSON) ->> '$')
            ELSE nullif(CAST(metadata AS VARCHAR), '')
        END AS metadata_text,
        CASE
            WHEN starts_with(CAST(request_tags AS VARCHAR), '"') THEN TRY(CAST(request_tags AS JSON) ->> '$')
            ELSE nullif(CAST(request_tags AS VARCHAR), '')
        END AS tags_text
    FROM records
),

parsed AS (
    SELECT
        *,
        TRY(from_json(metadata_text, '{
            "litellm_call_id": "VARCHAR", "status": "VARCHAR", "user_api_key_alias": "VARCHAR",
            "user_api_key_team_id": "VARCHAR", "user_api_key_team_alias": "VARCHAR", "user_api_key_user_id": "VARCHAR",
            "spend_logs_metadata": "JSON", "original_model_group": "VARCHAR",
            "attempted_retries": "INTEGER", "attempted_fallbacks": "INTEGER",
            "cost_breakdown": {"service_tier": "VARCHAR", "vertex_location": "VARCHAR"},
            "error_information": {"error_code": "VARCHAR", "error_class": "VARCHAR"},
            "model_map_information": {"model_map_key": "VARCHAR"},
            "routing_decision": {
                "tier": "VARCHAR", "cause": "VARCHAR", "router_model_name": "VARCHAR", "routed_model": "VARCHAR"
            },
            "usage_object": {
                "prompt_tokens": "BIGINT", "completion_tokens": "BIGINT",
                "cache_read_input_tokens": "BIGINT", "cache_creation_input_tokens": "BIGINT",
                "service_tier": "VARCHAR", "speed": "VARCHAR",
                "prompt_tokens_details": {
                    "cached_tokens": "BIGINT", "cache_write_tokens": "BIGINT", "cache_creation_tokens": "BIGINT",
                    "audio_tokens": "BIGINT", "image_tokens": "BIGINT",
                    "cache_creation_token_details": {
                        "ephemeral_5m_input_tokens": "BIGINT", "ephemeral_1h_input_tokens": "BIGINT"
                    }
                },
                "completion_tokens_details": {
                    "reasoning_tokens": "BIGINT", "audio_tokens": "BIGINT", "image_tokens": "BIGINT"
                }
            },
            "additional_usage_values": {
                "cache_read_input_tokens": "BIGINT", "cache_creation_input_tokens": "BIGINT",
                "prompt_tokens_details": {
                    "cached_tokens": "BIGINT", "cache_write_tokens": "BIGINT", "cache_creation_tokens": "BIGINT",
                    "audio_tokens": "BIGINT", "image_tokens": "BIGINT",
                    "cache_creation_token_details": {
                        "ephemeral_5m_input_tokens": "BIGINT", "ephemeral_1h_input_tokens": "BIGINT"
                    }
                },
                "completion_tokens_details": {
                    "reasoning_tokens": "BIGINT", "audio_tokens": "BIGINT", "image_tokens": "BIGINT"
                }
            }
        }')) AS meta,
        TRY(from_json(tags_text, '["VARCHAR"]')) AS tag_list
    FROM texts
),

flat AS (
    SELECT
        p.record_number,
        nullif(p.request_id, '') AS row_id,
        coalesce(nullif(p.litellm_call_id, ''), nullif(p.meta.litellm_call_id, '')) AS logged_call_id,
        regexp_replace(coalesce(logged_call_id, nullif(p.request_id, '')), '-attempt-\d+$', '') AS call_id,
        TRY_CAST(regexp_extract(p.request_id, '-attempt-(\d+)$', 1) AS INTEGER) AS earlier_attempt,
        coalesce(earlier.rows_of_their_own, 0) AS logged_failures,
        nullif(p.session_id, '') AS session_id,
        p.call_type,
        lower(p.cache_hit) = 'true' AS hit,
        lower(p.cache_hit) = 'false' AS no_hit,
        nullif(p.custom_llm_provider, '') AS provider,
        TRY_CAST(p.startTime AS TIMESTAMPTZ) AS started_at,
        TRY_CAST(p.endTime AS TIMESTAMPTZ) AS ended_at,
        TRY_CAST(p.completionStartTime AS TIMESTAMPTZ) AS first_token_at,
        nullif(p.model, '') AS model,
        nullif(p.model_group, '') AS model_group,
        coalesce(nullif(p.model_id, ''), nullif(p.api_base, '')) AS deployment,
        nullif(p.end_user, '') AS end_user,
        nullif(p."user", '') AS key_user,
        nullif(p.team_id, '') AS team_id,
        nullif(p.api_key, '') AS api_key,
        p.tag_list,
        p.meta,
        -- Versions before usage_object keep the details here.
        p.meta.additional_usage_values AS extra,
        TRY_CAST(p.spend AS DOUBLE) AS spend,
        TRY_CAST(p.prompt_tokens AS BIGINT) AS prompt_tokens,
        TRY_CAST(p.completion_tokens AS BIGINT) AS completion_tokens,
        nullif(p.meta.error_information.error_code, '') AS error_code,
        nullif(p.meta.error_information.error_class, '') AS error_class,
        -- Versions without the status column say it in the metadata, or only by the error's presence.
        coalesce(
            coalesce(nullif(p.status, ''), nullif(p.meta.status, '')) = 'failure',
            error_class IS NOT NULL AND coalesce(error_code, '') <> '499'
        ) AS failed,
        coalesce(error_code = '499', false) AS disconnected,
        CASE
            WHEN p.metadata_text <> 'null' AND p.meta IS NULL
                THEN 'metadata is not a JSON object (cut off by the export?)'
            WHEN p.startTime <> '' AND TRY_CAST(p.startTime AS TIMESTAMPTZ) IS NULL
                THEN 'startTime is not a timestamp'
            WHEN CAST(p.prompt_tokens AS VARCHAR) <> '' AND TRY_CAST(p.prompt_tokens AS BIGINT) IS NULL
                THEN 'prompt_tokens is not a number'
            WHEN CAST(p.completion_tokens AS VARCHAR) <> '' AND TRY_CAST(p.completion_tokens AS BIGINT) IS NULL
                THEN 'completion_tokens is not a number'
            WHEN CAST(p.spend AS VARCHAR) <> '' AND TRY_CAST(p.spend AS DOUBLE) IS NULL
                THEN 'spend is not a number'
            WHEN TRY_CAST(p.prompt_tokens AS BIGINT) < 0 OR TRY_CAST(p.completion_tokens AS BIGINT) < 0
                THEN 'a token count is negative'
        END AS reject_reason
    FROM parsed AS p
    LEFT JOIN earlier ON p.request_id = earlier.call_id
),

detailed AS (
    SELECT
        *,
        meta.usage_object.prompt_tokens IS NOT NULL AS has_usage,
        coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0) AS counts,
        counts > 0 OR has_usage AS counted,
        -- LiteLLM counts a failed attempt's prompt itself, also when the provider refused it: unbilled, so not usage.
        counted AND (NOT failed OR ((has_usage OR spend > 0) AND counts > 0)) AS known,
        greatest(coalesce(prompt_tokens, 0), coalesce(meta.usage_object.prompt_tokens, 0)) AS prompt,
        greatest(coalesce(completion_tokens, 0), coalesce(meta.usage_object.completion_tokens, 0)) AS completion,
        coalesce(meta.usage_object.prompt_tokens_details, extra.prompt_tokens_details) AS input_details,
        coalesce(meta.usage_object.completion_tokens_details, extra.completion_tokens_details) AS output_details,
        coalesce(meta.usage_object.cache_read_input_tokens, extra.cache_read_input_tokens) AS top_reads,
        coalesce(meta.usage_object.cache_creation_input_tokens, extra.cache_creation_input_tokens) AS top_writes
    FROM flat
),

counted AS (
    SELECT
        *,
        -- The row has no flag for a stream, but only a stream's first token comes before its end.
        coalesce(NOT failed AND first_token_at < ended_at, false) AS streamed,
        coalesce(nullif(meta.original_model_group, ''), model_group) AS asked_group,
        lower(coalesce(meta.cost_breakdown.service_tier, meta.usage_object.service_tier)) AS tier,
        meta.attempted_retries AS retries,
        meta.attempted_fallbacks AS fallbacks
    FROM litellm_tokens('detailed')
),

labelled AS (
    SELECT
        *,
        litellm_tags(tag_list) AS tag_entries,
        litellm_members(meta.spend_logs_metadata) AS spend_entries,
        litellm_routing(meta.routing_decision) AS routing_entries,
        list_concat(tag_entries, spend_entries, routing_entries)[:64] AS entries
    FROM counted
)

SELECT
    record_number,
    -- Files, batches and tools are logged beside the calls of models; a batch's own cost keeps its record a call.
    known OR coalesce(spend, 0) > 0
    OR NOT regexp_matches(coalesce(call_type, ''), 'file|batch|assistant|thread|fine_tun|mcp') AS is_call,
    reject_reason,
    -- LiteLLM makes a hit's id from the clock, once for the row and once for the payload.
    CASE WHEN hit THEN 'hit:' || call_id ELSE row_id END AS dedupe_key,
    CASE WHEN known THEN 3 ELSE 1 END AS dedupe_rank,
    call_id AS request_id,
    CASE
        WHEN earlier_attempt IS NOT NULL THEN earlier_attempt + 1
        ELSE retries + coalesce(fallbacks, 0) + 1
    END AS attempt_number,
    CASE
        WHEN earlier_attempt IS NOT NULL THEN 0
        WHEN retries IS NOT NULL THEN greatest(retries + coalesce(fallbacks, 0) - logged_failures, 0)
    END AS unlogged_attempts,
    CASE WHEN NOT failed AND row_id IS DISTINCT FROM logged_call_id THEN split_part(row_id, '_cache_hit', 1) END
        AS response_id,
    session_id AS trace_id,
    session_id,
    started_at,
    CASE WHEN ended_at >= started_at THEN round((epoch_us(ended_at) - epoch_us(started_at)) / 1e6, 6) END
        AS duration_seconds,
    CASE
        WHEN streamed AND first_token_at > started_at
            THEN round((epoch_us(first_token_at) - epoch_us(started_at)) / 1e6, 6)
    END AS time_to_first_token_seconds,
    'litellm' AS gateway,
    litellm_operation(call_type) AS operation_name,
    nullif(call_type, '') AS endpoint,
    litellm_provider(provider) AS provider_name,
    deployment,
    nullif(meta.cost_breakdown.vertex_location, '') AS region,
    CASE
        WHEN meta.usage_object.speed = 'fast' THEN 'fast'
        WHEN tier NOT IN ('', 'default', 'standard', 'auto') THEN tier
    END AS service_tier,
    CASE WHEN streamed THEN true END AS stream,
    coalesce(asked_group, model) AS request_model,
    model AS response_model,
    coalesce(nullif(meta.model_map_information.model_map_key, ''), model) AS price_model,
    CASE WHEN asked_group <> model_group THEN asked_group || ' > ' || model_group ELSE coalesce(model_group, model) END
        AS routing_path,
    CASE WHEN earlier_attempt IS NOT NULL THEN earlier_attempt > 0 ELSE retries > 0 END AS is_retry,
    CASE WHEN asked_group <> model_group THEN true ELSE fallbacks > 0 END AS is_fallback,
    coalesce(nullif(meta.user_api_key_team_alias, ''), team_id, nullif(meta.user_api_key_team_id, '')) AS team_name,
    coalesce(end_user, key_user, nullif(meta.user_api_key_user_id, '')) AS user_id,
    api_key AS api_key_id,
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
    CASE WHEN hit THEN 'hit' WHEN no_hit AND NOT failed THEN 'miss' END AS gateway_cache,
    CASE WHEN hit THEN 0 ELSE TRY_CAST(spend AS DECIMAL(18, 12)) END AS reported_cost
FROM labelled
