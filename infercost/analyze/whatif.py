"""What would the window have cost if something were otherwise: the split, run forward from the present."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from math import isclose
from typing import TYPE_CHECKING

from infercost import engine
from infercost.analyze import windows
from infercost.analyze.build import CURRENCY
from infercost.analyze.database import connect
from infercost.analyze.drivers import cells, effects, forward, measures, otherwise, split
from infercost.analyze.explain import parse_condition
from infercost.analyze.explanation import Child, Condition, SplitTable
from infercost.analyze.reading import Reading, Repriced, parse_prices
from infercost.errors import NoDataError, UsageError

if TYPE_CHECKING:
    import duckdb

    from infercost.analyze.report import Window
    from infercost.config import Config

WHATIF_FORMAT_VERSION = 2
"""Version of the JSON answer. 1: first version. 2: `changes` holds moves and prices too, each with its own `effect`."""

DAYS_A_MONTH = Decimal("30.4375")
"""Days of a mean month: a twelfth of 365.25."""

MOVE, PRICES = "move_model", "prices"
"""Names of the changes that are no setting."""


@dataclass(frozen=True)
class Change:
    """Something that is otherwise: its name, what it is, and what it alone makes of the spend, US dollars.

    A setting (forward.SETTINGS) has its value in the window and the one it gets; moves and prices have None.
    """

    name: str
    what: str
    before: float | None
    after: float | None
    effect: Decimal


@dataclass(frozen=True)
class WhatIf:
    """What a window cost, what it would have cost, and which driver makes the difference; US dollars.

    The effects of `whole` and of the rows of `table` add up to their differences exactly; those of `changes`, each
    made alone, need not.
    """

    zone: str
    currency: str
    generated_at: datetime
    window: "Window"
    days: Decimal
    where: tuple[Condition, ...]
    changes: tuple[Change, ...]
    whole: Child
    table: SplitTable
    notes: tuple[str, ...]
    unpriced_attempts: int
    restated: str | None = None
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

    @property
    def parts(self) -> "tuple[Wish, ...]":
        """Each change as a wish of its own."""
        nothing = Wish(where=self.where)
        return (
            *(replace(nothing, settings=(each,)) for each in self.settings),
            *(replace(nothing, moves=(each,)) for each in self.moves),
            *((replace(nothing, prices=self.prices),) if self.prices != "stored" else ()),
        )


def parse_wish(
    settings: tuple[str, ...], moves: tuple[str, ...], prices: str, where: tuple[str, ...], *, no_retries: bool
) -> Wish:
    """Return what the options of the command mean; raises UsageError that names what is allowed."""
    pairs = [_pair(each, "--set", "cache_hit_rate=60%") for each in settings]
    for name, _ in pairs:
        if name not in forward.SETTINGS:
            raise UsageError(f"--set {name}: not known", hint=f"allowed: {', '.join(forward.SETTINGS)}")
    if no_retries:
        pairs.append(("retry_rate", "0%"))
    moved = [_pair(each, "--move-model", "MODEL=OTHER") for each in moves]
    for option, names in (("--set", [name for name, _ in pairs]), ("--move-model", [name for name, _ in moved])):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            hint = (
                "--no-retries is retry_rate=0" if twice == "retry_rate" and no_retries else f"give {option} once a name"
            )
            raise UsageError(f"{twice} is set twice", hint=hint)
    wish = Wish(tuple(pairs), tuple(moved), prices, tuple(parse_condition(each) for each in where))
    if not wish.parts:
        raise UsageError("nothing is otherwise", hint="give --set, --move-model, --prices or --no-retries")
    named = next((name for name, _ in wish.where if name in ("model", "provider_name")), None)
    if named and wish.moves and wish.settings:
        raise UsageError(
            f"--move-model with --set takes no --where by {named}, which the move changes", hint="ask for one at a time"
        )
    return wish


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and name.strip() and value.strip()):
        raise UsageError(f"{option} {text}: not understood", hint=f"write {option} {example}")
    return name.strip(), value.strip()


def what_if(reading: Reading, config: "Config", wish: Wish, *, since: str, until: str | None, now: datetime) -> WhatIf:
    """Return what the window would have cost. Raises UsageError for a wish that cannot be, NoDataError without data.

    Of several changes each is also made alone, which tells its own effect.
    """
    window = windows.resolve_window(since, until, now, config.zone)
    repriced = parse_prices(wish.prices, config)
    together = _answer(reading, config, wish, repriced, window)
    own = _own(reading, config, wish, repriced, window, together)
    return WhatIf(
        zone=config.zone,
        currency=CURRENCY,
        generated_at=now,
        window=window,
        days=Decimal(round((window.end.timestamp() - window.start.timestamp()) * 1000)) / 86_400_000,
        where=wish.where,
        changes=_changes(wish, repriced, together, own),
        whole=together.whole,
        table=together.table,
        notes=together.notes,
        unpriced_attempts=together.unpriced,
        restated=reading.restated,
    )


@dataclass(frozen=True)
class _Answer:
    """What some changes together make of the window; `values` are those of the settings, now and then.

    `alone` is what each setting makes by itself of the window with the moves and the prices of the wish.
    """

    whole: Child
    table: SplitTable
    values: tuple[tuple[float, float], ...]
    alone: tuple[Decimal, ...]
    notes: tuple[str, ...]
    unpriced: int


def _own(
    reading: Reading, config: "Config", wish: Wish, repriced: Repriced | None, window: "Window", together: _Answer
) -> list[Decimal]:
    """Return what each change by itself makes of the window as it is, in the order of Wish.parts."""
    pricing = [each for each in wish.parts if not each.settings]
    if not pricing:
        return list(together.alone)
    if len(wish.parts) == 1:
        return [together.whole.after - together.whole.before]
    settings = Wish(wish.settings, where=wish.where)
    own = list(_answer(reading, config, settings, None, window).alone) if wish.settings else []
    made = (_answer(reading, config, each, repriced, window).whole for each in pricing)
    return [*own, *(each.after - each.before for each in made)]


def _changes(wish: Wish, repriced: Repriced | None, together: _Answer, own: list[Decimal]) -> tuple[Change, ...]:
    named: list[tuple[str, str, float | None, float | None]] = [
        (name, forward.SETTINGS[name].what, *values)
        for (name, _), values in zip(wish.settings, together.values, strict=True)
    ]
    named += [(MOVE, f"{old} priced as {new}", None, None) for old, new in wish.moves]
    named += [(PRICES, repriced.text, None, None)] if repriced else []
    return tuple(Change(*each, effect) for each, effect in zip(named, own, strict=True))


def _answer(reading: Reading, config: "Config", wish: Wish, repriced: Repriced | None, window: "Window") -> _Answer:
    """Return what the changes of a wish make of the window, over a connection of their own."""
    span = cells.Span(window.start, window.end, window.start, window.start)
    repriced = repriced if wish.prices != "stored" else None
    notes: list[str] = []
    with connect(Reading(reading.store, reading.at_commit)) as connection:
        unpriced = cells.unpriced(connection, span.since, span.until)
        kinds, source, now = _present(connection, span, window), "attempts", "driver_now"
        lanes = any(name == "batch_share" for name, _ in wish.settings)
        if wish.moves or repriced or lanes:
            otherwise.open_prices(connection, config)
        if wish.moves or repriced:
            found, told = _otherwise(connection, config, wish, repriced, span)
            kinds, source, notes = otherwise.ordered((*kinds, *found)), otherwise.ATTEMPTS, told
        if lanes:
            otherwise.price_lanes(connection, repriced or Repriced(config), span, source)
        otherwise.same_window(connection, now)
        split.split(connection, kinds, "driver_twice")
        measures.check_part(connection, wish.where, 0, "the window")
        if any(name == "cache_hit_rate" for name, _ in wish.settings):
            otherwise.token_rates(connection, span, source)
        with engine.one_thread(connection):
            forward.begin(connection)
            alone = _alone(connection, kinds, wish)
            values = _set(connection, kinds, wish, notes)
            forward.finish(connection)
        whole, table = effects.whole(connection), effects.table(connection, ("feature",))
    return _Answer(whole, table, values, alone, tuple(notes), unpriced)


def _alone(connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], wish: Wish) -> tuple[Decimal, ...]:
    """Return what each setting makes with no other set, and leave the factors as they are."""
    found = []
    connection.execute("CREATE OR REPLACE TEMP TABLE driver_leaves_unset AS FROM driver_leaves")
    for each in wish.settings:
        _set(connection, kinds, replace(wish, settings=(each,)), [])
        found.append(effects.dollars(forward.difference(connection)))
        connection.execute("CREATE OR REPLACE TEMP TABLE driver_leaves AS FROM driver_leaves_unset")
    return tuple(found)


_TOKENIZERS = (
    "The tokens of the log are priced: another model's tokenizer may count the same text in some percent more or fewer."
)


def _present(connection: "duckdb.DuckDBPyConnection", span: cells.Span, window: "Window") -> tuple[str, ...]:
    """Create `driver_then` and `driver_now`, both the window as it is, and return its kinds."""
    kinds = cells.build(connection, span, as_logged=True)
    connection.execute("CREATE TEMP TABLE driver_then AS SELECT * REPLACE ('baseline' AS period) FROM driver_cells")
    if connection.execute("SELECT count(*) FROM driver_then").fetchall() == [(0,)]:
        raise NoDataError(
            f"no attempts between {window.start:%Y-%m-%d %H:%M} and {window.end:%Y-%m-%d %H:%M}",
            hint="infercost status says from when to when the store reaches",
        )
    connection.execute("CREATE TEMP TABLE driver_now AS FROM driver_cells")
    return kinds


def _otherwise(
    connection: "duckdb.DuckDBPyConnection",
    config: "Config",
    wish: Wish,
    repriced: Repriced | None,
    span: cells.Span,
) -> tuple[tuple[str, ...], list[str]]:
    """Make `driver_now` the window with models moved and priced anew; return its kinds and what to note."""
    moves = otherwise.find_moves(connection, config, wish.moves)
    prices = repriced or Repriced(config)
    notes = otherwise.reprice(connection, prices, span, moves, wish.where, all_of=repriced is not None)
    kinds = cells.build(connection, span, otherwise.ATTEMPTS, as_logged=True)
    connection.execute("CREATE OR REPLACE TEMP TABLE driver_now AS FROM driver_cells")
    return kinds, [*([_TOKENIZERS] if moves else []), *notes]


def _set(
    connection: "duckdb.DuckDBPyConnection", kinds: tuple[str, ...], wish: Wish, notes: list[str]
) -> tuple[tuple[float, float], ...]:
    """Set the factors, add to the notes, and return each setting's value now and then, in the order of the wish."""
    values = {}
    # Leaves of cached tokens are copies of those of uncached ones, so they are made when everything else is set.
    for name, text in sorted(wish.settings, key=lambda each: each[0] == "cache_hit_rate"):
        setting = forward.SETTINGS[name]
        where = setting.where(wish.where)
        now = forward.present(connection, setting, kinds, where)
        wanted = parse_value(setting, text, now)
        if isclose(wanted, now, rel_tol=1e-9):
            wanted = now
        else:
            _check_scalable(setting, now)
            notes += setting.change(connection, where, now, wanted)
        values[name] = (now, wanted)
    return tuple(values[name] for name, _ in wish.settings)


