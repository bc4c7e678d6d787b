"""Finds where a driver's effect is: the dimension whose few values hold more of it than of what it acts on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infercost import engine
from infercost.analyze.drivers import factors, split
from infercost.analyze.drivers.effects import dollars
from infercost.analyze.drivers.measures import filter_sql
from infercost.analyze.explanation import Segment

if TYPE_CHECKING:
    import duckdb

WHO = ("feature", "cohort", "team")

COVERED = 0.8
"""Share of the effect that the named values must hold together at least."""

GAIN = 0.12
"""How much larger than their share of the exposure it must be; below, the effect is broad."""

SLIGHT_GAIN = 0.05
MOST_HELD = 0.97
CONTRAST = 0.25
"""Where values hold so much of the exposure that they cannot hold much more of the effect, a slight gain is enough if
all others, which must hold something, have less than this part of their effect by exposure."""

_CONTRASTED = ("feature", "team")
"""Dimensions that this is asked of: every cohort uses a little of what every feature uses."""

DEPTH = 3
"""Most conditions that a segment is made of."""

_BY_MODEL: dict[str, str] = {
    **dict.fromkeys(("list_price", "discount", "service_tier", "prompt_cache", "output_length", "reasoning"), "model"),
    "retries": "first_model",
}
"""Drivers that can be of one model, whoever uses it, and the dimension; routing moves between models, traffic has none.

A retry may end at another model than the one that made it necessary.
"""

_EXPOSED: dict[str, str] = {
    "prompt_cache": "kind = 'cache_read'",
    "output_length": "kind = 'output_text'",
    "reasoning": "kind = 'reasoning'",
}
"""What a driver acts on, where that is not all spend: leaves that this condition holds for."""

_GATEWAY = factors.place("gateway_cache", "input_uncached")
_AVOIDED = {
    side: f"cost_{number} * (1 - {side}{_GATEWAY}) / nullif({side}{_GATEWAY}, 0)" for number, side in enumerate("ab")
}
"""What the gateway's cache acts on: what the requests that it answered would have cost."""

_LEAF = ", ".join(split.LEAF)
_WITH_AVOIDED = f"""(
    SELECT driver_effects.*, avoided.avoided_a, avoided.avoided_b
    FROM driver_effects
    INNER JOIN (
        SELECT {_LEAF}, {", ".join(f"{value} AS avoided_{side}" for side, value in _AVOIDED.items())} FROM driver_leaves
    ) AS avoided USING ({_LEAF})
)"""


@dataclass(frozen=True)
class _Found:
    dimension: str
    values: tuple[str, ...]
    effect: int
    score: float


def locate(connection: "duckdb.DuckDBPyConnection", driver: str, where: str = "TRUE") -> Segment | None:
    """Return the segment of a driver over the leaves of `where`, or None when it had no effect there."""
    total = _total(connection, driver, where)
    if total == 0:
        return None
    chosen: list[_Found] = []
    within, whole = where, total
    while len(chosen) < DEPTH:
        taken = {each.dimension for each in chosen}
        of_model = (_BY_MODEL[driver],) if driver in _BY_MODEL else ()
        dimensions = [each for each in (*WHO, *of_model) if each not in taken]
        found = [each for name in dimensions for each in _of_dimension(connection, driver, name, within, whole)]
        best = max(found, key=lambda each: each.score, default=None)
        if best is None:
            break
        chosen.append(best)
        within = f"{within} AND {filter_sql(((best.dimension, best.values),))}"
        whole = best.effect
    return Segment(
        conditions=tuple((each.dimension, ", ".join(each.values)) for each in chosen),
        values=tuple(each.values for each in chosen),
        effect=dollars(whole),
        share=whole / total,
    )


def _total(connection: "duckdb.DuckDBPyConnection", driver: str, where: str) -> int:
    found = connection.execute(f"SELECT coalesce(sum({driver}), 0) FROM driver_effects WHERE {where}").fetchall()
    return int(found[0][0])


def _of_dimension(
    connection: "duckdb.DuckDBPyConnection", driver: str, dimension: str, where: str, total: int
) -> list[_Found]:
    """Return the sets of a dimension's values, largest effects first, that hold enough of it above their share."""
    exposed = _EXPOSED.get(driver, "TRUE")
    is_gateway = driver == "gateway_cache"
    before, after = ("avoided_a", "avoided_b") if is_gateway else ("cost_0", "cost_1")
    rows = connection.execute(f"""
        SELECT {engine.identifier(dimension)}, sum({driver}) AS effect,
            coalesce(sum({before}) FILTER (WHERE {exposed}), 0) AS exposure,
            coalesce(sum({after}) FILTER (WHERE {exposed}), 0) AS exposure_now
        FROM {_WITH_AVOIDED if is_gateway else "driver_effects"}
        WHERE {where} GROUP BY 1 ORDER BY effect * {1 if total > 0 else -1} DESC, 1
    """).fetchall()
    if len(rows) < 2:
        return []
    # What began in this window has no spend of before to act on.
    side = 2 if sum(row[2] for row in rows) > 0 else 3
    exposure = sum(row[side] for row in rows)
    found: list[_Found] = []
    values: list[str] = []
    effect = held = 0
    for value, added, *sides in rows:
        if added * total <= 0:
            break
        values.append(value)
        effect += added
        held += sides[side - 2]
        covered = min(effect / total, 1.0)
        share = held / exposure if exposure else 0.0
        if covered >= COVERED and _stands_out(dimension, covered, share):
            score = (covered - share) * (1 - (len(values) - 1) / len(rows))
            found.append(_Found(dimension, tuple(values), effect, score))
    return found


def _stands_out(dimension: str, covered: float, share: float) -> bool:
    """Return whether values with a share of the effect and of the exposure hold it, and it is not as much elsewhere."""
    if covered - share >= GAIN:
        return True
    if dimension not in _CONTRASTED or covered - share < SLIGHT_GAIN or share > MOST_HELD:
        return False
    return (1 - covered) / (1 - share) <= CONTRAST * covered / share
