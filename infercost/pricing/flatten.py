"""Turns genai-prices into dated rows, by asking the library for its price at every moment when one can change.

A rate is that of the kind's nearest priced ancestor in the library's own hierarchy of units. Hours of the day are
written out as plain spans of time between HORIZON_START and HORIZON_END; outside of it such a model has no price.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from genai_prices.data import providers
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
    calc_unit_price,
)

from infercost import schema
from infercost.pricing.corrections import Corrections, Peak
from infercost.pricing.rows import NO_FEES, Fees, PriceRow, Rates, half_up, microseconds, picodollars

HORIZON_START = date(2025, 1, 1)
HORIZON_END = date(2028, 1, 1)

STANDARD = "standard"
LANES: dict[str, Mapping[str, str]] = {
    STANDARD: {},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}
"""Each lane with the request context that selects it in the library."""

_BEFORE_ALL = datetime(2020, 1, 1, tzinfo=UTC)
_DEFAULT_SOURCE = "https://github.com/pydantic/genai-prices"

_CACHE_WRITE = ("cache_text_write_mtok", "cache_write_mtok")
_INPUT = ("input_text_mtok", "input_mtok")
_OUTPUT = ("output_text_mtok", "output_mtok")
_PRICE_KEYS: dict[str, tuple[str, ...]] = {
    "input_uncached": _INPUT,
    "cache_read": ("cache_text_read_mtok", "cache_read_mtok", *_INPUT),
    "cache_write_5m": ("cache_text_write_5m_mtok", "cache_write_5m_mtok", *_CACHE_WRITE, *_INPUT),
    "cache_write_30m": (*_CACHE_WRITE, "cache_write_5m_mtok", *_INPUT),
    "cache_write_1h": ("cache_text_write_1h_mtok", "cache_write_1h_mtok", *_CACHE_WRITE, *_INPUT),
    "cache_write_12h": ("cache_text_write_1h_mtok", "cache_write_1h_mtok", *_CACHE_WRITE, *_INPUT),
    "input_audio": ("input_audio_mtok", "input_mtok"),
    "input_image": ("input_image_mtok", "input_mtok"),
    "output_text": _OUTPUT,
    "reasoning": ("output_text_reasoning_mtok", "output_reasoning_mtok", *_OUTPUT),
    "output_audio": ("output_audio_mtok", "output_mtok"),
    "output_image": ("output_image_mtok", "output_mtok"),
}
"""The library's price keys of a kind, nearest first; the library has no unit for a 30 minute or 12 hour write."""

_FREE: Rates = (0,) * len(schema.TOKEN_KINDS)

_FEE_KEYS = {"web_search": "web_searches_kcount", "request": "requests_kcount"}
"""The library's price key of each of schema.FEES, in US dollars per thousand."""


@dataclass(frozen=True, slots=True)
class _Tier:
    """Rates and fees from `input_from` input tokens on."""

    input_from: int
    rates: Rates
    basis: str
    fees: Fees = NO_FEES


def price_rows(book: str, corrections: Corrections) -> list[PriceRow]:
    """Return every price of the installed genai-prices; no two rows of one (provider, model, lane) overlap.

    A model that the book prices in other units than tokens has no row; one whose name ends in `:free` costs 0.
    """
    rows: list[PriceRow] = []
    for provider in providers:
        for model in provider.models:
            peak = corrections.peak(provider.id, model.id)
            for lane in _lanes(model):
                rows += _lane_rows(book, provider, model, lane, peak)
    return [*rows, *_moved_rows(rows, corrections), *_resold_rows(rows)]


def _resold_rows(rows: list[PriceRow]) -> Iterator[PriceRow]:
    """Yield the makers' prices under the providers that sell their models and have no price of their own.

    Only the standard lane is known to cost the same, so the others are derived. Hours of the day are the maker's own.
    """
    own = {(row.provider, row.model) for row in rows}
    by_hour = {(item.id, model.id) for item in providers for model in item.models if _moments(model)[1]}
    for provider in providers:
        for row in rows:
            sold = row.provider in (provider.fallback_model_providers or ())
            if sold and (provider.id, row.model) not in own and (row.provider, row.model) not in by_hour:
                basis = row.basis if row.lane == STANDARD else "derived"
                yield replace(row, provider=provider.id, basis=basis)


