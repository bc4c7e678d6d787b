"""Proposes a mapping file from a sample of a log: what `guess` finds in it, with the evidence for every line."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from infercost.errors import SourceError
from infercost.ingest import guess, identify
from infercost.ingest.guess import Leaf
from infercost.ingest.mapping_columns import CHOICES
from infercost.ingest.registry import formats

SHOWN_CHARACTERS = 40
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_KEY_COLUMNS = {"started_at", "model", "request_model", "response_model", "input_tokens", "output_tokens"}
_LONG_SECONDS = 300
_LONG_MILLISECONDS = 1e7


def propose(path: Path, read_by: str | None = None) -> str:
    """Return the text of a mapping file for the log at `path`; raises SourceError when it holds no records.

    `read_by` is the format that reads the log already.
    """
    records = _records(path)
    leaves = guess.leaves(records)
    chosen = guess.choose(leaves, len(records))
    lines = [
        f"# Proposed from {len(records)} records of {_plain(path.name)}. Read every line, then try it:",
        "# infercost formats check THIS.toml LOG. docs/mapping.md says what can stand here.",
        f"name = {_quoted(_slug(path))}",
        *([f'# instead_of = ["{read_by}"]  # the format {read_by} reads this log already'] if read_by else []),
        *_rules(chosen, leaves, records),
        "",
        "[columns]",
        *(_line(column, leaf) for column, leaf in chosen.items()),
    ]
    if "started_at" not in chosen:
        lines.append('# started_at = ""  # required: no key of the sample looks like a time')
    used = {leaf.path for leaf in chosen.values()}
    tags: dict[str, Leaf] = {}
    for leaf in leaves:
        if leaf.path not in used and leaf.words and leaf.words[-1] in guess.TAGS:
            tags.setdefault(leaf.keys[-1], leaf)
    lines += _tags(tags, leaves)
    used |= {leaf.path for leaf in tags.values()}
    rest = [leaf for leaf in leaves if leaf.path not in used]
    if rest:
        lines += ["", "# Not mapped:", *(f"#   {_plain(leaf.path)}  such as {_shown(leaf)}" for leaf in rest)]
    return "\n".join(lines) + "\n"


def _records(path: Path) -> list[dict[str, Any]]:
    head = identify.head_of(path)
    if head.problem:
        raise SourceError(f"{path}: {head.problem}", hint="Name a file with JSON records or a CSV table.")
    # What looks like a page may be a call with a list in it: that which more of a call is found in is the record.
    ways = [[record for record in map(_parsed, texts) if record] for texts in (head.records, head.inner)]
    found = max(ways, key=lambda records: len(_KEY_COLUMNS & guess.choose(guess.leaves(records), len(records)).keys()))
    if not found:
        raise SourceError(f"{path}: no record at its head", hint="Name a file with JSON records or a CSV table.")
    return found


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    # The header of a table stands there as a record without values.
    return value if isinstance(value, dict) and any(each is not None for each in value.values()) else {}


def _line(column: str, leaf: Leaf) -> str:
    path, evidence = _quoted(leaf.path), f"such as {_shown(leaf)}"
    if column in ("started_at", "ended_at"):
        return _time_line(column, leaf)
    if column in ("duration_seconds", "time_to_first_token_seconds"):
        return _unit_line(column, leaf, leaf.unit_of(guess.TIME_WORDS), _duration_unit(leaf))
    if column == "reported_cost":
        return _unit_line(column, leaf, leaf.unit_of(guess.MONEY_WORDS), "usd")
    if column in guess.STATUS_WORDS:
        renamed = _renamed(column, leaf)
        if renamed:
            strange = [text for text in dict.fromkeys(leaf.texts) if not guess.is_known(column, text)]
            doubt = f"  # check what is meant by {', '.join(map(_plain, strange))}" if strange else ""
            return f"{column} = {{ from = {path}, map = {{ {renamed} }} }}{doubt}"
    return f"{column} = {path}  # {evidence}"


def _time_line(column: str, leaf: Leaf) -> str:
    path, evidence = _quoted(leaf.path), f"such as {_shown(leaf)}"
    text, unit = next((text, unit) for text in leaf.texts if (unit := guess.time_unit(text)))
    if unit in guess.LAYOUTS:
        zone = "" if "%z" in unit else ": no zone, read as UTC"
        return f"{column} = {{ from = {path}, format = {_quoted(unit)} }}  # {evidence}{zone}"
    if unit != "text":
        return f'{column} = {{ from = {path}, unit = "{unit}" }}  # {evidence}'
    if datetime.fromisoformat(text.removesuffix(" UTC")).tzinfo or text.endswith(" UTC"):
        return f"{column} = {path}  # {evidence}"
    return f'{column} = {path}  # {evidence}: no zone, read as UTC (else {{ from = {path}, zone = "Europe/Berlin" }})'


def _unit_line(column: str, leaf: Leaf, told: str | None, guessed: str) -> str:
    doubt = "" if told else ": check the unit"
    return f'{column} = {{ from = {_quoted(leaf.path)}, unit = "{told or guessed}" }}  # such as {_shown(leaf)}{doubt}'


def _duration_unit(leaf: Leaf) -> str:
    """Return the unit that the longest duration speaks for."""
    largest = max(float(text) for text in leaf.texts if guess.is_number(text))
    return "s" if largest < _LONG_SECONDS else "ms" if largest < _LONG_MILLISECONDS else "ns"


def _renamed(column: str, leaf: Leaf) -> str:
    """Return the members of a `map`: the words of the sample that are none of the column's own."""
    seen = dict.fromkeys([*leaf.texts, *(("true", "false") if set(leaf.texts) & {"true", "false"} else ())])
    words = [text for text in seen if text.lower() not in CHOICES[column]]
    meant = {text: guess.STATUS_WORDS[column].get(text.lower(), CHOICES[column][1]) for text in words}
    return ", ".join(f'{_key(text)} = "{word}"' for text, word in meant.items())


