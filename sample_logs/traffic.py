"""Traffic through the company's gateways: features, the planted causes, and what happens to one request.

Every draw of a request is made whether it is needed or not, so a world with a cause and one without it differ by
that cause alone.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from company import (
    BEDROCK_SONNET,
    COHORTS,
    DAYS,
    EMBEDDING,
    FLASH_LITE,
    GPT_FRONTIER,
    GPT_MID,
    GPT_MINI,
    HAIKU,
    IN_HOUSE,
    OPUS,
    SECOND,
    SONNET,
    Model,
    hexes,
    moment,
    pick,
    spread,
    stream_of,
    uuid,
    volume,
)
from prices import Tokens

LONGEST_PROMPT = 265_000
"""Stays below the long-context prices of every model in the sample."""


@dataclass(frozen=True)
class Cause:
    """A planted cause: from `starts` on it changes one feature."""

    name: str
    feature: str
    starts: date
    driver: str
    story: str


ROUTING = Cause(
    "routing_drift",
    "chat_support",
    date(2026, 11, 1),
    "routing",
    "an auto-router setting sends 55 % instead of 8 % of the conversations to the frontier model",
)
PROMPTS = Cause(
    "prompt_growth",
    "search_rag",
    date(2026, 10, 22),
    "prompt_len",
    "retrieved context grows by 2.5 % a day until prompts are twice as long",
)
CACHE = Cause(
    "prompt_cache_miss",
    "doc_summarize",
    date(2026, 11, 5),
    "prompt_cache",
    "the system prompt became per-user, so the prompt cache serves 25 % instead of 70 % of the input",
)
CAUSES = (ROUTING, PROMPTS, CACHE)

_FRONTIER_SHARE = (0.08, 0.55)
_CACHE_HITS = (0.82, 0.31)
"""Share of the requests whose prefix (85 % of the prompt) is read from the prompt cache, before and after."""
_DAILY_GROWTH = 1.025


@dataclass(frozen=True)
class Feature:
    """How one feature uses the gateway: volumes a weekday, median lengths in tokens, shares of requests."""

    name: str
    team: str
    key: str
    calls: int
    models: tuple[tuple[Model, float], ...]
    prompt: int
    output: int
    tagging: str
    reasoning: float = 0.0
    prefix: float = 0.0
    prefix_hits: float = 0.0
    gateway_hits: float = 0.0
    streamed: float = 0.0
    fallback: Model | None = None
    sessions: bool = False
    router: str | None = None


FEATURES = (
    Feature(
        "chat_support", "support", "support-chat-prod", 80, ((HAIKU, 0.7), (SONNET, 0.3)), 84_000, 1_200, "tags",
        prefix=0.2, prefix_hits=0.85, gateway_hits=0.03, streamed=0.75, fallback=GPT_MID, sessions=True,
        router="smart-router",
    ),
    Feature(
        "search_rag", "platform", "search-prod", 62, ((GPT_FRONTIER, 0.7), (SONNET, 0.3)), 62_000, 1_100, "metadata",
        reasoning=0.25, gateway_hits=0.04, fallback=BEDROCK_SONNET,
    ),
    Feature(
        "search_rag", "platform", "search-prod", 12, ((EMBEDDING, 1.0),), 900, 0, "metadata",
    ),
    Feature(
        "doc_summarize", "growth", "documents-prod", 48, ((SONNET, 0.75), (BEDROCK_SONNET, 0.25)), 112_000, 2_200,
        "tags", prefix=0.85, prefix_hits=_CACHE_HITS[0], fallback=BEDROCK_SONNET,
    ),
    Feature(
        "ticket_classify", "support", "support-batch", 26,
        ((FLASH_LITE, 0.7), (GPT_MINI, 0.24), (IN_HOUSE, 0.06)), 3_200, 60, "spend_logs_metadata",
        gateway_hits=0.1,
    ),
    Feature(
        "email_draft", "growth", "growth-mailer", 18, ((GPT_MINI, 0.5), (GPT_MID, 0.5)), 9_000, 650, "metadata",
        reasoning=0.15, prefix=0.5, prefix_hits=0.7, streamed=0.5, sessions=True,
    ),
    Feature(
        "", "platform", "platform-scratch", 8, ((GPT_MID, 0.6), (HAIKU, 0.4)), 14_000, 800, "none",
    ),
)  # fmt: skip
"""The main gateway. The last one is people's own scripts: nothing says what they are for."""

