"""Limits of `infercost check`: one line of text each, such as `retry_rate(feature = "search") <= +15% vs 7d`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from infercost import schema
from infercost.config.reader import Reader

SHARE, USD, TOKENS, COUNT = "share", "usd", "tokens", "count"
"""Units of measures."""


@dataclass(frozen=True)
class Measure:
    """What a limit can be about, and a signal: columns of the query signal_sums whose sums are divided.

    `per` are the seconds of its unit of time. Without `top` it is worked out by itself: a percentile, the share of a
    tier. `count` is the column that says how many it is known from. More of it costs more where `sign` is +1, less
    where it is -1. `drivers` are those of the spend that it moves. What `has_bursts` goes up for an hour or two and
    comes down again by itself, as when a provider has a hiccup.
    """

    name: str
    title: str
    unit: str
    top: tuple[str, ...] = ()
    bottom: str = ""
    per: int = 0
    count: str = "requests"
    sign: int = 1
    drivers: tuple[str, ...] = ()
    has_bursts: bool = False


TIER_SHARE, PERCENTILE = "routing_share", "p95_prompt_tokens"
"""Measures that are no quotient of two sums."""

TRAFFIC = ("volume", "feature_mix", "cohort_mix", "new_features", "vanished_features")
"""Drivers that more or fewer requests move."""

MEASURES: dict[str, Measure] = {
    each.name: each
    for each in (
        Measure(
            *("tokens_per_minute", "Tokens a minute", TOKENS, ("input_tokens", "output_tokens")),
            per=60,
            drivers=TRAFFIC,
        ),
        Measure("requests_per_minute", "Requests a minute", COUNT, ("requests",), per=60, drivers=TRAFFIC),
        Measure(
            *("prompt_tokens", "Input tokens of an attempt", TOKENS, ("input_tokens",), "attempts"),
            count="attempts",
            drivers=("prompt_length",),
        ),
        Measure(PERCENTILE, "Prompt length, 95th percentile", TOKENS, drivers=("prompt_length",)),
        Measure(
            *("output_tokens", "Output tokens of an attempt", TOKENS, ("output_tokens",), "attempts"),
            count="attempts",
            drivers=("output_length", "reasoning"),
        ),
        Measure(
            *("prompt_cache_share", "Input tokens read from the prompt cache", SHARE, ("cache_read_tokens",)),
            bottom="input_tokens",
            # A share of tokens is known from few tokens; the attempts that had them are what counts.
            count="attempts",
            sign=-1,
            drivers=("prompt_cache",),
        ),
        Measure(
            *("gateway_hit_rate", "Requests answered by the gateway's cache", SHARE, ("gateway_hits",)),
            bottom="gateway_lookups",
            count="gateway_lookups",
            sign=-1,
            drivers=("gateway_cache",),
        ),
        Measure(TIER_SHARE, "Requests routed", SHARE, drivers=("routing",)),
        Measure(
            *("retry_rate", "Requests with a failed attempt", SHARE, ("failed_requests",), "requests"),
            drivers=("retries",),
            has_bursts=True,
        ),
        Measure("cost_per_request", "Dollars of a request", USD, ("cost_usd",), "requests"),
        Measure("cost_per_hour", "Dollars an hour", USD, ("cost_usd",), per=3600),
        Measure(
            *("unpriced_share", "Attempts without a price", SHARE, ("unpriced_attempts",), "attempts"),
            count="attempts",
        ),
    )
}
"""Every measure of a limit, beside the use of a budget (`budget.NAME`)."""

NO_SIGNALS = ("requests_per_minute", "unpriced_share")
"""Measures that are no signal: tokens tell of requests too, and a missing price is told exactly."""

BUDGET = "budget."
TIER = "model_tier"

VALUE, CHANGE, TIMES = "value", "change", "times"
"""What a bound is: the value itself, a change of the one before, or a multiple of it."""

DEFAULT_OVER = timedelta(hours=24)
DEFAULT_VERSUS = timedelta(days=7)

_LIMIT = re.compile(
    r"(?P<measure>budget\.[^<>=()]*[^<>=()\s]|[a-z][a-z0-9_]*)\s*(?:\((?P<where>[^()]*)\))?\s*"
    r"(?P<op><=|>=)\s*(?P<sign>[+-]?)\$?(?P<number>\d+(?:\.\d+)?)(?P<suffix>%|x?)"
    r"(?:\s+vs\s+(?P<versus>\d{1,4}[hdw]))?(?:\s+over\s+(?P<over>\d{1,4}[hdw]))?"
)
_CONDITION = re.compile(r'\s*(?P<name>\w+)\s*=\s*"(?P<value>(?:[^"\\]|\\.)*)"\s*(?:,|$)')
_SPAN = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

FORM = (
    'MEASURE(dimension = "value") <= BOUND vs 7d over 24h, such as retry_rate <= 5% or cost_per_request <= +15% vs 7d'
)


@dataclass(frozen=True)
class Limit:
    """A bound of a measure over the hours before the check: of the part of the spend that `where` names.

    `bound` is a value in the unit of the measure, a change (0.15 is +15 %) or a multiple of the same measure over
    `versus` before the window, according to `kind`. `is_most` says that more than the bound fires, else less.
    """

    text: str
    measure: str
    where: Mapping[str, str]
    is_most: bool
    kind: str
    bound: Decimal
    over: timedelta = DEFAULT_OVER
    versus: timedelta | None = None

    @property
    def budget(self) -> str | None:
        """The name of the budget that the limit is about; None where it is about a measure."""
        return self.measure.removeprefix(BUDGET) if self.measure.startswith(BUDGET) else None


def read_limit(reader: Reader, text: str, where: str) -> Limit:
    """Return the limit that a line of text means; raises ConfigError that says what is allowed."""
    found = _LIMIT.fullmatch(text.strip())
    if found is None:
        raise reader.fail(where, f"{text!r} is no limit; write {FORM}")
    measure, conditions = found["measure"], _conditions(reader, found["where"] or "", text, where)
    is_budget = measure.startswith(BUDGET)
    if not is_budget and measure not in MEASURES:
        raise reader.fail(where, f"{measure!r} is not known; allowed: {', '.join(MEASURES)}, {BUDGET}NAME")
    if is_budget and (conditions or found["versus"] or found["over"] or found["sign"] or found["suffix"] != "%"):
        raise reader.fail(where, f"{text!r}: a budget is limited by a percentage alone, such as {measure} <= 90%")
    if measure == TIER_SHARE and TIER not in conditions:
        raise reader.fail(where, f'{text!r}: {TIER_SHARE} needs a tier, such as {TIER_SHARE}({TIER} = "frontier")')
    kind = CHANGE if found["sign"] else TIMES if found["suffix"] == "x" else VALUE
    if kind == CHANGE and found["suffix"] != "%":
        raise reader.fail(where, f"{text!r}: a change is a percentage, such as +15%")
    if kind == VALUE and found["versus"]:
        raise reader.fail(where, f"{text!r}: vs goes with a change (+15%) or a multiple (3x)")
    if kind == VALUE and found["suffix"] == "%" and not is_budget and MEASURES[measure].unit != SHARE:
        raise reader.fail(where, f"{text!r}: {measure} is no share; write its value, or a change such as +15%")
    number = Decimal(found["number"]) * (-1 if found["sign"] == "-" else 1)
    return Limit(
        text=text.strip(),
        measure=measure,
        where=conditions,
        is_most=found["op"] == "<=",
        kind=kind,
        bound=number / 100 if found["suffix"] == "%" else number,
        over=_span(found["over"]) or DEFAULT_OVER,
        versus=None if kind == VALUE else _span(found["versus"]) or DEFAULT_VERSUS,
    )


def _conditions(reader: Reader, text: str, limit: str, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    place = 0
    while text[place:].strip():
        condition = _CONDITION.match(text, place)
        if condition is None:
            raise reader.fail(where, f'{limit!r}: in brackets stands dimension = "value", more of them after commas')
        if condition["name"] not in schema.DIMENSIONS:
            raise reader.fail(where, f"{condition['name']!r} is no dimension; allowed: {', '.join(schema.DIMENSIONS)}")
        found[condition["name"]] = re.sub(r"\\(.)", r"\1", condition["value"])
        place = condition.end()
    return found


def _span(text: str | None) -> timedelta | None:
    return int(text[:-1]) * _SPAN[text[-1]] if text else None
