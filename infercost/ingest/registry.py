"""Finds the formats: each folder in `formats/` is one, a declaration (`format.toml`) and a SELECT (`map.sql`)."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from infercost import engine, schema
from infercost.errors import FormatError

FORMATS_FOLDER = Path(__file__).with_name("formats")
_MACROS = Path(__file__).with_name("macros.sql")
_TEXTS = ("title", "written_by", "how_to_get", "gateway", "family", "dedupe", "tokens", "time", "cost")
GROUPS = ("gateway", "provider", "agent", "self-hosted", "telemetry", "store", "bill")
"""Kinds of writers. When two formats tell of the same call, the one whose group stands first here is kept."""

TABLES = ("attempts", "bills")


@dataclass(frozen=True)
class Format:
    """A log format as its folder declares it.

    `columns` are the log's own names with the DuckDB types to read them as; `identify` are SQL predicates over
    `record` (JSON), all of which hold for one record at the head of a file of the format. `table` is where its rows go.
    `macros_sql` defines SQL functions of the SELECT (`macros.sql` beside it, or the file that `macros` names).
    Of a file that a format of `narrower_than` claims too, this one is the reader: its records have more in them.
    `instead_of` names formats that a mapping of the user takes the place of. A file of a format that is not
    `resumable` is read again from its beginning when it has grown, because its records need those before them.
    A column in `optional` counts as absent where its value is of another type, instead of rejecting the record.
    `batch_bytes` bounds what is read at once, for formats with many records in a line.
    The calls of a format that `nests` lie in trees, where a call may repeat those below it: its SELECT gives the
    columns of schema.NODE too.
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
    macros_sql: str = ""
    narrower_than: tuple[str, ...] = ()
    instead_of: tuple[str, ...] = ()
    resumable: bool = True
    nests: bool = False

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
        if self.table == "bills":
            return schema.MAPPED_BILLS
        return (*schema.MAPPED, *schema.NODE) if self.nests else schema.MAPPED


ENTRY_POINTS = "infercost.formats"
"""Group of the entry points through which other packages add formats: each names a folder, or what returns one."""


@cache
def formats() -> Mapping[str, Format]:
    """Return every format by name, in order of name: the packaged ones and those of other packages' entry points.

    Raises FormatError for a folder that is not complete, and for two formats of one name.
    """
    folders = sorted(path.parent for path in FORMATS_FOLDER.glob("*/format.toml"))
    return merged([*map(read, folders), *_plugged_in()])


def merged(found: Iterable[Format]) -> Mapping[str, Format]:
    """Return formats by name; raises FormatError when two have the same name."""
    by_name: dict[str, Format] = {}
    for each in sorted(found, key=lambda each: each.name):
        if each.name in by_name:
            other = by_name[each.name].folder
            raise FormatError(f"two formats are named {each.name!r}: {other} and {each.folder}")
        by_name[each.name] = each
    replaced = {name for each in by_name.values() for name in each.instead_of}
    return {name: each for name, each in by_name.items() if name not in replaced}


def _plugged_in() -> Iterator[Format]:
    """Yield the formats of other packages, each proven to be SQL that DuckDB takes."""
    for point in entry_points(group=ENTRY_POINTS):
        try:
            named = point.load()
            form = read(Path(named() if callable(named) else named))
            _prove(form)
        except Exception as error:
            kind = "" if isinstance(error, FormatError) else f"{type(error).__name__}: "
            raise FormatError(
                f"the format {point.name} of the package {point.dist.name if point.dist else '?'} cannot be loaded: "
                f"{kind}{str(error).splitlines()[0]}",
                hint="Update or remove the package.",
            ) from error
        yield form


def _prove(form: Format) -> None:
    """Raise FormatError where DuckDB refuses the types, the predicates or the SELECT of a format."""
    import duckdb

    columns = ", ".join(f"NULL::{kind} AS {engine.identifier(name)}" for name, kind in form.columns.items())
    own = "0::BIGINT AS record_number, '' AS source_file, 0::BIGINT AS source_line, now() AS file_modified_at"
    hits = ", ".join(f"TRY({predicate})" for predicate in form.identify)
    with engine.connect() as connection:
        connection.execute(_MACROS.read_text(encoding="utf-8"))
        try:
            connection.execute(f"SELECT {hits} FROM (SELECT NULL::JSON AS record)")
            connection.execute(f"CREATE TEMP VIEW records AS SELECT {columns}, {own}")
            connection.execute(f"CREATE TEMP TABLE mapped ({schema.columns_sql(form.mapped)})")
            connection.execute(f"EXPLAIN INSERT INTO mapped BY NAME {form.map_sql}")
        except duckdb.Error as error:
            raise FormatError(f"{form.folder}: {str(error).splitlines()[0]}") from error


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
    texts: dict[str, Any] = {key: _text(declared, key, path) for key in _TEXTS}
    sql = folder / declared.get("map", "map.sql")
    if not sql.is_file():
        raise FormatError(f"{sql}: not found")
    macros = folder / declared["macros"] if "macros" in declared else sql.with_name("macros.sql")
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
        narrower_than=tuple(declared.get("narrower_than", ())),
        resumable=bool(declared.get("resumable", True)),
        nests=bool(declared.get("nests", False)),
        identify=tuple(_strings({str(i): p for i, p in enumerate(_predicates(declared))}, "identify", path).values()),
        map_sql=sql.read_text(encoding="utf-8").strip().rstrip(";"),
        macros_sql=macros.read_text(encoding="utf-8") if macros.is_file() else "",
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
