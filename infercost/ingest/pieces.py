"""Cuts what is new in a file into pieces that one read can take: plain text on disk, some hundred megabytes at most.

A plain file is its own piece. Compressed files, standard input, the new end of a file that grew, and JSON documents
are spooled, so that everything after this module sees lines of text in a file.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from infercost.ingest import compression, sources
from infercost.ingest.identify import Head, Shape
from infercost.ingest.split import Splitter, level_of

PIECE_BYTES = 1024 * 1024 * 1024
PIECE_RECORDS = 150_000
"""A piece holds about as many records as fit into memory through all steps, and at most PIECE_BYTES."""

_LEAST_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Trouble:
    """Something wrong with a file that is not one record's fault, at the line after which it shows."""

    line: int
    reason: str
    record_bytes: int


@dataclass(frozen=True)
class Piece:
    """A file of lines to read: where it lies, which file and lines it came from, and how far that file is read with it.

    `count` counts its lines in the background (None for CSV, whose records may hold line breaks); `fill` is the share
    of a batch that it takes; `byte_end` is that of the original file.
    """

    path: Path
    source: str
    origin: Path
    shape: Shape
    first_line: int
    count: "Future[LineCount] | None"
    bytes: int
    fill: float
    byte_start: int
    byte_end: int
    resumable: bool
    troubles: tuple[Trouble, ...] = ()

    @property
    def lines(self) -> int | None:
        """The number of lines, the last one without a line break included."""
        return self.count.result().lines if self.count else None

    @property
    def next_line(self) -> int:
        """The line of the original file that begins, or goes on, behind the piece."""
        return self.first_line + (self.count.result().breaks if self.count else 0)


