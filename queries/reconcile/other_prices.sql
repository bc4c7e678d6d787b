-- question: What would our tokens of a row cost in another lane, or in the other tier of the context's length?
-- grain: one row per day, seller, model, kind, and change of lane or tier that has a price and another cost
-- columns:
--   day: day in the zone of the bill
--   seller: provider of the price book
--   model: model key
--   kind: kind compared
--   tier: the change, such as standard instead of batch
--   change: what the change adds to our cost of the row, picodollars

WITH used AS (
    SELECT
        our_cells.day,
        our_cells.seller,
        our_cells.model,
        our_cells.kind,
        our_cells.token_kind,
        our_cells.lane,
        our_cells.price_id,
        our_cells.tokens - our_cells.unpriced_tokens AS tokens,
        our_cells.picodollars
    FROM our_cells
    WHERE our_cells.price_id IS NOT NULL AND our_cells.kind NOT IN ('fee', 'requests') AND our_cells.tokens > 0
),

-- The rows of the book for the same model and time, in another lane, or in another tier of the same lane.
other_rows AS (
    SELECT DISTINCT
        used.day,
        used.price_id,
        used.lane,
        another.price_id AS other_id,
        CASE
            WHEN another.lane <> own.lane
                THEN another.lane || ' instead of ' || used.lane
            WHEN another.input_from > own.input_from
                THEN 'long context (from ' || another.input_from || ' tokens) instead of short'
            ELSE 'short context instead of long (from ' || own.input_from || ' tokens)'
        END AS tier
    FROM used
    INNER JOIN prices AS own ON used.price_id = own.price_id
    INNER JOIN prices AS another
        ON
            own.provider = another.provider
            AND own.model = another.model
            AND own.book = another.book
            AND (own.lane <> another.lane OR own.input_from <> another.input_from)
            AND (own.lane = another.lane OR own.input_from = another.input_from)
            AND used.day < coalesce(another.effective_to, cast('infinity' AS TIMESTAMPTZ))
            AND used.day + 1 > coalesce(another.effective_from, cast('-infinity' AS TIMESTAMPTZ))
),

rates AS (
    SELECT
        price_id,
        unnest(
            [
                struct_pack(token_kind := 'input_uncached', rate := input_uncached_rate),
                struct_pack(token_kind := 'cache_read', rate := cache_read_rate),
                struct_pack(token_kind := 'cache_write_5m', rate := cache_write_5m_rate),
                struct_pack(token_kind := 'cache_write_30m', rate := cache_write_30m_rate),
                struct_pack(token_kind := 'cache_write_1h', rate := cache_write_1h_rate),
                struct_pack(token_kind := 'cache_write_12h', rate := cache_write_12h_rate),
                struct_pack(token_kind := 'input_audio', rate := input_audio_rate),
                struct_pack(token_kind := 'input_image', rate := input_image_rate),
                struct_pack(token_kind := 'output_text', rate := output_text_rate),
                struct_pack(token_kind := 'reasoning', rate := reasoning_rate),
                struct_pack(token_kind := 'output_audio', rate := output_audio_rate),
                struct_pack(token_kind := 'output_image', rate := output_image_rate)
            ],
            recursive := TRUE
        )
    FROM prices
    WHERE price_id IN (SELECT other_rows.other_id FROM other_rows)
),

parts AS (
    SELECT
        used.*,
        other_rows.tier,
        -- Where a price began within the day there are several rows: the dearest of them stands for the day.
        max(rates.rate) AS rate
    FROM used
    INNER JOIN other_rows
        ON used.day = other_rows.day AND used.price_id = other_rows.price_id AND used.lane = other_rows.lane
    LEFT JOIN rates ON other_rows.other_id = rates.price_id AND used.token_kind = rates.token_kind
    GROUP BY ALL
)

SELECT
    day,
    seller,
    model,
    kind,
    tier,
    cast(sum(cast(tokens AS HUGEINT) * rate - picodollars) AS HUGEINT) AS change
FROM parts
GROUP BY day, seller, model, kind, tier
HAVING count(*) = count(rate) AND change <> 0
