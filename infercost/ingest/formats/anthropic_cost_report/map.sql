-- Anthropic's costs by day: a result of a bucket is one line.
WITH amounts AS (
    SELECT
        *,
        told ->> '$.amount' AS written_amount,
        -- Cents.
        CAST(try_cast(written_amount AS DECIMAL(28, 10)) / 100 AS DECIMAL(18, 12)) AS money,
        upper(coalesce(told ->> '$.currency', 'USD')) AS billed_in,
        lower(told ->> '$.token_type') AS token_type,
        coalesce(told ->> '$.description', told ->> '$.token_type', told ->> '$.cost_type') AS charged_for
    -- What a description says in further members is no grouping.
    FROM anthropic_results('records', ['workspace_id', 'description', 'inference_geo'])
),

keyed AS (
    SELECT
        *,
        concat_ws(
            '|', epoch_us(started), coalesce(epoch_us(ended), 0), grouped_by, coalesce(told ->> '$.workspace_id', ''),
            coalesce(charged_for, ''), coalesce(told ->> '$.cost_type', ''), coalesce(told ->> '$.model', ''),
            coalesce(token_type, ''), coalesce(told ->> '$.service_tier', ''),
            coalesce(told ->> '$.context_window', ''), coalesce(told ->> '$.inference_geo', ''),
            coalesce(told ->> '$.speed', ''), billed_in
        ) AS key
    FROM amounts
)

SELECT
    record_number,
    -- A bucket without results says that nothing was charged.
    told IS NOT NULL AS is_call,
    CASE
        WHEN told IS NULL THEN NULL
        WHEN started IS NULL THEN coalesce(
            'starting_at is no time: ' || left(written_start, 60), 'starting_at is missing'
        )
        WHEN written_amount IS NULL THEN 'amount is missing'
        WHEN money IS NULL THEN 'amount is no number of cents: ' || left(written_amount, 60)
    END AS reject_reason,
    numbered(key, row_number() OVER (PARTITION BY record_number, bucket_number, key ORDER BY money DESC)) AS dedupe_key,
    'anthropic' AS provider_name,
    'cost' AS measure,
    started AS period_start,
    ended AS period_end,
    told ->> '$.workspace_id' AS account,
    told ->> '$.model' AS model,
    charged_for AS charge,
    CASE token_type
        WHEN 'uncached_input_tokens' THEN 'input_uncached'
        WHEN 'cache_read_input_tokens' THEN 'cache_read'
        WHEN 'cache_creation.ephemeral_5m_input_tokens' THEN 'cache_write_5m'
        WHEN 'cache_creation.ephemeral_1h_input_tokens' THEN 'cache_write_1h'
        WHEN 'output_tokens' THEN 'output'
    END AS token_kind,
    CASE WHEN lower(told ->> '$.speed') = 'fast' THEN 'fast' ELSE tier_of(told ->> '$.service_tier') END
        AS service_tier,
    nullif(lower(told ->> '$.inference_geo'), 'not_available') AS region,
    told ->> '$.context_window' AS context_window,
    money AS billed_cost,
    billed_in AS currency,
    tag_map([
        {'key': 'grouped_by', 'value': CASE WHEN told IS NOT NULL THEN grouped_by END},
        {'key': 'cost_type', 'value': told ->> '$.cost_type'}
    ]) AS tags
FROM keyed
