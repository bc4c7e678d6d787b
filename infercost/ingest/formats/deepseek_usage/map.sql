-- DeepSeek's amounts: a row is one line.
WITH told AS (
    SELECT
        *,
        nullif(trim(amount), '') AS written_amount,
        try_cast(replace(written_amount, ',', '') AS DECIMAL(28, 9)) AS counted,
        lower(trim(type)) AS kind,
        try_cast(price AS DECIMAL(28, 18)) AS unit_price
    FROM deepseek_rows('records')
),

keyed AS (
    SELECT
        *,
        concat_ws(
            '|', epoch_us(started), coalesce(epoch_us(ended), 0), coalesce(user_id, ''), coalesce(model, ''),
            coalesce(api_key_name, ''), coalesce(api_key, ''), coalesce(kind, ''), coalesce(unit_price, 0)
        ) AS key
    FROM told
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN started IS NULL THEN coalesce(
            'start of the period is no time: ' || left(written_start, 60), 'start_time_iso or utc_date is missing'
        )
        WHEN kind IS NULL THEN 'type is missing'
        WHEN written_amount IS NULL THEN 'amount is missing'
        WHEN counted IS NULL THEN 'amount is no number: ' || left(written_amount, 60)
    END AS reject_reason,
    numbered(key, row_number() OVER (PARTITION BY source_file, key ORDER BY counted DESC)) AS dedupe_key,
    'deepseek' AS provider_name,
    'usage' AS measure,
    started AS period_start,
    ended AS period_end,
    -- The account is a person's.
    user_id,
    api_key AS api_key_id,
    api_key_name,
    model,
    type AS charge,
    CASE kind
        WHEN 'input_cache_hit_tokens' THEN 'cache_read'
        WHEN 'input_cache_miss_tokens' THEN 'input_uncached'
        WHEN 'input_tokens' THEN 'input'
        WHEN 'output_tokens' THEN 'output'
    END AS token_kind,
    counted AS quantity,
    CASE WHEN kind = 'request_count' THEN 'requests' WHEN kind LIKE '%tokens' THEN 'tokens' END AS quantity_unit,
    CASE WHEN kind = 'request_count' THEN try_cast(counted AS BIGINT) END AS requests,
    tag_map([{'key': 'price', 'value': CASE WHEN kind <> 'request_count' THEN price END}]) AS tags
FROM keyed
