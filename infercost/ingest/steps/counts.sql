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
        sum(attempts)::BIGINT AS attempts,
        sum(attempts) FILTER (WHERE unpriced_model IS NOT NULL)::BIGINT AS unpriced,
        sum(attempts) FILTER (WHERE lacks_usage)::BIGINT AS no_usage,
        sum(attempts) FILTER (WHERE is_unattributed)::BIGINT AS unattributed,
        sum(attempts) FILTER (WHERE contradiction IS NOT NULL)::BIGINT AS contradictions
    FROM told
    GROUP BY load_id
),
told_twice AS (
    SELECT piece, count(*) AS overlapping
    FROM left_out
    INNER JOIN judged USING (mapped_row)
    INNER JOIN records_at USING (record_number)
    GROUP BY piece
),
-- What repeats another call of its trace is a record of another kind.
set_aside AS (
    SELECT piece, count(*) AS repeating
    FROM aside
    INNER JOIN judged USING (mapped_row)
    INNER JOIN records_at USING (record_number)
    GROUP BY piece
)
SELECT
    coalesce(records, 0) + coalesce(broken, 0) AS records,
    coalesce(attempts, 0) AS attempts,
    0 AS bill_lines,
    coalesce(overlapping, 0) AS overlapping,
    coalesce(skipped, 0) + coalesce(repeating, 0) AS skipped,
    coalesce(unusable, 0) + coalesce(broken, 0) AS rejected,
    coalesce(unpriced, 0) AS unpriced,
    coalesce(no_usage, 0) AS no_usage,
    coalesce(unattributed, 0) AS unattributed,
    coalesce(contradictions, 0) AS contradictions
FROM placed
LEFT JOIN seen USING (piece)
LEFT JOIN broken USING (piece)
LEFT JOIN kept USING (load_id)
LEFT JOIN told_twice USING (piece)
LEFT JOIN set_aside USING (piece)
ORDER BY placed.piece
