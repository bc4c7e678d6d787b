-- One row per observation and per trace row. Only generations and embeddings are calls; which of nested ones repeat
-- others is decided over the whole trace, by the places that all observations give. Texts (input, output) are never read;
-- of the attributes in the metadata only named ones are.
WITH
-- The JSON of one trace holds its observations in a list; every other export has one a record.
inside AS (
    SELECT
        record_number,
        source_file,
        trace,
        id,
        unnest(range(len(try_cast(observations AS JSON[])))) AS position,
        unnest(
            json_transform(
                observations,
                '[{"id": "VARCHAR", "type": "VARCHAR", "name": "VARCHAR", "traceId": "VARCHAR", "projectId": "VARCHAR",
                   "parentObservationId": "VARCHAR", "startTime": "VARCHAR", "endTime": "VARCHAR",
                   "completionStartTime": "VARCHAR", "updatedAt": "VARCHAR", "level": "VARCHAR",
                   "statusMessage": "VARCHAR", "model": "VARCHAR", "providedModelName": "VARCHAR",
                   "modelParameters": "JSON", "usageDetails": "JSON", "usage": "JSON", "promptTokens": "VARCHAR",
                   "completionTokens": "VARCHAR", "totalTokens": "VARCHAR", "inputUsage": "VARCHAR",
                   "outputUsage": "VARCHAR", "totalUsage": "VARCHAR", "costDetails": "JSON", "totalCost": "VARCHAR",
                   "calculatedTotalCost": "VARCHAR", "usagePricingTierName": "VARCHAR", "promptName": "VARCHAR",
                   "promptVersion": "VARCHAR", "environment": "VARCHAR", "release": "VARCHAR", "version": "VARCHAR",
                   "metadata": "JSON", "userId": "VARCHAR", "sessionId": "VARCHAR", "traceName": "VARCHAR",
                   "tags": "JSON"}]'
            )
        ) AS observation
    FROM records
    WHERE json_type(observations, '$[0]') = 'OBJECT'
),

alike AS (
    SELECT
        * EXCLUDE (trace, observations, source_line),
        0 AS position
    FROM records
    WHERE coalesce(json_type(observations, '$[0]'), '') <> 'OBJECT'
    UNION ALL BY NAME
    SELECT
        observation.*,
        record_number,
        source_file,
        position
    FROM inside
),

told AS MATERIALIZED (
    SELECT
        record_number,
        position,
        nullif(id, '') AS id,
        upper(type) AS kind,
        nullif(coalesce(traceId, trace_id), '') AS trace_id,
        nullif(coalesce(projectId, project_id), '') AS project,
        nullif(coalesce(parentObservationId, parent_observation_id), '') AS parent_id,
        nullif(coalesce(startTime, start_time), '') AS start_text,
        nullif(coalesce(endTime, end_time), '') AS end_text,
        nullif(coalesce(completionStartTime, completion_start_time), '') AS first_token_text,
        utc(coalesce(updatedAt, updated_at)) AS updated,
        -- Only the blob storage export, which alone writes these names, keeps to seconds.
        CASE WHEN start_time IS NOT NULL THEN try_cast(latency AS DOUBLE) END AS latency,
        try_cast(time_to_first_token AS DOUBLE) AS first_token,
        coalesce(upper(level) = 'ERROR', false) AS failed,
        coalesce(statusMessage, status_message) AS message,
        nullif(trim(coalesce(model, providedModelName, provided_model_name)), '') AS model,
        coalesce(modelParameters, model_parameters) AS parameters_json,
        coalesce(usageDetails, usage_details) AS details_json,
        usage AS old_usage,
        json_object(
            'input', coalesce(promptTokens, nullif(inputUsage, '0')),
            'output', coalesce(completionTokens, nullif(outputUsage, '0')),
            'total', coalesce(totalTokens, nullif(totalUsage, '0'))
        ) AS oldest_usage,
        coalesce(costDetails, cost_details) AS cost_json,
        coalesce(totalCost, total_cost, calculatedTotalCost) AS cost_text,
        coalesce(usagePricingTierName, usage_pricing_tier_name) AS pricing_tier,
        coalesce(promptName, prompt_name) AS prompt_name,
        coalesce(promptVersion, prompt_version) AS prompt_version,
        name,
        environment,
        release,
        version,
        metadata AS metadata_json,
        coalesce(userId, user_id) AS user_id,
        coalesce(sessionId, session_id) AS session_id,
        coalesce(traceName, trace_name) AS trace_name,
        coalesce(traceTags, tags) AS tags_json,
        "timestamp" AS trace_time,
        kind IS NULL AND trace_id IS NULL AND trace_time IS NOT NULL AS is_trace
    FROM alike
),

