-- Generation records of OpenRouter: one row for the generation and one for each provider that was tried before.
WITH flat AS (
    -- The API puts the object under `data`; whoever collects them often keeps only what is inside.
    SELECT
        record_number,
        unnest(coalesce(
            data,
            struct_pack(
                id := id, request_id := request_id, session_id := session_id, upstream_id := upstream_id,
                model := model, provider_name := provider_name, total_cost := total_cost, usage := usage,
                upstream_inference_cost := upstream_inference_cost, created_at := created_at, streamed := streamed,
                cancelled := cancelled, latency := latency, generation_time := generation_time,
                tokens_prompt := tokens_prompt, tokens_completion := tokens_completion,
                native_tokens_prompt := native_tokens_prompt, native_tokens_completion := native_tokens_completion,
                native_tokens_reasoning := native_tokens_reasoning, native_tokens_cached := native_tokens_cached,
                native_tokens_completion_images := native_tokens_completion_images, finish_reason := finish_reason,
                native_finish_reason := native_finish_reason, is_byok := is_byok, api_type := api_type,
                router := router, service_tier := service_tier, external_user := external_user,
                response_cache_source_id := response_cache_source_id, preset_id := preset_id, app_id := app_id,
                origin := origin, provider_responses := provider_responses
            )
        ))
    FROM records
),

told AS (
    SELECT
        record_number,
        nullif(trim(id), '') AS id,
        -- A file of answers has the API's errors too: those are not calls.
        coalesce(id, model, native_tokens_prompt, native_tokens_completion, total_cost) IS NOT NULL AS is_generation,
        nullif(request_id, '') AS request_id,
        nullif(session_id, '') AS session_id,
        nullif(model, '') AS model,
        nullif(provider_name, '') AS upstream,
        nullif(trim(created_at), '') AS written_at,
        utc(created_at) AS created,
        try_cast(streamed AS BOOLEAN) AS is_streamed,
        coalesce(try_cast(cancelled AS BOOLEAN), false) AS is_cancelled,
        coalesce(try_cast(is_byok AS BOOLEAN), false) AS is_byok,
        coalesce(openrouter_milliseconds(generation_time), openrouter_milliseconds(latency)) AS duration_ms,
        try_cast(coalesce(total_cost, usage) AS DECIMAL(18, 12)) AS cost,
        try_cast(upstream_inference_cost AS DECIMAL(18, 12)) AS upstream_cost,
        native_tokens_prompt IS NOT NULL OR native_tokens_completion IS NOT NULL AS is_native,
        try_cast(try_cast(
            CASE WHEN is_native THEN native_tokens_prompt ELSE tokens_prompt END AS DOUBLE
        ) AS BIGINT) AS prompt,
        try_cast(try_cast(
            CASE WHEN is_native THEN native_tokens_completion ELSE tokens_completion END AS DOUBLE
        ) AS BIGINT) AS completion,
        try_cast(try_cast(native_tokens_cached AS DOUBLE) AS BIGINT) AS cached,
        try_cast(try_cast(native_tokens_reasoning AS DOUBLE) AS BIGINT) AS reasoning,
        try_cast(try_cast(native_tokens_completion_images AS DOUBLE) AS BIGINT) AS images,
        lower(nullif(finish_reason, '')) AS finish,
        nullif(native_finish_reason, '') AS native_finish,
        lower(nullif(api_type, '')) AS api,
        nullif(router, '') AS router,
        nullif(service_tier, '') AS tier,
        nullif(external_user, '') AS user_name,
        nullif(response_cache_source_id, '') AS cache_source,
        nullif(preset_id, '') AS preset,
        nullif(app_id, '') AS app,
        nullif(origin, '') AS origin,
        coalesce(
            try_cast(provider_responses AS STRUCT(
                provider_name VARCHAR, model_permaslug VARCHAR, status VARCHAR, latency VARCHAR, is_byok VARCHAR
            )[]),
            []
        ) AS answers,
        list_transform(answers, lambda each: try_cast(try_cast(each.status AS DOUBLE) AS INTEGER)) AS statuses,
        -- The provider that answered is the last with a success; when all failed, the last that was asked.
        greatest(
            coalesce(
                list_max(list_transform(
                    statuses, lambda status, position: CASE WHEN status BETWEEN 200 AND 299 THEN position END
                )),
                len(answers)
            ),
            1
        ) AS main
    FROM flat
),

