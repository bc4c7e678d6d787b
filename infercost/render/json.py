"""The report as JSON: every figure of it, exact, under a `format_version`."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from infercost.analyze.report import Report


def render_json(report: Report) -> str:
    """Return the report as JSON text; same report, same text."""
    return document_text(report_to_dict(report))


def document_text(document: dict[str, Any]) -> str:
    """Return a document as JSON text: sorted keys, two-space indent, a newline at the end; same document, same text."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def report_to_dict(report: Report) -> dict[str, Any]:
    """Return the report as dicts and lists named as the dataclasses are.

    Decimals become strings without an exponent, times ISO 8601 with their offset, dates ISO 8601, tuples lists.
    """
    return {item.name: plain(getattr(report, item.name)) for item in fields(report)}


def plain(value: Any) -> Any:
    """Return dataclasses as dicts, tuples as lists, Decimals and times as text; what JSON knows stays as it is."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else value
