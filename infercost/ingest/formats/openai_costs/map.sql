-- OpenAI's costs by day: a result of a bucket is one line.
WITH amounts AS (
    SELECT
        *,
        coalesce(told ->> '$.object' = 'organization.costs.result', false) OR NOT is_row AS is_result,
        coalesce(
            told ->> '$.amount.value', told ->> '$."amount.value"', told ->> '$.amount_value',
            CASE WHEN json_type(told, '$.amount') <> 'OBJECT' THEN told ->> '$.amount' END
        ) AS written_amount,
        try_cast(replace(ltrim(written_amount, '$ '), ',', '') AS DECIMAL(18, 12)) AS money,
        upper(coalesce(
            told ->> '$.amount.currency', told ->> '$."amount.currency"', told ->> '$.amount_currency',
            told ->> '$.currency', 'usd'
        )) AS billed_in,
        nullif(trim(told ->> '$.line_item'), '') AS item,
        try_cast(told ->> '$.quantity' AS DOUBLE) AS told_quantity,
        lower(told ->> '$.quantity_unit') AS told_unit
    FROM openai_results('records', ['project_id', 'line_item', 'user_id', 'api_key_id', 'api_source'])
),

worded AS (
    -- 'gpt-4o, input': the model, perhaps with the kind of media, then words that say what was charged.
    SELECT
        *,
        lower(substr(item, length(regexp_extract(item, '^[^,]*')) + 1)) AS words,
        trim(regexp_extract(item, '^[^,]*')) AS first_part,
        lower(regexp_extract(first_part, '\s+(text|audio|image)$', 1, 'i')) AS medium,
        regexp_matches(words, '\b(input|output|cached?|batch|training|tokens?|cache writes?)\b') AS is_priced,
        CASE
            WHEN regexp_matches(words, 'audio') OR medium = 'audio' THEN 'audio'
            WHEN regexp_matches(words, 'image') OR medium = 'image' THEN 'image'
        END AS media,
        CASE
            -- Sums over line items have no unit.
            WHEN item IS NULL THEN NULL
            WHEN told_unit = '1000_tokens' THEN 1000
            WHEN told_unit = 'duration_minutes' THEN 60
            WHEN told_unit = 'duration_hours' THEN 3600
            ELSE 1
        END AS factor
    FROM amounts
),

keyed AS (
    SELECT
        *,
        concat_ws(
            '|', epoch_us(started), coalesce(epoch_us(ended), 0), grouped_by, coalesce(told ->> '$.project_id', ''),
            coalesce(item, ''), coalesce(told ->> '$.user_id', ''), coalesce(told ->> '$.api_key_id', ''),
            coalesce(told ->> '$.api_source', ''), coalesce(told_unit, ''), billed_in
        ) AS key
    FROM worded
)

SELECT
    record_number,
    -- A bucket without results, and an empty row of a table, say that nothing was charged.
    told IS NOT NULL AND (is_result OR written_amount IS NOT NULL) AS is_call,
    CASE
        WHEN told IS NULL OR NOT (is_result OR written_amount IS NOT NULL) THEN NULL
        WHEN started IS NULL THEN coalesce(
            'start_time is no time: ' || left(written_start, 60), 'start_time is missing'
        )
        WHEN written_amount IS NULL THEN 'amount.value is missing'
        WHEN money IS NULL THEN 'amount.value is no amount of money: ' || left(written_amount, 60)
    END AS reject_reason,
    numbered(key, row_number() OVER (PARTITION BY place, key ORDER BY money DESC)) AS dedupe_key,
    'openai' AS provider_name,
    'cost' AS measure,
    started AS period_start,
    ended AS period_end,
    coalesce(told ->> '$.project_id', told ->> '$.organization_id') AS account,
    told ->> '$.user_id' AS user_id,
    told ->> '$.api_key_id' AS api_key_id,
    CASE
        WHEN is_priced THEN nullif(trim(regexp_replace(first_part, '\s+(text|audio|image)$', '', 'i')), '')
        -- Without words behind it a line item is a model where it is one word with a number in it.
        WHEN words = '' AND regexp_matches(item, '^[^\s]+$') AND regexp_matches(item, '[0-9]') THEN item
    END AS model,
    item AS charge,
    CASE
        WHEN regexp_matches(words, 'cache[- ]?writes?') THEN CASE
            WHEN regexp_matches(words, '12 ?h') THEN 'cache_write_12h' ELSE 'cache_write_30m'
        END
        WHEN regexp_matches(words, 'cached') THEN 'cache_read'
        WHEN regexp_matches(words, '\binput') THEN coalesce('input_' || media, 'input')
        WHEN regexp_matches(words, '\boutput') THEN coalesce('output_' || media, 'output')
    END AS token_kind,
    CASE
        WHEN is_priced THEN nullif(regexp_extract(words, '\b(batch|flex|priority)\b', 1), '')
    END AS service_tier,
    CASE WHEN item IS NOT NULL THEN try_cast(told_quantity * factor AS DECIMAL(28, 9)) END AS quantity,
    CASE
        WHEN item IS NULL OR told_quantity IS NULL THEN NULL
        WHEN told_unit = '1000_tokens' THEN 'tokens'
        WHEN told_unit IN ('duration_seconds', 'duration_minutes', 'duration_hours') THEN 'seconds'
        ELSE told_unit
    END AS quantity_unit,
    money AS billed_cost,
    billed_in AS currency,
    tag_map([
        {'key': 'grouped_by', 'value': CASE WHEN told IS NOT NULL THEN grouped_by END},
        {'key': 'api_source', 'value': told ->> '$.api_source'},
        {'key': 'project_name', 'value': told ->> '$.project_name'},
        {'key': 'organization_id', 'value': told ->> '$.organization_id'}
    ]) AS tags
FROM keyed
