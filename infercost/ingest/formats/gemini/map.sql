-- Answers of Gemini's generateContent, from Google AI and Vertex: alone, in an envelope of the user's own logger, in
-- the output of a batch, or in rows of Vertex's request-response log. JSON has camelCase names, SDKs write snake_case.
-- Texts of answers are never read.
WITH texts AS (
    -- Exports of BigQuery write JSON as a text that holds JSON.
    SELECT
        *,
        CASE
            WHEN json_type(full_response) = 'VARCHAR' THEN try_cast(full_response ->> '$' AS JSON)
            ELSE full_response
        END AS logged_text,
        CASE
            WHEN json_type(full_request) = 'VARCHAR' THEN try_cast(full_request ->> '$' AS JSON)
            ELSE full_request
        END AS asked_text
    FROM records
),

parts AS (
    -- Only what the rest needs, as structs: every look into JSON parses it again and keeps the memory for it.
    SELECT
        * EXCLUDE (full_response, full_request, logged_text, asked_text),
        full_response IS NOT NULL OR full_request IS NOT NULL AS is_row,
        json_transform(
            -- Streams that were kept as a list of pieces end with the one that has the counts.
            CASE WHEN json_type(logged_text) = 'ARRAY' THEN logged_text -> '$[#-1]' ELSE logged_text END,
            '{"usageMetadata": "JSON", "usage_metadata": "JSON", "modelVersion": "VARCHAR", "model_version": "VARCHAR",
              "responseId": "VARCHAR", "response_id": "VARCHAR", "createTime": "VARCHAR", "create_time": "VARCHAR",
              "error": "JSON", "model": "VARCHAR", "id": "VARCHAR", "usage": "JSON"}'
        ) AS logged,
        json_transform(asked_text, '{"model": "VARCHAR", "labels": "JSON"}') AS logged_request
    FROM texts
),

chosen AS (
    SELECT
        *,
        list_filter(
            [
                logged,
                response.body,
                struct_pack(
                    "usageMetadata" := response."usageMetadata", usage_metadata := response.usage_metadata,
                    "modelVersion" := response."modelVersion", model_version := response.model_version,
                    "responseId" := response."responseId", response_id := response.response_id,
                    "createTime" := response."createTime", create_time := response.create_time,
                    error := response.error, model := response.model, id := response.id, usage := response.usage
                ),
                body,
                output
            ],
            lambda part: part."usageMetadata" IS NOT NULL OR part.usage_metadata IS NOT NULL OR part.error IS NOT NULL
            OR part."responseId" IS NOT NULL OR part.response_id IS NOT NULL OR part.usage IS NOT NULL
        )[1] AS inner_body
    FROM parts
),

bodied AS (
    SELECT
        *,
        inner_body IS NOT NULL OR response IS NOT NULL OR is_row AS has_envelope,
        coalesce(
            inner_body,
            struct_pack(
                "usageMetadata" := "usageMetadata", usage_metadata := usage_metadata,
                "modelVersion" := "modelVersion", model_version := CASE WHEN NOT is_row THEN model_version END,
                "responseId" := "responseId", response_id := response_id, "createTime" := "createTime",
                create_time := create_time, error := error, model := NULL::VARCHAR, id := NULL::VARCHAR,
                usage := NULL::JSON
            )
        ) AS answer
    FROM chosen
),

opened AS (
    SELECT
        *,
        coalesce(answer."usageMetadata", answer.usage_metadata) AS written,
        -- Claude on Vertex keeps Anthropic's own usage.
        json_transform(
            CASE WHEN is_row AND json_type(answer.usage) = 'OBJECT' THEN answer.usage END,
            '{"input_tokens": "BIGINT", "output_tokens": "BIGINT", "cache_read_input_tokens": "BIGINT",
              "cache_creation_input_tokens": "BIGINT",
              "cache_creation": {"ephemeral_1h_input_tokens": "BIGINT"},
              "output_tokens_details": {"thinking_tokens": "BIGINT"},
              "server_tool_use": {"web_search_requests": "BIGINT"}, "service_tier": "VARCHAR"}'
        ) AS claude,
        CASE WHEN json_type(answer.error) = 'OBJECT' THEN answer.error END AS body_error,
        CASE WHEN has_envelope AND json_type(error) IN ('OBJECT', 'VARCHAR') THEN error END AS outer_error
    FROM bodied
),

