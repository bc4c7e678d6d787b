"""What the page shows of an explanation: the bridge, its drivers by day, contributors, proof, and each part alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from infercost.analyze.explanation import WITHIN, DriverLine, Explanation, MovedRequest
from infercost.analyze.report import Report
from infercost.render import bridge, charts, drill
from infercost.render import format as fmt
from infercost.render import why as words
from infercost.render.tables import Bar, Cell, tone

MOST_CONTRIBUTORS: Final = 15
"""Rows of the table of contributors; the others are one row."""


@dataclass(frozen=True)
class _DriverView:
    """A row of the bridge."""

    anchor: str
    title: str
    where: str
    effect: Cell
    bar: Bar
    only: Cell
    undo: Cell
    verdict: str
    idle: bool


def why(report: Report) -> dict[str, Any] | None:
    """Return why spend changed: sentences that link to the bridge's rows, the bridge, and what stands behind it."""
    explanation = report.explanation
    if explanation is None:
        return None
    if (quiet := words.quiet_text(explanation)) is not None:
        return {"quiet": quiet}
    change = bridge.change_cents(explanation)
    before, after = bridge.ends(explanation)
    fall = bridge.waterfall(explanation)
    hues = charts.hues(explanation)
    decimals = bridge.places(explanation)
    return {
        "quiet": None,
        "sentences": words.sentences(explanation),
        "rows": [
            _driver(line, cents, step, decimals)
            for (line, cents), step in zip(bridge.bridge_rows(explanation), fall.steps, strict=True)
        ],
        "before": Cell(bridge.unsigned(before, decimals), fmt.exact_dollars(explanation.before)),
        "after": Cell(bridge.unsigned(after, decimals), fmt.exact_dollars(explanation.after)),
        "before_bar": _span(fall.before, "whole"),
        "after_bar": _span(fall.after, "whole"),
        "change": Cell(bridge.amount(change, decimals), fmt.exact_dollars(explanation.change, signed=True)),
        "check": bridge.check_text(explanation),
        "hues": hues,
        "stacked": charts.stacked(report, explanation, hues) if hues and explanation.buckets else None,
        "unit": explanation.bucket_unit,
        "series": list(_series(explanation, hues)),
        "notes": bridge.notes(explanation),
        "contributions": [
            (name, _amount(effect, cents, decimals)) for name, effect, cents in bridge.contribution_rows(explanation)
        ],
        "events": [words.event_text(each, explanation) for each in explanation.events],
    }


def proof(report: Report) -> dict[str, Any] | None:
    """Return what each main driver's change cost, and the requests that moved most; never a word of a prompt."""
    explanation = report.explanation
    if explanation is None or not (explanation.requests or words.undone(explanation)):
        return None
    titles = bridge.titles(explanation)
    return {
        "undone": words.undone(explanation),
        "requests": [_request(each, titles[each.driver], report.zone) for each in explanation.requests],
    }


def _request(request: MovedRequest, driver: str, zone: str) -> dict[str, Any]:
    about = f"{fmt.moment(request.started_at, zone)}, {fmt.name(request.feature)}, {fmt.name(request.model)}"
    return {
        "id": Cell(fmt.name(request.request_id, 40), fmt.full_name(request.request_id)),
        "about": about,
        "driver": driver,
        "attempts": fmt.count(request.attempts),
        "cost": Cell(fmt.dollars(request.cost), fmt.exact_dollars(request.cost)),
        "usual": Cell(fmt.dollars(request.usual), fmt.exact_dollars(request.usual)),
        "read": Cell(fmt.count(request.input_tokens), fmt.exact_count(request.input_tokens)),
        "written": Cell(fmt.count(request.output_tokens), fmt.exact_count(request.output_tokens)),
    }


