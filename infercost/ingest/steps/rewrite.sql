-- The rows of files that are written again: those that are not superseded, with starts moved to the earliest copy.
SELECT
    stored.* EXCLUDE (day) REPLACE (coalesce(settled.started_at, stored.started_at) AS started_at),
    coalesce((settled.started_at AT TIME ZONE 'UTC')::DATE, stored.day) AS day
FROM read_parquet([$files], hive_partitioning = true) AS stored
LEFT JOIN settled USING (attempt_id)
WHERE NOT coalesce(settled.superseded, false)
