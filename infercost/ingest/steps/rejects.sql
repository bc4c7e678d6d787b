-- Records that could not be parsed, then records that could not be used.
SELECT placed.load_id, placed.source_file, bad.line AS source_line, bad.reason, bad.record_bytes
FROM bad
INNER JOIN placed USING (piece)
UNION ALL
SELECT records_at.load_id, records_at.source_file, records_at.source_line, judged.reason, NULL
FROM judged
INNER JOIN records_at USING (record_number)
WHERE judged.reason IS NOT NULL
