"""Small files of a store: JSON that is replaced whole, and locks that are held or not, without waiting."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infercost.errors import StoreBusyError, StoreError


@contextmanager
def locked(path: Path, busy: str, hint: str) -> Iterator[None]:
    """Hold a lock; raises StoreBusyError, with the text `busy`, at once when another process holds it."""
    from filelock import FileLock, Timeout

    lock = FileLock(str(path))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StoreBusyError(busy, hint=hint) from error
    try:
        yield
    finally:
        lock.release()


def read_json(path: Path, hint: str) -> dict[str, Any]:
    """Return the object in a JSON file; raises StoreError, with a hint, where there is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read: {error}", hint=hint) from error
    if not isinstance(document, dict):
        raise StoreError(f"{path}: not a JSON object", hint=hint)
    return document


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Replace `path` by one rename, so that a reader sees the old text or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump(document, stream, indent=1, sort_keys=True)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
