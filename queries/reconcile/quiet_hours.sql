-- question: In which hours of a day have the logs nothing, though other days have plenty in them?
-- grain: one row per seller and day with logs
-- columns:
--   seller: provider of the price book
--   day: day in the zone of the bill
--   hours: those hours of the day, 0..23, in the zone of the bill

WITH placed AS (
    SELECT
        our_hours.seller,
        our_hours.requests,
        (our_hours.hour + to_hours(bill_windows.offset_hours + coalesce(shifts.shift_hours, 0)))
        AT TIME ZONE 'UTC' AS hour
    FROM our_hours
    INNER JOIN bill_windows USING (seller)
    LEFT JOIN shifts ON our_hours.seller = shifts.seller
    WHERE our_hours.token_kind = 'requests' AND NOT bill_windows.is_monthly
),

logged AS (
    SELECT
        seller,
        cast(hour AS DATE) AS day,
        hour(hour) AS hour,
        sum(requests) AS requests
    FROM placed
    GROUP BY ALL
),

days AS (
    SELECT
        seller,
        day,
        count(*) OVER (PARTITION BY seller) AS days
    FROM logged
    GROUP BY seller, day
),

usual AS (
    SELECT
        seller,
        hour,
        count(*) AS days,
        sum(requests) AS requests
    FROM logged
    GROUP BY seller, hour
)

SELECT
    days.seller,
    days.day,
    list(usual.hour ORDER BY usual.hour) AS hours
FROM days
INNER JOIN usual USING (seller)
LEFT JOIN logged ON days.seller = logged.seller AND days.day = logged.day AND usual.hour = logged.hour
-- An hour of few calls is empty by chance; three a day leave it empty on one day of twenty.
WHERE
    logged.hour IS NULL
    AND days.days > 2
    AND 10 * usual.days >= 9 * (days.days - 1)
    AND usual.requests >= 3 * usual.days
GROUP BY days.seller, days.day
