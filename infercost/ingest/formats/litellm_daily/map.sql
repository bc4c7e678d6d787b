-- LiteLLM's sums by day: a row of a rollup is a cost line and a line for each kind of tokens; a summary of a day is a
-- cost line for each model.
WITH told AS (
    SELECT
        *,
        json_type(models) IS NOT DISTINCT FROM 'OBJECT' AS is_summary,
        coalesce(nullif(trim(date), ''), nullif(trim(startTime), '')) AS written_day,
        date_trunc('day', utc(written_day)) AS day,
        try_cast(prompt_tokens AS DECIMAL(28, 9)) AS prompt,
        try_cast(completion_tokens AS DECIMAL(28, 9)) AS completion,
        try_cast(cache_read_input_tokens AS DECIMAL(28, 9)) AS reads,
        try_cast(cache_creation_input_tokens AS DECIMAL(28, 9)) AS writes,
        try_cast(try_cast(api_requests AS DOUBLE) AS BIGINT) AS calls
    FROM records
),

owned AS (
    -- Every table has an owner of its own among the columns; the one without any is that of users.
    SELECT
        *,
        CASE
            WHEN is_summary THEN 'summary'
            WHEN nullif(tag, '') IS NOT NULL THEN 'tag'
            WHEN nullif(team_id, '') IS NOT NULL THEN 'team'
            WHEN nullif(organization_id, '') IS NOT NULL THEN 'organization'
            WHEN nullif(end_user_id, '') IS NOT NULL THEN 'end_user'
            WHEN nullif(agent_id, '') IS NOT NULL THEN 'agent'
            ELSE 'user'
        END AS rollup,
        coalesce(
            nullif(tag, ''), nullif(team_id, ''), nullif(organization_id, ''), nullif(end_user_id, ''),
            nullif(agent_id, ''), nullif(user_id, '')
        ) AS owner,
        -- The gateway tags every request with its client, which is no feature: the same spend again.
        starts_with(lower(coalesce(tag, '')), 'user-agent:') AS is_client_tag,
        CASE
            WHEN written_day IS NULL THEN 'date is missing'
            WHEN day IS NULL THEN 'date is no time: ' || left(written_day, 60)
            WHEN try_cast(spend AS DECIMAL(18, 12)) IS NULL THEN 'spend is missing or no amount of money'
            WHEN least(prompt, completion, reads, writes) < 0 THEN 'a token count is negative'
        END AS reject_reason
    FROM told
),

lines AS (
    -- The calls stand on the cost line alone, so that they can be added up, and a record without use is that one line.
    SELECT
        *,
        unnest(
            CASE
                WHEN is_summary AND json_keys(models) <> [] AND reject_reason IS NULL THEN list_transform(
                    map_entries(try_cast(models AS MAP(VARCHAR, VARCHAR))),
                    lambda each: {
                        'measure': 'cost', 'charge': 'spend', 'kind': CAST(NULL AS VARCHAR), 'billed_model': each.key,
                        'quantity': CAST(NULL AS DECIMAL(28, 9)), 'money': each.value
                    }
                )
                ELSE list_filter(
                    [
                        {
                            'measure': 'cost', 'charge': 'spend', 'kind': CAST(NULL AS VARCHAR), 'billed_model': model,
                            'quantity': CAST(NULL AS DECIMAL(28, 9)), 'money': spend
                        },
                        {
                            'measure': 'usage', 'charge': 'prompt_tokens',
                            'kind': CASE WHEN coalesce(reads, writes) IS NULL THEN 'input' ELSE 'input_uncached' END,
                            'billed_model': model,
                            'quantity': apart(prompt, coalesce(reads, 0) + coalesce(writes, 0)), 'money': NULL
                        },
                        {
                            'measure': 'usage', 'charge': 'cache_read_input_tokens', 'kind': 'cache_read',
                            'billed_model': model, 'quantity': reads, 'money': NULL
                        },
                        {
                            'measure': 'usage', 'charge': 'cache_creation_input_tokens', 'kind': 'cache_write_5m',
                            'billed_model': model, 'quantity': writes, 'money': NULL
                        },
                        {
                            'measure': 'usage', 'charge': 'completion_tokens', 'kind': 'output',
                            'billed_model': model, 'quantity': completion, 'money': NULL
                        }
                    ],
                    lambda line: line.measure = 'cost'
                    OR (NOT is_client_tag AND reject_reason IS NULL AND line.quantity <> 0)
                )
            END,
            recursive := true
        )
    FROM owned
)

SELECT
    record_number,
    -- A summary names every day of its period, also those without spend.
    NOT (is_summary AND coalesce(billed_model, '') = '' AND coalesce(try_cast(money AS DOUBLE), 0) = 0)
    AND NOT is_client_tag AS is_call,
    reject_reason,
    CASE
        WHEN NOT is_summary AND nullif(id, '') IS NOT NULL THEN concat_ws('|', rollup, id, measure, kind)
        ELSE concat_ws(
            '|', rollup, strftime(day, '%Y-%m-%d'), coalesce(owner, ''), coalesce(api_key, ''),
            coalesce(billed_model, ''), coalesce(custom_llm_provider, ''), coalesce(mcp_namespaced_tool_name, ''),
            coalesce(endpoint, ''), measure, kind
        )
    END AS dedupe_key,
    coalesce(epoch_us(utc(updated_at)), 0) AS dedupe_rank,
    'litellm' AS provider_name,
    measure,
    day AS period_start,
    day + INTERVAL 1 DAY AS period_end,
    CASE WHEN rollup IN ('team', 'organization') THEN owner END AS account,
    CASE WHEN rollup IN ('user', 'end_user') THEN owner END AS user_id,
    nullif(api_key, '') AS api_key_id,
    nullif(billed_model, '') AS model,
    charge,
    kind AS token_kind,
    quantity,
    CASE WHEN measure = 'usage' THEN 'tokens' END AS quantity_unit,
    CASE WHEN measure = 'cost' THEN calls END AS requests,
    CASE WHEN measure = 'cost' THEN try_cast(money AS DECIMAL(18, 12)) END AS billed_cost,
    CASE WHEN measure = 'cost' THEN 'USD' END AS currency,
    tag_map([
        {'key': 'rollup', 'value': rollup},
        {'key': 'tag', 'value': tag},
        {'key': 'agent_id', 'value': agent_id},
        {'key': 'provider', 'value': litellm_provider(custom_llm_provider)},
        {'key': 'model_group', 'value': model_group},
        {'key': 'endpoint', 'value': endpoint},
        {'key': 'mcp_tool', 'value': mcp_namespaced_tool_name},
        {'key': 'failed_requests', 'value': CASE WHEN measure = 'cost' THEN nullif(failed_requests, '0') END}
    ]) AS tags
FROM lines
