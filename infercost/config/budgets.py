"""Budgets of infercost.toml: an amount of dollars or tokens for a period, or for every session."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from infercost import schema
from infercost.config.reader import Reader

PERIODS = ("day", "week", "month", "session")
"""Periods with a name; a number of days (`14d`) counted from `starts` is one too."""

USD, TOKENS = "usd", "tokens"

SESSION_COLUMNS = ("feature", "cohort")
"""Columns that a budget for every session may be narrowed by."""

_DAYS = re.compile(r"([1-9]\d{0,3})d")


@dataclass(frozen=True)
class Budget:
    """An amount in US dollars or tokens (`unit`) for a period; `where` narrows it to columns with given values.

    A period of `days` days is counted from the day `starts`. A check warns from `soft` of the amount on and fails above
    `hard` of it.
    """

    name: str
    amount: Decimal
    period: str
    where: Mapping[str, str]
    unit: str = USD
    soft: Decimal | None = None
    hard: Decimal = Decimal(1)
    starts: date | None = None

    @property
    def days(self) -> int | None:
        """The days of a period that has no name."""
        found = _DAYS.fullmatch(self.period)
        return int(found[1]) if found else None


def read_budget(reader: Reader, item: Mapping[str, Any]) -> Budget:
    """Return the budget that one table of `[[budgets]]` means; raises ConfigError that says what is allowed."""
    where = "budgets"
    reader.only(item, ("name", "amount", "unit", "period", "starts", "soft", "hard", "where"), where)
    period = item.get("period", "month")
    starts = item.get("starts")
    if period not in PERIODS and not (isinstance(period, str) and _DAYS.fullmatch(period)):
        raise reader.fail(
            f"{where}.period", f"{period!r} is not one of {', '.join(PERIODS)}, or a number of days (14d)"
        )
    if (period not in PERIODS) != (starts is not None):
        raise reader.fail(f"{where}.starts", "goes with a period of days: the first day of one, such as 2026-11-01")
    if starts is not None and (not isinstance(starts, date) or isinstance(starts, datetime)):
        raise reader.fail(f"{where}.starts", "must be a date such as 2026-11-01 (not quoted)")
    unit = item.get("unit", USD)
    if unit not in (USD, TOKENS):
        raise reader.fail(f"{where}.unit", f"{unit!r} is not one of {USD}, {TOKENS}")
    narrow = item.get("where", {})
    if not isinstance(narrow, dict) or not all(isinstance(value, str) for value in narrow.values()):
        raise reader.fail(f"{where}.where", 'must be a table of column = "value"')
    reader.only(narrow, SESSION_COLUMNS if period == "session" else schema.DIMENSIONS, f"{where}.where")
    if "amount" not in item:
        raise reader.fail(f"{where}.amount", "is required")
    return Budget(
        name=reader.required_text(item, "name", where),
        amount=reader.decimal(item["amount"], f"{where}.amount"),
        period=period,
        where=dict(narrow),
        unit=unit,
        soft=_share(reader, item["soft"], f"{where}.soft") if "soft" in item else None,
        hard=_share(reader, item["hard"], f"{where}.hard") if "hard" in item else Decimal(1),
        starts=starts,
    )


def _share(reader: Reader, value: Any, where: str) -> Decimal:
    """Return a share of the amount, written as 0.8 or as "80%"."""
    if isinstance(value, str) and value.endswith("%"):
        return reader.decimal(value[:-1], where) / 100
    return reader.decimal(value, where)
