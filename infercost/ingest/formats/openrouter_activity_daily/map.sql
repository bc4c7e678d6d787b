-- OpenRouter's activity a day and model: a record is a cost line and a line for each kind of tokens.
WITH told AS (
    SELECT
        record_number,
        nullif(trim(date), '') AS written_at,
        utc(date) AS day,
        coalesce(
            nullif(model_permaslug, ''), nullif(modelPermaslug, ''), nullif(slug, ''), nullif(model, '')
        ) AS billed_model,
        coalesce(nullif(endpoint_id, ''), nullif(endpointId, '')) AS endpoint,
        coalesce(nullif(provider_name, ''), nullif(providerName, '')) AS upstream,
        try_cast(replace(ltrim(usage, '$'), ',', '') AS DECIMAL(18, 12)) AS cost,
        nullif(try_cast(replace(ltrim(
            coalesce(byok_usage_inference, byokUsageInference, "BYOK Usage"), '$'
        ), ',', '') AS DECIMAL(18, 12)), 0) AS byok_cost,
        try_cast(try_cast(requests AS DOUBLE) AS BIGINT) AS calls,
        try_cast(coalesce(prompt_tokens, promptTokens, "Prompt Tokens") AS DECIMAL(28, 9)) AS prompt,
        try_cast(coalesce(completion_tokens, completionTokens, "Completion Tokens") AS DECIMAL(28, 9)) AS completion,
        try_cast(coalesce(reasoning_tokens, reasoningTokens, "Reasoning Tokens") AS DECIMAL(28, 9)) AS reasoning
    FROM records
),

lines AS (
    -- The calls stand on the cost line alone, so that they can be added up.
    SELECT
        *,
        unnest(
            list_filter(
                [
                    {
                        'measure': 'cost', 'charge': 'usage', 'kind': CAST(NULL AS VARCHAR),
                        'quantity': CAST(NULL AS DECIMAL(28, 9)), 'money': cost, 'line_calls': calls
                    },
                    {
                        'measure': 'usage', 'charge': 'prompt tokens', 'kind': 'input',
                        'quantity': prompt, 'money': NULL, 'line_calls': NULL
                    },
                    {
                        'measure': 'usage', 'charge': 'completion tokens',
                        'kind': CASE WHEN reasoning IS NULL THEN 'output' ELSE 'output_text' END,
                        'quantity': apart(completion, reasoning), 'money': NULL, 'line_calls': NULL
                    },
                    {
                        'measure': 'usage', 'charge': 'reasoning tokens', 'kind': 'reasoning',
                        'quantity': reasoning, 'money': NULL, 'line_calls': NULL
                    }
                ],
                -- A record without a day is rejected once.
                lambda line: line.measure = 'cost' OR (day IS NOT NULL AND line.quantity IS NOT NULL)
            ),
            recursive := true
        )
    FROM told
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN written_at IS NULL THEN 'date is missing'
        WHEN day IS NULL THEN 'date is no day: ' || left(written_at, 60)
        WHEN measure = 'cost' AND cost IS NULL THEN 'usage is missing or no amount of money'
    END AS reject_reason,
    concat_ws('|', day::DATE, billed_model, coalesce(endpoint, ''), coalesce(upstream, ''), measure, kind)
        AS dedupe_key,
    'openrouter' AS provider_name,
    measure,
    date_trunc('day', day) AS period_start,
    date_trunc('day', day) + INTERVAL 1 DAY AS period_end,
    billed_model AS model,
    charge,
    kind AS token_kind,
    quantity,
    CASE WHEN measure = 'usage' THEN 'tokens' END AS quantity_unit,
    line_calls AS requests,
    money AS billed_cost,
    CASE WHEN measure = 'cost' THEN 'USD' END AS currency,
    tag_map([
        {'key': 'provider', 'value': upstream},
        {'key': 'endpoint_id', 'value': endpoint},
        {'key': 'byok_usage', 'value': CASE WHEN measure = 'cost' THEN CAST(byok_cost AS VARCHAR) END}
    ]) AS tags
FROM lines
