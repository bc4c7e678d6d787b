"""The leading signals as small charts with a line of words each: value, band, dollars, and when it left its band."""

from collections.abc import Sequence
from dataclasses import dataclass

from infercost.analyze.report import Report, Signal
from infercost.analyze.signals import RATE, SHARE
from infercost.render import axis, plot
from infercost.render import format as fmt
from infercost.render.tables import Cell, tone


@dataclass(frozen=True)
class SignalView:
    """One signal as the page shows it; `state` is its CSS class."""

    title: str
    now: Cell
    before: Cell | None
    effect: Cell | None
    verdict: str
    state: str
    chart: plot.Chart


def view(report: Report) -> dict[str, object] | None:
    """Return the signals of a report for the page, or None where it has none."""
    if not report.signals:
        return None
    return {
        "signals": [_signal(report, each) for each in report.signals],
        "unit": report.signals[0].bucket_unit,
        "sql": [(each.title, each.sql) for each in report.signals],
    }


def value_text(signal: Signal, value: float | None) -> str:
    """Return a value of a signal with its unit."""
    if value is None:
        return fmt.UNKNOWN
    if signal.unit == SHARE:
        return fmt.percent(value)
    return f"{_number(value)} {'tokens/s' if signal.unit == RATE else 'tokens'}"


def short_value(signal: Signal, value: float | None) -> str:
    """Return a value without the name of its unit: `174.6 k`, `265/s`, `38.0 %`."""
    if value is None or signal.unit == SHARE:
        return value_text(signal, value)
    return f"{_number(value)}{'/s' if signal.unit == RATE else ''}"


def _number(value: float) -> str:
    """Return a count, or a small number with the digits that tell it from 0."""
    return fmt.count(round(value)) if value >= 10 or not value else f"{value:.3g}"


def verdict_text(signal: Signal, zone: str) -> str:
    """Return whether and since when a signal is outside its band."""
    if not signal.is_judged:
        return "not judged: less than three weeks of history"
    if not signal.outside:
        return "within its band"
    known = sum(value is not None for value in signal.values)
    first = plot.time_label(signal.outside[0], zone, hourly=signal.bucket_unit == "hour")
    if known == 1:
        return "outside its band"
    return f"outside its band in {len(signal.outside)} of {fmt.plural(known, signal.bucket_unit)}, first on {first}"


def short_verdict(signal: Signal, zone: str) -> str:
    """Return the verdict in a word or two: `out 10 Nov`, `in`, `?` where it cannot be judged."""
    if not signal.is_judged:
        return "?"
    return f"out {fmt.short_day(signal.outside[0].astimezone(fmt.zone(zone)))}" if signal.outside else "in"


def _signal(report: Report, signal: Signal) -> SignalView:
    before = None
    if report.baseline is not None:
        before = Cell(value_text(signal, signal.baseline), _exact(signal.baseline))
    effect = None
    if signal.effect is not None:
        text = f"{fmt.dollars(signal.effect, signed=True)}" if signal.effect else "no dollars"
        effect = Cell(text, fmt.exact_dollars(signal.effect, signed=True), tone(signal.effect))
    return SignalView(
        title=fmt.name(signal.title),
        now=Cell(value_text(signal, signal.current), _exact(signal.current)),
        before=before,
        effect=effect,
        verdict=verdict_text(signal, report.zone),
        state="quiet" if not signal.is_judged else "bad" if signal.outside else "ok",
        chart=_chart(report, signal),
    )


def _exact(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"


def _chart(report: Report, signal: Signal) -> plot.Chart:
    drawn = [*signal.values, *signal.usual, *signal.high]
    scale = axis.amounts(0, max((value for value in drawn if value is not None), default=0), most=3)
    lines = [
        plot.band(signal.low, signal.high, scale),
        plot.line("before", signal.usual, scale),
        plot.line("now", signal.values, scale),
    ]
    return plot.Chart(
        x_ticks=plot.dates(report.zone, signal.buckets, hourly=signal.bucket_unit == "hour", most=3),
        y_ticks=tuple(plot.Tick(round(100 - scale.at(tick), 3), _tick(signal, tick)) for tick in scale.ticks),
        tips=plot.tips([_lines(report, signal, place) for place in range(len(signal.buckets))]),
        zero=round(100 - scale.at(0), 3),
        lines=tuple(line for line in lines if line.path or line.area),
    )


def _tick(signal: Signal, value: float) -> str:
    return f"{value * 100:.3g} %" if signal.unit == SHARE else _number(value)


def _lines(report: Report, signal: Signal, place: int) -> Sequence[str]:
    name = plot.time_label(signal.buckets[place], report.zone, hourly=signal.bucket_unit == "hour")
    lines = [f"{name}: {value_text(signal, signal.values[place])}"]
    if signal.usual[place] is not None:
        lines.append(f"Usual at such times: {value_text(signal, signal.usual[place])}")
    if signal.low[place] is not None:
        low, high = value_text(signal, signal.low[place]), value_text(signal, signal.high[place])
        lines.append(f"Band: {low} {fmt.EN_DASH} {high}")
    return lines
