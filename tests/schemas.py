"""Makes the JSON Schemas of what infercost prints as JSON, from the dataclasses that are printed."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from infercost.analyze import explanation, findings, report, whatif
from infercost.render import check_files
from infercost.render.why import Sentence

_NAMES = {**vars(report), **vars(explanation), **vars(whatif), **vars(findings)}
_MONEY = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}


def report_schema() -> str:
    """Return the schema of `infercost report --format json`."""
    return _text("report", report.Report, report.REPORT_FORMAT_VERSION, {})


def explanation_schema() -> str:
    """Return the schema of `infercost explain --format json`."""
    more = {
        "change": _MONEY,
        "residual": _MONEY,
        "headline": _schema(Sentence),
        "sentences": {"type": "array", "items": _schema(Sentence)},
    }
    return _text("explain", explanation.Explanation, explanation.EXPLANATION_FORMAT_VERSION, more)


def whatif_schema() -> str:
    """Return the schema of `infercost whatif --format json`."""
    more = {
        **dict.fromkeys(("difference", "before_per_month", "after_per_month", "difference_per_month"), _MONEY),
        "headline": {"type": "string"},
    }
    return _text("whatif", whatif.WhatIf, whatif.WHATIF_FORMAT_VERSION, more)


def check_schema() -> str:
    """Return the schema of `infercost check --format json`."""
    return _text("check", findings.Checked, check_files.FORMAT_VERSION, {"is_alarm": {"type": "boolean"}})


def _schema(kind: type) -> dict[str, Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    # Some names are imported for type checkers only.
    adapter.rebuild(force=True, _types_namespace=_NAMES)
    made: dict[str, Any] = _strict(adapter.json_schema(mode="serialization"))
    return made


def _strict(node: Any) -> Any:
    """Return a schema without made-up titles; its objects have exactly their properties, and amounts one form."""
    if isinstance(node, list):
        return [_strict(each) for each in node]
    if not isinstance(node, Mapping):
        return node
    if node.get("type") == "string" and "pattern" in node:
        return _MONEY
    found = {
        name: {key: _strict(each) for key, each in value.items()} if name in ("properties", "$defs") else _strict(value)
        for name, value in node.items()
        if not (name in ("title", "default") and not isinstance(value, Mapping))
    }
    if "properties" in found:
        found |= {"required": sorted(found["properties"]), "additionalProperties": False}
    return found


def _text(command: str, kind: type, version: int, more: Mapping[str, Any]) -> str:
    made = _schema(kind)
    made["properties"] |= {**more, "format_version": {"const": version}}
    made["required"] = sorted(made["properties"])
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"infercost {command} --format json, format_version {version}",
        **made,
    }
    return json.dumps(schema, indent=2) + "\n"
