-- Prices every attempt of {source} by the price of its own time. Three statements: which names were used on which day,
-- which price rows those need, and the join. Amounts are BIGINT picodollars until the last step.

-- 1. Distinct (provider, model, tier, region, scope, day), with the span of time that was used. Days come from the
--    data, so that a stray date costs one row and not a row a day.
CREATE OR REPLACE TEMP TABLE price_days AS
WITH used AS (
    SELECT
        provider_name,
        price_model,
        service_tier,
        attempt.region,
        {scope} AS scope,
        epoch_us({priced_at}) // 86_400_000_000 AS day,
        min({priced_at}) AS first_at,
        max({priced_at}) AS last_at
    FROM {source} AS attempt
    {scope_join}
    GROUP BY ALL
),

resolved AS (
    SELECT DISTINCT ON (provider_name, price_model)
        provider_name,
        price_model,
        provider,
        model
    FROM model_map
    WHERE model IS NOT NULL
    ORDER BY provider_name, price_model, provider, model
),

asked AS (
    SELECT
        used.*,
        resolved.provider,
        resolved.model,
        CASE
            WHEN lower(coalesce(used.service_tier, '')) IN ('', 'auto', 'default', 'standard') THEN 'standard'
            ELSE lower(used.service_tier)
        END AS asked_lane,
        coalesce(region_map.region_class, '') AS asked_region,
        coalesce(used.scope, '') AS asked_scope
    FROM used
    INNER JOIN resolved
        ON
            used.provider_name IS NOT DISTINCT FROM resolved.provider_name
            AND used.price_model IS NOT DISTINCT FROM resolved.price_model
    LEFT JOIN region_map
        ON
            used.provider_name IS NOT DISTINCT FROM region_map.provider_name
            AND used.price_model IS NOT DISTINCT FROM region_map.price_model
            AND used.region IS NOT DISTINCT FROM region_map.region
),

offered AS (
    SELECT DISTINCT
        provider,
        model,
        lane,
        coalesce(region, '') AS price_region,
        coalesce(scope, '') AS price_scope
    FROM effective_prices
)

-- The nearest price that there is: of the own scope before everybody's, of the tier that served before the standard
-- one (which is then marked as derived), of the region before that of any.
SELECT
    asked.* EXCLUDE (asked_lane, asked_region, asked_scope),
    offered.lane,
    offered.price_region,
    offered.price_scope,
    offered.lane <> asked.asked_lane AS is_derived
FROM asked
INNER JOIN offered
    ON
        asked.provider = offered.provider
        AND asked.model = offered.model
        AND offered.lane IN (asked.asked_lane, 'standard')
        AND offered.price_region IN (asked.asked_region, '')
        AND offered.price_scope IN (asked.asked_scope, '')
QUALIFY row_number() OVER (
    PARTITION BY
        asked.provider_name, asked.price_model, asked.service_tier, asked.region, asked.scope, asked.day
    ORDER BY
        offered.price_scope <> asked.asked_scope, offered.lane <> asked.asked_lane,
        offered.price_region <> asked.asked_region
) = 1;

-- 2. The price rows of those days, each with the rates of the effective price and of the book. Where rows of a book
--    overlap, the one that began last wins (then the smaller id), so that an attempt can never meet two prices.
CREATE OR REPLACE TEMP TABLE price_rates AS
WITH effective AS (
    SELECT
        * REPLACE (
            coalesce(region, '') AS region,
            coalesce(scope, '') AS scope,
            coalesce(effective_from, '-infinity'::TIMESTAMPTZ) AS effective_from,
            coalesce(effective_to, 'infinity'::TIMESTAMPTZ) AS effective_to,
            coalesce(input_to, 9_223_372_036_854_775_807) AS input_to
        )
    FROM effective_prices
    SEMI JOIN price_days USING (provider, model, lane)
),

book AS (
    SELECT
        * REPLACE (
            coalesce(region, '') AS region,
            coalesce(effective_from, '-infinity'::TIMESTAMPTZ) AS effective_from,
            coalesce(effective_to, 'infinity'::TIMESTAMPTZ) AS effective_to,
            coalesce(input_to, 9_223_372_036_854_775_807) AS input_to
        )
    FROM book_prices
    SEMI JOIN price_days USING (provider, model, lane)
),

-- An override only splits rows, so the book's row that holds the beginning of an effective row holds all of it.
paired AS (
    SELECT
        effective.* REPLACE (least(effective.effective_to, coalesce(book.effective_to, 'infinity')) AS effective_to),
        book.price_id AS list_price_id,
        {book_rates}
    FROM effective
    LEFT JOIN book
        ON
            effective.provider = book.provider
            AND effective.model = book.model
            AND effective.lane = book.lane
            AND effective.region = book.region
            AND effective.effective_from >= book.effective_from
            AND effective.effective_from < book.effective_to
            AND effective.input_from >= book.input_from
            AND effective.input_from < book.input_to
),

