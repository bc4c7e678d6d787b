-- Calls of this batch that another format's record in the store tells of too, by the provider's id of the answer, or
-- by Anthropic's id of the request where a log has no other. A gateway's cache gives out an old answer with its old
-- id, so a hit is no such call. The record with usage is kept, and of two the one whose kind of writer comes first
-- (`others` says so of each stored format).
WITH
known_before AS (
    SELECT
        attempt_id,
        filename,
        format,
        usage_source <> 'missing' AS has_usage,
        unnest([response_id, CASE WHEN starts_with(request_id, 'req_') THEN request_id END]) AS call_reference
    FROM ($stored)
    WHERE day BETWEEN
        (SELECT (min(started_at) - INTERVAL 1 DAY)::DATE FROM winners)
        AND (SELECT (max(started_at) + INTERVAL 1 DAY)::DATE FROM winners)
        AND coalesce(gateway_cache, 'miss') = 'miss'
),
told_now AS (
    SELECT
        winners.attempt_id,
        winners.mapped_row,
        mapped.usage_source <> 'missing' AS has_usage,
        unnest(
            [mapped.response_id, CASE WHEN starts_with(mapped.request_id, 'req_') THEN mapped.request_id END]
        ) AS call_reference
    FROM winners
    INNER JOIN mapped ON mapped.rowid = winners.mapped_row
    ANTI JOIN aside USING (attempt_id)
    WHERE coalesce(mapped.gateway_cache, 'miss') = 'miss'
)
SELECT DISTINCT
    told_now.attempt_id,
    told_now.mapped_row,
    known_before.attempt_id AS stored_id,
    known_before.filename,
    known_before.format,
    CASE
        WHEN known_before.has_usage <> told_now.has_usage THEN told_now.has_usage
        ELSE NOT others.wins
    END AS replaces
FROM known_before
INNER JOIN told_now USING (call_reference)
INNER JOIN others USING (format)
