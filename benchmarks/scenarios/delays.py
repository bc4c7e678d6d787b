"""Plays incidents into a store and says after how many hours the signals of `infercost check` tell them.

    python -m scenarios.delays [--scale 20000] [--quiet-days 90] [--write]

Every hour is judged by what was known then, as a run of the check every hour would; beside it stands when alerts on
dollars would have fired: a day that costs 30 % more than its weekday did in the four weeks before, and 24 hours that
cost more than the same hours of those weeks by a threshold that fires once a month where nothing happens.
"""

import argparse
import hashlib
import statistics
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from infercost.analyze.check import COMPARED
from infercost.analyze.database import connect
from infercost.analyze.detect import LEAST_WEEKS, RECENT_WEEKS, WEEK, WEEKS, detect
from infercost.analyze.drivers import events
from infercost.analyze.drivers.cells import Span
from infercost.analyze.explain import causes
from infercost.analyze.report import Window
from infercost.analyze.sums import Sums
from infercost.analyze.watch import WATCHED, drifts, read_parts, series_of
from infercost.config.limits import MEASURES
from infercost.store import Store
from scenarios import logs, prices
from scenarios.shared import DEFAULT, Shared, Simulation, load
from scenarios.truth import hourly

BEGINS = 56
"""The day on which an incident begins: eight weeks of history lie before it."""

LASTS = 21
NEVER = float("nan")
CALM = 24.0
"""Hours after which a series that fired counts anew."""

HISTORY = 24 * 7 * (WEEKS + RECENT_WEEKS)
"""Hours after which the detector has all that it goes by."""


@dataclass(frozen=True)
class Delay:
    """Hours until an incident was told, by signals and by dollars; nan is never. `first` is what told it.

    `is_above` says that 24 hours of dollars were above their threshold when it began. `told` are the dollars of its
    first week by the split that a check makes, `true` those of the generator.
    """

    name: str
    signals: float
    first: str
    is_right: bool
    daily: float
    rolling: float
    is_above: bool
    told: float
    true: float


@dataclass(frozen=True)
class Company:
    """The made-up company of a seed, `scale` requests a day; its played stores are kept in `stores`, if that is set."""

    shared: Shared
    seed: int
    scale: int
    stores: Path | None

    def simulate(self, days: int, effects: tuple[Any, ...] = ()) -> Simulation:
        """Return the traffic of its first days."""
        return self.shared.simulate(self.seed, days, effects, self.scale)

    @contextmanager
    def store(self, days: int, effects: tuple[Any, ...]) -> Iterator[Store]:
        """Give a store into which its traffic was played."""
        with TemporaryDirectory(prefix="delays-") as name:
            told = hashlib.sha256(repr((self.seed, self.scale, days, effects)).encode()).hexdigest()[:12]
            folder = self.stores / told if self.stores else Path(name)
            if not (folder / "store").is_dir():
                logs.play(self.shared, self.simulate(days, effects), effects, folder)
            yield Store.open(folder / "store")


@dataclass(frozen=True)
class Alarm:
    """A series that fired: at which hour, which measure of which part."""

    hour: int
    measure: str
    scope: tuple[tuple[str, str], ...]


