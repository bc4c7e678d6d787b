"""A hand-made explanation of two weeks whose drivers add up; some of its names are hostile."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from infercost.analyze.drivers import factors
from infercost.analyze.explanation import (
    BEYOND,
    EXACT,
    WITHIN,
    Child,
    Contribution,
    DriverLine,
    Event,
    Explanation,
    Measure,
    MovedRequest,
    Onset,
    Segment,
    SplitTable,
)
from infercost.analyze.report import Window

START = datetime(2026, 11, 8, tzinfo=UTC)
WEEK = timedelta(days=7)

EFFECTS: dict[str, str] = {
    "volume": "310.114999999999",
    "new_features": "88.120417",
    "vanished_features": "-61.448120",
    "gateway_cache": "-12.005",
    "retries": "402.335",
    "prompt_length": "1204.118",
    "routing": "2401.335",
    "list_price": "-153.004",
}
"""Dollars of each driver that moved."""


def segment(effect: Decimal, *values: str) -> Segment:
    return Segment((("feature", ", ".join(values)),) if values else (), (values,) if values else (), effect, 0.97)


def line(driver: factors.Driver, names: tuple[str, ...]) -> DriverLine:
    effect = Decimal(EFFECTS.get(driver.name, "0"))
    drawn = DriverLine(
        name=driver.name,
        title=driver.title,
        effect=effect,
        only=effect * Decimal("0.9"),
        undo=effect * Decimal("1.2"),
        noise=Decimal("31.5"),
        threshold=Decimal(164),
        verdict=BEYOND if abs(effect) >= 164 else WITHIN,
        series=tuple(effect / 7 for _ in range(7)),
    )
    if driver.name == "routing":
        return replace(
            drawn,
            segment=segment(effect, *names),
            measures=(Measure(f"requests to {names[0]}", "share", 0.076, 0.347),),
            onset=Onset(START + timedelta(days=2), START + timedelta(days=1), START + timedelta(days=3), "step"),
        )
    if driver.name == "prompt_length":
        tokens = (Measure("prompt tokens per request", "tokens", 5_904.2, 8_741.7),)
        return replace(drawn, only=effect, undo=effect, segment=segment(effect), measures=tokens)
    return replace(drawn, verdict=EXACT, noise=None) if driver.name in ("new_features", "list_price") else drawn


def sample_explanation(before: Decimal, names: tuple[str, ...] = ("search", "support-agent")) -> Explanation:
    """The explanation of a week that cost `before` and what EFFECTS adds to it; `names` are its features."""
    drivers = tuple(line(driver, names) for driver in factors.DRIVERS)
    change = sum((each.effect for each in drivers), Decimal(0))
    effects = {each.name: each.effect for each in drivers}
    part = {name: effect / 4 for name, effect in effects.items()}
    rest = {name: effect - part[name] for name, effect in effects.items()}
    children = (
        Child((names[0],), before / 4, before / 4 + sum(part.values()), part),
        Child((names[-1],), before - before / 4, before - before / 4 + sum(rest.values()), rest),
    )
    finer = tuple(replace(child, values=(*child.values, f"model of {child.values[0]}")) for child in children)
    request = MovedRequest(
        "routing",
        f"req-{names[0]}",
        START,
        names[0],
        names[-1],
        2,
        265_000,
        1_801,
        Decimal("1.37903"),
        Decimal("0.2586"),
    )
    return Explanation(
        zone="UTC",
        currency="USD",
        generated_at=START + WEEK + timedelta(hours=6),
        current=Window(START, START + WEEK, 7),
        baseline=Window(START - WEEK, START, 7),
        where=(),
        before=before,
        matched=before,
        after=before + change,
        drivers=drivers,
        tables=(SplitTable(("feature",), children), SplitTable(("feature", "model"), finer)),
        contributions=(
            Contribution("routing", (("feature", names[0]),), Decimal("2390.004")),
            Contribution("retries", (("feature", names[-1]),), Decimal("401.003")),
            Contribution(None, (), change - Decimal("2791.007")),
        ),
        buckets=tuple(START + timedelta(days=day) for day in range(7)),
        bucket_unit="day",
        expected=tuple(before / 7 + number for number in range(-3, 4)),
        events=(Event(START + timedelta(hours=30), "new route", names[0], Decimal("840.2")),),
        requests=(request,),
        notes=("The cost of a request rose in all, though in no feature and cohort did it by itself.",),
        placebo_weeks=6,
        matching="every hour with the same hour of the week",
        unpriced_attempts=210,
    )