def _tags(tags: Mapping[str, Leaf], leaves: Sequence[Leaf]) -> list[str]:
    lines = [f"{_key(name)} = {_quoted(leaf.path)}  # such as {_shown(leaf)}" for name, leaf in tags.items()]
    bags = {leaf.keys[:-1] for leaf in leaves if len(leaf.keys) > 1 and leaf.keys[-2].lower() in guess.BAGS}
    for number, keys in enumerate(sorted(bags)):
        path = guess.path_of(keys)
        name = "*" if number == 0 else f"{keys[-1]}.*"
        lines.append(f'# "{_plain(name)}" = {_quoted(path)}  # every member of it')
    return ["", "[tags]", *lines] if lines else []


def _rules(chosen: Mapping[str, Leaf], leaves: Sequence[Leaf], records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the inclusion rules, with what the sample says about each."""
    total = next((leaf.keys for leaf in leaves if leaf.names.intersection(guess.TOTAL)), ())
    sides = (
        ("input_includes_cache", "input_tokens", ("cache_read_tokens", "cache_write_tokens")),
        ("output_includes_reasoning", "output_tokens", ("reasoning_tokens",)),
    )
    lines = []
    for rule, side, parts in sides:
        paths = [chosen[part].keys for part in parts if part in chosen]
        if side not in chosen or not paths:
            continue
        other = "output_tokens" if side == "input_tokens" else "input_tokens"
        places = [chosen[side].keys, chosen[other].keys if other in chosen else (), total]
        value, why = _includes([guess.numbers(record, [*places, *paths]) for record in records])
        lines.append(f"{rule} = {value}  # {why}")
    return lines


def _includes(rows: Iterable[list[float | None]]) -> tuple[str, str]:
    """Return `true` or `false` and the evidence, from rows of side, other side, total, parts..."""
    proof = None
    for side, other, total, *parts in rows:
        part = sum(each or 0 for each in parts)
        if side is None or not part:
            continue
        if part > side:
            return "false", f"a record has {part:g} of the part and {side:g} in all, so the part is beside it"
        if total is not None and other is not None:
            if total == side + other:
                proof = "true", "the total of the sample is input + output, without the part"
            elif total == side + other + part:
                return "false", "the total of the sample is input + output + the part"
    return proof or ("true", "NOT PROVEN by the sample: look it up")


def _slug(path: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", path.name.split(".")[0].lower()).strip("-") or "my-gateway"
    return f"my-{name}" if name in formats() else name


def _shown(leaf: Leaf) -> str:
    """Return an example; of long texts only the length, as they may be prompts."""
    text = json.dumps(leaf.values[0], ensure_ascii=False)
    return _plain(text) if len(text) <= SHOWN_CHARACTERS else f"({len(text):,} characters)"


def _quoted(text: str) -> str:
    """Return a TOML string; single quotes where that spares escapes."""
    return f"'{text}'" if '"' in text and "'" not in text else json.dumps(text, ensure_ascii=False)


def _key(text: str) -> str:
    return text if _BARE_KEY.fullmatch(text) else json.dumps(_plain(text), ensure_ascii=False)


def _plain(text: str) -> str:
    """Return a text that can stand in a comment of one line."""
    return "".join(character if character.isprintable() else "?" for character in text)