def _check_scalable(setting: forward.Setting, now: float) -> None:
    """Raise UsageError where nothing is there that could be made more or less of."""
    if setting.name == "discount" or (now and not (setting.name == "gateway_cache_rate" and now == 1)):
        return
    if now or not setting.fills_up:
        shown = f"{now:.0%}" if setting.share else f"{now:g}"
        raise UsageError(f"{setting.name} is {shown} here, so there is nothing to scale", hint="check --where")


def parse_value(setting: forward.Setting, text: str, now: float) -> float:
    """Return the new value: with a sign it is a change relative to `now`, without one it is the value itself."""
    signed, percent = text[0] in "+-", text.endswith("%")
    try:
        number = float(text.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        number = float("nan")
    value = now * (1 + number) if signed else number
    top = 1.0 if setting.share else float("inf")
    # A sign goes with a percentage; a percentage without one is the value of a share, and no number of tokens.
    is_odd = (signed and not percent) or (percent and not signed and not setting.share)
    if is_odd or not 0 <= value <= top or value == float("inf") or (signed and number and not now):
        allowed = "60% or 0.6 as the new value, +10% or -10% as a change of the present one"
        if not setting.share:
            allowed = "1200 as the new value, +10% or -10% as a change of the present one"
        raise UsageError(f"--set {setting.name}={text}: not possible", hint=f"allowed: {allowed}; it is {now:,.4g} now")
    return value
