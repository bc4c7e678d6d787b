"""Cuts what is new in a file into pieces that one read can take: plain text on disk, some hundred megabytes at most.

A plain file is its own piece. Compressed files, standard input, the new end of a file that grew, JSON documents and
tables are spooled, so that everything after this module sees lines of JSON in a file.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from infercost.ingest import compression, sources, tables
from infercost.ingest.identify import Head, Shape
from infercost.ingest.registry import Format
from infercost.ingest.split import Splitter, level_of

if TYPE_CHECKING:
    import duckdb

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

    `count` counts its lines in the background; `fill` is the share of a batch that it takes; `byte_end` is that of the
    original file.
    """

    path: Path
    source: str
    origin: Path
    first_line: int
    count: "Future[LineCount]"
    bytes: int
    fill: float
    byte_start: int
    byte_end: int
    resumable: bool
    troubles: tuple[Trouble, ...] = ()

    @property
    def lines(self) -> int:
        """The number of lines, the last one without a line break included."""
        return self.count.result().lines

    @property
    def modified_at(self) -> str | None:
        """When the file was last changed, UTC; None for what is no file (standard input)."""
        if self.source == sources.STDIN:
            return None
        changed = datetime.fromtimestamp(self.origin.stat().st_mtime, UTC)
        return changed.isoformat()

    @property
    def next_line(self) -> int:
        """The line of the original file that begins, or goes on, behind the piece."""
        return self.first_line + self.count.result().breaks


