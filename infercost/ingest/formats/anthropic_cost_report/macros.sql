-- The results in the buckets of Anthropic's reports (`told`), and what they are grouped by.
CREATE OR REPLACE TEMP MACRO anthropic_results(source, dimensions) AS TABLE
    SELECT
        * EXCLUDE (listed_results),
        unnest(CASE WHEN listed_results = [] THEN [NULL] ELSE listed_results END) AS told
    FROM (
        SELECT
            *,
            CASE
                WHEN json_type(bucket, '$.results') = 'ARRAY' THEN bucket -> '$.results[*]' ELSE []
            END AS listed_results,
            bucket ->> '$.starting_at' AS written_start,
            utc(written_start) AS started,
            utc(bucket ->> '$.ending_at') AS ended,
            coalesce(nullif(array_to_string(
                list_filter(dimensions, lambda name: has_dimension(listed_results, name)), ', '
            ), ''), 'none') AS grouped_by
        FROM bill_buckets(source)
    );
