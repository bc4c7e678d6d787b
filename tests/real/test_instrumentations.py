"""Holds what OpenTelemetry instrumentations write of an application's calls against what the providers answered."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab import Lab

from real.measured import KINDS, answers, failed, failures, less
from real.stand_in import Attempt, StandIn

if TYPE_CHECKING:
    from real.programs import Programs

pytestmark = pytest.mark.real

PROGRAM = Path(__file__).with_name("otel_program.py")
RUN_SECONDS = 90
TAG = "app.case"

NEW = (
    "opentelemetry-exporter-otlp-json-file==0.66b1",
    "opentelemetry-instrumentation-genai-openai==1.3b0",
    "opentelemetry-instrumentation-genai-anthropic==1.3b0",
    "openinference-instrumentation-openai==0.1.66",
    "openinference-instrumentation-anthropic==3.1.0",
    "opentelemetry-instrumentation-openai==0.62.4",
    "opentelemetry-instrumentation-anthropic==0.62.4",
    "openai==3.57.0",
    "anthropic==2.13.0",
)
OLD = (
    "opentelemetry-exporter-otlp-json-file==0.66b1",
    "opentelemetry-instrumentation-openai-v2==2.4b0",
    "opentelemetry-instrumentation-httpx==0.66b2",
    "opentelemetry-util-genai==0.4b0",
    "openai==2.54.0",
)
"""openai-v2 cannot be imported with openai 3 or util-genai 1."""

OPENAI_RETRIES = {"chat-retried": 2, "chat-exhausted": 2, "stream-retried": 1, "response-retried": 1}
"""Attempts that OpenAI's SDK repeated: its instrumentations show the last one only."""


@dataclass(frozen=True)
class Program:
    """One instrumentation and what its files cannot tell, which is everything that may differ from the truth."""

    name: str
    packages: tuple[str, ...]
    unseen: tuple[str, ...] = ()
    """Answered cases without a span."""
    untold: tuple[str, ...] = ()
    """Answered cases whose answer had no usage in it."""
    unknown: tuple[str, ...] = ()
    """Token kinds that it leaves out."""
    unknown_of_streams: tuple[str, ...] = ()
    """Token kinds that it leaves out of streamed chats as well."""
    hidden: tuple[tuple[str, int], ...] = ()
    """Failed attempts that it does not show, by case."""
    duplicates: int = 0
    """Records that tell of a call once more."""

    def unknown_of(self, attempt: Attempt) -> set[str]:
        """Return the token kinds that it leaves out of an answer."""
        streamed_chat = attempt.stream and attempt.path == "/v1/chat/completions"
        return {*self.unknown, *(self.unknown_of_streams if streamed_chat else ())}


SILENT = ("stream-untold",)
RESPONSES = ("response", "response-retried", "response-stream")
RETRIES = tuple(OPENAI_RETRIES.items())
NO_CACHE = ("cache_read", "cache_write_30m", "reasoning")
PROGRAMS = (
    Program("openai_v2", OLD, RESPONSES, SILENT, NO_CACHE, hidden=RETRIES),
    Program("openai_v2_httpx", OLD, RESPONSES, SILENT, NO_CACHE, hidden=(("response-retried", 1),)),
    Program("genai_openai", NEW, untold=SILENT, hidden=RETRIES, duplicates=11),
    Program("openinference_openai", NEW, untold=SILENT, hidden=RETRIES),
    Program("traceloop_openai", NEW, (), SILENT, ("cache_write_30m",), ("reasoning",), RETRIES),
    Program("sdk_anthropic", NEW),
    Program("genai_anthropic", NEW, duplicates=14),
    Program("openinference_anthropic", NEW, duplicates=7),
    Program("traceloop_anthropic", NEW, duplicates=7),
    Program("openinference_and_traceloop_openai", NEW, untold=SILENT, hidden=RETRIES, duplicates=9),
    Program("openinference_and_traceloop_anthropic", NEW, duplicates=12),
)


