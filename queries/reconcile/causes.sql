-- question: Which causes make the gap of each row, in dollars that add up to it exactly?
-- grain: one row per day, seller, model and kind of either side
-- parameters: tolerance
-- columns:
--   day: day in the zone of the bill
--   seller: provider of the price book
--   model: name to show
--   kind: kind compared; fee = not by tokens
--   billed: picodollars; NULL = the bill has quantities only, and the causes say nothing
--   ours: effective cost, picodollars
--   gap: billed minus ours, picodollars
--   zone: part that moving the days by some hours takes away
--   bypassed: models, keys and regions that the logs never have
--   missing: tokens of records that the logs lack
--   extra: tokens that the bill lacks, negative
--   tokens: other counts in the same calls
--   price: the same tokens at another price
--   tier: the same tokens at the price of another lane or context tier
--   unpriced: tokens of ours that have no price
--   fees: charges that are not by the token
--   rounding: what the decimals of the bill, or the tolerance, cannot tell
--   unexplained: the rest, where the bill does not tell enough
--   billed_tokens: NULL = not told
--   our_tokens: tokens in the logs
--   unseen_tokens: billed tokens of keys and regions that the logs never show
--   billed_requests: calls of the day and model as billed; NULL = not told
--   our_requests: the same in the logs
--   tier_name: the lane or tier as it was billed, instead of ours
--   is_model_logged: the logs have the model in the window
--   is_day_logged: the logs have the seller on the day
--   is_day_billed: the bill has the seller on the day

-- 1. What does not depend on counts: other days, traffic of others, fees.
WITH own AS (
    SELECT
        *,
        billed - ours AS gap,
        moved - ours AS zone,
        CASE
            WHEN kind = 'fee' THEN 0
            WHEN NOT is_model_logged THEN billed
            WHEN unseen <> 0 THEN unseen
            WHEN unseen_tokens > 0 AND billed_tokens > 0 THEN billed * unseen_tokens // billed_tokens
            ELSE 0
        END AS bypassed,
        CASE WHEN kind = 'fee' THEN billed - moved ELSE 0 END AS fees,
        slack + cast($tolerance AS HUGEINT) AS limit_up_to
    FROM aligned
),

left_over AS (
    SELECT
        *,
        CASE WHEN kind = 'fee' THEN 0 ELSE billed - bypassed END AS m,
        CASE WHEN kind = 'fee' THEN 0 ELSE moved END AS c,
        CASE
            -- Money without a count does not tell of tokens.
            WHEN billed_tokens - unseen_tokens <= 0 AND billed - bypassed <> 0 THEN NULL
            ELSE billed_tokens - unseen_tokens
        END AS b,
        our_tokens AS o
    FROM own
),

-- 2. Tokens that both sides have, after each side's own, lane by lane at its own price.
common AS (
    SELECT
        *,
        m <> 0 AND c <> 0 AND abs(m - c) <= limit_up_to AS is_rounding,
        CASE
            WHEN b IS NULL THEN CASE WHEN o = 0 AND c = 0 THEN 0 ELSE m END
            WHEN b = 0 OR NOT is_model_logged THEN 0
            ELSE m - coalesce(lacking, 0)
        END AS common_m,
        CASE
            WHEN b IS NULL OR o = 0 THEN c
            WHEN b = 0 THEN 0
            ELSE c - coalesce(beyond, 0)
        END AS common_c
    FROM left_over
),

counted AS (
    SELECT
        *,
        CASE
            WHEN is_rounding THEN 0
            WHEN o > 0 THEN common_m * unpriced_tokens // o
            ELSE 0
        END AS unpriced,
        CASE WHEN is_rounding THEN 0 ELSE m - common_m END AS fewer,
        CASE WHEN is_rounding THEN 0 ELSE common_c - c END AS more
    FROM common
),

-- 3. Prices of the tokens that both sides have.
priced AS (
    SELECT
        *,
        CASE WHEN is_rounding THEN 0 ELSE common_m - unpriced - common_c END AS price_gap
    FROM counted
),