OLD_PROXY = (
    Feature(
        "ad_copy", "growth", "growth-ads", 26, ((GPT_MID, 0.6), (SONNET, 0.4)), 24_000, 1_600, "tags",
        reasoning=0.2, gateway_hits=0.03, streamed=0.3, sessions=True,
    ),
    Feature(
        "lead_scoring", "growth", "growth-crm", 18, ((GPT_MINI, 0.7), (HAIKU, 0.3)), 6_500, 120,
        "spend_logs_metadata", gateway_hits=0.05,
    ),
)  # fmt: skip
"""The second proxy, which one team still uses."""


@dataclass(frozen=True)
class Failure:
    """An error as the provider gave it."""

    http_status: int
    code: str
    error_class: str
    normalized: str
    message: str


_RATE_LIMITED = Failure(429, "429", "RateLimitError", "429_RATE_LIMIT_EXCEEDED", "Rate limit reached")
_OVERLOADED = Failure(529, "500", "InternalServerError", "503_PROVIDER_OVERLOADED", "Overloaded")
_UNAVAILABLE = Failure(503, "503", "ServiceUnavailableError", "503_PROVIDER_OVERLOADED", "Service unavailable")
_BROKEN = Failure(500, "server_error", "InternalServerError", "500_PROVIDER_INTERNAL_ERROR", "Internal error")


@dataclass(frozen=True)
class Attempt:
    """One call of a model. Times in epoch microseconds; `first_token` is None unless streamed."""

    started: int
    ended: int
    first_token: int | None
    model: Model
    group: str
    tokens: Tokens
    failure: Failure | None
    answer: str


@dataclass(frozen=True)
class Request:
    """What an application asked once: `failed` precedes `final` when the gateway tried again."""

    feature: Feature
    cohort: str
    user: str
    session: str
    call_id: str
    final: Attempt
    failed: Attempt | None
    retries: int
    fallbacks: int
    outcome: str
    stream: bool
    score: float = 0.0
    attempts: tuple[Attempt, ...] = field(init=False)

    def __post_init__(self) -> None:
        both = (self.failed, self.final) if self.failed else (self.final,)
        object.__setattr__(self, "attempts", both)

    @property
    def picodollars(self) -> int:
        """What the request cost; an answer of the gateway's own cache is free."""
        if self.outcome == "hit":
            return 0
        return sum(attempt.model.rates.cost(attempt.tokens) for attempt in self.attempts)

    @property
    def avoided(self) -> int:
        """What an answer of the gateway's own cache would have cost, in picodollars."""
        return self.final.model.rates.cost(self.final.tokens) if self.outcome == "hit" else 0


_OUTCOMES = (("retried", 0.008), ("fell_back", 0.005), ("failed", 0.004), ("cancelled", 0.003), ("ok", 0.98))


def requests(seed: int, features: tuple[Feature, ...], causes: frozenset[Cause]) -> Iterator[Request]:
    """Yield the traffic of some features in a world where some causes are at work, day by day."""
    for day in DAYS:
        for place, feature in enumerate(features):
            count = volume(seed, f"{feature.key}/{place}", day, feature.calls)
            for number in range(count):
                yield _request(seed, feature, day, (place, number, count), causes)


