-- What the store knows of the traces of this batch. A trace is taken to be over within $days days: read so far to both
-- sides, its tree is whole whichever part of it comes last.
SELECT stored.* EXCLUDE (day)
FROM ($stored) AS stored
SEMI JOIN nodes USING (family, tree_id)
WHERE stored.day BETWEEN
    (SELECT (min(started_at) - INTERVAL $days DAY)::DATE FROM nodes)
    AND (SELECT (max(started_at) + INTERVAL $days DAY)::DATE FROM nodes)
