-- The places of the week of which a bucket tells what is usual: its own day, or its hour and the hours beside it.

CREATE OR REPLACE TEMP MACRO week_places(place, bucket) AS -- noqa: CP05
CASE bucket
    WHEN 'day' THEN [place]
    ELSE [place, (place + 1) % 168, (place + 167) % 168]
END;
