-- The first moment, UTC, of the bucket that a moment is in: of 5 minutes, an hour or a day in the zone, or the window.

CREATE OR REPLACE TEMP MACRO bucket_of(moment, bucket, zone, since) AS -- noqa: CP05
CASE bucket
    WHEN 'window' THEN since
    WHEN 'day' THEN date_trunc('day', moment AT TIME ZONE zone) AT TIME ZONE zone
    -- The hour that is repeated when a clock is set back is two hours.
    WHEN 'hour' THEN moment - to_microseconds(epoch_us(moment AT TIME ZONE zone) % 3600000000)
    ELSE time_bucket(INTERVAL 5 MINUTE, moment)
END;
