"""Compiles attribution rules into SQL expressions over the columns of `attempts`.

The expressions look only at columns that the store keeps, so the same rules give the same answer at ingest and
when they are applied again to what is stored.
"""

import hashlib
import re
from pathlib import Path

from infercost import config, engine, schema
from infercost.config import Config, Rule
from infercost.errors import ConfigError

_COLUMNS: dict[str, tuple[str, ...]] = {
    "key": ("api_key_name", "api_key_id"),
    "team": ("team_name",),
    "user": ("user_id",),
    "endpoint": ("endpoint",),
    "model": ("request_model", "response_model"),
    "response_model": ("response_model",),
    "provider": ("provider_name",),
    "deployment": ("deployment",),
    "gateway": ("gateway",),
    "format": ("format",),
    "operation": ("operation_name",),
    "session": ("session_id",),
    "path": ("source_file",),
    "routing_path": ("routing_path",),
}
"""Columns that a rule's field looks at; a template takes the first that has a value."""

_HASHED = ("api_key_id", "user_id")
_REGEX = "re:"
_TEMPLATE = re.compile(r"\{([^{}|]+)(?:\|((?:[^{}]|\{[^{}]*\})*))?\}")
_GLOB_CHARACTERS = re.compile(r"[*?\[]")
DEFAULTS = Path(__file__).with_name("defaults.toml")


def hash_id(value: str, salt: str) -> str:
    """Return what the store keeps instead of an id: 16 hex digits of SHA-256 over salt and value."""
    return hashlib.sha256(f"{salt}{value}".encode()).hexdigest()[:16]


def hash_sql(column: str, salt: str) -> str:
    """Return the SQL expression that hashes a column the way `hash_id` does; NULL stays NULL."""
    return f"left(sha256({engine.literal(salt)} || {column}), 16)"


def expressions(settings: Config, salt: str) -> dict[str, str]:
    """Return a SQL expression for each attributed column; a row that no rule catches gets UNATTRIBUTED.

    The user's own rules come first, then the default ones unless the configuration switches them off.
    """
    defaults = config.load(DEFAULTS)
    rules = settings.rules + (defaults.rules if settings.default_rules else ())
    tiers = settings.model_tiers if settings.model_tiers is not None else defaults.model_tiers or ()
    found = {column: _column(column, rules, salt if settings.hash_ids else None) for column in schema.ATTRIBUTED}
    found["model_tier"] = _with_tiers(found["model_tier"], tiers)
    return found


def _column(column: str, rules: tuple[Rule, ...], salt: str | None) -> str:
    branches = [_value(rule, column, salt) for rule in rules if column in rule.set]
    return f"coalesce({', '.join([*branches, engine.literal(schema.UNATTRIBUTED)])})"


def _value(rule: Rule, column: str, salt: str | None) -> str:
    """Return the rule's value for the column, NULL where its conditions fail or its template is empty."""
    value = f"nullif({_template(rule.set[column])}, '')"
    if not rule.when:
        return value
    holds = " AND ".join(_condition(field, patterns, salt) for field, patterns in rule.when.items())
    return f"CASE WHEN {holds} THEN {value} END"


def _condition(field: str, patterns: tuple[str, ...], salt: str | None) -> str:
    if field == "tag":
        bare = "list_transform(list_filter(map_entries(tags), lambda e: e.value = ''), lambda e: e.key)"
        tests = [f"len(list_filter({bare}, lambda k: {_match('k', pattern)})) > 0" for pattern in patterns]
    else:
        columns = _field_columns(field)
        tests = [_match(column, text) for column in columns for text in _texts(column, patterns, salt)]
    return f"coalesce({' OR '.join(tests)}, false)"


