-- question: Which models of both windows have no price?
-- grain: one row per provider and model as logged
-- parameters: since, until, baseline_since, baseline_until
-- columns:
--   provider_name: provider as logged
--   price_model: model string that the price was looked up with
--   attempts: attempts with tokens and no price
--   tokens: tokens of those, input and output
--   reported_cost_usd: what the logs themselves say that those cost, USD; NULL = they do not say

WITH in_windows AS (
    SELECT
        *,
        TRUE AS is_current
    FROM attempts
    WHERE
        -- The store is cut by UTC day; naming the days leaves out files.
        day BETWEEN cast($since AT TIME ZONE 'UTC' AS DATE) AND cast($until AT TIME ZONE 'UTC' AS DATE)
        AND started_at >= $since
        AND started_at < $until
    UNION ALL
    SELECT
        *,
        FALSE AS is_current
    FROM attempts
    WHERE
        day >= cast($baseline_since AT TIME ZONE 'UTC' AS DATE)
        AND day <= cast($baseline_until AT TIME ZONE 'UTC' AS DATE)
        AND started_at >= $baseline_since
        AND started_at < $baseline_until
)

SELECT
    provider_name,
    price_model,
    count(*) AS attempts,
    cast(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) AS BIGINT) AS tokens,
    sum(reported_cost) AS reported_cost_usd
FROM in_windows
WHERE
    effective_cost IS NULL
    AND coalesce(input_tokens, output_tokens) IS NOT NULL
GROUP BY
    provider_name,
    price_model
ORDER BY tokens DESC, provider_name ASC, price_model ASC
