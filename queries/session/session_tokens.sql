-- question: How much of its tokens has each session used, against the time it has lasted?
-- grain: one row per session that began in the window, most tokens first
-- parameters: since, until, limit, token_budget
-- columns:
--   session_id: conversation or session
--   feature: product feature of its first request
--   cohort: customer group of its first request
--   started_at: start of its first request, UTC
--   elapsed_seconds: seconds from there to the end of its last request
--   requests: requests
--   retries: attempts that repeat an earlier one on the same route
--   routing_paths: routing path -> requests that took it
--   prompt_tokens_per_turn: slope of the prompt's length over the turns, tokens a turn; NULL = one turn
--   tokens: input and output tokens
--   tokens_per_minute: tokens by the minutes elapsed; NULL = it took no time
--   tokens_left: tokens of the budget that are left, below 0 where it is overdrawn; NULL = no budget
--   used_ratio: tokens by the budget; NULL = no budget
--   minutes_left: minutes until the budget is gone at the session's own rate; NULL = no budget, or no rate
--   cost_usd: effective cost, USD; NULL = no attempt has a price

SELECT
    session_id,
    feature,
    cohort,
    started_at,
    epoch(ended_at - started_at) AS elapsed_seconds,
    requests,
    retries,
    routing_paths,
    prompt_tokens_per_turn,
    coalesce(input_tokens, 0) + coalesce(output_tokens, 0) AS tokens,
    tokens / nullif(elapsed_seconds / 60, 0) AS tokens_per_minute,
    $token_budget - tokens AS tokens_left,
    tokens / nullif($token_budget, 0) AS used_ratio,
    greatest(tokens_left, 0) / nullif(tokens_per_minute, 0) AS minutes_left,
    effective_cost AS cost_usd
FROM sessions
WHERE started_at >= $since AND started_at < $until
ORDER BY tokens DESC, session_id
LIMIT $limit
