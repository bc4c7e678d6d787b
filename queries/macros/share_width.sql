-- Half the width of the band of a share: three usual distances, and no less than chance makes of `size` requests.

CREATE OR REPLACE TEMP MACRO share_width(usual, apart, size) AS -- noqa: CP05
3 * greatest(apart, sqrt(greatest(usual, 0.5 / size) * (1 - least(1, greatest(usual, 0.5 / size))) / size));
