-- The attempts of this batch that repeat others.
SELECT winners.attempt_id, winners.mapped_row
FROM winners
INNER JOIN decided USING (attempt_id)
WHERE decided.is_aside
