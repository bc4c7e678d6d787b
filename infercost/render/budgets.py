"""Burn rate and budgets in words."""

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


def forecast_text(use: BudgetUse, zone: str) -> str:
    """Return where a budget will be at the end of its period, and when it will be gone; empty where it is not known."""
    if use.projected is None or use.elapsed_ratio >= 1:
        return ""
    text = f"At the rate of the last week {fmt.dollars(use.projected)} by its end"
    if use.projected_low is not None and use.projected_high is not None:
        text += f" (four times in five {fmt.dollars(use.projected_low)} to {fmt.dollars(use.projected_high)})"
    if use.gone_at is not None:
        return f"{text}; gone on {fmt.moment(use.gone_at, zone)}."
    return f"{text}."


def state(use: BudgetUse) -> str:
    """Return bad where a budget is gone, warn where it will be before its period ends, ok."""
    if use.spent > use.amount:
        return "bad"
    return "warn" if use.gone_at is not None or (use.projected is None and use.used_ratio > use.elapsed_ratio) else "ok"
