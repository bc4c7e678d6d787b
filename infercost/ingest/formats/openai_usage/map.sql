-- OpenAI's usage by bucket: a result of a bucket is one line for each kind of quantity, and the kinds are disjoint.
WITH numbers AS (
    SELECT
        *,
        nullif(regexp_extract(told ->> '$.object', '^organization\.usage\.(.+)\.result$', 1), '') AS api,
        try_cast(told ->> '$.input_tokens' AS DECIMAL(28, 9)) AS input,
        try_cast(told ->> '$.input_uncached_tokens' AS DECIMAL(28, 9)) AS told_uncached,
        try_cast(told ->> '$.input_cached_tokens' AS DECIMAL(28, 9)) AS cached,
        try_cast(told ->> '$.input_cache_write_12h_tokens' AS DECIMAL(28, 9)) AS written_12h,
        try_cast(told ->> '$.input_cache_write_30m_tokens' AS DECIMAL(28, 9)) AS told_30m,
        try_cast(told ->> '$.input_cache_write_tokens' AS DECIMAL(28, 9)) AS told_written,
        coalesce(told_written, told_30m + coalesce(written_12h, 0), written_12h) AS written,
        coalesce(told_30m, written - coalesce(written_12h, 0)) AS written_30m,
        coalesce(try_cast(told ->> '$.input_audio_tokens' AS DECIMAL(28, 9)), 0) AS audio,
        coalesce(try_cast(told ->> '$.input_image_tokens' AS DECIMAL(28, 9)), 0) AS image,
        try_cast(told ->> '$.output_tokens' AS DECIMAL(28, 9)) AS output,
        try_cast(told ->> '$.output_audio_tokens' AS DECIMAL(28, 9)) AS audio_out,
        try_cast(told ->> '$.output_image_tokens' AS DECIMAL(28, 9)) AS image_out,
        try_cast(told ->> '$.num_model_requests' AS BIGINT) AS calls
    FROM openai_results(
        'records',
        ['project_id', 'user_id', 'api_key_id', 'model', 'batch', 'service_tier', 'api_source', 'source', 'size',
            'context_level', 'vector_store_id']
    )
),

parts AS (
    SELECT
        *,
        coalesce(told_uncached, cached, written) IS NOT NULL AS tells_of_cache,
        coalesce(told_uncached, apart(input, coalesce(cached, 0) + coalesce(written, 0))) AS uncached,
        -- Audio and images are parts of the uncached input; in older answers only where nothing was cached.
        (told_uncached IS NOT NULL OR coalesce(cached, 0) = 0) AND audio + image <= uncached AS is_split
    FROM numbers
),

counted AS (
    SELECT
        *,
        [
            {
                'charge': CASE WHEN tells_of_cache THEN 'input_uncached_tokens' ELSE 'input_tokens' END,
                -- Embeddings and moderations know no cache.
                'kind': CASE
                    WHEN tells_of_cache OR api IN ('embeddings', 'moderations') THEN 'input_uncached' ELSE 'input'
                END,
                'quantity': uncached - CASE WHEN is_split THEN audio + image ELSE 0 END,
                'unit': 'tokens'
            },
            {
                'charge': 'input_audio_tokens', 'kind': 'input_audio',
                'quantity': CASE WHEN is_split THEN audio END, 'unit': 'tokens'
            },
            {
                'charge': 'input_image_tokens', 'kind': 'input_image',
                'quantity': CASE WHEN is_split THEN image END, 'unit': 'tokens'
            },
            {'charge': 'input_cached_tokens', 'kind': 'cache_read', 'quantity': cached, 'unit': 'tokens'},
            {
                'charge': 'input_cache_write_30m_tokens', 'kind': 'cache_write_30m',
                'quantity': written_30m, 'unit': 'tokens'
            },
            {
                'charge': 'input_cache_write_12h_tokens', 'kind': 'cache_write_12h',
                'quantity': written_12h, 'unit': 'tokens'
            },
            {
                'charge': 'output_tokens', 'kind': 'output',
                'quantity': apart(output, coalesce(audio_out, 0) + coalesce(image_out, 0)), 'unit': 'tokens'
            },
            {'charge': 'output_audio_tokens', 'kind': 'output_audio', 'quantity': audio_out, 'unit': 'tokens'},
            {'charge': 'output_image_tokens', 'kind': 'output_image', 'quantity': image_out, 'unit': 'tokens'},
            {
                'charge': 'images', 'kind': NULL,
                'quantity': try_cast(told ->> '$.images' AS DECIMAL(28, 9)), 'unit': 'images'
            },
            {
                'charge': 'characters', 'kind': NULL,
                'quantity': try_cast(told ->> '$.characters' AS DECIMAL(28, 9)), 'unit': 'characters'
            },
            {
                'charge': 'seconds', 'kind': NULL,
                'quantity': try_cast(told ->> '$.seconds' AS DECIMAL(28, 9)), 'unit': 'seconds'
            },
            {
                'charge': 'usage_bytes', 'kind': NULL,
                'quantity': try_cast(told ->> '$.usage_bytes' AS DECIMAL(28, 9)), 'unit': 'bytes'
            },
            {
                'charge': 'num_sessions', 'kind': NULL,
                'quantity': try_cast(told ->> '$.num_sessions' AS DECIMAL(28, 9)), 'unit': 'sessions'
            },
            {
                'charge': 'num_requests', 'kind': NULL,
                'quantity': try_cast(told ->> '$.num_requests' AS DECIMAL(28, 9)), 'unit': 'searches'
            },
            -- The calls stand on a line of their own, so that they can be added up.
            {
                'charge': 'num_model_requests', 'kind': NULL,
                'quantity': CAST(calls AS DECIMAL(28, 9)), 'unit': 'requests'
            }
        ] AS quantities
    FROM parts
),

