"""Round numbers for the axis of a chart, and where values lie on it."""

from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor, log10

_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`, both of them ticks or bounds of what is drawn."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Return where a value lies, in percent of the axis from `low`."""
        return round((value - self.low) / (self.high - self.low) * 100, 3)


def amounts(low: float, high: float, most: int = 5) -> Axis:
    """Return an axis with 0 on it that holds `low` and `high`, with up to `most` steps of 1, 2, 2.5 or 5 times 10^n."""
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high = 1.0
    rough = (high - low) / most
    power = 10.0 ** floor(log10(rough))
    step = next(each for each in _ROUND if each * power >= rough * (1 - 1e-9)) * power
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    ticks = tuple(float(Decimal(repr(step)) * number) for number in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)
