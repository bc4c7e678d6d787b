-- SQL functions that every map.sql may call, so that one rule has one spelling. All are NULL-safe.

-- The part of `total` that is not `part`, for logs whose total includes the part: prompt tokens without cached ones,
-- completion tokens without reasoning. A part larger than the total proves that the total does not include it.
CREATE OR REPLACE TEMP MACRO apart(total, part) AS
    CASE WHEN coalesce(part, 0) > total THEN total ELSE total - coalesce(part, 0) END;

-- What to say in `contradiction` when that proof stands against the format's declaration; else NULL.
CREATE OR REPLACE TEMP MACRO not_included(total, part, total_name, part_name) AS
    CASE
        WHEN coalesce(part, 0) > total
            THEN part_name || ' (' || part || ') exceeds ' || total_name || ' (' || total
            || '), which should include it: read as exclusive'
    END;

-- Time from text with or without zone (without: UTC), and from epoch numbers; NULL when it is none.
CREATE OR REPLACE TEMP MACRO utc(written) AS try_cast(nullif(trim(written), '') AS TIMESTAMPTZ);

CREATE OR REPLACE TEMP MACRO epoch_time(amount, microseconds) AS
    CASE
        WHEN abs(try_cast(amount AS DOUBLE)) * microseconds < 1e17
            THEN make_timestamptz(round(try_cast(amount AS DECIMAL(38, 9)) * microseconds)::BIGINT)
    END;

CREATE OR REPLACE TEMP MACRO from_seconds(amount) AS epoch_time(amount, 1000000);

CREATE OR REPLACE TEMP MACRO from_milliseconds(amount) AS epoch_time(amount, 1000);

CREATE OR REPLACE TEMP MACRO from_nanoseconds(amount) AS
    CASE WHEN try_cast(amount AS BIGINT) > 0 THEN make_timestamptz(try_cast(amount AS BIGINT) // 1000) END;

CREATE OR REPLACE TEMP MACRO seconds_between(start, stop) AS
    CASE WHEN stop >= start THEN (epoch_us(stop) - epoch_us(start)) / 1e6 END;

-- Tags of a list of {'key', 'value'} structs: empty values left out, the first of a repeated key kept, values cut.
CREATE OR REPLACE TEMP MACRO tag_map(pairs) AS
    map_from_entries(
        list_filter(
            list_transform(
                list_filter(pairs, lambda pair: pair.key <> '' AND pair.value <> ''),
                lambda pair: {'key': left(pair.key, 128), 'value': left(pair.value, 256)}
            ),
            -- Keys are compared as they are cut: a map cannot hold one twice.
            lambda pair, position:
                list_position(
                    list_transform(
                        list_filter(pairs, lambda other: other.key <> '' AND other.value <> ''),
                        lambda other: left(other.key, 128)
                    ),
                    pair.key
                ) = position
        )[:64]
    );

-- The members of a JSON object that are texts, numbers or booleans, as such structs; objects and lists are left out,
-- and so are texts too long to be a tag, which would be prompts.
CREATE OR REPLACE TEMP MACRO json_pairs(object) AS
    coalesce(
        list_transform(
            list_filter(
                map_entries(try_cast(try_cast(object AS JSON) AS MAP(VARCHAR, JSON))),
                lambda entry:
                    json_type(entry.value) NOT IN ('OBJECT', 'ARRAY', 'NULL') AND length(entry.value ->> '$') <= 256
            ),
            lambda entry: {'key': entry.key, 'value': entry.value ->> '$'}
        ),
        []
    );

-- Outcome by the HTTP status: 499 is what proxies log for a client that went away.
CREATE OR REPLACE TEMP MACRO status_of(http_status) AS
    CASE
        WHEN http_status = 499 THEN 'cancelled'
        WHEN http_status >= 400 THEN 'error'
        WHEN http_status >= 100 THEN 'ok'
    END;

-- A service tier as the price book names its lanes; the ordinary one is NULL.
CREATE OR REPLACE TEMP MACRO tier_of(written) AS
    CASE
        WHEN lower(written) IN ('', 'default', 'standard', 'auto', 'on_demand', 'ondemand', 'not_available') THEN NULL
        ELSE lower(written)
    END;

-- The key of a bill line that nothing tells apart from others of its place: numbered, so that none of them is lost.
CREATE OR REPLACE TEMP MACRO numbered(key, number) AS key || CASE WHEN number > 1 THEN '#' || number ELSE '' END;

-- Of the quantities of a bill's record, {'quantity', …} structs, those that are lines: a record of zeros is one NULL,
-- and a record without a start is one line, which is rejected once.
CREATE OR REPLACE TEMP MACRO used_quantities(quantities) AS
    list_filter(quantities, lambda each: each.quantity <> 0);

CREATE OR REPLACE TEMP MACRO quantity_lines(quantities, start) AS
    CASE
        WHEN used_quantities(quantities) = [] THEN [NULL]
        WHEN start IS NULL THEN used_quantities(quantities)[:1]
        ELSE used_quantities(quantities)
    END;

CREATE OR REPLACE TEMP MACRO has_quantity(quantities) AS
    len(list_filter(quantities, lambda each: each.quantity IS NOT NULL)) > 0;

-- The buckets of the answers of a bill's API: a page holds them in `data`, anything else is a bucket of its own.
CREATE OR REPLACE TEMP MACRO bill_buckets(source) AS TABLE
    SELECT
        record_number,
        source_file,
        unnest(CASE WHEN json_type(data) = 'ARRAY' THEN data -> '$[*]' ELSE [to_json(record)] END) AS bucket,
        unnest(
            CASE WHEN json_type(data) = 'ARRAY' THEN range(1, json_array_length(data)::BIGINT + 1) ELSE [0::BIGINT] END
        ) AS bucket_number
    FROM query_table(source) AS record;

-- Whether some result is told apart by a dimension: it is null unless the answer is grouped by it, and also where the
-- group has none.
CREATE OR REPLACE TEMP MACRO has_dimension(results, dimension) AS
    len(list_filter(results, lambda each: each ->> dimension IS NOT NULL)) > 0;
