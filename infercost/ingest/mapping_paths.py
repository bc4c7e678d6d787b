"""Paths of mapping files: `usage.prompt_tokens`, `choices[0].model`, `labels."app.name"`.

A path with dots is looked for as one key of the record first (`gen_ai.usage.input_tokens`), then from member to
member. Everything is looked up by JSON pointers, which have no signs of their own that a key could hold.
"""

import re
from collections.abc import Iterable
from functools import cache

from infercost.engine import identifier, literal

_KEY = re.compile(r'"(?P<quoted>(?:[^"]|"")+)"|(?P<bare>[^."\[\]]+)')
_INDEX = re.compile(r"\[(?P<index>\d+)\]")


@cache
def steps(path: str) -> tuple[str, ...]:
    """Return the members that a path leads over; raises ValueError saying what is wrong with it."""
    if path.startswith(("$.", "$[")):
        raise ValueError("a path begins with a key, not with $")
    key = _KEY.match(path)
    found: list[str] = []
    position = 0
    while key is not None:
        quoted = key["quoted"]
        found.append(key["bare"] if quoted is None else quoted.replace('""', '"'))
        position = key.end()
        while index := _INDEX.match(path, position):
            found.append(index["index"])
            position = index.end()
        key = _KEY.match(path, position + 1) if path[position : position + 1] == "." else None
    if position != len(path) or not found:
        raise ValueError('keys are joined with dots, elements are [0]; a key with other signs stands in "quotes"')
    return tuple(found)


def is_path(text: str) -> bool:
    """Return whether a text is a path."""
    try:
        return bool(steps(text))
    except ValueError:
        return False


def written(keys: Iterable[str]) -> str:
    """Return the path of keys; `steps` gives them back."""
    return ".".join(
        key if _KEY.fullmatch(key) and '"' not in key else '"' + key.replace('"', '""') + '"' for key in keys
    )


def is_one_key(path: str) -> bool:
    """Return whether a path with dots may be the name of a single key as well."""
    return len(steps(path)) > 1 and "[" not in path and '"' not in path


def top_names(paths: Iterable[str]) -> list[str]:
    """Return the keys of a record, at its top, that paths need."""
    found: dict[str, None] = {}
    for path in paths:
        if is_one_key(path):
            found[path] = None
        found[steps(path)[0]] = None
    return list(found)


def text_sql(path: str) -> str:
    """Return the SQL of the text at a path, of columns that hold each top key as text (of objects: their JSON)."""
    first, *inner = steps(path)
    if not inner:
        return identifier(first)
    found = f"json_extract_string(try_cast({identifier(first)} AS JSON), {literal(_pointer(inner))})"
    return f"coalesce({identifier(path)}, {found})" if is_one_key(path) else found


def exists_sql(path: str) -> str:
    """Return the SQL that tells whether `record` (JSON) has the path; an object may also lie there as text."""
    first, *inner = steps(path)
    if not inner:
        return f"json_exists(record, {literal(_pointer([first]))})"
    top = f"json_extract_string(record, {literal(_pointer([first]))})"
    tests = [f"coalesce(json_exists(try_cast({top} AS JSON), {literal(_pointer(inner))}), false)"]
    if is_one_key(path):
        tests.insert(0, f"json_exists(record, {literal(_pointer([path]))})")
    return " OR ".join(tests)


def _pointer(keys: Iterable[str]) -> str:
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
