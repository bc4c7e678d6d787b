-- Answers of OpenAI's API and of those that copy it: chat, text completions, Responses, embeddings; each alone, in an
-- envelope of the user's own logger, or in a line of a batch. One record is one call. Texts of answers are never read.
WITH parts AS (
    -- The declared types keep of bodies and requests only what the rest needs. Structs, because every look into JSON
    -- parses it again and keeps the memory for it.
    SELECT
        * EXCLUDE (output),
        to_json(output) AS output_json,
        coalesce(request.body, struct_pack(
            model := request.model, stream := request.stream, url := request.url,
            prompt_cache_key := request.prompt_cache_key, safety_identifier := request.safety_identifier,
            "user" := request."user", metadata := request.metadata
        )) AS asked
    FROM records
),

placed AS (
    -- In an answer of the Responses API `output` holds its items; in an envelope it may hold the answer.
    SELECT
        *,
        CASE
            WHEN json_type(output_json) = 'ARRAY' THEN json_transform(
                output_json, '[{"type": "VARCHAR", "action": {"type": "VARCHAR"}}]'
            )
        END AS items,
        CASE
            WHEN json_type(output_json) = 'OBJECT' THEN json_transform(
                output_json,
                '{"id": "VARCHAR", "object": "VARCHAR", "created": "VARCHAR", "created_at": "VARCHAR",
                  "model": "VARCHAR", "usage": "JSON", "service_tier": "VARCHAR", "status": "VARCHAR", "error": "JSON",
                  "user": "VARCHAR", "safety_identifier": "VARCHAR", "metadata": "JSON", "provider": "JSON",
                  "x_groq": {"id": "VARCHAR", "usage": "JSON"}, "conversation": "JSON", "background": "VARCHAR",
                  "prompt_filter_results": [{"prompt_index": "VARCHAR"}],
                  "output": [{"type": "VARCHAR", "action": {"type": "VARCHAR"}}]}'
            )
        END AS output_body
    FROM parts
),

chosen AS (
    SELECT
        * EXCLUDE (output_json),
        list_filter(
            [
                response.body,
                struct_pack(
                    id := response.id, object := response.object, created := response.created,
                    created_at := response.created_at, model := response.model, usage := response.usage,
                    service_tier := response.service_tier, status := response.status, error := response.error,
                    "user" := response."user", safety_identifier := response.safety_identifier,
                    metadata := response.metadata, provider := response.provider, x_groq := response.x_groq,
                    conversation := response.conversation, background := response.background,
                    prompt_filter_results := response.prompt_filter_results, output := response.output
                ),
                body,
                output_body
            ],
            lambda part: part.usage IS NOT NULL OR part.object IS NOT NULL OR json_type(part.error) = 'OBJECT'
        )[1] AS inner_body,
        coalesce(
            custom_id IS NOT NULL AND (response IS NOT NULL OR error IS NOT NULL OR method IS NOT NULL), false
        ) AS is_batch,
        -- The input file of a batch: what was asked, not what was answered.
        coalesce(custom_id IS NOT NULL AND method IS NOT NULL AND response IS NULL, false) AS is_batch_input
    FROM placed
),

bodied AS (
    SELECT
        *,
        inner_body IS NOT NULL OR is_batch OR response IS NOT NULL OR request IS NOT NULL AS has_envelope,
        coalesce(
            inner_body,
            CASE
                -- The record itself, as far as its names are those of an answer.
                WHEN NOT is_batch THEN struct_pack(
                    id := id, object := object, created := created, created_at := created_at, model := model,
                    usage := usage, service_tier := service_tier, status := status, error := error, "user" := "user",
                    safety_identifier := safety_identifier, metadata := metadata, provider := provider,
                    x_groq := x_groq, conversation := conversation, background := background,
                    prompt_filter_results := prompt_filter_results, output := items
                )
            END
        ) AS answer
    FROM chosen
),

