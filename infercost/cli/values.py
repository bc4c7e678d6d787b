"""Turns single values of a result into text for people, text for files, and JSON data."""

import json
import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def shown(value: object) -> str:
    """Return a value for a person: thousands separated, floats cut to four digits, unknown as nothing."""
    if isinstance(value, bool):
        return cell(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
    if isinstance(value, Decimal):
        # Zero by itself: it would keep the exponent of the column.
        return f"{value.normalize():,f}" if value else "0"
    return cell(value)


def cell(value: object) -> str:
    """Return a value for a file, with every digit that it has; unknown is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="microseconds" if value.microsecond else "seconds")
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict | list):
        return json.dumps(plain(value), ensure_ascii=False)
    return value.hex() if isinstance(value, bytes) else str(value)


def plain(value: Any) -> Any:
    """Return JSON data: decimals as text, so that no digit is lost; times as ISO 8601; NaN and infinity as null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, datetime | date) else cell(value)
