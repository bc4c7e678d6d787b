"""Finds the files that the command line names, and tells what is new in each since the last ingest."""

import glob
import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from infercost.errors import UsageError
from infercost.ingest import compression

STDIN = "-"
LOG_SUFFIXES = (".json", ".jsonl", ".ndjson", ".log", ".csv", ".tsv", ".txt", ".parquet", ".zip", "")
_NEVER_LOGS = ("__pycache__", "node_modules")
PACKED_SUFFIXES = (".gz", ".zst", ".zstd")
HEAD_BYTES = 4096
TAIL_BYTES = 4096


@dataclass(frozen=True)
class Found:
    """What the paths of a command line come to: files to read, and files of folders left out by their name."""

    files: tuple[Path, ...]
    left_out: tuple[Path, ...]


@dataclass(frozen=True)
class Mark:
    """How far a file was read: enough to recognise it again, grown or renamed, and to read on."""

    byte_end: int
    next_line: int
    head_bytes: int
    head_hash: str
    tail_hash: str
    file_bytes: int
    resumable: bool


@dataclass(frozen=True)
class Resume:
    """Where to begin in a file: `unchanged` when there is nothing new."""

    byte_start: int
    first_line: int
    unchanged: bool


START = Resume(0, 1, unchanged=False)
"""The beginning of a file."""


def discover(paths: Iterable[str], exclude: Path) -> Found:
    """Return every file that `paths` name: files, folders (recursive), globs; `-` is standard input.

    In folders, hidden files, the store at `exclude` and names that are not those of logs are left out. Raises
    UsageError for a path or glob that names nothing.
    """
    files: dict[Path, None] = {}
    left_out: list[Path] = []
    for text in paths:
        for path in _expand(text):
            if path.is_dir():
                inside = _walk(path, exclude.resolve())
                files.update(dict.fromkeys(file for file in inside if is_log_name(file)))
                left_out += [file for file in inside if not is_log_name(file)]
            else:
                files[path] = None
    return Found(tuple(files), tuple(left_out))


def _expand(text: str) -> list[Path]:
    path = Path(text)
    if text == STDIN or path.exists():
        return [path]
    matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute patterns)
    if not matches:
        raise UsageError(
            f"{text}: no such file or folder",
            hint="Name files, folders, quoted globs such as 'logs/**/*.jsonl.gz', or - for standard input.",
        )
    return [Path(match) for match in matches]


def _walk(folder: Path, exclude: Path) -> list[Path]:
    found: list[Path] = []
    for current, folders, names in os.walk(folder):
        here = Path(current)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in _NEVER_LOGS and (here / name).resolve() != exclude
        )
        found += [here / name for name in sorted(names) if not name.startswith(".") and (here / name).is_file()]
    return found


def is_log_name(path: Path) -> bool:
    """Return whether a file in a folder or an archive may be a log, by its name."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED_SUFFIXES:
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    # Rotated logs end in a number (app.log.1), object names may hold dots; only known other kinds are left out.
    return last in LOG_SUFFIXES or last.lstrip(".").isdigit() or (".log" in suffixes)


def shown(path: Path) -> str:
    """Return the path as text that can be stored and printed: bytes that are not UTF-8 become escapes."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def open_file(path: Path) -> BinaryIO:
    """Open a file, or standard input for `-`, for reading bytes."""
    return sys.stdin.buffer if str(path) == STDIN else path.open("rb")


def decompressed_head(path: Path, limit: int, *, skip_line: bool = False) -> tuple[bytes, bool]:
    """Return up to `limit` bytes of the file's decompressed beginning, and whether that is all of it.

    With `skip_line` they are those behind the first line, which is not kept however long it is.
    """
    with path.open("rb") as stream:
        packed = compression.detect(stream.read(4))
        stream.seek(0)
        head = b""
        try:
            for chunk in compression.chunks(stream, packed):
                if skip_line:
                    cut = chunk.find(b"\n")
                    skip_line = cut < 0
                    head = b"" if skip_line else chunk[cut + 1 :]
                else:
                    head += chunk
                if len(head) > limit:
                    return head[:limit], False
        except compression.StreamError:
            return head, True
    return head, True


def mark(path: Path, byte_end: int, next_line: int, *, resumable: bool) -> Mark:
    """Return the mark of a file that has been read up to `byte_end`, before which line `next_line` begins."""
    head_bytes = min(HEAD_BYTES, byte_end)
    with path.open("rb") as stream:
        return Mark(
            byte_end=byte_end,
            next_line=next_line,
            head_bytes=head_bytes,
            head_hash=_hash(stream, 0, head_bytes),
            tail_hash=_hash(stream, max(0, byte_end - TAIL_BYTES), byte_end),
            file_bytes=path.stat().st_size,
            resumable=resumable,
        )


def resume(path: Path, name: str, marks: "Marks") -> Resume:
    """Return where to begin in `path`, given the marks of everything read before.

    A file is the one of a mark when its beginning and the bytes before the mark's end are the same, whatever its
    name is now: what was read of it is then not read again.
    """
    size = path.stat().st_size
    best: Mark | None = None
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        for candidate in marks.candidates(name, head):
            if (best is None or candidate.byte_end > best.byte_end) and _is_same(stream, size, candidate):
                best = candidate
    if best is None:
        return START
    if best.byte_end == size:
        return Resume(size, best.next_line, unchanged=True)
    return Resume(best.byte_end, best.next_line, unchanged=False) if best.resumable else START


def _is_same(stream: BinaryIO, size: int, candidate: Mark) -> bool:
    if size < candidate.byte_end:
        return False
    if _hash(stream, 0, candidate.head_bytes) != candidate.head_hash:
        return False
    return _hash(stream, max(0, candidate.byte_end - TAIL_BYTES), candidate.byte_end) == candidate.tail_hash


def _hash(stream: BinaryIO, start: int, end: int) -> str:
    stream.seek(start)
    return hashlib.sha256(stream.read(end - start)).hexdigest()


class Marks:
    """The marks of everything read before, found by name or by how the file begins."""

    def __init__(self, by_name: Mapping[str, list[Mark]]) -> None:
        self._by_name = by_name
        self._by_head: dict[tuple[int, str], list[Mark]] = {}
        for marks in by_name.values():
            for each in marks:
                self._by_head.setdefault((each.head_bytes, each.head_hash), []).append(each)
        # Short files make many head lengths; hashing a 4 kB head for each is still far below one read of a file.
        self._lengths = sorted({length for length, _ in self._by_head}, reverse=True)

    def candidates(self, name: str, head: bytes) -> list[Mark]:
        """Return the marks that a file of this name and beginning could continue."""
        found = list(self._by_name.get(name, []))
        for length in self._lengths:
            if length <= len(head):
                digest = hashlib.sha256(head[:length]).hexdigest()
                found += self._by_head.get((length, digest), [])
        return found
