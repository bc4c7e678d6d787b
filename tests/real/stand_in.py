"""A stand-in for the APIs of OpenAI and Anthropic that remembers what it billed: one entry an answered HTTP attempt.

A prompt names a case and what its attempts are answered with, such as `hello [429 500 200]`: the first attempt gets a
429, the second a 500, every further one the answer. The tokens of an answer follow from the case's name alone.
"""

import json
import re
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

Body = dict[str, Any]

CASE = re.compile(r"([a-z0-9-]+) \[(\d{3}(?: \d{3})*)\]")
EPOCH = 1795447524
"""Second that the answers bear; nothing here asks for the time."""

ERRORS = {
    400: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


@dataclass(frozen=True)
class Tokens:
    """What one answer is billed for, in kinds that do not overlap; infercost's columns bear the same names."""

    input_uncached: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_30m: int = 0
    cache_write_1h: int = 0
    output_text: int = 0
    reasoning: int = 0

    @property
    def written(self) -> int:
        return self.cache_write_5m + self.cache_write_30m + self.cache_write_1h

    @property
    def input(self) -> int:
        return self.input_uncached + self.cache_read + self.written

    @property
    def output(self) -> int:
        return self.output_text + self.reasoning


@dataclass(frozen=True)
class Attempt:
    """One HTTP attempt as the provider saw it; `tokens` are billed, `told` says whether the answer had them in it."""

    case: str
    number: int
    path: str
    model: str
    status: int
    stream: bool = False
    response_id: str | None = None
    tokens: Tokens = Tokens()
    told: bool = False

    @property
    def billed(self) -> bool:
        return self.status == 200


def tokens_of(case: str, path: str) -> Tokens:
    """Return the tokens of a case: no two cases of a test share them, and every kind that the API knows is there."""
    seed = zlib.crc32(case.encode()) % 10_007
    if path.endswith("/embeddings"):
        return Tokens(input_uncached=10 + seed)
    if path.endswith("/messages"):
        return Tokens(100 + seed, 4096 + seed, 1024 + seed % 100, 0, 2048 + seed % 10, 40 + seed % 1000, 20 + seed % 7)
    return Tokens(100 + seed, 4096 + seed, 0, 512 + seed % 10, 0, 40 + seed % 1000, 64 + seed % 7)


class StandIn:
    """The server: `with StandIn() as server:`; `server.truth` is whole when the program that asks has ended."""

    def __init__(self) -> None:
        self.truth: list[Attempt] = []
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"stand_in": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def billed(self) -> list[Attempt]:
        return [attempt for attempt in self.truth if attempt.billed]

    def __enter__(self) -> "StandIn":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, path: str, body: Body) -> Attempt:
        """Decide what this attempt is answered with, and remember it."""
        found = CASE.search(json.dumps(body))
        case, plan = (found[1], [int(status) for status in found[2].split()]) if found else ("(none)", [400])
        stream = bool(body.get("stream"))
        with self._lock:
            self._asked[case] += 1
            number = self._asked[case]
            status = plan[min(number, len(plan)) - 1]
            attempt = Attempt(case, number, path, str(body.get("model")), status, stream)
            if attempt.billed:
                answer_id = PREFIX[path] and f"{PREFIX[path]}{case}-{number}"
                tokens = tokens_of(case, path)
                attempt = replace(attempt, response_id=answer_id, tokens=tokens, told=_is_told(path, body))
            self.truth.append(attempt)
        return attempt


def _is_told(path: str, body: Body) -> bool:
    """Chat completions alone leave the usage out of a stream unless they are asked for it."""
    silent = path == "/v1/chat/completions" and bool(body.get("stream"))
    return not silent or bool((body.get("stream_options") or {}).get("include_usage"))


PREFIX = {"/v1/chat/completions": "chatcmpl-", "/v1/responses": "resp_", "/v1/messages": "msg_", "/v1/embeddings": None}
"""The paths, and what the ids of their answers begin with; embeddings have none."""


