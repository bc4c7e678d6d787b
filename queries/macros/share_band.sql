-- The bounds between which a share of `size` is usual.

CREATE OR REPLACE TEMP MACRO share_band(usual, apart, size) AS -- noqa: CP05
CASE WHEN usual IS NOT NULL AND apart IS NOT NULL AND size > 0 THEN {
    'low': greatest(0, usual - share_width(usual, apart, size)),
    'high': least(1, usual + share_width(usual, apart, size))
} END;
