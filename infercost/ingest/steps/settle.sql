-- What of the stored attempts changes: a better copy supersedes one (of equal ones that which starts earlier),
-- and any copy that starts earlier moves its start.
SELECT
    known.attempt_id,
    known.filename,
    least(winners.started_at, known.started_at) AS started_at,
    winners.dedupe_rank > known.dedupe_rank
    OR (winners.dedupe_rank = known.dedupe_rank AND winners.started_at < known.started_at) AS superseded
FROM known
INNER JOIN winners USING (attempt_id)
WHERE winners.dedupe_rank > known.dedupe_rank OR winners.started_at < known.started_at