opened AS (
    SELECT
        *,
        -- Groq puts the usage of a stream beside its own id in the last chunk.
        CASE
            WHEN json_type(answer.usage) = 'OBJECT' THEN answer.usage
            WHEN json_type(answer.x_groq.usage) = 'OBJECT' THEN answer.x_groq.usage
        END AS written,
        coalesce(answer.object, '') AS kind,
        nullif(answer.id, '') AS answer_id,
        CASE WHEN json_type(answer.error) = 'OBJECT' THEN answer.error END AS body_error,
        CASE WHEN has_envelope AND json_type(error) <> 'NULL' THEN error END AS outer_error
    FROM bodied
),

detailed AS (
    SELECT
        *,
        json_transform(
            written,
            '{"prompt_tokens": "VARCHAR", "input_tokens": "VARCHAR", "completion_tokens": "VARCHAR",
              "output_tokens": "VARCHAR", "total_tokens": "VARCHAR", "reasoning_tokens": "VARCHAR",
              "prompt_cache_hit_tokens": "VARCHAR", "cached_tokens": "VARCHAR", "citation_tokens": "VARCHAR",
              "num_search_queries": "VARCHAR", "service_tier": "VARCHAR", "queue_time": "VARCHAR",
              "is_byok": "VARCHAR", "cost": "JSON", "cost_details": {"upstream_inference_cost": "VARCHAR"},
              "pydantic_ai_gateway": {"cost_estimate": "VARCHAR"},
              "server_tool_use": {"web_search_requests": "VARCHAR"},
              "prompt_tokens_details": {"cached_tokens": "BIGINT", "cache_write_tokens": "BIGINT",
                "cache_write_tokens_details": {"ttl_30m_tokens": "BIGINT", "ttl_12h_tokens": "BIGINT"},
                "audio_tokens": "BIGINT", "image_tokens": "BIGINT"},
              "input_tokens_details": {"cached_tokens": "BIGINT", "cache_write_tokens": "BIGINT",
                "cache_write_tokens_details": {"ttl_30m_tokens": "BIGINT", "ttl_12h_tokens": "BIGINT"},
                "audio_tokens": "BIGINT", "image_tokens": "BIGINT"},
              "completion_tokens_details": {"reasoning_tokens": "BIGINT", "audio_tokens": "BIGINT",
                "image_tokens": "BIGINT"},
              "output_tokens_details": {"reasoning_tokens": "BIGINT", "audio_tokens": "BIGINT",
                "image_tokens": "BIGINT"}}'
        ) AS used
    FROM opened
),

split_details AS (
    SELECT
        *,
        coalesce(used.prompt_tokens_details, used.input_tokens_details) AS details_in,
        coalesce(used.completion_tokens_details, used.output_tokens_details) AS details_out
    FROM detailed
),

counted AS (
    SELECT
        *,
        nullif(answer.model, '') AS served,
        nullif(coalesce(asked.model, CASE WHEN has_envelope THEN model END), '') AS wanted,
        -- Some embeddings give only the total.
        try_cast(
            coalesce(used.prompt_tokens, used.input_tokens, CASE WHEN kind = 'list' THEN used.total_tokens END)
            AS BIGINT
        ) AS told_prompt,
        try_cast(coalesce(used.completion_tokens, used.output_tokens) AS BIGINT) AS told_completion,
        try_cast(used.total_tokens AS BIGINT) AS told_total,
        -- Every provider has its own name for the cached part; some write two of them, with the same number. Mistral's
        -- num_cached_tokens is none: what it bills as cached stands in the details.
        greatest(
            details_in.cached_tokens,
            try_cast(used.prompt_cache_hit_tokens AS BIGINT),
            try_cast(used.cached_tokens AS BIGINT)
        ) AS reads,
        details_in.cache_write_tokens AS writes,
        details_in.cache_write_tokens_details.ttl_30m_tokens AS writes_30m,
        details_in.cache_write_tokens_details.ttl_12h_tokens AS writes_12h,
        coalesce(details_out.reasoning_tokens, try_cast(used.reasoning_tokens AS BIGINT)) AS reasoning,
        try_cast(used.citation_tokens AS BIGINT) AS citations,
        CASE WHEN json_type(used.cost) = 'OBJECT' THEN used.cost ->> '$.total_cost' ELSE used.cost ->> '$' END
            AS told_cost
    FROM split_details
),

