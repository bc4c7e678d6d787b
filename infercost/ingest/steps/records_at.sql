-- Where each record lies, without its content.
SELECT
    raw.rowid AS record_number,
    placed.piece,
    placed.load_id,
    placed.source_file,
    coalesce(raw.line, raw.rowid - placed.first_row + placed.first_line) AS source_line
FROM raw
INNER JOIN placed USING (piece)