-- The change of lane or tier that comes nearest, when it comes near enough.
tiers AS (
    SELECT
        priced.day,
        priced.seller,
        priced.model,
        priced.kind,
        arg_min(
            struct_pack(name := other_prices.tier, change := other_prices.change),
            (abs(priced.price_gap - other_prices.change * least(coalesce(b, o), o) // o), other_prices.tier)
        ) AS nearest
    FROM priced
    INNER JOIN other_prices
        ON
            priced.day = other_prices.day
            AND priced.seller = other_prices.seller
            AND priced.model = other_prices.model
            AND priced.kind = other_prices.kind
    WHERE
        abs(priced.price_gap) > priced.limit_up_to
        AND priced.moved_worth = 0
        AND priced.o > 0
        AND abs(priced.price_gap - other_prices.change * least(coalesce(b, o), o) // o) <= priced.limit_up_to
    GROUP BY priced.day, priced.seller, priced.model, priced.kind
),

-- Where the bill tells no tokens, a ratio that most days share is a price; the rest is of records.
ratios AS (
    SELECT
        seller,
        model,
        kind,
        count(*) AS days,
        arg_min(struct_pack(m := m, c := c), (abs(cast(m AS DOUBLE) / c - middle), day)) AS usual
    FROM (
        SELECT
            seller,
            model,
            kind,
            day,
            m,
            c,
            quantile_disc(cast(m AS DOUBLE) / c, 0.5) OVER (PARTITION BY seller, model, kind) AS middle
        FROM priced
        WHERE b IS NULL AND m > 0 AND c > 0
    ) AS both_sides
    GROUP BY seller, model, kind
),

shared_ratios AS (
    SELECT
        priced.seller,
        priced.model,
        priced.kind,
        any_value(ratios.usual) AS usual
    FROM priced
    INNER JOIN ratios USING (seller, model, kind)
    WHERE
        priced.b IS NULL
        AND priced.m > 0
        AND priced.c > 0
        AND abs(priced.m - priced.c * ratios.usual.m // ratios.usual.c)
        <= 2 * priced.limit_up_to + priced.c // 10000
    GROUP BY priced.seller, priced.model, priced.kind, ratios.days
    HAVING count(*) >= 3 AND 2 * count(*) >= ratios.days
),

judged AS (
    SELECT
        priced.*,
        coalesce(tiers.nearest.name, moved_lanes) AS tier_name,
        CASE
            WHEN abs(price_gap) > limit_up_to AND moved_worth <> 0 THEN moved_worth
            WHEN tiers.nearest IS NULL THEN 0
            ELSE tiers.nearest.change * least(coalesce(b, o), o) // o
        END AS tier,
        CASE
            WHEN tiers.nearest IS NOT NULL OR abs(price_gap) <= limit_up_to THEN 0
            WHEN abs(price_gap - moved_worth) <= limit_up_to THEN 0
            WHEN b IS NOT NULL THEN price_gap - moved_worth
            WHEN shared_ratios.usual IS NOT NULL THEN c * shared_ratios.usual.m // shared_ratios.usual.c - c
            ELSE 0
        END AS price,
        b IS NULL AND shared_ratios.usual IS NOT NULL AS has_ratio
    FROM priced
    LEFT JOIN tiers USING (day, seller, model, kind)
    LEFT JOIN shared_ratios ON
        priced.seller = shared_ratios.seller
        AND priced.model = shared_ratios.model
        AND priced.kind = shared_ratios.kind
),

closed AS (
    SELECT
        *,
        CASE WHEN is_rounding THEN m - c ELSE price_gap - tier - price END AS rest
    FROM judged
)

-- 4. Counts of calls tell records from counts of tokens; what is left is below the decimals, or not explained.
SELECT
    day,
    seller,
    shown_model AS model,
    kind,
    billed,
    ours,
    gap,
    zone,
    bypassed,
    CASE WHEN is_other_count AND fewer <> 0 THEN 0 ELSE fewer END
    + CASE WHEN is_ratio_rest AND rest > 0 THEN rest ELSE 0 END AS missing,
    CASE WHEN is_other_count AND more <> 0 THEN 0 ELSE more END
    + CASE WHEN is_ratio_rest AND rest < 0 THEN rest ELSE 0 END AS extra,
    CASE WHEN is_other_count THEN fewer + more ELSE 0 END AS tokens,
    price,
    tier,
    unpriced,
    fees,
    CASE WHEN abs(rest) <= limit_up_to THEN rest ELSE 0 END AS rounding,
    CASE WHEN abs(rest) > limit_up_to AND NOT is_ratio_rest THEN rest ELSE 0 END AS unexplained,
    billed_tokens,
    our_tokens,
    unseen_tokens,
    billed_requests,
    our_requests,
    tier_name,
    is_model_logged,
    is_day_logged,
    is_day_billed
FROM (
    SELECT
        *,
        billed_requests IS NOT NULL
        AND o > 0
        AND coalesce(b, 0) > 0
        AND NOT (billed_requests > our_requests AND fewer > 0)
        AND NOT (billed_requests < our_requests AND more < 0) AS is_other_count,
        has_ratio AND abs(rest) > limit_up_to AS is_ratio_rest
    FROM closed
) AS told
ORDER BY day, seller, model, kind
