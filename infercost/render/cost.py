"""The arithmetic behind one attempt's cost, as facts, lines of a sum, and sentences; drawn alike everywhere."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from infercost import schema
from infercost.analyze.explain_cost import CostExplanation, Line, PriceUsed
from infercost.analyze.unpriced import REASONS, Unpriced

COLUMNS = ("what", "quantity", "USD per million", "picodollars")
"""Of the lines of a sum; a fee is by the piece, and its rate is marked `each`."""

_PER_MILLION = Decimal(1_000_000)

_METHODS: dict[str, str] = {
    "exact": "the name as logged",
    "alias": "a [[prices.alias]] of infercost.toml",
    "override": "a [[prices.override]] of infercost.toml",
    "prefix": "the provider stood in the name",
    "maker": "no provider was logged; the name is one maker's",
    "path": "a path was taken off",
    "region": "a region was taken off",
    "suffix": "a suffix of the route was taken off",
    "effort": "the effort of reasoning was taken off",
    "latest": "-latest was taken off",
    "date": "a date was taken off",
    "fallback": "the provider sells another maker's model, at that maker's price",
}


def method_text(method: str) -> str:
    """Return what the steps of a `model_map.method` mean, in words."""
    return "; ".join(_METHODS.get(step, step) for step in method.split("+"))


def usd_per_million(picodollars: int | None) -> Decimal | None:
    """Return a rate in US dollars per million, exact."""
    return None if picodollars is None else (Decimal(picodollars) / _PER_MILLION).normalize() + 0


def dollars(picodollars: int) -> str:
    """Return picodollars as exact US dollars, with all twelve decimals."""
    return f"{Decimal(picodollars) / schema.PICODOLLARS_PER_DOLLAR:.12f}"


def facts(explanation: CostExplanation) -> list[tuple[str, str]]:
    """Return what is known of the attempt and why its price row is the one, as (label, text)."""
    attempt, used = explanation.attempt, explanation.effective
    found = [
        ("attempt", f"{attempt['attempt_id']}, {attempt['status']}, {_moment(attempt['started_at'])}"),
        ("logged in", f"{attempt['source_file']}, record {attempt['source_line']} ({attempt['format']})"),
        ("model", f"{attempt['price_model']} of provider {attempt['provider_name'] or '(not logged)'}"),
        ("name", _name(explanation)),
    ]
    if used is not None:
        found += [("price row", _row_text(used.row)), *_why(attempt, used.row)]
    if used is not None and _is_pool(explanation):
        found.append(("pool", f"{dollars(used.row['hour_fee'])} USD an hour, shared among all that it served in it"))
    if attempt["price_rule"]:
        found.append(("rule", f"{attempt['price_rule']}: {schema.PRICE_RULES.get(attempt['price_rule'], '')}"))
    if explanation.unpriced is not None:
        found += _unpriced(explanation.unpriced)
    return found


def sums(explanation: CostExplanation) -> list[tuple[str, PriceUsed]]:
    """Return the sums to draw, each with its title; one where the list price is the effective price."""
    both = [("effective", explanation.effective), ("list", explanation.listed)]
    if explanation.attempt["list_price_id"] in (None, explanation.attempt["price_id"]) and not _is_pool(explanation):
        both[0] = ("effective and list", explanation.effective)
    return [(title, used) for title, used in both if used is not None]


def _is_pool(explanation: CostExplanation) -> bool:
    return explanation.effective is not None and explanation.effective.row["hour_fee"] is not None


def line_cells(line: Line) -> tuple[str, str, str, str]:
    """Return the texts of a line of a sum, in the order of COLUMNS."""
    rate = usd_per_million(line.rate)
    each = f"{dollars(line.rate or 0)} each" if line.unit != "tokens" else ""
    return (
        f"{line.name.replace('_', ' ')}{'' if line.unit == line.name else f' {line.unit}'}",
        f"{line.quantity:,}",
        ("no rate" if line.amount is None or line.unit != "tokens" else "a share")
        if rate is None
        else each or f"{rate:f}",
        "unknown" if line.amount is None else f"{line.amount:,}",
    )


def total_cells(used: PriceUsed) -> tuple[str, str, str, str]:
    """Return the texts of the last line of a sum."""
    if used.total is None:
        return "total", "", "", "unknown"
    return "total", "", f"= {dollars(used.total)} USD", f"{used.total:,}"


def verdict(explanation: CostExplanation) -> list[tuple[str, str]]:
    """Return the stored costs, as (label, text), and whether the sum gives them to the digit."""
    attempt, stored = explanation.attempt, explanation.stored
    found = [("stored cost", _money(attempt["effective_cost"]))]
    if attempt["avoided_cost"] is not None:
        found.append(("avoided cost", _money(attempt["avoided_cost"])))
    if explanation.agrees is not None:
        found.append(("check", _check(explanation)))
    if attempt["list_cost"] is not None and attempt["list_cost"] != attempt["effective_cost"]:
        found.append(("list cost", _money(attempt["list_cost"])))
    found.append(("reported cost", _reported(attempt["reported_cost"], stored)))
    return found


def markdown(explanation: CostExplanation) -> str:
    """Return the whole explanation as Markdown."""
    lines = [f"# Cost of {explanation.attempt['attempt_id']}", ""]
    lines += [f"- {label}: {_escaped(text)}" for label, text in facts(explanation)]
    for title, used in sums(explanation):
        lines += ["", f"| {COLUMNS[0]} ({title}) | {' | '.join(COLUMNS[1:])} |", "|---|---:|---:|---:|"]
        cells = [*(line_cells(line) for line in used.lines), total_cells(used)]
        lines += [f"| {' | '.join(map(_escaped, row))} |" for row in cells]
    lines += ["", *(f"- {label}: {_escaped(text)}" for label, text in verdict(explanation))]
    return "\n".join(lines) + "\n"


def _check(explanation: CostExplanation) -> str:
    attempt, used = explanation.attempt, explanation.effective
    charged_nothing = attempt["price_basis"] == "rule"
    if explanation.agrees:
        return "the rule charges nothing" if charged_nothing else "the sum is the stored amount, to the digit"
    summed = "unknown" if used is None or used.total is None else f"{dollars(used.total)} USD"
    return f"DIFFERENT: the {'rule charges nothing' if charged_nothing else f'sum is {summed}'}, stored is " + _money(
        explanation.stored
    )


def _name(explanation: CostExplanation) -> str:
    resolved = explanation.resolved
    if resolved is None:
        return "not resolved to a model of the book"
    return f"{resolved.provider} / {resolved.model}, by {resolved.method}: {method_text(resolved.method)}"


def _row_text(row: dict[str, Any]) -> str:
    dated = f", as of {row['source_date']}" if row["source_date"] else ""
    currency = f", stated in {row['currency']}" if row["currency"] not in (None, "USD") else ""
    return f"{row['price_id']} of {row['book']} ({row['basis']}): {row['source']}{dated}{currency}"


def _why(attempt: dict[str, Any], row: dict[str, Any]) -> list[tuple[str, str]]:
    count = "an unknown number of" if attempt["input_tokens"] is None else f"{attempt['input_tokens']:,}"
    end = "with no end" if row["input_to"] is None else f"to {row['input_to'] - 1:,}"
    begun = _moment(row["effective_from"]) if row["effective_from"] else "the beginning"
    ended = f"before {_moment(row['effective_to'])}" if row["effective_to"] else "with no end"
    return [
        ("service tier", f"{row['lane']}; logged: {attempt['service_tier'] or 'nothing, so standard'}"),
        ("input tier", f"from {row['input_from']:,} {end}; the attempt has {count} input tokens"),
        ("in force", f"from {begun} {ended}; the attempt began {_moment(attempt['started_at'])}"),
        ("region", f"{row['region'] or 'any'}; logged: {attempt['region'] or 'nothing'}"),
        ("scope", row["scope"] or "everybody's"),
    ]


def _unpriced(unpriced: Unpriced) -> list[tuple[str, str]]:
    found = [("no cost because", REASONS[unpriced.reason])]
    if unpriced.kinds:
        found.append(("without a rate", ", ".join(kind.replace("_", " ") for kind in unpriced.kinds)))
    if unpriced.suggestions:
        alike = ", ".join(f"{provider} / {model}" for provider, model in unpriced.suggestions)
        found.append(("names alike", f"{alike} (a hint; nothing is priced by likeness)"))
    if unpriced.cost_today is not None:
        found.append(("cost today", f"{_money(unpriced.cost_today)}; `infercost reprice` stores it"))
    if unpriced.reason in ("unknown_model", "no_rate", "no_price_then"):
        found.append(("next", "`infercost prices missing` prints what to add to infercost.toml"))
    return found


def _reported(reported: Decimal | None, stored: Decimal | None) -> str:
    if reported is None:
        return "the log gives none"
    if stored is None:
        return _money(reported)
    difference = reported - stored
    return f"{_money(reported)}, " + (f"{difference:+f} USD" if difference else "the same")


def _money(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"{amount:.12f} USD"


def _moment(moment: datetime) -> str:
    text = moment.astimezone(UTC).isoformat(sep=" ", timespec="microseconds" if moment.microsecond else "seconds")
    return f"{text.removesuffix('+00:00')} UTC"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
