-- The places of the records in the trees of their traces. What cannot be used as a call is a place all the same.
SELECT DISTINCT
    $family AS family,
    coalesce(mapped.trace_id, '') AS tree_id,
    mapped.node_id,
    coalesce(mapped.parent_ids, []) AS parent_ids,
    CASE WHEN is_usable THEN coalesce(mapped.call_kind, '') END AS call_kind,
    CASE WHEN is_usable THEN judged.attempt_id END AS attempt_id,
    CASE WHEN is_usable THEN coalesce(mapped.usage_source <> 'missing', false) END AS has_usage,
    CASE WHEN is_usable THEN coalesce(mapped.status = 'error', false) END AS is_failed,
    -- As for attempts: seconds taken for milliseconds, and the other way round, are no time.
    CASE
        WHEN mapped.started_at >= TIMESTAMPTZ '2015-01-01' AND mapped.started_at < TIMESTAMPTZ '2100-01-01'
            THEN mapped.started_at
    END AS started_at
FROM (SELECT *, is_call AND reason IS NULL AS is_usable FROM judged) AS judged
INNER JOIN mapped ON judged.mapped_row = mapped.rowid
WHERE mapped.node_id IS NOT NULL
