"""Puts the user's own prices (and the packaged corrections) over the book, splitting rows at their dates."""

import fnmatch
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from infercost import schema
from infercost.config import CONFIG_NAME, PriceOverride
from infercost.errors import ConfigError
from infercost.pricing import names
from infercost.pricing.corrections import Corrections, Multiple
from infercost.pricing.rows import (
    MAX_FEE,
    MAX_RATE,
    NO_FEES,
    PARENT,
    PriceRow,
    Rates,
    from_table,
    half_up,
    microseconds,
    picodollars,
    to_table,
)

CUSTOM = "custom"
"""Provider of a model that only the configuration knows, when it names none."""

_STANDARD = "standard"
_KIND_INDEX = {kind: index for index, kind in enumerate(schema.TOKEN_KINDS)}
_UNPRICED: Rates = (None,) * len(schema.TOKEN_KINDS)

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Change:
    """New rates (picodollars per token), fees and a factor for [start, end), with the labels of the changed rows.

    A book or basis of None is the row's own.
    """

    start: int | None
    end: int | None
    rates: Mapping[str, int]
    factor: Decimal
    book: str | None
    basis: str | None
    source: str
    fees: Mapping[str, int] = field(default_factory=dict)
    currency: str | None = None
    source_date: str | None = None

    @property
    def has_price(self) -> bool:
        """Whether a model that the book does not know has a price by this change."""
        return bool(self.rates or self.fees)


def with_overrides(book: pa.Table, overrides: tuple[PriceOverride, ...]) -> pa.Table:
    """Return the effective prices: the book, with the rows that an override touches split at its dates and changed.

    Overrides apply in the order of the file, each on what the ones before it left. A rate is meant for the standard
    lane and for every long-context tier; other lanes and regions keep their proportion to it. A kind left out keeps
    its rate, or follows its parent kind where the book has no price of its own for it. A discount and a margin scale
    every rate and fee of every lane, rounded half up. Those with a scope are checked, but apply only in `scoped_rows`.
    Raises ConfigError for a pattern without a match, a discount on a model that has no price, or a rate above 1,000
    dollars per million tokens.
    """
    if not overrides:
        return book
    pairs = _pairs(book)
    _changes(pairs, overrides)
    changes = _changes(pairs, [each for each in overrides if not each.scope])
    rows, rest = _taken(book, changes)
    changed = [row for pair, wanted in changes.items() for row in _apply_all(pair, rows.get(pair, []), wanted)]
    return pa.concat_tables([rest, to_table(changed)])


def scoped_rows(book: pa.Table, overrides: Sequence[PriceOverride], scope: str) -> pa.Table:
    """Return the prices of a scope: those models that an override with a scope touches, under the scope's name.

    `overrides` are those that apply there, the ones without a scope included, in the order of the file.
    """
    pairs = _pairs(book)
    touched = {pair for each in overrides if each.scope for pair in targets(each, pairs)}
    changes = {pair: wanted for pair, wanted in _changes(pairs, overrides).items() if pair in touched}
    rows, _ = _taken(book, changes)
    changed = [row for pair, wanted in changes.items() for row in _apply_all(pair, rows.get(pair, []), wanted)]
    return to_table(replace(row, scope=scope) for row in changed)


def _changes(pairs: Mapping[Pair, None], overrides: Sequence[PriceOverride]) -> dict[Pair, list[_Change]]:
    """Return what is to be changed of each (provider, model) pair, in order."""
    changes: dict[Pair, list[_Change]] = defaultdict(list)
    for position, override in enumerate(overrides, 1):
        change = _change(override, position)
        for pair in targets(override, pairs):
            if pair not in pairs and not any(known.has_price for known in (*changes[pair], change)):
                raise _error(override, "has no price that a discount or a margin could apply to")
            changes[pair].append(change)
    return changes


