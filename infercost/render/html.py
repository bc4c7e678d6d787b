"""The report as one self-contained HTML page: no network, works without JavaScript, same report -> same bytes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from infercost import __version__, assets
from infercost.analyze.report import BudgetUse, DayCost, Outlier, PriceRow, Report, Saving, Section
from infercost.render import budgets, charts, html_why, signals, trust
from infercost.render import format as fmt
from infercost.render.measures import measures
from infercost.render.palette import DARK, LIGHT
from infercost.render.tables import Cell, Table, table, tone

TOP_ROWS: Final = 10
"""Rows of a section that are open at first."""

MOST_ROWS: Final = 200
"""Rows of a section that the page holds; the rest is one row, and whole in the JSON report."""

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
    forecast: str
    sessions: str
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


def _outliers(report: Report) -> dict[str, Any] | None:
    found = report.outliers
    if found is None:
        return None
    return {
        "count": f"{fmt.count(found.count)} of {fmt.plural(found.sessions, 'session')}",
        "rows": [_outlier(each, report.zone) for each in found.rows],
        "more": found.count > len(found.rows),
        "sql": found.sql,
    }


def _outlier(session: Outlier, zone: str) -> dict[str, Any]:
    where = f"{fmt.name(session.feature)}, {fmt.name(session.cohort)}"
    lengths = (session.first_prompt_tokens, session.last_prompt_tokens)
    failed = f", {fmt.plural(session.failed_attempts, 'failed attempt')}" if session.failed_attempts else ""
    return {
        "id": Cell(fmt.name(session.session_id, 40), fmt.full_name(session.session_id)),
        "about": f"{fmt.moment(session.started_at, zone)}, {where}{failed}",
        "cost": Cell(fmt.dollars(session.cost), fmt.exact_dollars(session.cost)),
        "usual": Cell(fmt.dollars(session.usual), fmt.exact_dollars(session.usual)),
        "times": f"{fmt.ratio(float(session.cost / session.usual), places=1)} x" if session.usual else fmt.UNKNOWN,
        "requests": f"{fmt.count(session.requests)} ({session.usual_requests:.3g})",
        "prompt": " → ".join(fmt.count(each) for each in lengths) if session.requests > 1 else fmt.count(lengths[0]),
    }


def _savings(report: Report) -> dict[str, Any] | None:
    if not any(each.current_count or each.baseline_count for each in report.savings):
        return None
    compared = report.baseline is not None
    return {"rows": [_saving(each) for each in report.savings], "compared": compared, "sql": report.savings_sql}


def _saving(saving: Saving) -> dict[str, Any]:
    change = None
    if saving.current is not None and saving.baseline is not None:
        change = saving.current - saving.baseline
    # Less saved is as bad as more wasted.
    shade = tone(-change if saving.is_saved else change) if change else ""
    return {
        "title": f"{saving.title} ({'saved' if saving.is_saved else 'cost'})",
        "about": f"{fmt.count(saving.current_count)} {saving.noun}",
        "before": Cell(fmt.dollars(saving.baseline), fmt.exact_dollars(saving.baseline)),
        "now": Cell(fmt.dollars(saving.current), fmt.exact_dollars(saving.current)),
        "change": Cell(fmt.dollars(change, signed=True), fmt.exact_dollars(change, signed=True), shade),
    }


def _budgets(report: Report) -> dict[str, Any] | None:
    if report.burn is None and not report.budgets:
        return None
    return {
        "burn": budgets.burn_text(report),
        "annual": budgets.annual_text(report),
        "budgets": [_budget(report, item) for item in report.budgets],
    }


def _budget(report: Report, use: BudgetUse) -> _BudgetView:
    track = max(use.amount, use.spent)
    left = use.amount - use.spent
    scale = 100 / track if track else Decimal(0)
    return _BudgetView(
        name=Cell(fmt.name(use.name), fmt.full_name(use.name)),
        scope=fmt.name(use.scope) if use.scope else "everything",
        period=f"{budgets.period(use)}, {fmt.day_span(use.period_start, use.period_end - timedelta(days=1))}",
        amount=Cell(budgets.amount(use, use.amount), budgets.exact_amount(use, use.amount)),
        spent=Cell(budgets.amount(use, use.spent), budgets.exact_amount(use, use.spent)),
        left=Cell(
            f"{budgets.amount(use, abs(left))} {'over' if left < 0 else 'left'}", budgets.exact_amount(use, left)
        ),
        used=Cell(fmt.percent(use.used_ratio), fmt.exact_percent(use.used_ratio)),
        elapsed=Cell(fmt.percent(use.elapsed_ratio), fmt.exact_percent(use.elapsed_ratio)),
        forecast=budgets.forecast_text(use, report.zone),
        sessions="" if use.sessions is None else budgets.used_text(use),
        within=round(float(min(use.amount, use.spent) * scale), 2),
        over=round(float(max(Decimal(0), -left) * scale), 2),
        elapsed_at=round(float(use.amount * scale) * min(1.0, use.elapsed_ratio), 2),
        state=budgets.state(use),
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
        "matched": report.explanation is not None,
        "prices": _prices(report),
    }


def _prices(report: Report) -> dict[str, Any] | None:
    found = report.price_rows
    if found is None:
        return None
    shown = len(found.rows)
    return {
        "title": f"{shown} of {found.count} price rows used"
        if found.count > shown
        else fmt.plural(shown, "price row") + " used",
        "rows": [_price(each, report.zone) for each in found.rows],
        "sql": found.sql,
    }


def _rate(rate: Decimal | None) -> str:
    return fmt.UNKNOWN if rate is None else f"{rate.normalize():f}"


def _price(row: PriceRow, zone: str) -> dict[str, Any]:
    about = [each for each in (row.lane, row.region, row.scope) if each]
    if row.input_from:
        about.append(f"from {fmt.count(row.input_from)} prompt tokens")
    if row.effective_from:
        about.append(f"since {fmt.day(row.effective_from.astimezone(fmt.zone(zone)))}")
    return {
        "name": fmt.name(f"{row.provider} {row.model}" if row.provider else row.model),
        "about": fmt.name(", ".join([*about, row.book]), 120),
        "rates": [
            fmt.UNKNOWN if rate is None else f"{rate.normalize():f}" for rate in (row.input, row.cache_read, row.output)
        ],
        "attempts": fmt.count(row.attempts),
        "cost": Cell(fmt.dollars(row.cost), fmt.exact_dollars(row.cost)),
    }


PARTS: Final[tuple[Part, ...]] = (
    Part("headline.html", _headline),
    Part("trust.html", _trust),
    Part("daily.html", _daily),
    Part("why.html", html_why.why),
    Part("totals.html", _totals),
    Part("contributors.html", html_why.contributors),
    Part("signals.html", signals.view),
    Part("proof.html", html_why.proof),
    Part("drill.html", html_why.drills),
    Part("outliers.html", _outliers),
    Part("sections.html", _sections),
    Part("budgets.html", _budgets),
    Part("savings.html", _savings),
    Part("method.html", _method),
)
"""The page from top to bottom."""
