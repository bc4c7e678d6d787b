"""Watches the signals of everything and of its parts, and says which of them left what is usual."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isnan, log
from typing import TYPE_CHECKING

import numpy as np

from infercost.analyze.detect import (
    FINE,
    FINE_OF_BURSTS,
    HOURLY,
    LEAST_COUNT,
    LEAST_WEEKS,
    Scores,
    Series,
    Speed,
    began,
    detect,
    together,
)
from infercost.analyze.findings import Finding, Kind, Outcome
from infercost.analyze.parts import Part, read
from infercost.analyze.report import scope_text
from infercost.config.limits import MEASURES, NO_SIGNALS, PERCENTILE, Measure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from infercost.analyze.sums import Sums

HISTORY = timedelta(weeks=9)
"""What is read before a check: four weeks that tell what is usual, for each of the two weeks that tell the spread."""

HALF = 0.5
"""The score above which a signal that fired goes on firing: for a day, and for as long as it is known to."""

DRIFT_LIMIT = 0.22
"""Population stability index of a day's prompt lengths, times the root of their number by ten, that fires."""

DRIFT_LEAST = 100
"""Prompts of a day below which no drift is told."""

WATCHED: tuple[Measure, ...] = tuple(each for name, each in MEASURES.items() if name not in NO_SIGNALS)
"""The signals in their order; those of dollars are the backstop."""


@dataclass(frozen=True)
class Alert:
    """A signal of a part that fires: since when, its value and what is usual since then, and its score (1 = fires).

    `size` is how far the last day is from what is usual: of shares the difference, of all others that of logarithms.
    """

    watched: Measure
    title: str
    scope: Mapping[str, str]
    since: datetime
    value: float
    usual: float
    score: float
    size: float


Known = Mapping[str, tuple[datetime, Collection[str]]]
"""What is going on by the key of its finding: since when it is known, and of which parts (empty text: everything)."""


def fine_speeds(measure: Measure) -> Sequence[Speed]:
    """Return the averages that judge a signal by five minutes."""
    return FINE_OF_BURSTS if measure.has_bursts else FINE


def watch(
    sums: "Sums", by: Sequence[str], until: datetime, oldest: datetime, known: Known
) -> tuple[list[Finding], list[Alert]]:
    """Return how every signal stands at `until`, for everything and each value of the columns `by`, and what fires.

    What is `known` to be going on does not become usual by that. A signal of which no part could be judged is unknown;
    its reason says why. What the logs do not tell of at all (no gateway cache, one tier) is left out.
    """
    hour = until.replace(minute=0)
    first = max(hour - HISTORY, oldest.replace(minute=0, second=0, microsecond=0))
    if hour - first < timedelta(weeks=LEAST_WEEKS):
        reason = f"{(hour - first).days} days of history; what is usual is known from {7 * LEAST_WEEKS} on"
        return [_unknown(each, reason) for each in WATCHED], []
    watched = read(sums, by, first, until)
    findings: list[Finding] = []
    alerts: list[Alert] = []
    for measure in WATCHED:
        there = list(watched.series(measure))
        if not there:
            continue
        calm = _calm(known, measure)
        looked = _looks(there, measure, HOURLY, hour, calm)
        firing = [alert for _, alert in looked if alert]
        drifting = (_drift(part, measure, hour) for part, *_ in there if measure.name == PERCENTILE)
        fine = list(watched.fine_series(measure))
        soon = (alert for _, alert in _looks(fine, measure, fine_speeds(measure), until, calm))
        for alert in (*drifting, *soon):
            if alert and alert.scope not in [each.scope for each in firing]:
                firing.append(alert)
        few = f"fewer than {LEAST_COUNT} of its requests a day"
        is_judged = any(judged for judged, _ in looked)
        findings.append(_finding(measure, firing) if is_judged else _unknown(measure, few))
        alerts += firing
    return findings, alerts


def _calm(known: Known, measure: Measure) -> Mapping[str, datetime]:
    """Return for each part of which a signal is known to fire until when it was calm."""
    since, parts = known.get(_key(measure), (None, ()))
    return dict.fromkeys(parts, since) if since else {}


def _key(measure: Measure) -> str:
    return f"signal:{measure.name}"


def _unknown(watched: Measure, reason: str) -> Finding:
    return replace(_finding(watched, []), outcome=Outcome.UNKNOWN, reason=reason)


def _finding(watched: Measure, alerts: Sequence[Alert]) -> Finding:
    """Return how a signal stands, told by its most certain part; all parts that fire are in its causes."""
    fine = Finding(_key(watched), Kind.SIGNAL, watched.title, Outcome.OK, watched.unit, watched.name)
    if not alerts:
        return fine
    worst = max(alerts, key=lambda each: each.score)
    # Where everything fires no part is named, unless it is one part that makes everything fire.
    whole = next((each for each in alerts if not each.scope), None)
    told = whole if whole and len(alerts) > 2 else worst
    return replace(
        fine,
        title=told.title,
        outcome=Outcome.FIRED,
        scope=told.scope,
        parts=tuple(sorted({scope_text(each.scope) for each in alerts})),
        value=told.value,
        usual=told.usual,
        size=max(each.size for each in alerts),
        since=worst.since,
    )


