-- What is counted of the priced attempts, worked out once: each time that `priced` is read, it prices them again.
SELECT
    load_id,
    CASE WHEN $is_unpriced THEN coalesce(price_model, '(no model)') END AS unpriced_model,
    usage_source = 'missing' AS lacks_usage,
    feature = $unattributed AS is_unattributed,
    regexp_replace(contradiction, '[0-9]+', 'N', 'g') AS contradiction,
    count(*) AS attempts,
    min(CASE WHEN contradiction IS NOT NULL THEN {'file': source_file, 'line': source_line} END) AS first_place
FROM priced
GROUP BY ALL
