"""The parts of the spend, each with its own sentence and bridge: what the page shows under each feature or route."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from infercost.analyze.drivers.factors import SHIFTS
from infercost.analyze.explanation import Child, Explanation, Measure, SplitTable
from infercost.render import bridge
from infercost.render import format as fmt
from infercost.render.cents import closed
from infercost.render.charts import Hue
from infercost.render.plot import Block

MOST = 12
"""Parts that have a bridge of their own; the others are one."""

NAMED = 3
"""Drivers that the sentence of a part names, each with LEAST or more of all that moved in it."""

LEAST = Decimal("0.05")

OTHERS = "All others"


@dataclass(frozen=True)
class Step:
    """A driver in the bridge of a part: its title, its effect exact and in cents, and its bar."""

    title: str
    effect: Decimal
    cents: Decimal
    span: bridge.Span


@dataclass(frozen=True)
class Part:
    """A part of the spend with its bridge; before, after and the steps are in cents that add up."""

    name: str
    exact_name: str
    sentence: str
    before: Decimal
    after: Decimal
    change: Decimal
    steps: tuple[Step, ...]
    bars: bridge.Waterfall
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class Contributor:
    """A row of the table of contributors, with its share of the change and its drivers as one bar."""

    values: tuple[str, ...]
    before: Decimal
    after: Decimal
    change: Decimal
    share: float | None
    blocks: tuple[Block, ...]


def parts(explanation: Explanation, table: SplitTable) -> list[Part]:
    """Return the parts that a table splits spend into, those with the largest change first; the last is the rest."""
    titles = {line.name: line.title for line in explanation.drivers if line.name != SHIFTS}
    return [_part(child, titles, bridge.places(explanation)) for child in _cut(table.rows, MOST)]


def _cut(rows: Sequence[Child], most: int) -> list[Child]:
    """Return the first rows, and what the others are together."""
    rows = [row for row in rows if row.before or row.after]
    if len(rows) <= most + 1:
        return list(rows)
    rest = rows[most:]
    effects = {name: sum((row.effects[name] for row in rest), Decimal(0)) for name in rest[0].effects}
    before, after = (sum((getattr(row, side) for row in rest), Decimal(0)) for side in ("before", "after"))
    return [*rows[:most], Child((f"{OTHERS} ({len(rest):,})",), before, after, effects)]


def _part(child: Child, titles: Mapping[str, str], places: int) -> Part:
    moved = {name: child.effects[name] for name in titles if child.effects[name]}
    cents = closed(list(moved.values()), places)
    bars = bridge.fall(child.before, list(moved.values()))
    change = sum(cents, Decimal(0))
    before = round(child.before, places)
    return Part(
        name=" / ".join(fmt.name(value) for value in child.values),
        exact_name=" / ".join(fmt.full_name(value) for value in child.values),
        sentence=_sentence(child, moved, titles, places),
        before=before,
        after=before + change,
        change=change,
        steps=tuple(
            Step(titles[name], effect, rounded, span)
            for (name, effect), rounded, span in zip(moved.items(), cents, bars.steps, strict=True)
            if rounded
        ),
        bars=bars,
        measures=tuple(each for each in child.measures if each.before is not None or each.after is not None),
    )


def _sentence(child: Child, moved: Mapping[str, Decimal], titles: Mapping[str, str], places: int) -> str:
    change = child.after - child.before
    if not round(change, places):
        start = f"Stayed at {fmt.dollars(child.after)}"
    else:
        share = f" ({fmt.percent(float(change / child.before), signed=True)})" if child.before else ""
        start = (
            f"{'Rose' if change > 0 else 'Fell'} {fmt.dollars(abs(change))}{share} "
            f"from {fmt.dollars(child.before)} to {fmt.dollars(child.after)}"
        )
    gross = sum(map(abs, moved.values()), Decimal(0))
    largest = sorted(moved, key=lambda name: (-abs(moved[name]), name))[:NAMED]
    named = [
        f"{titles[name].lower()} {fmt.dollars(moved[name], signed=True)}"
        for name in largest
        if abs(moved[name]) >= gross * LEAST and round(moved[name], places)
    ]
    return f"{start}: {', '.join(named)}." if named else f"{start}."


def contributors(explanation: Explanation, table: SplitTable, hues: Sequence[Hue], most: int) -> list[Contributor]:
    """Return the rows of a table with the largest changes, falls too, and the rest; they add up to the change."""
    rows = _cut(table.rows, most)
    places = bridge.places(explanation)
    cents = closed([row.after - row.before for row in rows], places)
    largest = max((_gross(row) for row in rows), default=Decimal(0))
    found = []
    for row, change in zip(rows, cents, strict=True):
        before = round(row.before, places)
        values = row.values if len(row.values) == len(table.dimensions) else (row.values[0], "", "")
        share = float((row.after - row.before) / explanation.change) if explanation.change else None
        found.append(Contributor(values, before, before + change, change, share, _blocks(row, hues, largest)))
    return found


def _gross(child: Child) -> Decimal:
    return max(
        sum((effect for effect in child.effects.values() if effect > 0), Decimal(0)),
        -sum((effect for effect in child.effects.values() if effect < 0), Decimal(0)),
    )


def _blocks(child: Child, hues: Sequence[Hue], largest: Decimal) -> tuple[Block, ...]:
    """Return the effects of a row side by side: rises to the right of the middle, falls to the left."""
    named = {hue.name for hue in hues}
    others = sum((effect for name, effect in child.effects.items() if name not in named), Decimal(0))
    ends = {True: 50.0, False: 50.0}
    blocks = []
    for hue in hues:
        effect = others if hue.name is None else child.effects[hue.name]
        if not effect or not largest:
            continue
        rises, width = effect > 0, float(abs(effect) / largest * 50)
        start = ends[rises] if rises else ends[rises] - width
        ends[rises] += width if rises else -width
        blocks.append(Block(hue.kind, round(start, 2), 0, round(width, 2), 8))
    return tuple(blocks)
