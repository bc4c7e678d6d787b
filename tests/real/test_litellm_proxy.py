"""Holds the logs that LiteLLM's proxy writes against what the providers behind it really answered."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lab import Lab

from real.litellm_proxy import Proxy, proxy
from real.measured import answers, failed, failures, less
from real.receiver import Receiver
from real.stand_in import Attempt, StandIn, Tokens

if TYPE_CHECKING:
    from real.programs import Programs

pytestmark = pytest.mark.real

LITELLM = "litellm[proxy]==1.108.7"
"""One version, so that what it cannot tell stays the same; its extra pins packages that not every version finds."""

SINKS = ("sink", "bucket")
"""generic_api posts JSON arrays, s3_v2 puts one object a record."""

LOG_SECONDS = 60
QUIET_SECONDS = 4
"""Both destinations are written to every second."""

CHATS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain-one [200]": ("chat", {}),
    "plain-two [200]": ("chat", {}),
    "plain-three [200]": ("chat", {"temperature": 0.5}),
    "large [200]": ("busy", {}),
    "stream [200]": ("chat", {"stream": True}),
    "stream-told [200]": ("chat", {"stream": True, "stream_options": {"include_usage": True}}),
    "stream-retried [429 200]": ("chat", {"stream": True}),
    "retried-once [500 200]": ("chat", {}),
    "retried-twice [429 500 200]": ("chat", {}),
    "exhausted [429]": ("chat", {}),
    "refused [400]": ("chat", {}),
    "fallback [429 429 429 200]": ("busy", {}),
    "fallback-retried [500 500 500 529 200]": ("busy", {}),
    "claude-one [200]": ("claude", {}),
    "claude-stream [200]": ("claude", {"stream": True}),
    "claude-retried [529 200]": ("claude", {}),
    "claude-exhausted [529]": ("claude", {}),
    "hit-one [200]": ("chat", {}),
    "hit-two [200]": ("claude", {}),
}
HITS = ("hit-one [200]", "hit-two [200]")
"""Asked twice: the second time the proxy's own cache answers."""

EMBEDDINGS = ("vectors-one [200]", "vectors-two [200]", "vectors-retried [500 200]")
RESPONSES = {"response [200]": False, "response-stream [200]": True, "response-retried [500 200]": False}
MESSAGES = {
    "message [200]": False,
    "message-stream [200]": True,
    "message-retried [529 200]": False,
    "message-refused [400]": False,
}

RENAMED = {
    *("claude-one", "claude-stream", "claude-retried", "hit-two", "fallback", "fallback-retried"),
    *("response", "response-stream", "response-retried"),
    *("vectors-one", "vectors-two", "vectors-retried"),
}
"""LiteLLM gives these answers an id of its own: other providers' chats, and responses; embeddings have none."""

UNTOLD = {
    # A request that fails finally leaves one record, whatever was tried.
    "exhausted": 2,
    "claude-exhausted": 2,
    # The count of retries starts anew after a fallback.
    "fallback": 2,
    "fallback-retried": 2,
    # The OpenAI client inside LiteLLM tries embeddings again by itself.
    "vectors-retried": 1,
}
"""Failed attempts by case that LiteLLM's records do not tell of."""


@dataclass(frozen=True)
class Traffic:
    """What the client saw by case, what the providers answered, where the logs are, and a store of each sink."""

    statuses: dict[str, list[int]]
    truth: list[Attempt]
    logs: Path
    labs: dict[str, Lab]

    @property
    def billed(self) -> dict[str, Tokens]:
        return {attempt.case: attempt.tokens for attempt in self.truth if attempt.billed}


def ask_everything(gateway: Proxy) -> dict[str, list[int]]:
    """Ask every case once, and those of HITS twice; return the statuses that the client saw, by case."""
    statuses: dict[str, list[int]] = {}

    def ask(path: str, prompt: str, body: dict[str, Any]) -> None:
        case = prompt.split(maxsplit=1)[0]
        body |= {"litellm_metadata" if path == "/v1/messages" else "metadata": {"tags": [f"case:{case}"]}}
        statuses.setdefault(case, []).append(gateway.ask(path, body))

    for prompt in (*CHATS, *HITS):
        group, options = CHATS[prompt]
        ask("/v1/chat/completions", prompt, {"model": group, "messages": _user(prompt), **options})
    for prompt in EMBEDDINGS:
        ask("/v1/embeddings", prompt, {"model": "vectors", "input": prompt})
    for prompt, stream in RESPONSES.items():
        ask("/v1/responses", prompt, {"model": "chat", "input": prompt, "stream": stream})
    for prompt, stream in MESSAGES.items():
        body = {"model": "claude", "max_tokens": 100, "messages": _user(prompt), "stream": stream}
        ask("/v1/messages", prompt, body)
    return statuses


def _user(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]


