"""A section as a table of text cells with exact values: what HTML, Markdown and the terminal all draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from infercost.analyze.report import Figures, Row, Section
from infercost.render import format as fmt

DIMENSION_SEPARATOR = " · "
_NOTHING = Figures(Decimal(0), 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Cell:
    """Text for the eye, the exact value for the title, a tone (`up`, `down`, `quiet` or none), an aside in small."""

    text: str
    exact: str = ""
    tone: str = ""
    aside: str = ""


@dataclass(frozen=True)
class Bar:
    """A bar as percent of its track: it starts at `start` and is `width` wide; 50 is the middle of a signed track."""

    start: float
    width: float
    tone: str


@dataclass(frozen=True)
class Line:
    """One drawn row; `note` says what the figures leave out. Cells that need a baseline are blank without one."""

    name: Cell
    note: str
    before: Cell
    now: Cell
    change: Cell
    bar: Bar
    ratio: Cell
    share: Cell
    requests: Cell
    tokens: Cell


@dataclass(frozen=True)
class Table:
    """A section cut for the eye: `top`, then `more` on demand.

    `rest` stands for everything below `top`, `beyond` for everything below `more`; None when there is nothing there.
    """

    top: tuple[Line, ...]
    more: tuple[Line, ...]
    rest: Line | None
    beyond: Line | None
    total: Line
    compared: bool


@dataclass(frozen=True)
class _Scale:
    """What the lines of one table share: decimals, the largest amounts, and whether there is a baseline."""

    places: int
    largest_change: Decimal
    largest_cost: Decimal
    total_cost: Decimal
    compared: bool


def table(section: Section, top: int, limit: int | None = None) -> Table:
    """Return `section` with its first `top` rows, up to `limit` on demand (None: no rows on demand).

    A rest of one or two rows is drawn instead of being summed up.
    """
    rows, total = section.rows, section.total
    compared = total.baseline is not None
    first = len(rows) if len(rows) <= top + 2 else top
    last = max(first, min(len(rows), limit or 0))
    scale = _scale(rows, total, compared=compared)
    return Table(
        top=tuple(_line(row, scale) for row in rows[:first]),
        more=tuple(_line(row, scale) for row in rows[first:last]),
        rest=_rest(rows[first:], total, scale),
        beyond=_rest(rows[last:], total, scale) if last > first else None,
        total=_line(total, scale, "Total"),
        compared=compared,
    )


def label(values: Sequence[str]) -> Cell:
    """Return the name of a row: its dimension values, each cut, with the uncut ones as the exact text."""
    length = fmt.NAME_LENGTH if len(values) < 2 else max(16, fmt.NAME_LENGTH // len(values))
    return Cell(
        DIMENSION_SEPARATOR.join(fmt.name(value, length) for value in values),
        DIMENSION_SEPARATOR.join(fmt.full_name(value) for value in values),
    )


def cost_cell(figures: Figures | None, places: int) -> Cell:
    """Return a window's cost; unknown when none of its attempts could be priced, because 0 would be a lie."""
    if figures is None:
        return Cell("")
    if _is_unpriced(figures):
        return Cell("no price", f"none of {figures.attempts:,} attempts has a price", "quiet")
    return Cell(fmt.money(figures.cost, places), fmt.exact_dollars(figures.cost))


def _is_unpriced(*windows: Figures | None) -> bool:
    """Return whether there are attempts in the windows and not one of them has a price."""
    known = [figures for figures in windows if figures]
    attempts = sum(figures.attempts for figures in known)
    return attempts > 0 and sum(figures.unpriced_attempts for figures in known) >= attempts


def ratio_cell(row: Row) -> Cell:
    """Return the relative change, or `new` and `gone` for a segment that one window does not have at all."""
    if row.baseline is None:
        return Cell("")
    if not row.baseline.attempts and row.current.attempts:
        return Cell("new", "not in the window before", tone(row.change))
    if row.baseline.attempts and not row.current.attempts:
        return Cell("gone", "only in the window before", tone(row.change))
    if row.change_ratio is None:
        return Cell(fmt.UNKNOWN, "the window before has no cost to compare with", "quiet")
    return Cell(fmt.percent(row.change_ratio, signed=True), fmt.exact_percent(row.change_ratio), tone(row.change))


def tone(change: Decimal | float) -> str:
    """Return `up`, `down` or `quiet`: the tone of a change in cost."""
    if not change:
        return "quiet"
    return "up" if change > 0 else "down"