read AS (
    SELECT
        *,
        json_transform(
            CASE WHEN json_type(written) = 'OBJECT' THEN written END,
            '{"promptTokenCount": "BIGINT", "prompt_token_count": "BIGINT", "candidatesTokenCount": "BIGINT",
              "candidates_token_count": "BIGINT", "thoughtsTokenCount": "BIGINT", "thoughts_token_count": "BIGINT",
              "toolUsePromptTokenCount": "BIGINT", "tool_use_prompt_token_count": "BIGINT",
              "cachedContentTokenCount": "BIGINT", "cached_content_token_count": "BIGINT",
              "totalTokenCount": "BIGINT", "total_token_count": "BIGINT", "trafficType": "VARCHAR",
              "traffic_type": "VARCHAR", "serviceTier": "VARCHAR", "service_tier": "VARCHAR",
              "pydantic_ai_gateway": {"cost_estimate": "VARCHAR"},
              "promptTokensDetails": [{"modality": "VARCHAR", "tokenCount": "BIGINT", "token_count": "BIGINT"}],
              "prompt_tokens_details": [{"modality": "VARCHAR", "tokenCount": "BIGINT", "token_count": "BIGINT"}],
              "cacheTokensDetails": [{"modality": "VARCHAR", "tokenCount": "BIGINT", "token_count": "BIGINT"}],
              "cache_tokens_details": [{"modality": "VARCHAR", "tokenCount": "BIGINT", "token_count": "BIGINT"}],
              "toolUsePromptTokensDetails": [{"modality": "VARCHAR", "tokenCount": "BIGINT", "token_count": "BIGINT"}],
              "tool_use_prompt_tokens_details": [{"modality": "VARCHAR", "tokenCount": "BIGINT",
                "token_count": "BIGINT"}],
              "candidatesTokensDetails": [{"modality": "VARCHAR", "tokenCount": "BIGINT", "token_count": "BIGINT"}],
              "candidates_tokens_details": [{"modality": "VARCHAR", "tokenCount": "BIGINT",
                "token_count": "BIGINT"}]}'
        ) AS used
    FROM opened
),

known AS (
    SELECT
        *,
        coalesce(used."promptTokenCount", used.prompt_token_count) AS told_prompt,
        coalesce(used."candidatesTokenCount", used.candidates_token_count) AS told_candidates,
        coalesce(used."thoughtsTokenCount", used.thoughts_token_count) AS thoughts,
        coalesce(used."toolUsePromptTokenCount", used.tool_use_prompt_token_count) AS tool_prompt,
        coalesce(used."cachedContentTokenCount", used.cached_content_token_count) AS told_cached,
        coalesce(used."totalTokenCount", used.total_token_count) AS total,
        coalesce(used."trafficType", used.traffic_type) AS traffic,
        [
            coalesce(used."promptTokensDetails", used.prompt_tokens_details),
            coalesce(used."cacheTokensDetails", used.cache_tokens_details),
            coalesce(used."toolUsePromptTokensDetails", used.tool_use_prompt_tokens_details),
            coalesce(used."candidatesTokensDetails", used.candidates_tokens_details)
        ] AS details
    FROM read
),

counted AS (
    SELECT
        *,
        -- Tokens of these kinds in the prompt, its cached part, the prompt of tools, and the answer; NULL = not told.
        list_transform(details, lambda part: list_sum(list_transform(
            part,
            lambda kind: CASE
                WHEN upper(kind.modality) = 'AUDIO' THEN coalesce(kind."tokenCount", kind.token_count, 0)
                ELSE 0
            END
        ))::BIGINT) AS audio,
        -- A document is read as images of its pages, and priced as such.
        list_transform(details, lambda part: list_sum(list_transform(
            part,
            lambda kind: CASE
                WHEN upper(kind.modality) IN ('IMAGE', 'DOCUMENT') THEN coalesce(kind."tokenCount", kind.token_count, 0)
                ELSE 0
            END
        ))::BIGINT) AS image,
        coalesce(told_cached, 0) AS cached,
        -- A zero count is left out of the JSON.
        coalesce(told_candidates, 0) AS candidates,
        told_prompt IS NOT NULL OR told_candidates IS NOT NULL OR total IS NOT NULL AS has_gemini_usage,
        apart(coalesce(told_prompt, 0), coalesce(told_cached, 0)) + coalesce(tool_prompt, 0) AS fresh,
        claude.input_tokens AS claude_input,
        claude.output_tokens AS claude_output,
        claude.cache_read_input_tokens AS claude_read,
        claude.cache_creation_input_tokens AS claude_write,
        claude.cache_creation.ephemeral_1h_input_tokens AS claude_write_1h,
        CASE
            WHEN claude.output_tokens_details.thinking_tokens <= claude.output_tokens
                THEN claude.output_tokens_details.thinking_tokens
        END AS claude_thinking,
        claude.input_tokens IS NOT NULL AS is_claude
    FROM known
),