lines AS (
    SELECT
        *,
        has_quantity(quantities) AS is_counted,
        unnest(quantity_lines(quantities, started)) AS line
    FROM counted
),

keyed AS (
    SELECT
        *,
        concat_ws(
            '|', epoch_us(started), coalesce(epoch_us(ended), 0), coalesce(api, ''), grouped_by,
            coalesce(told ->> '$.project_id', ''), coalesce(told ->> '$.user_id', ''),
            coalesce(told ->> '$.api_key_id', ''), coalesce(told ->> '$.model', ''),
            coalesce(lower(told ->> '$.batch'), ''),
            coalesce(told ->> '$.service_tier', ''), coalesce(told ->> '$.api_source', ''),
            coalesce(told ->> '$.source', ''), coalesce(told ->> '$.size', ''),
            coalesce(told ->> '$.context_level', ''), coalesce(told ->> '$.vector_store_id', ''), line.charge
        ) AS key
    FROM lines
)

SELECT
    record_number,
    -- A bucket without results, and a result of zeros, say that nothing was used.
    line IS NOT NULL OR (
        NOT is_counted AND coalesce(told ->> '$.object', '') LIKE 'organization.usage.%'
    ) AS is_call,
    CASE
        WHEN line IS NOT NULL AND started IS NULL THEN coalesce(
            'start_time is no time: ' || left(written_start, 60), 'start_time is missing'
        )
        WHEN NOT is_counted AND coalesce(told ->> '$.object', '') LIKE 'organization.usage.%'
            THEN 'no quantity in a result of ' || api
    END AS reject_reason,
    numbered(key, row_number() OVER (PARTITION BY place, key ORDER BY line.quantity DESC)) AS dedupe_key,
    'openai' AS provider_name,
    'usage' AS measure,
    started AS period_start,
    ended AS period_end,
    told ->> '$.project_id' AS account,
    told ->> '$.user_id' AS user_id,
    told ->> '$.api_key_id' AS api_key_id,
    told ->> '$.model' AS model,
    line.charge AS charge,
    line.kind AS token_kind,
    CASE WHEN lower(told ->> '$.batch') = 'true' THEN 'batch' ELSE tier_of(told ->> '$.service_tier') END
        AS service_tier,
    line.quantity AS quantity,
    line.unit AS quantity_unit,
    -- The calls of web searches are among those of completions.
    CASE WHEN line.unit = 'requests' AND api IS DISTINCT FROM 'web_searches' THEN calls END AS requests,
    tag_map([
        {'key': 'api', 'value': api},
        {'key': 'grouped_by', 'value': CASE WHEN line IS NOT NULL THEN grouped_by END},
        {'key': 'api_source', 'value': told ->> '$.api_source'},
        {'key': 'source', 'value': told ->> '$.source'},
        {'key': 'size', 'value': told ->> '$.size'},
        {'key': 'context_level', 'value': told ->> '$.context_level'},
        {'key': 'vector_store_id', 'value': told ->> '$.vector_store_id'}
    ]) AS tags
FROM keyed
