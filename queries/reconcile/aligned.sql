-- question: Where do bill and logs stand side by side, and what do both know of the row?
-- grain: one row per day, seller, model and kind of either side
-- columns:
--   day: day in the zone of the bill
--   seller: provider of the price book
--   model: model key, or the charge of a fee
--   shown_model: name to show
--   kind: kind compared; fee = not by tokens
--   billed: picodollars; NULL = quantities only, or another currency
--   billed_tokens: NULL = not told
--   unseen: part of `billed` that is of keys or regions which the logs never show, picodollars
--   unseen_tokens: part of `billed_tokens` that is of those
--   billed_requests: calls of the day and model as billed; NULL = not told
--   ours: effective cost as the bill's periods cut it, picodollars
--   moved: effective cost with the days moved as `shifts` says, picodollars
--   our_tokens: tokens, as moved
--   unpriced_tokens: those of them without a price
--   our_requests: attempts with tokens of the day and model, as moved
--   lacking: picodollars of the tokens that we lack, lane by lane at the billed price; NULL = no count
--   beyond: picodollars of the tokens that the bill lacks, lane by lane at our price
--   moved_worth: what the tokens that the bill has in another lane cost more there, picodollars
--   moved_lanes: lanes as billed instead of ours; NULL = no token is in another lane
--   slack: picodollars that the decimals of the bill cannot tell
--   is_model_logged: the logs have the model in the window
--   is_day_logged: the logs have the seller on the day
--   is_day_billed: the bill has the seller on the day

WITH ours AS (
    SELECT
        day,
        seller,
        model,
        kind,
        min(shown_model) AS shown_model,
        sum(tokens) AS tokens,
        sum(unpriced_tokens) AS unpriced_tokens,
        sum(picodollars) AS moved,
        sum(unmoved) AS ours
    FROM our_cells
    WHERE kind <> 'requests'
    GROUP BY day, seller, model, kind
),

billed_cells AS (
    SELECT
        day,
        seller,
        model,
        kind,
        min(shown_model) AS shown_model,
        sum(billed) AS billed,
        -- Lanes without a count leave the row without one.
        CASE WHEN count(tokens) = count(*) THEN sum(tokens) END AS tokens,
        sum(unseen) AS unseen,
        sum(unseen_tokens) AS unseen_tokens,
        sum(slack) AS slack
    FROM bill_cells
    GROUP BY day, seller, model, kind
),

our_calls AS (
    SELECT
        day,
        seller,
        model,
        sum(requests) AS requests
    FROM our_cells
    WHERE kind = 'requests'
    GROUP BY day, seller, model
),

billed_calls AS (
    SELECT
        day,
        seller,
        model,
        sum(requests) AS requests
    FROM chosen_lines
    WHERE requests IS NOT NULL
    GROUP BY day, seller, model
),

logged_models AS (
    SELECT DISTINCT
        seller,
        model
    FROM our_hours
),

logged_days AS (
    SELECT DISTINCT
        seller,
        day
    FROM our_cells
    WHERE tokens > 0
),

billed_days AS (
    SELECT
        seller,
        day,
        bool_or(measure = 'cost') AS has_money
    FROM chosen_lines
    GROUP BY seller, day
),

dollars AS (FROM chosen_lines WHERE measure = 'cost'),

foreign_models AS (
    SELECT DISTINCT
        bill_names.seller,
        bill_names.model
    FROM bill_lines
    INNER JOIN bill_names USING (provider, billed_name)
    ANTI JOIN dollars
        ON bill_names.seller = dollars.seller AND bill_names.model = dollars.model
    WHERE bill_lines.currency <> 'USD' AND bill_lines.line_class = 'tokens'
),

logged_sellers AS (
    SELECT DISTINCT seller
    FROM our_hours
),

