"""Finds where a driver's effect is: the dimension whose few values hold more of it than of what it acts on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infercost import engine
from infercost.analyze.drivers.effects import dollars
from infercost.analyze.drivers.measures import filter_sql
from infercost.analyze.explanation import Segment

if TYPE_CHECKING:
    import duckdb

WHO = ("feature", "cohort", "team")
WHERE_BILLED = ("model",)

COVERED = 0.85
"""Share of the effect that the named values must hold together."""

GAIN = 0.12
"""How much larger than their share of the exposure it must be; below, the effect is broad."""

DEPTH = 3
"""Most conditions that a segment is made of."""

_BY_MODEL = ("list_price", "discount", "service_tier", "retries", "prompt_cache", "output_length", "reasoning")
"""Drivers that can be of one model, whoever uses it; routing moves between models, and traffic has none."""

_EXPOSED: dict[str, str] = {
    "prompt_cache": "kind = 'cache_read'",
    "output_length": "kind = 'output_text'",
    "reasoning": "kind = 'reasoning'",
}
"""What a driver acts on, where that is not all spend: leaves that this condition holds for."""


@dataclass(frozen=True)
class _Found:
    dimension: str
    values: tuple[str, ...]
    effect: int
    covered: float
    gain: float
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
        dimensions = [each for each in (*WHO, *(WHERE_BILLED if driver in _BY_MODEL else ())) if each not in taken]
        found = [
            each for each in (_of_dimension(connection, driver, each, within, whole) for each in dimensions) if each
        ]
        best = max(found, key=lambda each: each.score, default=None)
        if best is None or best.gain < GAIN:
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
) -> _Found | None:
    """Return the fewest values of a dimension that hold most of the effect, and how much that is above their share."""
    exposed = _EXPOSED.get(driver, "TRUE")
    rows = connection.execute(f"""
        SELECT {engine.identifier(dimension)}, sum({driver}) AS effect,
            coalesce(sum(cost_0) FILTER (WHERE {exposed}), 0) AS exposure,
            coalesce(sum(cost_1) FILTER (WHERE {exposed}), 0) AS exposure_now
        FROM driver_effects WHERE {where} GROUP BY 1 ORDER BY effect * {1 if total > 0 else -1} DESC, 1
    """).fetchall()
    if len(rows) < 2:
        return None
    # What began in this window has no spend of before to act on.
    side = 2 if sum(row[2] for row in rows) > 0 else 3
    exposure = sum(row[side] for row in rows)
    values: list[str] = []
    effect = held = 0
    for row in rows:
        if effect / total >= COVERED or row[1] * total <= 0:
            break
        values.append(row[0])
        effect += row[1]
        held += row[side]
    covered = min(effect / total, 1.0)
    gain = covered - (held / exposure if exposure else 0)
    score = gain * (1 - (len(values) - 1) / len(rows))
    return _Found(dimension, tuple(values), effect, covered, gain, score) if values else None