class _Handler(BaseHTTPRequestHandler):
    stand_in: ClassVar[StandIn]
    _request_id = ""

    def do_POST(self) -> None:
        body: Body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.partition("?")[0]
        if path not in PREFIX:
            self._json(404, {"error": {"message": f"no such path {path}", "type": "not_found_error"}})
            return
        attempt = self.stand_in.take(path, body)
        self._request_id = f"req_{attempt.case}-{attempt.number}"
        if not attempt.billed:
            self._json(attempt.status, _error(attempt))
        elif attempt.stream:
            self._events(list(STREAMS[path](attempt)))
        else:
            self._json(200, ANSWERS[path](attempt))

    def _json(self, status: int, body: Body) -> None:
        # Clients that retry by themselves need not wait.
        headers = {
            "Content-Type": "application/json",
            "retry-after-ms": "5",
            "x-should-retry": str(status != 400).lower(),
        }
        self._send(status, headers, json.dumps(body).encode())

    def _events(self, events: list[Body | str]) -> None:
        lines = []
        for event in events:
            if isinstance(event, dict) and "type" in event:
                lines.append(f"event: {event['type']}\n")
            lines.append(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n")
        self._send(200, {"Content-Type": "text/event-stream"}, "".join(lines).encode())

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        headers |= {"request-id": self._request_id, "x-request-id": self._request_id}
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing: the truth is kept by the stand-in."""


def _error(attempt: Attempt) -> Body:
    error = {"type": ERRORS[attempt.status], "message": f"{attempt.case} gets {attempt.status}", "code": None}
    return {"type": "error", "error": error, "request_id": f"req_{attempt.case}-{attempt.number}"}


def _embeddings(attempt: Attempt) -> Body:
    count = attempt.tokens.input
    vector = {"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "data": [vector], "model": attempt.model, "usage": usage}


def _chat_usage(tokens: Tokens) -> Body:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cache_read, "cache_write_tokens": tokens.cache_write_30m},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }


def _chat(attempt: Attempt) -> Body:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "fine"},
        "finish_reason": "stop",
        "logprobs": None,
    }
    return {
        "id": attempt.response_id,
        "object": "chat.completion",
        "created": EPOCH,
        "model": attempt.model,
        "choices": [choice],
        "usage": _chat_usage(attempt.tokens),
    }


def _chat_stream(attempt: Attempt) -> Iterator[Body | str]:
    head = {"id": attempt.response_id, "object": "chat.completion.chunk", "created": EPOCH, "model": attempt.model}
    for delta, reason in (({"role": "assistant", "content": "fi"}, None), ({"content": "ne"}, None), ({}, "stop")):
        yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    if attempt.told:
        yield {**head, "choices": [], "usage": _chat_usage(attempt.tokens)}
    yield "[DONE]"


def _response(attempt: Attempt) -> Body:
    tokens = attempt.tokens
    text = {"type": "output_text", "text": "fine", "annotations": []}
    message = {"type": "message", "id": "item_1", "role": "assistant", "status": "completed", "content": [text]}
    usage = {
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "input_tokens_details": {"cached_tokens": tokens.cache_read, "cache_write_tokens": tokens.cache_write_30m},
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }
    return {
        "id": attempt.response_id,
        "object": "response",
        "created_at": EPOCH,
        "status": "completed",
        "model": attempt.model,
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
    }


def _response_stream(attempt: Attempt) -> Iterator[Body | str]:
    whole = _response(attempt)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    delta = {"type": "response.output_text.delta", "item_id": "item_1", "output_index": 0, "content_index": 0}
    yield {"type": "response.created", "sequence_number": 0, "response": begun}
    yield {**delta, "sequence_number": 1, "delta": "fine", "logprobs": []}
    yield {"type": "response.completed", "sequence_number": 2, "response": whole}


def _message_usage(tokens: Tokens) -> Body:
    return {
        "input_tokens": tokens.input_uncached,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation_input_tokens": tokens.written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
        "output_tokens": tokens.output,
        "output_tokens_details": {"thinking_tokens": tokens.reasoning},
        "service_tier": "standard",
    }


def _message(attempt: Attempt) -> Body:
    return {
        "id": attempt.response_id,
        "type": "message",
        "role": "assistant",
        "model": attempt.model,
        "content": [{"type": "text", "text": "fine"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": _message_usage(attempt.tokens),
    }


def _message_stream(attempt: Attempt) -> Iterator[Body | str]:
    """Tell a first output token at the start and all of them at the end, which is how the API does it."""
    whole = _message(attempt)
    start = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "fine"}}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": whole["usage"]}
    yield {"type": "message_stop"}


ANSWERS = {
    "/v1/chat/completions": _chat,
    "/v1/responses": _response,
    "/v1/messages": _message,
    "/v1/embeddings": _embeddings,
}
STREAMS = {"/v1/chat/completions": _chat_stream, "/v1/responses": _response_stream, "/v1/messages": _message_stream}
