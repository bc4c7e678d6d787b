-- question: Which days does each seller bill, and where do its days begin?
-- grain: one row per seller with a chosen bill line
-- parameters: since, until
-- columns:
--   seller: provider of the price book
--   offset_hours: hours from UTC to the zone in which the bill cuts its days, as its periods tell
--   is_monthly: a charge by tokens covers more than a day, so that months are compared
--   has_money: a chosen line is a cost
--   first_day: first day compared, in that zone
--   end_day: first day not compared

-- Bounds of the years that a charge period may lie in stand for "as far as the bills reach".
WITH chosen AS (
    SELECT
        bill_lines.*,
        bill_names.seller
    FROM bill_lines
    INNER JOIN bill_names USING (provider, billed_name)
    INNER JOIN bill_sources
        ON
            bill_names.seller = bill_sources.seller
            AND bill_lines.measure = bill_sources.measure
            AND bill_lines.part = bill_sources.part
            AND bill_lines.currency = bill_sources.currency
            AND cast(bill_lines.period_start AT TIME ZONE 'UTC' AS DATE) = bill_sources.utc_day
            AND bill_lines.source = bill_sources.source
    WHERE bill_sources.is_chosen AND bill_lines.currency = 'USD'
),

told AS (
    SELECT
        seller,
        coalesce(
            mode((24 - hour(period_start AT TIME ZONE 'UTC')) % 24)
            FILTER (WHERE period_end - period_start BETWEEN INTERVAL 23 HOUR AND INTERVAL 25 HOUR),
            0
        ) AS told_hours,
        coalesce(
            bool_or(period_end - period_start > INTERVAL 25 HOUR)
            FILTER (WHERE line_class = 'tokens' AND measure = 'cost'),
            FALSE
        ) AS is_monthly,
        bool_or(measure = 'cost') AS has_money,
        min(period_start) AS first_start,
        max(CASE WHEN period_end - period_start > INTERVAL 25 HOUR THEN period_start ELSE period_end END) AS last_end,
        max(period_start) AS last_start
    FROM chosen
    GROUP BY seller
),

placed AS (
    SELECT
        *,
        CASE WHEN told_hours > 14 THEN told_hours - 24 ELSE told_hours END AS offset_hours
    FROM told
)

SELECT
    seller,
    cast(offset_hours AS BIGINT) AS offset_hours,
    is_monthly,
    has_money,
    cast(
        date_trunc(
            CASE WHEN is_monthly THEN 'month' ELSE 'day' END,
            (CASE WHEN $since > TIMESTAMPTZ '2015-01-01' THEN $since ELSE first_start + to_hours(offset_hours) END)
            AT TIME ZONE 'UTC'
        ) AS DATE
    ) AS first_day,
    CASE
        WHEN $until < TIMESTAMPTZ '2100-01-01'
            THEN cast(($until - INTERVAL 1 MICROSECOND) AT TIME ZONE 'UTC' AS DATE) + 1
        WHEN is_monthly
            THEN last_day(cast((last_start + to_hours(offset_hours)) AT TIME ZONE 'UTC' AS DATE)) + 1
        ELSE
            greatest(
                cast(
                    (last_end + to_hours(offset_hours) - INTERVAL 1 MICROSECOND) AT TIME ZONE 'UTC' AS DATE
                ) + 1,
                cast((last_start + to_hours(offset_hours)) AT TIME ZONE 'UTC' AS DATE) + 1
            )
    END AS end_day
FROM placed
