"""The second price book: lanes that the first one lacks for its models, and models that it does not know.

It has the prices of one day only, and is asked last: a model of the first book never has a price from here.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from infercost import schema
from infercost.pricing import names, packaged
from infercost.pricing.rows import NO_FEES, PriceRow, Rates, half_up

_STANDARD = "standard"
_PLACE = {kind: place for place, kind in enumerate(schema.TOKEN_KINDS)}
_WEB_SEARCH = schema.FEES.index("web_search")

Pair = tuple[str, str]


class _Tier(NamedTuple):
    """Rates of a lane from `input_from` input tokens on."""

    input_from: int
    rates: Rates
    basis: str
    source: str


def label() -> str:
    """Return the name of the second book with its version."""
    return packaged.label(packaged.LITELLM)


def find(provider: str | None, reference: str) -> Pair | None:
    """Return the model that is called exactly `reference` at a provider as it was logged (None = not logged).

    Without a provider, the provider's name in front of the first slash counts, else the one maker that has the name.
    """
    head, slash, tail = reference.partition("/")
    if provider is not None:
        seller = names.book_provider(provider) or provider
        choices = [(seller, reference)]
        if slash and (names.book_provider(head) or head) == seller:
            choices.append((seller, tail))
    else:
        choices = [(names.book_provider(head) or head, tail)] if slash else []
        makers = [pair for maker in (*names.FIRST_PARTY, "aws") if (pair := (maker, reference)) in _models()]
        choices += makers if len(makers) == 1 else []
    return next((pair for pair in choices if pair in _models()), None)


@cache
def _models() -> frozenset[Pair]:
    return frozenset((row["provider"], row["model"]) for row in packaged.parquet_rows("litellm_models.parquet"))


def model_rows(known: Iterable[Pair]) -> Iterator[PriceRow]:
    """Yield the prices of the models that are not among those known."""
    known = set(known)
    for (provider, model, lane), tiers in _tiers("litellm_models.parquet").items():
        if (provider, model) in known:
            continue
        ends = [*(tier[0].input_from for tier in tiers[1:]), None]
        for (tier, fee), end in zip(tiers, ends, strict=True):
            fees = tuple(fee if place == _WEB_SEARCH else None for place in range(len(NO_FEES)))
            yield PriceRow(
                label(),
                provider,
                model,
                lane,
                None,
                None,
                tier.input_from,
                end,
                tier.rates,
                tier.basis,
                tier.source,
                fees=fees,
                source_date=packaged.day(packaged.LITELLM),
            )


def _tiers(file: str) -> dict[tuple[str, str, str], list[tuple[_Tier, int | None]]]:
    found: dict[tuple[str, str, str], list[tuple[_Tier, int | None]]] = defaultdict(list)
    for row in packaged.parquet_rows(file):
        tier = _Tier(row["input_from"], _rates(row), row["basis"], row["source"])
        found[row["provider"], row["model"], row["lane"]].append((tier, row["web_search_fee"]))
    return dict(found)


def _rates(row: dict[str, Any]) -> Rates:
    return tuple(row[f"{kind}_rate"] for kind in schema.TOKEN_KINDS)


def with_lanes(rows: Iterable[PriceRow]) -> list[PriceRow]:
    """Return the rows, with the lanes of the second book in place of none, or of one that was only derived.

    Where both books name the same standard price, the lane's is that of the second; else it is the standard price of
    the row in the second book's proportion of the lane to its own standard.
    """
    lanes = {key: [tier for tier, _ in tiers] for key, tiers in _tiers("litellm_lanes.parquet").items()}
    rows = list(rows)
    own = {(row.provider, row.model, row.lane) for row in rows if row.basis != "derived"}
    added = {key for key in lanes if key[2] != _STANDARD and key not in own}
    kept = [row for row in rows if (row.provider, row.model, row.lane) not in added]
    by_pair: dict[Pair, list[str]] = defaultdict(list)
    for provider, model, lane in sorted(added):
        by_pair[provider, model].append(lane)
    new = [
        _in_lane(row, lane, lanes[row.provider, row.model, lane], lanes[row.provider, row.model, _STANDARD])
        for row in rows
        if row.lane == _STANDARD
        for lane in by_pair.get((row.provider, row.model), ())
    ]
    return [*kept, *new]


def _in_lane(row: PriceRow, lane: str, tiers: list[_Tier], usual_tiers: list[_Tier]) -> PriceRow:
    tier, usual = _tier_of(tiers, row.input_from), _tier_of(usual_tiers, row.input_from)
    if (tier.input_from, usual.input_from) != (0, 0) and tier.input_from != usual.input_from:
        # Only one of the two has this tier: the proportion is that of the base prices.
        tier, usual = tiers[0], usual_tiers[0]
    same = all(row.rates[_PLACE[kind]] == usual.rates[_PLACE[kind]] for kind in ("input_uncached", "output_text"))
    today = packaged.moment(packaged.day(packaged.LITELLM))
    is_past = row.end is not None and today is not None and row.end <= today
    return replace(
        row,
        book=label(),
        lane=lane,
        rates=tuple(_rate(row, kind, tier, usual) for kind in schema.TOKEN_KINDS),
        basis=tier.basis if same else "extrapolated" if is_past else "derived",
        source=tier.source,
        source_date=packaged.day(packaged.LITELLM),
    )


def _tier_of(tiers: list[_Tier], input_from: int) -> _Tier:
    return [tier for tier in tiers if tier.input_from <= input_from][-1]


def _rate(row: PriceRow, kind: str, tier: _Tier, usual: _Tier) -> int | None:
    """Return the row's rate in the lane's proportion: of the kind, else of plain input or output."""
    rate = row.rates[_PLACE[kind]]
    plain = "input_uncached" if kind in schema.INPUT_KINDS else "output_text"
    for place in (_PLACE[kind], _PLACE[plain]):
        above, below = tier.rates[place], usual.rates[place]
        if rate is not None and above is not None and below:
            return half_up(Decimal(rate) * above / below)
    return rate
