-- question: What are the tokens worth that only one side has, lane by lane?
-- grain: one row per day, seller, model and kind whose tokens the bill tells
-- columns:
--   day: day in the zone of the bill
--   seller: provider of the price book
--   model: model key
--   kind: kind compared
--   lacking: picodollars of the tokens that the bill has more, at the billed price of the lanes that have more
--   beyond: picodollars of the tokens that we have more, at our price of the lanes that have more
--   moved_worth: what the tokens that the bill has in another lane cost more there, picodollars
--   moved_lanes: lanes as billed instead of ours; NULL = no token is in another lane

WITH lanes_told AS (
    SELECT DISTINCT
        seller,
        model
    FROM bill_cells
    WHERE lane <> 'any'
),

both_sides AS (
    -- What is of keys or regions that the logs never show is no part of the comparison.
    SELECT
        day,
        seller,
        model,
        kind,
        lane,
        CASE
            WHEN unseen <> 0 THEN billed - unseen
            WHEN unseen_tokens > 0 AND tokens > 0 THEN billed - billed * unseen_tokens // tokens
            ELSE billed
        END AS billed,
        tokens - unseen_tokens AS billed_tokens,
        tokens IS NULL AS is_untold,
        cast(0 AS HUGEINT) AS ours,
        cast(0 AS HUGEINT) AS our_tokens
    FROM bill_cells
    WHERE kind <> 'fee'
    UNION ALL
    SELECT
        our_cells.day,
        our_cells.seller,
        our_cells.model,
        our_cells.kind,
        CASE
            WHEN lanes_told.model IS NULL THEN 'any'
            WHEN prices.input_from > 0 THEN our_cells.lane || ' long'
            ELSE our_cells.lane
        END AS lane,
        cast(0 AS HUGEINT) AS billed,
        cast(0 AS HUGEINT) AS billed_tokens,
        FALSE AS is_untold,
        our_cells.picodollars AS ours,
        our_cells.tokens AS our_tokens
    FROM our_cells
    LEFT JOIN lanes_told ON our_cells.seller = lanes_told.seller AND our_cells.model = lanes_told.model
    LEFT JOIN prices ON our_cells.price_id = prices.price_id
    WHERE our_cells.kind NOT IN ('fee', 'requests')
),

by_lane AS (
    SELECT
        day,
        seller,
        model,
        kind,
        lane,
        sum(billed) AS m,
        sum(billed_tokens) AS b,
        bool_or(is_untold) AS is_untold,
        sum(ours) AS c,
        sum(our_tokens) AS o
    FROM both_sides
    GROUP BY day, seller, model, kind, lane
),

summed AS (
    SELECT
        day,
        seller,
        model,
        kind,
        sum(b) - sum(o) AS net,
        sum(greatest(b - o, 0)) AS deficit,
        sum(greatest(o - b, 0)) AS excess,
        sum(CASE WHEN b > o THEN m - m * o // b ELSE 0 END) AS deficit_worth,
        sum(CASE WHEN o > b THEN c - c * b // o ELSE 0 END) AS excess_worth,
        string_agg(lane, ' and ' ORDER BY lane) FILTER (WHERE b > o) AS deficit_lanes,
        string_agg(lane, ' and ' ORDER BY lane) FILTER (WHERE o > b) AS excess_lanes
    FROM by_lane
    GROUP BY day, seller, model, kind
    HAVING NOT bool_or(is_untold)
)

-- Tokens that moved from one lane to another are on both sides, so only the net of all lanes is lacking or beyond.
SELECT
    day,
    seller,
    model,
    kind,
    cast(CASE WHEN net > 0 THEN deficit_worth * net // deficit ELSE 0 END AS HUGEINT) AS lacking,
    cast(CASE WHEN net < 0 THEN excess_worth * -net // excess ELSE 0 END AS HUGEINT) AS beyond,
    cast(
        CASE
            WHEN deficit > 0 AND excess > 0
                THEN
                    deficit_worth * least(deficit, excess) // deficit
                    - excess_worth * least(deficit, excess) // excess
            ELSE 0
        END AS HUGEINT
    ) AS moved_worth,
    CASE WHEN deficit > 0 AND excess > 0 THEN deficit_lanes || ' instead of ' || excess_lanes END AS moved_lanes
FROM summed
