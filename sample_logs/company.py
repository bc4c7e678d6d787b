"""The company behind the sample: its calendar, customers and models, and the draws that everything comes from.

No function here uses exp, log or another function whose last digit differs between C libraries, so that the same
seed gives the same bytes on every machine.
"""

import hashlib
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import prices
from prices import Rates

FIRST_DAY = date(2026, 9, 20)
LAST_DAY = date(2026, 11, 18)
DAYS = tuple(FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1))
CURRENT_FROM = date(2026, 10, 20)
"""First day of the last 30 days; the 30 days before are what they are compared with."""

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_WEEKDAYS = (1.0, 1.04, 1.05, 1.02, 0.93, 0.34, 0.3)
_HOURS = (1, 1, 1, 1, 1, 2, 4, 9, 14, 18, 19, 17, 14, 17, 19, 18, 15, 12, 8, 6, 5, 4, 3, 2)
"""Share of a day's work that starts in each UTC hour."""

_QUANTILES = (
    (0.0, 0.40), (0.05, 0.52), (0.1, 0.60), (0.2, 0.714), (0.3, 0.81), (0.4, 0.904), (0.5, 1.0),
    (0.6, 1.107), (0.7, 1.233), (0.8, 1.4), (0.9, 1.67), (0.95, 1.93), (1.0, 2.5),
)  # fmt: skip
"""Quantiles of a right-skewed distribution with median 1."""

COHORTS = (("free", 0.34), ("pro", 0.38), ("enterprise", 0.22), ("internal", 0.06))


@dataclass(frozen=True)
class Model:
    """One deployment of the gateways: `group` is what clients ask for, `logged` what the gateway writes."""

    group: str
    logged: str
    provider: str
    api_base: str
    rates: Rates
    tokens_per_second: int

    @property
    def caches_explicitly(self) -> bool:
        """True where a cache write is a kind of token of its own (the Claude models)."""
        return "claude" in self.logged

    @property
    def deployment_id(self) -> str:
        """Id that the gateway gives the deployment: a hash."""
        return hashlib.sha256(self.logged.encode()).hexdigest()


_OPENAI = "https://api.openai.com/v1"
_ANTHROPIC = "https://api.anthropic.com/v1/messages"
GPT_MINI = Model("gpt-mini", "openai/gpt-5.4-mini", "openai", _OPENAI, prices.GPT_MINI, 140)
GPT_MID = Model("gpt-mid", "openai/gpt-5.4", "openai", _OPENAI, prices.GPT_MID, 80)
GPT_FRONTIER = Model("gpt-frontier", "openai/gpt-5.5", "openai", _OPENAI, prices.GPT_FRONTIER, 55)
EMBEDDING = Model("embed-small", "openai/text-embedding-3-small", "openai", _OPENAI, prices.EMBEDDING, 1)
HAIKU = Model("claude-haiku", "anthropic/claude-haiku-4-5-20251001", "anthropic", _ANTHROPIC, prices.HAIKU, 130)
SONNET = Model("claude-sonnet", "anthropic/claude-sonnet-4-6", "anthropic", _ANTHROPIC, prices.SONNET, 70)
OPUS = Model("claude-opus", "anthropic/claude-opus-4-8", "anthropic", _ANTHROPIC, prices.OPUS, 50)
FLASH_LITE = Model(
    "gemini-flash-lite",
    "gemini/gemini-2.5-flash-lite",
    "gemini",
    "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash-lite:generateContent",
    prices.FLASH_LITE,
    220,
)
BEDROCK_SONNET = Model(
    "bedrock-sonnet",
    "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "bedrock",
    "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
    prices.BEDROCK_SONNET,
    65,
)
IN_HOUSE = Model("triage", "openai/nw-triage-8b", "openai", "http://triage.internal:8000/v1", prices.FREE, 180)


def stream_of(seed: int, *place: object) -> random.Random:
    """Return the random numbers that belong to one place of the sample, whatever happens elsewhere in it."""
    return random.Random("/".join(map(str, (seed, *place))))  # noqa: S311


def spread(draw: float) -> float:
    """Return the factor at a quantile (0..1) of a right-skewed distribution with median 1."""
    for (low, start), (high, end) in pairwise(_QUANTILES):
        if draw <= high:
            return start + (end - start) * (draw - low) / (high - low)
    return _QUANTILES[-1][1]


def pick(draw: float, weighted: tuple[tuple[str, float], ...]) -> str:
    """Return the name at a point (0..1) of the weights' running sum."""
    for name, weight in weighted:
        draw -= weight
        if draw < 0:
            return name
    return weighted[-1][0]


def volume(seed: int, name: str, day: date, on_a_weekday: float, weekend: float = 1.0) -> int:
    """Return how many times something happens on a day; `weekend` scales the usual weekend dip."""
    factor = _WEEKDAYS[day.weekday()] * (weekend if day.weekday() >= 5 else 1.0)
    noise = 0.96 + 0.08 * stream_of(seed, "volume", name, day).random()
    return int(on_a_weekday * factor * noise + 0.5)


def moment(draws: random.Random, day: date) -> int:
    """Return a moment of the day after the company's daily cycle, in epoch microseconds."""
    point = draws.random() * sum(_HOURS)
    hour = 0
    while point >= _HOURS[hour]:
        point -= _HOURS[hour]
        hour += 1
    return midnight(day) + hour * 3600 * SECOND + int(draws.random() * 3500 * SECOND)


def midnight(day: date) -> int:
    """Return the first moment of a UTC day in epoch microseconds."""
    return (day - _EPOCH.date()).days * 86_400 * SECOND


def when(microseconds: int) -> datetime:
    """Return epoch microseconds as a moment in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def hexes(draws: random.Random, digits: int) -> str:
    """Return random hexadecimal digits."""
    return f"{draws.getrandbits(4 * digits):0{digits}x}"


def uuid(draws: random.Random) -> str:
    """Return a random version 4 UUID."""
    digits = hexes(draws, 32)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
