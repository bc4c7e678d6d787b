-- question: As which kind is each kind of tokens compared, so that both sides tell it?
-- grain: one row per seller, model with billed tokens, and kind of tokens
-- columns:
--   seller: provider of the price book
--   model: model key
--   token_kind: kind as a log or a bill names it
--   kind: kind compared: the same, input or output where the bill does not split it, all where it splits nothing

-- Money decides how fine kinds are told; where there is none, quantities do.
WITH told AS (
    SELECT
        seller,
        model,
        coalesce(
            list(DISTINCT coalesce(token_kind, 'all')) FILTER (WHERE measure = 'cost'),
            list(DISTINCT coalesce(token_kind, 'all'))
        ) AS kinds
    FROM chosen_lines
    WHERE line_class = 'tokens'
    GROUP BY seller, model
),

every_kind AS (
    SELECT
        token_kind,
        CASE WHEN token_kind LIKE 'output%' OR token_kind = 'reasoning' THEN 'output' ELSE 'input' END AS side
    FROM (
        SELECT
            unnest(
                [
                    'input', 'input_uncached', 'cache_read', 'cache_write_5m', 'cache_write_30m', 'cache_write_1h',
                    'cache_write_12h', 'input_audio', 'input_image', 'output', 'output_text', 'reasoning',
                    'output_audio', 'output_image', 'all'
                ]
            ) AS token_kind
    ) AS kinds
)

SELECT
    told.seller,
    told.model,
    every_kind.token_kind,
    CASE
        WHEN list_contains(told.kinds, 'all') THEN 'all'
        WHEN list_contains(told.kinds, every_kind.token_kind) THEN every_kind.token_kind
        WHEN list_contains(told.kinds, every_kind.side) THEN every_kind.side
        WHEN every_kind.token_kind IN ('output_text', 'reasoning') THEN 'output'
        ELSE every_kind.token_kind
    END AS kind
FROM told
CROSS JOIN every_kind
