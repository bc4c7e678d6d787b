-- Claude Console's usage by day: a row is one line for each kind of quantity.
WITH counted AS (
    SELECT
        *,
        utc(usage_date_utc) AS day,
        coalesce(nullif(model_version, ''), nullif(model, '')) AS billed_model,
        [
            {
                'charge': 'usage_input_tokens_no_cache', 'kind': 'input_uncached', 'unit': 'tokens',
                'quantity': try_cast(replace(usage_input_tokens_no_cache, ',', '') AS DECIMAL(28, 9))
            },
            {
                'charge': 'usage_input_tokens_cache_write_5m', 'kind': 'cache_write_5m', 'unit': 'tokens',
                'quantity': try_cast(replace(usage_input_tokens_cache_write_5m, ',', '') AS DECIMAL(28, 9))
            },
            {
                'charge': 'usage_input_tokens_cache_write_1h', 'kind': 'cache_write_1h', 'unit': 'tokens',
                'quantity': try_cast(replace(usage_input_tokens_cache_write_1h, ',', '') AS DECIMAL(28, 9))
            },
            {
                'charge': 'usage_input_tokens_cache_read', 'kind': 'cache_read', 'unit': 'tokens',
                'quantity': try_cast(replace(usage_input_tokens_cache_read, ',', '') AS DECIMAL(28, 9))
            },
            {
                'charge': 'usage_output_tokens', 'kind': 'output', 'unit': 'tokens',
                'quantity': try_cast(replace(usage_output_tokens, ',', '') AS DECIMAL(28, 9))
            },
            {
                'charge': 'web_search_count', 'kind': NULL, 'unit': 'searches',
                'quantity': try_cast(replace(web_search_count, ',', '') AS DECIMAL(28, 9))
            }
        ] AS quantities
    FROM records
),

lines AS (
    SELECT
        *,
        has_quantity(quantities) AS is_counted,
        unnest(quantity_lines(quantities, day)) AS line
    FROM counted
),

keyed AS (
    SELECT
        *,
        concat_ws(
            '|', day::DATE, coalesce(billed_model, ''), coalesce(api_key_id, ''), coalesce(api_key, ''),
            coalesce(workspace, ''), coalesce(usage_type, ''), coalesce(context_window, ''),
            coalesce(inference_geo, ''), coalesce(speed, ''), line.charge
        ) AS key
    FROM lines
)

SELECT
    record_number,
    -- A row of zeros says that nothing was used.
    line IS NOT NULL OR NOT is_counted AS is_call,
    CASE
        WHEN line IS NULL AND is_counted THEN NULL
        WHEN day IS NULL THEN coalesce(
            'usage_date_utc is no day: ' || left(usage_date_utc, 60), 'usage_date_utc is missing'
        )
        WHEN NOT is_counted THEN 'no number of tokens or searches'
    END AS reject_reason,
    numbered(key, row_number() OVER (PARTITION BY source_file, key ORDER BY line.quantity DESC)) AS dedupe_key,
    'anthropic' AS provider_name,
    'usage' AS measure,
    date_trunc('day', day) AS period_start,
    date_trunc('day', day) + INTERVAL 1 DAY AS period_end,
    workspace AS account,
    api_key_id,
    api_key AS api_key_name,
    billed_model AS model,
    line.charge AS charge,
    line.kind AS token_kind,
    CASE WHEN lower(speed) = 'fast' THEN 'fast' ELSE tier_of(usage_type) END AS service_tier,
    nullif(lower(inference_geo), 'not_available') AS region,
    context_window,
    line.quantity AS quantity,
    line.unit AS quantity_unit,
    tag_map([{'key': 'usage_type', 'value': usage_type}]) AS tags
FROM keyed
