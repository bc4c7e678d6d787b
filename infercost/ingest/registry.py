"""Finds the formats: each folder in `formats/` is one, a declaration (`format.toml`) and a SELECT (`map.sql`)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infercost import schema
from infercost.errors import FormatError

FORMATS_FOLDER = Path(__file__).with_name("formats")
_TEXTS = ("title", "written_by", "how_to_get", "gateway", "family", "dedupe", "tokens", "time", "cost")
GROUPS = ("gateway", "provider", "agent", "self-hosted", "telemetry", "store", "bill")
"""Kinds of writers. When two formats tell of the same call, the one whose group stands first here is kept."""

TABLES = ("attempts", "bills")


@dataclass(frozen=True)
class Format:
    """A log format as its folder declares it.

    `columns` are the log's own names with the DuckDB types to read them as; `identify` are SQL predicates over
    `record` (JSON), all of which hold for one record at the head of a file of the format. `table` is where its rows go.
    A column in `optional` counts as absent where its value is of another type, instead of rejecting the record.
    `batch_bytes` bounds what is read at once, for formats with many records in a line.
    """

    name: str
    folder: Path
    title: str
    written_by: str
    how_to_get: str
    group: str
    gateway: str
    grain: str
    table: str
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
        """The first sample of the format, beside its declaration."""
        return self.samples[0]

    @property
    def samples(self) -> list[Path]:
        """Every sample: `sample.<type>`, and `sample_<what>.<type>` for other ways to wrap the records."""
        return sorted(self.folder.glob("sample*.*"), key=lambda path: (path.stem != "sample", path.name))

    @property
    def mapped(self) -> tuple[schema.Column, ...]:
        """The columns that the format's SELECT may give."""
        return schema.MAPPED_BILLS if self.table == "bills" else schema.MAPPED


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
    texts = {key: _text(declared, key, path) for key in _TEXTS}
    sql = folder / declared.get("map", "map.sql")
    if not sql.is_file():
        raise FormatError(f"{sql}: not found")
    return Format(
        name=name,
        folder=folder,
        group=_one_of(declared, "group", GROUPS, path),
        grain=_one_of(declared, "grain", schema.GRAINS, path),
        table=_one_of(declared, "table", TABLES, path, "attempts"),
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


def _one_of(
    declared: Mapping[str, Any], key: str, allowed: tuple[str, ...], path: Path, default: str | None = None
) -> str:
    value = declared.get(key, default)
    if value not in allowed:
        raise FormatError(f"{path}: {key} must be one of {', '.join(allowed)}, not {value!r}")
    return str(value)


def _predicates(declared: Mapping[str, Any]) -> list[Any]:
    identify = declared.get("identify", {})
    return list(identify.get("all", [])) if isinstance(identify, dict) else []


def _strings(value: Any, key: str, path: Path) -> dict[str, str]:
    if not isinstance(value, dict) or not value or not all(isinstance(text, str) for text in value.values()):
        raise FormatError(f"{path}: [{key}] is required and must hold texts")
    return dict(value)
