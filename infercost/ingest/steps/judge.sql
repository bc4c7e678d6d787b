-- For each mapped record: a usable attempt, another kind of record, or a reject with its reason.
SELECT
    mapped.rowid AS mapped_row,
    record_number,
    coalesce(is_call, false) AS is_call,
    md5($family || dedupe_key) AS attempt_id,
    coalesce(dedupe_rank, 0) AS dedupe_rank,
    started_at,
    CASE
        WHEN reject_reason IS NOT NULL THEN reject_reason
        WHEN NOT coalesce(is_call, false) THEN NULL
        WHEN started_at IS NULL THEN 'no start time'
        -- Seconds taken for milliseconds, and the other way round, end up far away.
        WHEN started_at < TIMESTAMPTZ '2015-01-01' OR started_at >= TIMESTAMPTZ '2100-01-01'
            THEN 'start time out of range: ' || strftime(started_at, '%Y-%m-%d')
        WHEN dedupe_key IS NULL THEN 'no id that tells it from other records'
        WHEN least($tokens) < 0 THEN 'a token count is negative'
        -- No sum of believable counts comes near the end of the integers.
        WHEN greatest($tokens) > 1_000_000_000_000 THEN 'a token count is out of range'
    END AS reason
FROM mapped
