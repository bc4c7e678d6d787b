"""What would the window have cost if something were otherwise: the split, run forward from the present."""

import sys
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from infercost import engine
from infercost.analyze import windows
from infercost.analyze.build import CURRENCY
from infercost.analyze.database import connect
from infercost.analyze.drivers import cells, effects, factors, forward, measures, split
from infercost.analyze.explain import parse_condition
from infercost.analyze.explanation import Child, Condition, SplitTable
from infercost.analyze.reading import Reading, Repriced, parse_prices, price_anew
from infercost.errors import NoDataError, UsageError
from infercost.pricing import suggest

if TYPE_CHECKING:
    import duckdb

    from infercost.analyze.report import Window
    from infercost.config import Config

WHATIF_FORMAT_VERSION = 1
"""Version of the JSON answer. 1: first version."""

DAYS_A_MONTH = Decimal("30.4375")
"""Days of a mean month: 365.25 by twelve."""


@dataclass(frozen=True)
class Change:
    """A quantity that is set: its name, its value in the window and the one it gets."""

    name: str
    what: str
    before: float
    after: float


@dataclass(frozen=True)
class WhatIf:
    """What a window cost, what it would have cost, and which driver makes the difference; US dollars."""

    zone: str
    currency: str
    generated_at: datetime
    window: "Window"
    days: Decimal
    where: tuple[Condition, ...]
    changes: tuple[Change, ...]
    moves: tuple[tuple[str, str], ...]
    prices: str | None
    whole: Child
    table: SplitTable
    notes: tuple[str, ...]
    format_version: int = field(default=WHATIF_FORMAT_VERSION)

    @property
    def difference(self) -> Decimal:
        """What the window would have cost more (or less, negative)."""
        return self.whole.after - self.whole.before

    def monthly(self, amount: Decimal) -> Decimal:
        """Return an amount of the window as dollars a month of DAYS_A_MONTH days."""
        return (amount * DAYS_A_MONTH / self.days).quantize(Decimal("1e-12"))


@dataclass(frozen=True)
class Wish:
    """What is asked: settings as typed, models to move, prices, and the part of the spend that it is about."""

    settings: tuple[tuple[str, str], ...] = ()
    moves: tuple[tuple[str, str], ...] = ()
    prices: str = "stored"
    where: tuple[Condition, ...] = ()


def parse_wish(
    settings: tuple[str, ...], moves: tuple[str, ...], prices: str, where: tuple[str, ...], *, no_retries: bool
) -> Wish:
    """Return what the options of the command mean; raises UsageError that names what is allowed."""
    pairs = [_pair(each, "--set", "cache_hit_rate=60%") for each in settings]
    if no_retries:
        pairs.append(("retry_rate", "0%"))
    for name, _ in pairs:
        if name not in forward.SETTINGS:
            raise UsageError(f"--set {name}: not known", hint=f"allowed: {', '.join(forward.SETTINGS)}")
        if [each for each, _ in pairs].count(name) > 1:
            raise UsageError(f"{name} is set twice")
    wish = Wish(
        settings=tuple(pairs),
        moves=tuple(_pair(each, "--move-model", "MODEL=OTHER") for each in moves),
        prices=prices,
        where=tuple(parse_condition(each) for each in where),
    )
    if not (wish.settings or wish.moves or prices != "stored"):
        raise UsageError("nothing is otherwise", hint="give --set, --move-model, --prices or --no-retries")
    return wish


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and name.strip() and value.strip()):
        raise UsageError(f"{option} {text}: not understood", hint=f"write {option} {example}")
    return name.strip(), value.strip()


def what_if(reading: Reading, config: "Config", wish: Wish, *, since: str, until: str | None, now: datetime) -> WhatIf:
    """Return what the window would have cost. Raises UsageError for a wish that cannot be, NoDataError without data."""
    window = windows.resolve_window(since, until, now, config.zone)
    repriced = parse_prices(wish.prices, config)
    with connect(Reading(reading.store, reading.at_commit)) as connection:
        kinds = _present(connection, window)
        if wish.moves or repriced:
            found = _otherwise_priced(connection, window, wish, repriced or Repriced(config), all_of=bool(repriced))
            kinds = tuple(kind for kind in factors.KINDS if kind in kinds or kind in found)
        connection.execute(_TWICE)
        connection.execute(_SAME_HOURS)
        split.split(connection, kinds, "driver_twice")
        notes = list(_MOVED) if wish.moves else []
        _cache_rates(connection, kinds)
        changes = _set(connection, kinds, wish, notes)
        forward.finish(connection)
        return WhatIf(
            zone=config.zone,
            currency=CURRENCY,
            generated_at=now,
            window=window,
            days=Decimal(round((window.end.timestamp() - window.start.timestamp()) * 1000)) / 86_400_000,
            where=wish.where,
            changes=changes,
            moves=wish.moves,
            prices=repriced.text if repriced else None,
            whole=effects.whole(connection),
            table=effects.table(connection, ("feature",)),
            notes=(*notes, *_NOTES),
        )


