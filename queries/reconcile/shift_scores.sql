-- question: If the days of a bill began some hours earlier or later, how much of the gap would go?
-- grain: one row per seller with daily bills and shift of -12 to 14 hours
-- columns:
--   seller: provider of the price book
--   shift_hours: hours added to our times before days are cut
--   days: days that the bill has
--   rows: days and models that both sides know
--   matching: those of them without a gap
--   gap: sum of the gaps, in tokens where the bill tells them, else in picodollars
--   net_gap: the same with signs, so that gaps that offset each other cancel

WITH shifts AS (
    SELECT unnest(range(-12, 15)) AS shift_hours
),

daily_sellers AS (
    SELECT
        bill_windows.*,
        (
            SELECT coalesce(bool_and(bill_cells.tokens IS NOT NULL), FALSE)
            FROM bill_cells
            WHERE bill_cells.seller = bill_windows.seller AND bill_cells.kind <> 'fee'
        ) AS has_tokens
    FROM bill_windows
    WHERE NOT is_monthly
),

billed AS (
    SELECT
        bill_cells.seller,
        bill_cells.day,
        bill_cells.model,
        cast(
            CASE
                WHEN daily_sellers.has_tokens THEN sum(bill_cells.tokens - bill_cells.unseen_tokens)
                -- A row that has neither money nor, as all others, tokens is the same at every shift.
                ELSE coalesce(sum(bill_cells.billed - bill_cells.unseen), 0)
            END AS DOUBLE
        ) AS amount,
        cast(CASE WHEN daily_sellers.has_tokens THEN 0 ELSE sum(bill_cells.slack) END AS DOUBLE) AS slack
    FROM bill_cells
    INNER JOIN daily_sellers USING (seller)
    WHERE bill_cells.kind <> 'fee'
    GROUP BY bill_cells.seller, bill_cells.day, bill_cells.model, daily_sellers.has_tokens
),

total_days AS (
    SELECT DISTINCT
        seller,
        day
    FROM billed
    WHERE model = '*'
),

hours AS (
    SELECT
        our_hours.seller,
        our_hours.hour,
        our_hours.model,
        daily_sellers.offset_hours,
        daily_sellers.first_day,
        daily_sellers.end_day,
        cast(CASE WHEN daily_sellers.has_tokens THEN our_hours.tokens ELSE our_hours.picodollars END AS DOUBLE)
            AS amount
    FROM our_hours
    INNER JOIN daily_sellers USING (seller)
    WHERE our_hours.token_kind NOT IN ('fee', 'requests')
),

labelled AS (
    SELECT
        hours.seller,
        shifts.shift_hours,
        hours.model,
        hours.amount,
        cast((hours.hour + to_hours(hours.offset_hours + shifts.shift_hours)) AT TIME ZONE 'UTC' AS DATE) AS day
    FROM hours
    CROSS JOIN shifts
    WHERE
        cast((hours.hour + to_hours(hours.offset_hours + shifts.shift_hours)) AT TIME ZONE 'UTC' AS DATE)
        BETWEEN hours.first_day AND hours.end_day - 1
),

ours AS (
    SELECT
        labelled.seller,
        labelled.shift_hours,
        labelled.day,
        CASE WHEN total_days.day IS NULL THEN labelled.model ELSE '*' END AS model,
        sum(labelled.amount) AS amount
    FROM labelled
    LEFT JOIN total_days ON labelled.seller = total_days.seller AND labelled.day = total_days.day
    GROUP BY ALL
),

-- Models that only one side knows have the same gap at every shift.
known AS (
    SELECT DISTINCT
        seller,
        model
    FROM billed
    SEMI JOIN ours USING (seller, model)
),

both_sides AS (
    SELECT
        seller,
        shift_hours,
        day,
        model,
        amount AS our_amount,
        0 AS bill_amount,
        0 AS slack
    FROM ours
    SEMI JOIN known USING (seller, model)
    UNION ALL
    SELECT
        billed.seller,
        shifts.shift_hours,
        billed.day,
        billed.model,
        0 AS our_amount,
        billed.amount AS bill_amount,
        billed.slack
    FROM billed
    CROSS JOIN shifts
    SEMI JOIN known ON billed.seller = known.seller AND billed.model = known.model
),

rows_compared AS (
    SELECT
        seller,
        shift_hours,
        day,
        model,
        sum(bill_amount) - sum(our_amount) AS gap,
        sum(slack) AS slack
    FROM both_sides
    GROUP BY ALL
)

SELECT
    seller,
    cast(shift_hours AS BIGINT) AS shift_hours,
    count(DISTINCT day) AS days,
    count(*) AS rows,
    count(*) FILTER (WHERE abs(gap) <= slack + 0.5) AS matching,
    sum(abs(gap)) AS gap,
    sum(gap) AS net_gap
FROM rows_compared
GROUP BY seller, shift_hours
ORDER BY seller, shift_hours
