"""Plays incidents into a store and says after how many hours the signals of `infercost check` tell them.

    python -m scenarios.delays [--scale 20000] [--quiet-days 90] [--write]

Every hour is judged by what was known then, as a run of the check every hour would; beside it stands when alerts on
dollars would have fired: a day that costs 30 % more than its weekday did in the four weeks before, and 24 hours that
cost more than the same hours of those weeks by a threshold that fires once a month where nothing happens.
"""

import argparse
import hashlib
import shutil
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from infercost.analyze.check import COMPARED, FOLDER
from infercost.analyze.database import connect
from infercost.analyze.detect import HOURLY, LEAST_WEEKS, RECENT_WEEKS, WEEK, WEEKS, Series, Speed, detect
from infercost.analyze.drivers import events
from infercost.analyze.drivers.cells import Span
from infercost.analyze.explain import causes
from infercost.analyze.parts import DAY_OF_FINE, Watched, read
from infercost.analyze.report import Window
from infercost.analyze.sums import Sums
from infercost.analyze.watch import WATCHED, drifts, fine_speeds
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

    @cached_property
    def calm(self) -> "np.ndarray[Any, Any]":
        """The dollars of every hour without an incident."""
        return hourly(self.simulate(BEGINS + LASTS), BEGINS + LASTS)

    @contextmanager
    def store(self, days: int, effects: tuple[Any, ...]) -> Iterator[Store]:
        """Give a store into which its traffic was played."""
        with TemporaryDirectory(prefix="delays-") as name:
            told = hashlib.sha256(repr((self.seed, self.scale, days, effects)).encode()).hexdigest()[:12]
            folder = (self.stores or Path(name)) / told
            if not folder.is_dir():
                part = folder.with_suffix(".part")
                shutil.rmtree(part, ignore_errors=True)
                logs.play(self.shared, self.simulate(days, effects), effects, part)
                part.rename(folder)
            yield Store.open(folder / "store")


@dataclass(frozen=True)
class Alarm:
    """A series that fired: after how many hours, which measure of which part."""

    hour: float
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
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", default="", help="incidents whose name holds this")
    parser.add_argument("--quiet-days", type=int, default=90)
    parser.add_argument("--write", action="store_true", help="write docs/delays.md")
    parser.add_argument("--stores", type=Path, help="keep the stores in this folder, and use those that are there")
    parser.add_argument("--shared", type=Path, default=DEFAULT, help="folder of the traffic generator")
    arguments = parser.parse_args()
    shared = load(arguments.shared)
    companies = [Company(shared, seed, arguments.scale, arguments.stores) for seed in arguments.seeds]
    calm = [_quiet(company, arguments.quiet_days) for company in companies]
    quiet = _QUIET.format(
        alarms=", ".join(str(count) for count, _ in calm),
        days=arguments.quiet_days,
        limits=", ".join(f"+{limit:.0%}".replace("%", " %") for _, limit in calm),
    )
    print(quiet, file=sys.stderr, flush=True)
    rows = []
    for name, effect, own in incidents(shared.traffic.Effect):
        if arguments.only in name:
            found = [
                _delay(company, name, effect, own, limit) for company, (_, limit) in zip(companies, calm, strict=True)
            ]
            rows.append(_row(found))
            print(rows[-1], file=sys.stderr, flush=True)
    table = "\n".join((_HEAD, *rows))
    print(table)
    if arguments.write:
        kept = _between(PAGE.read_text(encoding="utf-8"), "<!-- days -->", "<!-- /days -->")
        seeds = len(arguments.seeds)
        text = _PAGE.format(scale=arguments.scale, seeds=seeds, quiet=quiet, table=table, days=kept)
        PAGE.write_text(text, encoding="utf-8")


def _between(text: str, start: str, end: str) -> str:
    return text[text.index(start) + len(start) : text.index(end)]


PAGE = Path(__file__).resolve().parents[2] / "docs" / "delays.md"

_QUIET = (
    "False alarms of all signals together, in {days} days of each seed in which nothing happens: {alarms}.\n"
    "24 hours of dollars fire once a month there at {limits}."
)

_HEAD = """| incident | signals | what told it first | named rightly | $ told | $ true | a day +30 % | 24 h of dollars |
|---|---|---|---|---|---|---|---|"""

_PAGE = """# How soon incidents are told

Traffic of a made-up company (that of [scenarios](scenarios.md)) is played into a store through the whole pipeline,
{scale:,} requests a day; on a Monday at midnight, after eight weeks, something happens.

## By the clock

`just delays --write` makes this table. Every hour and every five minutes are judged by what was known then, as
[`infercost check`](check.md) run every five minutes does, for all traffic and for each feature. Figures are hours until
it was told: the median of {seeds} seeds, with the soonest and the latest; never is not within three weeks.

{quiet}

{table}

Beside the signals stand two alerts on dollars: a day that costs 30 % more than its weekday did in the four weeks
before, and 24 hours that cost more than the same hours of those weeks by a threshold that fires once a month where
nothing happens (where they were above it when the incident began, they tell nothing and are left out). Named rightly
means that the signal which is the incident's own fired with the first or within a day of it. Dollars are those of the
first week: told by the split that a check makes, with the week's noise in it, and true by the same traffic without the
incident; means of the seeds. Figures are properties of this traffic, not a promise for yours: smaller steps and fewer
requests take longer.

## Day by day

`just days --write` makes this table: the log of each day is read by `infercost ingest logs`, then `infercost check`
judges it, for a week, one seed. `told as` are the findings of the first day on which something fired; dollars a day are
those of the whole week, told by the finding that is the incident's own; a price is told on the day that it takes effect
and never again, so its dollars are those of that day. Beside them stand what other dashboards show, the week before and
the week after: requests, the share of them that was not answered, and the median time to the first token (which is
drawn by the request alone).

<!-- days -->{days}<!-- /days -->
"""