recognised AS (
    SELECT
        *,
        coalesce(starts_with(answer_id, 'gen-') OR used.is_byok IS NOT NULL, false) AS is_openrouter,
        CASE WHEN json_type(provider) = 'VARCHAR' THEN lower(nullif(trim(provider ->> '$'), '')) END AS outer_provider,
        CASE WHEN json_type(answer.provider) = 'VARCHAR' THEN answer.provider ->> '$' END AS upstream,
        len(answer.prompt_filter_results) > 0 AS is_azure,
        answer.x_groq IS NOT NULL OR used.queue_time IS NOT NULL AS is_groq,
        lower(regexp_extract(coalesce(served, wanted), '([^/]+)$', 1)) AS bare_model,
        coalesce(served, wanted) LIKE '%/%' AS has_path,
        kind = 'list' OR (
            used IS NOT NULL AND told_completion IS NULL AND told_total = told_prompt AND NOT starts_with(kind, 'chat')
        ) AS is_embedding,
        coalesce(told_prompt, told_completion) IS NOT NULL AS has_usage,
        coalesce(reads, 0) + greatest(coalesce(writes, 0), coalesce(writes_30m, 0) + coalesce(writes_12h, 0)) AS cached
    FROM counted
),

named AS (
    SELECT
        *,
        -- In an envelope `provider` names who was called; in an answer of OpenRouter, who answered behind it.
        CASE WHEN has_envelope OR NOT is_openrouter THEN outer_provider END AS told_provider,
        CASE
            WHEN regexp_matches(bare_model, '^(ft:)?(gpt-[345]|o[1-9](-|$)|chatgpt-|codex-|text-embedding-)')
                THEN 'openai'
            WHEN regexp_matches(bare_model, '^deepseek-(chat|reasoner|v[0-9])')
                AND used.prompt_cache_hit_tokens IS NOT NULL THEN 'deepseek'
            WHEN starts_with(bare_model, 'grok-') THEN 'x_ai'
            WHEN starts_with(bare_model, 'sonar') THEN 'perplexity'
            WHEN regexp_matches(bare_model, '^(mistral|ministral|magistral|codestral|devstral|pixtral)-')
                THEN 'mistral_ai'
            WHEN starts_with(bare_model, 'gemini-') THEN 'gcp.gemini'
            WHEN starts_with(bare_model, 'claude-') THEN 'anthropic'
        END AS vendor,
        CASE WHEN is_embedding THEN 0 ELSE told_completion END AS completion,
        -- Perplexity bills the citations of this one model, at the price of its input.
        told_prompt + CASE WHEN bare_model LIKE '%deep-research%' THEN coalesce(citations, 0) ELSE 0 END AS prompt
    FROM recognised
),