def incidents(effect: Any) -> list[tuple[str, Any, tuple[str, ...]]]:
    """Return every incident with the measures that are its own."""
    two = ("chat_support", "code_assist")
    length = ("prompt_tokens", "p95_prompt_tokens")
    return [
        ("routing 20->60% frontier, 2 features", effect("route", BEGINS, 0.6, two), ("routing_share",)),
        ("routing 20->60%, all, ramp 14 d", effect("route", BEGINS, 0.6, None, ramp=14), ("routing_share",)),
        ("prompt p95 x2, all, ramp 21 d", effect("len_tail", BEGINS, 2.0, None, ramp=21), length),
        ("prompt-cache hit halves, all", effect("pc_drop", BEGINS, 0.5), ("prompt_cache_share",)),
        ("retry 1->12%, all", effect("retry", BEGINS, 0.12), ("retry_rate",)),
        ("retry 1->12%, gpt-mid", effect("retry", BEGINS, 0.12, None, model="gpt-mid"), ("retry_rate",)),
        ("output x1.5, code_assist", effect("out", BEGINS, 1.5, ("code_assist",)), ("output_tokens",)),
        ("reasoning x2.5, all", effect("reason", BEGINS, 2.5), ("output_tokens",)),
        ("gateway cache halves, all", effect("gw_drop", BEGINS, 0.5), ("gateway_hit_rate",)),
        ("volume +50%, code_assist", effect("volume", BEGINS, 0.5, ("code_assist",)), ("tokens_per_minute",)),
        ("list price +25%, opus-x", effect("price", BEGINS, 0.25, None, model="opus-x"), ("price",)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=int, default=20_000, help="requests a day")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="incidents whose name holds this")
    parser.add_argument("--quiet-days", type=int, default=90)
    parser.add_argument("--write", action="store_true", help="write docs/delays.md")
    parser.add_argument("--stores", type=Path, help="keep the stores in this folder, and use those that are there")
    parser.add_argument("--shared", type=Path, default=DEFAULT, help="folder of the traffic generator")
    arguments = parser.parse_args()
    shared = load(arguments.shared)
    days = arguments.quiet_days + HISTORY // 24
    company = Company(shared, arguments.seed, arguments.scale, arguments.stores)
    cost, alarms, _ = _play(company, days, ())
    false = [each for each in alarms if each.hour >= HISTORY]
    limit = _calibrated(cost, arguments.quiet_days)
    quiet = (
        f"{len(false)} false alarms of all signals together in {arguments.quiet_days} days in which nothing happens. "
        f"24 hours of dollars fire once a month there at +{limit:.0%}."
    ).replace("%", " %")
    print(quiet, *false, sep="\n", file=sys.stderr, flush=True)
    rows = []
    for name, effect, own in incidents(shared.traffic.Effect):
        if arguments.only in name:
            found = _delay(company, name, effect, own, limit)
            rows.append(_row(found))
            print(rows[-1], file=sys.stderr, flush=True)
    table = "\n".join((_HEAD.format(limit=round(100 * limit)), *rows))
    print(table)
    if arguments.write:
        PAGE.write_text(_PAGE.format(scale=arguments.scale, quiet=quiet, table=table), encoding="utf-8")


PAGE = Path(__file__).resolve().parents[2] / "docs" / "delays.md"

_HEAD = """| incident | signals | what told it first | named rightly | $ told | $ true | a day +30 % | 24 h +{limit} % |
|---|---|---|---|---|---|---|---|"""

_PAGE = """# How soon incidents are told

`just delays --write` makes this page. Traffic of a made-up company (that of [scenarios](scenarios.md)) is played into a
store through the whole pipeline, {scale:,} requests a day; on a Monday, after eight weeks, something happens. Every
hour is judged by what was known then, as [`infercost check`](check.md) run every hour does, for all traffic and for
each feature. Figures are hours until it was told, one seed; never is not within three weeks.

{quiet}

{table}

Beside the signals stand two alerts on dollars: a day that costs 30 % more than its weekday did in the four weeks
before, and 24 hours that cost more than the same hours of those weeks by a threshold that fires once a month where
nothing happens (`above before`: they were above it when the incident began). Named rightly means that the signal which
is the incident's own fired with the first or within a day of it. Dollars are those of the first week: told by the split
that a check makes, with the week's noise in it, and true by the same traffic without the incident.
Figures are properties of this traffic, not a promise for yours: smaller steps and fewer requests take longer.
"""


def _row(found: Delay) -> str:
    signals, daily, rolling = (
        "never" if isnan(each) else f"{each:.0f} h" for each in (found.signals, found.daily, found.rolling)
    )
    cells = (
        found.name,
        signals,
        found.first,
        "yes" if found.is_right else "NO",
        f"{found.told:+,.0f}",
        f"{found.true:+,.0f}",
        daily,
        "above before" if found.is_above else rolling,
    )
    return f"| {' | '.join(cells)} |"


def _calibrated(cost: "np.ndarray[Any, Any]", days: int) -> float:
    """Return the smallest threshold of 24 hours, in whole percent, that fires once a month at most."""
    over = [_over(cost, hour) for hour in range(HISTORY, len(cost) + 1)]
    for percent in range(1, 200):
        fired, last = 0, -CALM
        for hour, each in enumerate(over):
            if each > percent / 100:
                fired += hour - last >= CALM
                last = hour
        if fired <= days / 30:
            return percent / 100
    return 2.0


def _over(cost: "np.ndarray[Any, Any]", hour: int) -> float:
    """Return by which part the 24 hours before cost more than the same hours of the four weeks before."""
    usual = statistics.fmean(cost[hour - 24 - WEEK * week : hour - WEEK * week].sum() for week in range(1, 5))
    return float(cost[hour - 24 : hour].sum() / usual - 1)