class Cutter:
    """Cuts one file into pieces; spool files are made in `folder` and belong to the caller."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", folder: Path, max_record_bytes: int) -> None:
        self.connection = connection
        self.folder = folder
        self.max_record_bytes = max_record_bytes
        self._spooled = 0
        # Counting lines holds the interpreter, not DuckDB, so it runs beside the parsing of the same piece.
        self._counter = ThreadPoolExecutor(max_workers=1)

    def cut(self, origin: Path, source: str, head: Head, begin: sources.Resume, form: Format) -> Iterator[Piece]:
        """Yield the pieces of what is new in `origin`, which is named `source` to the user.

        A piece of lines has at most as many bytes as the format's batches, and fewer where records are short.
        """
        most_bytes = _piece_bytes(head, form.batch_bytes or PIECE_BYTES)
        with origin.open("rb") as stream:
            packed = compression.detect(stream.read(4))
        if head.shape in ("document", "pages"):
            spooled = self._document(origin, head, packed)
        elif head.shape == "csv":
            spooled = self._table(origin, form, packed)
        elif head.shape == "parquet":
            spooled = _Spooled(self.new())
            tables.write_parquet_rows(self.connection, origin, form, spooled.path)
        elif packed:
            yield from self._unpacked(origin, source, packed, most_bytes)
            return
        else:
            yield from self._plain(origin, source, begin if form.resumable else sources.START, most_bytes, form)
            return
        yield from self._spooled_pieces(origin, source, head.shape, spooled, most_bytes)

    def spool(self, stream: BinaryIO) -> Path:
        """Write a stream that can be read only once to a file."""
        path = self.new()
        with path.open("wb") as out:
            shutil.copyfileobj(stream, out, compression.CHUNK_BYTES)
        return path

    def alias(self, origin: Path) -> Path:
        """Return another name for a file, by a symbolic link."""
        path = self.new()
        path.symlink_to(origin.resolve())
        return path

    def new(self) -> Path:
        """Return the name of a spool file that is not there yet."""
        self._spooled += 1
        return self.folder / f"spool-{self._spooled}"

    def _plain(
        self, origin: Path, source: str, begin: sources.Resume, most_bytes: int, form: Format
    ) -> Iterator[Piece]:
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
                first_line=line,
                count=self._counter.submit(count_lines, path),
                bytes=stop - start,
                fill=(stop - start) / most_bytes,
                byte_start=start,
                byte_end=stop,
                resumable=form.resumable,
            )
            yield piece
            if stop == end:
                # The next line is only counted when there is one, so that the count can go on beside the parsing.
                return
            start, line = stop, piece.next_line

    def _slice(self, origin: Path, start: int, stop: int) -> Path:
        path = self.new()
        with origin.open("rb") as stream, path.open("wb") as out:
            while start < stop:
                # Inside the kernel, without the bytes passing through this process.
                sent = os.sendfile(out.fileno(), stream.fileno(), start, stop - start)
                if sent == 0:
                    break
                start += sent
        return path

    def _unpacked(self, origin: Path, source: str, packed: compression.Compression, most_bytes: int) -> Iterator[Piece]:
        with origin.open("rb") as stream:
            spool = _LineSpool(self.new, most_bytes)
            files = spool.files(compression.chunks(stream, packed))
            yield from self._in_order(origin, source, 1, files, spool, most_bytes)

    def _spooled_pieces(
        self, origin: Path, source: str, shape: Shape, spooled: "_Spooled", most_bytes: int
    ) -> Iterator[Piece]:
        """Yield a file that has been turned into lines, whole or in parts."""
        # The header of a CSV table is its first line.
        first_line = 2 if shape == "csv" else 1
        spool = _LineSpool(self.new, most_bytes)
        if spooled.path.stat().st_size <= most_bytes:
            files: Iterator[Path] = iter([spooled.path])
            yield from self._in_order(origin, source, first_line, files, spool, most_bytes, spooled.troubles)
            return
        with spooled.path.open("rb") as stream:
            files = spool.files(compression.chunks(stream, None))
            yield from self._in_order(origin, source, first_line, files, spool, most_bytes, spooled.troubles)
        spooled.path.unlink()

    def _in_order(
        self,
        origin: Path,
        source: str,
        line: int,
        files: Iterator[Path],
        spool: "_LineSpool",
        most_bytes: int,
        troubles: tuple[Trouble, ...] = (),
    ) -> Iterator[Piece]:
        """Yield a piece for each of `files`, which hold the records of `origin` one after another."""
        waiting: Path | None = None
        for path in files:
            if waiting is not None:
                piece = self._part(origin, source, waiting, line, most_bytes)
                yield piece
                line = piece.next_line
            waiting = path
        if waiting is not None:
            last = self._part(origin, source, waiting, line, most_bytes)
            if spool.trouble:
                troubles += (Trouble(line + last.lines, spool.trouble, 0),)
            # Only the last piece says how far the file is read: such a file cannot be read on from its middle.
            yield replace(last, byte_end=origin.stat().st_size, troubles=troubles)

    def _part(self, origin: Path, source: str, path: Path, line: int, most_bytes: int) -> Piece:
        size = path.stat().st_size
        return Piece(
            path=path,
            source=source,
            origin=origin,
            first_line=line,
            count=self._counter.submit(count_lines, path),
            bytes=size,
            fill=size / most_bytes,
            byte_start=0,
            byte_end=0,
            resumable=False,
        )

    def _document(self, origin: Path, head: Head, packed: compression.Compression | None) -> "_Spooled":
        path = self.new()
        troubles: list[Trouble] = []
        lines = 0
        page = head.page if head.shape == "pages" else ()
        with origin.open("rb") as stream, path.open("wb") as out:
            splitter = Splitter(level_of(sources.decompressed_head(origin, 64)[0]), page)
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
        return _Spooled(path, tuple(troubles))

    def _table(self, origin: Path, form: Format, packed: compression.Compression | None) -> "_Spooled":
        text, troubles = origin, []
        if packed:
            text = self.new()
            with origin.open("rb") as stream, text.open("wb") as out:
                try:
                    for chunk in compression.chunks(stream, packed):
                        out.write(chunk)
                except compression.StreamError as error:
                    troubles.append(Trouble(0, str(error), 0))
            if troubles:
                _end_at_last_break(text)
        path = self.new()
        bad = tables.write_csv_rows(self.connection, text, form, self.max_record_bytes, path)
        troubles += [Trouble(row.line, row.reason, row.record_bytes) for row in bad]
        if packed:
            text.unlink()
        return _Spooled(path, tuple(troubles))


@dataclass(frozen=True)
class _Spooled:
    """A file that has been turned into lines, and what was wrong with it."""

    path: Path
    troubles: tuple[Trouble, ...] = ()


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
