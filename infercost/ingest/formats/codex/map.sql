-- One row per line of a Codex rollout. Only lines with token counts are calls; what a line does not say itself
-- (session, model, folder) stands on an earlier line of its file. Texts are never read.
WITH told AS (
    SELECT
        record_number,
        source_file,
        source_line,
        type,
        payload.type AS kind,
        "timestamp" AS written_at,
        utc("timestamp") AS written,
        payload.id AS payload_id,
        payload.session_id AS payload_session,
        payload.thread_id AS payload_thread,
        payload.cwd AS payload_cwd,
        payload.cli_version AS payload_version,
        payload.model_provider AS payload_provider,
        payload.model AS payload_model,
        payload.response_id AS response_id,
        CASE
            WHEN type = 'session_meta' THEN payload.forked_from_id IS NOT NULL OR payload.parent_thread_id IS NOT NULL
                OR json_exists(payload.source, '$.subagent')
        END AS is_child,
        type = 'token_usage_record' AS is_record,
        coalesce(type = 'event_msg' AND payload.type = 'token_count' AND json_type(payload.info) = 'OBJECT', false)
            AS is_count,
        payload.info ->> '$.model' AS info_model,
        json_transform(
            CASE WHEN is_record THEN payload.usage WHEN is_count THEN payload.info -> '$.last_token_usage' END,
            '{"input_tokens": "BIGINT", "cached_input_tokens": "BIGINT", "cache_write_input_tokens": "BIGINT",
              "output_tokens": "BIGINT", "reasoning_output_tokens": "BIGINT", "total_tokens": "BIGINT"}'
        ) AS last,
        json_transform(
            CASE WHEN is_count THEN payload.info -> '$.total_token_usage' END,
            '{"input_tokens": "BIGINT", "cached_input_tokens": "BIGINT", "cache_write_input_tokens": "BIGINT",
              "output_tokens": "BIGINT", "reasoning_output_tokens": "BIGINT", "total_tokens": "BIGINT"}'
        ) AS total
    FROM records
),

lines AS (
    SELECT
        -- A count that no request can have must not end in an overflow, which would take its whole file apart.
        * REPLACE (
            CASE WHEN NOT last_is_absurd THEN last END AS last, CASE WHEN NOT total_is_absurd THEN total END AS total
        ),
        last_is_absurd OR total_is_absurd AS is_absurd
    FROM (
        SELECT
            *,
            coalesce(
                greatest(
                    last.input_tokens, last.cached_input_tokens, last.cache_write_input_tokens, last.output_tokens,
                    last.reasoning_output_tokens, last.total_tokens
                ) > 1_000_000_000_000,
                false
            ) AS last_is_absurd,
            coalesce(
                greatest(
                    total.input_tokens, total.cached_input_tokens, total.cache_write_input_tokens,
                    total.output_tokens, total.reasoning_output_tokens, total.total_tokens
                ) > 1_000_000_000_000,
                false
            ) AS total_is_absurd
        FROM told
    )
),

placed AS (
    SELECT
        *,
        -- A fork repeats its parent's session_meta; the first one is its own, and the file bears its id.
        coalesce(
            nullif(
                regexp_extract(
                    source_file,
                    'rollout-[^/\\]*?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})[^/\\]*$',
                    1
                ),
                ''
            ),
            first_value(CASE WHEN type = 'session_meta' THEN coalesce(payload_id, payload_session) END IGNORE NULLS)
                OVER whole_file
        ) AS session,
        first_value(CASE WHEN type = 'session_meta' THEN written END IGNORE NULLS) OVER whole_file AS session_start,
        coalesce(first_value(is_child IGNORE NULLS) OVER whole_file, false) AS is_forked,
        last_value(CASE WHEN type = 'turn_context' THEN payload_model END IGNORE NULLS) OVER so_far AS turn_model,
        coalesce(
            last_value(CASE WHEN type = 'turn_context' THEN payload_cwd END IGNORE NULLS) OVER so_far,
            first_value(CASE WHEN type = 'session_meta' THEN payload_cwd END IGNORE NULLS) OVER whole_file
        ) AS cwd,
        last_value(payload_version IGNORE NULLS) OVER so_far AS cli_version,
        last_value(CASE WHEN type = 'session_meta' THEN payload_provider END IGNORE NULLS) OVER so_far AS provider,
        -- Newer versions write a record of each answer, and then the old event that tells of it once more.
        coalesce(bool_or(is_record) OVER so_far, false) AS has_records,
        -- The total before, for events that have no counts of their own; an equal one is a repeated event.
        lag(CASE WHEN is_count THEN total END) OVER counts_so_far AS previous,
        min(source_line) OVER whole_file > 1 AS starts_inside
    FROM lines
    WINDOW
        whole_file AS (
            PARTITION BY source_file ORDER BY source_line ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ),
        so_far AS (
            PARTITION BY source_file ORDER BY source_line ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ),
        counts_so_far AS (PARTITION BY source_file, is_count ORDER BY source_line)
),

