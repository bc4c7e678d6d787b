-- For each mapped record of a bill: a usable line, another kind of record, or a reject with its reason.
SELECT
    mapped.rowid AS mapped_row,
    record_number,
    coalesce(is_call, false) AS is_call,
    md5($family || dedupe_key) AS bill_id,
    coalesce(dedupe_rank, 0) AS dedupe_rank,
    CASE
        WHEN reject_reason IS NOT NULL THEN reject_reason
        WHEN NOT coalesce(is_call, false) THEN NULL
        WHEN period_start IS NULL THEN 'no start of the charge period'
        WHEN period_start < TIMESTAMPTZ '2015-01-01' OR period_start >= TIMESTAMPTZ '2100-01-01'
            THEN 'charge period out of range: ' || strftime(period_start, '%Y-%m-%d')
        WHEN coalesce(measure NOT IN ($measures), true) THEN 'neither usage nor cost'
        WHEN coalesce(quantity, requests, billed_cost) IS NULL THEN 'neither a quantity nor a cost'
        WHEN dedupe_key IS NULL THEN 'nothing that tells it from other lines'
    END AS reason
FROM mapped
