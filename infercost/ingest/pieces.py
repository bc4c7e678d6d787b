"""Cuts what is new in a file into pieces that one read can take: plain text on disk, some hundred megabytes at most.

A plain file is its own piece. Compressed files, standard input, the new end of a file that grew, and JSON documents
are spooled, so that everything after this module sees lines of text in a file.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from infercost.ingest import compression, sources
from infercost.ingest.identify import Head, Shape
from infercost.ingest.split import Splitter, level_of

PIECE_BYTES = 1024 * 1024 * 1024
_SPLIT_BYTES = 512 * 1024


@dataclass(frozen=True)
class Trouble:
    """Something wrong with a file that is not one record's fault, at the line after which it shows."""

    line: int
    reason: str
    record_bytes: int


@dataclass(frozen=True)
class Piece:
    """A file of lines to read: where it lies, which file and lines it came from, and how far that file is read with it.

    `lines` is the number of line breaks (None for CSV, whose records may hold some); `byte_end` and `next_line` are
    those of the original file; `last` says that the original is read to its end.
    """

    path: Path
    source: str
    origin: Path
    shape: Shape
    first_line: int
    lines: int | None
    bytes: int
    byte_start: int
    byte_end: int
    next_line: int
    resumable: bool
    last: bool
    troubles: tuple[Trouble, ...] = ()


