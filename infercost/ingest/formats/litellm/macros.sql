-- SQL functions of the payloads and of the table rows.

-- LiteLLM writes one record in two shapes (its payload, and its table's row), and both are counted and labelled alike.
-- The source of litellm_tokens() gives provider, model, known (there is usage), prompt and completion with everything
-- in them, and the details that the usage has of them; what it gets are the disjoint counts.
CREATE OR REPLACE TEMP MACRO litellm_tokens(source) AS TABLE
    SELECT
        *,
        input_details.cache_creation_token_details.ephemeral_5m_input_tokens AS write_5m,
        input_details.cache_creation_token_details.ephemeral_1h_input_tokens AS write_1h,
        coalesce(input_details.cache_creation_tokens, input_details.cache_write_tokens, top_writes) AS writes,
        greatest(coalesce(input_details.cached_tokens, top_reads, 0), 0) AS reads,
        greatest(coalesce(writes, 0) - coalesce(write_5m, 0) - coalesce(write_1h, 0), 0) AS write_unknown,
        greatest(coalesce(writes, 0), coalesce(write_5m, 0) + coalesce(write_1h, 0)) AS written,
        apart(prompt, reads + written) AS fresh,
        -- least() passes over NULL, and an unknown count stays unknown.
        CASE WHEN input_details.audio_tokens >= 0 THEN least(input_details.audio_tokens, fresh) END AS audio_in,
        CASE
            WHEN input_details.image_tokens >= 0
                THEN least(input_details.image_tokens, fresh - coalesce(audio_in, 0))
        END AS image_in,
        coalesce(output_details.reasoning_tokens, 0) AS reasoning,
        apart(completion, reasoning) AS visible,
        CASE WHEN output_details.audio_tokens >= 0 THEN least(output_details.audio_tokens, visible) END AS audio_out,
        CASE
            WHEN output_details.image_tokens >= 0
                THEN least(output_details.image_tokens, visible - coalesce(audio_out, 0))
        END AS image_out,
        provider IN ('openai', 'azure', 'azure_ai', 'text-completion-openai')
        AND NOT contains(model, 'claude') AS openai_like,
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
        CASE
            WHEN known
                THEN coalesce(
                    not_included(prompt, reads + written, 'prompt_tokens', 'cached input'),
                    not_included(completion, reasoning, 'completion_tokens', 'reasoning')
                )
        END AS contradiction
    FROM query_table(source);

CREATE OR REPLACE TEMP MACRO litellm_operation(call_type) AS
    CASE
        WHEN call_type IN ('acompletion', 'completion') THEN 'chat'
        WHEN call_type IN ('aembedding', 'embedding') THEN 'embeddings'
        WHEN call_type = 'anthropic_messages' THEN 'messages'
        WHEN regexp_matches(call_type, '^a?generate_content') THEN 'generate_content'
        -- The leading a is that of the asynchronous call.
        WHEN starts_with(call_type, 'a') AND NOT regexp_matches(call_type, '^(add_|audio|anthropic|allm_)')
            THEN substr(call_type, 2)
        ELSE nullif(call_type, '')
    END;

CREATE OR REPLACE TEMP MACRO litellm_provider(provider) AS
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
    END;

-- 'feature:chat' is feature=chat, a bare tag is a key without a value; User-Agent tags are the gateway's own.
-- (The casts are for the lambda's parameter, whose type is not known when a macro is made.)
CREATE OR REPLACE TEMP MACRO litellm_tag(tag, colon) AS
    struct_pack(
        k := left(trim(CASE WHEN colon > 1 THEN left(tag, colon - 1) ELSE tag END), 256),
        v := left(trim(CASE WHEN colon > 1 THEN substr(tag, colon + 1) ELSE '' END), 256)
    );

CREATE OR REPLACE TEMP MACRO litellm_tags(written) AS
    list_transform(
        list_filter(written, lambda t: trim(t) <> '' AND NOT starts_with(lower(t), 'user-agent:')),
        lambda t: litellm_tag(t::VARCHAR, instr(t::VARCHAR, ':'))
    );

-- The members of an object that are no objects or lists themselves.
CREATE OR REPLACE TEMP MACRO litellm_members(object) AS
    CASE
        WHEN json_type(object) = 'OBJECT' THEN list_transform(
            list_filter(
                map_entries(TRY(from_json(object, '"MAP(VARCHAR, JSON)"'))),
                lambda e: e.key <> '' AND left(CAST(e.value AS VARCHAR), 1) NOT IN ('{', '[')
                AND e.value ->> '$' IS NOT NULL
            ),
            lambda e: struct_pack(k := left(e.key, 256), v := left(e.value ->> '$', 256))
        )
    END;

CREATE OR REPLACE TEMP MACRO litellm_routing(decision) AS
    CASE
        WHEN decision IS NOT NULL THEN list_filter(
            [
                struct_pack(k := 'routing.tier', v := decision.tier),
                struct_pack(k := 'routing.cause', v := left(decision.cause, 256)),
                struct_pack(k := 'routing.router', v := left(decision.router_model_name, 256)),
                struct_pack(k := 'routing.model', v := left(decision.routed_model, 256))
            ],
            lambda e: e.v <> ''
        )
    END;

-- A map of {'k', 'v'} structs, the first of a repeated key; most lists have none, and are spared the search.
CREATE OR REPLACE TEMP MACRO litellm_unique(entries) AS
    CASE
        WHEN coalesce(len(entries), 0) = 0 THEN NULL
        WHEN len(list_distinct(list_transform(entries, lambda e: e.k))) = len(entries) THEN map_from_entries(entries)
        ELSE map_from_entries(
            list_filter(entries, lambda e, i: list_position(list_transform(entries, lambda o: o.k), e.k) = i)
        )
    END;
