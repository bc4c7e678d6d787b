-- Per piece: every record is a bill line, a repeated one, of another kind, or a reject.
WITH
seen AS (
    SELECT
        piece,
        count(*) AS records,
        count(*) FILTER (WHERE reason IS NOT NULL) AS unusable,
        count(*) FILTER (WHERE reason IS NULL AND NOT is_call) AS skipped
    FROM judged
    INNER JOIN records_at USING (record_number)
    GROUP BY piece
),
broken AS (
    SELECT piece, count(*) AS broken
    FROM bad
    GROUP BY piece
),
kept AS (
    SELECT load_id, count(*) AS bill_lines
    FROM fresh
    GROUP BY load_id
)
SELECT
    coalesce(records, 0) + coalesce(broken, 0) AS records,
    0 AS attempts,
    coalesce(bill_lines, 0) AS bill_lines,
    0 AS overlapping,
    coalesce(skipped, 0) AS skipped,
    coalesce(unusable, 0) + coalesce(broken, 0) AS rejected,
    0 AS unpriced,
    0 AS no_usage,
    0 AS unattributed,
    0 AS contradictions
FROM placed
LEFT JOIN seen USING (piece)
LEFT JOIN broken USING (piece)
LEFT JOIN kept USING (load_id)
ORDER BY placed.piece
