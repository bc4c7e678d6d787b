-- Claude Console's costs by day: a row is one line.
WITH amounts AS (
    SELECT
        *,
        utc(usage_date_utc) AS day,
        nullif(trim(cost_usd), '') AS written_cost,
        try_cast(replace(replace(written_cost, '$', ''), ',', '') AS DECIMAL(18, 12)) AS money,
        lower(token_type) AS kind,
        concat_ws(
            '|', day::DATE, coalesce(model, ''), coalesce(workspace, ''), coalesce(api_key, ''),
            coalesce(api_key_id, ''), coalesce(usage_type, ''), coalesce(context_window, ''),
            coalesce(token_type, ''), coalesce(cost_type, ''), coalesce(inference_geo, ''), coalesce(speed, '')
        ) AS key
    FROM records
)

SELECT
    record_number,
    true AS is_call,
    CASE
        WHEN day IS NULL THEN coalesce(
            'usage_date_utc is no day: ' || left(usage_date_utc, 60), 'usage_date_utc is missing'
        )
        WHEN written_cost IS NULL THEN 'cost_usd is missing'
        WHEN money IS NULL THEN 'cost_usd is no amount of money: ' || left(written_cost, 60)
    END AS reject_reason,
    numbered(key, row_number() OVER (PARTITION BY source_file, key ORDER BY money DESC)) AS dedupe_key,
    'anthropic' AS provider_name,
    'cost' AS measure,
    date_trunc('day', day) AS period_start,
    date_trunc('day', day) + INTERVAL 1 DAY AS period_end,
    workspace AS account,
    api_key_id,
    api_key AS api_key_name,
    model,
    coalesce(token_type, cost_type) AS charge,
    CASE kind
        WHEN 'input_no_cache' THEN 'input_uncached'
        WHEN 'input_cache_read' THEN 'cache_read'
        WHEN 'input_cache_write_5m' THEN 'cache_write_5m'
        WHEN 'input_cache_write_1h' THEN 'cache_write_1h'
        WHEN 'output' THEN 'output'
    END AS token_kind,
    CASE
        WHEN lower(speed) = 'fast' THEN 'fast'
        -- What is charged beside messages is named in the same column.
        WHEN lower(usage_type) <> 'message' THEN tier_of(usage_type)
    END AS service_tier,
    nullif(lower(inference_geo), 'not_available') AS region,
    context_window,
    money AS billed_cost,
    try_cast(replace(replace(list_price_usd, '$', ''), ',', '') AS DECIMAL(18, 12)) AS list_cost,
    'USD' AS currency,
    tag_map([
        {'key': 'cost_type', 'value': cost_type},
        {'key': 'usage_type', 'value': usage_type},
        {'key': 'api_key_status', 'value': api_key_status}
    ]) AS tags
FROM amounts