separated AS (
    SELECT
        *,
        has_gemini_usage OR is_claude AS has_usage,
        coalesce(
            thoughts > 0 AND total = coalesce(told_prompt, 0) + coalesce(tool_prompt, 0) + candidates, false
        ) AS thoughts_inside,
        -- Audio and images can be told apart from the cached part only when that part says what it is made of. least()
        -- passes over NULL, and an unknown count stays unknown.
        CASE
            WHEN audio[1] = 0 OR (audio[1] > 0 AND (cached = 0 OR audio[2] IS NOT NULL))
                THEN least(greatest(audio[1] - coalesce(audio[2], 0) + coalesce(audio[3], 0), 0), fresh)
        END AS audio_in,
        CASE
            WHEN image[1] = 0 OR (image[1] > 0 AND (cached = 0 OR image[2] IS NOT NULL))
                THEN greatest(image[1] - coalesce(image[2], 0) + coalesce(image[3], 0), 0)
        END AS told_image_in
    FROM counted
),

shown AS (
    SELECT
        *,
        CASE WHEN told_image_in >= 0 THEN least(told_image_in, fresh - coalesce(audio_in, 0)) END AS image_in,
        CASE WHEN thoughts_inside THEN apart(candidates, thoughts) ELSE candidates END AS visible
    FROM separated
),

split AS (
    SELECT
        *,
        CASE WHEN audio[4] >= 0 THEN least(audio[4], visible) END AS audio_out,
        CASE WHEN image[4] >= 0 THEN least(image[4], visible - least(coalesce(audio[4], 0), visible)) END AS image_out
    FROM shown
),

named AS (
    SELECT
        *,
        coalesce(answer."modelVersion", answer.model_version, CASE WHEN is_claude THEN answer.model END) AS served,
        CASE
            WHEN is_row THEN coalesce(logged_request.model, model)
            ELSE coalesce(request.model, model)
        END AS wanted,
        nullif(coalesce(answer."responseId", answer.response_id, CASE WHEN is_claude THEN answer.id END), '')
            AS answer_id,
        CASE WHEN has_envelope THEN nullif(request_id, '') END AS told_request,
        CASE WHEN has_envelope AND NOT is_row THEN nullif(id, '') END AS envelope_id,
        processed_time IS NOT NULL OR ("key" IS NOT NULL AND response IS NOT NULL) AS is_batch,
        CASE WHEN json_type(provider) = 'VARCHAR' THEN lower(provider ->> '$') END AS told_provider,
        CASE
            WHEN is_row AND json_type(metadata) = 'VARCHAR'
                THEN try_cast(try_cast(metadata ->> '$' AS JSON) ->> '$.request_latency' AS DOUBLE) / 1000
            WHEN is_row THEN try_cast(metadata ->> '$.request_latency' AS DOUBLE) / 1000
            ELSE coalesce(
                try_cast(duration_ms AS DOUBLE) / 1000, try_cast(latency_ms AS DOUBLE) / 1000,
                try_cast(duration_seconds AS DOUBLE)
            )
        END AS duration,
        list_filter(
            list_transform(
                [
                    started_at, start_time, answer."createTime", answer.create_time, logging_time, "timestamp", "time",
                    ts, created_at, logged_at, processed_time
                ],
                lambda moment: CASE
                    -- BigQuery writes the zone as a word.
                    WHEN try_cast(moment AS DOUBLE) IS NULL THEN utc(replace(moment, ' UTC', '+00'))
                    WHEN try_cast(moment AS DOUBLE) BETWEEN 1e8 AND 1e11 THEN from_seconds(moment)
                    WHEN try_cast(moment AS DOUBLE) BETWEEN 1e11 AND 1e14 THEN from_milliseconds(moment)
                    WHEN try_cast(moment AS DOUBLE) BETWEEN 1e14 AND 1e17 THEN epoch_time(moment, 1)
                END
            ),
            lambda moment: moment IS NOT NULL
        )[1] AS logged_at_time,
        coalesce(
            try_cast(response.status_code AS INTEGER), try_cast(status_code AS INTEGER),
            try_cast(http_status AS INTEGER), try_cast(body_error ->> '$.code' AS INTEGER),
            try_cast(outer_error ->> '$.code' AS INTEGER)
        ) AS http
    FROM split
),

