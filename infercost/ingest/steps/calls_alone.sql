-- The mapped records, of which those that repeat others are no calls.
WITH decided_rows AS (
    SELECT
        mapped.*,
        coalesce(mapped.is_call, false) AND NOT coalesce(judged.reason IS NULL AND decided.is_aside, false) AS is_left
    FROM mapped
    INNER JOIN judged ON mapped.rowid = judged.mapped_row
    LEFT JOIN decided USING (attempt_id)
)
SELECT * EXCLUDE (is_left)
FROM decided_rows
WHERE is_left
UNION ALL BY NAME
SELECT record_number, false AS is_call, CASE WHEN NOT is_call THEN reject_reason END AS reject_reason
FROM decided_rows
WHERE NOT is_left
