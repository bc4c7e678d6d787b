-- question: What did the application ask once, and what did it take to answer?
-- grain: one row per request; an attempt without a request_id is a request of its own
-- columns:
--   request_id: request_id of the attempts, or the attempt_id where the log gives none
--   started_at: start of the first attempt, UTC
--   ended_at: end of the attempt that ended last, UTC; NULL when the last attempt's duration is unknown
--   duration_seconds: seconds from started_at to ended_at
--   time_to_first_token_seconds: of the last attempt, seconds; NULL unless streamed
--   attempts: attempts, with those that the log only tells of
--   logged_attempts: attempts with a record of their own
--   failed_attempts: attempts with status error, and unlogged ones
--   retries: attempts that repeat an earlier one on the same route (what is neither the first nor a fallback)
--   fallbacks: attempts that went on to another model group
--   status: status of the last attempt
--   gateway_cache: gateway_cache of the last attempt
--   session_id: conversation or session
--   feature: product feature
--   cohort: customer group
--   team: owning team
--   route: named route
--   user_id: end user
--   api_key_name: alias of the API key
--   endpoint: route of the API that the client called
--   gateway: program that wrote the log
--   first_model: model or model group that was asked for first
--   final_model: model of the last attempt: the one that answered, else the one asked for
--   provider_name: provider of the last attempt
--   model_tier: tier of the last attempt's model
--   routing_path: model groups tried in order, consecutive repeats folded, joined by ' > '
--   final_input_tokens: input_tokens of the last attempt, the length of the prompt that was answered
--   input_tokens: input tokens of all attempts, cache included
--   cache_read_tokens: tokens read from the provider's prompt cache, all attempts
--   output_tokens: output tokens of all attempts, reasoning included
--   list_cost: cost by the price book, USD; leaves out unpriced attempts; NULL = none is priced
--   effective_cost: cost after the user's own prices, USD; leaves out unpriced attempts; NULL = none is priced
--   avoided_cost: what gateway cache hits would have cost, USD; NULL = no hit
--   wasted_cost: effective cost of failed attempts, USD; 0 = none failed, NULL = no failed attempt has a known cost
--   fallback_premium: list cost of what answered less its tokens at the first choice's usual price, USD; NULL = unknown
--   unpriced_attempts: attempts with tokens and no price
--   no_usage_attempts: attempts without token counts

WITH asked AS (
    SELECT
        *,
        first_value(request_model) OVER (
            PARTITION BY coalesce(request_id, attempt_id)
            ORDER BY started_at, attempt_number, attempt_id
        ) AS asked_model
    FROM attempts
),

-- What a model group is mostly billed by where it answers as the first choice.
first_price AS (
    SELECT
        asked_model,
        max_by(price_id, (answers, price_id)) AS price_id
    FROM (
        SELECT
            asked_model,
            coalesce(list_price_id, price_id) AS price_id,
            count(*) AS answers
        FROM asked
        WHERE request_model = asked_model AND status = 'ok' AND list_cost > 0 AND NOT coalesce(is_fallback, FALSE)
        GROUP BY ALL
    ) AS answered
    GROUP BY asked_model
),

first_rates AS (
    SELECT DISTINCT ON (first_price.asked_model)
        first_price.asked_model,
        prices.*
    FROM first_price
    INNER JOIN prices ON first_price.price_id = prices.price_id
    ORDER BY first_price.asked_model
),

ordered AS (
    SELECT
        asked.*,
        -- The same tokens at the price of the first choice, picodollars; NULL where that has no price.
        CASE WHEN first_rates.asked_model IS NOT NULL THEN 0 END + (
            coalesce(cast(input_uncached_tokens AS HUGEINT) * first_rates.input_uncached_rate, 0)
            + coalesce(cast(cache_read_tokens AS HUGEINT) * first_rates.cache_read_rate, 0)
            + coalesce(cast(cache_write_5m_tokens AS HUGEINT) * first_rates.cache_write_5m_rate, 0)
            + coalesce(cast(cache_write_30m_tokens AS HUGEINT) * first_rates.cache_write_30m_rate, 0)
            + coalesce(cast(cache_write_1h_tokens AS HUGEINT) * first_rates.cache_write_1h_rate, 0)
            + coalesce(cast(cache_write_12h_tokens AS HUGEINT) * first_rates.cache_write_12h_rate, 0)
            + coalesce(cast(input_audio_tokens AS HUGEINT) * first_rates.input_audio_rate, 0)
            + coalesce(cast(input_image_tokens AS HUGEINT) * first_rates.input_image_rate, 0)
            + coalesce(cast(output_text_tokens AS HUGEINT) * first_rates.output_text_rate, 0)
            + coalesce(cast(reasoning_tokens AS HUGEINT) * first_rates.reasoning_rate, 0)
            + coalesce(cast(output_audio_tokens AS HUGEINT) * first_rates.output_audio_rate, 0)
            + coalesce(cast(output_image_tokens AS HUGEINT) * first_rates.output_image_rate, 0)
        ) AS first_choice_cost,
        coalesce(request_id, attempt_id) AS request_key,
        started_at + to_microseconds(cast(round(duration_seconds * 1000000) AS BIGINT)) AS ended_at,
        len(string_split(routing_path, ' > ')) AS path_steps,
        -- Clocks order attempts even where a log numbers only some of them.
        row_number() OVER in_request AS attempt_order,
        lag(request_model IGNORE NULLS) OVER in_request AS previous_model
    FROM asked
    LEFT JOIN first_rates ON asked.asked_model = first_rates.asked_model
    WINDOW
        in_request AS (
            PARTITION BY coalesce(request_id, attempt_id)
            ORDER BY started_at, attempt_number, attempt_id
        )
),

