"""All formats that one run knows: packaged, of other packages, and the user's mapping files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from infercost.errors import UsageError
from infercost.ingest import mapping
from infercost.ingest.registry import Format, formats, merged


def load(mappings: Iterable[Path] = ()) -> Mapping[str, Format]:
    """Return every format by name, with those of mapping files; raises FormatError for one that is wrong."""
    return merged([*formats().values(), *(mapping.read(path) for path in mappings)])


def choose(known: Mapping[str, Format], name: str) -> Format:
    """Return the format of that name, or of the mapping file at that path; raises UsageError naming the formats."""
    if name.endswith(".toml"):
        return mapping.read(Path(name))
    if name not in known:
        raise UsageError(
            f"--format {name}: not a format", hint=f"Formats: {', '.join(known)}; or a mapping file (FILE.toml)."
        )
    return known[name]