counted AS (
    SELECT
        *,
        answers[main] AS answer,
        statuses[main] AS http,
        coalesce(reasoning, 0) + coalesce(images, 0) AS apart_from_text,
        CASE
            WHEN is_cancelled THEN 'cancelled'
            WHEN finish = 'error' OR http >= 400 THEN 'error'
            ELSE 'ok'
        END AS outcome,
        list_transform(answers[:main], lambda each: each.model_permaslug) AS models,
        list_filter(models, lambda each, place: place = 1 OR models[place - 1] <> each) AS model_steps,
        tag_map([
            {'key': 'app_id', 'value': app},
            {'key': 'origin', 'value': origin},
            {'key': 'router', 'value': router},
            {'key': 'preset_id', 'value': preset},
            {'key': 'byok_fee', 'value': CASE WHEN is_byok THEN CAST(cost AS VARCHAR) END},
            {'key': 'upstream_inference_cost', 'value': CASE WHEN is_byok THEN CAST(upstream_cost AS VARCHAR) END}
        ]) AS tags
    FROM told
),

earlier AS (
    -- Providers that were asked before the one that answered.
    SELECT
        *,
        unnest(range(1, main)) AS position
    FROM counted
    WHERE id IS NOT NULL AND created IS NOT NULL
),

rows_of_both AS (
    SELECT
        *,
        main AS position,
        true AS is_main
    FROM counted
    UNION ALL BY NAME
    SELECT
        * EXCLUDE (answer, http),
        answers[position] AS answer,
        statuses[position] AS http,
        false AS is_main
    FROM earlier
),

named AS (
    SELECT
        *,
        coalesce(answer.provider_name, upstream) AS asked,
        coalesce(nullif(answer.model_permaslug, ''), model) AS served,
        coalesce(try_cast(answer.is_byok AS BOOLEAN), is_byok) AS own_key,
        openrouter_milliseconds(answer.latency) AS answer_ms,
        coalesce(list_sum(list_transform(
            answers[:position - 1], lambda each: openrouter_milliseconds(each.latency)
        )), 0) AS waited_ms,
        len(list_filter(
            answers[:position - 1],
            lambda before: before.provider_name = answers[position].provider_name
                AND before.model_permaslug IS NOT DISTINCT FROM answers[position].model_permaslug
        )) > 0 AS is_repeated
    FROM rows_of_both
)

