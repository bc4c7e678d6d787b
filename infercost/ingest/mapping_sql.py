"""From a mapping file to SQL: the SELECT that reads its log, and the predicates that recognise it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from infercost import schema
from infercost.engine import literal
from infercost.ingest.mapping_columns import CACHE, CHOICES, Field, Kind, MappingFile
from infercost.ingest.mapping_paths import exists_sql, text_sql

_MEDIA_IN = ("input_audio_tokens", "input_image_tokens")
_MEDIA_OUT = ("output_audio_tokens", "output_image_tokens")
_NOT_A_TEXT = "('{', '[')"
_IDENTIFYING = (
    *("started_at", "input_tokens", "input_uncached_tokens", "output_tokens", "output_text_tokens"),
    *("model", "request_model", "response_model"),
)
_EXPECTED: Mapping[Kind, str] = {
    "time": "a time as text",
    "seconds": "a number",
    "whole": "a whole number",
    "number": "a number",
    "flag": "true or false",
    "money": "an amount",
}


def select(mapping: MappingFile) -> str:
    """Return the SELECT: texts by path, then values, then the canonical columns."""
    fields = mapping.fields.values()
    texts = ",\n        ".join(f"{_source(field, mapping)} AS t_{field.column}" for field in fields)
    values = ",\n        ".join(f"{_value(field)} AS v_{field.column}" for field in fields)
    problems = [problem for problem in map(_problem, fields) if problem]
    columns = ",\n    ".join(f"{sql} AS {name}" for name, sql in _columns(mapping).items())
    places = ", ".join(mapping.fields["started_at"].paths)
    return (
        f"WITH texts AS (\n    SELECT\n        record_number,\n        {_is_wanted(mapping)} AS is_wanted,\n"
        f"        {_tags(mapping)} AS tag_list,\n        {texts}\n    FROM records\n),\n\n"
        f"read_values AS (\n    SELECT\n        *,\n        {values}\n    FROM texts\n),\n\n"
        f"calls AS (\n    SELECT\n        *,\n        is_wanted AND {_has_call(mapping)} AS is_a_call\n"
        "    FROM read_values\n)\n\n"
        "SELECT\n    record_number,\n    is_a_call AS is_call,\n"
        f"    CASE WHEN is_a_call THEN CASE {' '.join(problems)} WHEN v_started_at IS NULL "
        f"THEN {literal(f'no time at {places}')} END END AS reject_reason,\n    {columns}\nFROM calls"
    )


def predicates(mapping: MappingFile) -> tuple[str, ...]:
    """Return the predicates that tell a record of the log: the places of its time, tokens and model are there."""
    fields = [mapping.fields[name] for name in _IDENTIFYING if name in mapping.fields and mapping.fields[name].paths]
    tests = [" OR ".join(exists_sql(path) for path in field.paths) for field in fields]
    tests += [exists_sql(path) for path in mapping.only]
    return tuple(dict.fromkeys(tests))


def _source(field: Field, mapping: MappingFile) -> str:
    """Return the SQL of a field's text."""
    if field.value is not None:
        return literal(field.value)
    found = ", ".join(_text(path, mapping.missing) for path in field.paths)
    text = f"coalesce({found})" if len(field.paths) > 1 else found
    if field.renamed:
        cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in field.renamed.items())
        text = f"CASE {text} {cases} ELSE {text} END"
    return text


def _text(path: str, missing: Sequence[str]) -> str:
    text = f"trim({text_sql(path)})"
    listed = ", ".join(literal(each) for each in missing)
    return f"CASE WHEN {text} NOT IN ({listed}) THEN {text} END" if missing else text


def _value(field: Field) -> str:
    """Return the SQL that reads the text `t_<column>` as what the column holds; NULL where it cannot be read."""
    text = f"t_{field.column}"
    if field.kind == "time":
        return _time(field, text)
    if field.kind == "money":
        return _money(field, text)
    number = f"CASE WHEN isfinite(try_cast({text} AS DOUBLE)) THEN try_cast({text} AS DOUBLE) END"
    readers: dict[Kind, str] = {
        # An object is the sign of a path that is too short; it may hold prompts.
        "text": f"CASE WHEN left({text}, 1) NOT IN {_NOT_A_TEXT} OR NOT json_valid({text}) THEN {text} END",
        "choice": f"lower({text})",
        "whole": f"CASE WHEN try_cast({text} AS DECIMAL(38, 9)) % 1 = 0 THEN try_cast({text} AS BIGINT) END",
        "number": number,
        "seconds": f"{number} * {field.factor:f}",
        "flag": f"try_cast({text} AS BOOLEAN)",
    }
    return readers[field.kind]