def _lanes(model: ModelInfo) -> list[str]:
    contexts = [variant.when.items() for variant in model.price_variants or () if variant.prices.__dict__]
    return [lane for lane, context in LANES.items() if lane == STANDARD or any(c <= context.items() for c in contexts)]


def _lane_rows(book: str, provider: Provider, model: ModelInfo, lane: str, peak: Peak | None) -> Iterator[PriceRow]:
    source = peak.source if peak else (provider.pricing_urls or [_DEFAULT_SOURCE])[0]
    for start, end, tiers in _spans(model, lane, peak):
        ends = [*(tier.input_from for tier in tiers[1:]), None]
        for tier, input_to in zip(tiers, ends, strict=True):
            yield PriceRow(
                book,
                provider.id,
                model.id,
                lane,
                start,
                end,
                tier.input_from,
                input_to,
                tier.rates,
                tier.basis,
                source,
                fees=tier.fees,
            )


def _spans(
    model: ModelInfo, lane: str, peak: Peak | None
) -> Iterator[tuple[int | None, int | None, tuple[_Tier, ...]]]:
    """Yield spans of time with their tiers, neighbours with equal tiers joined, spans without a price left out."""
    moments, last = _moments(model)
    open_start: int | None = None
    open_tiers: tuple[_Tier, ...] = ()
    for moment in moments:
        tiers = _tiers_at(model, lane, moment, peak)
        if tiers == open_tiers:
            continue
        now = None if moment is None else microseconds(moment)
        if open_tiers:
            yield open_start, now, open_tiers
        open_start, open_tiers = now, tiers
    if open_tiers:
        yield open_start, None if last is None else microseconds(last), open_tiers


def _moments(model: ModelInfo) -> tuple[list[datetime | None], datetime | None]:
    """Return the moments when a price of the model may change (None = since ever), and where the last span ends."""
    conditional = model.prices if isinstance(model.prices, list) else ()
    constraints = [item.constraint for item in (*conditional, *(model.price_variants or ()))]
    days = {_midnight(item.start_date) for item in constraints if isinstance(item, StartDateConstraint)}
    hours = [item for item in constraints if isinstance(item, TimeOfDateConstraint)]
    if not hours:
        return [None, *sorted(days)], None
    first, last = _midnight(HORIZON_START), _midnight(HORIZON_END)
    cuts = {time(), *(cut for item in hours for cut in (item.start_time, item.end_time))}
    span = range((HORIZON_END - HORIZON_START).days)
    daily = {_at(HORIZON_START + timedelta(days=day), cut) for day in span for cut in cuts}
    return [*sorted(moment for moment in daily | days if first <= moment < last)], last


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _at(day: date, cut: time) -> datetime:
    return datetime.combine(day, cut if cut.tzinfo else cut.replace(tzinfo=UTC)).astimezone(UTC)


def _tiers_at(model: ModelInfo, lane: str, moment: datetime | None, peak: Peak | None) -> tuple[_Tier, ...]:
    asked = moment or _BEFORE_ALL
    if peak and not peak.applies(asked.date()):
        asked = _off_peak(model, asked)
    standard = model.get_prices(asked)
    if lane == STANDARD:
        return _tiers(standard, "book", "book", free=model.id.endswith(":free"))
    first = _first_day(model, lane)
    if first is not None and asked.date() < first:
        then = _midnight(first)
        usual = model.get_prices(then)
        scaled = _scaled(standard, _with_missing_tiers(model.get_prices(then, LANES[lane]), usual), usual)
        return _tiers(scaled, "extrapolated", "extrapolated")
    price = model.get_prices(asked, LANES[lane])
    whole = _with_missing_tiers(price, standard)
    return _tiers(whole, "book", "book" if whole is price else "derived")


def _off_peak(model: ModelInfo, moment: datetime) -> datetime:
    """Return the first hour of the same day in which none of the model's hours of the day is in force."""
    prices = model.prices if isinstance(model.prices, list) else []
    hours = [item.constraint for item in prices if isinstance(item.constraint, TimeOfDateConstraint)]
    candidates = (moment.replace(hour=hour, minute=0, second=0, microsecond=0) for hour in range(24))
    return next((at for at in candidates if not any(item.active(at) for item in hours)), moment)


