"""How much of each budget its running period has used, and where it will be at its end."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from infercost.analyze import queries
from infercost.analyze.database import oldest
from infercost.analyze.forecast import HISTORY_DAYS, forecast
from infercost.analyze.report import BudgetUse, scope_text
from infercost.analyze.windows import counted_window, period_window, start_of_day
from infercost.config.budgets import TOKENS
from infercost.errors import ConfigError, UsageError

if TYPE_CHECKING:
    import duckdb

    from infercost.config import Budget, Config


SESSION_DAYS = 7
"""Days before the end that are counted as being of a session that goes on."""

_ALL_SESSIONS = 1_000_000_000


def budget_use(connection: "duckdb.DuckDBPyConnection", config: "Config", end: datetime) -> tuple[BudgetUse, ...]:
    """Return the use of every budget of `config` up to `end` (aware), in the period that holds the moment before `end`.

    `period_end` is the first day after the period. Spend is effective cost and leaves out unpriced attempts. Raises
    ConfigError when a budget is narrowed by a column that cannot be grouped by.
    """
    return tuple(_use(connection, budget, end, config.zone) for budget in config.budgets)


def _use(connection: "duckdb.DuckDBPyConnection", budget: "Budget", end: datetime, zone: str) -> BudgetUse:
    if budget.period == "session":
        return _session_use(connection, budget, end, zone)
    last = end - timedelta(microseconds=1)
    if budget.days and budget.starts:
        period = counted_window(last, budget.days, budget.starts, zone)
    else:
        period = period_window(last, budget.period, zone)
    start, until = period.start.timestamp(), period.end.timestamp()
    spent = _spent(connection, budget, period.start, min(period.end, end, key=datetime.timestamp))
    days = _days(connection, budget, end, zone)
    ahead = forecast(days, end, period.end, ZoneInfo(zone), left=float(budget.amount - spent))
    return BudgetUse(
        name=budget.name,
        scope=scope_text(budget.where) or queries.EVERYTHING,
        period=budget.period,
        period_start=period.start.date(),
        period_end=period.end.date(),
        amount=budget.amount,
        spent=spent,
        used_ratio=_ratio(spent, budget),
        elapsed_ratio=(min(end.timestamp(), until) - start) / (until - start),
        projected=_cents(spent, ahead.expected) if ahead else None,
        projected_low=_cents(spent, ahead.low) if ahead else None,
        projected_high=_cents(spent, ahead.high) if ahead else None,
        gone_at=ahead.gone_at if ahead else None,
        unit=budget.unit,
        soft=_soft(budget),
        hard=float(budget.hard),
    )


def _session_use(connection: "duckdb.DuckDBPyConnection", budget: "Budget", end: datetime, zone: str) -> BudgetUse:
    """Return what the sessions with an attempt on the last day took, each in the SESSION_DAYS before."""
    since = end - timedelta(days=SESSION_DAYS)
    parameters: dict[str, queries.Value] = {"since": since, "until": end, "limit": _ALL_SESSIONS}
    rows = queries.run(connection, queries.find("cost_by_session"), parameters).to_pylist()
    day_ago = end - timedelta(days=1)
    amounts = [
        _amount(row, budget)
        for row in rows
        if row["session_id"] is not None and row["last_at"] >= day_ago and _is_meant(row, budget)
    ]
    most = max(amounts, default=Decimal(0))
    local = end.astimezone(ZoneInfo(zone))
    return BudgetUse(
        name=budget.name,
        scope=scope_text(budget.where) or queries.EVERYTHING,
        period=budget.period,
        period_start=(local - timedelta(days=1)).date(),
        period_end=local.date() + timedelta(days=1),
        amount=budget.amount,
        spent=most,
        used_ratio=_ratio(most, budget),
        elapsed_ratio=1.0,
        unit=budget.unit,
        soft=_soft(budget),
        hard=float(budget.hard),
        sessions=len(amounts),
        sessions_over=sum(amount > budget.amount * budget.hard for amount in amounts),
    )


def _ratio(spent: Decimal, budget: "Budget") -> float:
    return float(spent / budget.amount) if budget.amount else 0.0


def _soft(budget: "Budget") -> float | None:
    return None if budget.soft is None else float(budget.soft)


def _amount(row: Mapping[str, Any], budget: "Budget") -> Decimal:
    """Return the dollars or the tokens of a row, whichever the budget counts."""
    if budget.unit == TOKENS:
        return Decimal((row["input_tokens"] or 0) + (row["output_tokens"] or 0))
    return row["cost_usd"] or Decimal(0)


def _cents(spent: Decimal, more: float | None) -> Decimal | None:
    """Return what is used and forecast together; a forecast has no digits beyond hundredths."""
    return None if more is None else spent + Decimal(more).quantize(Decimal("0.01"))


def _days(connection: "duckdb.DuckDBPyConnection", budget: "Budget", end: datetime, zone: str) -> dict[date, float]:
    """Return what each whole day before `end` cost, from the first day of the store on."""
    local = ZoneInfo(zone)
    today = end.astimezone(local).date()
    last = start_of_day(today, local)
    first = start_of_day(today - timedelta(days=HISTORY_DAYS), local)
    began = oldest(connection)
    # The first day of a log begins with its first record, so it is no whole day.
    from_day = max(first.date(), began.astimezone(local).date() + timedelta(days=1)) if began else today
    found = {from_day + timedelta(days=number): 0.0 for number in range((today - from_day).days)}
    parameters: dict[str, queries.Value] = {"since": first, "until": last, "zone": zone, "bucket": "day"}
    table = queries.run(
        connection, queries.find("token_rate"), parameters, tuple(budget.where) or (queries.EVERYTHING,)
    )
    for row in table.to_pylist():
        day = row["bucket"].astimezone(local).date()
        if day in found and _is_meant(row, budget):
            found[day] += float(_amount(row, budget))
    return found


def _is_meant(row: Mapping[str, Any], budget: "Budget") -> bool:
    return all(row[column] == value for column, value in budget.where.items())


def _spent(connection: "duckdb.DuckDBPyConnection", budget: "Budget", start: datetime, until: datetime) -> Decimal:
    query = queries.find("cost_by_feature")
    try:
        table = queries.run(connection, query, {"since": start, "until": until}, tuple(budget.where))
    except UsageError as error:
        raise ConfigError(f"budget {budget.name}: {error.message}", hint=error.hint) from error
    return sum((_amount(row, budget) for row in table.to_pylist() if _is_meant(row, budget)), Decimal(0))