-- What traces say, for observations that do not. A trace that is exported twice gives one row, whatever the order.
traces AS (
    SELECT
        trace_id,
        max(nullif(user_id, '')) AS user_id,
        max(nullif(session_id, '')) AS session_id,
        max(nullif(name, '')) AS name,
        max(nullif(environment, '')) AS environment,
        max(nullif(release, '')) AS release,
        max(CAST(tags_json AS VARCHAR)) AS tags_told,
        max(metadata_text) AS metadata_told
    FROM (
        SELECT
            id AS trace_id,
            user_id,
            session_id,
            name,
            environment,
            release,
            tags_json,
            CAST(metadata_json AS VARCHAR) AS metadata_text
        FROM told
        WHERE is_trace
        UNION ALL BY NAME
        SELECT
            coalesce(trace ->> '$.id', id) AS trace_id,
            trace ->> '$.userId' AS user_id,
            trace ->> '$.sessionId' AS session_id,
            trace ->> '$.name' AS name,
            trace ->> '$.environment' AS environment,
            trace ->> '$.release' AS release,
            trace -> '$.tags' AS tags_json,
            CAST(trace -> '$.metadata' AS VARCHAR) AS metadata_text
        FROM records
        WHERE json_type(trace) = 'OBJECT'
        UNION ALL BY NAME
        SELECT
            id AS trace_id,
            coalesce(userId, user_id) AS user_id,
            coalesce(sessionId, session_id) AS session_id,
            name,
            environment,
            release,
            tags AS tags_json,
            CAST(metadata AS VARCHAR) AS metadata_text
        FROM records
        WHERE trace IS NULL AND json_type(observations, '$[0]') = 'OBJECT'
    )
    WHERE trace_id IS NOT NULL
    GROUP BY trace_id
),

-- The newest kind of usage that the record has. Characters, images or seconds are no tokens.
chosen AS (
    SELECT
        record_number,
        position,
        CASE
            WHEN json_type(details_json) = 'OBJECT' AND json_keys(details_json) <> [] THEN details_json
            WHEN upper(old_usage ->> '$.unit') <> 'TOKENS' THEN NULL
            WHEN coalesce(
                old_usage ->> '$.input', old_usage ->> '$.output', old_usage ->> '$.total',
                old_usage ->> '$.promptTokens', old_usage ->> '$.completionTokens'
            ) IS NOT NULL THEN old_usage
            ELSE oldest_usage
        END AS usage_json,
        coalesce(usage_json = details_json, false) AS is_detailed
    FROM told
    WHERE kind IN ('GENERATION', 'EMBEDDING')
),

