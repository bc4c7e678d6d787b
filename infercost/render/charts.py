"""Plotly figures as plain dicts, one for light and one for dark: drawn by the page's own copy of plotly.js."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from infercost.analyze.report import DayCost, Report
from infercost.render import format as fmt
from infercost.render.palette import DARK, LIGHT

CONFIG: dict[str, Any] = {"displaylogo": False, "displayModeBar": False, "responsive": True}
"""Plotly's config for every chart: no logo, no tool bar, follows the width of the page."""

CHART_HEIGHT = 280
_DAYS_OF_A_WEEK = 7
_TICKS = 5
"""Dates that fit under a chart 350 px wide; a week of days has short labels and shows all."""
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def daily_figures(report: Report) -> dict[str, Any]:
    """Return the chart of daily cost as `{"light": figure, "dark": figure, "config": …}`, ready for JSON.

    The current window is a solid line over an area, the baseline a dashed line, matched by position; a hover names
    both dates and both amounts. Amounts become floats here: a chart is for the eye.
    """
    return {"light": _daily(report, LIGHT), "dark": _daily(report, DARK), "config": CONFIG}


def has_daily(report: Report) -> bool:
    """Return whether there is a line to draw: two points or more, and not all of them zero."""
    return len(report.daily) > 1 and any(point.current_cost or point.baseline_cost for point in report.daily)


def is_hourly(report: Report) -> bool:
    """Return whether the points of the daily chart are hours, as they are in a window that is not whole days."""
    return report.current.days is None


def point_label(report: Report, start: datetime) -> str:
    """Return the name of one point: `Sun 8 Nov 2026`, or `8 Nov 2026 14:00` in a window of hours."""
    local = start.astimezone(fmt.zone(report.zone))
    return fmt.moment(local, report.zone) if is_hourly(report) else fmt.day(local, weekday=True)


def _daily(report: Report, colours: dict[str, str]) -> dict[str, Any]:
    import plotly.graph_objects as go

    traces = [_current(report, colours)]
    if report.baseline is not None:
        traces.insert(0, _baseline(report, colours))
    figure = go.Figure(data=traces)
    figure.update_layout(template=None, **_layout(report, colours))
    drawn: dict[str, Any] = figure.to_plotly_json()
    return drawn


def _current(report: Report, colours: dict[str, str]) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        name="this window",
        x=[point.position for point in report.daily],
        y=[float(point.current_cost) for point in report.daily],
        text=[_hover(report, point) for point in report.daily],
        hovertemplate="%{text}<extra></extra>",
        mode="lines+markers" if len(report.daily) <= 14 else "lines",
        marker={"size": 6, "color": colours["current"]},
        line={"color": colours["current"], "width": 2.5},
        fill="tozeroy",
        fillcolor=colours["current_fill"],
    )


def _baseline(report: Report, colours: dict[str, str]) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        name="window before",
        x=[point.position for point in report.daily],
        y=[None if point.baseline_cost is None else float(point.baseline_cost) for point in report.daily],
        hoverinfo="skip",
        mode="lines",
        line={"color": colours["baseline"], "width": 2, "dash": "6px,4px"},
    )


def _hover(report: Report, point: DayCost) -> str:
    lines = [f"<b>{point_label(report, point.current_start)}</b>  {fmt.dollars(point.current_cost)}"]
    if point.baseline_start is not None and point.baseline_cost is not None:
        lines.append(f"{point_label(report, point.baseline_start)}  {fmt.dollars(point.baseline_cost)}")
        change = point.current_cost - point.baseline_cost
        ratio = f" ({fmt.percent(float(change / point.baseline_cost), signed=True)})" if point.baseline_cost else ""
        lines.append(f"{fmt.dollars(change, signed=True)}{ratio}")
    return "<br>".join(lines)


def _layout(report: Report, colours: dict[str, str]) -> dict[str, Any]:
    last = max(1, len(report.daily) - 1)
    step = 1 if len(report.daily) <= _DAYS_OF_A_WEEK else -(-len(report.daily) // _TICKS)
    ticks = report.daily[::step]
    axis = {"fixedrange": True, "zeroline": False, "automargin": True, "tickfont": {"color": colours["quiet"]}}
    return {
        "height": CHART_HEIGHT,
        "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
        "paper_bgcolor": colours["paper"],
        "plot_bgcolor": colours["paper"],
        "font": {"family": _FONT, "size": 12, "color": colours["ink"]},
        "showlegend": False,
        "hovermode": "x",
        "hoverdistance": -1,
        "spikedistance": -1,
        "hoverlabel": {
            "bgcolor": colours["panel"],
            "bordercolor": colours["line"],
            "font": {"family": _FONT, "size": 13, "color": colours["ink"]},
            "align": "left",
        },
        "xaxis": axis
        | {
            "showgrid": False,
            "range": [-0.04 * last, 1.04 * last],
            "tickmode": "array",
            "tickvals": [point.position for point in ticks],
            "ticktext": _tick_texts(report, ticks),
            "tickangle": 0,
            "showspikes": True,
            "spikemode": "across",
            "spikethickness": 1,
            "spikedash": "solid",
            "spikecolor": colours["line"],
        },
        "yaxis": axis
        | {
            "rangemode": "tozero",
            "nticks": 6,
            "tickprefix": "$",
            "separatethousands": True,
            "exponentformat": "none",
            "gridcolor": colours["line"],
        },
    }


def _tick_texts(report: Report, ticks: Sequence[DayCost]) -> list[str]:
    """Return short labels that fit a narrow page: `8 Nov`, `9`, `10`; the month where it begins or changes."""
    times = [point.current_start.astimezone(fmt.zone(report.zone)) for point in ticks]
    if is_hourly(report):
        return [f"{time:%H:%M}" for time in times]
    months = [None, *(time.month for time in times)]
    return [
        str(time.day) if time.month == month else fmt.short_day(time)
        for time, month in zip(times, months, strict=False)
    ]
