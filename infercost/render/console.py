"""Draws for a terminal without having one."""

import io
from collections.abc import Callable

from rich.console import Console


def plain_text(draw: Callable[[Console], None], width: int) -> str:
    """Return what `draw` prints on a console of `width` columns, without colours or blanks at the ends of lines."""
    file = io.StringIO()
    draw(Console(file=file, width=width, color_system=None, force_terminal=False, legacy_windows=False))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"
