"""The report as one self-contained HTML page: no network, works without JavaScript, same report -> same bytes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from infercost import __version__, assets
from infercost.analyze.explanation import WITHIN, DriverLine, Explanation, MovedRequest
from infercost.analyze.report import BudgetUse, DayCost, Report, Section
from infercost.render import bridge, charts, drill, trust, why
from infercost.render import format as fmt
from infercost.render.measures import measures
from infercost.render.palette import DARK, LIGHT
from infercost.render.tables import Bar, Cell, Table, table, tone

TOP_ROWS: Final = 10
"""Rows of a section that are open at first."""

MOST_ROWS: Final = 200
"""Rows of a section that the page holds; the rest is one row, and whole in the JSON report."""

MOST_CONTRIBUTORS: Final = 15
"""Rows of the table of contributors; the others are one row."""

HEADLINE_LENGTH: Final = 600

_DATE = rf"(?:\d{{1,2}}{fmt.EN_DASH})?\d{{1,2}} [A-Z][a-z]{{2}}(?: \d{{4}})?"
_KEEP = re.compile(rf"({_DATE}|\(?[+-]?[\d.,]+ %\)?)")
"""Dates and percentages, which a headline must not break in two."""


@dataclass(frozen=True)
class Part:
    """One part of the page: its template in reports/templates, and what it is drawn from (None: left out)."""

    template: str
    view: Callable[[Report], dict[str, Any] | None]


@dataclass(frozen=True)
class _SectionView:
    """A section as its partial needs it; `anchor` is unique on the page and made by us."""

    anchor: str
    title: str
    noun: str
    sql: str
    table: Table
    hidden: str


@dataclass(frozen=True)
class _DayView:
    now_label: str
    now: Cell
    before_label: str
    before: Cell
    change: Cell


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


@dataclass(frozen=True)
class _BudgetView:
    """A budget with its bar in percent of a track that is as long as the larger of the amount and what is spent."""

    name: Cell
    scope: str
    period: str
    amount: Cell
    spent: Cell
    left: Cell
    used: Cell
    elapsed: Cell
    within: float
    over: float
    elapsed_at: float
    state: str


def render_html(report: Report) -> str:
    """Return the page; needs no file beside it and makes no request.

    A new part of the page is one dataclass field in `Report`, one entry in `PARTS` and one partial.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FileSystemLoader(assets.folder("reports") / "templates"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    parts = [(part.template, part.view(report)) for part in PARTS]
    return environment.get_template("report.html").render(
        title=f"Inference cost, {trust.window_text(report.current, report.zone)}",
        description=fmt.name(report.headline, HEADLINE_LENGTH),
        palette={"light": LIGHT, "dark": DARK},
        parts=[(template, view) for template, view in parts if view is not None],
    )


def _headline(report: Report) -> dict[str, Any]:
    pieces = _KEEP.split(fmt.name(report.headline, HEADLINE_LENGTH))
    return {
        "pieces": [(piece, bool(_KEEP.fullmatch(piece))) for piece in pieces if piece],
        "window": trust.window_text(report.current, report.zone),
        "baseline": None if report.baseline is None else trust.window_text(report.baseline, report.zone),
        "warnings": trust.warnings(report),
    }


def _trust(report: Report) -> dict[str, Any]:
    return {"facts": trust.facts(report)}


def _why(report: Report) -> dict[str, Any] | None:
    """Return why spend changed: sentences that link to the bridge's rows, the bridge, and what stands behind it."""
    explanation = report.explanation
    if explanation is None:
        return None
    change = bridge.change_cents(explanation)
    before, after = bridge.ends(explanation)
    fall = bridge.waterfall(explanation)
    hues = charts.hues(explanation)
    return {
        "sentences": why.sentences(explanation),
        "rows": [
            _driver(line, cents, step)
            for (line, cents), step in zip(bridge.bridge_rows(explanation), fall.steps, strict=True)
        ],
        "before": Cell(f"{before:,.2f}", fmt.exact_dollars(explanation.before)),
        "after": Cell(f"{after:,.2f}", fmt.exact_dollars(explanation.after)),
        "before_bar": _span(fall.before, "whole"),
        "after_bar": _span(fall.after, "whole"),
        "change": Cell(bridge.amount(change), fmt.exact_dollars(explanation.change, signed=True)),
        "check": bridge.check_text(explanation),
        "hues": hues,
        "stacked": charts.stacked(report, explanation, hues) if hues and explanation.buckets else None,
        "unit": explanation.bucket_unit,
        "series": list(_series(explanation, hues)),
        "notes": bridge.notes(explanation),
        "contributions": [
            (name, _amount(effect, cents)) for name, effect, cents in bridge.contribution_rows(explanation)
        ],
        "events": [why.event_text(each, explanation) for each in explanation.events],
    }


def _proof(report: Report) -> dict[str, Any] | None:
    """Return what each main driver's change cost, and the requests that moved most; never a word of a prompt."""
    explanation = report.explanation
    if explanation is None or not (explanation.requests or why.undone(explanation)):
        return None
    titles = {line.name: line.title for line in explanation.drivers}
    return {
        "undone": why.undone(explanation),
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
    hourly = explanation.bucket_unit == "hour"
    for place, start in enumerate(explanation.buckets):
        cells = [_amount(hue.series[place], hue.series[place]) for hue in hues]
        yield charts.bucket_label(start, explanation.zone, hourly=hourly), cells


def _span(span: tuple[float, float], shade: str) -> Bar:
    start, end = span
    return Bar(start, round(end - start, 2), shade)


def _driver(line: DriverLine, cents: Decimal, step: tuple[float, float]) -> _DriverView:
    shade = "quiet" if line.verdict == WITHIN else tone(line.effect)
    return _DriverView(
        anchor=why.row_id(line),
        title=line.title,
        where=why.where_text(line),
        effect=_amount(line.effect if cents else Decimal(0), cents),
        bar=_span(step, shade),
        only=Cell(bridge.amount(line.only), fmt.exact_dollars(line.only, signed=True)),
        undo=Cell(bridge.amount(line.undo), fmt.exact_dollars(line.undo, signed=True)),
        verdict=why.verdict_text(line) if cents else "",
        idle=not cents,
    )


def _amount(exact: Decimal, cents: Decimal) -> Cell:
    return Cell(bridge.amount(cents), fmt.exact_dollars(exact, signed=True), tone(exact))


def _contributors(report: Report) -> dict[str, Any] | None:
    """Return where spend changed: the finest table of the explanation, largest changes first, with a rest row."""
    explanation = report.explanation
    finest = next((each for each in explanation.tables if len(each.dimensions) > 1), None) if explanation else None
    if explanation is None or finest is None:
        return None
    hues = charts.hues(explanation)
    found = drill.contributors(explanation, finest, hues, MOST_CONTRIBUTORS)
    return {
        "dimensions": finest.dimensions,
        "hues": hues,
        "rows": [
            {
                "names": [Cell(fmt.name(value) if value else "", fmt.full_name(value)) for value in row.values],
                "before": f"{row.before:,.2f}",
                "now": f"{row.after:,.2f}",
                "change": _amount(row.change, row.change),
                "share": fmt.percent(row.share),
                "blocks": row.blocks,
            }
            for row in found
        ],
        "change": _amount(explanation.change, sum((row.change for row in found), Decimal(0))),
    }


def _drill(report: Report) -> dict[str, Any] | None:
    """Return every part of the spend by one dimension, each with its own sentence and bridge."""
    explanation = report.explanation
    single = [each for each in explanation.tables if len(each.dimensions) == 1] if explanation else []
    if explanation is None or not single:
        return None
    groups = []
    for each in single:
        (dimension,) = each.dimensions
        parts = [
            _part(part, f"drill-{dimension}-{number}".replace("_", "-"))
            for number, part in enumerate(drill.parts(explanation, each), start=1)
        ]
        groups.append({"dimension": dimension.replace("_", " "), "parts": parts})
    return {"groups": groups}


def _part(part: drill.Part, anchor: str) -> dict[str, Any]:
    return {
        "part": part,
        "anchor": anchor,
        "change": _amount(part.change, part.change),
        "before": f"{part.before:,.2f}",
        "after": f"{part.after:,.2f}",
        "before_bar": _span(part.bars.before, "whole"),
        "after_bar": _span(part.bars.after, "whole"),
        "steps": [
            (step.title, _amount(step.effect, step.cents), _span(step.span, tone(step.effect))) for step in part.steps
        ],
    }


def _daily(report: Report) -> dict[str, Any]:
    return {
        "unit": "hour" if charts.is_hourly(report) else "day",
        "window": trust.window_text(report.current, report.zone),
        "baseline": None if report.baseline is None else trust.window_text(report.baseline, report.zone),
        "drawn": charts.daily(report) if charts.has_daily(report) else None,
        "matched": charts.is_matched(report),
        "days": [_day(report, point) for point in report.daily],
        "sql": report.daily_sql,
    }


def _day(report: Report, point: DayCost) -> _DayView:
    places = fmt.column_places(report.total.current.cost / max(1, len(report.daily)))
    before = point.baseline_cost
    change = None if before is None else point.current_cost - before
    return _DayView(
        now_label=charts.point_label(report, point.current_start),
        now=Cell(fmt.money(point.current_cost, places), fmt.exact_dollars(point.current_cost)),
        before_label=charts.point_label(report, point.baseline_start) if point.baseline_start else fmt.UNKNOWN,
        before=Cell(fmt.money(before, places), fmt.exact_dollars(before)),
        change=Cell(fmt.money(change, places, signed=True), fmt.exact_dollars(change, signed=True), tone(change or 0)),
    )


def _totals(report: Report) -> dict[str, Any]:
    return {"measures": measures(report), "compared": report.baseline is not None}


def _sections(report: Report) -> dict[str, Any]:
    views = [_section(part, number) for number, part in enumerate(report.sections, 1)]
    return {"sections": views, "compared": report.baseline is not None}


def _section(section: Section, number: int) -> _SectionView:
    drawn = table(section, TOP_ROWS, MOST_ROWS)
    return _SectionView(
        anchor=f"section-{number}",
        title=fmt.name(section.title),
        noun=", ".join(fmt.name(dimension) for dimension in section.dimensions),
        sql=section.sql,
        table=drawn,
        hidden=f"{len(drawn.more):,} more",
    )


def _budgets(report: Report) -> dict[str, Any] | None:
    return {"budgets": [_budget(item) for item in report.budgets]} if report.budgets else None


def _budget(use: BudgetUse) -> _BudgetView:
    track = max(use.amount, use.spent)
    left = use.amount - use.spent
    scale = 100 / track if track else Decimal(0)
    return _BudgetView(
        name=Cell(fmt.name(use.name), fmt.full_name(use.name)),
        scope=fmt.name(use.scope) if use.scope else "everything",
        period=f"{use.period}, {fmt.day_span(use.period_start, use.period_end - timedelta(days=1))}",
        amount=Cell(fmt.dollars(use.amount), fmt.exact_dollars(use.amount)),
        spent=Cell(fmt.dollars(use.spent), fmt.exact_dollars(use.spent)),
        left=Cell(f"{fmt.dollars(abs(left))} {'over' if left < 0 else 'left'}", fmt.exact_dollars(left)),
        used=Cell(fmt.percent(use.used_ratio), fmt.exact_percent(use.used_ratio)),
        elapsed=Cell(fmt.percent(use.elapsed_ratio), fmt.exact_percent(use.elapsed_ratio)),
        within=round(float(min(use.amount, use.spent) * scale), 2),
        over=round(float(max(Decimal(0), -left) * scale), 2),
        elapsed_at=round(float(use.amount * scale) * min(1.0, use.elapsed_ratio), 2),
        state="bad" if left < 0 else "warn" if use.used_ratio > use.elapsed_ratio else "ok",
    )


def _method(report: Report) -> dict[str, Any]:
    return {
        "version": __version__,
        "format_version": report.format_version,
        "schema_version": report.trust.schema_version,
        "generated_at": Cell(fmt.moment(report.generated_at, report.zone), report.generated_at.isoformat()),
        "zone": report.zone,
        "currency": report.currency,
        "price_books": ", ".join(map(fmt.name, report.trust.price_books)) or "none",
    }


PARTS: Final[tuple[Part, ...]] = (
    Part("headline.html", _headline),
    Part("trust.html", _trust),
    Part("daily.html", _daily),
    Part("why.html", _why),
    Part("totals.html", _totals),
    Part("contributors.html", _contributors),
    Part("proof.html", _proof),
    Part("drill.html", _drill),
    Part("sections.html", _sections),
    Part("budgets.html", _budgets),
    Part("method.html", _method),
)
"""The page from top to bottom."""
