"""The pages about log formats: docs/formats.md from the declarations, docs/mapping.md from the code and real runs."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from infercost import schema
from infercost.ingest.mapping_columns import CHOICES, HELPERS, KINDS, MEANINGS, UNITS
from infercost.ingest.mapping_toml import FIELD_KEYS, TOP_KEYS
from infercost.ingest.registry import FORMATS_FOLDER, GROUPS, Format, read

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"
PAGES = ROOT / "tests" / "pages"
WIDTH = 118

Shell = Callable[[str, Path], str]
"""Runs a command in a folder and returns what a terminal would show."""

GROUP_TITLES: Mapping[str, str] = {
    "gateway": "Gateways",
    "provider": "Providers: answers, batches, logs",
    "agent": "Coding agents",
    "self-hosted": "Self-hosted servers",
    "telemetry": "Telemetry",
    "store": "Observability stores",
    "bill": "Bills",
}
_SIGNS = "\\`*_<>[]|$~"


def packaged() -> list[Format]:
    """Return the formats of this repository, by group and name; those of other packages are none of its pages."""
    found = [read(path.parent) for path in FORMATS_FOLDER.glob("*/format.toml")]
    return sorted(found, key=lambda each: (GROUPS.index(each.group), each.name))


def plain(text: str) -> str:
    """Return a text of a declaration as Markdown that shows it as it is; what stands in backticks stays code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return _escaped(text)
    return "`".join(part if number % 2 else _escaped(part) for number, part in enumerate(parts))


def _escaped(text: str) -> str:
    # An underscore inside a word means nothing to Markdown, and names are full of them.
    inside = [
        letter == "_" and text[place - 1 : place].isalnum() and text[place + 1 : place + 2].isalnum()
        for place, letter in enumerate(text)
    ]
    return "".join(
        f"\\{letter}" if letter in _SIGNS and not kept else letter for letter, kept in zip(text, inside, strict=True)
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(cell.replace(chr(10), ' ') for cell in line)} |" for line in lines]


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def summary() -> str:
    """Return the table of README.md: formats by group."""
    groups = _by_group()
    count = sum(len(formats) for _, formats in groups)
    rows = [
        (title, ", ".join(f"[{each.name}](docs/formats.md#{each.name})" for each in formats))
        for title, formats in groups
    ]
    own = ("In-house", "JSON Lines, CSV or Parquet with keys of its own, by a [mapping file](docs/mapping.md)")
    lines = [f"{count} formats, recognised by their content:", "", *_table(("", "formats"), [*rows, own])]
    return "\n".join(lines) + "\n"


def formats_page() -> str:
    """Return docs/formats.md, from the declarations."""
    groups = _by_group()
    overview = [line for title, formats in groups for line in ("", f"**{title}**", "", *_overview(formats))]
    sections = [line for title, formats in groups for line in ("", f"## {title}", *_sections(formats))]
    return _page(
        "formats",
        count=str(sum(len(formats) for _, formats in groups)),
        groups=", ".join(GROUPS[:-1]),
        overview="\n".join(overview[1:]),
        sections="\n".join(sections[1:]),
    )


def _by_group() -> list[tuple[str, list[Format]]]:
    formats = packaged()
    return [(title, [each for each in formats if each.group == group]) for group, title in GROUP_TITLES.items()]


def _overview(formats: Iterable[Format]) -> list[str]:
    rows = [(f"[{each.name}](#{each.name})", plain(each.title), each.grain, plain(_brief(each))) for each in formats]
    return _table(("format", "reads", "one record", "cannot tell, first of all"), rows)


def _sections(formats: Iterable[Format]) -> list[str]:
    return [line for each in formats for line in ("", *_section(each))]