def _money(field: Field, text: str) -> str:
    """Return the SQL of an amount: exact, as decimals; a comma may divide thousands or cents, so it is no amount."""
    plain = f"try_cast(try_cast(regexp_replace({text}, '[$ ]', '', 'g') AS DECIMAL(38, 18)) AS DECIMAL(26, 12))"
    factor = field.factor.quantize(Decimal("1e-12"))
    times = plain if factor == 1 else f"{plain} * {factor:f}::DECIMAL(12, {12 if factor < 1 else 6})"
    return f"try_cast({times} AS {schema.MONEY})"


def _time(field: Field, text: str) -> str:
    if field.unit == "ns":
        return f"from_nanoseconds({text})"
    if field.unit != "text":
        return f"epoch_time({text}, {field.factor:f})"
    local = f"try_strptime({text}, {literal(field.layout)})" if field.layout else f"try_cast({text} AS TIMESTAMP)"
    if field.layout and "%z" in field.layout:
        return f"try_cast({local} AS TIMESTAMPTZ)"
    zoned = f"timezone({literal(field.zone or 'UTC')}, {local})"
    if field.layout:
        return zoned
    # Behind a time of day, so that the day of a date is not taken for an offset.
    has_zone = f"regexp_matches({text}, ':[0-9]{{2}}.*([zZ]|UTC|GMT|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$')"
    return f"CASE WHEN {has_zone} THEN utc(regexp_replace({text}, 'z$', 'Z')) ELSE {zoned} END"


def _problem(field: Field) -> str | None:
    """Return the WHEN branch that says why a value of the field cannot be used."""
    origin = f"{field.column} ({', '.join(field.paths) or 'value'})"
    text, value = f"t_{field.column}", f"v_{field.column}"
    if field.kind == "choice":
        allowed = CHOICES[field.column]
        listed = ", ".join(literal(each) for each in allowed)
        message = literal(f"{origin}: not one of {', '.join(allowed)} (add it to map): ")
        return f"WHEN {value} NOT IN ({listed}) THEN {message} || left({text}, 40)"
    if field.kind == "text":
        return None
    unit = f" in {field.unit}" if field.unit and field.unit != "text" else ""
    layout = f" like {field.layout}" if field.layout else ""
    expected = _EXPECTED[field.kind] if field.unit == "text" else _EXPECTED[field.kind].removesuffix(" as text")
    message = literal(f"{origin}: not {expected}{unit}{layout}: ")
    return f"WHEN {text} IS NOT NULL AND {value} IS NULL THEN {message} || left({text}, 40)"


def _is_wanted(mapping: MappingFile) -> str:
    """Return the SQL that keeps the records that [only] names."""
    tests = [
        f"coalesce({_text(path, ())} IN ({', '.join(literal(each) for each in values)}), false)"
        for path, values in mapping.only.items()
    ]
    return " AND ".join(tests) or "true"


def _has_call(mapping: MappingFile) -> str:
    """Return the SQL that tells a call from another record in the same file: something of a call is there.

    Where [only] names the calls it is trusted, so that a refused call without a model and tokens counts as well.
    """
    if mapping.only:
        return "true"
    told = [name for name, field in mapping.fields.items() if field.paths]
    signs = [name for name in told if name.endswith(("_tokens", "model")) or name == "reported_cost"]
    # Every line of an access log has an id; where no model and no tokens are mapped, nothing else tells.
    signs = signs or [name for name in told if name == "id"]
    return f"coalesce({', '.join(f't_{name}' for name in signs)}) IS NOT NULL" if signs else "true"


def _tags(mapping: MappingFile) -> str:
    """Return the SQL of the list of tags; a name that ends in * takes every member of an object."""
    pairs = []
    for tag, path in mapping.tags.items():
        if tag.endswith("*"):
            member = f"{{'key': {literal(tag[:-1])} || pair.key, 'value': pair.value}}"
            pairs.append(f"list_transform(json_pairs({text_sql(path)}), lambda pair: {member})")
        else:
            pairs.append(f"[{{'key': {literal(tag)}, 'value': {_text(path, mapping.missing)}}}]")
    return " || ".join(pairs) or "[{'key': '', 'value': ''}]"


