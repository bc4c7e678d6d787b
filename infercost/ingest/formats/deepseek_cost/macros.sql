-- The rows of DeepSeek's two tables with their period, written as a start and an end, or as a day.
CREATE OR REPLACE TEMP MACRO deepseek_rows(source) AS TABLE
    SELECT
        *,
        coalesce(start_time_iso, utc_date) AS written_start,
        coalesce(
            utc(start_time_iso), utc(utc_date), try_strptime(trim(utc_date), '%Y%m%d') AT TIME ZONE 'UTC'
        ) AS started,
        coalesce(utc(end_time_iso), CASE WHEN start_time_iso IS NULL THEN started + INTERVAL 1 DAY END) AS ended
    FROM query_table(source);