stepped AS (
    SELECT
        *,
        -- A model group counts as a step unless it is the one tried just before.
        nullif(request_model, previous_model) AS step_model
    FROM ordered
),

folded AS (
    -- arg_min and arg_max take the first and last value that is known, the _null forms the first and last attempt's.
    SELECT
        request_key,
        min(started_at) AS started_at,
        CASE WHEN arg_max_null(duration_seconds, attempt_order) IS NOT NULL THEN max(ended_at) END AS ended_at,
        count(*) AS logged_attempts,
        cast(coalesce(sum(unlogged_attempts), 0) AS BIGINT) AS unlogged_attempts,
        count(*) FILTER (WHERE status = 'error') AS logged_failures,
        count(*) FILTER (WHERE is_fallback AND NOT coalesce(is_retry, FALSE)) AS flagged_fallbacks,
        arg_max_null(status, attempt_order) AS status,
        arg_max_null(gateway_cache, attempt_order) AS gateway_cache,
        arg_min(session_id, attempt_order) AS session_id,
        arg_min(feature, attempt_order) AS feature,
        arg_min(cohort, attempt_order) AS cohort,
        arg_min(team, attempt_order) AS team,
        arg_min(route, attempt_order) AS route,
        arg_min(user_id, attempt_order) AS user_id,
        arg_min(api_key_name, attempt_order) AS api_key_name,
        arg_min(endpoint, attempt_order) AS endpoint,
        arg_min(gateway, attempt_order) AS gateway,
        arg_min(request_model, attempt_order) AS first_model,
        arg_max_null(coalesce(response_model, request_model), attempt_order) AS final_model,
        arg_max_null(provider_name, attempt_order) AS provider_name,
        arg_max_null(model_tier, attempt_order) AS model_tier,
        string_agg(step_model, ' > ' ORDER BY attempt_order) AS seen_path,
        count(step_model) AS seen_steps,
        arg_max(routing_path, path_steps) AS told_path,
        max(path_steps) AS told_steps,
        arg_max_null(input_tokens, attempt_order) AS final_input_tokens,
        cast(sum(input_tokens) AS BIGINT) AS input_tokens,
        cast(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
        cast(sum(output_tokens) AS BIGINT) AS output_tokens,
        sum(list_cost) AS list_cost,
        sum(effective_cost) AS effective_cost,
        sum(avoided_cost) AS avoided_cost,
        sum(effective_cost) FILTER (WHERE status = 'error') AS failed_cost,
        arg_max_null(
            list_cost - cast(first_choice_cost AS DECIMAL(26, 0)) * 0.000000000001, attempt_order
        ) AS dearer_by,
        arg_max_null(time_to_first_token_seconds, attempt_order) AS time_to_first_token_seconds,
        count(*) FILTER (WHERE effective_cost IS NULL AND coalesce(input_tokens, output_tokens) IS NOT NULL)
            AS unpriced_attempts,
        count(*) FILTER (WHERE coalesce(input_tokens, output_tokens) IS NULL) AS no_usage_attempts
    FROM stepped
    GROUP BY request_key
),

counted AS (
    SELECT
        *,
        logged_attempts + unlogged_attempts AS attempts,
        -- A log may tell of groups that left no record of their own; the longer of both paths knows more.
        CASE WHEN coalesce(told_steps, 0) > seen_steps THEN told_path ELSE seen_path END AS routing_path,
        greatest(seen_steps - 1, told_steps - 1, flagged_fallbacks, 0) AS fallbacks
    FROM folded
)

SELECT
    request_key AS request_id,
    started_at,
    ended_at,
    epoch(ended_at - started_at) AS duration_seconds,
    time_to_first_token_seconds,
    attempts,
    logged_attempts,
    logged_failures + unlogged_attempts AS failed_attempts,
    greatest(attempts - 1 - fallbacks, 0) AS retries,
    fallbacks,
    status,
    gateway_cache,
    session_id,
    feature,
    cohort,
    team,
    route,
    user_id,
    api_key_name,
    endpoint,
    gateway,
    first_model,
    final_model,
    provider_name,
    model_tier,
    routing_path,
    final_input_tokens,
    input_tokens,
    cache_read_tokens,
    output_tokens,
    list_cost,
    effective_cost,
    avoided_cost,
    CASE WHEN logged_failures + unlogged_attempts = 0 THEN 0 ELSE failed_cost END AS wasted_cost,
    CASE WHEN fallbacks = 0 THEN 0 WHEN status = 'ok' THEN dearer_by END AS fallback_premium,
    unpriced_attempts,
    no_usage_attempts
FROM counted