dated AS (
    SELECT
        *,
        -- A row is written when the answer has gone out.
        CASE
            WHEN is_row AND duration >= 0 AND coalesce(answer."createTime", answer.create_time) IS NULL
                THEN logged_at_time - to_microseconds(round(duration * 1e6)::BIGINT)
            ELSE logged_at_time
        END AS started,
        coalesce(body_error IS NOT NULL OR outer_error IS NOT NULL OR http >= 400, false) AS failed,
        regexp_extract(coalesce(served, wanted), '([^/]+)$', 1) AS bare_model
    FROM named
),

judged AS (
    SELECT
        *,
        has_usage OR is_row OR failed OR answer_id IS NOT NULL AS is_call
    FROM dated
)

SELECT
    record_number,
    is_call,
    CASE
        WHEN NOT is_call THEN NULL
        WHEN is_row AND started IS NULL THEN 'logging_time is missing'
        WHEN started IS NULL THEN 'createTime is missing, and the record has no timestamp'
        WHEN least(told_prompt, told_candidates, thoughts, told_cached, tool_prompt) < 0
            THEN 'a token count is negative'
    END AS reject_reason,
    coalesce(
        answer_id,
        CASE WHEN is_row THEN told_request END,
        -- Short ids and the keys of a batch may be row numbers, which begin anew in the next file.
        CASE WHEN length(envelope_id) >= 16 THEN envelope_id END,
        concat_ws(
            '|', envelope_id, "key", told_request, epoch_us(started), served,
            md5(concat_ws('|', written, body_error, outer_error))
        )
    ) AS dedupe_key,
    -- The pieces of a stream repeat the id with counts that grow.
    CASE WHEN has_usage THEN 10 + coalesce(told_prompt, claude_input, 0) + candidates + coalesce(thoughts, 0)
        + coalesce(claude_output, 0) WHEN failed THEN 1 ELSE 2 END AS dedupe_rank,
    coalesce(told_request, envelope_id, answer_id) AS request_id,
    answer_id AS response_id,
    trace_id,
    coalesce(nullif(session_id, ''), nullif(conversation_id, '')) AS session_id,
    started AS started_at,
    CASE WHEN duration >= 0 THEN duration END AS duration_seconds,
    coalesce(
        try_cast(stream AS BOOLEAN), CASE WHEN is_row THEN contains(lower(api_method), 'stream') END
    ) AS stream,
    CASE
        WHEN is_claude THEN 'messages'
        WHEN contains(lower(coalesce(served, wanted, '')), 'embedding') THEN 'embeddings'
        ELSE 'generate_content'
    END AS operation_name,
    coalesce(CASE WHEN is_row THEN api_method END, CASE
        -- What follows the path may be a key.
        WHEN NOT is_row THEN split_part(nullif(endpoint, ''), '?', 1)
    END) AS endpoint,
    CASE
        WHEN is_row OR traffic IS NOT NULL OR processed_time IS NOT NULL
            OR regexp_matches(told_provider, 'vertex') THEN 'gcp.vertex_ai'
        ELSE 'gcp.gemini'
    END AS provider_name,
    coalesce(
        nullif(deployment, ''),
        CASE WHEN is_row AND coalesce(deployed_model_id, '') NOT IN ('', '0') THEN deployed_model_id END,
        CASE WHEN is_row AND contains(endpoint, '/endpoints/') THEN regexp_extract(endpoint, '([^/]+)$', 1) END
    ) AS deployment,
    coalesce(
        nullif(region, ''),
        CASE
            WHEN is_row THEN nullif(regexp_extract(concat_ws(' ', endpoint, model), 'locations/([a-z0-9-]+)', 1), '')
        END
    ) AS region,
    CASE
        WHEN is_batch THEN 'batch'
        WHEN upper(traffic) = 'PROVISIONED_THROUGHPUT' THEN 'provisioned_throughput'
        WHEN starts_with(upper(traffic), 'ON_DEMAND_') THEN lower(substr(traffic, 11))
        ELSE tier_of(
            coalesce(
                used."serviceTier", used.service_tier, claude.service_tier
            )
        )
    END AS service_tier,
    nullif(regexp_extract(coalesce(wanted, served), '([^/]+)$', 1), '') AS request_model,
    nullif(regexp_extract(served, '([^/]+)$', 1), '') AS response_model,
    nullif(bare_model, '') AS price_model,
    nullif(team, '') AS team_name,
    coalesce(nullif(user_id, ''), nullif("user", '')) AS user_id,
    nullif(api_key_id, '') AS api_key_id,
    nullif(api_key_name, '') AS api_key_name,
    tag_map(
        json_pairs(logged_request.labels) || json_pairs(CASE WHEN NOT is_row THEN metadata END)
        || json_pairs(request.labels)
        || [
            {'key': 'feature', 'value': feature},
            {'key': 'environment', 'value': environment},
            {'key': 'key', 'value': CASE WHEN is_batch THEN "key" END}
        ]
    ) AS tags,
    CASE
        WHEN is_claude THEN claude_input
        WHEN has_usage THEN fresh - coalesce(audio_in, 0) - coalesce(image_in, 0)
    END AS input_uncached_tokens,
    CASE WHEN is_claude THEN coalesce(claude_read, 0) WHEN has_usage THEN cached END AS cache_read_tokens,
    CASE WHEN is_claude THEN greatest(coalesce(claude_write, 0) - coalesce(claude_write_1h, 0), 0) END
        AS cache_write_5m_tokens,
    CASE WHEN is_claude THEN coalesce(claude_write_1h, 0) END AS cache_write_1h_tokens,
    CASE WHEN has_gemini_usage THEN audio_in END AS input_audio_tokens,
    CASE WHEN has_gemini_usage THEN image_in END AS input_image_tokens,
    CASE
        WHEN is_claude THEN claude_output - coalesce(claude_thinking, 0)
        WHEN has_usage THEN visible - coalesce(audio_out, 0) - coalesce(image_out, 0)
    END AS output_text_tokens,
    CASE WHEN is_claude THEN claude_thinking WHEN has_usage THEN coalesce(thoughts, 0) END AS reasoning_tokens,
    CASE WHEN has_gemini_usage THEN audio_out END AS output_audio_tokens,
    CASE WHEN has_gemini_usage THEN image_out END AS output_image_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    claude.server_tool_use.web_search_requests AS web_search_requests,
    coalesce(
        not_included(told_prompt, told_cached, 'promptTokenCount', 'cachedContentTokenCount'),
        CASE
            WHEN thoughts_inside
                THEN 'totalTokenCount (' || total || ') leaves out thoughtsTokenCount (' || thoughts
                || '): candidatesTokenCount is read as including it'
            WHEN total <> coalesce(told_prompt, 0) + coalesce(tool_prompt, 0) + candidates + coalesce(thoughts, 0)
                THEN 'totalTokenCount (' || total
                || ') is not the sum of prompt, tool prompt, candidates and thoughts ('
                || (coalesce(told_prompt, 0) + coalesce(tool_prompt, 0) + candidates + coalesce(thoughts, 0)) || ')'
        END
    ) AS contradiction,
    CASE WHEN http = 499 THEN 'cancelled' WHEN failed THEN 'error' ELSE 'ok' END AS status,
    CASE WHEN failed THEN list_filter(
        [
            body_error ->> '$.status', outer_error ->> '$.status', body_error ->> '$.type', outer_error ->> '$.type',
            CASE WHEN json_type(outer_error) = 'VARCHAR' THEN outer_error ->> '$' END
        ],
        -- A class of errors is one word; anything else may be a message that repeats a prompt.
        lambda name: regexp_full_match(name, '[A-Za-z0-9_.:-]{1,64}')
    )[1] END AS error_type,
    coalesce(http, CASE WHEN has_usage AND NOT failed THEN 200 END) AS http_status,
    coalesce(
        try_cast(used.pydantic_ai_gateway.cost_estimate AS DECIMAL(18, 12)), try_cast(cost_usd AS DECIMAL(18, 12))
    ) AS reported_cost
FROM judged