def targets(override: PriceOverride, pairs: Iterable[Pair]) -> list[Pair]:
    """Return the (provider, model) pairs that an override is about: those of the book, else one of its own."""
    provider = names.book_provider(override.provider) or (override.provider or "").strip().lower() or None
    candidates = [pair for pair in pairs if provider in (None, pair[0])]
    wanted = override.model.lower()
    exact = [pair for pair in candidates if pair[1].lower() == wanted]
    if exact:
        return exact
    if any(sign in wanted for sign in "*?"):
        matching = [pair for pair in candidates if fnmatch.fnmatchcase(pair[1].lower(), wanted)]
        if not matching:
            raise _error(override, "matches no model of the price book")
        return matching
    found = names.find(provider, wanted) if provider else names.find_anywhere(wanted)
    return [(found.provider, found.model)] if found else [(provider or CUSTOM, override.model)]


def corrected(rows: list[PriceRow], corrections: Corrections) -> list[PriceRow]:
    """Return the book's rows with the rates of the packaged corrections."""
    for rate in corrections.rates:
        pair = (rate.provider, rate.model)
        mine = [row for row in rows if (row.provider, row.model) == pair]
        if mine:
            rates = {kind: picodollars(value) for kind, value in rate.rates.items()}
            change = _Change(rate.moment, None, rates, Decimal(1), None, None, rate.source)
            rows = [row for row in rows if (row.provider, row.model) != pair] + list(_apply(mine, change))
    for multiple in corrections.multiples:
        rows = [_multiplied(row, multiple) for row in rows]
    return rows


def _multiplied(row: PriceRow, multiple: Multiple) -> PriceRow:
    base = row.rates[_KIND_INDEX[multiple.of]]
    if row.provider != multiple.provider or row.model not in multiple.models or base is None:
        return row
    rates = list(row.rates)
    rates[_KIND_INDEX[multiple.kind]] = half_up(base * multiple.times)
    return replace(row, rates=tuple(rates), source=multiple.source)


def _error(override: PriceOverride, problem: str) -> ConfigError:
    name = f"{override.provider}/{override.model}" if override.provider else override.model
    return ConfigError(
        f"{CONFIG_NAME}: prices.override of {name!r} {problem}",
        hint='`infercost sql "SELECT DISTINCT provider, model FROM prices"` lists what the book prices.',
    )


def _pairs(book: pa.Table) -> dict[Pair, None]:
    distinct = book.select(["provider", "model"]).group_by(["provider", "model"]).aggregate([])
    return dict.fromkeys(sorted(zip(*(column.to_pylist() for column in distinct.columns), strict=True)))


def _change(override: PriceOverride, position: int) -> _Change:
    rates = {kind: picodollars(rate) for kind, rate in override.rates.items()}
    fees = {fee: half_up(amount * schema.PICODOLLARS_PER_DOLLAR) for fee, amount in override.fees.items()}
    if any(rate > MAX_RATE for rate in rates.values()):
        raise _error(override, "has a rate above 1000; rates are in US dollars per million tokens")
    if any(fee > MAX_FEE for fee in fees.values()):
        raise _error(override, "has a fee above 1000; fees are in US dollars apiece")
    return _Change(
        start=None if override.effective_from is None else microseconds(override.effective_from),
        end=None if override.effective_to is None else microseconds(override.effective_to),
        rates=rates,
        factor=(1 - (override.discount or Decimal(0))) * (1 + (override.margin or Decimal(0))),
        book=CONFIG_NAME,
        basis="override",
        source=override.label or f"prices.override {position}",
        fees=fees,
        currency=override.currency if rates or fees else None,
    )


def _taken(book: pa.Table, pairs: Iterable[Pair]) -> tuple[dict[Pair, list[PriceRow]], pa.Table]:
    """Return the rows of `pairs` by pair, and the table of all others."""
    wanted = pa.array([f"{provider}\x1f{model}" for provider, model in pairs], pa.string())
    mask = pc.is_in(pc.binary_join_element_wise(book["provider"], book["model"], "\x1f"), wanted)
    rows: dict[Pair, list[PriceRow]] = defaultdict(list)
    for row in from_table(book.filter(mask)):
        rows[row.provider, row.model].append(row)
    return rows, book.filter(pc.invert(mask))


