"""Burn rate and budgets in words."""

from decimal import Decimal

from infercost.analyze.report import BudgetUse, Burn, Report
from infercost.render import format as fmt


def burn_text(report: Report) -> str:
    """Return dollars and tokens an hour, with those of the baseline; empty where nothing is known."""
    if report.burn is None:
        return ""
    text = f"{_burn(report.burn)} an hour"
    return f"{text}, after {_burn(report.baseline_burn)} before" if report.baseline_burn else text


def _burn(burn: Burn) -> str:
    tokens = f"{fmt.count(round(burn.tokens))} tokens"
    return f"{tokens} (cost not known)" if burn.cost is None else f"{fmt.dollars(burn.cost)} and {tokens}"


def annual_text(report: Report) -> str:
    """Return what the change comes to in a year; empty without one."""
    if not report.annual_change:
        return ""
    return (
        f"If spend stays as it is now, the change comes to {fmt.dollars(report.annual_change, signed=True)} in a year."
    )


def amount(use: BudgetUse, value: Decimal) -> str:
    """Return an amount of a budget in its unit: dollars, or a number of tokens."""
    return fmt.dollars(value) if use.unit == "usd" else f"{fmt.count(round(value))} tokens"


def exact_amount(use: BudgetUse, value: Decimal) -> str:
    """Return an amount of a budget with every digit."""
    return fmt.exact_dollars(value) if use.unit == "usd" else f"{value:,f} tokens"


def used_text(use: BudgetUse) -> str:
    """Return how much of a budget is used, in a phrase; of a budget for every session, by the one that took most."""
    if use.sessions is None:
        return f"{amount(use, use.spent)} of {amount(use, use.amount)} {_each(use)}"
    return (
        f"{amount(use, use.spent)} at most, of {amount(use, use.amount)} a session; "
        f"{use.sessions_over or 0:,} of {use.sessions:,} sessions of the last day are over it"
    )


def _each(use: BudgetUse) -> str:
    return f"every {period(use)}" if use.period[:-1].isdigit() else f"a {use.period}"


def period(use: BudgetUse) -> str:
    """Return the period of a budget as a word: `month`, `14 days`."""
    return f"{use.period[:-1]} days" if use.period[:-1].isdigit() else use.period


def forecast_text(use: BudgetUse, zone: str) -> str:
    """Return where a budget will be at the end of its period, and when it will be gone; empty where it is not known."""
    if use.projected is None or use.elapsed_ratio >= 1:
        return ""
    text = f"At the rate of the last week {amount(use, use.projected)} by its end"
    if use.projected_low is not None and use.projected_high is not None:
        text += f" (four times in five {amount(use, use.projected_low)} to {amount(use, use.projected_high)})"
    if use.gone_at is not None:
        return f"{text}; gone on {fmt.moment(use.gone_at, zone)}."
    return f"{text}."


def state(use: BudgetUse) -> str:
    """Return bad where a budget is gone, warn where it will be or its soft limit is passed, and ok."""
    if use.spent > use.amount * Decimal(str(use.hard)):
        return "bad"
    if use.gone_at is not None or (use.soft is not None and use.used_ratio > use.soft):
        return "warn"
    is_ahead = use.projected is None and use.sessions is None and use.used_ratio > use.elapsed_ratio
    return "warn" if is_ahead else "ok"
