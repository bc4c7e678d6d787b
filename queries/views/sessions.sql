-- question: What did each conversation or session take, and does its prompt grow?
-- grain: one row per session_id; requests without one are not here
-- columns:
--   session_id: conversation or session of the application
--   started_at: start of the first request, UTC
--   ended_at: end of the request that ended last (its start where the end is unknown), UTC
--   feature: product feature of the first request
--   cohort: customer group of the first request
--   team: owning team of the first request
--   user_id: end user of the first request
--   requests: requests
--   attempts: attempts, with those that the log only tells of
--   failed_attempts: attempts that failed
--   retries: attempts that repeat an earlier one on the same route
--   fallbacks: attempts that went on to another model group
--   models: models that the requests ended at, by name
--   routing_paths: routing path -> requests that took it
--   input_tokens: input tokens of all attempts, cache included
--   cache_read_tokens: tokens read from the provider's prompt cache
--   output_tokens: output tokens of all attempts, reasoning included
--   first_prompt_tokens: length of the first known prompt, tokens
--   last_prompt_tokens: length of the last known prompt, tokens
--   max_prompt_tokens: length of the longest prompt, tokens
--   prompt_tokens_per_turn: slope of the prompt's length over the turns (least squares), tokens a turn; NULL = one turn
--   list_cost: cost by the price book, USD; leaves out unpriced attempts; NULL = none is priced
--   effective_cost: cost after the user's own prices, USD; leaves out unpriced attempts; NULL = none is priced
--   avoided_cost: what gateway cache hits would have cost, USD; NULL = no hit
--   wasted_cost: effective cost of failed attempts, USD; NULL = unknown for every request
--   fallback_premium: what fallbacks cost more than their first choices, USD; NULL = unknown for every request
--   unpriced_attempts: attempts with tokens and no price
--   no_usage_attempts: attempts without token counts

WITH turns AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY session_id
            ORDER BY started_at, request_id
        ) AS turn
    FROM requests
    WHERE session_id IS NOT NULL
)

SELECT
    session_id,
    min(started_at) AS started_at,
    max(coalesce(ended_at, started_at)) AS ended_at,
    arg_min(feature, turn) AS feature,
    arg_min(cohort, turn) AS cohort,
    arg_min(team, turn) AS team,
    arg_min(user_id, turn) AS user_id,
    count(*) AS requests,
    cast(sum(attempts) AS BIGINT) AS attempts,
    cast(sum(failed_attempts) AS BIGINT) AS failed_attempts,
    cast(sum(retries) AS BIGINT) AS retries,
    cast(sum(fallbacks) AS BIGINT) AS fallbacks,
    list(DISTINCT final_model ORDER BY final_model) FILTER (WHERE final_model IS NOT NULL) AS models,
    cast(histogram(routing_path) AS MAP (VARCHAR, BIGINT)) AS routing_paths,
    cast(sum(input_tokens) AS BIGINT) AS input_tokens,
    cast(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    cast(sum(output_tokens) AS BIGINT) AS output_tokens,
    arg_min(final_input_tokens, turn) AS first_prompt_tokens,
    arg_max(final_input_tokens, turn) AS last_prompt_tokens,
    max(final_input_tokens) AS max_prompt_tokens,
    CASE
        WHEN count(final_input_tokens) > 1 THEN regr_slope(final_input_tokens, turn)
    END AS prompt_tokens_per_turn,
    sum(list_cost) AS list_cost,
    sum(effective_cost) AS effective_cost,
    sum(avoided_cost) AS avoided_cost,
    sum(wasted_cost) AS wasted_cost,
    sum(fallback_premium) AS fallback_premium,
    cast(sum(unpriced_attempts) AS BIGINT) AS unpriced_attempts,
    cast(sum(no_usage_attempts) AS BIGINT) AS no_usage_attempts
FROM turns
GROUP BY session_id