def _looks(
    there: Sequence[tuple[Part, str, Series]],
    watched: Measure,
    speeds: Sequence[Speed],
    until: datetime,
    calm: Mapping[str, datetime],
) -> list[tuple[bool, Alert | None]]:
    """Return of every part and title whether its signal could be judged, and what fires; of a kind all at once."""
    kinds: dict[tuple[int, int | None], list[int]] = {}
    for number, (part, _, series) in enumerate(there):
        known = calm.get(scope_text(part.scope))
        begins = len(series.size) + (known - until) // _step(part) if known else None
        kinds.setdefault((part.day, begins), []).append(number)
    found: dict[int, tuple[bool, Alert | None]] = {}
    for (day, begins), numbers in kinds.items():
        scores = detect(together([there[each][2] for each in numbers]), day, speeds, begins)
        for row, number in enumerate(numbers):
            own = Scores(scores.score[row], scores.distance[row], scores.usual[row])
            found[number] = _judged(*there[number], own, watched, until, is_known=begins is not None)
    return [found[number] for number in range(len(there))]


def _judged(
    part: Part, title: str, series: Series, scores: Scores, watched: Measure, until: datetime, *, is_known: bool
) -> tuple[bool, Alert | None]:
    """Return whether a signal of a part could be judged, and what fires."""
    count, last = len(series.size), scores.score
    if np.isnan(last).all():
        return False, None
    score, highest = float(last[~np.isnan(last)][-1]), float(np.nanmax(last))
    if not (score > 1 or (score > HALF and (highest > 1 or is_known))):
        return True, None
    start = max(0, count - series.recent) + began(scores.distance[-series.recent :])
    value, usual = _means(series, scores.usual, start)
    size = _apart(*_means(series, scores.usual, max(start, count - series.day)), is_share=series.is_share)
    return True, Alert(watched, title, part.scope, until - (count - start) * _step(part), value, usual, highest, size)


def _step(part: Part) -> timedelta:
    return timedelta(days=1) / part.day


def _apart(value: float, usual: float, *, is_share: bool) -> float:
    """Return how far a value is from what is usual; 0 where either is unknown."""
    if is_share:
        return 0.0 if isnan(value - usual) else abs(value - usual)
    return abs(log(value / usual)) if value > 0 and usual > 0 else 0.0


def _drift(part: Part, watched: Measure, until: datetime) -> Alert | None:
    """Return the alert of a part whose prompts of the last day are longer than those of the same day of weeks before.

    The measure is the population stability index of half octaves; few prompts must differ more.
    """
    found = drifts(part, len(part.columns[watched.count]))
    if found is None:
        return None
    score, mean, before = found
    title = "Prompt length, geometric mean"
    size = _apart(mean, before, is_share=False)
    return Alert(watched, title, part.scope, until - timedelta(days=1), mean, before, score, size)


def drifts(part: Part, end: int) -> tuple[float, float, float] | None:
    """Return what fires at the place `end` of a part because prompts became longer: score, length, and usual length."""
    day, week = part.day, 7 * part.day
    now = part.octaves[:, max(0, end - day) : end].sum(axis=1)
    past = [
        part.octaves[:, max(0, end - day - back) : max(0, end - back)].sum(axis=1)
        for back in range(week, 4 * week + 1, week)
    ]
    usual = np.sum([each for each in past if each.any()], axis=0) if any(each.any() for each in past) else None
    count = now.sum()
    if usual is None or min(count, usual.sum()) < DRIFT_LEAST:
        return None
    places = np.arange(len(now)) / 2
    mean, before = (float((each * places).sum() / each.sum()) for each in (now, usual))
    share, expected = ((each + 0.5) / (each + 0.5).sum() for each in (now[usual + now > 0], usual[usual + now > 0]))
    index = float(((share - expected) * np.log(share / expected)).sum())
    score = index * float(np.sqrt(count)) / 10 / DRIFT_LIMIT
    return (score, 2**mean, 2**before) if score > 1 and mean > before else None


def _means(series: Series, usual: "NDArray[np.float64]", start: int) -> tuple[float, float]:
    """Return the value of the hours from `start` on, and what is usual for them."""
    top, bottom = series.top[start:], series.bottom[start:]
    expected = usual[-len(top) :]
    known = np.isfinite(expected) & (bottom > 0) & np.isfinite(top)
    if not known.any():
        return float("nan"), float("nan")
    size = bottom[known].sum()
    return float(top[known].sum() / size), float((expected[known] * bottom[known]).sum() / size)
