"""Gauss-Legendre nodes: with them the integral behind a Shapley value of a product is exact, not approximated."""

from math import cos, pi


def nodes(factors: int) -> tuple[tuple[float, float], ...]:
    """Return (point, weight) pairs on [0, 1] that integrate the product of all factors but one exactly.

    That product is a polynomial of degree `factors` - 1, and n points are exact up to degree 2n - 1.
    """
    count = (factors + 1) // 2
    found = [_node(count, place) for place in range(count)]
    return tuple(sorted(((1 - point) / 2, weight / 2) for point, weight in found))


def literals(factors: int) -> tuple[tuple[str, str], ...]:
    """Return the nodes as SQL literals of type DOUBLE."""
    return tuple((f"{point:.17f}e0", f"{weight:.17f}e0") for point, weight in nodes(factors))


def _node(count: int, place: int) -> tuple[float, float]:
    """Return a root of the Legendre polynomial of degree `count`, by Newton's method, and its weight."""
    point = cos(pi * (place + 0.75) / (count + 0.5))
    slope = 1.0
    for _ in range(100):
        value, slope = _legendre(count, point)
        step = value / slope
        point -= step
        if abs(step) < 1e-16:
            break
    return point, 2 / ((1 - point * point) * slope * slope)


def _legendre(degree: int, point: float) -> tuple[float, float]:
    """Return the polynomial's value and slope, by the recurrence of three terms."""
    before, value = 1.0, point
    for each in range(2, degree + 1):
        before, value = value, ((2 * each - 1) * point * value - (each - 1) * before) / each
    return value, degree * (point * value - before) / (point * point - 1)
