-- The attempts of a window and, for 5 minutes, hours and days, those of some weeks before it (is_past), each with its
-- bucket, the place of that in the week, and the request it belongs to.

CREATE OR REPLACE TEMP MACRO attempts_by_bucket(since, until, zone, cut, weeks) AS TABLE -- noqa: CP05
    SELECT
        *, -- noqa: AM04
        'everything' AS everything,
        coalesce(request_id, attempt_id) AS request_key,
        coalesce(gateway_cache, '') IN ('exact', 'semantic', 'hit') AS is_hit,
        started_at < since AS is_past,
        bucket_of(started_at, cut, zone, since) AS bucket,
        week_place(bucket, cut, zone) AS place
    FROM attempts
    WHERE
        -- The store is cut by UTC day; naming the days leaves out files.
        day >= cast((since - to_days(CASE cut WHEN 'window' THEN 0 ELSE 7 * weeks END)) AT TIME ZONE 'UTC' AS DATE)
        AND day <= cast(until AT TIME ZONE 'UTC' AS DATE)
        AND started_at >= since - to_days(CASE cut WHEN 'window' THEN 0 ELSE 7 * weeks END)
        AND started_at < until;
