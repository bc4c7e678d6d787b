"""Remembers what the pointer said after every commit, so that the figures of then can be asked for again.

`commits.jsonl` gains a line a commit, before the pointer moves. A line that the pointer never reached (its writer died)
is followed by another of the same number, and the last one counts. Parts of replaced commits stay on disk.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infercost import clock

FILE = "commits.jsonl"


@dataclass(frozen=True)
class Past:
    """One commit: its number, the version of every table after it, when it was made (ISO 8601, UTC), and its note.

    `committed_at` is None for a commit of before this was kept, `note` is None where the commit has nothing to say.
    """

    sequence: int
    tables: Mapping[str, int]
    committed_at: str | None = None
    note: str | None = None


def remember(folder: Path, before: Mapping[str, Any], after: Mapping[str, Any], note: str | None) -> None:
    """Write down the pointer that is about to be, and the one of before where it is not known yet."""
    known = past(folder, before["sequence"])
    lines = []
    if before["sequence"] and before["sequence"] not in known:
        lines.append({"sequence": before["sequence"], "tables": before["tables"]})
    at = clock.now().isoformat(timespec="seconds")
    lines.append({"sequence": after["sequence"], "tables": after["tables"], "committed_at": at, "note": note})
    text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)
    path = folder / FILE
    # A line that a dead writer left half written must not swallow the next one.
    start = "\n" if path.is_file() and not path.read_bytes().endswith(b"\n") else ""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(start + text)
        stream.flush()
        os.fsync(stream.fileno())


def past(folder: Path, newest: int) -> dict[int, Past]:
    """Return the commits that are remembered, by their number, up to `newest`."""
    path = folder / FILE
    found: dict[int, Past] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            each = Past(**json.loads(line))
        except (ValueError, TypeError):
            continue
        if each.sequence <= newest:
            found[each.sequence] = each
    return found
