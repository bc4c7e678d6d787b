-- Anthropic's usage by bucket: a result of a bucket is one line for each kind of quantity.
WITH counted AS (
    SELECT
        *,
        [
            {
                'charge': 'uncached_input_tokens', 'kind': 'input_uncached', 'unit': 'tokens',
                'quantity': try_cast(told ->> '$.uncached_input_tokens' AS DECIMAL(28, 9))
            },
            {
                'charge': 'cache_read_input_tokens', 'kind': 'cache_read', 'unit': 'tokens',
                'quantity': try_cast(told ->> '$.cache_read_input_tokens' AS DECIMAL(28, 9))
            },
            {
                'charge': 'cache_creation.ephemeral_5m_input_tokens', 'kind': 'cache_write_5m', 'unit': 'tokens',
                'quantity': try_cast(told ->> '$.cache_creation.ephemeral_5m_input_tokens' AS DECIMAL(28, 9))
            },
            {
                'charge': 'cache_creation.ephemeral_1h_input_tokens', 'kind': 'cache_write_1h', 'unit': 'tokens',
                'quantity': try_cast(told ->> '$.cache_creation.ephemeral_1h_input_tokens' AS DECIMAL(28, 9))
            },
            {
                'charge': 'output_tokens', 'kind': 'output', 'unit': 'tokens',
                'quantity': try_cast(told ->> '$.output_tokens' AS DECIMAL(28, 9))
            },
            {
                'charge': 'server_tool_use.web_search_requests', 'kind': NULL, 'unit': 'searches',
                'quantity': try_cast(told ->> '$.server_tool_use.web_search_requests' AS DECIMAL(28, 9))
            }
        ] AS quantities
    FROM anthropic_results(
        'records',
        ['api_key_id', 'workspace_id', 'account_id', 'service_account_id', 'model', 'service_tier',
            'context_window', 'inference_geo', 'speed']
    )
),

lines AS (
    SELECT
        *,
        has_quantity(quantities) AS is_counted,
        unnest(quantity_lines(quantities, started)) AS line
    FROM counted
),

keyed AS (
    SELECT
        *,
        concat_ws(
            '|', epoch_us(started), coalesce(epoch_us(ended), 0), grouped_by, coalesce(told ->> '$.api_key_id', ''),
            coalesce(told ->> '$.workspace_id', ''), coalesce(told ->> '$.account_id', ''),
            coalesce(told ->> '$.service_account_id', ''), coalesce(told ->> '$.model', ''),
            coalesce(told ->> '$.service_tier', ''), coalesce(told ->> '$.context_window', ''),
            coalesce(told ->> '$.inference_geo', ''), coalesce(told ->> '$.speed', ''), line.charge
        ) AS key
    FROM lines
)

SELECT
    record_number,
    -- A bucket without results, and a result of zeros, say that nothing was used.
    told IS NOT NULL AND (line IS NOT NULL OR NOT is_counted) AS is_call,
    CASE
        WHEN told IS NULL OR (line IS NULL AND is_counted) THEN NULL
        WHEN NOT is_counted THEN 'no quantity in a result'
        WHEN started IS NULL THEN coalesce(
            'starting_at is no time: ' || left(written_start, 60), 'starting_at is missing'
        )
    END AS reject_reason,
    numbered(
        key, row_number() OVER (PARTITION BY record_number, bucket_number, key ORDER BY line.quantity DESC)
    ) AS dedupe_key,
    'anthropic' AS provider_name,
    'usage' AS measure,
    started AS period_start,
    ended AS period_end,
    told ->> '$.workspace_id' AS account,
    coalesce(told ->> '$.account_id', told ->> '$.service_account_id') AS user_id,
    told ->> '$.api_key_id' AS api_key_id,
    told ->> '$.model' AS model,
    line.charge AS charge,
    line.kind AS token_kind,
    CASE WHEN lower(told ->> '$.speed') = 'fast' THEN 'fast' ELSE tier_of(told ->> '$.service_tier') END
        AS service_tier,
    nullif(lower(told ->> '$.inference_geo'), 'not_available') AS region,
    told ->> '$.context_window' AS context_window,
    line.quantity AS quantity,
    line.unit AS quantity_unit,
    tag_map([
        {'key': 'grouped_by', 'value': CASE WHEN line IS NOT NULL THEN grouped_by END},
        -- The tier beside the fast mode, which is the column's.
        {
            'key': 'service_tier',
            'value': CASE WHEN lower(told ->> '$.speed') = 'fast' THEN told ->> '$.service_tier' END
        }
    ]) AS tags
FROM keyed
