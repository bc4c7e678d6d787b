-- The bounds between which a value known from `size` is usual; `apart` is the usual distance of its logarithms.

CREATE OR REPLACE TEMP MACRO level_band(usual, apart, size) AS -- noqa: CP05
CASE WHEN apart IS NOT NULL THEN {
    'low': usual / exp(3 * greatest(apart, 1 / sqrt(greatest(size, 1)))),
    'high': usual * exp(3 * greatest(apart, 1 / sqrt(greatest(size, 1))))
} END;
