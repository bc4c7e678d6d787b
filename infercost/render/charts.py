"""The charts of cost: by day beside the baseline, and what each driver did by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from infercost.analyze.drivers.factors import SHIFTS
from infercost.analyze.explanation import DriverLine, Explanation
from infercost.analyze.report import DayCost, Report
from infercost.render import axis, why
from infercost.render import format as fmt
from infercost.render.axis import Axis
from infercost.render.plot import Block, Chart, Mark, Tick, dates, line, middle, time_label, tips

HUES = 5
"""Drivers that have a colour of their own; the others are drawn together."""

MOST_MARKS = 9
"""Moments that are marked on a chart, the dearest first."""


def has_daily(report: Report) -> bool:
    """Return whether there is a line to draw: two points or more, and not all of them zero."""
    return len(report.daily) > 1 and any(point.current_cost or point.baseline_cost for point in report.daily)


def daily(report: Report) -> Chart:
    """Return the cost of both windows by day (or hour), with the moments of the explanation marked."""
    points = report.daily
    now = [float(point.current_cost) for point in points]
    expected = _expected(report)
    baseline: Sequence[Decimal | None] = expected or [point.baseline_cost for point in points]
    before = [None if cost is None else float(cost) for cost in baseline]
    scale = axis.amounts(0, max((*now, *(each for each in before if each is not None)), default=0))
    lines = [line("now", now, scale, filled=True)]
    if report.baseline is not None:
        lines.insert(0, line("before", before, scale))
    return Chart(
        x_ticks=dates(report.zone, [point.current_start for point in points], hourly=is_hourly(report)),
        y_ticks=_amounts(scale),
        tips=tips(
            [
                _daily_lines(report, point, cost, matched=bool(expected))
                for point, cost in zip(points, baseline, strict=True)
            ]
        ),
        zero=100 - scale.at(0),
        lines=tuple(lines),
        marks=_marks(report, [point.current_start for point in points]),
    )


def is_matched(report: Report) -> bool:
    """Return whether the baseline is drawn as it would have cost in the window's hours, and not by position."""
    return bool(_expected(report))


def _expected(report: Report) -> Sequence[Decimal] | None:
    """Return the matched baseline of each point, or None where the explanation has other points or none.

    Matched, weekends lie over weekends whatever the windows begin with.
    """
    explanation = report.explanation
    starts = [point.current_start for point in report.daily]
    return explanation.expected if explanation and [*explanation.buckets] == starts else None


def is_hourly(report: Report) -> bool:
    """Return whether the points of the daily chart are hours, as they are in a window that is not whole days."""
    return report.current.days is None


def point_label(report: Report, start: datetime) -> str:
    """Return the name of one point: `Sun 8 Nov 2026`, or `8 Nov 2026 14:00` in a window of hours."""
    return time_label(start, report.zone, hourly=is_hourly(report))


def bucket_label(explanation: Explanation, place: int) -> str:
    """Return the name of a bucket of an explanation, as `point_label` has it."""
    return time_label(explanation.buckets[place], explanation.zone, hourly=explanation.bucket_unit == "hour")


def _amounts(scale: Axis) -> tuple[Tick, ...]:
    step = Decimal(repr(scale.ticks[1])) - Decimal(repr(scale.ticks[0]))
    places = max(0, -int(step.normalize().as_tuple().exponent))
    return tuple(Tick(round(100 - scale.at(each), 3), fmt.money(Decimal(repr(each)), places)) for each in scale.ticks)


def _daily_lines(report: Report, point: DayCost, before: Decimal | None, *, matched: bool) -> tuple[str, ...]:
    lines = [f"{point_label(report, point.current_start)}: {fmt.dollars(point.current_cost)}"]
    if before is not None:
        at = point_label(report, point.baseline_start) if point.baseline_start else ""
        name = "Such a time in the baseline" if matched else at
        lines.append(f"{name}: {fmt.dollars(before)}")
        change = point.current_cost - before
        ratio = f" ({fmt.percent(float(change / before), signed=True)})" if before else ""
        lines.append(f"{fmt.dollars(change, signed=True)}{ratio}")
    return tuple(lines)


