-- Lines of this batch that the store has already, and whether the stored one gives way.
SELECT
    stored.bill_id,
    stored.filename,
    (fresh.dedupe_rank, coalesce(abs(fresh.billed_cost), 0) + coalesce(abs(fresh.quantity), 0))
    > (stored.dedupe_rank, coalesce(abs(stored.billed_cost), 0) + coalesce(abs(stored.quantity), 0)) AS superseded
FROM ($stored) AS stored
INNER JOIN fresh USING (bill_id)