-- Every writer has its own names for the kinds of tokens: a key's beginning tells the side, a word in it the kind.
entries AS (
    SELECT
        record_number,
        position,
        is_detailed,
        lower(entry.key) AS key,
        -- Beyond what a count can be, yet small enough for sums: the ingest rejects such a record, and it alone.
        CAST(greatest(least(try_cast(entry.value ->> '$' AS DOUBLE), 2e12), -2e12) AS BIGINT) AS told_amount,
        CASE WHEN try_cast(entry.value ->> '$' AS DOUBLE) IS NOT NULL THEN told_amount END AS amount,
        regexp_matches(key, '^(prompt|input|completion|output)_(tokens?_)?details\.') AS is_held,
        CASE
            WHEN regexp_matches(key, 'cost|price') THEN NULL
            WHEN regexp_full_match(key, 'total(_?tokens?(_?count)?)?') THEN 'total'
            WHEN regexp_full_match(key, '(input|prompt)(_?tokens?(_?count)?)?') THEN 'input'
            WHEN regexp_full_match(key, '(output|completion|candidates)(_?tokens?(_?count)?)?') THEN 'output'
            WHEN regexp_matches(key, '^(input|prompt|cache)') THEN CASE
                WHEN regexp_matches(key, 'creat|writ|ephemeral') THEN CASE
                    WHEN key LIKE '%5m%' THEN 'write_5m'
                    WHEN key LIKE '%1h%' THEN 'write_1h'
                    WHEN key LIKE '%30m%' THEN 'write_30m'
                    WHEN key LIKE '%12h%' THEN 'write_12h'
                    ELSE 'write'
                END
                WHEN key LIKE '%cache%' THEN 'read'
                WHEN key LIKE '%audio%' THEN 'input_audio'
                WHEN key LIKE '%image%' THEN 'input_image'
                ELSE 'input_rest'
            END
            WHEN regexp_matches(key, '^(output|completion|candidates|reasoning|thought|thinking)') THEN CASE
                WHEN regexp_matches(key, 'reason|thought|thinking') THEN 'reasoning'
                WHEN key LIKE '%audio%' THEN 'output_audio'
                WHEN key LIKE '%image%' THEN 'output_image'
                ELSE 'output_rest'
            END
        END AS kind
    FROM (
        SELECT
            record_number,
            position,
            is_detailed,
            unnest(map_entries(try_cast(usage_json AS MAP(VARCHAR, JSON)))) AS entry
        FROM chosen
    )
),

counted AS (
    SELECT
        record_number,
        position,
        max(amount) FILTER (kind = 'input') AS told_input,
        max(amount) FILTER (kind = 'output') AS told_output,
        nullif(max(amount) FILTER (kind = 'total'), 0) AS told_total,
        sum(amount) FILTER (kind = 'read')::BIGINT AS reads,
        sum(amount) FILTER (kind = 'write')::BIGINT AS writes,
        sum(amount) FILTER (kind = 'write_5m')::BIGINT AS writes_5m,
        sum(amount) FILTER (kind = 'write_30m')::BIGINT AS writes_30m,
        sum(amount) FILTER (kind = 'write_1h')::BIGINT AS writes_1h,
        sum(amount) FILTER (kind = 'write_12h')::BIGINT AS writes_12h,
        sum(amount) FILTER (kind = 'input_audio')::BIGINT AS input_audio,
        sum(amount) FILTER (kind = 'input_image')::BIGINT AS input_image,
        sum(amount) FILTER (kind = 'reasoning')::BIGINT AS reasoning,
        sum(amount) FILTER (kind = 'output_audio')::BIGINT AS output_audio,
        sum(amount) FILTER (kind = 'output_image')::BIGINT AS output_image,
        -- Text parts of a subset are in input and output anyway.
        coalesce(sum(amount) FILTER (kind = 'input_rest' AND NOT is_held), 0)::BIGINT AS input_rest,
        coalesce(sum(amount) FILTER (kind = 'output_rest' AND NOT is_held), 0)::BIGINT AS output_rest,
        bool_or(is_held AND kind NOT IN ('input_rest', 'output_rest')) AS are_held,
        coalesce(bool_or(regexp_matches(kind, '^(input|read|write)')), false) AS has_input,
        coalesce(bool_or(regexp_matches(kind, '^(output|reasoning)')), false) AS has_output,
        -- Records without usage have zeros in the older fields.
        bool_or(amount IS NOT NULL) AND (bool_or(is_detailed) OR sum(amount) > 0) AS has_usage,
        min(amount) < 0 AS is_negative
    FROM entries
    WHERE kind IS NOT NULL
    GROUP BY ALL
    HAVING has_usage
),