_MOVED = ("Another model may count the same text in more or fewer tokens; the tokens of the log are priced.",)
_NOTES = ("Attempts without a price are in no amount. Whether the answers stay as good, no log can say.",)

_TWICE = "CREATE TEMP VIEW driver_twice AS FROM driver_then UNION ALL BY NAME FROM driver_cells"

_SAME_HOURS = """
CREATE OR REPLACE TEMP TABLE driver_matches AS
SELECT hour, hour AS baseline_hour, 1 AS grade, 1e0 AS weight FROM (SELECT DISTINCT hour FROM driver_twice)
"""


def _present(connection: "duckdb.DuckDBPyConnection", window: "Window") -> tuple[str, ...]:
    """Create `driver_cells` and `driver_then`, both the window as it is, and return its kinds."""
    kinds = _cells(connection, window, "attempts")
    connection.execute("CREATE TEMP TABLE driver_then AS SELECT * REPLACE ('baseline' AS period) FROM driver_cells")
    if connection.execute("SELECT count(*) FROM driver_then").fetchall() == [(0,)]:
        raise NoDataError(
            f"no attempts between {window.start:%Y-%m-%d %H:%M} and {window.end:%Y-%m-%d %H:%M}",
            hint="infercost status says from when to when the store reaches",
        )
    return kinds


def _cells(connection: "duckdb.DuckDBPyConnection", window: "Window", source: str) -> tuple[str, ...]:
    span = cells.Span(window.start, window.end, window.start, window.start)
    return cells.build(connection, span, source, as_logged=True)


def _otherwise_priced(
    connection: "duckdb.DuckDBPyConnection",
    window: "Window",
    wish: Wish,
    repriced: Repriced,
    *,
    all_of: bool,
) -> tuple[str, ...]:
    """Make `driver_cells` the window with models moved and priced anew; `all_of` prices the other attempts anew too."""
    chosen = measures.filter_sql(tuple((cells.LOGGED.get(name, name), value) for name, value in wish.where))
    connection.execute(f"CREATE TEMP TABLE driver_moved AS {_moved(connection, window, wish, chosen, all_of=all_of)}")
    connection.execute("CREATE TEMP TABLE driver_prices_then AS FROM prices")
    price_anew(connection, repriced, "driver_moved", "driver_priced", "FROM driver_prices_then")
    _check_known(connection, wish)
    connection.execute("""
        CREATE OR REPLACE TEMP VIEW driver_attempts AS
        SELECT * FROM attempts ANTI JOIN driver_moved USING (attempt_id)
        UNION ALL BY NAME
        SELECT * FROM driver_priced
    """)
    return _cells(connection, window, "driver_attempts")


def _moved(connection: "duckdb.DuckDBPyConnection", window: "Window", wish: Wish, chosen: str, *, all_of: bool) -> str:
    """Return the SELECT of attempts to price anew, with the names of the models that they move to."""
    if any(name in factors.DERIVED for name, _ in wish.where):
        raise UsageError("--move-model and --prices take no --where by band or outcome")
    inside = f"{cells.between(window.start, window.end)} AND {chosen}"
    model, provider, response = "price_model", "provider_name", "response_model"
    conditions = []
    for old, new in wish.moves:
        condition = _is_model(old)
        conditions.append(condition)
        (count,) = connection.execute(f"SELECT count(*) FROM attempts WHERE {inside} AND {condition}").fetchall()[0]
        if not count:
            raise UsageError(f"--move-model {old}: no attempt of the window is of it", hint=_models(connection, inside))
        model = f"CASE WHEN {condition} THEN {engine.literal(new)} ELSE {model} END"
        response = f"CASE WHEN {condition} THEN {engine.literal(new)} ELSE {response} END"
        provider = f"CASE WHEN {condition} THEN NULL ELSE {provider} END"
    which = "TRUE" if all_of else f"({' OR '.join(conditions)})"
    return (
        f"SELECT * REPLACE ({model} AS price_model, {response} AS response_model, {provider} AS provider_name) "
        f"FROM attempts WHERE {inside} AND {which}"
    )


