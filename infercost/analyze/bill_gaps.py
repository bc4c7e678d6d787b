"""What a reconciliation found, as plain figures: every amount is exact US dollars, and causes add up to gaps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

CAUSES: dict[str, str] = {
    "bypassed": "traffic that never appears in the logs",
    "missing": "records that the logs lack",
    "extra": "tokens in the logs that the bill lacks",
    "tokens": "other token counts in the same calls",
    "price": "another price for the same tokens",
    "tier": "the price of another lane or context tier",
    "zone": "days that are cut at another hour",
    "unpriced": "tokens in the logs that have no price",
    "fees": "charges that are not by the token",
    "rounding": "what the decimals of the bill cannot tell",
    "unexplained": "not explained: the bill does not tell enough",
}
"""Causes of a gap, in the order in which they are told, and what each is."""

COLUMNS = ("day", "provider", "model", "kind")
"""Columns that rows can be grouped by."""

ZERO = Decimal(0)


@dataclass(frozen=True)
class Cell:
    """A day (in the bill's zone), model and kind of one seller. `billed` is None where the bill has quantities only.

    `causes` holds those that are not 0; they add up to `gap`. `quiet_hours` are hours of the day in which the logs
    have nothing, though most other days have.
    """

    day: date
    seller: str
    model: str
    kind: str
    billed: Decimal | None
    ours: Decimal
    causes: Mapping[str, Decimal]
    billed_tokens: int | None
    our_tokens: int
    billed_requests: int | None
    our_requests: int
    tier: str | None
    is_model_logged: bool
    is_day_logged: bool
    is_day_billed: bool
    quiet_hours: tuple[int, ...] = ()

    @property
    def gap(self) -> Decimal | None:
        """Billed minus ours; None where the bill has no money."""
        return None if self.billed is None else self.billed - self.ours

    @property
    def main_cause(self) -> str | None:
        """The cause with the largest amount, rounding only when it is alone; None when there is no gap."""
        found = [name for name in self.causes if name != "rounding"] or list(self.causes)
        return max(found, key=lambda name: abs(self.causes[name]), default=None)


@dataclass(frozen=True)
class Shift:
    """A seller's bill whose days fit the logs when our times are moved by `hours` before days are cut."""

    seller: str
    hours: int


@dataclass(frozen=True)
class Left:
    """A source that tells of the same money or use as another one, and is left out; `money` is US dollars."""

    seller: str
    measure: str
    source: str
    days: int
    lines: int
    money: Decimal | None


@dataclass(frozen=True)
class OtherCurrency:
    """Bill lines in another currency, which are not compared; `amount` is in `currency`."""

    seller: str
    currency: str
    lines: int
    amount: Decimal


@dataclass(frozen=True)
class Row:
    """Cells with the same values in the columns grouped by; tokens are None where the bill does not tell all."""

    values: tuple[str, ...]
    cells: Sequence[Cell]
    billed: Decimal | None
    ours: Decimal
    causes: Mapping[str, Decimal]
    billed_tokens: int | None
    our_tokens: int

    @property
    def gap(self) -> Decimal | None:
        """Billed minus ours; None where the bill has no money."""
        return None if self.billed is None else self.billed - self.ours


@dataclass(frozen=True)
class Reconciliation:
    """Bills against logs from `first_day` to `last_day`, at the finest grain that both sides tell."""

    first_day: date
    last_day: date
    cells: Sequence[Cell]
    shifts: Sequence[Shift] = ()
    left_out: Sequence[Left] = ()
    other_currencies: Sequence[OtherCurrency] = ()
    unbilled: Sequence[tuple[str, Decimal]] = ()
    tolerance: Decimal = ZERO
    sellers: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Name the sellers of all cells, once."""
        object.__setattr__(self, "sellers", tuple(sorted({cell.seller for cell in self.cells})))

    @property
    def priced(self) -> list[Cell]:
        """Cells whose bill has money."""
        return [cell for cell in self.cells if cell.billed is not None]

    @property
    def billed(self) -> Decimal:
        """Sum of the bills, US dollars."""
        return sum((cell.billed for cell in self.priced if cell.billed is not None), ZERO)

    @property
    def ours(self) -> Decimal:
        """Sum of the logs' effective cost where a bill has money, US dollars."""
        return sum((cell.ours for cell in self.priced), ZERO)

    @property
    def gap(self) -> Decimal:
        """Billed minus ours."""
        return self.billed - self.ours

    def causes(self) -> dict[str, Decimal]:
        """Return the sum of every cause that occurs, in the order of CAUSES; they add up to `gap`."""
        return _summed(self.cells)

    def rows(self, by: Sequence[str]) -> list[Row]:
        """Return the cells grouped by columns of COLUMNS, in the order of their values."""
        groups: dict[tuple[str, ...], list[Cell]] = {}
        for cell in self.cells:
            told = {"day": cell.day.isoformat(), "provider": cell.seller, "model": cell.model, "kind": cell.kind}
            groups.setdefault(tuple(told[column] for column in by), []).append(cell)
        return [_row(values, cells) for values, cells in sorted(groups.items())]


def _row(values: tuple[str, ...], cells: Sequence[Cell]) -> Row:
    priced = [cell for cell in cells if cell.billed is not None]
    counts = [cell.billed_tokens for cell in cells]
    return Row(
        values=values,
        cells=cells,
        billed=sum((cell.billed for cell in priced if cell.billed is not None), ZERO) if priced else None,
        ours=sum((cell.ours for cell in priced or cells), ZERO),
        causes=_summed(cells),
        billed_tokens=None if None in counts else sum(count for count in counts if count is not None),
        our_tokens=sum(cell.our_tokens for cell in cells),
    )


def _summed(cells: Sequence[Cell]) -> dict[str, Decimal]:
    sums = {name: sum((cell.causes.get(name, ZERO) for cell in cells), ZERO) for name in CAUSES}
    return {name: amount for name, amount in sums.items() if any(name in cell.causes for cell in cells)}
