-- question: Which bill lines are compared, on which day, under which model?
-- grain: one row per line of a chosen source in US dollars, or without money
-- columns:
--   day: day of the charge in the zone of the bill (its month, where the bill is by months)
--   seller: provider of the price book
--   model: model key, or the charge of a fee; * = all models of the seller, on days of which the bill tells no more
--   shown_model: model as the book or the bill names it
--   token_kind: kind of tokens as billed; NULL = not split
--   measure: usage or cost
--   line_class: tokens, requests, fee or other
--   lane: service tier as billed, with long for the tier of long contexts; any where the bill does not tell all
--   is_unseen: the line is of a key or a region that the logs never show, while they do show others of the bill
--   tokens: billed tokens; NULL = not told
--   requests: billed calls; NULL = not told
--   picodollars: billed; NULL = no money
--   decimals: decimals of the billed amount

WITH chosen AS (
    SELECT
        bill_lines.*,
        bill_names.seller,
        bill_names.model,
        bill_names.shown_model,
        cast(
            date_trunc(
                CASE WHEN bill_windows.is_monthly THEN 'month' ELSE 'day' END,
                (bill_lines.period_start + to_hours(bill_windows.offset_hours)) AT TIME ZONE 'UTC'
            ) AS DATE
        ) AS day
    FROM bill_lines
    INNER JOIN bill_names USING (provider, billed_name)
    INNER JOIN bill_windows USING (seller)
    INNER JOIN bill_sources
        ON
            bill_names.seller = bill_sources.seller
            AND bill_lines.measure = bill_sources.measure
            AND bill_lines.part = bill_sources.part
            AND bill_lines.currency = bill_sources.currency
            AND cast(bill_lines.period_start AT TIME ZONE 'UTC' AS DATE) = bill_sources.utc_day
            AND bill_lines.source = bill_sources.source
    WHERE bill_sources.is_chosen AND bill_lines.currency = 'USD'
),

-- Where a day has money without models, everything of that day is one row.
totals AS (
    SELECT
        seller,
        day
    FROM chosen
    WHERE line_class = 'tokens'
    GROUP BY seller, day
    HAVING
        coalesce(
            bool_and(billed_name = '') FILTER (WHERE measure = 'cost'),
            bool_and(billed_name = '')
        )
),

modelled AS (
    SELECT
        chosen.* EXCLUDE (model, shown_model),
        totals.day IS NOT NULL AS is_total,
        CASE WHEN totals.day IS NULL THEN chosen.model ELSE '*' END AS model,
        CASE WHEN totals.day IS NULL THEN chosen.shown_model ELSE '(all models)' END AS shown_model
    FROM chosen
    LEFT JOIN totals ON chosen.seller = totals.seller AND chosen.day = totals.day
    -- Usage without a model cannot meet money by models.
    WHERE chosen.billed_name <> '' OR chosen.line_class = 'fee' OR chosen.measure = 'cost' OR totals.day IS NOT NULL
),

-- A call of ours without a region may be of any, so one such call leaves none to be called new (NOT IN with NULL).
places AS (
    SELECT
        *,
        coalesce(
            region NOT IN (SELECT our_places.region FROM our_places WHERE our_places.seller = modelled.seller), FALSE
        ) AS is_new_region,
        coalesce(
            api_key_id NOT IN (SELECT our_places.api_key_id FROM our_places WHERE our_places.seller = modelled.seller),
            FALSE
        ) AS is_new_key,
        coalesce(
            api_key_name
            NOT IN (SELECT our_places.api_key_name FROM our_places WHERE our_places.seller = modelled.seller),
            FALSE
        ) AS is_new_name
    FROM modelled
),

comparable AS (
    SELECT
        *,
        bool_or(region IS NOT NULL AND NOT is_new_region) OVER (PARTITION BY seller) AS are_regions_known,
        bool_or(api_key_id IS NOT NULL AND NOT is_new_key) OVER (PARTITION BY seller) AS are_keys_known,
        bool_or(api_key_name IS NOT NULL AND NOT is_new_name) OVER (PARTITION BY seller) AS are_names_known
    FROM places
)

,

-- Lanes can be compared where some line names one, and money and tokens name the same.
lanes AS (
    SELECT
        seller,
        model,
        bool_or(lane <> 'standard')
        AND coalesce(
            list_sort(list(DISTINCT lane) FILTER (WHERE measure = 'cost'))
            = list_sort(list(DISTINCT lane) FILTER (WHERE tokens IS NOT NULL)),
            TRUE
        ) AS are_told
    FROM comparable
    WHERE line_class = 'tokens'
    GROUP BY seller, model
)

SELECT
    comparable.day,
    comparable.seller,
    CASE WHEN line_class = 'fee' THEN coalesce(charge, 'fee') ELSE comparable.model END AS model,
    CASE WHEN line_class = 'fee' THEN coalesce(charge, 'fee') ELSE shown_model END AS shown_model,
    token_kind,
    measure,
    line_class,
    CASE WHEN lanes.are_told THEN comparable.lane ELSE 'any' END AS lane,
    (is_new_region AND are_regions_known)
    OR (is_new_key AND are_keys_known)
    OR (is_new_name AND are_names_known) AS is_unseen,
    tokens,
    requests,
    picodollars,
    decimals
FROM comparable
LEFT JOIN lanes ON comparable.seller = lanes.seller AND comparable.model = lanes.model