def _delay(company: Company, name: str, effect: Any, own: tuple[str, ...], limit: float) -> Delay:
    cost, alarms, told = _play(company, BEGINS + LASTS, (effect,), own)
    start = BEGINS * 24
    after = [each for each in alarms if each.hour >= start]
    first = after[0] if after else None
    soon = {each.measure for each in after if first and each.hour <= first.hour + CALM}
    return Delay(
        name,
        first.hour - start + 1 if first else NEVER,
        f"{first.measure}{''.join(f' in {value}' for _, value in first.scope)}" if first else "",
        bool(soon & set(own)),
        _daily(cost, start),
        _rolling(cost, start, limit),
        _over(cost, start) > limit,
        told,
        float((_first_week(cost) - _first_week(hourly(company.simulate(BEGINS + LASTS), BEGINS + LASTS))).sum()),
    )


def _first_week(cost: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    return cost[BEGINS * 24 : BEGINS * 24 + WEEK]


def _play(
    company: Company, days: int, effects: tuple[Any, ...], own: tuple[str, ...] = ()
) -> "tuple[np.ndarray[Any, Any], list[Alarm], float]":
    """Return the dollars of every hour, what fired in order of time, and the dollars of the drivers behind `own`."""
    with company.store(days, effects) as store, connect(store) as connection:
        first, until = prices.START, prices.START + timedelta(days=days)
        parts, tiers = read_parts(Sums(connection, store.snapshot(), None), ("feature",), first, until)
        alarms = [*_alarms(parts, tiers, days * 24), *_prices(connection, days)]
        told = _dollars(connection, own) if own else NEVER
    return parts[0].columns["cost_usd"], sorted(alarms, key=lambda each: each.hour), told


def _dollars(connection: Any, own: tuple[str, ...]) -> float:
    """Return what a check tells of the first week of an incident, by its own drivers."""
    drivers = {
        name for measure in own for name in (MEASURES[measure].drivers if measure in MEASURES else ("list_price",))
    }
    start = prices.moment(BEGINS)
    window, baseline = Window(start, start + timedelta(days=7), 7), Window(start - COMPARED, start, 28)
    _, lines = causes(connection, window, baseline, (), "UTC")
    return float(sum(line.effect for line in lines if line.name in drivers))


def _alarms(parts: Any, tiers: Mapping[str, float], hours: int) -> list[Alarm]:
    found = []
    for part in parts:
        scope = tuple(part.scope.items())
        for measure in WATCHED:
            for _, series in series_of(part, measure, tiers):
                places = len(series.size) - LEAST_WEEKS * series.week
                above = np.flatnonzero(detect(series, places).score > 1) + LEAST_WEEKS * series.week
                last = -CALM
                for place in above:
                    hour = int(place) * part.piece
                    if hour - last >= CALM:
                        found.append(Alarm(hour, measure.name, scope))
                    # It goes on firing while it is above, and is told anew when it was quiet for a day.
                    last = hour
        found += [
            Alarm(hour, "p95_prompt_tokens", scope)
            for hour in range(LEAST_WEEKS * WEEK, hours)
            if drifts(part, hour) and not drifts(part, hour - 1)
        ]
    return found


def _prices(connection: Any, days: int) -> list[Alarm]:
    """Return the price rows that took effect, at the end of the hour in which attempts were priced by them first."""
    first = prices.START + timedelta(days=1)
    span = Span(first, prices.START + timedelta(days=days), prices.START, first)
    return [
        Alarm(int((each.when - prices.START) / timedelta(hours=1)), "price", ())
        for each in events.find(connection, span)
        if each.kind == "price took effect"
    ]


def _daily(cost: Any, start: int) -> float:
    """Return the hours until a day is over that cost 30 % more than its weekday in the four weeks before."""
    by_day = cost.reshape(-1, 24).sum(axis=1)
    for day in range(start // 24, len(by_day)):
        if by_day[day] > 1.3 * statistics.fmean(by_day[day - 7 * week] for week in range(1, 5)):
            return float((day + 1) * 24 - start)
    return NEVER


def _rolling(cost: Any, start: int, limit: float) -> float:
    """Return the hours until 24 hours cost more than the same hours of the four weeks before, by the limit."""
    hours = (hour for hour in range(start + 1, len(cost) + 1) if _over(cost, hour) > limit)
    return float(next(hours, NEVER) - start)


if __name__ == "__main__":
    main()
