-- Calls of this batch that another format's record in the store tells of too, by the provider's id of the answer.
-- A gateway's cache gives out an old answer with its old id, so a hit is no such call. The record with usage is kept,
-- and of two the one whose kind of writer comes first ($others says so of each stored format).
SELECT
    winners.attempt_id,
    winners.mapped_row,
    stored.attempt_id AS stored_id,
    stored.filename,
    stored.format,
    CASE
        WHEN (stored.usage_source <> 'missing') <> (mapped.usage_source <> 'missing')
            THEN mapped.usage_source <> 'missing'
        ELSE NOT others.wins
    END AS replaces
FROM ($stored) AS stored
INNER JOIN (VALUES $others) AS others (format, wins) USING (format)
INNER JOIN mapped USING (response_id)
INNER JOIN winners ON mapped.rowid = winners.mapped_row
WHERE stored.day BETWEEN
    (SELECT (min(started_at) - INTERVAL 1 DAY)::DATE FROM winners)
    AND (SELECT (max(started_at) + INTERVAL 1 DAY)::DATE FROM winners)
    AND coalesce(stored.gateway_cache, 'miss') = 'miss'
    AND coalesce(mapped.gateway_cache, 'miss') = 'miss'
