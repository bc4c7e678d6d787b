-- The place of a bucket in its week: the day for days, else the hour, both from 0; NULL for the window.

CREATE OR REPLACE TEMP MACRO week_place(bucket_start, bucket, zone) AS -- noqa: CP05
CASE bucket
    WHEN 'window' THEN NULL
    WHEN 'day' THEN isodow(bucket_start AT TIME ZONE zone) - 1
    ELSE 24 * (isodow(bucket_start AT TIME ZONE zone) - 1) + hour(bucket_start AT TIME ZONE zone)
END;
