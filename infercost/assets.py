"""Finds the packaged files: queries and templates, from the wheel or from a checkout."""

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