daily AS (
    SELECT
        price_days.provider_name,
        price_days.price_model,
        price_days.service_tier,
        price_days.region,
        price_days.scope,
        price_days.day,
        price_days.is_derived,
        CASE WHEN price_days.is_derived AND paired.basis <> 'override' THEN 'derived' ELSE paired.basis END AS basis,
        paired.* EXCLUDE (book, provider, model, lane, region, scope, currency, basis, source, source_date),
        row_number() OVER (
            PARTITION BY
                price_days.provider_name, price_days.price_model, price_days.service_tier, price_days.region,
                price_days.scope, price_days.day
            ORDER BY paired.effective_from DESC, paired.input_from DESC, paired.price_id, {book_order}
        ) AS rank
    FROM price_days
    INNER JOIN paired
        ON
            price_days.provider = paired.provider
            AND price_days.model = paired.model
            AND price_days.lane = paired.lane
            AND price_days.price_region = paired.region
            AND price_days.price_scope = paired.scope
            AND price_days.last_at >= paired.effective_from
            AND price_days.first_at < paired.effective_to
)

SELECT daily.* EXCLUDE (rank)
FROM daily
ANTI JOIN daily AS better
    ON
        daily.provider_name IS NOT DISTINCT FROM better.provider_name
        AND daily.price_model IS NOT DISTINCT FROM better.price_model
        AND daily.service_tier IS NOT DISTINCT FROM better.service_tier
        AND daily.region IS NOT DISTINCT FROM better.region
        AND daily.scope IS NOT DISTINCT FROM better.scope
        AND daily.day = better.day
        AND daily.rank > better.rank
        AND daily.effective_from < better.effective_to
        AND daily.effective_to > better.effective_from
        AND daily.input_from < better.input_to
        AND daily.input_to > better.input_from;

-- 3. Each attempt with the one price row of its time and of its tier, which the whole input decides, cache included.
CREATE OR REPLACE TEMP {kind} {target} AS
WITH priced AS (
    SELECT
        attempt.*,
        rate.price_id AS row_id,
        rate.list_price_id AS list_row_id,
        rate.basis AS row_basis,
        rate.is_derived,
        coalesce(attempt.gateway_cache, '') IN ('exact', 'semantic', 'hit') AS is_hit,
        coalesce({tokens}) IS NOT NULL AS has_tokens,
        has_tokens OR rate.request_fee IS NOT NULL AS is_counted,
        attempt.web_search_requests > 0 AND rate.price_id IS NOT NULL AND rate.web_search_fee IS NULL AS lacks_fee,
        {effective_amounts},
        {list_amounts}
    FROM {source} AS attempt
    {scope_join}
    LEFT JOIN price_rates AS rate
        ON
            attempt.provider_name IS NOT DISTINCT FROM rate.provider_name
            AND attempt.price_model IS NOT DISTINCT FROM rate.price_model
            AND attempt.service_tier IS NOT DISTINCT FROM rate.service_tier
            AND attempt.region IS NOT DISTINCT FROM rate.region
            AND {scope} IS NOT DISTINCT FROM rate.scope
            AND epoch_us({priced_at}) // 86_400_000_000 = rate.day
            AND {priced_at} >= rate.effective_from
            AND {priced_at} < rate.effective_to
            AND coalesce(attempt.input_tokens, 0) >= rate.input_from
            AND coalesce(attempt.input_tokens, 0) < rate.input_to
),

summed AS (
    SELECT
        *,
        {effective_sum} AS effective_sum,
        {list_sum} AS list_sum,
        -- Which statuses a provider does not bill is in failures.toml.
        -- A failure that is logged with no token at all costs nothing, whatever its model.
        CASE
            WHEN is_hit THEN 'gateway_cache_hit'
            WHEN status = 'error' AND has_tokens AND {token_sum} = 0 THEN 'no_tokens'
            WHEN status = 'error' AND NOT has_tokens AND {not_billed} THEN 'not_billed'
        END AS free_rule
    FROM priced
),

-- A sum beyond what the money type holds (a million dollars) is a broken count of tokens: unpriced.
charged AS (
    SELECT
        * EXCLUDE (effective_sum, list_sum),
        free_rule IS NOT NULL AS is_free,
        CASE WHEN is_counted AND effective_sum < 1_000_000_000_000_000_000 THEN effective_sum END AS effective_amount,
        CASE WHEN is_counted AND list_sum < 1_000_000_000_000_000_000 THEN list_sum END AS list_amount
    FROM summed
)

SELECT
    {kept},
    {list_cost},
    {effective_cost},
    {avoided_cost},
    {kind_costs},
    CASE WHEN is_hit OR effective_amount IS NOT NULL THEN row_id END AS price_id,
    CASE WHEN is_hit OR list_amount IS NOT NULL THEN list_row_id END AS list_price_id,
    CASE
        WHEN is_hit THEN coalesce(row_basis, 'rule')
        WHEN is_free THEN 'rule'
        WHEN effective_amount IS NOT NULL THEN row_basis
    END AS price_basis,
    CASE
        WHEN is_free THEN free_rule
        WHEN effective_amount IS NULL THEN NULL
        WHEN lacks_fee THEN 'fee_unknown'
        WHEN is_derived THEN 'standard_lane'
    END AS price_rule
FROM charged;