priced AS (
    SELECT
        *,
        CASE
            WHEN told_provider IN ('azure', 'azure_openai', 'azure-openai', 'azureopenai') THEN 'azure.ai.openai'
            WHEN told_provider IN ('xai', 'x-ai', 'x.ai') THEN 'x_ai'
            WHEN told_provider IN ('mistral', 'mistralai') THEN 'mistral_ai'
            WHEN told_provider IN ('google', 'gemini', 'google_ai_studio') THEN 'gcp.gemini'
            WHEN told_provider IN ('vertex', 'vertex_ai', 'vertexai') THEN 'gcp.vertex_ai'
            WHEN told_provider IN ('bedrock', 'aws', 'aws_bedrock', 'amazon_bedrock') THEN 'aws.bedrock'
            WHEN told_provider IN ('moonshot', 'moonshotai') THEN 'moonshot_ai'
            WHEN told_provider IS NOT NULL THEN told_provider
            WHEN is_openrouter THEN 'openrouter'
            WHEN is_azure THEN 'azure.ai.openai'
            WHEN is_groq THEN 'groq'
            WHEN upstream IS NOT NULL THEN lower(upstream)
            -- A bare name of a vendor's own model; a name with a path is somebody else's.
            WHEN NOT has_path THEN vendor
        END AS provider_name,
        -- A total that has room for the cached tokens beside the prompt proves that they lie outside of it.
        coalesce(
            cached > 0 AND told_total = told_prompt + completion + cached AND coalesce(reasoning, 0) <> cached, false
        ) AS cached_outside,
        CASE WHEN cached_outside THEN prompt ELSE apart(prompt, cached) END AS fresh
    FROM named
),

apart_in AS (
    SELECT
        *,
        -- least() passes over NULL, and an unknown count stays unknown.
        CASE WHEN details_in.audio_tokens >= 0 THEN least(details_in.audio_tokens, fresh) END AS audio_in,
        -- xAI and Perplexity leave reasoning out of the completion. xAI's total adds it, which proves it record by
        -- record; Perplexity's total does not tell of reasoning at all.
        coalesce(
            reasoning > 0 AND (
                provider_name = 'perplexity'
                OR told_total = told_prompt + completion + reasoning
                OR (provider_name = 'x_ai' AND told_total IS NULL)
            ),
            false
        ) AS reasoning_outside
    FROM priced
),

apart_out AS (
    SELECT
        *,
        CASE
            WHEN details_in.image_tokens >= 0 THEN least(details_in.image_tokens, fresh - coalesce(audio_in, 0))
        END AS image_in,
        CASE WHEN reasoning_outside THEN completion ELSE apart(completion, reasoning) END AS visible,
        -- Such as the thoughts of Gemini, which Google's endpoint of this shape leaves out of everything but the total.
        CASE
            WHEN told_total > told_prompt + completion AND coalesce(reasoning, 0) = 0 AND NOT cached_outside
                AND NOT is_embedding AND provider_name IS DISTINCT FROM 'perplexity'
                THEN told_total - told_prompt - completion
        END AS gap
    FROM apart_in
),

split AS (
    SELECT
        *,
        CASE WHEN details_out.audio_tokens >= 0 THEN least(details_out.audio_tokens, visible) END AS audio_out,
        CASE
            WHEN details_out.image_tokens >= 0 THEN least(
                details_out.image_tokens, visible - least(greatest(coalesce(details_out.audio_tokens, 0), 0), visible)
            )
        END AS image_out
    FROM apart_out
),

