-- What the format's SELECT reads: the declared columns, with the place of each record.
-- Without blank lines a record's line follows from its position; the line by line path gives it itself.
SELECT
    $columns,
    raw.position AS record_number,
    placed.source_file,
    placed.file_modified_at,
    coalesce(raw.line, raw.position - placed.first_row + placed.first_line) AS source_line
FROM ($raw) AS raw
INNER JOIN placed USING (piece)