def growth(now: int, before: int | None) -> str:
    """Return how a count moved, `+8.0 %`; empty when one of the windows has none."""
    return fmt.percent(now / before - 1, signed=True) if before and now else ""


def fold(rows: Sequence[Row], total: Row) -> Row:
    """Return the sum of rows as one row named after their number, with its share of the total's change."""
    current = _sum([row.current for row in rows])
    baseline = None if total.baseline is None else _sum([row.baseline or _NOTHING for row in rows])
    change = sum((row.change for row in rows), Decimal(0))
    return Row(
        values=(f"{len(rows):,} others",),
        current=current,
        baseline=baseline,
        change=change,
        change_ratio=float(change / baseline.cost) if baseline and baseline.cost else None,
        share_of_change=float(change / total.change) if baseline and total.change else None,
    )


def _sum(figures: Sequence[Figures]) -> Figures:
    return Figures(
        cost=sum((item.cost for item in figures), Decimal(0)),
        requests=sum(item.requests for item in figures),
        attempts=sum(item.attempts for item in figures),
        input_tokens=sum(item.input_tokens for item in figures),
        output_tokens=sum(item.output_tokens for item in figures),
        unpriced_attempts=sum(item.unpriced_attempts for item in figures),
    )


def _scale(rows: Sequence[Row], total: Row, *, compared: bool) -> _Scale:
    costs = [abs(figures.cost) for row in (*rows, total) for figures in (row.current, row.baseline) if figures]
    return _Scale(
        places=fmt.column_places(max(costs)),
        largest_change=max((abs(row.change) for row in rows), default=Decimal(0)),
        largest_cost=max((abs(row.current.cost) for row in rows), default=Decimal(0)),
        total_cost=total.current.cost,
        compared=compared,
    )


def _rest(rows: Sequence[Row], total: Row, scale: _Scale) -> Line | None:
    return _line(fold(rows, total), scale) if rows else None


def _line(row: Row, scale: _Scale, title: str | None = None) -> Line:
    change = Cell("")
    if scale.compared and _is_unpriced(row.current, row.baseline):
        change = Cell(fmt.UNKNOWN, "no attempt has a price", "quiet")
    elif scale.compared:
        text = fmt.money(row.change, scale.places, signed=True)
        change = Cell(text, fmt.exact_dollars(row.change, signed=True), tone(row.change))
    return Line(
        name=Cell(title, title) if title else label(row.values),
        note=_note(row),
        before=cost_cell(row.baseline, scale.places),
        now=cost_cell(row.current, scale.places),
        change=change,
        bar=_bar(row, scale),
        ratio=ratio_cell(row),
        share=_share(row, scale),
        requests=_requests(row),
        tokens=_tokens(row),
    )


def _note(row: Row) -> str:
    unpriced = row.current.unpriced_attempts + (row.baseline.unpriced_attempts if row.baseline else 0)
    return f"{fmt.plural(unpriced, 'attempt')} not priced" if unpriced else ""


def _bar(row: Row, scale: _Scale) -> Bar:
    if not scale.compared:
        width = float(row.current.cost / scale.largest_cost * 100) if scale.largest_cost else 0.0
        return Bar(0.0, round(min(width, 100.0), 2), "current")
    width = float(abs(row.change) / scale.largest_change * 50) if scale.largest_change else 0.0
    width = round(min(width, 50.0), 2)
    return Bar(50.0 if row.change >= 0 else 50.0 - width, width, tone(row.change))


def _share(row: Row, scale: _Scale) -> Cell:
    share = row.share_of_change
    if not scale.compared:
        share = float(row.current.cost / scale.total_cost) if scale.total_cost else None
    return Cell(fmt.percent(share), fmt.exact_percent(share))


def _requests(row: Row) -> Cell:
    before = row.baseline.requests if row.baseline else None
    exact = f"{row.current.requests:,} requests in {row.current.attempts:,} attempts"
    if row.baseline:
        exact += f"; before {row.baseline.requests:,} in {row.baseline.attempts:,}"
    return Cell(fmt.count(row.current.requests), exact, aside=growth(row.current.requests, before))


def _tokens(row: Row) -> Cell:
    now = row.current.input_tokens + row.current.output_tokens
    before = row.baseline.input_tokens + row.baseline.output_tokens if row.baseline else None
    exact = f"{row.current.input_tokens:,} in, {row.current.output_tokens:,} out"
    if row.baseline:
        exact += f"; before {row.baseline.input_tokens:,} in, {row.baseline.output_tokens:,} out"
    return Cell(fmt.count(now), exact, aside=growth(now, before))
