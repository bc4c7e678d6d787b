"""Writes a tree of Codex rollouts with every trap of the format, and knows what was used by day and model."""

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Line = dict[str, Any]
Cell = tuple[int, int, int, int]
"""Input that was neither read from the cache nor written to it, cache write, cache read, output."""

MODELS = ("gpt-5.2-codex", "gpt-5.2")
FIRST = datetime(2026, 11, 2, 22, 30, tzinfo=UTC)
SESSIONS = 14
COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens", "total_tokens")


@dataclass
class Tree:
    """The writer of one tree below `folder` (CODEX_HOME); `used` is the truth."""

    folder: Path
    seed: int
    used: dict[tuple[str, str], Cell] = field(default_factory=dict)
    traps: Counter[str] = field(default_factory=Counter)

    def write(self) -> None:
        """Write sessions a few hours apart, over midnight; forks repeat the one before, archives copy a file."""
        chance = random.Random(self.seed)  # noqa: S311
        before: list[Line] = []
        for number in range(SESSIONS):
            start = FIRST + timedelta(hours=5 * number)
            name = f"{chance.getrandbits(32):08x}-0000-7000-8000-{number:012x}"
            replay = before if before and chance.random() < 0.3 else []
            lines = self._session(chance, name, start, replay)
            text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
            file = f"rollout-{start:%Y-%m-%dT%H-%M-%S}-{name}.jsonl"
            folders = [f"sessions/{start:%Y/%m/%d}"]
            if chance.random() < 0.3:
                folders.append("archived_sessions")
                self.traps["archived"] += 1
            for folder in folders:
                path = self.folder / folder / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            before = [line for line in lines if line["payload"].get("type") == "token_count"]

    def _session(self, chance: random.Random, name: str, start: datetime, replay: list[Line]) -> list[Line]:
        meta = {"id": name, "cwd": "/home/dev/shop", "cli_version": "0.142.5", "model_provider": "openai"}
        total = dict.fromkeys(COUNTS, 0)
        lines: list[Line] = []
        if replay:
            self.traps["forked"] += 1
            meta["forked_from_id"] = "ffffffff-0000-7000-8000-000000000000"
            total = dict(replay[-1]["payload"]["info"]["total_token_usage"])
            instants = (start + timedelta(milliseconds=1 + at) for at in range(len(replay)))
            lines = [{**line, "timestamp": _iso(at)} for line, at in zip(replay, instants, strict=True)]
        model, at = MODELS[0], start + timedelta(seconds=4)
        lines = [_line(start, "session_meta", meta), _line(start, "turn_context", {"model": model}), *lines]
        for _ in range(chance.randrange(4, 20)):
            at += timedelta(seconds=chance.randrange(5, 900))
            if chance.random() < 0.15:
                model = chance.choice(MODELS)
                lines.append(_line(at, "turn_context", {"model": model}))
            lines += self._answer(chance, at, model, total)
        return lines

    def _answer(self, chance: random.Random, at: datetime, model: str, total: dict[str, int]) -> list[Line]:
        """Return the events of one answer, whose counts are added to `total`: sometimes the event comes twice."""
        given, output = chance.randrange(2_000, 90_000), chance.randrange(10, 3_000)
        cached, reasoning = chance.randrange(given), chance.randrange(output)
        last = dict(zip(COUNTS, (given, cached, output, reasoning, given + output), strict=True))
        for kind, count in last.items():
            total[kind] += count
        cell = self.used.get((f"{at:%Y-%m-%d}", model), (0, 0, 0, 0))
        self.used[f"{at:%Y-%m-%d}", model] = (cell[0] + given - cached, 0, cell[2] + cached, cell[3] + output)
        info: Line = {"total_token_usage": dict(total), "model_context_window": 272_000}
        if chance.random() < 0.8:
            info["last_token_usage"] = last
        else:
            self.traps["total only"] += 1
        event = _line(at, "event_msg", {"type": "token_count", "info": info})
        if chance.random() < 0.3:
            self.traps["repeated"] += 1
            return [event, {**event, "timestamp": _iso(at + timedelta(milliseconds=12))}]
        return [event]


def _line(at: datetime, kind: str, payload: Line) -> Line:
    return {"timestamp": _iso(at), "type": kind, "payload": payload}


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
