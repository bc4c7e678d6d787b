-- A record may have several calls in one place of the tree. Those of them that repeat others are one record of another
-- kind, or nothing beside a call that is left: the rows that do not count.
SELECT judged.mapped_row
FROM judged
INNER JOIN mapped ON judged.mapped_row = mapped.rowid
INNER JOIN decided USING (attempt_id)
WHERE judged.is_call AND judged.reason IS NULL
QUALIFY decided.is_aside AND (
    NOT bool_and(decided.is_aside) OVER (PARTITION BY judged.record_number, mapped.node_id)
    OR row_number() OVER (PARTITION BY judged.record_number, mapped.node_id ORDER BY judged.mapped_row) > 1
)
