"""Says in plain words what makes the gap between bills and logs: one sentence in all, one a cause, one a row."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from infercost.analyze.bill_gaps import Cell, Reconciliation, Row
from infercost.render import format as fmt

if TYPE_CHECKING:
    from datetime import date

LABELS: dict[str, str] = {
    "bypassed": "bypassed",
    "missing": "missing records",
    "extra": "extra records",
    "tokens": "token counts",
    "price": "price",
    "tier": "tier",
    "zone": "time zone",
    "unpriced": "unpriced",
    "fees": "fees",
    "rounding": "rounding",
    "unexplained": "unexplained",
}
"""Names of the causes for people."""

_MOST_NAMES = 3
_MILLION = 1_000_000
_NAME = 40
_CENT = Decimal("0.01")


def usd(amount: Decimal | None, *, signed: bool = False) -> str:
    """Return US dollars to the cent, as bills have them; with more decimals below a cent."""
    small = amount is None or abs(amount) < _CENT
    return fmt.dollars(amount, signed=signed) if small else fmt.money(amount, 2, signed=signed)


def headline(found: Reconciliation) -> str:
    """Return the whole gap in one sentence: how much, and the parts of it that are worth a word."""
    if not found.priced:
        return "The bills tell quantities and no money, so only tokens are compared."
    gap = found.gap
    told = [(name, amount) for name, amount in _by_size(found.causes()) if name != "rounding" and amount]
    if not gap and not told:
        return f"The bills and the logs agree: {usd(found.billed)}."
    parts = [f"{usd(amount)} is {cause_text(found, name)}" for name, amount in told]
    end = f": {'; '.join(parts)}." if parts else ": rounding."
    if not gap:
        return f"The bills and the logs agree in sum ({usd(found.billed)}), and differ in parts{end}"
    share = f" ({fmt.percent(float(abs(gap) / found.ours))})" if found.ours else ""
    side = "higher" if gap > 0 else "lower"
    return f"The bills are {usd(abs(gap))}{share} {side} than the logs{end}"


def cause_text(found: Reconciliation, cause: str) -> str:
    """Return what a cause is made of, over all cells that have it."""
    cells = [cell for cell in found.cells if cause in cell.causes]
    return _CAUSE_TEXTS[cause](found, cells)


def why(row: Row) -> str:
    """Return why a row has a gap: its largest cause in words, then the amounts of the others."""
    causes = [(name, amount) for name, amount in _by_size(row.causes) if amount]
    if len(causes) > 1:
        causes = [each for each in causes if each[0] != "rounding"] or causes
    if not causes:
        return ""
    main, amount = causes[0]
    others = [f"{LABELS[name]} {usd(part, signed=True)}" for name, part in causes[1:]]
    cells = [cell for cell in row.cells if main in cell.causes]
    own = f"{LABELS[main]}{' ' + usd(amount, signed=True) if others else ''}: {_details(main, cells)}"
    return ", ".join([own, *others])


def _details(cause: str, cells: Sequence[Cell]) -> str:
    """Return the details of the cells, each said once; of many only that of the largest."""
    largest = max(cells, key=lambda cell: abs(cell.causes[cause]))
    details = dict.fromkeys(detail(cause, cell) for cell in cells)
    return detail(cause, largest) if len(details) > 1 else next(iter(details))


def detail(cause: str, cell: Cell) -> str:
    """Return why a cell has a cause."""
    simple = {
        "zone": "days are cut at another hour",
        "unpriced": "tokens without a price",
        "fees": "not by the token",
        "rounding": "below the decimals of the bill, or the tolerance",
        "unexplained": "the bill tells no tokens",
        "tier": cell.tier or "another lane or context tier",
    }
    if cause in simple:
        return simple[cause]
    return _DETAILS[cause](cell)


def _bypassed(cell: Cell) -> str:
    return "a key or region that the logs never have" if cell.is_model_logged else "never in the logs"


def _missing(cell: Cell) -> str:
    if not cell.is_day_logged:
        return "no logs that day"
    if cell.our_tokens == 0:
        return "no record of the model that day" if not cell.our_requests else "none of this kind in the logs"
    if cell.quiet_hours:
        return f"no logs {_hours(cell.quiet_hours)}"
    if cell.billed_requests is not None and cell.billed_requests > cell.our_requests:
        return f"{fmt.count(cell.our_requests)} of {fmt.count(cell.billed_requests)} calls are in the logs"
    return f"{_share(cell)} of the tokens are in the logs" if cell.billed_tokens else "less in the logs"


def _extra(cell: Cell) -> str:
    if not cell.is_day_billed:
        return "nothing billed that day"
    if not cell.billed_tokens:
        return "not on the bill"
    return f"{_share(cell)} of the billed tokens are in the logs"


def _tokens(cell: Cell) -> str:
    return f"{fmt.count(cell.our_tokens)} in the logs, {fmt.count(cell.billed_tokens)} billed, in as many calls"


def _price(cell: Cell) -> str:
    if not cell.billed_tokens or not cell.our_tokens or cell.billed is None or not cell.ours:
        return _percent_off(cell.causes["price"], cell.ours)
    billed = cell.billed / cell.billed_tokens * _MILLION
    ours = cell.ours / cell.our_tokens * _MILLION
    return f"{fmt.dollars(billed)} a million instead of {fmt.dollars(ours)}, {_percent_off(billed - ours, ours)}"


_DETAILS: dict[str, Callable[[Cell], str]] = {
    "bypassed": _bypassed,
    "missing": _missing,
    "extra": _extra,
    "tokens": _tokens,
    "price": _price,
}


def _share(cell: Cell) -> str:
    return fmt.percent(cell.our_tokens / cell.billed_tokens) if cell.billed_tokens else fmt.UNKNOWN


def _percent_off(change: Decimal, base: Decimal) -> str:
    return fmt.percent(float(change / base), signed=True) if base else "no price in the logs"


def _hours(hours: Sequence[int]) -> str:
    """Return hours of a day as ranges: `03:00-07:00, 12:00-13:00`."""
    ranges: list[list[int]] = []
    for hour in hours:
        if ranges and ranges[-1][1] == hour:
            ranges[-1][1] = hour + 1
        else:
            ranges.append([hour, hour + 1])
    return ", ".join(f"{first:02}:00{fmt.EN_DASH}{end:02}:00" for first, end in ranges)


def _by_size(causes: Mapping[str, Decimal]) -> list[tuple[str, Decimal]]:
    return sorted(causes.items(), key=lambda each: -abs(each[1]))


def _models(cells: Iterable[Cell], cause: str) -> str:
    """Return the models of the cells, those with most of the cause first."""
    sums: dict[str, Decimal] = {}
    for cell in cells:
        sums[cell.model] = sums.get(cell.model, Decimal(0)) + cell.causes[cause]
    names = [fmt.name(model, _NAME) for model in sorted(sums, key=lambda model: (-abs(sums[model]), model))]
    return _listed(names)


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        shown.append(fmt.plural(len(names) - _MOST_NAMES, "other"))
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _days(cells: Iterable[Cell]) -> str:
    """Return the days of the cells as ranges."""
    ranges: list[list[date]] = []
    for day in sorted({cell.day for cell in cells}):
        if ranges and (day - ranges[-1][1]).days == 1:
            ranges[-1][1] = day
        else:
            ranges.append([day, day])
    return _listed([fmt.day_span(first, last) for first, last in ranges])


def _say_bypassed(_: Reconciliation, cells: Sequence[Cell]) -> str:
    unknown = [cell for cell in cells if not cell.is_model_logged]
    if not unknown:
        return f"keys or regions that never appear in the logs (bypassing the gateway), {_models(cells, 'bypassed')}"
    verb = "appears" if len({cell.model for cell in cells}) == 1 else "appear"
    return f"{_models(cells, 'bypassed')}, which never {verb} in the logs (bypassing the gateway)"


def _say_missing(_: Reconciliation, cells: Sequence[Cell]) -> str:
    dark = [cell for cell in cells if not cell.is_day_logged]
    rest = [cell for cell in cells if cell.is_day_logged]
    parts = [f"{_days(dark)} without logs"] if dark else []
    if rest:
        quiet = sorted({(cell.day, cell.quiet_hours) for cell in rest if cell.quiet_hours})
        hours = f" (no logs {_hours(quiet[0][1])} of {fmt.day(quiet[0][0])})" if len(quiet) == 1 else ""
        parts.append(f"records missing from the logs on {_days(rest)}{hours}")
    return " and ".join(parts)


def _say_extra(_: Reconciliation, cells: Sequence[Cell]) -> str:
    late = [cell for cell in cells if not cell.is_day_billed]
    if len(late) == len(cells):
        return f"logged on {_days(cells)}, for which nothing is billed (a bill that comes late, or another account)"
    return f"in the logs and not on the bill ({_models(cells, 'extra')}, {_days(cells)})"


def _say_tokens(_: Reconciliation, cells: Sequence[Cell]) -> str:
    return f"other token counts in the same calls ({_models(cells, 'tokens')})"


def _say_price(_: Reconciliation, cells: Sequence[Cell]) -> str:
    largest = max(cells, key=lambda cell: abs(cell.causes["price"]))
    models = "" if len({cell.model for cell in cells}) == 1 else f"{_models(cells, 'price')}; most of all "
    return f"price ({models}{fmt.name(largest.model, _NAME)} {largest.kind} at {_price(largest)})"


def _say_tier(_: Reconciliation, cells: Sequence[Cell]) -> str:
    tiers = dict.fromkeys(cell.tier or "" for cell in sorted(cells, key=lambda cell: -abs(cell.causes["tier"])))
    return f"billed as {_listed(list(tiers))} ({_models(cells, 'tier')})"


def _say_zone(found: Reconciliation, cells: Sequence[Cell]) -> str:
    moved = sum((abs(cell.causes["zone"]) for cell in cells), Decimal(0)) / 2
    hours = [
        f"{each.seller}'s days begin {abs(each.hours)} h {'earlier' if each.hours > 0 else 'later'} than the bill says"
        for each in found.shifts
    ]
    return f"the time zone ({_listed(hours)}, which moves {usd(moved)} from day to day)"


def _say_unpriced(_: Reconciliation, cells: Sequence[Cell]) -> str:
    return f"tokens in the logs without a price ({_models(cells, 'unpriced')})"


def _say_fees(_: Reconciliation, cells: Sequence[Cell]) -> str:
    return f"fees that are not by the token ({_models(cells, 'fees')})"


def _say_rounding(_: Reconciliation, __: Sequence[Cell]) -> str:
    return "rounding"


def _say_unexplained(_: Reconciliation, cells: Sequence[Cell]) -> str:
    return f"not explained, because the bill tells no tokens ({_models(cells, 'unexplained')})"


_CAUSE_TEXTS: dict[str, Callable[[Reconciliation, Sequence[Cell]], str]] = {
    "bypassed": _say_bypassed,
    "missing": _say_missing,
    "extra": _say_extra,
    "tokens": _say_tokens,
    "price": _say_price,
    "tier": _say_tier,
    "zone": _say_zone,
    "unpriced": _say_unpriced,
    "fees": _say_fees,
    "rounding": _say_rounding,
    "unexplained": _say_unexplained,
}


def notes(found: Reconciliation) -> list[str]:
    """Return what the figures leave out, and what would tell more."""
    said = [
        f"{fmt.name(each.seller)} {each.currency}: {fmt.plural(each.lines, 'line')} of {each.amount.normalize():,f} "
        f"{each.currency} are not compared; nothing is converted"
        for each in found.other_currencies
    ]
    if found.left_out:
        sources = [
            f"{fmt.name(each.source, 60)} of {fmt.name(each.seller)}"
            f" ({fmt.plural(each.lines, 'line')}{'' if each.money is None else ', ' + usd(each.money)})"
            for each in sorted(found.left_out, key=lambda each: -abs(each.money or Decimal(0)))
        ]
        said.append(f"left out, because another source tells the same: {_listed(sources)}")
    if found.unbilled:
        sellers = _listed([f"{fmt.name(seller)} {usd(cost)}" for seller, cost in found.unbilled])
        said.append(f"in the logs and without a bill here: {sellers}")
    counts = [cell for cell in found.cells if cell.billed is None]
    if counts:
        off = sum(1 for cell in counts if cell.billed_tokens != cell.our_tokens)
        said.append(
            f"{fmt.plural(len(counts), 'row')} without money in US dollars, {fmt.count(off)} of which with other tokens"
        )
    if any("unexplained" in cell.causes for cell in found.cells):
        said.append("a usage report of the same days, ingested beside the bill, splits what is unexplained")
    return said
