"""Small files that commands keep beside the tables of a store, such as what the last check told.

They are no part of a snapshot: whoever reads the tables never sees them, and a store without them is whole.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infercost.errors import StoreBusyError, StoreError

WRITABLE = "the folder of the store must be writable"
AGAIN = "remove it: what was told will be told again"


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of a folder of notes, which is made; raises StoreBusyError when another process has it."""
    from filelock import FileLock, Timeout

    lock = FileLock(str(folder / "lock"))
    try:
        folder.mkdir(exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StoreBusyError(
            f"{folder.parent}: another {what} is running", hint="it tells what there is to tell"
        ) from error
    except OSError as error:
        raise StoreError(f"{folder}: {error.strerror or error}", hint=WRITABLE) from error
    try:
        yield
    finally:
        lock.release()


def read(path: Path) -> Mapping[str, Any]:
    """Return the note of a file, empty when there is none; raises StoreError when it is not what was written."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StoreError(f"{path}: cannot be read: {error}", hint=AGAIN) from error
    if not isinstance(found, dict):
        raise StoreError(f"{path}: no table", hint=AGAIN)
    return found


def write(path: Path, note: Mapping[str, Any]) -> None:
    """Write a note whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(note, file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"{path}: {error.strerror or error}", hint=WRITABLE) from error
