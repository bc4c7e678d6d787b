"""Writes the engineering team's Claude Code sessions, with what makes real transcripts hard to count.

One answer takes several lines, a resumed session repeats its past under a new id, a sub-agent's file replays
messages of its parent, an API error has a line of its own, and one file ends in the middle of a line.
"""

import json
import random
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import prices
from company import DAYS, SECOND, hexes, moment, spread, stream_of, uuid, when
from prices import Rates, Tokens

Json = dict[str, Any]

PROJECTS = ("app-web", "app-api")
_VERSION = "2.1.86"
_BRANCHES = ("main", "feat/search-filters", "fix/billing-rounding", "chore/deps")
_TOOLS = ("Bash", "Read", "Edit", "Grep")
_STEPS = ("Looking at the failing test.", "Reading the module.", "Applying the change.", "Running the suite.")
_RESUMED, _REPLAYED, _TRUNCATED, _OVERLOADED = (9, 24), (6, 15, 27), 20, (4, 12, 18, 28)
"""Which sessions, counted from the first, have each of the traps."""


@dataclass(frozen=True)
class Answer:
    """One call of the API: what it used, and when its first line was written (epoch microseconds)."""

    project: str
    started: int
    rates: Rates
    tokens: Tokens

    @property
    def picodollars(self) -> int:
        """What the call cost."""
        return self.rates.cost(self.tokens)


@dataclass
class Transcripts:
    """Files by path below `projects/`, the calls that are in them, and how many lines are something else."""

    files: dict[str, str] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    answer_lines: int = 0
    error_lines: int = 0
    other_lines: int = 0
    broken_lines: int = 0


@dataclass
class _Session:
    """A session while it is written."""

    draws: random.Random
    project: str
    session_id: str
    branch: str
    model: Rates
    now: int
    context: int
    lines: list[Json] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def add(self, kind: str, **rest: object) -> None:
        """Append a line of a kind, linked to the line before it."""
        self.lines.append(
            {
                "parentUuid": self.lines[-1]["uuid"] if self.lines else None,
                "isSidechain": False,
                "userType": "external",
                "cwd": f"/home/dev/work/{self.project}",
                "sessionId": self.session_id,
                "version": _VERSION,
                "gitBranch": self.branch,
                "type": kind,
                "uuid": uuid(self.draws),
                "timestamp": _iso(self.now),
                **rest,
            }
        )


def transcripts(seed: int) -> Transcripts:
    """Return every session of the sample."""
    found = Transcripts()
    number = 0
    for day in DAYS:
        for _ in range(_sessions(seed, day)):
            _session(seed, day, number, found)
            number += 1
    return found


def _sessions(seed: int, day: date) -> int:
    """Return how many sessions a day has: none at the weekend, else up to two."""
    draw = stream_of(seed, "claude-code", "sessions", day).random()
    return 0 if day.weekday() >= 5 else (draw > 0.28) + (draw > 0.9)


def _session(seed: int, day: date, number: int, found: Transcripts) -> None:
    draws = stream_of(seed, "claude-code", number)
    project = PROJECTS[draws.random() < 0.45]
    model = prices.OPUS if draws.random() < 0.6 else prices.SONNET
    session = _Session(
        draws, project, uuid(draws), _BRANCHES[int(draws.random() * len(_BRANCHES))], model,
        min(moment(draws, day), moment(draws, day)), 80_000 + int(draws.random() * 50_000),
    )  # fmt: skip
    for turn in range(8 + int(draws.random() * 10)):
        _turn(session, turn)
        if number in _OVERLOADED and turn == 3:
            _api_error(session)
            found.error_lines += 1
    _file(session, found, number)


def _turn(session: _Session, turn: int) -> None:
    """Write what the user or a tool said, and the answer to it."""
    draws = session.draws
    session.now += int((4 + 50 * draws.random()) * SECOND)
    content: object = "Please continue with the next step."
    if turn and draws.random() < 0.8:
        result = {"type": "tool_result", "tool_use_id": f"toolu_{hexes(draws, 12)}", "content": "ok"}
        content = [result]
    session.add("user", message={"role": "user", "content": content})
    session.now += int((2 + 8 * draws.random()) * SECOND)
    written = session.context if turn == 0 else int(7_500 * spread(draws.random()))
    in_an_hour = written if draws.random() < 0.15 else 0
    tokens = Tokens(
        uncached=3 + int(draws.random() * 20),
        read=0 if turn == 0 else session.context,
        write_5m=written - in_an_hour,
        write_1h=in_an_hour,
        text=int(1_400 * spread(draws.random())),
    )
    session.answers.append(Answer(session.project, session.now, session.model, tokens))
    session.context = min(185_000, session.context + (written if turn else 0) + tokens.text)
    _answer_lines(session, tokens)