timed AS (
    SELECT
        *,
        -- The provider's clock at the beginning of the answer is nearer to the start than the logger's at its end.
        list_filter(
            list_transform(
                [
                    started_at, start_time, answer.created, answer.created_at, "timestamp", "time", ts,
                    created_at, logged_at, completed_at
                ],
                lambda written: CASE
                    WHEN try_cast(written AS DOUBLE) IS NULL THEN utc(written)
                    -- Servers without a clock write 0; the magnitude tells seconds from milliseconds.
                    WHEN try_cast(written AS DOUBLE) BETWEEN 1e8 AND 1e11 THEN from_seconds(written)
                    WHEN try_cast(written AS DOUBLE) BETWEEN 1e11 AND 1e14 THEN from_milliseconds(written)
                    WHEN try_cast(written AS DOUBLE) BETWEEN 1e14 AND 1e17 THEN epoch_time(written, 1)
                    WHEN try_cast(written AS DOUBLE) > 1e17 THEN from_nanoseconds(written)
                END
            ),
            lambda moment: moment IS NOT NULL
        )[1] AS started,
        coalesce(
            try_cast(duration_ms AS DOUBLE) / 1000, try_cast(latency_ms AS DOUBLE) / 1000,
            try_cast(duration_seconds AS DOUBLE)
        ) AS duration,
        coalesce(try_cast(ttft_ms AS DOUBLE), try_cast(time_to_first_token_ms AS DOUBLE)) / 1000 AS first_token,
        kind LIKE '%.chunk' OR coalesce(try_cast(stream AS BOOLEAN), try_cast(asked.stream AS BOOLEAN), false)
            AS streamed,
        coalesce(
            try_cast(response.status_code AS INTEGER), try_cast(status_code AS INTEGER),
            try_cast(http_status AS INTEGER), CASE WHEN has_envelope THEN try_cast(status AS INTEGER) END,
            try_cast(body_error ->> '$.status' AS INTEGER), try_cast(body_error ->> '$.code' AS INTEGER),
            try_cast(outer_error ->> '$.status' AS INTEGER), try_cast(outer_error ->> '$.code' AS INTEGER)
        ) AS http,
        CASE WHEN kind = 'response' THEN answer.status END AS outcome,
        -- A short id repeats: some servers draw one of a thousand.
        CASE WHEN length(answer_id) >= 20 AND (inner_body IS NOT NULL OR NOT has_envelope) THEN answer_id END
            AS response_id,
        CASE WHEN has_envelope THEN nullif(id, '') END AS envelope_id,
        coalesce(nullif(request_id, ''), nullif(response.request_id, ''), envelope_id) AS asked_id
    FROM split
),

judged AS (
    SELECT
        *,
        NOT is_batch_input AND coalesce(
            has_usage
            OR (kind NOT LIKE '%.chunk' AND kind NOT IN ('', 'list', 'batch', 'file', 'model'))
            OR (kind = 'list' AND inner_body IS NOT NULL)
            OR body_error IS NOT NULL OR (has_envelope AND outer_error IS NOT NULL) OR http >= 400,
            false
        ) AS is_call,
        body_error IS NOT NULL OR outer_error IS NOT NULL OR coalesce(http >= 400, false)
        OR coalesce(outcome = 'failed', false) AS failed
    FROM timed
)

