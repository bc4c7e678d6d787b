-- question: What does the bill say of each day, model, kind and lane?
-- grain: one row per day, seller, model, kind and lane with a chosen bill line
-- columns:
--   day: day in the zone of the bill
--   seller: provider of the price book
--   model: model key, or the charge of a fee
--   shown_model: name to show
--   kind: kind compared; fee = not by tokens
--   billed: picodollars; NULL = no line has money
--   tokens: billed tokens, of the lines with money where all tell them, else of the usage; NULL = not told
--   unseen: part of `billed` that is of keys or regions which the logs never show, picodollars
--   unseen_tokens: part of `tokens` that is of those
--   lane: service tier as billed, with long for the tier of long contexts; any where the bill does not tell all
--   slack: picodollars that the decimals of the bill cannot tell

WITH folded AS (
    SELECT
        chosen_lines.*,
        CASE
            WHEN line_class = 'fee' THEN 'fee'
            ELSE coalesce(kind_folds.kind, chosen_lines.token_kind, 'all')
        END AS kind
    FROM chosen_lines
    LEFT JOIN kind_folds
        ON
            chosen_lines.seller = kind_folds.seller
            AND chosen_lines.model = kind_folds.model
            AND coalesce(chosen_lines.token_kind, 'all') = kind_folds.token_kind
    WHERE line_class IN ('tokens', 'fee')
),

-- What the amounts of a seller tell: never less than cents, and of floats no more than a billionth.
precision AS (
    SELECT
        seller,
        greatest(least(max(decimals), 9), 2) AS decimals
    FROM chosen_lines
    WHERE measure = 'cost'
    GROUP BY seller
),

summed AS (
    SELECT
        day,
        seller,
        model,
        kind,
        lane,
        min(shown_model) AS shown_model,
        sum(picodollars) AS billed,
        count(*) FILTER (WHERE measure = 'cost') AS cost_lines,
        count(tokens) FILTER (WHERE measure = 'cost') AS cost_counts,
        sum(tokens) FILTER (WHERE measure = 'cost') AS cost_tokens,
        sum(tokens) FILTER (WHERE measure = 'cost' AND is_unseen) AS unseen_cost_tokens,
        sum(tokens) FILTER (WHERE measure = 'usage') AS usage_tokens,
        sum(tokens) FILTER (WHERE measure = 'usage' AND is_unseen) AS unseen_usage_tokens,
        sum(picodollars) FILTER (WHERE is_unseen) AS unseen
    FROM folded
    GROUP BY day, seller, model, kind, lane
)

SELECT
    summed.day,
    summed.seller,
    summed.model,
    summed.shown_model,
    summed.kind,
    cast(summed.billed AS HUGEINT) AS billed,
    cast(
        CASE
            WHEN summed.cost_lines > 0 AND summed.cost_counts = summed.cost_lines THEN summed.cost_tokens
            ELSE summed.usage_tokens
        END AS HUGEINT
    ) AS tokens,
    cast(coalesce(summed.unseen, 0) AS HUGEINT) AS unseen,
    cast(
        coalesce(
            CASE
                WHEN summed.cost_lines > 0 AND summed.cost_counts = summed.cost_lines
                    THEN coalesce(summed.unseen_cost_tokens, 0)
                ELSE summed.unseen_usage_tokens
            END,
            0
        ) AS HUGEINT
    ) AS unseen_tokens,
    summed.lane,
    cast(greatest(summed.cost_lines, 1) AS HUGEINT)
    * cast(500000000000 / pow(10, coalesce(precision.decimals, 2)) AS HUGEINT) AS slack
FROM summed
LEFT JOIN precision ON summed.seller = precision.seller