def wait_for_logs(logs: Receiver) -> None:
    """Return when nothing more has come for a while."""
    deadline = time.monotonic() + LOG_SECONDS
    seen, since = -1, time.monotonic()
    while time.monotonic() < min(deadline, since + QUIET_SECONDS):
        count = sum(len(logs.files(sink)) for sink in SINKS)
        if count != seen:
            seen, since = count, time.monotonic()
        time.sleep(0.2)


@pytest.fixture(scope="session")
def traffic(programs: "Programs", tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    folder = tmp_path_factory.mktemp("litellm")
    executables = programs.python(LITELLM)
    with (
        StandIn() as provider,
        Receiver(folder / "logs") as logs,
        proxy(executables, folder, provider.address, logs.address) as gateway,
    ):
        statuses = ask_everything(gateway)
        wait_for_logs(logs)
    labs = {sink: Lab(tmp_path_factory.mktemp(sink)) for sink in SINKS}
    for sink, lab in labs.items():
        lab.ingest(folder / "logs" / sink)
    return Traffic(statuses, provider.truth, folder / "logs", labs)


each_sink = pytest.mark.parametrize("sink", SINKS)


def test_traffic_is_what_the_cases_say(traffic: Traffic) -> None:
    """The proxy did what the other tests suppose: each answered case is billed once, with tokens of its own."""
    assert len(traffic.statuses) == len(CHATS) + len(EMBEDDINGS) + len(RESPONSES) + len(MESSAGES)
    refused = {case for case, statuses in traffic.statuses.items() if statuses[0] != 200}
    assert refused == {"exhausted", "refused", "claude-exhausted", "message-refused"}
    answered = [attempt for attempt in traffic.truth if attempt.billed]
    assert len(answered) == len(traffic.billed) == len(traffic.statuses) - len(refused)
    assert len(set(traffic.billed.values())) == len(answered)


@each_sink
def test_every_answer_has_the_tokens_that_were_billed(traffic: Traffic, sink: str) -> None:
    found = answers(traffic.labs[sink], "case")
    assert {answer.usage_source for answer in found} == {"reported"}
    assert {answer.case: answer.tokens for answer in found} == traffic.billed
    assert len(found) == len(traffic.billed)


@each_sink
def test_answers_with_the_providers_id_are_those_answers(traffic: Traffic, sink: str) -> None:
    truth = {attempt.response_id: (attempt.case, attempt.tokens) for attempt in traffic.truth if attempt.billed}
    found = {answer.response_id: (answer.case, answer.tokens) for answer in answers(traffic.labs[sink], "case")}
    kept = {response_id: known for response_id, known in found.items() if response_id and response_id in truth}
    assert kept == {response_id: truth[response_id] for response_id in kept}
    assert traffic.billed.keys() - {case for case, _ in kept.values()} == RENAMED


@each_sink
def test_failed_requests_are_errors_and_answered_ones_are_not(traffic: Traffic, sink: str) -> None:
    requests = traffic.labs[sink].rows(
        "SELECT any_value(tags['case']), list_contains(list(status), 'ok') FROM attempts "
        "WHERE gateway_cache IS DISTINCT FROM 'hit' GROUP BY request_id"
    )
    assert len(requests) == len(traffic.statuses)
    assert dict(requests) == {case: statuses[0] == 200 for case, statuses in traffic.statuses.items()}


@each_sink
def test_failed_attempts_are_told_but_for_those_named(traffic: Traffic, sink: str) -> None:
    assert less(failed(traffic.truth), failures(traffic.labs[sink], "case")) == UNTOLD


@each_sink
def test_answers_of_the_gateways_cache_cost_nothing(traffic: Traffic, sink: str) -> None:
    hits = traffic.labs[sink].rows(
        "SELECT tags['case'], effective_cost, reported_cost, avoided_cost > 0 FROM attempts "
        "WHERE gateway_cache = 'hit' ORDER BY 1"
    )
    assert hits == [(prompt.split()[0], 0, 0, True) for prompt in HITS]


@each_sink
def test_fallbacks_name_both_groups(traffic: Traffic, sink: str) -> None:
    found = traffic.labs[sink].rows(
        "SELECT tags['case'], routing_path, contains(price_model, 'claude') FROM attempts WHERE is_fallback ORDER BY 1"
    )
    assert found == [("fallback", "busy > claude", True), ("fallback-retried", "busy > claude", True)]


def test_two_destinations_tell_of_the_same_attempts(lab: Lab, traffic: Traffic) -> None:
    lab.ingest(traffic.logs)
    totals = "SELECT count(*), sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT FROM attempts"
    (both,) = lab.rows(totals)
    assert [traffic.labs[sink].rows(totals) for sink in SINKS] == [[both], [both]]
    assert lab.value("SELECT sum(duplicates)::BIGINT FROM loads") == both[0]
