"""Reads a mapping file: TOML to a checked MappingFile; every error names the file, the key and what is allowed."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from infercost import engine
from infercost.errors import MappingError
from infercost.ingest import mapping_paths
from infercost.ingest.mapping_columns import CACHE, CHOICES, KINDS, MISSING, UNITS, Field, Kind, MappingFile
from infercost.ingest.registry import formats

TOP_KEYS: Mapping[str, str] = {
    "name": "name of the format, lower-case letters, digits and `-`; required",
    "title": "what it is, for `infercost formats`; else the name",
    "gateway": "what stands in the column `gateway`; else the name",
    "grain": "`attempt` (a record is one call of a model; so unless told) or `request` (retries are folded into it)",
    "input_includes_cache": "whether input_tokens includes the cache tokens; required where both are mapped",
    "output_includes_reasoning": "whether output_tokens includes reasoning_tokens; true unless told",
    "missing": 'texts that stand for no value; `["", "-"]` unless told',
    "instead_of": "packaged formats that this one takes the place of",
    "only": "table of path = value, or list of values: the records that are calls",
    "columns": "table of column = path, or column = { ... }; required",
    "tags": "table of tag = path",
    "identify": "table with `all`: SQL predicates over `record` (JSON) that recognise the log",
}
"""Keys of a mapping file and what they say."""

FIELD_KEYS: Mapping[str, str] = {
    "from": "a path, or a list of paths, of which the first with a value is taken",
    "value": "a constant, instead of `from`",
    "unit": "unit of the number, see below",
    "per_dollar": "how many of the log's units make one dollar (reported_cost)",
    "map": "table of text in the log = text to take instead, before anything else is done",
    "zone": 'IANA name of the zone of times without one, such as "Europe/Berlin"; else UTC',
    "format": 'how the text of a time is written, such as "%d/%b/%Y:%H:%M:%S %z" (DuckDB\'s strptime)',
}
"""Keys of one column in a mapping file and what they say."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_WITHOUT_CONSTANT = ("id", "started_at", "ended_at")
# The engine has columns of these names beside those of the log.
_TAKEN = ("piece", "line", "position", "rowid", "record_number", "source_file", "source_line", "file_modified_at")
_CONSTANTS: Mapping[str, str] = {
    "flag": "true or false",
    "whole": "a whole number",
    **dict.fromkeys(("seconds", "number", "money"), "a number"),
}