class Cutter:
    """Cuts one file into pieces; spool files are made in `folder` and belong to the caller."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._spooled = 0
        # Counting lines holds the interpreter, not DuckDB, so it runs beside the parsing of the same piece.
        self._counter = ThreadPoolExecutor(max_workers=1)

    def cut(
        self, origin: Path, source: str, head: Head, begin: sources.Resume, most_bytes: int = PIECE_BYTES
    ) -> Iterator[Piece]:
        """Yield the pieces of what is new in `origin`, which is named `source` to the user.

        A piece of lines has at most `most_bytes` bytes, and fewer where records are short.
        """
        with origin.open("rb") as stream:
            packed = compression.detect(stream.read(4))
        if head.shape == "document":
            yield self._document(origin, source, packed)
        elif head.shape == "csv":
            yield self._table(origin, source, packed)
        elif packed:
            yield from self._unpacked(origin, source, packed, _piece_bytes(head, most_bytes))
        else:
            yield from self._plain(origin, source, begin, _piece_bytes(head, most_bytes))

    def spool(self, stream: BinaryIO) -> Path:
        """Write a stream that can be read only once to a file."""
        path = self._new()
        with path.open("wb") as out:
            shutil.copyfileobj(stream, out, compression.CHUNK_BYTES)
        return path

    def alias(self, origin: Path) -> Path:
        """Return another name for a file, by a symbolic link."""
        path = self._new()
        path.symlink_to(origin.resolve())
        return path

    def _new(self) -> Path:
        self._spooled += 1
        return self.folder / f"spool-{self._spooled}"

    def _plain(self, origin: Path, source: str, begin: sources.Resume, most_bytes: int) -> Iterator[Piece]:
        """Yield pieces up to the last complete line; a line that is still being written is left for the next run."""
        size = origin.stat().st_size
        end = size if _ends_whole(origin, size) else _last_break(origin, size)
        start, line = begin.byte_start, begin.first_line
        while start < end:
            stop = end if end - start <= most_bytes else _last_break(origin, start + most_bytes, start)
            stop = stop if stop > start else end
            direct = start == 0 and stop == size
            path = origin if direct else self._slice(origin, start, stop)
            piece = Piece(
                path=path,
                source=source,
                origin=origin,
                shape="lines",
                first_line=line,
                count=self._counter.submit(count_lines, path),
                bytes=stop - start,
                fill=(stop - start) / most_bytes,
                byte_start=start,
                byte_end=stop,
                resumable=True,
            )
            yield piece
            if stop == end:
                # The next line is only counted when there is one, so that the count can go on beside the parsing.
                return
            start, line = stop, piece.next_line

    def _slice(self, origin: Path, start: int, stop: int) -> Path:
        path = self._new()
        with origin.open("rb") as stream, path.open("wb") as out:
            while start < stop:
                # Inside the kernel, without the bytes passing through this process.
                sent = os.sendfile(out.fileno(), stream.fileno(), start, stop - start)
                if sent == 0:
                    break
                start += sent
        return path

    def _unpacked(self, origin: Path, source: str, packed: compression.Compression, most_bytes: int) -> Iterator[Piece]:
        line = 1
        with origin.open("rb") as stream:
            spool = _LineSpool(self._new, most_bytes)
            waiting: Path | None = None
            for path in spool.files(compression.chunks(stream, packed)):
                if waiting is not None:
                    piece = self._unpacked_piece(origin, source, waiting, line, most_bytes)
                    yield piece
                    line = piece.next_line
                waiting = path
        if waiting is not None:
            last = self._unpacked_piece(origin, source, waiting, line, most_bytes)
            troubles = (Trouble(line + (last.lines or 0), spool.trouble, 0),) if spool.trouble else ()
            # Only the last piece says how far the file is read: a compressed file cannot be read on from its middle.
            yield replace(last, byte_end=origin.stat().st_size, troubles=troubles)

    def _unpacked_piece(self, origin: Path, source: str, path: Path, line: int, most_bytes: int) -> Piece:
        size = path.stat().st_size
        return Piece(
            path=path,
            source=source,
            origin=origin,
            shape="lines",
            first_line=line,
            count=self._counter.submit(count_lines, path),
            bytes=size,
            fill=size / most_bytes,
            byte_start=0,
            byte_end=0,
            resumable=False,
        )

    def _document(self, origin: Path, source: str, packed: compression.Compression | None) -> Piece:
        path = self._new()
        troubles: list[Trouble] = []
        lines = 0
        with origin.open("rb") as stream, path.open("wb") as out:
            splitter = Splitter(level_of(sources.decompressed_head(origin, 64)[0]))
            try:
                for record in splitter.lines(compression.chunks(stream, packed)):
                    out.write(record)
                    lines += record.count(b"\n")
            except compression.StreamError as error:
                troubles.append(Trouble(lines + 1, str(error), 0))
        if splitter.unfinished and not troubles:
            troubles.append(Trouble(lines + 1, "the file ends inside a record", 0))
        if splitter.stray_bytes:
            troubles.append(Trouble(lines, f"{splitter.stray_bytes} bytes lie between records", splitter.stray_bytes))
        _end_at_last_break(path)
        return self._whole(origin, source, path, "document", tuple(troubles))

    def _table(self, origin: Path, source: str, packed: compression.Compression | None) -> Piece:
        if not packed:
            return self._whole(origin, source, origin, "csv", ())
        path = self._new()
        troubles: tuple[Trouble, ...] = ()
        with origin.open("rb") as stream, path.open("wb") as out:
            try:
                for chunk in compression.chunks(stream, packed):
                    out.write(chunk)
            except compression.StreamError as error:
                troubles = (Trouble(0, str(error), 0),)
        if troubles:
            _end_at_last_break(path)
        return self._whole(origin, source, path, "csv", troubles)

    def _whole(self, origin: Path, source: str, path: Path, shape: Shape, troubles: tuple[Trouble, ...]) -> Piece:
        size = path.stat().st_size
        return Piece(
            path=path,
            source=source,
            origin=origin,
            shape=shape,
            # The header of a table is its first line.
            first_line=2 if shape == "csv" else 1,
            count=None if shape == "csv" else self._counter.submit(count_lines, path),
            bytes=size,
            fill=size / (_LEAST_BYTES * 4),
            byte_start=0,
            byte_end=origin.stat().st_size,
            resumable=False,
            troubles=troubles,
        )


class _LineSpool:
    """Writes a stream of chunks into files that end with a whole line and are not much longer than `most_bytes`.

    When the stream is cut off or damaged, `trouble` says so and the broken last line is dropped.
    """

    def __init__(self, new: Callable[[], Path], most_bytes: int) -> None:
        self._new = new
        self._most_bytes = most_bytes
        self.trouble: str | None = None

    def files(self, chunks: Iterable[bytes]) -> Iterator[Path]:
        """Yield each file when it is finished; the last one may end without a line break."""
        path = self._new()
        out = path.open("wb")
        try:
            for chunk in chunks:
                rest = chunk
                cut = chunk.rfind(b"\n") + 1
                if out.tell() >= self._most_bytes and cut:
                    out.write(chunk[:cut])
                    out.close()
                    yield path
                    path = self._new()
                    out = path.open("wb")
                    rest = chunk[cut:]
                out.write(rest)
        except compression.StreamError as error:
            self.trouble = str(error)
        finally:
            out.close()
        if self.trouble:
            _end_at_last_break(path)
        yield path


@dataclass(frozen=True)
class LineCount:
    """Line breaks of a file, and its lines: one more when the last has no break."""

    breaks: int
    lines: int


def count_lines(path: Path) -> LineCount:
    """Count the lines of a file."""
    breaks = 0
    last = b"\n"
    with path.open("rb") as stream:
        while chunk := stream.read(compression.CHUNK_BYTES):
            breaks += chunk.count(b"\n")
            last = chunk[-1:]
    return LineCount(breaks, breaks + (last != b"\n"))


def _piece_bytes(head: Head, most_bytes: int) -> int:
    """Return how long a piece may be, given how long the first records are."""
    length = sum(map(len, head.records)) // max(1, len(head.records)) or 1
    return max(_LEAST_BYTES, min(most_bytes, length * PIECE_RECORDS))


def _ends_whole(path: Path, size: int) -> bool:
    """Return whether the last line is complete: ended by a line break, or a JSON value as it stands."""
    if size == 0:
        return True
    begin = _last_break(path, size)
    if begin == size:
        return True
    with path.open("rb") as stream:
        stream.seek(begin)
        try:
            json.loads(stream.read())
        except ValueError:
            return False
    return True


def _last_break(path: Path, limit: int, floor: int = 0) -> int:
    """Return the offset behind the last line break before `limit`, or `floor` when there is none after it."""
    end = limit
    with path.open("rb") as stream:
        while end > floor:
            begin = max(floor, end - compression.CHUNK_BYTES)
            stream.seek(begin)
            found = stream.read(end - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
    return floor


def _end_at_last_break(path: Path) -> None:
    """Cut a spool file behind its last complete line."""
    os.truncate(path, _last_break(path, path.stat().st_size))
