"""Makes what several tests look at once in a run, however many workers share it."""

import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

T = TypeVar("T")


@dataclass(frozen=True)
class Once:
    """Calls a function once in a run; `base` is a folder of all its workers."""

    base: Path

    def __call__(self, name: str, make: Callable[[Path], T]) -> T:
        """Return what `make` returns for an empty folder of this name; other workers get it pickled, and the folder."""
        folder = self.base / f"once-{name}"
        made = folder.with_suffix(".made")
        with FileLock(f"{folder}.lock"):
            if not made.is_file():
                # What failed is made anew, and fails with its own error.
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                made.write_bytes(pickle.dumps(make(folder)))
        found: T = pickle.loads(made.read_bytes())  # noqa: S301 (this run wrote it)
        return found
