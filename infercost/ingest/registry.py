"""Finds the formats: each folder in `formats/` is one, a declaration (`format.toml`) and a SELECT (`map.sql`)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from infercost.errors import FormatError

FORMATS_FOLDER = Path(__file__).with_name("formats")
Shape = Literal["json", "csv"]
_TEXTS = ("title", "written_by", "how_to_get", "gateway", "grain", "family", "dedupe", "tokens", "time", "cost")


@dataclass(frozen=True)
class Format:
    """A log format as its folder declares it.

    `columns` are the log's own names with the DuckDB types to read them as; `identify` are SQL predicates over
    `record` (JSON) or `header` (VARCHAR[]), all of which hold for one record at the head of a file of the format.
    A column in `optional` counts as absent where its value is of another type, instead of rejecting the record.
    `batch_bytes` bounds what is read at once, for formats with many records in a line.
    """

    name: str
    folder: Path
    shape: Shape
    title: str
    written_by: str
    how_to_get: str
    gateway: str
    grain: str
    family: str
    dedupe: str
    tokens: str
    time: str
    cost: str
    cannot_tell: tuple[str, ...]
    columns: Mapping[str, str]
    optional: tuple[str, ...]
    batch_bytes: int | None
    identify: tuple[str, ...]
    map_sql: str

    @property
    def sample(self) -> Path:
        """The sample of the format, beside its declaration."""
        return self.folder / ("sample.csv" if self.shape == "csv" else "sample.jsonl")


@cache
def formats() -> Mapping[str, Format]:
    """Return every format by name, in order of name; raises FormatError for a folder that is not complete."""
    folders = sorted(path.parent for path in FORMATS_FOLDER.glob("*/format.toml"))
    found = [read(folder) for folder in folders]
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}


def read(folder: Path) -> Format:
    """Return the format that `folder` declares; raises FormatError naming the file and the missing or wrong key."""
    path = folder / "format.toml"
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise FormatError(f"{path}: {error}") from error
    name = _text(declared, "name", path)
    if folder.name != name.replace("-", "_"):
        raise FormatError(f"{path}: name {name!r} does not fit the folder {folder.name!r}")
    shape = declared.get("shape")
    if shape not in ("json", "csv"):
        raise FormatError(f"{path}: shape must be json or csv, not {shape!r}")
    texts = {key: _text(declared, key, path) for key in _TEXTS}
    sql = folder / declared.get("map", "map.sql")
    if not sql.is_file():
        raise FormatError(f"{sql}: not found")
    return Format(
        name=name,
        folder=folder,
        shape=shape,
        cannot_tell=tuple(declared.get("cannot_tell", ())),
        columns=_strings(declared.get("columns"), "columns", path),
        optional=tuple(declared.get("optional", ())),
        batch_bytes=declared["batch_megabytes"] * 1_000_000 if "batch_megabytes" in declared else None,
        identify=tuple(_strings({str(i): p for i, p in enumerate(_predicates(declared))}, "identify", path).values()),
        map_sql=sql.read_text(encoding="utf-8").strip().rstrip(";"),
        **texts,
    )


def _text(declared: Mapping[str, Any], key: str, path: Path) -> str:
    value = declared.get(key)
    if not isinstance(value, str) or not value.strip():
        raise FormatError(f"{path}: {key} is required and must be text")
    return value


def _predicates(declared: Mapping[str, Any]) -> list[Any]:
    identify = declared.get("identify", {})
    return list(identify.get("all", [])) if isinstance(identify, dict) else []


def _strings(value: Any, key: str, path: Path) -> dict[str, str]:
    if not isinstance(value, dict) or not value or not all(isinstance(text, str) for text in value.values()):
        raise FormatError(f"{path}: [{key}] is required and must hold texts")
    return dict(value)
