-- question: Which lines do the bills of the window have, and what is each of them?
-- grain: one row per bill line whose period begins in the window
-- parameters: since, until
-- columns:
--   bill_id: row of `bills`
--   measure: usage or cost; the two are never added
--   provider: who is to be paid, as named; a gateway's own roll-up tells the provider behind it
--   billed_name: model as billed, or the charge where a line of tokens has no model; empty = a total, or a fee
--   line_class: tokens (priced by the token), requests, fee (anything else that costs), other (usage without price)
--   source: format and grouping of the answer the line came in; sources of one provider tell of the same money
--   is_roll_up: the source is a gateway's own sum of what it logged, not a bill of the provider
--   part: endpoint that the line is of, where a format has several
--   period_start: start of the charge period, UTC
--   period_end: end of the charge period, UTC
--   token_kind: kind of tokens as billed; NULL = not split
--   lane: service tier as billed, standard where none is told, and long for the tier of long contexts
--   region: region as billed
--   api_key_id: hashed key
--   api_key_name: alias of the key
--   charge: kind of charge, verbatim, behind what it is where it is no usage: tax, credit, ...
--   tokens: billed tokens; NULL = not told
--   requests: billed calls; NULL = not told
--   picodollars: billed, in picos of `currency`; NULL = the line has no money
--   currency: ISO 4217 code
--   decimals: decimals of the billed amount, trailing zeros left out

WITH told AS (
    SELECT
        *,
        lower(coalesce(tags['charge_category'], tags['line_item_type'], 'usage')) AS category,
        tags['grouped_by'] IS NOT NULL AND measure = 'usage' AS has_width
    FROM bills
    WHERE period_start >= $since AND period_start < $until
)

SELECT
    bill_id,
    measure,
    coalesce(CASE WHEN format = 'litellm-daily' THEN tags['provider'] END, provider_name, '(unknown)') AS provider,
    coalesce(model, CASE WHEN token_kind IS NOT NULL AND measure = 'cost' THEN charge END, '') AS billed_name,
    CASE
        WHEN measure = 'usage' AND quantity_unit = 'tokens' AND token_kind IS NOT NULL THEN 'tokens'
        WHEN measure = 'usage' AND requests IS NOT NULL THEN 'requests'
        WHEN measure = 'usage' THEN 'other'
        WHEN category NOT IN ('usage', 'discountedusage', 'savingsplancoveredusage') THEN 'fee'
        WHEN token_kind IS NOT NULL OR quantity_unit = 'tokens' THEN 'tokens'
        WHEN
            model IS NOT NULL AND quantity_unit IS NULL AND coalesce(tags['cost_type'], 'tokens') IN ('token', 'tokens')
            THEN 'tokens'
        -- A line without a model and without a charge is the sum of everything.
        WHEN model IS NULL AND coalesce(charge, 'total_cost') = 'total_cost' THEN 'tokens'
        ELSE 'fee'
    END AS line_class,
    concat_ws(
        ', ', format, 'grouped by ' || tags['grouped_by'], 'rollup ' || tags['rollup'],
        CASE WHEN tags['custom_llm_provider'] IS NOT NULL THEN 'by LiteLLM' END,
        CASE WHEN has_width THEN 'buckets of ' || cast(epoch(period_end) - epoch(period_start) AS BIGINT) || ' s' END
    ) AS source,
    format = 'litellm-daily' OR tags['custom_llm_provider'] IS NOT NULL AS is_roll_up,
    coalesce(tags['api'], 'completions') AS part,
    period_start,
    coalesce(period_end, period_start) AS period_end,
    token_kind,
    coalesce(lower(service_tier), 'standard')
    || CASE WHEN regexp_matches(context_window, '^(>|long|200k-)') THEN ' long' ELSE '' END AS lane,
    region,
    api_key_id,
    api_key_name,
    CASE
        WHEN category IN ('usage', 'discountedusage', 'savingsplancoveredusage') THEN charge
        ELSE concat_ws(': ', category, charge)
    END AS charge,
    CASE WHEN quantity_unit = 'tokens' THEN cast(quantity AS HUGEINT) END AS tokens,
    requests,
    cast(billed_cost * 1000000000000 AS HUGEINT) AS picodollars,
    coalesce(currency, 'USD') AS currency,
    length(rtrim(split_part(cast(billed_cost AS VARCHAR), '.', 2), '0')) AS decimals
FROM told