def _series(explanation: Explanation, hues: tuple[charts.Hue, ...]) -> Iterator[tuple[str, list[Cell]]]:
    """Yield the name of each bucket with what the drivers of the stacked chart did in it."""
    decimals = bridge.places(explanation)
    for place in range(len(explanation.buckets)):
        cells = [_amount(hue.series[place], hue.series[place], decimals) for hue in hues]
        yield charts.bucket_label(explanation, place), cells


def _span(span: tuple[float, float], shade: str) -> Bar:
    start, end = span
    return Bar(start, round(end - start, 2), shade)


def _driver(line: DriverLine, cents: Decimal, step: tuple[float, float], decimals: int) -> _DriverView:
    shade = "quiet" if line.verdict == WITHIN else tone(line.effect)
    return _DriverView(
        anchor=words.row_id(line),
        title=line.title,
        where=words.where_text(line),
        effect=_amount(line.effect if cents else Decimal(0), cents, decimals),
        bar=_span(step, shade),
        only=Cell(bridge.amount(line.only, decimals), fmt.exact_dollars(line.only, signed=True)),
        undo=Cell(bridge.amount(line.undo, decimals), fmt.exact_dollars(line.undo, signed=True)),
        verdict=words.verdict_text(line) if cents else "",
        idle=not cents,
    )


def _amount(exact: Decimal, cents: Decimal, decimals: int) -> Cell:
    return Cell(bridge.amount(cents, decimals), fmt.exact_dollars(exact, signed=True), tone(exact))


def contributors(report: Report) -> dict[str, Any] | None:
    """Return where spend changed: the finest table of the explanation, largest changes first, with a rest row."""
    explanation = report.explanation
    finest = next((each for each in explanation.tables if len(each.dimensions) > 1), None) if explanation else None
    if explanation is None or finest is None or words.quiet_text(explanation) is not None:
        return None
    hues = charts.hues(explanation)
    found = drill.contributors(explanation, finest, hues, MOST_CONTRIBUTORS)
    decimals = bridge.places(explanation)
    return {
        "dimensions": finest.dimensions,
        "hues": hues,
        "rows": [
            {
                "names": [Cell(fmt.name(value) if value else "", fmt.full_name(value)) for value in row.values],
                "before": bridge.unsigned(row.before, decimals),
                "now": bridge.unsigned(row.after, decimals),
                "change": _amount(row.change, row.change, decimals),
                "share": fmt.percent(row.share),
                "blocks": row.blocks,
            }
            for row in found
        ],
        "change": _amount(explanation.change, sum((row.change for row in found), Decimal(0)), decimals),
    }


def drills(report: Report) -> dict[str, Any] | None:
    """Return every part of the spend by one dimension, each with its own sentence and bridge."""
    explanation = report.explanation
    single = [each for each in explanation.tables if len(each.dimensions) == 1] if explanation else []
    if explanation is None or not single:
        return None
    groups = []
    for each in single:
        (dimension,) = each.dimensions
        parts = [
            _part(part, f"drill-{dimension}-{number}".replace("_", "-"), bridge.places(explanation))
            for number, part in enumerate(drill.parts(explanation, each), start=1)
        ]
        if parts:
            groups.append({"dimension": dimension.replace("_", " "), "parts": parts})
    return {"groups": groups} if groups else None


def _part(part: drill.Part, anchor: str, decimals: int) -> dict[str, Any]:
    return {
        "part": part,
        "anchor": anchor,
        "change": _amount(part.change, part.change, decimals),
        "before": bridge.unsigned(part.before, decimals),
        "after": bridge.unsigned(part.after, decimals),
        "measures": [
            (fmt.name(each.name, 80), words.quantity(each, each.before), words.quantity(each, each.after))
            for each in part.measures
        ],
        "before_bar": _span(part.bars.before, "whole"),
        "after_bar": _span(part.bars.after, "whole"),
        "steps": [
            (step.title, _amount(step.effect, step.cents, decimals), _span(step.span, tone(step.effect)))
            for step in part.steps
        ],
    }
