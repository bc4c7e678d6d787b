-- Per piece: every record is an attempt, a duplicate, of another kind, or a reject.
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
    SELECT
        load_id,
        count(*) AS attempts,
        count(*) FILTER (WHERE $is_unpriced) AS unpriced,
        count(*) FILTER (WHERE usage_source = 'missing') AS no_usage,
        count(*) FILTER (WHERE feature = $unattributed) AS unattributed
    FROM priced
    GROUP BY load_id
)
SELECT
    coalesce(records, 0) + coalesce(broken, 0) AS records,
    coalesce(attempts, 0) AS attempts,
    coalesce(skipped, 0) AS skipped,
    coalesce(unusable, 0) + coalesce(broken, 0) AS rejected,
    coalesce(unpriced, 0) AS unpriced,
    coalesce(no_usage, 0) AS no_usage,
    coalesce(unattributed, 0) AS unattributed
FROM placed
LEFT JOIN seen USING (piece)
LEFT JOIN broken USING (piece)
LEFT JOIN kept USING (load_id)
ORDER BY placed.piece
