-- Stored attempts that are now known to repeat others, and those that are known to do so no longer.
SELECT stored.attempt_id, stored.filename
FROM (
    SELECT attempt_id, filename, day, false AS is_aside FROM ($attempts)
    UNION ALL
    SELECT attempt_id, filename, day, true AS is_aside FROM ($set_aside)
) AS stored
INNER JOIN decided USING (attempt_id)
ANTI JOIN settled USING (attempt_id)
WHERE stored.is_aside <> decided.is_aside
    AND stored.day BETWEEN
    (SELECT (min(started_at) AT TIME ZONE 'UTC')::DATE FROM decided)
    AND (SELECT (max(started_at) AT TIME ZONE 'UTC')::DATE FROM decided)