def _request(seed: int, feature: Feature, day: date, place: tuple[int, int, int], causes: frozenset[Cause]) -> Request:
    position, number, count = place
    draws = stream_of(seed, feature.key, position, day, number)
    session = int(draws.random() * max(1, count // 4))
    who = stream_of(seed, feature.key, position, day, "session", session)
    cohort, user = pick(who.random(), COHORTS), f"cust-{int(who.random() * 900):04d}"
    session_id = f"{feature.name.split('_')[0]}-{hexes(who, 12)}" if feature.sessions else ""
    started, call_id, score = moment(draws, day), uuid(draws), draws.random()
    model = _route(feature, day, score, causes)
    tokens = _tokens(feature, model, day, draws, causes)
    outcome = _outcome(feature, model, draws)
    stream = draws.random() < feature.streamed or outcome == "cancelled"
    shape = (draws.random(), draws.random(), hexes(draws, 24))
    attempts = _attempts(feature, model, (started, *shape), (tokens, outcome, stream))
    return Request(
        feature, cohort, user, session_id, call_id, attempts[-1], attempts[0] if len(attempts) > 1 else None,
        retries=(1 if shape[1] < 0.7 else 2) if outcome == "retried" else 0,
        fallbacks=int(outcome == "fell_back"), outcome=outcome, stream=stream, score=score,
    )  # fmt: skip


def _since(cause: Cause, day: date, causes: frozenset[Cause]) -> bool:
    return cause in causes and day >= cause.starts


def _route(feature: Feature, day: date, score: float, causes: frozenset[Cause]) -> Model:
    """Return the model that serves a request; the draw that sends it to the frontier is the router's score."""
    if feature.router:
        frontier = _FRONTIER_SHARE[_since(ROUTING, day, causes)]
        if score < frontier:
            return OPUS
        score = (score - frontier) / (1 - frontier)
    for model, weight in feature.models:
        score -= weight
        if score < 0:
            return model
    return feature.models[-1][0]


def _tokens(feature: Feature, model: Model, day: date, draws: random.Random, causes: frozenset[Cause]) -> Tokens:
    length, verbosity, hit, thinking = (draws.random() for _ in range(4))
    prompt = feature.prompt * spread(length)
    if feature.name == PROMPTS.feature and model is not EMBEDDING and _since(PROMPTS, day, causes):
        for _ in range((day - PROMPTS.starts).days + 1):
            prompt *= _DAILY_GROWTH
    prompt_tokens = min(LONGEST_PROMPT, int(prompt))
    output = max(1, int(feature.output * spread(verbosity))) if feature.output else 0
    reasoning = int(output * feature.reasoning * 2 * thinking) if model.group.startswith("gpt-") else 0
    hits = _CACHE_HITS[1] if feature.name == CACHE.feature and _since(CACHE, day, causes) else feature.prefix_hits
    prefix = int(prompt_tokens * feature.prefix) // 64 * 64
    read = prefix if hit < hits else 0
    write = prefix - read if model.caches_explicitly else 0
    return Tokens(prompt_tokens - read - write, read, write, 0, output - reasoning, reasoning)


def _outcome(feature: Feature, model: Model, draws: random.Random) -> str:
    from_cache, fate = draws.random() < feature.gateway_hits, pick(draws.random(), _OUTCOMES)
    if from_cache:
        return "hit"
    if model is EMBEDDING or (fate == "cancelled" and not feature.streamed):
        return "ok"
    return "retried" if fate == "fell_back" and feature.fallback in (None, model) else fate


def _attempts(
    feature: Feature, model: Model, shape: tuple[int, float, float, str], course: tuple[Tokens, str, bool]
) -> list[Attempt]:
    """Return the attempts of a request that the gateway writes down: at most one that failed, and the last."""
    started, pace, error, answer = shape
    tokens, outcome, stream = course
    group = feature.router or model.group
    attempts = []
    if outcome in ("retried", "fell_back", "failed"):
        ended = started + int((0.2 + pace) * SECOND)
        attempts.append(Attempt(started, ended, None, model, group, Tokens(), _failure(model, error), answer))
        started = ended + int((0.5 + error) * SECOND)
    if outcome == "failed":
        return attempts
    if outcome == "fell_back" and feature.fallback:
        model = feature.fallback
        group = model.group
        tokens = _without_cache(tokens)
    if outcome == "hit":
        return [Attempt(started, started + 900 + int(pace * 9000), None, model, group, tokens, None, answer)]
    if outcome == "cancelled":
        # The gateway counts what it saw with its own tokenizer when the client hangs up.
        tokens = Tokens(tokens.prompt, text=max(1, int(tokens.completion * error * 0.5)))
    first = int((0.25 + 0.5 * pace + tokens.prompt / 60_000) * SECOND)
    whole = first + int(tokens.completion * SECOND * (0.8 + 0.4 * pace) / model.tokens_per_second)
    attempts.append(
        Attempt(started, started + whole, started + first if stream else None, model, group, tokens, None, answer)
    )
    return attempts


def _without_cache(tokens: Tokens) -> Tokens:
    """Return the same call at a provider whose prompt cache is cold and not asked to write."""
    return Tokens(tokens.prompt, text=tokens.completion)


def _failure(model: Model, draw: float) -> Failure:
    if draw < 0.6:
        return _RATE_LIMITED
    if model.provider == "anthropic":
        return _OVERLOADED
    return _UNAVAILABLE if draw < 0.85 else _BROKEN
