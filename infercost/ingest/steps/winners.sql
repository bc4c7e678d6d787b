-- One record an attempt: the one of largest rank, which starts when the earliest of its copies does.
SELECT
    attempt_id,
    arg_max(mapped_row, (dedupe_rank, -epoch_us(started_at), -mapped_row)) AS mapped_row,
    max(dedupe_rank) AS dedupe_rank,
    min(started_at) AS started_at
FROM judged
WHERE is_call AND reason IS NULL
GROUP BY attempt_id
