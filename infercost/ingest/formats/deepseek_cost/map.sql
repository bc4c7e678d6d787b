-- DeepSeek's costs: a row is one line.
WITH told AS (
    SELECT
        *,
        nullif(trim(cost), '') AS written_cost,
        try_cast(replace(written_cost, ',', '') AS DECIMAL(18, 12)) AS written_money,
        upper(trim(currency)) AS billed_in
    FROM deepseek_rows('records')
),

keyed AS (
    SELECT
        *,
        written_money * CASE WHEN sum(written_money) OVER (PARTITION BY source_file) < 0 THEN -1 ELSE 1 END AS money,
        concat_ws(
            '|', epoch_us(started), coalesce(epoch_us(ended), 0), coalesce(user_id, ''), coalesce(model, ''),
            coalesce(wallet_type, ''), coalesce(billed_in, '')
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
        WHEN written_cost IS NULL THEN 'cost is missing'
        WHEN written_money IS NULL THEN 'cost is no amount of money: ' || left(written_cost, 60)
    END AS reject_reason,
    numbered(key, row_number() OVER (PARTITION BY source_file, key ORDER BY abs(written_money) DESC)) AS dedupe_key,
    'deepseek' AS provider_name,
    'cost' AS measure,
    started AS period_start,
    ended AS period_end,
    -- The account is a person's.
    user_id,
    model,
    wallet_type AS charge,
    CAST(money AS DECIMAL(18, 12)) AS billed_cost,
    billed_in AS currency
FROM keyed