def _answer_lines(session: _Session, tokens: Tokens) -> None:
    """Write one answer as one to three lines; only the last has the final count of output tokens."""
    draws = session.draws
    message_id, request_id = f"msg_01{hexes(draws, 22)}", f"req_011C{hexes(draws, 20)}"
    count = 1 + int(draws.random() * 3)
    for place in range(count):
        last = place == count - 1
        block: Json = {"type": "text", "text": _STEPS[int(draws.random() * len(_STEPS))]}
        if place:
            tool = {"type": "tool_use", "id": f"toolu_{hexes(draws, 12)}"}
            block = {**tool, "name": _TOOLS[int(draws.random() * len(_TOOLS))], "input": {}}
        message = {
            "model": session.model.model,
            "id": message_id,
            "type": "message",
            "role": "assistant",
            "content": [block],
            "stop_reason": "tool_use" if last else None,
            "stop_sequence": None,
            "usage": _usage(tokens, tokens.text if last else 1 + int(draws.random() * 8)),
        }
        session.add("assistant", requestId=request_id, message=message)
        session.now += int((0.2 + 2 * draws.random()) * SECOND)


def _usage(tokens: Tokens, output: int) -> Json:
    return {
        "input_tokens": tokens.uncached,
        "cache_creation_input_tokens": tokens.write_5m + tokens.write_1h,
        "cache_read_input_tokens": tokens.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.write_5m,
            "ephemeral_1h_input_tokens": tokens.write_1h,
        },
        "output_tokens": output,
        "service_tier": "standard",
    }


def _api_error(session: _Session) -> None:
    message = {
        "id": uuid(session.draws),
        "model": "<synthetic>",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "API Error: 529 overloaded_error"}],
        "usage": {**_usage(Tokens(), 0), "service_tier": None},
    }
    session.add("assistant", isApiErrorMessage=True, message=message)


def _file(session: _Session, found: Transcripts, number: int) -> None:
    """Put a session into its file, together with what copies it."""
    folder = f"-home-dev-work-{session.project}"
    lines = list(session.lines)
    if number in _REPLAYED:
        _put(found, f"{folder}/{session.session_id}/subagents/agent-{hexes(session.draws, 7)}.jsonl", _replay(session))
    _put(found, f"{folder}/{session.session_id}.jsonl", lines)
    if number == _TRUNCATED:
        # The machine went down while a line of an answer that nothing else tells of was written.
        torn = {**session.lines[-1], "uuid": uuid(session.draws), "requestId": f"req_011C{hexes(session.draws, 20)}"}
        text = _dump({**torn, "message": {**torn["message"], "id": f"msg_01{hexes(session.draws, 22)}"}})
        found.files[f"{folder}/{session.session_id}.jsonl"] += text[: len(text) * 2 // 3]
        found.broken_lines += 1
    if number in _RESUMED:
        session.session_id = uuid(session.draws)
        session.lines = [{**line, "sessionId": session.session_id} for line in lines]
        session.now += 5_400 * SECOND
        for turn in range(1, 5):
            _turn(session, turn)
        _put(found, f"{folder}/{session.session_id}.jsonl", session.lines)
    found.answers.extend(session.answers)


def _replay(session: _Session) -> list[Json]:
    """Return a sub-agent's file: the parent's last answers once more, under another request id."""
    agent = hexes(session.draws, 7)
    answers = [line for line in session.lines if line["type"] == "assistant" and line["message"]["stop_reason"]]
    return [
        {**line, "isSidechain": True, "agentId": agent, "uuid": uuid(session.draws), "requestId": f"req_{agent}{place}"}
        for place, line in enumerate(answers[-3:])
    ]


def _put(found: Transcripts, path: str, lines: list[Json]) -> None:
    found.files[path] = "".join(_dump(line) + "\n" for line in lines)
    answers = sum(line["type"] == "assistant" and not line.get("isApiErrorMessage") for line in lines)
    found.answer_lines += answers
    found.other_lines += len(lines) - answers


def _dump(line: Json) -> str:
    return json.dumps(line, separators=(",", ":"))


def _iso(microseconds: int) -> str:
    return f"{when(microseconds):%Y-%m-%dT%H:%M:%S}.{microseconds // 1000 % 1000:03d}Z"
