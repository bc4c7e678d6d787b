-- question: What does each routing path cost: the model groups that requests were tried on, in order?
-- grain: one row per routing path, over the requests that started in the window
-- parameters: since, until
-- columns:
--   routing_path: model groups tried in order, joined by ' > '; NULL = unknown
--   cost_usd: effective cost of all attempts of the requests, USD; NULL = no attempt has a price
--   cost_share: part of the cost of the window's requests, 0..1
--   wasted_cost_usd: effective cost of failed attempts, USD; NULL = unknown for every request
--   requests: requests
--   attempts: attempts, with those that the log only tells of
--   failed_attempts: attempts that failed
--   retries: attempts that repeat an earlier one on the same route
--   fallbacks: attempts that went on to another model group
--   input_tokens: input tokens of all attempts, cache included
--   output_tokens: output tokens of all attempts, reasoning included
--   cost_per_request_usd: cost_usd a request, for display, USD
--   unpriced_attempts: attempts with tokens and no price, which cost_usd leaves out

SELECT
    routing_path,
    sum(effective_cost) AS cost_usd,
    sum(effective_cost) / nullif(sum(sum(effective_cost)) OVER (), 0) AS cost_share,
    sum(wasted_cost) AS wasted_cost_usd,
    count(*) AS requests,
    cast(sum(attempts) AS BIGINT) AS attempts,
    cast(sum(failed_attempts) AS BIGINT) AS failed_attempts,
    cast(sum(retries) AS BIGINT) AS retries,
    cast(sum(fallbacks) AS BIGINT) AS fallbacks,
    cast(sum(input_tokens) AS BIGINT) AS input_tokens,
    cast(sum(output_tokens) AS BIGINT) AS output_tokens,
    sum(effective_cost) / count(*) AS cost_per_request_usd,
    cast(sum(unpriced_attempts) AS BIGINT) AS unpriced_attempts
FROM requests
WHERE
    started_at >= $since
    AND started_at < $until
GROUP BY routing_path
ORDER BY cost_usd DESC NULLS LAST, routing_path ASC
