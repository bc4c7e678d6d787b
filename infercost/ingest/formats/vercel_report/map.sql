-- Spend report of Vercel AI Gateway: a record is a cost line and a line for each kind of tokens.
WITH told AS (
    SELECT
        record_number,
        coalesce(nullif(trim(hour), ''), nullif(trim(day), '')) AS written_at,
        utc(coalesce(nullif(trim(hour), ''), day)) AS start,
        nullif(trim(hour), '') IS NOT NULL AS is_hour,
        nullif("user", '') AS person,
        nullif(model, '') AS billed_model,
        nullif(tag, '') AS tag_name,
        nullif(provider, '') AS upstream,
        coalesce(nullif(credential_type, ''), nullif(credentialType, '')) AS credential,
        try_cast(coalesce(total_cost, totalCost) AS DECIMAL(18, 12)) AS cost,
        try_cast(coalesce(market_cost, marketCost) AS DECIMAL(18, 12)) AS market,
        try_cast(try_cast(coalesce(request_count, requestCount) AS DOUBLE) AS BIGINT) AS calls,
        try_cast(coalesce(input_tokens, inputTokens) AS DECIMAL(28, 9)) AS input,
        try_cast(coalesce(output_tokens, outputTokens) AS DECIMAL(28, 9)) AS output,
        try_cast(coalesce(cached_input_tokens, cachedInputTokens) AS DECIMAL(28, 9)) AS reads,
        try_cast(coalesce(cache_creation_input_tokens, cacheCreationInputTokens) AS DECIMAL(28, 9)) AS writes,
        try_cast(coalesce(reasoning_tokens, reasoningTokens) AS DECIMAL(28, 9)) AS reasoning
    FROM records
),

named AS (
    SELECT
        *,
        CASE
            WHEN billed_model IS NOT NULL THEN 'model'
            WHEN person IS NOT NULL THEN 'user'
            WHEN tag_name IS NOT NULL THEN 'tag'
            WHEN upstream IS NOT NULL THEN 'provider'
            WHEN credential IS NOT NULL THEN 'credential_type'
            WHEN is_hour THEN 'hour'
            ELSE 'day'
        END AS grouped_by
    FROM told
),

lines AS (
    -- The calls stand on the cost line alone, so that they can be added up.
    SELECT
        *,
        unnest(
            list_filter(
                [
                    {
                        'measure': 'cost', 'charge': 'total_cost', 'kind': CAST(NULL AS VARCHAR),
                        'quantity': CAST(NULL AS DECIMAL(28, 9)), 'money': cost, 'list_money': market,
                        'line_calls': calls
                    },
                    {
                        'measure': 'usage', 'charge': 'input_tokens',
                        'kind': CASE WHEN coalesce(reads, writes) IS NULL THEN 'input' ELSE 'input_uncached' END,
                        'quantity': apart(input, coalesce(reads, 0) + coalesce(writes, 0)), 'money': NULL,
                        'list_money': NULL, 'line_calls': NULL
                    },
                    {
                        'measure': 'usage', 'charge': 'cached_input_tokens', 'kind': 'cache_read',
                        'quantity': reads, 'money': NULL, 'list_money': NULL, 'line_calls': NULL
                    },
                    {
                        'measure': 'usage', 'charge': 'cache_creation_input_tokens', 'kind': 'cache_write_5m',
                        'quantity': writes, 'money': NULL, 'list_money': NULL, 'line_calls': NULL
                    },
                    {
                        'measure': 'usage', 'charge': 'output_tokens',
                        'kind': CASE WHEN reasoning IS NULL THEN 'output' ELSE 'output_text' END,
                        'quantity': apart(output, reasoning), 'money': NULL, 'list_money': NULL, 'line_calls': NULL
                    },
                    {
                        'measure': 'usage', 'charge': 'reasoning_tokens', 'kind': 'reasoning',
                        'quantity': reasoning, 'money': NULL, 'list_money': NULL, 'line_calls': NULL
                    }
                ],
                -- A record without a period is rejected once.
                lambda line: line.measure = 'cost' OR (start IS NOT NULL AND line.quantity IS NOT NULL)
            ),
            recursive := true
        )
    FROM named
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN written_at IS NULL THEN 'neither day nor hour: fetch the report with date_part=day'
        WHEN start IS NULL THEN 'day or hour is no time: ' || left(written_at, 60)
        WHEN measure = 'cost' AND cost IS NULL THEN 'total_cost is missing or no amount of money'
    END AS reject_reason,
    concat_ws(
        '|', start, is_hour, grouped_by, coalesce(billed_model, ''), coalesce(person, ''), coalesce(tag_name, ''),
        coalesce(upstream, ''), coalesce(credential, ''), measure, kind
    ) AS dedupe_key,
    'vercel' AS provider_name,
    measure,
    start AS period_start,
    CASE WHEN is_hour THEN start + INTERVAL 1 HOUR ELSE start + INTERVAL 1 DAY END AS period_end,
    person AS user_id,
    billed_model AS model,
    charge,
    kind AS token_kind,
    quantity,
    CASE WHEN measure = 'usage' THEN 'tokens' END AS quantity_unit,
    line_calls AS requests,
    money AS billed_cost,
    list_money AS list_cost,
    CASE WHEN measure = 'cost' THEN 'USD' END AS currency,
    tag_map([
        {'key': 'grouped_by', 'value': grouped_by},
        {'key': 'tag', 'value': tag_name},
        {'key': 'provider', 'value': upstream},
        {'key': 'credential_type', 'value': credential}
    ]) AS tags
FROM lines
