"""Rounds amounts to cents so that the rounded ones still add up to the rounded sum: the largest remainder method."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

CENT = Decimal("0.01")


def closed(amounts: Sequence[Decimal], places: int = 2) -> list[Decimal]:
    """Return the amounts with `places` decimals, each off by less than one unit, adding up to their sum rounded.

    Zero stays zero. Of equal remainders the larger amount is rounded up, then the earlier one.
    """
    unit = Decimal(1).scaleb(-places)
    floors = [(amount / unit).to_integral_value(ROUND_FLOOR) for amount in amounts]
    remainders = [amount / unit - floor for amount, floor in zip(amounts, floors, strict=True)]
    missing = int((sum(amounts, Decimal(0)) / unit).to_integral_value() - sum(floors, Decimal(0)))
    order = sorted(range(len(amounts)), key=lambda place: (-remainders[place], -abs(amounts[place]), place))
    for place in order[:missing]:
        floors[place] += 1
    return [floor * unit for floor in floors]
