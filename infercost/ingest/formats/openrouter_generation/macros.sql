-- Milliseconds of a call. No call takes a day: what says so, or less than nothing, is unknown, and no clock is set by it.
CREATE OR REPLACE TEMP MACRO openrouter_milliseconds(told) AS
    CASE WHEN try_cast(told AS DOUBLE) BETWEEN 0 AND 86_400_000 THEN try_cast(told AS DOUBLE) END;
