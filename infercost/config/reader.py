"""Takes typed values out of a document of settings; every complaint names the file and the key."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from infercost.errors import ConfigError

CONFIG_NAME = "infercost.toml"


class Reader:
    """Reads one document; `texts_are_dates` where the file has no type for a date, as in CSV."""

    def __init__(self, path: Path, *, texts_are_dates: bool = False) -> None:
        self.path = path
        self.texts_are_dates = texts_are_dates

    def fail(self, key: str, problem: str) -> ConfigError:
        """Return the error that names the file, the key and the problem."""
        return ConfigError(f"{self.path}: {key}: {problem}", hint="`infercost init` writes a commented example.")

    def only(self, table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
        """Raise ConfigError for a key that is not allowed."""
        for key in table:
            if key not in allowed:
                name = f"{where}.{key}" if where else key
                raise self.fail(name, f"not known; allowed: {', '.join(allowed)}")

    def table(self, document: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> Mapping[str, Any]:
        """Return the table `name`, empty when it is not there."""
        value = document.get(name, {})
        if not isinstance(value, dict):
            raise self.fail(name, "must be a table")
        self.only(value, allowed, name)
        return value

    def text(self, document: Mapping[str, Any], section: str, key: str) -> str | None:
        """Return a text of a section that has this key alone; None when it is not there."""
        value = self.table(document, section, (key,)).get(key)
        if value is not None and not isinstance(value, str):
            raise self.fail(f"{section}.{key}", "must be text")
        return value

    def flag(self, table: Mapping[str, Any], key: str, where: str, *, default: bool) -> bool:
        """Return a true or false."""
        value = table.get(key, default)
        if not isinstance(value, bool):
            raise self.fail(f"{where}.{key}", "must be true or false")
        return value

    def texts(self, table: Mapping[str, Any], key: str, where: str) -> list[str]:
        """Return a list of texts, empty when it is not there."""
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
            raise self.fail(f"{where}.{key}", "must be a list of texts")
        return value

    def integer(self, table: Mapping[str, Any], key: str, where: str, *, least: int) -> int:
        """Return a whole number of at least `least`, which is also the default."""
        value = table.get(key, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.fail(f"{where}.{key}", f"must be a whole number of at least {least}")
        return value

    def optional_text(self, table: Mapping[str, Any], key: str, where: str) -> str | None:
        """Return a text, None when it is not there."""
        return self.required_text(table, key, where) if key in table else None

    def items(self, table: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
        """Return a list of tables, empty when it is not there."""
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.fail(where, f"must be a list of tables, written [[{where}]]")
        return value

    def required_text(self, table: Mapping[str, Any], key: str, where: str) -> str:
        """Return a text that must be there."""
        if key not in table:
            raise self.fail(f"{where}.{key}", "is required")
        value = table[key]
        if not isinstance(value, str) or not value:
            raise self.fail(f"{where}.{key}", "must be text")
        return value

    def decimal(self, value: Any, where: str) -> Decimal:
        """Return a number of at least 0, exactly as it is written."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise self.fail(where, "must be a number")
        try:
            # repr of a TOML float is the shortest decimal that means it, which is what the user wrote.
            number = Decimal(str(value))
        except InvalidOperation as error:
            raise self.fail(where, f"{value!r} is not a number") from error
        if not number.is_finite() or number < 0:
            raise self.fail(where, "must be a number of at least 0")
        return number

    def moment(self, table: Mapping[str, Any], key: str, where: str) -> datetime | None:
        """Return a date (its midnight UTC) or a time, None when it is not there."""
        value = table.get(key)
        if value is None:
            return None
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        if isinstance(value, str) and self.texts_are_dates:
            try:
                return self.moment({key: datetime.fromisoformat(value)}, key, where)
            except ValueError:
                raise self.fail(f"{where}.{key}", f"{value!r} is not a date such as 2026-11-01") from None
        raise self.fail(f"{where}.{key}", "must be a date such as 2026-11-01 (not quoted)")

    def files(self, table: Mapping[str, Any], key: str, where: str) -> tuple[Path, ...]:
        """Return the files that a list of globs names, relative to the document."""
        folder = self.path.parent
        found: list[Path] = []
        for pattern in self.texts(table, key, where):
            matches = sorted(folder.glob(pattern)) if not Path(pattern).is_absolute() else [Path(pattern)]
            # A glob may find nothing yet; a name that is not there is a mistake.
            if not matches and not set(pattern) & set("*?["):
                raise self.fail(f"{where}.{key}", f"{pattern!r} names no file")
            found += matches
        return tuple(dict.fromkeys(found))
