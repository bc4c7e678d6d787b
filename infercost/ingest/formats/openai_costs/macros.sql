-- The results in the buckets of OpenAI's costs and usage (`told`), and what they are grouped by; a row of a table is
-- its own bucket and result.
CREATE OR REPLACE TEMP MACRO openai_results(source, dimensions) AS TABLE
    WITH answered AS (
        SELECT
            *,
            CASE
                WHEN json_type(bucket, '$.results') = 'ARRAY' THEN bucket -> '$.results[*]'
                WHEN json_type(bucket, '$.result') = 'ARRAY' THEN bucket -> '$.result[*]'
                ELSE [bucket]
            END AS listed_results,
            coalesce(json_type(bucket, '$.results'), '') <> 'ARRAY'
            AND coalesce(json_type(bucket, '$.result'), '') <> 'ARRAY' AS is_row,
            bucket ->> '$.start_time' AS written_start,
            coalesce(from_seconds(written_start), utc(written_start), utc(bucket ->> '$.start_time_iso')) AS started,
            coalesce(
                from_seconds(bucket ->> '$.end_time'), utc(bucket ->> '$.end_time'), utc(bucket ->> '$.end_time_iso')
            ) AS ended,
            -- Copies of a line are told apart inside an answer, or inside a table, where a row is a bucket of its own.
            CASE WHEN is_row THEN source_file ELSE concat_ws(':', record_number, bucket_number) END AS place
        FROM bill_buckets(source)
    ),

    masked AS (
        -- What one result of an answer, or one row of a table, is grouped by, all of it is.
        SELECT
            *,
            bit_or(
                list_sum(list_transform(
                    dimensions,
                    lambda name, number:
                        CASE WHEN has_dimension(listed_results, name) THEN 1 << (number - 1) ELSE 0 END
                ))::BIGINT
            ) OVER (PARTITION BY place) AS mask
        FROM answered
    )

    SELECT
        * EXCLUDE (listed_results, mask),
        coalesce(nullif(array_to_string(
            list_filter(dimensions, lambda name, number: (mask >> (number - 1)) % 2 = 1), ', '
        ), ''), 'none') AS grouped_by,
        unnest(CASE WHEN listed_results = [] THEN [NULL] ELSE listed_results END) AS told
    FROM masked;
