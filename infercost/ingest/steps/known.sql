-- Attempts of this batch that the store has already. A copy may lie on the day before or after.
SELECT
    stored.attempt_id,
    stored.dedupe_rank,
    stored.started_at,
    stored.filename
FROM ($stored) AS stored
INNER JOIN winners USING (attempt_id)
WHERE stored.day BETWEEN
    (SELECT (min(started_at) - INTERVAL 1 DAY)::DATE FROM winners)
    AND (SELECT (max(started_at) + INTERVAL 1 DAY)::DATE FROM winners)
