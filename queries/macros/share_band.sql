-- The bounds between which a share of `size` is usual: three usual distances, and no narrower than chance makes them.

CREATE OR REPLACE TEMP MACRO share_band(usual, apart, size) AS -- noqa: CP05
CASE WHEN usual IS NOT NULL AND apart IS NOT NULL AND size > 0 THEN {
    'low': greatest(0, usual - 3 * greatest(
        apart, sqrt(greatest(usual, 0.5 / size) * (1 - least(1, greatest(usual, 0.5 / size))) / size)
    )),
    'high': least(1, usual + 3 * greatest(
        apart, sqrt(greatest(usual, 0.5 / size) * (1 - least(1, greatest(usual, 0.5 / size))) / size)
    ))
} END;
