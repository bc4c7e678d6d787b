"""Finds the packaged files (queries, templates), from the wheel or from a checkout, and the user's cache folder."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """Return the folder `name` (for example `queries`), packaged in the wheel or beside the package in a checkout.

    Raises FileNotFoundError when neither exists, which means that the installation is broken.
    """
    for candidate in (_PACKAGE / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"infercost is installed without its {name}/ folder; reinstall it")


def text(path: str) -> str:
    """Return the packaged text file at `path`, such as `queries/views/requests.sql`."""
    first, _, rest = path.partition("/")
    return (folder(first) / rest).read_text(encoding="utf-8")


def cache_folder() -> Path | None:
    """Return the folder for what can be made again: INFERCOST_CACHE, else infercost/ in the user's cache folder.

    None where the user has no home, as in some containers; then nothing is cached.
    """
    chosen = os.environ.get("INFERCOST_CACHE")
    if chosen:
        return Path(chosen)
    shared = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(shared) if shared else Path.home() / ".cache") / "infercost"
    except RuntimeError:
        return None
