-- question: What do the logs have on each day of the bill, by model, price and kind?
-- grain: one row per day, seller, model, kind, price row and lane
-- columns:
--   day: day in the zone of the bill
--   seller: provider of the price book
--   model: model key; * on days of which the bill tells no more
--   shown_model: name to show
--   kind: kind compared; requests on the rows that only count calls
--   token_kind: kind as the logs tell it
--   price_id: row of `prices` that made the cost
--   lane: service tier that served
--   tokens: tokens of the day as the bill's periods cut it and `shifts` moves it
--   unpriced_tokens: those of them without a price
--   picodollars: effective cost of the day as moved
--   unmoved: effective cost of the day as the bill's periods cut it, picodollars
--   requests: attempts with tokens, as moved

WITH total_days AS (
    SELECT DISTINCT
        seller,
        day
    FROM chosen_lines
    WHERE model = '*'
),

placed AS (
    SELECT
        our_hours.*,
        bill_windows.first_day,
        bill_windows.end_day,
        bill_windows.is_monthly,
        our_hours.hour + to_hours(bill_windows.offset_hours) AS unmoved_hour,
        our_hours.hour + to_hours(bill_windows.offset_hours + coalesce(shifts.shift_hours, 0)) AS moved_hour
    FROM our_hours
    INNER JOIN bill_windows USING (seller)
    LEFT JOIN shifts ON our_hours.seller = shifts.seller
),

labelled AS (
    SELECT
        * EXCLUDE (tokens, unpriced_tokens, picodollars, requests),
        cast(moved_hour AT TIME ZONE 'UTC' AS DATE) AS exact_day,
        tokens,
        unpriced_tokens,
        picodollars,
        cast(0 AS HUGEINT) AS unmoved,
        requests
    FROM placed
    UNION ALL
    SELECT
        * EXCLUDE (tokens, unpriced_tokens, picodollars, requests),
        cast(unmoved_hour AT TIME ZONE 'UTC' AS DATE) AS exact_day,
        cast(0 AS HUGEINT) AS tokens,
        cast(0 AS HUGEINT) AS unpriced_tokens,
        cast(0 AS HUGEINT) AS picodollars,
        picodollars AS unmoved,
        cast(0 AS HUGEINT) AS requests
    FROM placed
),

by_day AS (
    SELECT
        * EXCLUDE (hour, unmoved_hour, moved_hour, exact_day, first_day, end_day, is_monthly),
        cast(date_trunc(CASE WHEN is_monthly THEN 'month' ELSE 'day' END, exact_day) AS DATE) AS day
    FROM labelled
    WHERE exact_day >= first_day AND exact_day < end_day
),

modelled AS (
    SELECT
        by_day.* EXCLUDE (model, shown_model),
        CASE WHEN total_days.day IS NULL OR token_kind = 'fee' THEN by_day.model ELSE '*' END AS model,
        CASE WHEN total_days.day IS NULL OR token_kind = 'fee' THEN by_day.shown_model ELSE '(all models)' END
            AS shown_model
    FROM by_day
    LEFT JOIN total_days ON by_day.seller = total_days.seller AND by_day.day = total_days.day
)

SELECT
    modelled.day,
    modelled.seller,
    modelled.model,
    min(modelled.shown_model) AS shown_model,
    CASE
        WHEN modelled.token_kind IN ('fee', 'requests') THEN modelled.token_kind
        WHEN kind_folds.kind IS NOT NULL THEN kind_folds.kind
        WHEN modelled.token_kind IN ('output_text', 'reasoning') THEN 'output'
        ELSE modelled.token_kind
    END AS kind,
    modelled.token_kind,
    modelled.price_id,
    modelled.lane,
    cast(sum(modelled.tokens) AS HUGEINT) AS tokens,
    cast(sum(modelled.unpriced_tokens) AS HUGEINT) AS unpriced_tokens,
    cast(sum(modelled.picodollars) AS HUGEINT) AS picodollars,
    cast(sum(modelled.unmoved) AS HUGEINT) AS unmoved,
    cast(sum(modelled.requests) AS HUGEINT) AS requests
FROM modelled
LEFT JOIN kind_folds
    ON
        modelled.seller = kind_folds.seller
        AND modelled.model = kind_folds.model
        AND modelled.token_kind = kind_folds.token_kind
GROUP BY
    modelled.day, modelled.seller, modelled.model, modelled.token_kind, modelled.price_id, modelled.lane,
    kind_folds.kind
