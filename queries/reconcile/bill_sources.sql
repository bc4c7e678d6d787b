-- question: Of the sources that tell of the same money or use on a day, which one is compared?
-- grain: one row per seller, measure, part, currency, day (UTC) and source
-- columns:
--   seller: provider of the price book
--   measure: usage or cost
--   part: endpoint, where a format has several
--   currency: ISO 4217 code
--   utc_day: day on which the periods of the lines begin
--   source: format and grouping
--   lines: bill lines
--   picodollars: sum of their money
--   is_chosen: this source is compared; the others tell the same once more

WITH told AS (
    SELECT
        seller,
        measure,
        part,
        currency,
        cast(period_start AT TIME ZONE 'UTC' AS DATE) AS utc_day,
        source,
        is_roll_up,
        count(*) AS lines,
        sum(picodollars) AS picodollars,
        count(*) FILTER (WHERE billed_name <> '') > 0 AS names_models,
        count(token_kind) > 0 AS names_kinds,
        count(tokens) > 0 AS names_tokens,
        count(DISTINCT row(billed_name, token_kind, lane, region, api_key_id)) AS detail,
        max(decimals) AS decimals
    FROM bill_lines
    INNER JOIN bill_names USING (provider, billed_name)
    GROUP BY ALL
)

SELECT
    seller,
    measure,
    part,
    currency,
    utc_day,
    source,
    lines,
    picodollars,
    row_number() OVER (
        PARTITION BY seller, measure, part, currency, utc_day
        ORDER BY
            is_roll_up ASC,
            names_models DESC,
            names_kinds DESC,
            names_tokens DESC,
            decimals DESC,
            detail DESC,
            source ASC
    ) = 1
    -- A gateway's own sums stand in for a bill only where the provider sends none.
    AND (NOT is_roll_up OR bool_and(is_roll_up) OVER (PARTITION BY seller)) AS is_chosen
FROM told