def parse(path: Path) -> MappingFile:
    """Return the mapping file, checked; raises MappingError naming the file, the key and what is allowed."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(f"{path}: {error.strerror}", hint="Write one with: infercost formats new FILE") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _Checker(path).fail(f"not valid TOML: {error}") from error
    return _Checker(path).mapping(document)


class _Checker:
    """Turns TOML into a MappingFile; every error names the file and the key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, message: str) -> MappingError:
        return MappingError(f"{self.path}: {message}", hint="docs/mapping.md lists what a mapping file may say.")

    def mapping(self, document: Mapping[str, Any]) -> MappingFile:
        self.only_keys(document, TOP_KEYS, "")
        name = self.text(document, "name", None)
        if not _NAME.fullmatch(name):
            raise self.fail(f"name {name!r} must be lower-case letters and digits, joined with -")
        fields = {column: self.field(column, value) for column, value in self.table(document, "columns").items()}
        if "started_at" not in fields:
            raise self.fail("columns.started_at is required: without a time a call belongs to no day")
        includes = self.flag(document, "input_includes_cache", default=None)
        if includes is None and "input_tokens" in fields and any(column in fields for column in CACHE):
            raise self.fail("input_includes_cache is required where cache tokens are mapped: true or false")
        grain = self.text(document, "grain", "attempt")
        if grain not in ("attempt", "request"):
            raise self.fail(f"grain must be attempt or request, not {grain!r}")
        found = MappingFile(
            path=self.path,
            name=name,
            title=self.text(document, "title", name),
            gateway=self.text(document, "gateway", name),
            grain=grain,
            input_includes_cache=True if includes is None else includes,
            output_includes_reasoning=self.flag(document, "output_includes_reasoning", default=True) is not False,
            instead_of=self.instead_of(document),
            missing=self.texts(document.get("missing", list(MISSING)), "missing"),
            only=dict(self.wanted(*item) for item in self.table(document, "only", {}).items()),
            fields=fields,
            tags={tag: self.path_text(path, f"tags.{tag}") for tag, path in self.table(document, "tags", {}).items()},
            identify=self.identify(document),
        )
        self.check_names(found)
        return found

    def wanted(self, path: str, values: Any) -> tuple[str, tuple[str, ...]]:
        self.path_text(path, "only")
        texts = self.texts(values if isinstance(values, list) else [values], f"only.{path}")
        if not texts:
            raise self.fail(f"only.{path} must name at least one value")
        return path, texts

    def check_names(self, mapping: MappingFile) -> None:
        """Refuse keys that DuckDB, whose names have no case, or the engine, which has own ones, could mix up."""
        names = mapping_paths.top_names(mapping.paths)
        lower = [name.lower() for name in names]
        twins = sorted({name for name in names if lower.count(name.lower()) > 1})
        if twins:
            raise self.fail(f"keys that differ only in capitals cannot be told apart: {', '.join(twins)}")
        taken = [name for name in names if name.lower() in _TAKEN]
        if taken:
            raise self.fail(f"a key named {' or '.join(taken)} at the top of a record cannot be read")

    def instead_of(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        names = self.texts(document.get("instead_of", []), "instead_of")
        for name in names:
            if name not in formats():
                raise self.fail(f"instead_of: {name!r} is not a format (infercost formats lists them)")
        return names

    def identify(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        table = self.table(document, "identify", {})
        self.only_keys(table, ("all",), "identify.")
        predicates = self.texts(table.get("all", []), "identify.all")
        if predicates:
            self.check_predicates(predicates)
        return predicates

    def check_predicates(self, predicates: Iterable[str]) -> None:
        import duckdb

        with engine.connect() as connection:
            for predicate in predicates:
                try:
                    connection.execute(f"SELECT bool_or(TRY({predicate})) FROM (SELECT NULL::JSON AS record)")
                except duckdb.Error as error:
                    problem = str(error).splitlines()[0]
                    raise self.fail(f"identify.all: {predicate!r} is no predicate over record: {problem}") from error

    def field(self, column: str, value: Any) -> Field:
        where = f"columns.{column}"
        if column not in KINDS:
            raise self.fail(f"{where} is not a column that can be mapped; allowed: {', '.join(KINDS)}")
        table = value if isinstance(value, dict) else {"from": value}
        self.only_keys(table, FIELD_KEYS, f"{where}.")
        if ("from" in table) == ("value" in table):
            raise self.fail(f"{where} needs either a path (from) or a constant (value)")
        kind = KINDS[column]
        unit, factor = self.unit(table, kind, where)
        layout = self.text(table, "format", "", where) or None
        zone = self.zone(table, where)
        if (layout or zone) and unit != "text":
            raise self.fail(f"{where}: zone and format are for times that are text")
        return Field(
            column=column,
            paths=self.paths(table["from"], where) if "from" in table else (),
            value=self.constant(table["value"], column, where) if "value" in table else None,
            unit=unit,
            factor=factor,
            renamed=self.renamed(table, where),
            zone=zone,
            layout=layout,
        )

    def constant(self, value: Any, column: str, where: str) -> str:
        if column in _WITHOUT_CONSTANT:
            raise self.fail(f"{where} needs a path: it is another one for each record")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if not isinstance(value, str | int | float) or not text:
            raise self.fail(f"{where}.value must be text, a number, true or false")
        kind = KINDS[column]
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        fits = {
            "choice": text.lower() in CHOICES.get(column, ()),
            "flag": isinstance(value, bool),
            "whole": isinstance(value, int) and not isinstance(value, bool),
            **dict.fromkeys(("seconds", "number", "money"), numeric),
        }
        if not fits.get(kind, True):
            allowed = f"one of {', '.join(CHOICES[column])}" if kind == "choice" else _CONSTANTS[kind]
            raise self.fail(f"{where}.value must be {allowed}, not {value!r}")
        return text

    def renamed(self, table: Mapping[str, Any], where: str) -> Mapping[str, str] | None:
        renamed = table.get("map")
        if renamed is None:
            return None
        if not isinstance(renamed, dict) or not all(isinstance(text, str) for text in renamed.values()):
            raise self.fail(f"{where}.map must be a table of texts")
        return renamed

    def unit(self, table: Mapping[str, Any], kind: Kind, where: str) -> tuple[str | None, Decimal]:
        if "per_dollar" in table:
            return None, self.per_dollar(table, kind, where)
        units_of = UNITS.get(kind)
        unit = table.get("unit", next(iter(units_of)) if units_of else None)
        if unit is None:
            return None, Decimal(1)
        if units_of is None or not isinstance(unit, str) or unit not in units_of:
            allowed = ", ".join(units_of) if units_of else "none (the column has no unit)"
            raise self.fail(f"{where}.unit {unit!r} is not known; allowed: {allowed}")
        return unit, units_of[unit]

    def per_dollar(self, table: Mapping[str, Any], kind: Kind, where: str) -> Decimal:
        units = table["per_dollar"]
        if kind != "money" or "unit" in table:
            raise self.fail(f"{where}.per_dollar is for reported_cost, in the place of unit")
        # Costs are kept to the picodollar.
        if isinstance(units, bool) or not isinstance(units, int | float) or not 0.001 <= units <= 1e12:
            raise self.fail(f"{where}.per_dollar must be a number from 0.001 to 1e12, not {units!r}")
        factor = 1 / Decimal(str(units))
        kept = factor.quantize(Decimal("1e-12"))
        if abs(kept / factor - 1) > Decimal("1e-6"):
            raise self.fail(f"{where}.per_dollar {units!r} makes units that are no whole picodollars")
        return kept

    def zone(self, table: Mapping[str, Any], where: str) -> str | None:
        name = self.text(table, "zone", "", where)
        try:
            return ZoneInfo(name).key if name else None
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise self.fail(f"{where}.zone {name!r} is not a time zone, such as Europe/Berlin") from error

    def paths(self, value: Any, where: str) -> tuple[str, ...]:
        found = value if isinstance(value, list) else [value]
        if not found:
            raise self.fail(f"{where} must be the path of a value, such as usage.prompt_tokens")
        return tuple(self.path_text(each, where) for each in found)

    def path_text(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or not value.strip():
            hint = '; a name with dots stands in "quotes"' if isinstance(value, dict) else ""
            raise self.fail(f"{where} must be the path of a value, such as usage.prompt_tokens{hint}")
        try:
            mapping_paths.steps(value)
        except ValueError as error:
            raise self.fail(f"{where}: {value!r} is not a path: {error}") from error
        return value

    def only_keys(self, table: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
        for key in table:
            if key not in allowed:
                raise self.fail(f"{where}{key} is not known; allowed: {', '.join(allowed)}")

    def text(self, table: Mapping[str, Any], key: str, default: str | None, where: str = "") -> str:
        value = table.get(key, default)
        if not isinstance(value, str) or (default is None and not value):
            problem = "is required and must be text" if default is None else "must be text"
            raise self.fail(f"{where + '.' if where else ''}{key} {problem}")
        return value

    def texts(self, value: Any, where: str) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(text, str | int | float) for text in value):
            # A dotted key of TOML is a table in a table.
            hint = '; a name with dots stands in "quotes"' if isinstance(value, list) and _has_table(value) else ""
            raise self.fail(f"{where} must be a list of texts{hint}")
        return tuple(str(text).lower() if isinstance(text, bool) else str(text) for text in value)

    def flag(self, table: Mapping[str, Any], key: str, *, default: bool | None) -> bool | None:
        value = table.get(key, default)
        if value is not None and not isinstance(value, bool):
            raise self.fail(f"{key} must be true or false")
        return value

    def table(self, document: Mapping[str, Any], key: str, default: Mapping[str, Any] | None = None) -> dict[str, Any]:
        value = document.get(key, default)
        if not isinstance(value, dict):
            raise self.fail(f"[{key}] is required and must be a table" if default is None else f"{key} must be a table")
        return value


def _has_table(values: Iterable[Any]) -> bool:
    return any(isinstance(each, dict) for each in values)
