"""Puts the prices of earlier times into the book, where another book knows of a change that the first one lacks.

The other book is believed about a model only while it names the same price as the first for the day of its figures;
and within a model only about times for which the first book names a price that came later.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from infercost import schema
from infercost.pricing import packaged
from infercost.pricing.corrections import Retold
from infercost.pricing.rows import PriceRow, Rates, covers, half_up, picodollars, split

_STANDARD = "standard"
_PLACE = {kind: place for place, kind in enumerate(schema.TOKEN_KINDS)}
_COLUMNS = {
    "input": "input_uncached",
    "output": "output_text",
    "cache_read": "cache_read",
    "cache_write": "cache_write_5m",
}

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Segment:
    """A price of the standard lane for times in [start, end): picodollars per token of the kinds that are known."""

    start: int | None
    end: int | None
    rates: Mapping[str, int]
    source: str
    source_date: str

    @property
    def plain(self) -> tuple[int, int]:
        """Return the rates of plain input and output."""
        return self.rates["input_uncached"], self.rates["output_text"]


def with_history(rows: Iterable[PriceRow], retold: Iterable[Retold]) -> list[PriceRow]:
    """Return the rows, those of earlier times with the prices that held then.

    A rate of another lane, tier or kind than the history names keeps its proportion, and is then extrapolated. The
    models of `retold` have the history's prices alone, whatever the book says, from the time that it names.
    """
    known = segments()
    rows = list(rows)
    wanted = {(item.provider, model): item for item in retold for model in item.models}
    mine: dict[Pair, list[PriceRow]] = defaultdict(list)
    for row in rows:
        if (row.provider, row.model) in known:
            mine[row.provider, row.model].append(row)
    result = [row for row in rows if (row.provider, row.model) not in known]
    for pair, own in mine.items():
        if pair in wanted:
            result += _retold(own, known[pair], wanted[pair])
        else:
            result += _earlier(own, known[pair]) if _agrees(own, known[pair]) else own
    return result


def segments() -> dict[Pair, list[Segment]]:
    """Return the packaged history: the prices of each model in the order of time, the last one of today."""
    found: dict[Pair, list[Segment]] = defaultdict(list)
    for line in packaged.csv_rows("history.csv"):
        rates = {kind: picodollars(Decimal(line[column])) for column, kind in _COLUMNS.items() if line[column]}
        start, end = packaged.moment(line["from"]), packaged.moment(line["to"])
        found[line["provider"], line["model"]].append(Segment(start, end, rates, line["source"], line["date"]))
    return dict(found)


def _agrees(rows: list[PriceRow], known: list[Segment]) -> bool:
    today = packaged.moment(packaged.day(packaged.MODEL_PRICES))
    return _plain(_usual(rows, today)) == known[-1].plain


def _usual(rows: list[PriceRow], at: int | None) -> PriceRow | None:
    """Return the price of the standard lane below every long-context tier."""
    plain = (row for row in rows if row.lane == _STANDARD and row.input_from == 0)
    return next((row for row in plain if covers(row, at)), None)


def _plain(row: PriceRow | None) -> tuple[int | None, int | None]:
    if row is None:
        return None, None
    return row.rates[_PLACE["input_uncached"]], row.rates[_PLACE["output_text"]]


def _earlier(rows: list[PriceRow], known: list[Segment]) -> Iterator[PriceRow]:
    usual = [row for row in rows if row.lane == _STANDARD and row.input_from == 0]
    cuts = [segment.end for segment in known]
    cuts += [bound for row in usual for bound in (row.start, row.end)] if len(usual) < len(rows) else []
    for row in rows:
        for piece in split(row, cuts):
            base = _usual(usual, piece.start)
            place = next(place for place, segment in enumerate(known) if covers(segment, piece.start))
            later = {segment.plain for segment in known[place + 1 :]}
            is_missing = base is not None and _plain(base) in later and _plain(base) != known[place].plain
            yield _as_then(piece, base, known[place]) if base is not None and is_missing else piece


def _as_then(row: PriceRow, base: PriceRow, then: Segment) -> PriceRow:
    exact = row.lane == _STANDARD and row.input_from == 0
    return replace(
        row,
        book=packaged.label(packaged.MODEL_PRICES),
        rates=_scaled(row.rates, base.rates, then.rates),
        basis="book" if exact and row.basis == "book" else "extrapolated",
        source=then.source,
        source_date=then.source_date,
    )


def _scaled(rates: Rates, base: Rates, then: Mapping[str, int]) -> Rates:
    """Return `rates` in the proportion of `then` to `base`: of the same kind, else of plain input or output."""
    scaled: list[int | None] = []
    for kind, rate in zip(schema.TOKEN_KINDS, rates, strict=True):
        nearest = kind if kind in then else "input_uncached" if kind in schema.INPUT_KINDS else "output_text"
        if kind.startswith("cache_write") and "cache_write_5m" in then:
            nearest = "cache_write_5m"
        usual = base[_PLACE[nearest]]
        scaled.append(half_up(Decimal(rate) * then[nearest] / usual) if rate is not None and usual else rate)
    return tuple(scaled)


def _retold(rows: list[PriceRow], known: list[Segment], retold: Retold) -> Iterator[PriceRow]:
    """Yield the book's rows before the moment that `retold` names, and the history's from then on."""
    base = next(row for row in rows if row.lane == _STANDARD)
    for row in rows:
        pieces = split(row, [retold.moment])
        yield from (piece for piece in pieces if piece.end is not None and piece.end <= retold.moment)
    for segment in known:
        if segment.end is None or segment.end > retold.moment:
            start = max(retold.moment, segment.start or retold.moment)
            yield replace(_as_then(base, base, segment), start=start, end=segment.end, basis="book")
