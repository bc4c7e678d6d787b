"""The bridge and the tables beside it, in cents that add up: what every renderer of an explanation draws.

Where spend is below a dollar, the smallest unit is a hundredth of a cent, or less: `places` says how many decimals.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, pairwise

from infercost.analyze.drivers.factors import SHIFTS
from infercost.analyze.explanation import DriverLine, Explanation, SplitTable
from infercost.render import format as fmt
from infercost.render import why
from infercost.render.cents import closed
from infercost.render.trust import window_text

ROWS = 8
"""Rows of a table by a dimension, events and requests that are shown; the rest of a table is one row."""

COLUMNS = 3
"""Drivers that have a column of their own in a table by a dimension, shifts between its rows among them."""


def places(explanation: Explanation) -> int:
    """Return the decimals of dollars that show what moved: cents, and more where spend is that small."""
    size = max(explanation.before, explanation.after)
    if size >= 1 or not size:
        return 2
    return 4 if size >= Decimal("0.01") else 6


def bridge_rows(explanation: Explanation) -> list[tuple[DriverLine, Decimal]]:
    """Return every driver with its effect in cents; the cents add up to the change in cents.

    Shifts between the rows of a table are none of the whole.
    """
    lines = [line for line in explanation.drivers if line.name != SHIFTS]
    return list(zip(lines, closed([line.effect for line in lines], places(explanation)), strict=True))


Span = tuple[float, float]
"""Where a bar begins and ends, in percent of its track."""


@dataclass(frozen=True)
class Waterfall:
    """The bars of the bridge: before, a step for each of `bridge_rows` that begins where the last one ended, after.

    The track begins at `floor` dollars: where spend is large against its change, both whole bars are cut there.
    """

    before: Span
    steps: tuple[Span, ...]
    after: Span
    floor: Decimal


def waterfall(explanation: Explanation) -> Waterfall:
    """Return the bars of the bridge."""
    return fall(explanation.before, [line.effect for line, _ in bridge_rows(explanation)])


def fall(before: Decimal, effects: Sequence[Decimal]) -> Waterfall:
    """Return the bars of a bridge from `before` over `effects`."""
    levels = list(accumulate(effects, initial=before))
    low, high = min(levels), max(levels)
    room = (high - low) * ROOM
    floor = low - room if low - room > 0 else min(low, Decimal(0))
    size = high - floor or Decimal(1)
    at = [round(float((level - floor) / size * 100), 2) for level in levels]
    steps = tuple((min(pair), max(pair)) for pair in pairwise(at))
    return Waterfall((0.0, at[0]), steps, (0.0, at[-1]), floor)


ROOM = Decimal("0.25")
"""Part of the track below its lowest step."""


def ends(explanation: Explanation) -> tuple[Decimal, Decimal]:
    """Return both windows in cents, which differ by exactly what the rows of the bridge add up to."""
    before = round(explanation.before, places(explanation))
    return before, before + change_cents(explanation)


def check_text(explanation: Explanation) -> str:
    """Return the sum of the bridge as one line, and where its bars begin."""
    before, after = ends(explanation)
    word = "-" if after < before else "+"
    shown = [unsigned(each, places(explanation)) for each in (before, abs(after - before), after)]
    text = f"{shown[0]} {word} {shown[1]} = {shown[2]}"
    residual = "nothing is left over" if not explanation.residual else f"left over: {explanation.residual:f}"
    floor = waterfall(explanation).floor
    cut = f" The bars begin at {fmt.dollars(floor)}." if floor > 0 else ""
    return f"Check: {text}; {residual}.{cut}"


def change_cents(explanation: Explanation) -> Decimal:
    """Return what the cents of `bridge_rows` add up to."""
    return sum((cents for _, cents in bridge_rows(explanation)), Decimal(0))


def contribution_rows(explanation: Explanation) -> list[tuple[str, Decimal, Decimal]]:
    """Return the name of each contribution with its effect, exact and in cents that add up."""
    named = titles(explanation)
    cents = closed([each.effect for each in explanation.contributions], places(explanation))
    pairs = zip(explanation.contributions, cents, strict=True)
    return [(why.contribution_text(each, named), each.effect, rounded) for each, rounded in pairs]


def titles(explanation: Explanation) -> dict[str, str]:
    """Return the title of each driver by its name."""
    return {line.name: line.title for line in explanation.drivers}


def idle_text(explanation: Explanation) -> str:
    """Return the drivers that did nothing, which is an answer too; empty when all did something."""
    idle = [line.title.lower() for line, cents in bridge_rows(explanation) if not cents]
    return f"${unsigned(Decimal(0), places(explanation))}: {', '.join(idle)}" if idle else ""


def amount(value: Decimal, decimals: int = 2) -> str:
    """Return dollars and cents with their sign: `+1,234.50`."""
    return f"{value:+,.{decimals}f}" if round(value, decimals) else unsigned(Decimal(0), decimals)


def unsigned(value: Decimal, decimals: int = 2) -> str:
    """Return dollars and cents without a sign of a rise: `1,234.50`."""
    return f"{value:,.{decimals}f}"


def frame_text(explanation: Explanation) -> str:
    """Return what is compared: windows, zone, currency, conditions, and other prices where they were asked for."""
    windows = [window_text(each, explanation.zone) for each in (explanation.current, explanation.baseline)]
    parts = [f"{' against '.join(windows)}, {explanation.zone}, {explanation.currency}"]
    if explanation.where:
        parts.append("only " + ", ".join(f"{name} = {fmt.name(value)}" for name, value in explanation.where))
    if explanation.restated:
        parts.append(explanation.restated)
    return "; ".join(parts)


def notes(explanation: Explanation) -> list[str]:
    """Return what the figures stand on."""
    found = [why.baseline_note(explanation), why.noise_note(explanation)]
    if explanation.unpriced_attempts:
        found.append(
            f"{fmt.plural(explanation.unpriced_attempts, 'attempt')} of the window have no price and are in no amount: "
            "infercost prices missing"
        )
    return found


def request_texts(explanation: Explanation) -> Iterator[str]:
    """Yield a line for each request that moved most."""
    named = titles(explanation)
    for each in explanation.requests[:ROWS]:
        tokens = f"{fmt.count(each.input_tokens)} in, {fmt.count(each.output_tokens)} out"
        yield (
            f"{fmt.dollars(each.cost)} (usually {fmt.dollars(each.usual)})  {named[each.driver].lower()}, "
            f"{fmt.name(each.feature, 24)}, {fmt.name(each.model, 40)}, {tokens}  {fmt.name(each.request_id, 44)}"
        )


def split_columns(explanation: Explanation, table: SplitTable) -> list[DriverLine]:
    """Return the drivers that get a column in a table by a dimension: those with the largest effects, and shifts."""
    lines = [line for line in explanation.drivers if line.effect]
    shifts = [line for line in explanation.drivers if line.name == SHIFTS]
    if not any(child.effects[SHIFTS] for child in table.rows):
        shifts = []
    return [*sorted(lines, key=lambda line: (-abs(line.effect), line.name))[: COLUMNS - len(shifts)], *shifts]


def value_text(dimension: str, value: str) -> str:
    """Return a value of a dimension as it is shown: a band by the length of the prompts around it."""
    if dimension == "band":
        return f"~{2 ** int(value):,} tokens" if int(value) >= 0 else "no prompt"
    return fmt.name(value, 40)


def split_rows(explanation: Explanation, table: SplitTable) -> list[tuple[str, list[Decimal]]]:
    """Return name, before, after, change, the effects of split_columns and of all others; the last row is the rest."""
    names = [line.name for line in split_columns(explanation, table)]
    rows: list[tuple[str, list[Decimal]]] = []
    for child in table.rows:
        chosen = [child.effects[name] for name in names]
        change = child.after - child.before
        amounts = [child.before, child.after, change, *chosen, change - sum(chosen, Decimal(0))]
        shown = (value_text(*each) for each in zip(table.dimensions, child.values, strict=True))
        rows.append((" / ".join(shown), amounts))
    if len(rows) <= ROWS + 1:
        return rows
    rest = [sum(column, Decimal(0)) for column in zip(*(amounts for _, amounts in rows[ROWS:]), strict=True)]
    return [*rows[:ROWS], (f"{len(rows) - ROWS} others", rest)]