summed AS (
    SELECT
        *,
        coalesce(told_input, 0) + coalesce(told_output, 0) AS base,
        coalesce(writes_5m, 0) + coalesce(writes_30m, 0) + coalesce(writes_1h, 0) + coalesce(writes_12h, 0) AS lasting,
        coalesce(reasoning, 0) + coalesce(output_audio, 0) + coalesce(output_image, 0) + output_rest AS output_parts,
        coalesce(reads, 0) + coalesce(input_audio, 0) + coalesce(input_image, 0) + input_rest AS other_input_parts,
        -- A cache write beside its lifetimes is their sum, unless the total counts both.
        CASE
            WHEN writes IS NULL THEN NULL
            WHEN told_total = base + other_input_parts + output_parts + writes + lasting THEN writes
            ELSE greatest(writes - lasting, 0)
        END AS writes_rest,
        other_input_parts + coalesce(writes_rest, 0) + lasting AS input_parts,
        base + input_parts + output_parts AS everything
    FROM counted
),

-- Which of the parts lie inside input and output: the total is the proof, the names of the keys decide without one.
placed AS (
    SELECT
        *,
        CASE
            WHEN are_held THEN true
            WHEN told_total IS NULL OR told_total = everything THEN false
            ELSE told_total IN (base, base + output_parts)
        END AS input_holds,
        CASE
            WHEN are_held THEN true
            WHEN told_total IS NULL OR told_total = everything THEN false
            WHEN told_total = base + output_parts AND told_total <> base THEN false
            ELSE told_total IN (base, base + input_parts)
        END AS output_holds,
        base + CASE WHEN input_holds THEN 0 ELSE input_parts END + CASE WHEN output_holds THEN 0 ELSE output_parts END
            AS accounted,
        -- A total that counts subsets once more leaves nothing over.
        CASE
            WHEN told_total > accounted AND NOT (are_held AND told_total IN (
                everything, base + input_parts, base + output_parts
            )) THEN told_total - accounted
        END AS gap
    FROM summed
),

opened AS (
    SELECT
        told.*,
        placed.* EXCLUDE (record_number, position, has_usage),
        placed.has_usage IS NOT NULL AS counted,
        -- The metadata of one trace, and of traces, come as JSON text.
        CASE WHEN json_type(metadata_json) = 'VARCHAR'
            THEN try_cast(metadata_json ->> '$' AS JSON) ELSE metadata_json END AS metadata,
        CASE
            WHEN json_type(metadata, '$.attributes') = 'VARCHAR'
                THEN try_cast(metadata ->> '$.attributes' AS JSON)
            ELSE metadata -> '$.attributes'
        END AS attributes,
        CASE
            WHEN json_type(metadata, '$.resourceAttributes') = 'VARCHAR'
                THEN try_cast(metadata ->> '$.resourceAttributes' AS JSON)
            ELSE metadata -> '$.resourceAttributes'
        END AS resource_attributes,
        CASE WHEN json_type(parameters_json) = 'VARCHAR'
            THEN try_cast(parameters_json ->> '$' AS JSON) ELSE parameters_json END AS parameters,
        coalesce(nullif(told.user_id, ''), traces.user_id, attributes ->> '$."user.id"') AS end_user,
        coalesce(
            nullif(told.session_id, ''), traces.session_id, attributes ->> '$."session.id"', metadata ->> '$.thread_id'
        ) AS conversation,
        coalesce(nullif(told.trace_name, ''), traces.name) AS trace_title,
        coalesce(told.environment, traces.environment) AS stage,
        coalesce(nullif(told.release, ''), traces.release) AS released,
        coalesce(nullif(told.tags_json, '[]'), try_cast(traces.tags_told AS JSON)) AS labels,
        CASE WHEN json_type(try_cast(traces.metadata_told AS JSON)) = 'VARCHAR'
            THEN try_cast(try_cast(traces.metadata_told AS JSON) ->> '$' AS JSON)
            ELSE try_cast(traces.metadata_told AS JSON)
        END AS trace_metadata,
        utc(start_text) AS started,
        utc(end_text) AS ended,
        utc(first_token_text) AS first_token_at,
        kind = 'EMBEDDING' AS is_embedding,
        upper(nullif(old_usage ->> '$.unit', '')) AS unit
    FROM told
    LEFT JOIN placed USING (record_number, position)
    LEFT JOIN traces ON told.trace_id = traces.trace_id
    WHERE kind IN ('GENERATION', 'EMBEDDING')
),

