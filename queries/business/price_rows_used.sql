-- question: Which price rows were the attempts priced with?
-- grain: one row per row of the price book that priced an attempt of the window, by what was priced with it
-- parameters: since, until, limit
-- columns:
--   book: price book, or where the price was set
--   provider: provider in the book
--   model: model in the book
--   lane: standard, batch, flex, priority
--   region: region of the price; NULL = any
--   scope: team or key that the price is for; NULL = everybody
--   input_from: prompt tokens from which it holds; 0 = any length
--   effective_from: first moment of the price; NULL = from the beginning
--   input_usd_per_mtok: dollars per million uncached input tokens
--   cache_read_usd_per_mtok: dollars per million tokens read from the prompt cache; NULL = the book has none
--   output_usd_per_mtok: dollars per million visible output tokens
--   attempts: attempts that were priced with it
--   cost_usd: their effective cost, USD
--   price_rows: how many rows there are in all

WITH used AS (
    SELECT
        coalesce(list_price_id, price_id) AS price_id,
        count(*) AS attempts,
        sum(effective_cost) AS cost_usd
    FROM attempts
    WHERE
        -- The store is cut by UTC day; naming the days leaves out files.
        day BETWEEN cast($since AT TIME ZONE 'UTC' AS DATE) AND cast($until AT TIME ZONE 'UTC' AS DATE)
        AND started_at >= $since
        AND started_at < $until
        AND effective_cost IS NOT NULL
    GROUP BY ALL
),

rates AS (
    SELECT DISTINCT ON (price_id) *
    FROM prices
    ORDER BY price_id
)

SELECT
    rates.book,
    rates.provider,
    rates.model,
    rates.lane,
    rates.region,
    rates.scope,
    rates.input_from,
    rates.effective_from,
    cast(rates.input_uncached_rate / 1000000 AS DECIMAL(18, 6)) AS input_usd_per_mtok,
    cast(rates.cache_read_rate / 1000000 AS DECIMAL(18, 6)) AS cache_read_usd_per_mtok,
    cast(rates.output_text_rate / 1000000 AS DECIMAL(18, 6)) AS output_usd_per_mtok,
    used.attempts,
    used.cost_usd,
    count(*) OVER () AS price_rows
FROM used
INNER JOIN rates ON used.price_id = rates.price_id
ORDER BY used.cost_usd DESC, used.price_id ASC
LIMIT $limit
