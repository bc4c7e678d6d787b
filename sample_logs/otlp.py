"""Writes the research agent's traces as OTLP/JSON: one run is one trace, and one line of a file.

Feature, cohort, user and session are on the root span only. Half of the runs come from hosts where the HTTP client
is instrumented too, so that failed attempts inside a call show as child spans of their own.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import prices
from company import DAYS, SECOND, hexes, moment, pick, spread, stream_of, volume
from prices import Rates, Tokens

Json = dict[str, Any]

FEATURE = "agent_research"
RUNS_A_WEEKDAY = 18
_COHORTS = (("enterprise", 0.62), ("pro", 0.3), ("internal", 0.08))
_SCOPES = {
    "app": ("research-agent", "3.2.0"),
    "openai": ("opentelemetry.instrumentation.genai.openai", "1.3b0"),
    "anthropic": ("opentelemetry.instrumentation.genai.anthropic", "1.3b0"),
    "http": ("opentelemetry.instrumentation.httpx", "0.66b2"),
}
_HOSTS = {"openai": "api.openai.com", "anthropic": "api.anthropic.com"}
_PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
_ANSWERED_AS = {"gpt-5.5": "gpt-5.5-2026-04-23", "claude-opus-4-8": "claude-opus-4-8"}
_INTERNAL, _SERVER, _CLIENT = 1, 2, 3


@dataclass(frozen=True)
class Call:
    """One call of a model within a run. `tries` counts the HTTP attempts, all but the last of which failed."""

    started: int
    rates: Rates
    tokens: Tokens
    cohort: str
    failed: bool
    tries: int
    http_logged: bool

    @property
    def picodollars(self) -> int:
        """What the call cost."""
        return self.rates.cost(self.tokens)


@dataclass
class Run:
    """One trace: the day it belongs to, its calls, and the line that logs it."""

    day: date
    calls: list[Call]
    line: Json


@dataclass
class _Trace:
    """A trace while it is written; times are epoch microseconds."""

    draws: random.Random
    trace_id: str
    root: str
    now: int
    http_logged: bool
    spans: dict[str, list[Json]] = field(default_factory=dict)

    def add(self, scope: str, name: str, parent: str, **rest: object) -> str:
        """Append a span and return its id."""
        span_id = hexes(self.draws, 16)
        place = {"traceId": self.trace_id, "spanId": span_id, "parentSpanId": parent, "flags": 256, "name": name}
        self.spans.setdefault(scope, []).append({**place, **rest})
        return span_id


def runs(seed: int) -> Iterator[Run]:
    """Yield every run of the sample."""
    for day in DAYS:
        for number in range(volume(seed, FEATURE, day, RUNS_A_WEEKDAY)):
            yield _run(seed, day, number)


def _run(seed: int, day: date, number: int) -> Run:
    draws = stream_of(seed, "otlp", day, number)
    started = moment(draws, day)
    trace = _Trace(draws, hexes(draws, 32), hexes(draws, 16), started, draws.random() < 0.5)
    cohort, user = pick(draws.random(), _COHORTS), f"acct-{int(draws.random() * 160):03d}"
    rates = prices.GPT_FRONTIER if draws.random() < 0.6 else prices.OPUS
    context, calls = 20_000 + int(20_000 * draws.random()), []
    for step in range(3 + int(draws.random() * 4)):
        calls.append(_call(trace, rates, cohort, context if step else 0))
        context = min(180_000, calls[-1].tokens.prompt + int(9_000 * spread(draws.random())) or context)
        if draws.random() < 0.7:
            _tool(trace)
    attributes = {
        "app.feature": FEATURE,
        "app.cohort": cohort,
        "session.id": f"research-{trace.trace_id[:10]}",
        "user.id": user,
        "enduser.id": user,
    }
    root = {"traceId": trace.trace_id, "spanId": trace.root, "flags": 256, "name": "research_run", "kind": _SERVER}
    times = _times(started, trace.now)
    trace.spans.setdefault("app", []).append({**root, **times, "attributes": _attributes(attributes), "status": {}})
    return Run(day, calls, _line(trace))


def _call(trace: _Trace, rates: Rates, cohort: str, known: int) -> Call:
    """Write one call of a model, whose prompt begins with the `known` tokens of the call before."""
    draws = trace.draws
    started, fate, verbosity, thinking = trace.now, draws.random(), draws.random(), draws.random()
    fresh = int(19_000 * spread(draws.random()))
    hit = known and draws.random() < 0.8
    failed, tries = fate < 0.006, 3 if fate < 0.006 else (2 if fate < 0.03 else 1)
    output = int(1_100 * spread(verbosity))
    reasoning = int(output * 0.5 * thinking) if rates.provider == "openai" else 0
    read = known // 128 * 128 if hit else 0
    write = fresh + known - read if rates.provider == "anthropic" else 0
    tokens = Tokens(fresh + known - read - write, read, write, 0, output - reasoning, reasoning)
    if failed:
        tokens = Tokens()
    first = int((0.6 + tokens.prompt / 50_000) * SECOND) + (tries - 1) * SECOND
    ended = started + first + tokens.completion * SECOND // 60
    span = trace.add(
        rates.provider, f"chat {rates.model}", trace.root, kind=_CLIENT, **_times(started, ended),
        attributes=_attributes(_call_attributes(trace, rates, tokens, failed=failed)),
        status={"message": "Error code: 429", "code": 2} if failed else {},
    )  # fmt: skip
    if trace.http_logged:
        _http(trace, rates, span, (started, ended), (tries, failed))
    trace.now = ended + int(0.1 * SECOND)
    return Call(started, rates, tokens, cohort, failed, tries, trace.http_logged)


def _call_attributes(trace: _Trace, rates: Rates, tokens: Tokens, *, failed: bool) -> Json:
    attributes: Json = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": rates.provider,
        "gen_ai.request.model": rates.model,
        "server.address": _HOSTS[rates.provider],
        "server.port": 443,
    }
    if failed:
        return {**attributes, "error.type": f"{rates.provider}.RateLimitError"}
    prefix = "chatcmpl-" if rates.provider == "openai" else "msg_01"
    attributes |= {
        "gen_ai.response.model": _ANSWERED_AS[rates.model],
        "gen_ai.response.id": f"{prefix}{hexes(trace.draws, 22)}",
        "gen_ai.usage.input_tokens": tokens.prompt,
        "gen_ai.usage.output_tokens": tokens.completion,
        "gen_ai.usage.cache_read.input_tokens": tokens.read,
    }
    if tokens.write_5m:
        attributes["gen_ai.usage.cache_write.input_tokens"] = tokens.write_5m
    if rates.provider == "openai":
        attributes["gen_ai.usage.reasoning.output_tokens"] = tokens.reasoning
    return attributes


def _http(trace: _Trace, rates: Rates, parent: str, times: tuple[int, int], course: tuple[int, bool]) -> None:
    """Write one client span for each HTTP attempt of a call."""
    (started, ended), (tries, failed) = times, course
    for number in range(tries):
        last = number == tries - 1
        status = 429 if failed or not last else 200
        moment_ended = ended if last else started + SECOND // 4
        attributes = {
            "http.request.method": "POST",
            "url.full": f"https://{_HOSTS[rates.provider]}{_PATHS[rates.provider]}",
            "http.response.status_code": status,
        }
        trace.add(
            "http", "POST", parent, kind=_CLIENT, **_times(started, moment_ended),
            attributes=_attributes(attributes), status={} if status == 200 else {"code": 2},
        )  # fmt: skip
        started += SECOND


def _tool(trace: _Trace) -> None:
    name = ("web_search", "fetch_page", "run_query")[int(trace.draws.random() * 3)]
    ended = trace.now + int((0.3 + 2 * trace.draws.random()) * SECOND)
    attributes = _attributes({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name})
    times = _times(trace.now, ended)
    trace.add("app", f"execute_tool {name}", trace.root, kind=_INTERNAL, **times, attributes=attributes, status={})
    trace.now = ended


def _line(trace: _Trace) -> Json:
    resource = {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.2",
        "service.name": "research-agent",
        "service.version": "3.2.0",
        "deployment.environment.name": "prod",
        "team": "platform",
    }
    scopes = [
        {"scope": dict(zip(("name", "version"), _SCOPES[scope], strict=True)), "spans": spans}
        for scope, spans in sorted(trace.spans.items())
    ]
    return {"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": scopes}]}


def _times(started: int, ended: int) -> Json:
    return {"startTimeUnixNano": f"{started}000", "endTimeUnixNano": f"{ended}000"}


def _attributes(values: Json) -> list[Json]:
    """Return attributes in OTLP's form; whole numbers are texts there."""
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
    ]
