-- The hours of both windows (and of the history before them) by everything that spend is split by. Costs are BIGINT
-- picodollars. A request belongs to the hour, the cell and the route of its first attempt inside a window, so that
-- costs add up to those of the window and every attempt hangs on one request.
CREATE OR REPLACE TEMP TABLE driver_cells AS
WITH spanned AS (
    SELECT
        *,
        CASE
            WHEN started_at >= {since} AND started_at < {until} THEN 'current'
            WHEN started_at >= {baseline_since} AND started_at < {baseline_until} THEN 'baseline'
            ELSE 'history'
        END AS period,
        coalesce(request_id, attempt_id) AS request_key,
        coalesce(gateway_cache, '') IN ('exact', 'semantic', 'hit') AS is_hit,
        coalesce(price_basis = 'pool', FALSE) AS is_pool,
        {prompt_tokens} AS prompt_tokens,
        NOT is_hit AND (coalesce(input_tokens, output_tokens) IS NOT NULL OR effective_cost > 0) AS has_usage,
        has_usage AND effective_cost IS NOT NULL AS is_counted
    FROM {source}
    WHERE {in_span}
),

-- A failed attempt may not say which model answered: then it is the one that this name is mostly answered by.
usual AS (
    SELECT
        request_model,
        max_by(answered, (attempts, answered)) AS answered
    FROM (
        SELECT
            request_model,
            {{'provider': provider_name, 'model': response_model}} AS answered,
            count(*) AS attempts
        FROM spanned
        WHERE request_model IS NOT NULL AND response_model IS NOT NULL
        GROUP BY ALL
    )
    GROUP BY request_model
),

named AS (
    SELECT
        spanned.* EXCLUDE ({names}),
        {folded}
    FROM (
        SELECT
            spanned.* REPLACE (
                coalesce(spanned.provider_name, usual.answered.provider) AS provider_name
            ),
            coalesce(
                spanned.response_model, usual.answered.model, spanned.request_model, spanned.price_model
            ) AS model
        FROM spanned
        LEFT JOIN usual ON spanned.request_model = usual.request_model
    ) AS spanned
),

sessions AS (
    SELECT
        period,
        session_id,
        count(DISTINCT request_key) AS requests
    FROM spanned
    WHERE session_id IS NOT NULL
    GROUP BY period, session_id
),

ordered AS (
    SELECT
        *,
        row_number() OVER in_order AS place,
        first_value(
            {{
                'hour': date_trunc('hour', started_at), 'feature': feature, 'cohort': cohort, 'team': team,
                'route': route, 'endpoint': endpoint, 'provider': provider_name, 'model': model,
                'prompt_tokens': prompt_tokens, 'session': session_id
            }}
        ) OVER in_order AS began,
        max(prompt_tokens) OVER whole AS longest_prompt,
        bool_or(NOT is_hit) OVER whole AS is_dispatched,
        bool_or(has_usage) OVER whole AS is_answered,
        bool_or(is_counted) OVER whole AS is_priced
    FROM named
    WINDOW
        in_order AS (PARTITION BY period, request_key ORDER BY started_at, attempt_number, attempt_id),
        whole AS (PARTITION BY period, request_key)
),

valued AS (
    SELECT
        ordered.*,
        {session_class}
        -- In 1024ths of a token, so that sums are exact and the same in any order.
        round(
            1024 * coalesce(nullif(began.prompt_tokens, 0), longest_prompt, 0) / coalesce(tokenizer.factor, 1)
        ) / 1024 AS request_tokens,
        {amounts}
    FROM ordered
    LEFT JOIN driver_rates AS rate
        ON
            coalesce(ordered.list_price_id, ordered.price_id) = rate.price_id
            AND ordered.started_at >= rate.rate_from
            AND ordered.started_at < rate.rate_to
    LEFT JOIN driver_tokenizers AS tokenizer ON ordered.began.model = tokenizer.model
    {session_join}
),

summed AS (
    SELECT
        period,
        began.hour AS hour,
        began.feature AS feature,
        began.cohort AS cohort,
        began.team AS team,
        began.route AS first_route,
        began.endpoint AS first_endpoint,
        began.provider AS first_provider,
        began.model AS first_model,
        CASE
            WHEN is_answered AND request_tokens > 0
                THEN cast(floor({steps} * log2(greatest(request_tokens, 1))) AS INTEGER)
        END AS step,
        CASE WHEN status <> 'ok' THEN 'wasted' WHEN place = 1 THEN 'first_try' ELSE 'later_try' END AS outcome,
        route,
        endpoint,
        provider_name,
        model,
        model_tier,
        is_pool,
        {details}
        count(*) FILTER (WHERE place = 1) AS requests,
        count(*) FILTER (WHERE place = 1 AND is_dispatched) AS dispatched,
        count(*) FILTER (WHERE place = 1 AND is_answered) AS answered,
        count(*) FILTER (WHERE place = 1 AND is_priced) AS priced,
        coalesce(sum(request_tokens) FILTER (WHERE place = 1 AND is_answered), 0) AS request_tokens,
        coalesce(sum(request_tokens) FILTER (WHERE place = 1 AND is_priced), 0) AS priced_tokens,
        count(*) FILTER (WHERE is_counted) AS attempts,
        count(*) FILTER (WHERE is_counted AND cache_read_tokens > 0) AS cached_calls,
        coalesce(sum(prompt_tokens) FILTER (WHERE is_counted AND cache_read_tokens > 0), 0) AS cached_prompts,
        {sums}
    FROM valued
    GROUP BY ALL
),

-- A request counts in the bands below and above its length, the more the nearer it is: with edges, all of a feature's
-- prompts could change their band at once.
shared AS (
    SELECT
        summed.*,
        side.above,
        coalesce(step // {steps}, {no_band}) + side.above AS band,
        CASE side.above WHEN 1 THEN coalesce(step % {steps}, 0) ELSE {steps} - coalesce(step % {steps}, 0) END AS steps
    FROM summed
    CROSS JOIN (VALUES (0), (1)) AS side (above)
)

SELECT
    period,
    hour,
    {keys},
    {details}
    {shares}
FROM shared
WHERE steps > 0
GROUP BY ALL
