"""Fills the `Report` from the packaged queries; every figure comes from one of them, none from anywhere else."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from infercost import schema
from infercost.analyze import queries
from infercost.analyze.budgets import budget_use
from infercost.analyze.daily import daily_cost
from infercost.analyze.explanation import Explanation
from infercost.analyze.headline import Known, day_text, headline
from infercost.analyze.outliers import outliers
from infercost.analyze.price_rows import price_rows
from infercost.analyze.report import (
    AliasedModel,
    Burn,
    Figures,
    NamedCount,
    Report,
    Row,
    Section,
    Sessions,
    Trust,
    Window,
)
from infercost.analyze.savings import savings
from infercost.analyze.signals import signals
from infercost.errors import NoDataError

if TYPE_CHECKING:
    import duckdb

    from infercost.config import Config

DEFAULT_SECTIONS: tuple[tuple[str, ...], ...] = (("feature",), ("cohort",), ("route",), ("response_model",))
"""What a report breaks the cost down by unless it is told otherwise."""

NO_VALUE = "(none)"
"""Shown where a record has no value for a column, such as the answering model of a failed attempt."""

TOTAL = "Total"
_SMALLEST = Decimal("1e-12")
_YEAR = 365 * 86_400
CURRENCY = "USD"

_NAMES = {"response_model": "model", "request_model": "requested model", "provider_name": "provider"}

Rows = list[dict[str, Any]]


def build_report(
    connection: "duckdb.DuckDBPyConnection",
    window: Window,
    baseline: Window | None,
    by: tuple[tuple[str, ...], ...],
    config: "Config",
    now: datetime,
    explanation: Explanation | None = None,
) -> Report:
    """Return the report on `window`, compared with `baseline`, with a section for each entry of `by` (empty = default).

    `connection` holds the store's tables and views. Raises NoDataError when `window` holds no attempt, UsageError when
    a column of `by` cannot be grouped by.
    """
    asked = baseline
    parameters = queries.both(window, asked)
    coverage = {row["window_name"]: row for row in _rows(connection, "coverage", parameters)}
    provenance = _rows(connection, "provenance", parameters)[0]
    if "current" not in coverage:
        raise _no_data(window, config.zone, provenance)
    if "baseline" not in coverage:
        # Against nothing all is new: a report without a comparison says more.
        baseline = None
        parameters = queries.both(window, baseline)
    trust = _trust(connection, parameters, coverage["both"], provenance)
    sections = tuple(_section(connection, columns, parameters) for columns in by or DEFAULT_SECTIONS)
    total = sections[0].total
    known = Known(
        current=coverage["current"]["cost_usd"] is not None,
        baseline=coverage.get("baseline", {}).get("cost_usd") is not None,
        oldest_event=provenance["oldest_event"],
        trust=trust,
    )
    daily, daily_sql = daily_cost(connection, window, baseline)
    saved, saved_sql = savings(connection, window, baseline)
    return Report(
        headline=headline(total, sections[0], window, asked, known, explanation),
        zone=config.zone,
        currency=CURRENCY,
        generated_at=now,
        current=window,
        baseline=baseline,
        total=total,
        trust=trust,
        daily=daily,
        daily_sql=daily_sql,
        sections=sections,
        burn=_burn(total.current, window, known=known.current),
        baseline_burn=_burn(total.baseline, baseline, known=known.baseline) if baseline and total.baseline else None,
        annual_change=_annual(total, window, explanation) if known.current and known.baseline else None,
        budgets=budget_use(connection, config, window.end),
        explanation=explanation,
        price_rows=price_rows(connection, window),
        empty_baseline=asked if baseline is None else None,
        sessions=_sessions(coverage.get("current")),
        baseline_sessions=_sessions(coverage.get("baseline")) if baseline else None,
        signals=signals(connection, window, baseline, explanation),
        outliers=outliers(connection, window, baseline),
        savings=saved,
        savings_sql=saved_sql,
    )


def _burn(figures: Figures, window: Window, *, known: bool) -> Burn:
    hours = Decimal(_seconds(window)) / 3600
    tokens = figures.input_tokens + figures.output_tokens
    return Burn((figures.cost / hours).quantize(_SMALLEST) if known else None, tokens / float(hours))


def _seconds(window: Window) -> int:
    return round(window.end.timestamp() - window.start.timestamp())


def _annual(total: Row, window: Window, explanation: Explanation | None) -> Decimal | None:
    """Return the change in 365 days; without what the calendar did, which comes and goes."""
    if total.baseline is None:
        return None
    calendar = explanation.before - explanation.matched if explanation else Decimal(0)
    return ((total.change + calendar) * _YEAR / Decimal(_seconds(window))).quantize(Decimal("0.01"))


def _sessions(coverage: Mapping[str, Any] | None) -> Sessions | None:
    if coverage is None or not coverage["sessions"]:
        return None
    return Sessions(coverage["sessions"], coverage["session_cost_usd"])


def restated(report: Report, how: str | None) -> Report:
    """Return the report with what its figures are, where they are not simply those that the store holds."""
    if how is None:
        return report
    return replace(report, restated=how, headline=f"{report.headline.removesuffix('.')}; {how}.")


def _rows(connection: "duckdb.DuckDBPyConnection", name: str, parameters: Mapping[str, queries.Value]) -> Rows:
    rows: Rows = queries.run(connection, queries.find(name), parameters).to_pylist()
    return rows


def _no_data(window: Window, zone: str, provenance: Mapping[str, Any]) -> NoDataError:
    newest, oldest = provenance["newest_event"], provenance["oldest_event"]
    if newest is None:
        return NoDataError("the store is empty", hint="read logs into it first: infercost ingest logs PATH")
    first, last = (moment.astimezone(window.start.tzinfo) for moment in (oldest, newest))
    asked = f"{window.start:%Y-%m-%d %H:%M} and {window.end:%Y-%m-%d %H:%M} ({zone})"
    hint = f"use --until {last:%Y-%m-%d}"
    if newest.timestamp() >= window.start.timestamp():
        hint = f"use --since {first:%Y-%m-%d} --until {last:%Y-%m-%d}"
    return NoDataError(
        f"no attempts between {asked}; the store reaches from {day_text(first.date())} "
        f"to {last:%H:%M} on {day_text(last.date())}",
        hint=hint,
    )


def _section(
    connection: "duckdb.DuckDBPyConnection", columns: tuple[str, ...], parameters: Mapping[str, queries.Value]
) -> Section:
    query = queries.find("cost_change")
    compared = parameters["baseline_since"] is not None
    found = [
        (
            tuple(NO_VALUE if row[column] is None else str(row[column]) for column in columns),
            _figures(row, ""),
            _figures(row, "baseline_") if compared else None,
        )
        for row in queries.run(connection, query, parameters, columns).to_pylist()
    ]
    total = _row(
        (TOTAL, *("" for _ in columns[1:])),
        _sum(current for _, current, _ in found),
        _sum(before for _, _, before in found if before is not None) if compared else None,
        None,
    )
    rows = [_row(values, current, before, total.change) for values, current, before in found]
    names = [_NAMES.get(column, column.replace("_", " ")) for column in columns]
    return Section(
        name="_".join(columns),
        title=f"Cost by {' and '.join(names)}",
        dimensions=columns,
        rows=tuple(sorted(rows, key=lambda row: (-abs(row.change), -row.current.cost, row.values))),
        total=total,
        sql=queries.rendered_sql(query, columns, parameters),
    )


def _figures(row: Mapping[str, Any], prefix: str) -> Figures:
    return Figures(
        cost=row[f"{prefix}cost_usd"] or Decimal(0),
        requests=row[f"{prefix}requests"],
        attempts=row[f"{prefix}attempts"],
        input_tokens=row[f"{prefix}input_tokens"] or 0,
        output_tokens=row[f"{prefix}output_tokens"] or 0,
        unpriced_attempts=row[f"{prefix}unpriced_attempts"],
    )


def _sum(parts: Iterable[Figures]) -> Figures:
    figures = list(parts)
    return Figures(
        cost=sum((part.cost for part in figures), Decimal(0)),
        requests=sum(part.requests for part in figures),
        attempts=sum(part.attempts for part in figures),
        input_tokens=sum(part.input_tokens for part in figures),
        output_tokens=sum(part.output_tokens for part in figures),
        unpriced_attempts=sum(part.unpriced_attempts for part in figures),
    )


def _row(values: tuple[str, ...], current: Figures, baseline: Figures | None, whole: Decimal | None) -> Row:
    """Return the row with its change; `whole` is the change of the total, None for the total itself."""
    change = current.cost - baseline.cost if baseline else Decimal(0)
    whole = change if whole is None else whole
    return Row(
        values=values,
        current=current,
        baseline=baseline,
        change=change,
        change_ratio=float(change / baseline.cost) if baseline and baseline.cost else None,
        share_of_change=float(change / whole) if baseline and whole else None,
    )


def _trust(
    connection: "duckdb.DuckDBPyConnection",
    parameters: Mapping[str, queries.Value],
    both: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> Trust:
    newest = provenance["newest_event"]
    since = parameters["since"]
    zone = since.tzinfo if isinstance(since, datetime) else None
    unpriced = _rows(connection, "coverage_unpriced", parameters)
    aliased = _rows(connection, "coverage_aliased", parameters)
    return Trust(
        records=provenance["records"],
        attempts=both["attempts"],
        requests=both["requests"],
        duplicates=provenance["duplicates"],
        rejected=provenance["rejected"],
        unpriced_attempts=both["unpriced_attempts"],
        unpriced_models=tuple(NamedCount(_model(row), row["attempts"], row["tokens"]) for row in unpriced),
        no_usage_attempts=both["no_usage_attempts"],
        estimated_attempts=both["estimated_attempts"],
        contradicting_attempts=both["contradicting_attempts"],
        sampled_attempts=both["sampled_attempts"],
        sampled_calls=both["sampled_calls"],
        folded_attempts=both["folded_attempts"],
        overlapping=provenance["overlapping"],
        unattributed_attempts=both["unattributed_attempts"],
        unattributed_cost=both["unattributed_cost_usd"] or Decimal(0),
        aliased_models=tuple(
            AliasedModel(row["price_model"], row["provider"], row["model"], row["method"], row["attempts"])
            for row in aliased
        ),
        price_books=tuple(provenance["price_books"]),
        schema_version=schema.SCHEMA_VERSION,
        newest_event=newest.astimezone(zone) if newest else None,
    )


def _model(row: Mapping[str, Any]) -> str:
    model = row["price_model"] or NO_VALUE
    return f"{model} ({row['provider_name']})" if row["provider_name"] else model