def _quiet(company: Company, days: int) -> tuple[int, float]:
    """Return the false alarms of days without an incident, and the threshold of dollars that fires once a month."""
    cost, alarms, _ = _play(company, days + HISTORY // 24, ())
    false = [each for each in alarms if each.hour >= HISTORY]
    print(f"seed {company.seed}:", *false, sep="\n", file=sys.stderr, flush=True)
    return len(false), _calibrated(cost, days)


def _row(found: Sequence[Delay]) -> str:
    first = statistics.multimode(each.first for each in found)[0]
    cells = (
        found[0].name,
        _hours([each.signals for each in found]),
        first,
        f"{sum(each.is_right for each in found)} of {len(found)}",
        f"{statistics.fmean(each.told for each in found):+,.0f}",
        f"{statistics.fmean(each.true for each in found):+,.0f}",
        _hours([each.daily for each in found]),
        _hours([each.rolling for each in found if not each.is_above]),
    )
    return f"| {' | '.join(cells)} |"


def _hours(found: Sequence[float]) -> str:
    """Return the median with the least and the most; never counts as more than anything."""
    if not found:
        return "above before"
    ordered = sorted(float("inf") if isnan(each) else each for each in found)
    middle = statistics.median_high(ordered)
    if ordered[0] == ordered[-1]:
        return _hour(middle)
    return f"{_hour(middle)} ({_hour(ordered[0])} to {_hour(ordered[-1])})"


def _hour(each: float) -> str:
    return "never" if each == float("inf") else f"{each:.1f} h" if each < 10 else f"{each:.0f} h"


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
        first.hour - start if first else NEVER,
        f"{first.measure}{''.join(f' in {value}' for _, value in first.scope)}" if first else "",
        bool(soon & set(own)),
        _daily(cost, start),
        _rolling(cost, start, limit),
        _over(cost, start) > limit,
        told,
        float((_first_week(cost) - _first_week(company.calm)).sum()),
    )


def _first_week(cost: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    return cost[BEGINS * 24 : BEGINS * 24 + WEEK]


def _play(
    company: Company, days: int, effects: tuple[Any, ...], own: tuple[str, ...] = ()
) -> "tuple[np.ndarray[Any, Any], list[Alarm], float]":
    """Return the dollars of every hour, what fired in order of time, and the dollars of the drivers behind `own`."""
    with company.store(days, effects) as store, connect(store) as connection:
        first, until = prices.START, prices.START + timedelta(days=days)
        # With a kept store its sums are kept too.
        watched = read(Sums(connection, store.snapshot(), store.folder / FOLDER), ("feature",), first, until, first)
        alarms = [*_alarms(watched, days * 24), *_prices(connection, days)]
        told = _dollars(connection, own) if own else NEVER
    return watched.parts[0].columns["cost_usd"], sorted(alarms, key=lambda each: each.hour), told


def _dollars(connection: Any, own: tuple[str, ...]) -> float:
    """Return what a check tells of the first week of an incident, by its own drivers."""
    drivers = {
        name for measure in own for name in (MEASURES[measure].drivers if measure in MEASURES else ("list_price",))
    }
    start = prices.moment(BEGINS)
    window, baseline = Window(start, start + timedelta(days=7), 7), Window(start - COMPARED, start, 28)
    _, lines = causes(connection, window, baseline, (), "UTC")
    return float(sum(line.effect for line in lines if line.name in drivers))


def _alarms(watched: Watched, hours: int) -> list[Alarm]:
    found: list[Alarm] = []
    for measure in WATCHED:
        for part, _, series in watched.series(measure):
            found += _fired(series, HOURLY, measure.name, tuple(part.scope.items()))
        for part, _, series in watched.fine_series(measure):
            found += _fired(series, fine_speeds(measure), measure.name, tuple(part.scope.items()))
    for part in watched.parts:
        found += [
            Alarm(hour, "p95_prompt_tokens", tuple(part.scope.items()))
            for hour in range(LEAST_WEEKS * WEEK, hours)
            if drifts(part, hour) and not drifts(part, hour - 1)
        ]
    return found


def _fired(
    series: Series, speeds: Sequence[Speed], measure: str, scope: tuple[tuple[str, str], ...]
) -> Iterator[Alarm]:
    """Yield when a series fired: it goes on firing while it is above, and is told anew when it was quiet for CALM."""
    places = len(series.size) - LEAST_WEEKS * series.week
    last = -CALM
    for place in np.flatnonzero(detect(series, places, speeds).score > 1) + LEAST_WEEKS * series.week:
        hour = float(place + 1) * 24 / series.day
        if hour - last >= CALM:
            yield Alarm(hour, measure, scope)
        last = hour


def _prices(connection: Any, days: int) -> list[Alarm]:
    """Return the price rows that took effect, at the end of the five minutes in which they did."""
    first = prices.START + timedelta(days=1)
    span = Span(first, prices.START + timedelta(days=days), prices.START, first)
    return [
        Alarm((each.when - prices.START) / timedelta(hours=1) + 24 / DAY_OF_FINE, "price", ())
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
