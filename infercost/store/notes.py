"""Small files that commands keep beside the tables of a store, such as what the last check told.

They are no part of a snapshot: whoever reads the tables never sees them, and a store without them is whole.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from infercost.errors import StoreError
from infercost.store import files

WRITABLE = "the folder of the store must be writable"
AGAIN = "remove it: what was told will be told again"


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of a folder of notes, which is made; raises StoreBusyError when another process has it."""
    busy = f"{folder.parent}: another {what} is running"
    with ExitStack() as held:
        try:
            folder.mkdir(exist_ok=True)
            held.enter_context(files.locked(folder / "lock", busy, "it tells what there is to tell"))
        except OSError as error:
            raise StoreError(f"{folder}: {error.strerror or error}", hint=WRITABLE) from error
        yield


def read(path: Path) -> Mapping[str, Any]:
    """Return the note of a file, empty when there is none; raises StoreError when it is not what was written."""
    return files.read_json(path, AGAIN) if path.is_file() else {}


def write(path: Path, note: Mapping[str, Any]) -> None:
    """Write a note whole or not at all; raises StoreError where nothing may be written."""
    try:
        files.write_json(path, note)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}", hint=WRITABLE) from error
