"""Opens ZIP archives, in which some providers deliver their exports."""

import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from infercost.ingest import compression, sources

_MAGIC = b"PK\x03\x04"
MOST_RATIO = 2000
"""Times a member may be larger than what it takes in the archive; deflate reaches 1032."""


@dataclass(frozen=True)
class Unpacked:
    """The members of an archive that may be logs, as (name, file), and the names of the others."""

    members: tuple[tuple[str, Path], ...]
    left_out: tuple[str, ...]


def is_archive(path: Path) -> bool:
    """Return whether the file is a ZIP archive, by its first bytes."""
    with path.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def unpack(path: Path, new: Callable[[], Path]) -> Unpacked:
    """Write each member named like a log to a file that `new` names; raises OSError for a damaged archive."""
    members: list[tuple[str, Path]] = []
    left_out: list[str] = []
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.is_dir():
                    continue
                name = info.filename.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
                if not sources.is_log_name(Path(name)) or info.file_size > MOST_RATIO * max(1, info.compress_size):
                    left_out.append(name)
                    continue
                members.append((name, _write(archive, info, new())))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        # zipfile raises RuntimeError for encrypted members and NotImplementedError for methods that it lacks.
        raise OSError(0, f"the ZIP archive cannot be read: {error}") from error
    if not members:
        raise OSError(0, "the ZIP archive holds no file that is named like a log")
    return Unpacked(tuple(members), tuple(left_out))


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> Path:
    with archive.open(info) as stream, target.open("wb") as out:
        shutil.copyfileobj(stream, out, compression.CHUNK_BYTES)
    # The archive keeps times without a zone, in steps of two seconds.
    changed = datetime(*info.date_time).timestamp()  # noqa: DTZ001 (local time is what ZIP stores)
    os.utime(target, (changed, changed))
    return target
