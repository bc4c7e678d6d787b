-- question: Which models of both windows were priced through another name than the one that was logged?
-- grain: one row per provider and model as logged, and model of the price book
-- parameters: since, until, baseline_since, baseline_until
-- columns:
--   provider_name: provider as logged
--   price_model: model string that the price was looked up with
--   provider: provider in the price book
--   model: model in the price book
--   method: how the one became the other: alias, or the steps joined by + (fallback: at another maker's price)
--   attempts: attempts that such a price is of
--   cost_usd: effective cost of those, USD

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
),

priced AS (
    SELECT
        provider_name,
        price_model,
        price_id,
        count(*) AS attempts,
        sum(effective_cost) AS cost_usd
    FROM in_windows
    WHERE effective_cost IS NOT NULL
    GROUP BY ALL
),

-- The store keeps what a name was resolved to before, too; the row of prices says which of them made the cost. A name
-- that is the book's own is exact, whether its provider stands in front of it, was logged apart, or not at all.
resolved AS (
    SELECT
        provider_name,
        price_model,
        provider,
        model,
        min(method) AS method
    FROM model_map
    WHERE model IS NOT NULL
    GROUP BY ALL
    HAVING NOT bool_or(method IN ('exact', 'prefix', 'maker', 'override', 'fallback_book'))
)

SELECT
    priced.provider_name,
    priced.price_model,
    resolved.provider,
    resolved.model,
    resolved.method,
    cast(sum(priced.attempts) AS BIGINT) AS attempts,
    sum(priced.cost_usd) AS cost_usd
FROM priced
INNER JOIN prices ON priced.price_id = prices.price_id
INNER JOIN resolved
    ON
        priced.provider_name IS NOT DISTINCT FROM resolved.provider_name
        AND priced.price_model = resolved.price_model
        AND prices.provider = resolved.provider
        AND prices.model = resolved.model
GROUP BY ALL
ORDER BY attempts DESC, priced.provider_name ASC, priced.price_model ASC, resolved.provider ASC, resolved.model ASC
