"""How much of each budget its running period has used."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from infercost.analyze import queries
from infercost.analyze.report import BudgetUse
from infercost.analyze.windows import period_window
from infercost.errors import ConfigError, UsageError

if TYPE_CHECKING:
    import duckdb

    from infercost.config import Budget, Config

EVERYTHING = "everything"


def budget_use(connection: "duckdb.DuckDBPyConnection", config: "Config", end: datetime) -> tuple[BudgetUse, ...]:
    """Return the use of every budget of `config` up to `end` (aware), in the period that holds the moment before `end`.

    `period_end` is the first day after the period. Spend is effective cost and leaves out unpriced attempts. Raises
    ConfigError when a budget is narrowed by a column that cannot be grouped by.
    """
    return tuple(_use(connection, budget, end, config.zone) for budget in config.budgets)


def _use(connection: "duckdb.DuckDBPyConnection", budget: "Budget", end: datetime, zone: str) -> BudgetUse:
    period = period_window(end - timedelta(microseconds=1), budget.period, zone)
    start, until = period.start.timestamp(), period.end.timestamp()
    spent = _spent(connection, budget, period.start, min(period.end, end, key=datetime.timestamp))
    return BudgetUse(
        name=budget.name,
        scope=", ".join(f"{column}={value}" for column, value in budget.where.items()) or EVERYTHING,
        period=budget.period,
        period_start=period.start.date(),
        period_end=period.end.date(),
        amount=budget.amount,
        spent=spent,
        used_ratio=float(spent / budget.amount) if budget.amount else 0.0,
        elapsed_ratio=(min(end.timestamp(), until) - start) / (until - start),
    )


def _spent(connection: "duckdb.DuckDBPyConnection", budget: "Budget", start: datetime, until: datetime) -> Decimal:
    query = queries.find("cost_by_feature")
    try:
        table = queries.run(connection, query, {"since": start, "until": until}, tuple(budget.where))
    except UsageError as error:
        raise ConfigError(f"budget {budget.name}: {error.message}", hint=error.hint) from error
    costs = (
        row["cost_usd"]
        for row in table.to_pylist()
        if all(row[column] == value for column, value in budget.where.items())
    )
    return sum((cost for cost in costs if cost is not None), Decimal(0))
