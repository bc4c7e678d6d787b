-- Messages of Gemini CLI sessions: one a line, or all of a session in one object. Texts are never read.
WITH placed AS (
    SELECT
        *,
        -- Only the first line names the session; the file bears the beginning of its id.
        coalesce(
            last_value(sessionId IGNORE NULLS) OVER so_far,
            nullif(regexp_extract(source_file, '(session-[^/\\]+)\.jsonl?', 1), '')
        ) AS session,
        coalesce(
            nullif(regexp_extract(source_file, '[/\\]tmp[/\\]([^/\\]+)[/\\]chats[/\\]', 1), ''),
            last_value(projectHash IGNORE NULLS) OVER so_far
        ) AS project
    FROM records
    WINDOW
        so_far AS (
            PARTITION BY source_file ORDER BY source_line ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
),

each_message AS (
    SELECT
        record_number,
        session,
        project,
        unnest(
            CASE
                WHEN len(messages) > 0 THEN messages
                -- A history that is written anew repeats messages; one without tokens tells of nothing.
                WHEN len("$set".messages) > 0 THEN list_transform(
                    "$set".messages,
                    lambda part: {
                        'id': part.id, 'timestamp': part.timestamp, 'model': part.model, 'tokens': part.tokens,
                        'type': CASE WHEN part.tokens.total > 0 OR part.tokens.input > 0 THEN part.type ELSE '' END
                    }
                )
                ELSE [{'id': id, 'timestamp': "timestamp", 'type': type, 'model': model, 'tokens': tokens}]
            END
        ) AS message
    FROM placed
),

counted AS (
    SELECT
        *,
        message.type = 'gemini' AS is_call,
        utc(message.timestamp) AS written,
        message.tokens.input AS prompt,
        message.tokens.output AS answer,
        coalesce(message.tokens.cached, 0) AS cached,
        coalesce(message.tokens.thoughts, 0) AS thoughts,
        coalesce(message.tokens.tool, 0) AS tool,
        message.tokens.total AS told_total,
        coalesce(prompt, answer) IS NOT NULL AS has_usage,
        -- A total that has no room for a count beside the others says that another count includes it.
        coalesce(thoughts > 0 AND told_total = prompt + answer + tool, false) AS has_thoughts_inside,
        coalesce(tool > 0 AND told_total = prompt + answer + thoughts, false) AS has_tool_inside
    FROM each_message
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN message.id IS NULL THEN 'id is missing'
        WHEN message.timestamp IS NULL THEN 'timestamp is missing'
        WHEN written IS NULL THEN 'timestamp is not an ISO 8601 time: ' || left(message.timestamp, 60)
        WHEN least(prompt, answer, cached, thoughts, tool) < 0 THEN 'a token count is negative'
    END AS reject_reason,
    message.id AS dedupe_key,
    CASE WHEN has_usage THEN 1 + coalesce(prompt, 0) + coalesce(answer, 0) + thoughts + tool ELSE 0 END AS dedupe_rank,
    session AS session_id,
    written AS started_at,
    'generate_content' AS operation_name,
    'gcp.gemini' AS provider_name,
    nullif(message.model, '') AS request_model,
    nullif(message.model, '') AS response_model,
    nullif(message.model, '') AS price_model,
    tag_map([{'key': 'project', 'value': project}]) AS tags,
    apart(prompt, cached) + CASE WHEN has_tool_inside THEN 0 ELSE tool END AS input_uncached_tokens,
    CASE WHEN has_usage THEN cached END AS cache_read_tokens,
    CASE WHEN has_thoughts_inside THEN apart(answer, thoughts) ELSE answer END AS output_text_tokens,
    CASE WHEN has_usage THEN thoughts END AS reasoning_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    coalesce(
        not_included(prompt, cached, 'input', 'cached'),
        CASE
            WHEN has_thoughts_inside
                THEN 'total (' || told_total || ') has no room for thoughts (' || thoughts
                || ') beside output: read as part of it'
            WHEN has_tool_inside
                THEN 'total (' || told_total || ') has no room for tool (' || tool
                || ') beside input: read as part of it'
        END
    ) AS contradiction,
    'ok' AS status
FROM counted
WHERE is_call
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM counted
WHERE NOT coalesce(is_call, false)