def _texts(column: str, patterns: tuple[str, ...], salt: str | None) -> list[str]:
    """Return the patterns, and for hashed columns also the hashes of those that are plain values."""
    if column not in _HASHED or salt is None:
        return list(patterns)
    plain = [text for text in patterns if not text.startswith(_REGEX) and not _GLOB_CHARACTERS.search(text)]
    if column == "user_id" and len(plain) < len(patterns) and patterns != ("*",):
        raise ConfigError(
            f"attribution.rules.when.user: {', '.join(set(patterns) - set(plain))}: user ids are stored as hashes, "
            "so a pattern cannot match them",
            hint="Write the user ids in full, or set `hash_ids = false` under [privacy] before you ingest.",
        )
    return [*patterns, *(hash_id(text, salt) for text in plain)]


def _match(expression: str, pattern: str) -> str:
    if pattern.startswith(_REGEX):
        return f"regexp_matches({expression}, {engine.literal(_checked(pattern.removeprefix(_REGEX)))})"
    if _GLOB_CHARACTERS.search(pattern):
        return f"{expression} GLOB {engine.literal(pattern)}"
    return f"{expression} = {engine.literal(pattern)}"


def _checked(pattern: str) -> str:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        re.compile(pattern)
        # DuckDB and Arrow both use RE2, which knows no lookaround and no references.
        pc.match_substring_regex(pa.array([""]), pattern)
    except (re.error, pa.ArrowInvalid) as error:
        raise ConfigError(f"attribution.rules: {pattern!r} is not a regular expression: {error}") from error
    return pattern


def _field_columns(field: str) -> tuple[str, ...]:
    if field.startswith("tags."):
        return (f"tags[{engine.literal(field.removeprefix('tags.'))}]",)
    return _COLUMNS[field]


def _template(template: str) -> str:
    """Return the SQL of a template; one field without a value empties the whole."""
    pieces: list[str] = []
    end = 0
    for match in _TEMPLATE.finditer(template):
        if match.start() > end:
            pieces.append(engine.literal(template[end : match.start()]))
        pieces.append(_placeholder(match[1].strip(), match[2]))
        end = match.end()
    if end < len(template):
        pieces.append(engine.literal(template[end:]))
    return f"({' || '.join(pieces)})"


def _placeholder(field: str, pattern: str | None) -> str:
    if field not in config.RULE_FIELDS and not field.startswith("tags."):
        raise ConfigError(
            f"attribution.rules.set: {{{field}}} is not a field",
            hint=f"Allowed: tags.NAME, {', '.join(config.RULE_FIELDS)}.",
        )
    columns = [f"nullif({column}, '')" for column in _field_columns(field)]
    value = columns[0] if len(columns) == 1 else f"coalesce({', '.join(columns)})"
    if pattern is None:
        return value
    group = 1 if re.compile(_checked(pattern)).groups else 0
    return f"nullif(regexp_extract({value}, {engine.literal(pattern)}, {group}), '')"


def _with_tiers(by_rule: str, tiers: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    """Return the tier by rule, else by the first tier whose glob matches the model that answered or was asked for."""
    name = "lower(coalesce(response_model, request_model))"
    branches = ""
    for tier, globs in tiers:
        # One regular expression a tier: a row is looked at once a tier, not once a glob.
        pattern = "|".join(_regex_of(glob.lower()) for glob in globs)
        test = f"regexp_full_match({name}, {engine.literal(pattern)})" if globs else "false"
        branches += f" WHEN {test} THEN {engine.literal(tier)}"
    by_tier = f"CASE{branches} END" if branches else "NULL"
    unattributed = engine.literal(schema.UNATTRIBUTED)
    return f"coalesce(nullif({by_rule}, {unattributed}), {by_tier}, {unattributed})"


def _regex_of(glob: str) -> str:
    """Return the regular expression that matches what the glob matches."""
    meanings = {"*": ".*", "?": "."}
    pieces = re.split(r"(\*|\?|\[[^\]]+\])", glob)
    return "".join(
        meanings.get(piece, _class(piece) if piece.startswith("[") else re.escape(piece)) for piece in pieces
    )


def _class(piece: str) -> str:
    """Return a glob's character class as that of a regular expression, which negates with another sign."""
    return "[^" + piece[2:] if piece.startswith("[!") else piece