CHECKED = ("cache_read", "cache_write_5m", "cache_write_1h", "reasoning")
"""Kinds that stand for themselves where others are unknown: those are part of the uncached input or the text."""


@dataclass(frozen=True)
class Run:
    """The truth of the providers, and a lab whose store holds what the program wrote."""

    truth: list[Attempt]
    lab: Lab

    @property
    def billed(self) -> dict[str, Attempt]:
        return {attempt.case: attempt for attempt in self.truth if attempt.billed}


@pytest.fixture(scope="session")
def run(programs: "Programs", tmp_path_factory: pytest.TempPathFactory) -> Callable[[Program], Run]:
    """Run a program once a session and read its traces, logs and metrics."""

    @cache
    def once(program: Program) -> Run:
        executables = programs.python(*program.packages)
        lab = Lab(tmp_path_factory.mktemp(program.name))
        files = lab.folder / "telemetry"
        files.mkdir()
        with StandIn() as provider:
            python = str(executables / "python")
            command = [python, "-W", "ignore", str(PROGRAM), program.name, provider.address, str(files)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RUN_SECONDS)
        assert done.returncode == 0, done.stderr[-3000:]
        lab.ingest(files)
        return Run(provider.truth, lab)

    return once


each_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)


@each_program
def test_tokens_are_those_that_were_billed(run: Callable[[Program], Run], program: Program) -> None:
    ran = run(program)
    metered = {answer.case: answer for answer in answers(ran.lab, TAG) if answer.usage_source == "reported"}
    assert metered.keys() == ran.billed.keys() - {*program.unseen, *program.untold}
    for case, answer in metered.items():
        attempt = ran.billed[case]
        assert (answer.input, answer.output) == (attempt.tokens.input, attempt.tokens.output), case
        kinds = set(CHECKED) - program.unknown_of(attempt) if program.unknown_of(attempt) else KINDS
        found = {kind: answer.leaves[kind] or 0 for kind in kinds}
        assert found == {kind: getattr(attempt.tokens, kind) for kind in kinds}, case


@each_program
def test_what_an_instrumentation_leaves_out_is_unknown_and_not_zero(
    run: Callable[[Program], Run], program: Program
) -> None:
    ran = run(program)
    for answer in answers(ran.lab, TAG):
        attempt = ran.billed[answer.case]
        # Of embeddings it is known that they have neither cache nor output.
        left_out = program.unknown_of(attempt) if attempt.tokens.output else set()
        assert {answer.leaves[kind] for kind in left_out} <= {None}, answer.case
        if not attempt.told:
            assert {answer.input, answer.output, *answer.leaves.values()} == {None}


@each_program
def test_calls_without_tokens_are_there_and_named(run: Callable[[Program], Run], program: Program) -> None:
    ran = run(program)
    found = answers(ran.lab, TAG)
    untold = [case for case, attempt in ran.billed.items() if not attempt.told]
    assert [answer.case for answer in found if answer.usage_source == "missing"] == untold == list(program.untold)
    assert ran.billed.keys() - {answer.case for answer in found} == set(program.unseen)


@each_program
def test_a_call_that_several_records_tell_of_counts_once(run: Callable[[Program], Run], program: Program) -> None:
    ran = run(program)
    seen = [attempt for case, attempt in ran.billed.items() if case not in program.unseen]
    found = {answer.case: answer.response_id for answer in answers(ran.lab, TAG)}
    assert found == {attempt.case: attempt.response_id for attempt in seen}
    assert len(answers(ran.lab, TAG)) == len(seen)
    assert ran.lab.value("SELECT sum(duplicates)::BIGINT FROM loads") == program.duplicates


@each_program
def test_failed_attempts_are_told_but_for_those_named(run: Callable[[Program], Run], program: Program) -> None:
    ran = run(program)
    assert less(failed(ran.truth), failures(ran.lab, TAG)) == dict(program.hidden)
