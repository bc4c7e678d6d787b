-- For every call of the trees: whether it repeats another one. Of nested calls of one kind the inner ones are the calls
-- that were billed, and the outer one repeats them; but where the outer one alone has usage it is the call, and what
-- lies below it repeats it, unless that failed.
WITH RECURSIVE
edges AS (
    SELECT DISTINCT tree_id, node_id, unnest(parent_ids) AS above
    FROM tree
),
calls AS (
    SELECT
        tree_id,
        node_id,
        attempt_id,
        call_kind,
        bool_or(has_usage) AS has_usage,
        bool_or(is_failed) AS is_failed
    FROM tree
    WHERE attempt_id IS NOT NULL
    GROUP BY ALL
),
climb AS (
    SELECT edges.tree_id, edges.node_id AS inner_node, edges.above, 1 AS steps
    FROM edges
    SEMI JOIN calls ON edges.tree_id = calls.tree_id AND edges.node_id = calls.node_id
    UNION
    SELECT climb.tree_id, climb.inner_node, edges.above, climb.steps + 1
    FROM climb
    INNER JOIN edges ON climb.tree_id = edges.tree_id AND climb.above = edges.node_id
    -- No real tree is deeper; a broken one may be a circle.
    WHERE climb.steps < 64
),
-- Of calls that lie in a circle none is the outer one.
below AS (
    SELECT DISTINCT climb.tree_id, climb.inner_node, climb.above
    FROM climb
    ANTI JOIN climb AS turned
        ON climb.tree_id = turned.tree_id AND climb.inner_node = turned.above AND climb.above = turned.inner_node
    WHERE climb.inner_node <> climb.above
),
nested AS (
    SELECT
        outer_call.attempt_id AS outer_id,
        outer_call.has_usage AS outer_has_usage,
        inner_call.attempt_id AS inner_id,
        inner_call.has_usage AS inner_has_usage,
        inner_call.is_failed AS inner_is_failed,
        bool_or(inner_call.has_usage) OVER (PARTITION BY below.tree_id, outer_call.attempt_id) AS usage_is_inside
    FROM below
    INNER JOIN calls AS inner_call ON below.tree_id = inner_call.tree_id AND below.inner_node = inner_call.node_id
    INNER JOIN calls AS outer_call
        ON below.tree_id = outer_call.tree_id AND below.above = outer_call.node_id
        AND outer_call.call_kind IN (inner_call.call_kind, '')
),
repeating AS (
    SELECT outer_id AS attempt_id
    FROM nested
    WHERE usage_is_inside OR NOT outer_has_usage
    UNION
    SELECT inner_id AS attempt_id
    FROM nested
    WHERE outer_has_usage AND NOT usage_is_inside AND NOT inner_is_failed
)
SELECT
    attempt_id,
    attempt_id IN (SELECT repeating.attempt_id FROM repeating) AS is_aside,
    min(started_at) AS started_at
FROM tree
WHERE attempt_id IS NOT NULL
GROUP BY attempt_id
