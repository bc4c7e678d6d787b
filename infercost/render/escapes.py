"""Makes texts and names from logs harmless in Markdown."""

import re

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#])")


def escape(text: str) -> str:
    """Return plain text in which Markdown sees no markup and no mention of a person; it has no line breaks already."""
    return _SPECIAL.sub(r"\\\1", text).replace("@", "@\N{ZERO WIDTH SPACE}")


def code(text: str) -> str:
    """Return a name as a code span for a table cell: nothing in it is a link, a mention, HTML or the cell's end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    pipes = re.sub(r"(\\+)\|", "\\1\N{BROKEN BAR}", text).replace("|", "\\|")
    return f"{fence}{space}{pipes}{space}{fence}"
