-- OpenAI's costs by day: a result of a bucket is one line.
WITH buckets AS (
    -- A page holds buckets, a bucket results; a row of a table is its own bucket and result.
    SELECT
        record_number,
        source_file,
        unnest(CASE WHEN json_type(data) = 'ARRAY' THEN data -> '$[*]' ELSE [to_json(records)] END) AS bucket,
        unnest(
            CASE WHEN json_type(data) = 'ARRAY' THEN range(1, json_array_length(data)::BIGINT + 1) ELSE [0::BIGINT] END
        ) AS bucket_number
    FROM records
),

answered AS (
    SELECT
        *,
        CASE
            WHEN json_type(bucket, '$.results') = 'ARRAY' THEN bucket -> '$.results[*]'
            WHEN json_type(bucket, '$.result') = 'ARRAY' THEN bucket -> '$.result[*]'
            ELSE [bucket]
        END AS listed_results,
        coalesce(json_type(bucket, '$.results'), '') <> 'ARRAY'
        AND coalesce(json_type(bucket, '$.result'), '') <> 'ARRAY' AS is_row,
        bucket ->> '$.start_time' AS written_start,
        coalesce(from_seconds(written_start), utc(written_start), utc(bucket ->> '$.start_time_iso')) AS started,
        coalesce(
            from_seconds(bucket ->> '$.end_time'), utc(bucket ->> '$.end_time'), utc(bucket ->> '$.end_time_iso')
        ) AS ended,
        -- Copies of a line are told apart inside an answer, or inside a table, where a row is a bucket of its own.
        CASE WHEN is_row THEN source_file ELSE concat_ws(':', record_number, bucket_number) END AS place,
        ['project_id', 'line_item', 'user_id', 'api_key_id', 'api_source'] AS dimensions,
        -- A dimension is null unless the answer is grouped by it, and also where the group has none.
        list_transform(
            dimensions, lambda name: len(list_filter(listed_results, lambda each: each ->> name IS NOT NULL)) > 0
        ) AS has_dimension
    FROM buckets
),

masked AS (
    -- What one result of an answer, or one row of a table, is grouped by, all of it is.
    SELECT
        *,
        bit_or(
            list_sum(list_transform(has_dimension, lambda has, number: CASE WHEN has THEN 1 << (number - 1) ELSE 0 END))
            ::BIGINT
        ) OVER (PARTITION BY place) AS mask
    FROM answered
),

grouped AS (
    SELECT
        *,
        coalesce(
            nullif(
                array_to_string(
                    list_filter(dimensions, lambda name, number: (mask >> (number - 1)) % 2 = 1), ', '
                ),
                ''
            ),
            'none'
        ) AS grouped_by
    FROM masked
),

told_results AS (
    SELECT *, unnest(CASE WHEN listed_results = [] THEN [NULL] ELSE listed_results END) AS told
    FROM grouped
),

amounts AS (
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
    FROM told_results
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
    key || CASE
        WHEN row_number() OVER (PARTITION BY place, key ORDER BY money DESC) > 1
            THEN '#' || row_number() OVER (PARTITION BY place, key ORDER BY money DESC)
        ELSE ''
    END AS dedupe_key,
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
