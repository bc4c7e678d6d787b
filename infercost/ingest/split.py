"""Cuts a JSON document (an array, or objects one after another) into one line a record, in bounded memory.

Works on whole chunks with numpy: no Python object is made for a record. Line breaks between the tokens of a
record become blanks, which JSON does not tell apart.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STEP = 512 * 1024
"""Bytes looked at together; the arrays for them take some twenty times as much."""

_QUOTE, _BACKSLASH, _COMMA = ord('"'), ord("\\"), ord(",")
_OPEN = (ord("{"), ord("["))
_CLOSE = (ord("}"), ord("]"))
_BLANK = np.zeros(256, dtype=bool)
_BLANK[[ord(" "), ord("\t"), ord("\n"), ord("\r"), _COMMA, *_OPEN, *_CLOSE]] = True


@dataclass
class Splitter:
    """State between the chunks of one document; `level` is the depth at which records lie (1 in an array)."""

    level: int
    depth: int = 0
    in_string: bool = False
    backslashes: int = 0
    stray_bytes: int = 0
    unfinished: bool = False

    def lines(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the records of the document as lines; afterwards `unfinished` says whether it ended inside one.

        `stray_bytes` counts bytes that lie between records and belong to none.
        """
        for chunk in chunks:
            for start in range(0, len(chunk), _STEP):
                yield self._split(np.frombuffer(chunk[start : start + _STEP], dtype=np.uint8))
        self.unfinished = self.depth > self.level or self.in_string

    def _split(self, data: NDArray[np.uint8]) -> bytes:
        quotes = (data == _QUOTE) & ~self._escaped(data)
        inside = (np.cumsum(quotes) + int(self.in_string)) % 2 == 1
        outside = ~inside & ~quotes
        opens = outside & ((data == _OPEN[0]) | (data == _OPEN[1]))
        closes = outside & ((data == _CLOSE[0]) | (data == _CLOSE[1]))
        depth = self.depth + np.cumsum(opens.astype(np.int64) - closes.astype(np.int64))
        ends = closes & (depth == self.level)
        keep = (depth > self.level) | ends
        self.stray_bytes += int(np.count_nonzero(~keep & ~_BLANK[data]))
        self.depth, self.in_string = int(depth[-1]), bool(inside[-1])
        cleaned = np.where((data == ord("\n")) | (data == ord("\r")), np.uint8(ord(" ")), data)[keep]
        after_ends = np.flatnonzero(ends[keep]) + 1
        return bytes(np.insert(cleaned, after_ends, np.uint8(ord("\n"))).tobytes())

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
