-- Prices every attempt of {source} by the price of its own time. Three statements: which names were used on which day,
-- which price rows those need, and the join. Amounts are BIGINT picodollars until the last step.

-- 1. Distinct (provider, model, tier, day), with the span of time that was used. Days come from the data, so that a
--    stray date costs one row and not a row a day.
CREATE OR REPLACE TEMP TABLE price_days AS
WITH used AS (
    SELECT
        provider_name,
        price_model,
        service_tier,
        epoch_us(started_at) // 86_400_000_000 AS day,
        min(started_at) AS first_at,
        max(started_at) AS last_at
    FROM {source}
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
        END AS asked_lane
    FROM used
    INNER JOIN resolved
        ON
            used.provider_name IS NOT DISTINCT FROM resolved.provider_name
            AND used.price_model IS NOT DISTINCT FROM resolved.price_model
),

lanes AS (
    SELECT DISTINCT provider, model, lane
    FROM effective_prices
)

-- A lane that the book does not have costs the standard price, which is marked as derived.
SELECT
    asked.* EXCLUDE (asked_lane),
    coalesce(lanes.lane, 'standard') AS lane,
    lanes.lane IS NULL AND asked_lane <> 'standard' AS is_derived
FROM asked
LEFT JOIN lanes ON asked.provider = lanes.provider AND asked.model = lanes.model AND asked.asked_lane = lanes.lane;

-- 2. The price rows of those days, each with the rates of the effective price and of the book. Where rows of a book
--    overlap, the one that began last wins (then the smaller id), so that an attempt can never meet two prices.
CREATE OR REPLACE TEMP TABLE price_rates AS
WITH effective AS (
    SELECT
        * REPLACE (
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
        {book_rates}
    FROM effective
    LEFT JOIN book
        ON
            effective.provider = book.provider
            AND effective.model = book.model
            AND effective.lane = book.lane
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
        price_days.day,
        CASE WHEN price_days.is_derived AND paired.basis <> 'override' THEN 'derived' ELSE paired.basis END AS basis,
        paired.* EXCLUDE (book, provider, model, lane, basis, source),
        row_number() OVER (
            PARTITION BY price_days.provider_name, price_days.price_model, price_days.service_tier, price_days.day
            ORDER BY paired.effective_from DESC, paired.input_from DESC, paired.price_id, {book_order}
        ) AS rank
    FROM price_days
    INNER JOIN paired
        ON
            price_days.provider = paired.provider
            AND price_days.model = paired.model
            AND price_days.lane = paired.lane
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
        rate.basis AS row_basis,
        coalesce(attempt.gateway_cache, '') IN ('exact', 'semantic', 'hit') AS is_hit,
        coalesce({tokens}) IS NOT NULL AS is_counted,
        {effective_amounts},
        {list_amounts}
    FROM {source} AS attempt
    LEFT JOIN price_rates AS rate
        ON
            attempt.provider_name IS NOT DISTINCT FROM rate.provider_name
            AND attempt.price_model IS NOT DISTINCT FROM rate.price_model
            AND attempt.service_tier IS NOT DISTINCT FROM rate.service_tier
            AND epoch_us(attempt.started_at) // 86_400_000_000 = rate.day
            AND attempt.started_at >= rate.effective_from
            AND attempt.started_at < rate.effective_to
            AND coalesce(attempt.input_tokens, 0) >= rate.input_from
            AND coalesce(attempt.input_tokens, 0) < rate.input_to
),

summed AS (
    SELECT
        *,
        {effective_sum} AS effective_sum,
        {list_sum} AS list_sum,
        -- A request that was refused is not billed. One that timed out (408) or that the client left (499) may be.
        -- A failure that is logged with no token at all costs nothing, whatever its model.
        is_hit OR coalesce(
            status = 'error'
            AND CASE
                WHEN is_counted THEN {token_sum} = 0
                ELSE http_status BETWEEN 400 AND 499 AND http_status NOT IN (408, 499)
            END,
            false
        ) AS is_free
    FROM priced
),

-- A sum beyond what the money type holds (a million dollars) is a broken count of tokens: unpriced.
charged AS (
    SELECT
        * EXCLUDE (effective_sum, list_sum),
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
    CASE
        WHEN is_hit THEN coalesce(row_basis, 'rule')
        WHEN is_free THEN 'rule'
        WHEN effective_amount IS NOT NULL THEN row_basis
    END AS price_basis
FROM charged;
