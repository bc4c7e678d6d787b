"""Notices when the whole moved though none of its parts did: the mix of parts changed (Simpson's paradox)."""

from decimal import Decimal
from typing import TYPE_CHECKING

from infercost.analyze.drivers import effects
from infercost.analyze.explanation import Child

if TYPE_CHECKING:
    import duckdb

MIX = ("feature_mix", "cohort_mix")
TRAFFIC = ("calendar", "volume", *MIX, "new_features", "vanished_features")

LEAST_SHARE = Decimal("0.02")
"""Share of spend that the cost of a request must have moved by, in all, to be worth a note."""

MOST_WITHIN = Decimal("0.3")
"""A part counts as unmoved when its own drivers give less than this share of what the mix did."""


def notes(connection: "duckdb.DuckDBPyConnection", where: str, whole: Child) -> tuple[str, ...]:
    """Return a note where the cost of a request changed in all, and in no feature and cohort by itself."""
    mix = sum((whole.effects[name] for name in MIX), Decimal(0))
    base = whole.before + whole.effects["calendar"]
    if base <= 0 or abs(mix) < base * LEAST_SHARE:
        return ()
    parts = effects.table(connection, ("feature", "cohort"), where).rows
    inner = [_inner(part) for part in parts]
    same_way = sum((each for each in inner if each * mix > 0), Decimal(0))
    if abs(same_way) > abs(mix) * MOST_WITHIN:
        return ()
    against = sum(inner, Decimal(0)) * mix < 0
    word = "rose" if mix > 0 else "fell"
    moved = (
        "in each it moved the other way"
        if against and abs(sum(inner, Decimal(0))) > base * LEAST_SHARE
        else ("in no feature and cohort did it by itself")
    )
    return (f"The cost of a request {word} in all, though {moved}: the traffic moved between them.",)


def _inner(part: Child) -> Decimal:
    """Return what changed inside a part, whatever its share of the traffic did."""
    return sum((effect for name, effect in part.effects.items() if name not in TRAFFIC), Decimal(0))
