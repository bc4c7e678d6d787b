-- What the attempts of {source} cost that pools served. Weights are whole numbers and shares are differences of running
-- floors, so that the shares of an hour are its cost to the last picodollar, whatever the order of the rows.
CREATE OR REPLACE TEMP TABLE pool_costs AS
WITH served AS (
    SELECT
        *,
        {served} AS pool,
        date_trunc('hour', started_at) AS hour
    FROM {source}
    WHERE coalesce(gateway_cache, '') NOT IN ('exact', 'semantic', 'hit')
),

leaves AS (
    SELECT
        attempt_id,
        pool,
        hour,
        coalesce({tokens}) IS NOT NULL AS is_counted,
        unnest([{leaves}], recursive := true)
    FROM served
    WHERE pool IS NOT NULL
),

pools (pool, price_id, hour_fee) AS (VALUES {pools}),

shares AS (
    SELECT
        *,
        sum(weight) OVER (PARTITION BY pool, hour ORDER BY attempt_id, kind ROWS UNBOUNDED PRECEDING) AS reached,
        sum(weight) OVER (PARTITION BY pool, hour) AS whole
    FROM leaves
),

amounts AS (
    SELECT
        shares.attempt_id,
        shares.is_counted,
        shares.kind,
        pools.price_id,
        CASE
            WHEN NOT shares.is_counted THEN NULL
            WHEN shares.whole = 0 THEN 0
            ELSE
                (pools.hour_fee::HUGEINT * shares.reached) // shares.whole
                - (pools.hour_fee::HUGEINT * (shares.reached - shares.weight)) // shares.whole
        END AS amount
    FROM shares
    INNER JOIN pools USING (pool)
)

SELECT
    attempt_id,
    {effective_cost} AS effective_cost,
    {kind_costs},
    CASE WHEN bool_and(is_counted) THEN {fee_cost} END AS fee_cost,
    CASE WHEN bool_and(is_counted) THEN any_value(price_id) END AS price_id,
    CASE WHEN bool_and(is_counted) THEN 'pool' END AS price_basis,
    CASE WHEN bool_and(is_counted) THEN 'pool_share' END AS price_rule
FROM amounts
GROUP BY attempt_id
