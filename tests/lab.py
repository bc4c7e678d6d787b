"""A folder to run infercost in: writes log files, reads them into a store, asks the store."""

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from infercost import engine, schema
from infercost.cli.main import run
from infercost.config import Config
from infercost.ingest.pipeline import ingest
from infercost.ingest.result import IngestResult
from infercost.store import Store
from infercost.store.views import attach

Record = dict[str, Any]
START = 1795447524


@dataclass(frozen=True)
class Outcome:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def counts(self) -> Record:
        """What `--json` printed."""
        found: Record = json.loads(self.out)
        return found

    @property
    def warnings(self) -> list[str]:
        """The lines on standard error, without notes about prices."""
        return [line for line in self.err.splitlines() if not line.startswith("warning: no price")]


@dataclass(frozen=True)
class Lab:
    """`folder` holds the files; the store is `folder/store` unless another name is given."""

    folder: Path

    def store(self, name: str = "store") -> Store:
        """Open the store; it is made when there is none."""
        return Store.create(self.folder / name)

    def write(self, name: str, content: "bytes | str | Iterable[Record]") -> Path:
        """Write a file: bytes or text as they are, records one a line."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content if isinstance(content, bytes) else lines(content))
        return path

    def ingest(self, *paths: Path | str, store: str = "store", **options: Any) -> IngestResult:
        """Read paths into the store."""
        settings = options.pop("settings", Config())
        return ingest([str(path) for path in paths], self.store(store), settings, **options)

    def rows(self, select: str, store: str = "store") -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT over the store; no times among its columns."""
        with engine.connect() as connection:
            attach(connection, self.store(store).snapshot())
            return connection.execute(select).fetchall()

    def value(self, select: str, store: str = "store") -> Any:
        """Return the one value of a SELECT."""
        ((found,),) = self.rows(select, store)
        return found

    def rejects(self) -> list[tuple[Any, ...]]:
        """Return line and reason of every rejected record."""
        return self.rows("SELECT source_line, reason FROM rejects ORDER BY ALL")

    def attempts(self, store: str = "store", without: tuple[str, ...] = ()) -> list[Record]:
        """Return every attempt in order of its id, as plain values, without some of the columns."""
        kept = [column for column in schema.ATTEMPTS if column.name not in without]
        select = ", ".join(
            f"{'epoch_us' if column.type == 'TIMESTAMPTZ' else ''}({column.name}) AS {column.name}" for column in kept
        )
        rows = self.rows(f"SELECT {select} FROM attempts ORDER BY attempt_id", store)
        return [dict(zip([column.name for column in kept], row, strict=True)) for row in rows]

    def call(self, *arguments: "str | Path") -> Outcome:
        """Run the command line in this process, on the store of this folder."""
        out, err = io.StringIO(), io.StringIO()
        words = ["infercost", *map(str, arguments), "--store", str(self.folder / "store")]
        with patch.object(sys, "argv", words), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                run()
            except SystemExit as end:
                return Outcome(int(end.code or 0), out.getvalue(), err.getvalue())
        return Outcome(0, out.getvalue(), err.getvalue())

    def read(self, *paths: Path | str) -> Outcome:
        """Run `infercost ingest logs --json` on paths."""
        return self.call("ingest", "logs", *paths, "--json")

    def process(self, *arguments: "str | Path", stdin: bytes = b"") -> Outcome:
        """Run the command line as a process of its own."""
        words = [*command(*arguments), "--store", str(self.folder / "store")]
        done = subprocess.run(words, input=stdin, capture_output=True, cwd=self.folder, check=False)
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def command(*arguments: "str | Path") -> list[str]:
    """Return the command line that runs infercost as a process."""
    return [sys.executable, "-m", "infercost", *map(str, arguments)]


def lines(records: Iterable[Record]) -> bytes:
    """Return records as JSON Lines."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def payload(number: int, **changes: Any) -> Record:
    """Return a LiteLLM StandardLoggingPayload; different numbers are different calls, a second apart."""
    return {
        "id": f"chatcmpl-{number:06}",
        "litellm_call_id": f"call-{number:06}",
        "call_type": "acompletion",
        "status": "success",
        "custom_llm_provider": "openai",
        "startTime": START + number,
        "endTime": START + number + 0.5,
        "model": "gpt-4o-mini",
        "model_group": "gpt-4o-mini",
        "prompt_tokens": 100 + number,
        "completion_tokens": 10,
        "response_cost": 0.00125,
        "end_user": f"user-{number % 3}",
        "request_tags": ["feature:search"],
        "metadata": {"user_api_key_hash": "0123abcd", "user_api_key_alias": "checkout-prod"},
        **changes,
    }


def payloads(count: int, first: int = 0) -> list[Record]:
    """Return that many different LiteLLM payloads."""
    return [payload(number) for number in range(first, first + count)]


def message(name: str, second: int, output_tokens: int, **changes: Any) -> Record:
    """Return a Claude Code line of the answer `name`, written at that second of a minute."""
    return {
        "type": "assistant",
        "uuid": f"{name}-{second}",
        "parentUuid": None,
        "sessionId": "11111111-aaaa-4aaa-8aaa-000000000001",
        "timestamp": f"2026-11-03T09:00:{second:02}.000Z",
        "cwd": "/home/dev/shop",
        "isSidechain": False,
        "requestId": f"req_{name}",
        "message": {
            "id": f"msg_{name}",
            "role": "assistant",
            "model": "claude-sonnet-4-6",
            "usage": {"input_tokens": 1000, "output_tokens": output_tokens},
        },
        **changes,
    }


def ingest_in_child(folder: Path, paths: list[Path]) -> None:
    """Read paths into the store; to be run in a process of its own."""
    ingest([str(path) for path in paths], Store.open(folder), Config())