SELECT
    record_number,
    is_call,
    CASE
        WHEN NOT is_call THEN NULL
        WHEN started IS NULL AND is_batch
            THEN 'created is missing: this line of a batch has no time; add the batch''s completed_at as timestamp'
        WHEN started IS NULL THEN 'created is missing, and the record has no timestamp'
        WHEN least(told_prompt, told_completion, reads, writes, reasoning) < 0 THEN 'a token count is negative'
        WHEN written IS NOT NULL AND NOT has_usage AND written <> '{}'
            THEN 'usage holds no token counts: expected prompt_tokens or input_tokens'
    END AS reject_reason,
    -- Without a sure id, the same answer at the same time is the same call. Short ids of an envelope may be row
    -- numbers, which begin anew in the next file.
    coalesce(
        response_id,
        CASE WHEN length(envelope_id) >= 16 THEN envelope_id END,
        concat_ws(
            '|', envelope_id, nullif(asked_id, envelope_id), answer_id, epoch_us(started), coalesce(served, wanted),
            custom_id,
            md5(concat_ws('|', written, outer_error, body_error))
        )
    ) AS dedupe_key,
    -- Some servers put counts that grow into every piece of a stream; the last piece has the most.
    CASE
        WHEN has_usage THEN 10 + CASE WHEN kind LIKE '%.chunk' THEN 0 ELSE 10_000_000_000_000 END
            + least(coalesce(told_prompt, 0) + coalesce(told_completion, 0), 1_000_000_000_000)
        WHEN failed THEN 1
        ELSE 2
    END AS dedupe_rank,
    coalesce(asked_id, response_id) AS request_id,
    response_id,
    trace_id,
    coalesce(
        nullif(session_id, ''), nullif(conversation_id, ''), answer.conversation ->> '$.id',
        asked.prompt_cache_key
    ) AS session_id,
    started AS started_at,
    CASE WHEN duration >= 0 THEN duration END AS duration_seconds,
    CASE WHEN streamed AND first_token >= 0 THEN first_token END AS time_to_first_token_seconds,
    CASE WHEN streamed THEN true ELSE coalesce(try_cast(stream AS BOOLEAN), try_cast(asked.stream AS BOOLEAN)) END
        AS stream,
    CASE
        WHEN is_embedding OR coalesce(endpoint, url) LIKE '%/embeddings' THEN 'embeddings'
        WHEN kind = 'text_completion' THEN 'text_completion'
        WHEN kind = 'response' OR used.input_tokens IS NOT NULL THEN 'responses'
        WHEN coalesce(endpoint, url) LIKE '%/responses' THEN 'responses'
        WHEN kind <> '' OR used IS NOT NULL OR coalesce(endpoint, url) LIKE '%/chat/completions' THEN 'chat'
    END AS operation_name,
    -- What follows the path may be a key.
    split_part(coalesce(nullif(endpoint, ''), nullif(url, ''), nullif(asked.url, '')), '?', 1) AS endpoint,
    provider_name,
    coalesce(
        nullif(deployment, ''), CASE WHEN is_openrouter THEN upstream END
    ) AS deployment,
    region,
    CASE WHEN is_batch THEN 'batch' ELSE tier_of(coalesce(answer.service_tier, used.service_tier)) END
        AS service_tier,
    coalesce(wanted, served) AS request_model,
    served AS response_model,
    coalesce(served, wanted) AS price_model,
    nullif(team, '') AS team_name,
    coalesce(
        nullif(user_id, ''), nullif("user", ''), answer.safety_identifier, answer."user",
        asked.safety_identifier, asked."user"
    ) AS user_id,
    nullif(api_key_id, '') AS api_key_id,
    nullif(api_key_name, '') AS api_key_name,
    tag_map(
        json_pairs(metadata) || json_pairs(answer.metadata) || json_pairs(asked.metadata)
        || json_pairs(tags)
        || list_transform(
            CASE WHEN json_type(tags) = 'ARRAY' THEN coalesce(try_cast(tags AS VARCHAR[]), []) ELSE [] END,
            lambda tag: {
                'key': CASE WHEN instr(tag, ':') > 1 THEN left(tag, instr(tag, ':') - 1) ELSE tag END,
                'value': CASE WHEN instr(tag, ':') > 1 THEN substr(tag, instr(tag, ':') + 1) ELSE 'true' END
            }
        )
        || [
            {'key': 'feature', 'value': feature},
            {'key': 'environment', 'value': environment},
            {'key': 'custom_id', 'value': custom_id},
            {'key': 'background', 'value': CASE WHEN answer.background = 'true' THEN 'true' END}
        ]
    ) AS tags,
    CASE WHEN has_usage THEN fresh - coalesce(audio_in, 0) - coalesce(image_in, 0) END AS input_uncached_tokens,
    CASE WHEN has_usage THEN CASE WHEN is_embedding THEN coalesce(reads, 0) ELSE reads END END AS cache_read_tokens,
    -- OpenAI keeps what it writes for 30 minutes unless it says otherwise; models that others serve, for 5.
    CASE WHEN has_usage AND NOT keeps_30m THEN write_rest END AS cache_write_5m_tokens,
    CASE
        WHEN has_usage AND (writes_30m IS NOT NULL OR (keeps_30m AND write_rest IS NOT NULL))
            THEN coalesce(writes_30m, 0) + CASE WHEN keeps_30m THEN coalesce(write_rest, 0) ELSE 0 END
    END AS cache_write_30m_tokens,
    CASE WHEN has_usage THEN writes_12h END AS cache_write_12h_tokens,
    CASE WHEN has_usage THEN audio_in END AS input_audio_tokens,
    CASE WHEN has_usage THEN image_in END AS input_image_tokens,
    CASE WHEN has_usage THEN visible - coalesce(audio_out, 0) - coalesce(image_out, 0) END AS output_text_tokens,
    CASE WHEN has_usage THEN reasoning END AS reasoning_tokens,
    CASE WHEN has_usage THEN audio_out END AS output_audio_tokens,
    CASE WHEN has_usage THEN image_out END AS output_image_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    coalesce(
        try_cast(used.server_tool_use.web_search_requests AS BIGINT),
        try_cast(used.num_search_queries AS BIGINT),
        CASE
            WHEN kind = 'response' AND answer.output IS NOT NULL THEN len(
                list_filter(
                    answer.output,
                    -- Opening a found page is a call of this tool too, but no search.
                    lambda item: item.type = 'web_search_call' AND coalesce(item.action.type, 'search') = 'search'
                )
            )
        END
    ) AS web_search_requests,
    coalesce(
        not_included(prompt, cached, 'prompt_tokens', 'cached tokens'),
        CASE
            WHEN NOT reasoning_outside THEN not_included(completion, reasoning, 'completion_tokens', 'reasoning_tokens')
        END,
        CASE
            WHEN cached_outside
                THEN 'total_tokens (' || told_total || ') counts cached tokens (' || cached
                || ') beside prompt_tokens (' || told_prompt || '), which should include them: read as exclusive'
            WHEN gap > 0
                THEN 'total_tokens (' || told_total || ') exceeds prompt_tokens and completion_tokens together ('
                || (told_prompt + completion) || '): the gap of ' || gap || ' is not counted'
        END
    ) AS contradiction,
    CASE
        WHEN http = 499 OR coalesce(outcome = 'cancelled', false) THEN 'cancelled'
        WHEN failed THEN 'error'
        ELSE 'ok'
    END AS status,
    CASE WHEN failed THEN coalesce(
        list_filter(
            [
                body_error ->> '$.code', body_error ->> '$.type', outer_error ->> '$.code', outer_error ->> '$.type',
                CASE WHEN json_type(outer_error) = 'VARCHAR' THEN outer_error ->> '$' END
            ],
            -- A class of errors is one word; anything else may be a message that repeats a prompt.
            lambda name: regexp_full_match(name, '[A-Za-z0-9_.:-]{1,64}') AND try_cast(name AS INTEGER) IS NULL
        )[1],
        CASE WHEN outcome = 'failed' THEN 'failed' END
    ) END AS error_type,
    coalesce(http, CASE WHEN has_usage AND NOT failed THEN 200 END) AS http_status,
    coalesce(
        -- With the user's own key OpenRouter's cost is its fee alone.
        CASE WHEN used.is_byok = 'true'
            THEN try_cast(told_cost AS DECIMAL(18, 12))
            + coalesce(try_cast(used.cost_details.upstream_inference_cost AS DECIMAL(18, 12)), 0)
            ELSE try_cast(told_cost AS DECIMAL(18, 12))
        END,
        try_cast(used.pydantic_ai_gateway.cost_estimate AS DECIMAL(18, 12)),
        try_cast(cost_usd AS DECIMAL(18, 12))
    ) AS reported_cost
FROM (
    SELECT
        *,
        coalesce(regexp_matches(coalesce(served, wanted, 'gpt'), '(^|[/:.])(gpt|chatgpt|codex|o[1-9]|openai)'), true)
            AS keeps_30m,
        CASE WHEN writes IS NOT NULL
            THEN greatest(writes - coalesce(writes_30m, 0) - coalesce(writes_12h, 0), 0) END AS write_rest
    FROM judged
)
