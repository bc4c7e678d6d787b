"""Cuts a JSON document into one line a record, in bounded memory: an array, objects one after another, or pages.

A page is an object with its records in an array, as APIs give them: `{"data": [...], "has_more": true}`.

Works on whole chunks with numpy: no Python object is made for a record. Line breaks between the tokens of a
record become blanks, which JSON does not tell apart.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

PAGE_KEYS = frozenset(
    {
        *("data", "result", "results", "logs", "records", "rows", "items", "events", "observations", "calls"),
        *("values", "value", "entries", "list", "runs", "traces", "generations", "requests", "hits"),
    }
)
"""Members that lead to the records of a page, alone or one in another (`data.items`)."""

_PAGE_ARRAY = re.compile(rb'"(?:' + "|".join(sorted(PAGE_KEYS)).encode() + rb')"\s*:\s*\[\s*\{')
_PAGE_DEPTH = 3
_STEP = 512 * 1024
"""Bytes looked at together; the arrays for them take some twenty times as much."""

_BOM = b"\xef\xbb\xbf"
_QUOTE, _BACKSLASH, _COMMA = ord('"'), ord("\\"), ord(",")
_OPEN = (ord("{"), ord("["))
_CLOSE = (ord("}"), ord("]"))
_BLANK = np.zeros(256, dtype=bool)
_BLANK[[ord(" "), ord("\t"), ord("\n"), ord("\r"), _COMMA, *_OPEN, *_CLOSE]] = True
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:]|"', re.DOTALL)


@dataclass
class Outline:
    """Follows the objects and arrays of a document from its bytes; `path` names the members that lead to the place."""

    _stack: list[bytes] = field(default_factory=list)
    _keys: list[str] = field(default_factory=list)
    _last: bytes = b'""'
    _rest: bytes = b""

    def feed(self, data: bytes) -> None:
        """Go on by `data`, which may end anywhere."""
        for _ in self.arrays(data):
            pass

    def arrays(self, data: bytes) -> Iterator[int]:
        """Go on by `data` and yield the offset behind the opening bracket of each array in it."""
        text = self._rest + data
        before = len(self._rest)
        self._rest = b""
        for match in _TOKEN.finditer(text):
            token = match.group()
            if token == b'"':
                self._rest = text[match.start() :]
                return
            self._take(token)
            if token == b"[":
                yield match.end() - before

    def _take(self, token: bytes) -> None:
        if token in (b"{", b"["):
            self._stack.append(token)
            self._keys.append("")
        elif token in (b"}", b"]"):
            if self._stack:
                self._stack.pop()
                self._keys.pop()
        elif token == b":":
            if self._keys:
                self._keys[-1] = _text(self._last)
        else:
            self._last = token

    @property
    def path(self) -> tuple[str, ...]:
        """The members that lead to the innermost array or object; () inside an array of arrays."""
        if b"[" in self._stack[:-1]:
            return ()
        return tuple(self._keys[:-1])


def _text(token: bytes) -> str:
    try:
        return str(json.loads(token))
    except ValueError:
        return ""


def page_path(head: bytes) -> tuple[str, ...] | None:
    """Return the members that lead to the first array of objects of a page, such as ("data", "items"), or None."""
    text = head.removeprefix(_BOM)
    # To follow every member of a log that is no page takes a tenth of the ingest of a small one.
    if not _PAGE_ARRAY.search(text):
        return None
    outline = Outline()
    for end in outline.arrays(text):
        path = outline.path
        if 0 < len(path) <= _PAGE_DEPTH and PAGE_KEYS.issuperset(path) and text[end:].lstrip()[:1] == b"{":
            return path
    return None


@dataclass
class Splitter:
    """State between the chunks of one document; `level` is the depth at which records lie (1 in an array).

    With `page`, records are the elements of the arrays that these members lead to, and `level` follows from it.
    """

    level: int
    page: tuple[str, ...] = ()
    depth: int = 0
    in_string: bool = False
    backslashes: int = 0
    stray_bytes: int = 0
    unfinished: bool = False
    _in_page: bool = False
    _outline: Outline = field(default_factory=Outline)

    def __post_init__(self) -> None:
        if self.page:
            self.level = len(self.page) + 1

    def lines(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the records of the document as lines; afterwards `unfinished` says whether it ended inside one.

        `stray_bytes` counts bytes that lie between records and belong to none; a page has other members there.
        """
        for number, chunk in enumerate(chunks):
            if number == 0:
                chunk = chunk.removeprefix(_BOM)  # noqa: PLW2901 (the same chunk)
            for start in range(0, len(chunk), _STEP):
                yield self._split(np.frombuffer(chunk[start : start + _STEP], dtype=np.uint8))
        self.unfinished = self.depth > (0 if self.page else self.level) or self.in_string

    def _split(self, data: NDArray[np.uint8]) -> bytes:
        quotes = (data == _QUOTE) & ~self._escaped(data)
        inside = (np.cumsum(quotes) + int(self.in_string)) % 2 == 1
        outside = ~inside & ~quotes
        opens = outside & ((data == _OPEN[0]) | (data == _OPEN[1]))
        closes = outside & ((data == _CLOSE[0]) | (data == _CLOSE[1]))
        depth = self.depth + np.cumsum(opens.astype(np.int64) - closes.astype(np.int64))
        ends = closes & (depth == self.level)
        keep = (depth > self.level) | ends
        if self.page:
            borders = (opens & (depth == self.level)) | (closes & (depth == self.level - 1))
            active = self._in_pages(data, np.flatnonzero(borders), ~keep)
            keep &= active
            ends &= active
        else:
            self.stray_bytes += int(np.count_nonzero(~keep & ~_BLANK[data]))
        self.depth, self.in_string = int(depth[-1]), bool(inside[-1])
        cleaned = np.where((data == ord("\n")) | (data == ord("\r")), np.uint8(ord(" ")), data)[keep]
        after_ends = np.flatnonzero(ends[keep]) + 1
        return bytes(np.insert(cleaned, after_ends, np.uint8(ord("\n"))).tobytes())

    def _in_pages(
        self, data: NDArray[np.uint8], borders: NDArray[np.int64], around: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Return which bytes lie in an array of records; `borders` are where arrays of that depth begin and end."""
        active = np.empty(len(data), dtype=bool)
        start = 0
        for border in (*borders.tolist(), len(data)):
            stop = min(border + 1, len(data))
            active[start:stop] = self._in_page
            self._outline.feed(data[start:stop][around[start:stop]].tobytes())
            if border < len(data):
                self._in_page = data[border] == ord("[") and self._outline.path == self.page
            start = stop
        return active

    def _escaped(self, data: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return where a byte follows an odd number of backslashes, counting those at the end of the last chunk."""
        positions = np.arange(len(data))
        backslash = data == _BACKSLASH
        last_other = np.maximum.accumulate(np.where(backslash, -1 - self.backslashes, positions))
        run_before = np.empty(len(data), dtype=np.int64)
        run_before[0] = self.backslashes
        run_before[1:] = positions[:-1] - last_other[:-1]
        self.backslashes = int(positions[-1] - last_other[-1])
        result: NDArray[np.bool_] = run_before % 2 == 1
        return result


def level_of(head: bytes) -> int:
    """Return the depth at which the records of a document lie: 1 when it is an array, 0 otherwise."""
    return 1 if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") else 0