paired AS (
    SELECT
        coalesce(billed_cells.day, ours.day) AS day,
        coalesce(billed_cells.seller, ours.seller) AS seller,
        coalesce(billed_cells.model, ours.model) AS model,
        coalesce(billed_cells.kind, ours.kind) AS kind,
        coalesce(ours.shown_model, billed_cells.shown_model) AS shown_model,
        billed_cells.billed,
        billed_cells.tokens AS billed_tokens,
        billed_cells.day IS NOT NULL AS is_billed,
        coalesce(billed_cells.unseen, 0) AS unseen,
        coalesce(billed_cells.unseen_tokens, 0) AS unseen_tokens,
        coalesce(ours.ours, 0) AS ours,
        coalesce(ours.moved, 0) AS moved,
        coalesce(ours.tokens, 0) AS our_tokens,
        coalesce(ours.unpriced_tokens, 0) AS unpriced_tokens,
        coalesce(billed_cells.slack, 0) AS slack
    FROM billed_cells
    FULL OUTER JOIN ours
        ON
            billed_cells.day = ours.day
            AND billed_cells.seller = ours.seller
            AND billed_cells.model = ours.model
            AND billed_cells.kind = ours.kind
)

SELECT
    paired.day,
    paired.seller,
    paired.model,
    paired.shown_model,
    paired.kind,
    cast(
        CASE
            WHEN paired.billed IS NOT NULL THEN paired.billed
            WHEN foreign_models.model IS NOT NULL THEN NULL
            -- A day that is billed in quantities alone has a price that is not known; a day without a line costs 0.
            WHEN coalesce(billed_days.has_money, bill_windows.has_money) THEN 0
        END AS HUGEINT
    ) AS billed,
    cast(
        CASE
            WHEN paired.is_billed THEN paired.billed_tokens
            -- A row that a bill of tokens does not have is none of them.
            ELSE 0
        END AS HUGEINT
    ) AS billed_tokens,
    cast(paired.unseen AS HUGEINT) AS unseen,
    cast(paired.unseen_tokens AS HUGEINT) AS unseen_tokens,
    cast(billed_calls.requests AS HUGEINT) AS billed_requests,
    cast(paired.ours AS HUGEINT) AS ours,
    cast(paired.moved AS HUGEINT) AS moved,
    cast(paired.our_tokens AS HUGEINT) AS our_tokens,
    cast(paired.unpriced_tokens AS HUGEINT) AS unpriced_tokens,
    cast(coalesce(our_calls.requests, 0) AS HUGEINT) AS our_requests,
    lane_gaps.lacking,
    lane_gaps.beyond,
    coalesce(lane_gaps.moved_worth, 0) AS moved_worth,
    lane_gaps.moved_lanes,
    cast(paired.slack AS HUGEINT) AS slack,
    CASE
        WHEN paired.model = '*' THEN logged_sellers.seller IS NOT NULL
        ELSE logged_models.model IS NOT NULL
    END AS is_model_logged,
    logged_days.day IS NOT NULL AS is_day_logged,
    billed_days.day IS NOT NULL AS is_day_billed
FROM paired
INNER JOIN bill_windows ON paired.seller = bill_windows.seller
LEFT JOIN our_calls
    ON paired.day = our_calls.day AND paired.seller = our_calls.seller AND paired.model = our_calls.model
LEFT JOIN billed_calls
    ON paired.day = billed_calls.day AND paired.seller = billed_calls.seller AND paired.model = billed_calls.model
LEFT JOIN lane_gaps
    ON
        paired.day = lane_gaps.day
        AND paired.seller = lane_gaps.seller
        AND paired.model = lane_gaps.model
        AND paired.kind = lane_gaps.kind
LEFT JOIN logged_models ON paired.seller = logged_models.seller AND paired.model = logged_models.model
LEFT JOIN logged_days ON paired.seller = logged_days.seller AND paired.day = logged_days.day
LEFT JOIN billed_days ON paired.seller = billed_days.seller AND paired.day = billed_days.day
LEFT JOIN foreign_models ON paired.seller = foreign_models.seller AND paired.model = foreign_models.model
LEFT JOIN logged_sellers ON paired.seller = logged_sellers.seller
