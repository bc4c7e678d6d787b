"""The shapes of a chart in percent of its plot: the page draws them as SVG, which needs no script and prints as is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from infercost.render import format as fmt
from infercost.render.axis import Axis

MOST_DATES = 5
"""Dates that fit under a chart 350 px wide; a week of days has short labels and shows all."""

_DAYS_OF_A_WEEK = 7

_LONGEST_BY_CLOCK = timedelta(hours=36)
"""A row of hours up to which the time of day says where one is; beyond it is the date."""

_DOTTED = 14
"""Points up to which each has a dot."""


@dataclass(frozen=True)
class Tick:
    """A label of an axis, `at` percent from the left or from the top."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """A line as an SVG path, with the area under it and a dot a point where there are few; `kind` is its CSS class."""

    kind: str
    path: str
    area: str = ""
    dots: str = ""


@dataclass(frozen=True)
class Block:
    """A rectangle in percent of the plot, from its top left."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Mark:
    """Moments in one bucket that a chart marks: where, under which number, and what began there."""

    at: float
    number: int
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Tip:
    """What a pointer over a bucket shows; it opens to the left in the right half."""

    left: float
    width: float
    lines: tuple[str, ...]

    @property
    def opens_left(self) -> bool:
        """Whether there is more room on the left."""
        return self.left + self.width / 2 > 50


@dataclass(frozen=True)
class Chart:
    """Everything that is drawn in a plot."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    tips: tuple[Tip, ...]
    zero: float
    lines: tuple[Line, ...] = ()
    blocks: tuple[Block, ...] = ()
    marks: tuple[Mark, ...] = ()


def time_label(start: datetime, zone: str, *, hourly: bool) -> str:
    """Return the name of a bucket: `Sun 8 Nov 2026`, or `8 Nov 2026 14:00` of an hour."""
    return fmt.moment(start, zone) if hourly else fmt.day(start.astimezone(fmt.zone(zone)), weekday=True)


def line(kind: str, values: Sequence[float | None], scale: Axis, *, filled: bool = False) -> Line:
    """Return values as a path; it is broken where a value is unknown."""
    places = [
        None if value is None else (middle(number, len(values)), round(100 - scale.at(value), 3))
        for number, value in enumerate(values)
    ]
    path, pen = [], "M"
    for place in places:
        if place is None:
            pen = "M"
            continue
        path.append(f"{pen}{place[0]} {place[1]}")
        pen = "L"
    known = [place for place in places if place is not None]
    drawn = " ".join(path)
    bottom = round(100 - scale.at(0), 3)
    area = f"{drawn} L{known[-1][0]} {bottom} L{known[0][0]} {bottom} Z" if filled and known else ""
    dots = " ".join(f"M{x} {y}h0" for x, y in known) if len(values) <= _DOTTED else ""
    return Line(kind, drawn, area, dots)


def band(low: Sequence[float | None], high: Sequence[float | None], scale: Axis) -> Line:
    """Return what lies between two rows of values as an area; it is broken where either is unknown."""
    pieces: list[list[tuple[float, float, float]]] = [[]]
    for number, (bottom, top) in enumerate(zip(low, high, strict=True)):
        if bottom is None or top is None:
            pieces.append([])
            continue
        at = middle(number, len(low))
        pieces[-1].append((at, round(100 - scale.at(top), 3), round(100 - scale.at(bottom), 3)))
    drawn = []
    for piece in pieces:
        corners = [(at, top) for at, top, _ in piece] + [(at, bottom) for at, _, bottom in reversed(piece)]
        if corners:
            drawn.append(f"M{' L'.join(f'{x} {y}' for x, y in corners)} Z")
    return Line("band", "", " ".join(drawn))


def middle(number: int, count: int) -> float:
    """Return where the middle of one of `count` buckets is."""
    return round((number + 0.5) / count * 100, 3)


def tips(texts: Sequence[Sequence[str]]) -> tuple[Tip, ...]:
    """Return what a pointer over each bucket shows."""
    width = round(100 / len(texts), 4) if texts else 0.0
    return tuple(Tip(round(number * 100 / len(texts), 3), width, tuple(lines)) for number, lines in enumerate(texts))


def dates(zone: str, starts: Sequence[datetime], *, hourly: bool, most: int = MOST_DATES) -> tuple[Tick, ...]:
    """Return short labels that fit a narrow page: `8 Nov`, `9`, `10`; the month where it begins or changes."""
    by_clock = hourly and bool(starts) and starts[-1] - starts[0] < _LONGEST_BY_CLOCK
    step = 1 if len(starts) <= _DAYS_OF_A_WEEK and most == MOST_DATES else -(-len(starts) // most)
    times = [(place, start.astimezone(fmt.zone(zone))) for place, start in enumerate(starts)][::step]
    month, ticks = 0, []
    for place, time in times:
        text = f"{time:%H:%M}" if by_clock else fmt.short_day(time) if time.month != month else str(time.day)
        month = time.month
        ticks.append(Tick(middle(place, len(starts)), text))
    return tuple(ticks)