def _marks(report: Report, starts: Sequence[datetime]) -> tuple[Mark, ...]:
    """Return when drivers began, prices took effect and names were new, by the point that they lie in."""
    explanation = report.explanation
    if explanation is None:
        return ()
    began = [(line.onset.began, f"{line.title} began") for line in explanation.main_lines if line.onset]
    new = [(event.when, why.event_text(event, explanation)) for event in explanation.events]
    texts: dict[int, list[str]] = {}
    for when, text in [*began, *new][:MOST_MARKS]:
        place = max((number for number, start in enumerate(starts) if start <= when), default=None)
        if place is not None:
            texts.setdefault(place, []).append(text)
    return tuple(
        Mark(middle(place, len(starts)), number, tuple(texts[place]))
        for number, place in enumerate(sorted(texts), start=1)
    )


@dataclass(frozen=True)
class Hue:
    """A driver with a colour: its CSS class, its name (None: all others), its title, its effect in each bucket."""

    kind: str
    name: str | None
    title: str
    series: tuple[Decimal, ...]


def hues(explanation: Explanation) -> tuple[Hue, ...]:
    """Return the drivers that moved most in a bucket's sum, in the order of the bridge, and all others together."""
    dated = [line for line in explanation.drivers if any(line.series) and line.name not in ("calendar", SHIFTS)]
    largest = sorted(dated, key=lambda line: (-_size(line), line.name))[:HUES]
    chosen = [line for line in dated if line in largest]
    found = [Hue(f"hue{number}", line.name, line.title, line.series) for number, line in enumerate(chosen, start=1)]
    others = [line.series for line in dated if line not in largest]
    if others:
        found.append(
            Hue("others", None, "All others", tuple(sum(each, Decimal(0)) for each in zip(*others, strict=True)))
        )
    return tuple(found)


def _size(line: DriverLine) -> Decimal:
    return sum(map(abs, line.series), Decimal(0))


def stacked(report: Report, explanation: Explanation, drawn: Sequence[Hue]) -> Chart:
    """Return what each driver did by day (or hour) against the matched baseline: rises above zero, falls below."""
    starts = explanation.buckets
    columns = [[float(hue.series[place]) for hue in drawn] for place in range(len(starts))]
    scale = axis.amounts(
        min((sum(each for each in column if each < 0) for column in columns), default=0),
        max((sum(each for each in column if each > 0) for column in columns), default=0),
    )
    return Chart(
        x_ticks=dates(report.zone, starts, hourly=explanation.bucket_unit == "hour"),
        y_ticks=_amounts(scale),
        tips=tips([_stack_lines(explanation, drawn, place) for place in range(len(starts))]),
        zero=round(100 - scale.at(0), 3),
        blocks=tuple(block for place, column in enumerate(columns) for block in _stack(drawn, place, column, scale)),
    )


def _stack(drawn: Sequence[Hue], place: int, column: Sequence[float], scale: Axis) -> list[Block]:
    width = 100 / len(drawn[0].series)
    blocks = []
    ends = {True: 0.0, False: 0.0}
    for hue, value in zip(drawn, column, strict=True):
        if not value:
            continue
        start, end = ends[value > 0], ends[value > 0] + value
        ends[value > 0] = end
        top, bottom = 100 - scale.at(max(start, end)), 100 - scale.at(min(start, end))
        blocks.append(
            Block(
                hue.kind,
                round((place + 0.14) * width, 3),
                round(top, 3),
                round(0.72 * width, 3),
                round(bottom - top, 3),
            )
        )
    return blocks


def _stack_lines(explanation: Explanation, drawn: Sequence[Hue], place: int) -> tuple[str, ...]:
    total = sum((hue.series[place] for hue in drawn), Decimal(0))
    moved = sorted((hue for hue in drawn if hue.series[place]), key=lambda hue: -abs(hue.series[place]))
    named = [(bucket_label(explanation, place), total), *((hue.title, hue.series[place]) for hue in moved)]
    return tuple(f"{name}: {fmt.dollars(effect, signed=True)}" for name, effect in named)
