-- question: Which requests cost most?
-- grain: one row per request that started in the window, dearest first
-- parameters: since, until, limit
-- columns:
--   request_id: request_id of the log, or the attempt_id where it gives none
--   started_at: start of the first attempt, UTC
--   feature: product feature by the rules
--   cohort: customer group by the rules
--   route: named route by the rules
--   session_id: conversation or session
--   routing_path: model groups tried in order, joined by ' > '
--   provider_name: provider of the last attempt
--   final_model: model of the last attempt
--   status: status of the last attempt
--   attempts: attempts, with those that the log only tells of
--   input_tokens: input tokens of all attempts, cache included
--   cache_read_tokens: input tokens read from the provider's prompt cache
--   output_tokens: output tokens of all attempts, reasoning included
--   cost_usd: effective cost of all attempts, USD
--   wasted_cost_usd: effective cost of failed attempts, USD; 0 = none failed, NULL = not known

SELECT
    request_id,
    started_at,
    feature,
    cohort,
    route,
    session_id,
    routing_path,
    provider_name,
    final_model,
    status,
    attempts,
    input_tokens,
    cache_read_tokens,
    output_tokens,
    effective_cost AS cost_usd,
    wasted_cost AS wasted_cost_usd
FROM requests
WHERE
    started_at >= $since
    AND started_at < $until
    -- A request without a price cannot be ranked; `coverage_unpriced` counts those.
    AND effective_cost IS NOT NULL
ORDER BY cost_usd DESC, started_at ASC, request_id ASC
LIMIT $limit