named AS (
    SELECT
        *,
        coalesce(attributes ->> '$."gen_ai.response.model"', attributes ->> '$."ai.response.model"', model) AS served,
        coalesce(
            attributes ->> '$."gen_ai.provider.name"', attributes ->> '$."gen_ai.system"',
            attributes ->> '$."llm.provider"', metadata ->> '$.ls_provider', attributes ->> '$."ai.model.provider"'
        ) AS told_provider,
        coalesce(
            attributes ->> '$."gen_ai.response.id"', attributes ->> '$."ai.response.id"',
            CASE WHEN parameters ->> '$.id' LIKE 'resp\_%' ESCAPE '\' THEN parameters ->> '$.id' END
        ) AS answer_id,
        coalesce(
            attributes ->> '$."openai.response.service_tier"', parameters ->> '$.service_tier',
            CASE WHEN lower(pricing_tier) IN ('batch', 'flex', 'priority', 'fast') THEN pricing_tier END
        ) AS tier,
        -- Without its own kind the usage says nothing of output; of a total the rest is the side that is missing.
        NOT has_input AND NOT has_output AS has_total_alone,
        CASE
            WHEN has_total_alone THEN told_total
            WHEN NOT has_input THEN gap
            WHEN input_holds THEN apart(told_input, input_parts - input_rest)
            ELSE coalesce(told_input, 0) + input_rest
        END AS fresh,
        CASE
            WHEN is_embedding THEN coalesce(told_output, 0)
            WHEN has_total_alone THEN NULL
            WHEN NOT has_output THEN gap
            WHEN output_holds THEN apart(told_output, output_parts - output_rest)
            ELSE coalesce(told_output, 0) + output_rest
        END AS visible,
        CASE WHEN has_input AND has_output AND NOT is_embedding THEN gap END AS thoughts,
        coalesce(regexp_matches(lower(model), '(^|[/:.])(gpt|chatgpt|codex|o[1-9]|openai)'), false) AS keeps_30m
    FROM opened
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN id IS NULL THEN 'id is missing'
        WHEN start_text IS NULL THEN 'startTime (or start_time) is missing'
        WHEN started IS NULL THEN 'startTime is not an ISO 8601 time: ' || left(start_text, 60)
        WHEN is_negative THEN 'a token count is negative'
    END AS reject_reason,
    id AS dedupe_key,
    id AS node_id,
    [parent_id] AS parent_ids,
    kind AS call_kind,
    -- Milliseconds, as every shape has them; the last bits decide between copies of one version.
    coalesce(epoch_ms(updated), 0) * 8
    + CASE WHEN counted THEN 4 ELSE 0 END
    + CASE WHEN ended IS NOT NULL THEN 2 ELSE 0 END
    + CASE WHEN coalesce(end_user, conversation) IS NOT NULL THEN 1 ELSE 0 END AS dedupe_rank,
    id AS request_id,
    trace_id,
    nullif(conversation, '') AS session_id,
    -- Short ids repeat, and frameworks make up their own.
    CASE WHEN length(answer_id) >= 20 AND NOT starts_with(answer_id, 'aitxt-') THEN answer_id END AS response_id,
    started AS started_at,
    coalesce(seconds_between(started, ended), CASE WHEN latency >= 0 THEN latency END) AS duration_seconds,
    coalesce(seconds_between(started, first_token_at), CASE WHEN first_token >= 0 THEN first_token END)
        AS time_to_first_token_seconds,
    CASE
        WHEN coalesce(first_token_at IS NOT NULL, false) OR first_token >= 0 THEN true
        ELSE try_cast(coalesce(parameters ->> '$.stream', parameters ->> '$.is_stream') AS BOOLEAN)
    END AS stream,
    CASE WHEN is_embedding THEN 'embeddings' ELSE coalesce(
        CASE WHEN attributes ->> '$."gen_ai.operation.name"' IN ('chat', 'text_completion', 'generate_content')
            THEN attributes ->> '$."gen_ai.operation.name"' END,
        'chat'
    ) END AS operation_name,
    CASE
        WHEN regexp_matches(model, '/publishers/[^/]+/models/') THEN 'gcp.vertex_ai'
        WHEN lower(told_provider) IN ('azure', 'azure_openai', 'az.ai.openai') THEN 'azure.ai.openai'
        WHEN lower(told_provider) IN ('google', 'google-gla', 'gemini', 'google_genai', 'google.generative-ai')
            THEN 'gcp.gemini'
        WHEN lower(told_provider) IN ('vertex_ai', 'vertexai', 'google-vertex', 'google_vertexai', 'gcp.vertex.agent')
            THEN 'gcp.vertex_ai'
        WHEN lower(told_provider) IN ('bedrock', 'aws', 'amazon_bedrock', 'amazon-bedrock') THEN 'aws.bedrock'
        WHEN lower(told_provider) IN ('mistral', 'mistralai') THEN 'mistral_ai'
        WHEN lower(told_provider) IN ('xai', 'x-ai') THEN 'x_ai'
        -- The AI SDK adds the API: openai.responses, anthropic.messages.
        ELSE regexp_replace(lower(trim(told_provider)), '\.(responses|chat|messages|completion|embedding)$', '')
    END AS provider_name,
    nullif(regexp_extract(model, '/locations/([^/]+)/', 1), '') AS region,
    tier_of(tier) AS service_tier,
    model AS request_model,
    served AS response_model,
    regexp_replace(coalesce(served, model), '^projects/.*/models/', '') AS price_model,
    nullif(end_user, '') AS user_id,
    tag_map(
        [
            {'key': 'name', 'value': name},
            {'key': 'trace_name', 'value': trace_title},
            {'key': 'environment', 'value': stage},
            {'key': 'release', 'value': released},
            {'key': 'version', 'value': version},
            {'key': 'prompt_name', 'value': prompt_name},
            {'key': 'prompt_version', 'value': prompt_version},
            {'key': 'pricing_tier', 'value': pricing_tier},
            {'key': 'project_id', 'value': project},
            {'key': 'service', 'value': CASE
                WHEN NOT starts_with(resource_attributes ->> '$."service.name"', 'unknown_service')
                    THEN resource_attributes ->> '$."service.name"'
            END}
        ]
        -- Nested metadata are texts in the blob storage export, the attributes of instrumentations hold prompts, and
        -- what LangGraph writes of itself is another text in every step.
        || list_filter(
            json_pairs(metadata),
            lambda pair: NOT regexp_matches(pair.value, '^\s*[\[{]')
            AND NOT regexp_matches(
                pair.key, '^(attributes|resourceAttributes|scope)(\.|$)|^__|^ls_|checkpoint_ns$|^thread_id$'
            )
        )
        || list_transform(
            CASE WHEN json_type(labels) = 'ARRAY' THEN coalesce(try_cast(labels AS VARCHAR[]), []) ELSE [] END,
            lambda label: {
                'key': CASE WHEN instr(label, ':') > 1 THEN left(label, instr(label, ':') - 1) ELSE label END,
                'value': CASE WHEN instr(label, ':') > 1 THEN trim(substr(label, instr(label, ':') + 1)) ELSE 'true' END
            }
        )
        || list_filter(
            json_pairs(trace_metadata),
            lambda pair: NOT regexp_matches(pair.value, '^\s*[\[{]')
            AND NOT regexp_matches(
                pair.key, '^(attributes|resourceAttributes|scope)(\.|$)|^__|^ls_|checkpoint_ns$|^thread_id$'
            )
        )
    ) AS tags,
    CASE WHEN counted THEN 'reported' ELSE 'missing' END AS usage_source,
    CASE WHEN counted THEN fresh END AS input_uncached_tokens,
    CASE WHEN counted THEN reads END AS cache_read_tokens,
    CASE WHEN counted AND NOT keeps_30m AND coalesce(writes_5m, writes_rest) IS NOT NULL
        THEN coalesce(writes_5m, 0) + coalesce(writes_rest, 0) ELSE writes_5m END AS cache_write_5m_tokens,
    CASE WHEN counted AND keeps_30m AND coalesce(writes_30m, writes_rest) IS NOT NULL
        THEN coalesce(writes_30m, 0) + coalesce(writes_rest, 0) ELSE writes_30m END AS cache_write_30m_tokens,
    writes_1h AS cache_write_1h_tokens,
    writes_12h AS cache_write_12h_tokens,
    input_audio AS input_audio_tokens,
    input_image AS input_image_tokens,
    CASE WHEN counted THEN visible END AS output_text_tokens,
    CASE WHEN thoughts IS NOT NULL THEN coalesce(reasoning, 0) + thoughts ELSE reasoning END AS reasoning_tokens,
    output_audio AS output_audio_tokens,
    output_image AS output_image_tokens,
    coalesce(
        CASE
            WHEN unit <> 'TOKENS' AND NOT counted
                THEN 'usage is counted in ' || left(lower(unit), 20) || ', not in tokens: left out'
            WHEN has_total_alone AND NOT is_embedding
                THEN 'usage has a total of ' || told_total || ' alone: read as input'
            WHEN thoughts > 0
                THEN 'total (' || told_total || ') exceeds the sum of its parts (' || accounted || '): the gap of '
                || thoughts || ' is read as reasoning'
            WHEN told_total < accounted
                THEN 'total (' || told_total || ') is less than the sum of its parts (' || accounted || ')'
            WHEN told_total > accounted AND gap IS NULL
                THEN 'total (' || told_total || ') counts the details of input (' || input_parts || ') or output ('
                || output_parts || ') once more'
        END,
        CASE WHEN input_holds THEN not_included(told_input, input_parts - input_rest, 'input', 'its details') END,
        CASE WHEN output_holds THEN not_included(told_output, output_parts - output_rest, 'output', 'its details') END
    ) AS contradiction,
    CASE WHEN failed THEN 'error' ELSE 'ok' END AS status,
    -- The message may repeat a prompt: only a class at its beginning is taken.
    CASE WHEN failed THEN coalesce(
        nullif(regexp_extract(message, '^([A-Za-z_][A-Za-z0-9_.]{2,63})(:|\(|$)', 1), ''),
        attributes ->> '$."error.type"'
    ) END AS error_type,
    CASE
        WHEN failed THEN try_cast(
            regexp_extract(message, '(?i)(?:error code|status(?: code)?)[:= ]+([45][0-9]{2})\b', 1) AS INTEGER
        )
    END AS http_status,
    coalesce(
        try_cast(cost_json ->> '$.total' AS DECIMAL(18, 12)),
        -- Without costs the record has a total of 0.
        CASE WHEN try_cast(cost_text AS DOUBLE) <> 0 THEN try_cast(cost_text AS DECIMAL(18, 12)) END,
        CASE
            WHEN json_type(cost_json) = 'OBJECT' AND json_keys(cost_json) <> [] THEN try_cast(
                list_sum(map_values(try_cast(cost_json AS MAP(VARCHAR, DOUBLE)))) AS DECIMAL(18, 12)
            )
        END
    ) AS reported_cost
FROM named
UNION ALL BY NAME
-- Spans, agents, tools and traces.
SELECT
    record_number,
    false AS is_call,
    CASE WHEN NOT is_trace THEN id END AS node_id,
    [parent_id] AS parent_ids,
    trace_id,
    utc(start_text) AS started_at
FROM told
WHERE coalesce(kind NOT IN ('GENERATION', 'EMBEDDING'), true)