class Cutter:
    """Cuts one file into pieces; spool files are made in `folder` and belong to the caller."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def cut(self, origin: Path, source: str, head: Head, begin: sources.Resume) -> Iterator[Piece]:
        """Yield the pieces of what is new in `origin`, which is named `source` to the user."""
        with origin.open("rb") as stream:
            packed = compression.detect(stream.read(4))
        if head.shape == "document":
            yield self._document(origin, source, packed)
        elif head.shape == "csv":
            yield self._table(origin, source, packed)
        elif packed:
            yield from self._unpacked(origin, source, packed)
        else:
            yield from self._plain(origin, source, begin)

    def spool(self, stream: BinaryIO) -> Path:
        """Write a stream that can be read only once to a file."""
        path = self._new()
        with path.open("wb") as out:
            shutil.copyfileobj(stream, out, compression.CHUNK_BYTES)
        return path

    def _new(self) -> Path:
        self._count += 1
        return self.folder / f"spool-{self._count}"

    def _plain(self, origin: Path, source: str, begin: sources.Resume) -> Iterator[Piece]:
        """Yield pieces up to the last complete line; a line that is still being written is left for the next run."""
        size = origin.stat().st_size
        end = size if _ends_whole(origin, size) else _last_break(origin, size)
        start, line = begin.byte_start, begin.first_line
        while start < end:
            stop = end if end - start <= PIECE_BYTES else _last_break(origin, start + PIECE_BYTES, start)
            stop = stop if stop > start else end
            direct = start == 0 and stop == size
            path = origin if direct else self._slice(origin, start, stop)
            breaks, lines = count_lines(path)
            yield Piece(
                path=path,
                source=source,
                origin=origin,
                shape="lines",
                first_line=line,
                lines=lines,
                bytes=stop - start,
                byte_start=start,
                byte_end=stop,
                next_line=line + breaks,
                resumable=True,
                last=stop == end,
            )
            start, line = stop, line + breaks

    def _slice(self, origin: Path, start: int, stop: int) -> Path:
        path = self._new()
        with origin.open("rb") as stream, path.open("wb") as out:
            stream.seek(start)
            while start < stop:
                chunk = stream.read(min(compression.CHUNK_BYTES, stop - start))
                if not chunk:
                    break
                out.write(chunk)
                start += len(chunk)
        return path

    def _unpacked(self, origin: Path, source: str, packed: compression.Compression) -> Iterator[Piece]:
        line = 1
        with origin.open("rb") as stream:
            spool = _LineSpool(self._new)
            waiting: Path | None = None
            for path in spool.files(compression.chunks(stream, packed)):
                if waiting is not None:
                    yield (piece := _unpacked_piece(origin, source, waiting, line))
                    line = piece.next_line
                waiting = path
        if waiting is not None:
            yield _unpacked_piece(origin, source, waiting, line, last=True, trouble=spool.trouble)

    def _document(self, origin: Path, source: str, packed: compression.Compression | None) -> Piece:
        path = self._new()
        troubles: list[Trouble] = []
        lines = 0
        with origin.open("rb") as stream, path.open("wb") as out:
            splitter = Splitter(level_of(sources.decompressed_head(origin, 64)[0]))
            try:
                for record in splitter.lines(_small(compression.chunks(stream, packed))):
                    out.write(record)
                    lines += record.count(b"\n")
            except compression.StreamError as error:
                troubles.append(Trouble(lines + 1, str(error), 0))
        if splitter.unfinished and not troubles:
            troubles.append(Trouble(lines + 1, "the file ends inside a record", 0))
        if splitter.stray_bytes:
            troubles.append(Trouble(lines, f"{splitter.stray_bytes} bytes lie between records", splitter.stray_bytes))
        _end_at_last_break(path)
        return self._whole(origin, source, path, "document", lines, tuple(troubles))

    def _table(self, origin: Path, source: str, packed: compression.Compression | None) -> Piece:
        if not packed:
            return self._whole(origin, source, origin, "csv", None, ())
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
        return self._whole(origin, source, path, "csv", None, troubles)

    def _whole(
        self, origin: Path, source: str, path: Path, shape: Shape, lines: int | None, troubles: tuple[Trouble, ...]
    ) -> Piece:
        size = origin.stat().st_size
        return Piece(
            path=path,
            source=source,
            origin=origin,
            shape=shape,
            first_line=1,
            lines=lines,
            bytes=path.stat().st_size,
            byte_start=0,
            byte_end=size,
            next_line=1,
            resumable=False,
            last=True,
            troubles=troubles,
        )


class _LineSpool:
    """Writes a stream of chunks into files that end with a whole line and are not much longer than PIECE_BYTES.

    When the stream is cut off or damaged, `trouble` says so and the broken last line is dropped.
    """

    def __init__(self, new: Callable[[], Path]) -> None:
        self._new = new
        self.trouble: str | None = None

    def files(self, chunks: Iterable[bytes]) -> Iterator[Path]:
        """Yield each file when it is finished; the last one may end without a line break."""
        path = self._new()
        out = path.open("wb")
        try:
            for chunk in chunks:
                rest = chunk
                cut = chunk.rfind(b"\n") + 1
                if out.tell() >= PIECE_BYTES and cut:
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


def _unpacked_piece(
    origin: Path, source: str, path: Path, line: int, *, last: bool = False, trouble: str | None = None
) -> Piece:
    breaks, lines = count_lines(path)
    # Only the last piece says how far the file is read: a compressed file cannot be read on from its middle.
    return Piece(
        path=path,
        source=source,
        origin=origin,
        shape="lines",
        first_line=line,
        lines=lines,
        bytes=path.stat().st_size,
        byte_start=0,
        byte_end=origin.stat().st_size if last else 0,
        next_line=line + breaks,
        resumable=False,
        last=last,
        troubles=(Trouble(line + lines, trouble, 0),) if trouble else (),
    )


def count_lines(path: Path) -> tuple[int, int]:
    """Return the number of line breaks in a file, and of lines, which is one more when the last has no break."""
    breaks = 0
    last = b"\n"
    with path.open("rb") as stream:
        while chunk := stream.read(compression.CHUNK_BYTES):
            breaks += chunk.count(b"\n")
            last = chunk[-1:]
    return breaks, breaks + (last != b"\n")


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


def _small(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks in slices small enough for the splitter's work arrays."""
    for chunk in chunks:
        for start in range(0, len(chunk), _SPLIT_BYTES):
            yield chunk[start : start + _SPLIT_BYTES]