measured AS (
    SELECT
        *,
        -- A count that a total leaves out proves nothing: read as a fresh start, the whole total would be spent again.
        coalesce(previous.input_tokens, previous.output_tokens) IS NOT NULL AND total IS NOT NULL
        AND coalesce(previous.input_tokens <= total.input_tokens, true)
        AND coalesce(previous.output_tokens <= total.output_tokens, true) AS goes_on,
        CASE
            WHEN coalesce(last.input_tokens, last.output_tokens) IS NOT NULL THEN last
            -- A total that falls begins anew: some versions start from 0 when a session is resumed.
            WHEN goes_on THEN {
                'input_tokens': total.input_tokens - coalesce(previous.input_tokens, 0),
                'cached_input_tokens': total.cached_input_tokens - coalesce(previous.cached_input_tokens, 0),
                'cache_write_input_tokens': total.cache_write_input_tokens
                - coalesce(previous.cache_write_input_tokens, 0),
                'output_tokens': total.output_tokens - coalesce(previous.output_tokens, 0),
                'reasoning_output_tokens': total.reasoning_output_tokens
                - coalesce(previous.reasoning_output_tokens, 0),
                'total_tokens': total.total_tokens - coalesce(previous.total_tokens, 0)
            }
            ELSE total
        END AS used
    FROM placed
),

counted AS (
    SELECT
        *,
        coalesce(used.cached_input_tokens, 0) AS reads,
        coalesce(used.cache_write_input_tokens, 0) AS writes,
        coalesce(used.input_tokens, used.output_tokens) IS NOT NULL AS has_usage
    FROM measured
),

judged AS (
    SELECT
        *,
        (is_record OR (is_count AND NOT has_records AND (has_usage OR is_absurd)))
        -- An event that repeats the total before has no growth of its own.
        AND NOT (
            is_count AND goes_on AND last IS NULL
            AND coalesce(used.input_tokens, 0) = 0 AND coalesce(used.output_tokens, 0) = 0
        )
        -- The replay of a parent is written in one go; no answer comes that fast.
        AND NOT (is_forked AND is_count AND coalesce(written < session_start + INTERVAL 2 SECOND, false)) AS is_call,
        coalesce(info_model, CASE WHEN is_record THEN payload_model END, turn_model) AS model,
        nullif(regexp_extract(rtrim(cwd, '/\'), '([^/\\]+)$', 1), '') AS project
    FROM counted
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN written_at IS NULL THEN 'timestamp is missing'
        WHEN written IS NULL THEN 'timestamp is not an ISO 8601 time: ' || left(written_at, 60)
        WHEN least(used.input_tokens, used.output_tokens, reads, writes, used.reasoning_output_tokens) < 0
            THEN 'a token count is negative'
        WHEN is_absurd THEN 'a token count is out of range'
        WHEN is_count AND last IS NULL AND previous IS NULL AND starts_inside
            THEN 'only cumulative totals, and the event before was read earlier: read the whole file'
    END AS reject_reason,
    coalesce(
        response_id,
        concat_ws(
            '|',
            -- Without any session the time keeps apart what equal counts would not.
            coalesce(session, written_at),
            total.input_tokens, total.cached_input_tokens, total.output_tokens, total.reasoning_output_tokens,
            used.input_tokens, used.cached_input_tokens, used.output_tokens, used.reasoning_output_tokens
        )
    ) AS dedupe_key,
    -- Of copies the session's own line wins over that of a fork, and one with a model over one without.
    CASE WHEN has_usage THEN 4 ELSE 0 END + CASE WHEN model IS NOT NULL THEN 2 ELSE 0 END
    + CASE WHEN is_forked THEN 0 ELSE 1 END AS dedupe_rank,
    response_id,
    coalesce(CASE WHEN is_record THEN coalesce(payload_thread, payload_session) END, session) AS session_id,
    written AS started_at,
    'responses' AS operation_name,
    coalesce(nullif(lower(provider), ''), 'openai') AS provider_name,
    model AS request_model,
    model AS response_model,
    model AS price_model,
    tag_map(
        [
            {'key': 'project', 'value': project},
            {'key': 'cwd', 'value': cwd},
            {'key': 'version', 'value': cli_version},
            {'key': 'agent', 'value': CASE WHEN is_forked THEN 'fork' ELSE 'main' END}
        ]
    ) AS tags,
    apart(used.input_tokens, reads + writes) AS input_uncached_tokens,
    CASE WHEN has_usage THEN reads END AS cache_read_tokens,
    -- OpenAI keeps what it writes for 30 minutes.
    CASE WHEN has_usage THEN writes END AS cache_write_30m_tokens,
    apart(used.output_tokens, used.reasoning_output_tokens) AS output_text_tokens,
    CASE WHEN has_usage AND used.reasoning_output_tokens <= used.output_tokens THEN used.reasoning_output_tokens END
        AS reasoning_tokens,
    CASE WHEN has_usage THEN 'reported' ELSE 'missing' END AS usage_source,
    coalesce(
        not_included(used.input_tokens, reads + writes, 'input_tokens', 'cached and written tokens'),
        not_included(used.output_tokens, used.reasoning_output_tokens, 'output_tokens', 'reasoning_output_tokens'),
        CASE
            WHEN used.reasoning_output_tokens > 0
                AND used.total_tokens = used.input_tokens + used.output_tokens + used.reasoning_output_tokens
                THEN 'total_tokens (' || used.total_tokens || ') adds reasoning_output_tokens ('
                || used.reasoning_output_tokens || ') to output_tokens, which should include them: read as included'
        END,
        CASE
            WHEN last.input_tokens > 0 AND goes_on AND total.input_tokens > previous.input_tokens
                AND total.input_tokens - previous.input_tokens <> last.input_tokens
                THEN 'last_token_usage (' || last.input_tokens || ' input tokens) is not the growth of '
                || 'total_token_usage (' || (total.input_tokens - previous.input_tokens) || ')'
        END
    ) AS contradiction,
    'ok' AS status
FROM judged
WHERE is_call
UNION ALL BY NAME
SELECT
    record_number,
    false AS is_call
FROM judged
WHERE NOT coalesce(is_call, false)