def _page(name: str, **parts: str) -> str:
    """Return a page of tests/pages with every `<!-- part -->` in it replaced."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    for part, made in parts.items():
        before, mark, after = text.partition(f"<!-- {part} -->")
        if not mark:
            raise RuntimeError(f"tests/pages/{name}.md has no place for {part}")
        text = before + made + after
    return text


def _brief(form: Format) -> str:
    """Return the first thing that a format cannot tell, cut at its first clause."""
    first = form.cannot_tell[0] if form.cannot_tell else ""
    for sign in (": ", "; ", ", "):
        first = first.split(sign)[0] if len(first) > 80 else first
    return first


_GRAINS: Mapping[str, str] = {
    "attempt": "one call of a model",
    "request": "one request of a client, with its retries and fallbacks folded in",
    "bucket": "a sum over a stretch of time",
}


def _section(form: Format) -> list[str]:
    # The page links into the repository, also where the formats at hand are those of an installed package.
    folder = f"../infercost/ingest/formats/{form.folder.name}"
    samples = ", ".join(f"[{sample.name}]({folder}/{sample.name})" for sample in form.samples)
    facts = (
        ("Get it", form.how_to_get),
        ("One record", _GRAINS[form.grain]),
        ("Counted once by", form.dedupe),
        ("Tokens", form.tokens),
        ("Time", form.time),
        ("Cost in the log", form.cost),
    )
    lines = [f"### {form.name}", "", f"{plain(form.title)}: {plain(form.written_by)}.".replace("..", "."), ""]
    lines += [f"- **{name}:** {plain(text)}" for name, text in facts]
    if form.cannot_tell:
        lines += ["- **Cannot tell:**", *(f"  - {plain(each)}" for each in form.cannot_tell)]
    return [*lines, f"- **Sample:** {samples}"]


def mapping_page(shell: Shell) -> str:
    """Return docs/mapping.md, from the code and from runs on the sample log."""
    return _page(
        "mapping",
        keys=_keys(TOP_KEYS),
        field_keys=_keys(FIELD_KEYS),
        units="\n".join(_units()),
        columns="\n".join(_columns()),
        **_example(shell),
    )


def _keys(keys: Mapping[str, str]) -> str:
    return "\n".join(_table(("key", "says"), [(f"`{name}`", plain(text)) for name, text in keys.items()]))


def _units() -> list[str]:
    return _table(
        ("kind", "read as", "units (the first unless told)"),
        [(kind, meaning, _code(UNITS.get(kind, ()))) for kind, meaning in MEANINGS.items()],
    )


def _columns() -> list[str]:
    rows = []
    for name, kind in KINDS.items():
        words = f": {_code(CHOICES[name])}" if kind == "choice" else ""
        rows.append((f"`{name}`", f"{kind}{words}", plain(HELPERS.get(name) or schema.ATTEMPT_COLUMNS[name].doc)))
    return _table(("column", "kind", "meaning"), rows)


def _example(shell: Shell) -> dict[str, str]:
    """Run the commands of the worked example where its log and its mapping lie."""
    log = (DATA / "acme-gateway.jsonl").read_text(encoding="utf-8").splitlines()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(DATA / "acme-gateway.jsonl", folder)
        proposed = shell("infercost formats new acme-gateway.jsonl", folder)
        (folder / "acme.toml").write_text(proposed, encoding="utf-8")
        doubted = shell("infercost formats check acme.toml acme-gateway.jsonl || test $? -eq 3", folder)
        shutil.copy(DATA / "acme.toml", folder)
        checked = shell("infercost formats check acme.toml acme-gateway.jsonl", folder)
    return {
        "records": "\n".join([_wrapped(log[0]), log[2], _wrapped(log[4])]),
        "proposed": proposed.rstrip(),
        "doubted": _without_tables(doubted),
        "mapping": (DATA / "acme.toml").read_text(encoding="utf-8").rstrip(),
        "checked": checked.rstrip(),
    }


def _without_tables(output: str) -> str:
    """Return the counts and the warnings of a check."""
    counts, _, rest = output.partition("\n\n")
    return "\n".join([counts, "...", *(line for line in rest.splitlines() if line.startswith("warning: "))])


def _wrapped(line: str) -> str:
    """Return a record of one line, broken between its members where it gets too wide for a page."""
    lines = [""]
    members = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in json.loads(line).items()]
    for number, member in enumerate(members):
        text = ("{" if number == 0 else "") + member + ("}" if number == len(members) - 1 else ", ")
        if len(lines[-1]) + len(text) > WIDTH:
            lines.append(" ")
        lines[-1] += text
    return "\n".join(each.rstrip() for each in lines)