def _apply_all(pair: Pair, rows: list[PriceRow], changes: list[_Change]) -> list[PriceRow]:
    if not rows:
        # A blank price for all time is what the changes of a model that only the configuration knows are cut from.
        rows = [PriceRow(CONFIG_NAME, *pair, _STANDARD, None, None, 0, None, _UNPRICED, "override", CONFIG_NAME)]
    for change in changes:
        rows = list(_apply(rows, change))
    return [row for row in rows if row.rates != _UNPRICED or row.fees != NO_FEES]


def _apply(rows: list[PriceRow], change: _Change) -> Iterator[PriceRow]:
    standard = [row for row in rows if _is_plain(row)]
    for row in rows:
        cuts = [change.start, change.end]
        if change.rates and not _is_plain(row):
            cuts += [bound for other in standard for bound in (other.start, other.end)]
        for piece in _split(row, cuts):
            yield _changed(piece, change, standard) if _within(piece, change) else piece


def _split(row: PriceRow, cuts: Iterable[int | None]) -> Iterator[PriceRow]:
    inside = {
        cut
        for cut in cuts
        if cut is not None and (row.start is None or row.start < cut) and (row.end is None or cut < row.end)
    }
    bounds = [row.start, *sorted(inside), row.end]
    for start, end in itertools.pairwise(bounds):
        yield row if len(bounds) == 2 else replace(row, start=start, end=end)


def _within(row: PriceRow, change: _Change) -> bool:
    begun = change.start is None or (row.start is not None and row.start >= change.start)
    return begun and (change.end is None or (row.end is not None and row.end <= change.end))


def _changed(row: PriceRow, change: _Change, standard: list[PriceRow]) -> PriceRow:
    wanted = dict(change.rates)
    if not _is_plain(row):
        usual = next((other for other in standard if _covers(other, row)), None)
        wanted = {kind: _in_lane(rate, kind, row, usual) for kind, rate in wanted.items()}
    rates = _followed(row.rates, wanted)
    fees = tuple(change.fees.get(fee, known) for fee, known in zip(schema.FEES, row.fees, strict=True))
    return replace(
        row,
        rates=_scaled(rates, change.factor),
        fees=_scaled(fees, change.factor),
        book=change.book or row.book,
        basis=change.basis or row.basis,
        source=change.source,
        source_date=change.source_date,
        currency=change.currency or row.currency,
    )


def _scaled(amounts: Rates, factor: Decimal) -> Rates:
    return tuple(None if amount is None else half_up(amount * factor) for amount in amounts)


def _is_plain(row: PriceRow) -> bool:
    """Tell whether a rate is meant for the row; those of other lanes and of regions keep their proportion to it."""
    return row.lane == _STANDARD and row.region is None


def _covers(row: PriceRow, other: PriceRow) -> bool:
    """Tell whether `row` holds the first moment and the smallest input of `other`."""
    starts = row.start is None or (other.start is not None and row.start <= other.start)
    ends = row.end is None or other.start is None or other.start < row.end
    tier = row.input_from <= other.input_from and (row.input_to is None or other.input_from < row.input_to)
    return starts and ends and tier


def _in_lane(rate: int, kind: str, row: PriceRow, usual: PriceRow | None) -> int:
    mine, theirs = row.rates[_KIND_INDEX[kind]], usual and usual.rates[_KIND_INDEX[kind]]
    return half_up(Decimal(rate) * mine / theirs) if mine is not None and theirs else rate


def _followed(rates: Rates, wanted: Mapping[str, int]) -> Rates:
    """Return `rates` with those wanted; a kind whose rate was its parent's still has its parent's."""
    new: dict[str, int | None] = {}
    for kind, rate in zip(schema.TOKEN_KINDS, rates, strict=True):
        parent = PARENT.get(kind)
        inherits = parent is not None and rate == rates[_KIND_INDEX[parent]]
        new[kind] = wanted[kind] if kind in wanted else new[parent] if inherits and parent else rate
    return tuple(new[kind] for kind in schema.TOKEN_KINDS)