def _is_model(name: str) -> str:
    """Return the condition that an attempt is of a model, named as logged or by the last part of that."""
    wanted = engine.literal(name.lower())
    parts = [
        f"(lower(coalesce({column}, '')) = {wanted} OR lower(coalesce({column}, '')) LIKE '%/' || {wanted})"
        for column in ("response_model", "price_model", "request_model")
    ]
    return f"({' OR '.join(parts)})"


def _models(connection: "duckdb.DuckDBPyConnection", inside: str) -> str:
    found = connection.execute(
        f"SELECT coalesce(response_model, request_model) FROM attempts WHERE {inside} GROUP BY 1 "
        "HAVING coalesce(response_model, request_model) IS NOT NULL "
        "ORDER BY sum(effective_cost) DESC NULLS LAST, 1 LIMIT 8"
    ).fetchall()
    return f"models that cost most: {', '.join(name for (name,) in found)}"


def _check_known(connection: "duckdb.DuckDBPyConnection", wish: Wish) -> None:
    """Raise UsageError when a model to move to has no price."""
    for _, new in wish.moves:
        known = connection.execute(
            "SELECT count(*) FROM model_map WHERE price_model = ? AND model IS NOT NULL", [new]
        ).fetchall()
        if known == [(0,)]:
            names = connection.execute("SELECT DISTINCT provider, model FROM effective_prices").fetchall()
            near = suggest.nearest(None, new, names)
            hint = f"near names: {', '.join(f'{provider}/{model}' for provider, model in near)}" if near else None
            raise UsageError(f"--move-model: no price is known for {new}", hint=hint)


def _cache_rates(connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...]) -> None:
    """Create `driver_cache_rates`: what a cached token of a model costs, as used in the window or by its price row."""
    used = "NULL::DOUBLE"
    if "cache_read" in kinds:
        used = "sum(base_cache_read_1) / nullif(sum(units_cache_read_1), 0)"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE driver_cache_rates AS
        WITH used AS (SELECT provider_name, model, {used} AS rate FROM driver_both GROUP BY ALL),
        listed AS (
            SELECT attempts.provider_name, coalesce(attempts.response_model, attempts.request_model) AS model,
                max_by(prices.cache_read_rate, attempts.started_at)::DOUBLE AS rate
            FROM attempts
            INNER JOIN prices ON coalesce(attempts.list_price_id, attempts.price_id) = prices.price_id
            WHERE prices.cache_read_rate IS NOT NULL AND coalesce(prices.lane, 'standard') = 'standard'
            GROUP BY ALL
        )
        SELECT used.provider_name, used.model, coalesce(used.rate, listed.rate) AS rate
        FROM used LEFT JOIN listed ON used.provider_name = listed.provider_name AND used.model = listed.model
        WHERE coalesce(used.rate, listed.rate) IS NOT NULL
    """)


def _set(
    connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], wish: Wish, notes: list[str]
) -> tuple[Change, ...]:
    where = measures.filter_sql(wish.where)
    changes = []
    for name, text in wish.settings:
        setting = forward.SETTINGS[name]
        now = forward.present(connection, setting, kinds, where)
        wanted = parse_value(setting, text, now)
        if wanted != now:
            _check_scalable(name, now)
            notes += setting.change(connection, where, now, wanted)
        changes.append(Change(name, setting.what, now, wanted))
    return tuple(changes)


def _check_scalable(name: str, now: float) -> None:
    """Raise UsageError where nothing is there that could be made more or less of."""
    starts_empty = now == 0 and name in ("cache_hit_rate", "gateway_cache_rate")
    if now in (0, 1) and name != "discount" and not starts_empty:
        raise UsageError(f"{name} is {now:.0%} here, so there is nothing to scale", hint="check --where")


def parse_value(setting: forward.Setting, text: str, now: float) -> float:
    """Return the new value: with a sign it is a change relative to `now`, without one it is the value itself."""
    percent = text.endswith("%")
    try:
        number = float(text.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        number = float("nan")
    signed = text[0] in "+-"
    value = now * (1 + number) if signed else number
    allowed = "60%, 0.6, or a relative change such as +10% or -10%" if setting.share else "1200, +10% or -10%"
    is_odd = (signed and not percent) or (percent and not signed and not setting.share)
    top = 1.0 if setting.share else sys.float_info.max
    if is_odd or not 0 <= value <= top:
        raise UsageError(f"--set {setting.name}={text}: not possible", hint=f"allowed: {allowed}; it is {now:,.4g} now")
    return value
