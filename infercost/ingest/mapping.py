"""Mapping files: one TOML that says where a log keeps each canonical column, for gateways whose keys the user chose.

A mapping becomes a Format like any other: declared columns, a generated SELECT, and predicates. docs/mapping.md is
its reference.
"""

from pathlib import Path

from infercost import schema
from infercost.ingest import mapping_paths, mapping_sql, mapping_toml
from infercost.ingest.mapping_columns import FILLS, KINDS, MappingFile
from infercost.ingest.registry import Format


def read(path: Path) -> Format:
    """Return the mapping file as a format; raises MappingError naming the file, the key and what is allowed."""
    return as_format(mapping_toml.parse(path))


def filled_columns(path: Path) -> tuple[str, ...]:
    """Return the canonical columns that the mapping file has a path for."""
    fields = mapping_toml.parse(path).fields.values()
    return tuple(FILLS.get(field.column, field.column) for field in fields if field.paths)


def as_format(mapping: MappingFile) -> Format:
    """Return the format that reads what the mapping describes."""
    includes = "includes" if mapping.input_includes_cache else "excludes"
    reasoning = "includes" if mapping.output_includes_reasoning else "excludes"
    return Format(
        name=mapping.name,
        folder=mapping.path.parent,
        group="gateway",
        table="attempts",
        title=mapping.title,
        written_by=f"read by the mapping file {mapping.path.name}",
        how_to_get="the log that the mapping file was written for",
        gateway=mapping.gateway,
        grain=mapping.grain,
        family=f"mapping:{mapping.name}",
        dedupe=_dedupe_text(mapping),
        tokens=f"input {includes} cache tokens, output {reasoning} reasoning",
        time=_unit_text(mapping, "started_at"),
        cost=_unit_text(mapping, "reported_cost"),
        cannot_tell=_cannot_tell(mapping),
        # As text, which keeps every digit and tells a number in a CSV cell from JSON.
        columns=dict.fromkeys(mapping_paths.top_names(mapping.paths), "VARCHAR"),
        optional=(),
        batch_bytes=None,
        identify=mapping.identify or mapping_sql.predicates(mapping),
        map_sql=mapping_sql.select(mapping),
        instead_of=mapping.instead_of,
    )


def _cannot_tell(mapping: MappingFile) -> tuple[str, ...]:
    """Return the columns of the table that the mapping leaves empty, as one sentence."""
    have = {*mapping.fields, *(FILLS[name] for name in FILLS if name in mapping.fields), "status", "usage_source"}
    have |= {"request_model", "response_model", "price_model"} if "model" in have else set()
    have |= {"price_model"} if have & {"request_model", "response_model"} else set()
    missing = [each.name for each in schema.ATTEMPTS if each.name in KINDS and each.name not in have]
    return (f"what is not mapped: {', '.join(missing)}",) if missing else ()


def _dedupe_text(mapping: MappingFile) -> str:
    if "id" in mapping.fields:
        return f"{', else '.join(mapping.fields['id'].paths)}; the copy with the most tokens wins"
    return "records that are equal in everything that is mapped count once"


def _unit_text(mapping: MappingFile, column: str) -> str:
    field = mapping.fields.get(column)
    if field is None:
        return "none"
    return f"{', else '.join(field.paths) or field.value} ({field.unit or 'units of its own'})"