SELECT
    record_number,
    is_generation AS is_call,
    CASE
        WHEN NOT is_generation THEN NULL
        WHEN id IS NULL THEN 'id is missing'
        WHEN written_at IS NULL THEN 'created_at is missing'
        WHEN created IS NULL THEN 'created_at is no time: ' || left(written_at, 60)
    END AS reject_reason,
    CASE WHEN is_main THEN id ELSE id || ':attempt-' || (position - 1) END AS dedupe_key,
    CASE WHEN is_main AND coalesce(prompt, completion) IS NOT NULL THEN 20 ELSE 2 END AS dedupe_rank,
    coalesce(request_id, id) AS request_id,
    CASE WHEN answers <> [] THEN position END AS attempt_number,
    CASE WHEN answers <> [] THEN 0 END AS unlogged_attempts,
    CASE WHEN answers <> [] THEN position > 1 AND is_repeated END AS is_retry,
    CASE WHEN answers <> [] THEN position > 1 AND NOT is_repeated END AS is_fallback,
    CASE WHEN is_main AND len(model_steps) > 1 THEN array_to_string(model_steps, ' > ') END AS routing_path,
    -- Clients get this id as the id of the answer, so their own logs have it too.
    CASE WHEN is_main THEN id END AS response_id,
    session_id,
    CASE WHEN is_main THEN created ELSE created + to_milliseconds(waited_ms) END AS started_at,
    CASE
        WHEN is_main THEN duration_ms / 1000
        ELSE answer_ms / 1000
    END AS duration_seconds,
    is_streamed AS stream,
    CASE api WHEN 'embeddings' THEN 'embeddings' WHEN 'completions' THEN 'chat' ELSE api END AS operation_name,
    -- OpenRouter sells at its own prices; with the user's own key the provider behind it does.
    CASE
        WHEN NOT own_key THEN 'openrouter'
        ELSE coalesce(
            map {
                'amazon bedrock': 'aws.bedrock', 'azure': 'azure.ai.openai', 'google': 'gcp.vertex_ai',
                'google ai studio': 'gcp.gemini', 'mistral': 'mistral_ai', 'xai': 'x_ai'
            }[lower(asked)],
            lower(asked)
        )
    END AS provider_name,
    asked AS deployment,
    tier_of(tier) AS service_tier,
    CASE WHEN is_main THEN model END AS response_model,
    -- Permaslugs turn the names of Claude round: claude-4.6-sonnet is its maker's claude-sonnet-4.6.
    regexp_replace(
        CASE WHEN is_main THEN coalesce(model, served) ELSE served END,
        '^anthropic/claude-([0-9.]+)-(opus|sonnet|haiku)', 'anthropic/claude-\2-\1'
    ) AS price_model,
    user_name AS user_id,
    tags,
    CASE WHEN is_main THEN apart(prompt, cached) END AS input_uncached_tokens,
    CASE WHEN is_main AND prompt IS NOT NULL THEN cached END AS cache_read_tokens,
    CASE
        WHEN NOT is_main THEN NULL
        WHEN api = 'embeddings' AND prompt IS NOT NULL THEN coalesce(apart(completion, apart_from_text), 0)
        ELSE apart(completion, apart_from_text)
    END AS output_text_tokens,
    CASE WHEN is_main AND completion IS NOT NULL THEN reasoning END AS reasoning_tokens,
    CASE WHEN is_main AND completion IS NOT NULL THEN images END AS output_image_tokens,
    CASE
        WHEN NOT is_main OR coalesce(prompt, completion) IS NULL THEN 'missing'
        WHEN is_native THEN 'reported'
        ELSE 'estimated'
    END AS usage_source,
    CASE
        WHEN is_main THEN coalesce(
            not_included(prompt, cached, 'native_tokens_prompt', 'native_tokens_cached'),
            not_included(
                completion, apart_from_text, 'native_tokens_completion', 'native_tokens_reasoning and images'
            )
        )
    END AS contradiction,
    CASE WHEN is_main THEN outcome ELSE 'error' END AS status,
    CASE
        WHEN NOT is_main THEN 'http_' || http
        WHEN outcome = 'cancelled' THEN 'cancelled'
        WHEN outcome = 'ok' THEN NULL
        WHEN http >= 400 THEN 'http_' || http
        WHEN regexp_full_match(native_finish, '[A-Za-z0-9_.-]{1,60}') THEN native_finish
        ELSE 'error'
    END AS error_type,
    CASE WHEN http BETWEEN 100 AND 599 THEN http END AS http_status,
    CASE WHEN is_main AND cache_source IS NOT NULL THEN 'hit' END AS gateway_cache,
    CASE
        WHEN NOT is_main THEN NULL
        WHEN is_byok THEN coalesce(cost, 0) + coalesce(upstream_cost, 0)
        ELSE cost
    END AS reported_cost
FROM named