def _first_day(model: ModelInfo, lane: str) -> date | None:
    """Return the first day for which the book prices the lane, or None when it always does."""
    context = LANES[lane].items()
    days = []
    for variant in model.price_variants or ():
        if variant.when.items() <= context:
            if not isinstance(variant.constraint, StartDateConstraint):
                return None
            days.append(variant.constraint.start_date)
    return min(days)


Price = Decimal | TieredPrices


def _token_prices(price: ModelPrice) -> dict[str, Price]:
    return {key: value for key, value in price.__dict__.items() if value is not None and key.endswith("_mtok")}


def _starts(*prices: Price | None) -> list[int]:
    return sorted({tier.start for price in prices if isinstance(price, TieredPrices) for tier in price.tiers})


def _rate(price: Price, input_tokens: int) -> Decimal:
    return calc_unit_price(price, 1, input_tokens, 1)


def _scaled(standard: ModelPrice, lane: ModelPrice, base: ModelPrice) -> ModelPrice:
    """Return the standard price times lane/base, key by key and tier by tier, with the standard fees."""
    scaled: dict[str, Decimal | TieredPrices | None] = {key: standard.__dict__.get(key) for key in _FEE_KEYS.values()}
    lanes, bases = _token_prices(lane), _token_prices(base)
    for key, price in _token_prices(standard).items():
        above, below = lanes.get(key, price), bases.get(key, price)

        def rate(input_tokens: int, price: Price = price, above: Price = above, below: Price = below) -> Decimal:
            divisor = _rate(below, input_tokens)
            return _rate(price, input_tokens) * (_rate(above, input_tokens) / divisor if divisor else 1)

        starts = _starts(price, above, below)
        scaled[key] = TieredPrices(base=rate(0), tiers=[Tier(start, rate(start + 1)) for start in starts])
    return ModelPrice(**scaled)


def _with_missing_tiers(lane: ModelPrice, standard: ModelPrice) -> ModelPrice:
    """Return the lane's price with the long-context tiers that only the standard price has, in the same proportion."""
    standards = _token_prices(standard)
    added: dict[str, Decimal | TieredPrices | None] = {}
    for key, price in _token_prices(lane).items():
        usual = standards.get(key)
        if isinstance(usual, TieredPrices) and not isinstance(price, TieredPrices) and usual.base:
            tiers = [Tier(tier.start, tier.price * price / usual.base) for tier in usual.tiers]
            added[key] = TieredPrices(base=price, tiers=tiers)
    return ModelPrice(**{**lane.__dict__, **added}) if added else lane


def _tiers(price: ModelPrice, basis: str, upper_basis: str, *, free: bool = False) -> tuple[_Tier, ...]:
    """Return the tiers of a price, equal neighbours joined; `upper_basis` is that of every tier but the lowest."""
    prices = _token_prices(price)
    if not prices:
        return (_Tier(0, _FREE, basis),) if free else ()
    fees = tuple(_fee(price, fee) for fee in schema.FEES)
    tiers: list[_Tier] = []
    for input_from in (0, *(start + 1 for start in _starts(*prices.values()))):
        rates = tuple(_kind_rate(prices, kind, input_from) for kind in schema.TOKEN_KINDS)
        if not tiers or tiers[-1].rates != rates:
            tiers.append(_Tier(input_from, rates, upper_basis if input_from else basis, fees))
    return tuple(tiers)


def _fee(price: ModelPrice, fee: str) -> int | None:
    """Return picodollars for one; no model of the library has a fee that its input decides."""
    per_thousand = price.__dict__.get(_FEE_KEYS[fee])
    return None if per_thousand is None else half_up(_rate(per_thousand, 0) * 10**9)


def _kind_rate(prices: dict[str, Price], kind: str, input_tokens: int) -> int | None:
    found = next((prices[key] for key in _PRICE_KEYS[kind] if key in prices), None)
    return None if found is None else picodollars(_rate(found, input_tokens))


def _moved_rows(rows: list[PriceRow], corrections: Corrections) -> list[PriceRow]:
    moved: list[PriceRow] = []
    for name in corrections.moved:
        day = microseconds(_midnight(name.day))
        for row in rows:
            if row.provider != name.provider or row.model not in (name.before, name.model):
                continue
            before = row.model == name.before
            start = row.start if before else max(day, row.start or day)
            end = row.end if not before else min(day, row.end or day)
            if start is None or end is None or start < end:
                moved.append(replace(row, model=name.name, start=start, end=end, source=name.source))
    return moved
