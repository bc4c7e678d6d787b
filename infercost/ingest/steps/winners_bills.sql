-- One record a bill line. A bill that is fetched again has the same line with more in it: the larger one is newer.
SELECT
    bill_id,
    arg_max(
        judged.mapped_row,
        (judged.dedupe_rank, coalesce(abs(billed_cost), 0) + coalesce(abs(quantity), 0), -judged.mapped_row)
    ) AS mapped_row
FROM judged
INNER JOIN mapped ON judged.mapped_row = mapped.rowid
WHERE judged.is_call AND judged.reason IS NULL
GROUP BY bill_id