def _columns(mapping: MappingFile) -> dict[str, str]:
    """Return the SQL of each canonical column that the mapping can fill."""
    have = mapping.fields

    def value(name: str) -> str:
        return f"v_{name}" if name in have else "NULL"

    found = {each.name: f"v_{each.name}" for each in schema.MAPPED if each.name in have}
    model = f"coalesce({value('response_model')}, {value('model')}, {value('request_model')})"
    found |= {
        "request_model": f"coalesce({value('request_model')}, {value('model')})",
        "response_model": f"coalesce({value('response_model')}, {value('model')})",
        "price_model": f"coalesce({value('price_model')}, {model})",
        "tags": "tag_map(tag_list)",
        "service_tier": f"tier_of({value('service_tier')}::VARCHAR)",
        "status": f"coalesce({value('status')}, status_of({value('http_status')}::BIGINT), "
        f"CASE WHEN {value('error_type')}::VARCHAR IS NOT NULL THEN 'error' ELSE 'ok' END)",
        **_token_columns(mapping),
        **_own_columns(mapping),
    }
    if "ended_at" in have and "duration_seconds" not in have:
        found["duration_seconds"] = "seconds_between(v_started_at, v_ended_at)"
    if "sampling_rate" in have:
        found["weight"] = f"coalesce({value('weight')}, 1 / nullif(v_sampling_rate, 0))"
    return found


def _own_columns(mapping: MappingFile) -> dict[str, str]:
    """Return the SQL of where the usage comes from, and of what makes a call one and which copy of it wins."""
    have = mapping.fields
    counted = [f"v_{name}" for name in have if name.endswith("_tokens")]
    known = f"coalesce({', '.join(counted)}) IS NOT NULL" if counted else "false"
    source = "coalesce(v_usage_source, 'reported')" if "usage_source" in have else "'reported'"
    everything = ", ".join(f"coalesce(t_{name}, '')" for name in have)
    whole = f"md5(concat_ws(chr(31), {everything}, coalesce(tag_list::VARCHAR, '')))"
    return {
        "usage_source": f"CASE WHEN {known} THEN {source} ELSE 'missing' END",
        "dedupe_rank": " + ".join(f"coalesce({each}, 0)" for each in counted) or "0",
        "dedupe_key": f"coalesce(v_id, {whole})" if "id" in have else whole,
    }


def _token_columns(mapping: MappingFile) -> dict[str, str]:
    """Return the SQL of the disjoint token kinds, and of what contradicts the mapping's rule about them."""
    have = mapping.fields
    found: dict[str, str] = {}
    contradictions: list[str] = []
    if "cache_write_tokens" in have:
        rest = _unsplit_writes(mapping)
        told = "v_cache_write_5m_tokens" if "cache_write_5m_tokens" in have else "NULL"
        found["cache_write_5m_tokens"] = f"coalesce(coalesce({told}, 0) + {rest}, {told})"
    sides = (
        ("input_tokens", "input_uncached_tokens", mapping.input_includes_cache, CACHE, _MEDIA_IN, "cached tokens"),
        ("output_tokens", "output_text_tokens", mapping.output_includes_reasoning, ("reasoning_tokens",), _MEDIA_OUT,
         "reasoning tokens"),
    )  # fmt: skip
    for total, rest, includes, parts, media, name in sides:
        if total not in have or rest in have:
            continue
        # Audio and images are always part of the total; of the cache and the reasoning the mapping says it.
        inside = [_part(mapping, each) for each in (*(parts if includes else ()), *media) if each in have]
        part = " + ".join(inside) or "0"
        found[rest] = f"apart(v_{total}, {part})"
        if inside:
            contradictions.append(f"not_included(v_{total}, {part}, {literal(total)}, {literal(name)})")
    if contradictions:
        found["contradiction"] = f"coalesce({', '.join(contradictions)})"
    return found


def _part(mapping: MappingFile, column: str) -> str:
    """Return the SQL of a part of a total; of cache writes in all, what the lifetimes beside them leave."""
    return f"coalesce({_unsplit_writes(mapping) if column == 'cache_write_tokens' else f'v_{column}'}, 0)"


def _unsplit_writes(mapping: MappingFile) -> str:
    """Return the SQL of the cache writes whose lifetime the log does not tell: those in all without the told ones."""
    told = [
        f"coalesce(v_{each}, 0)"
        for each in CACHE
        if each != "cache_write_tokens" and "_write_" in each and each in mapping.fields
    ]
    if not told:
        return "v_cache_write_tokens"
    rest = f"greatest(v_cache_write_tokens - ({' + '.join(told)}), 0)"
    return f"CASE WHEN v_cache_write_tokens IS NOT NULL THEN {rest} END"
