-- What distances from the middle of `known` values usually are: such a middle is nearer to each than that of others.

CREATE OR REPLACE TEMP MACRO usual_distance(distance, known) AS -- noqa: CP05
1.4826 * median(abs(distance) * known / nullif(known - 1, 0));
