"""`infercost init`: write a commented configuration."""

from pathlib import Path
from typing import Annotated

import typer

from infercost.cli import diagnostics
from infercost.config import CONFIG_NAME
from infercost.errors import UsageError

_TEMPLATE = Path(__file__).with_name("infercost.template.toml")


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it.")] = Path(),
) -> None:
    """Write a commented infercost.toml; an existing one is never overwritten.

    Example: infercost init
    """
    target = folder / CONFIG_NAME
    try:
        # 'x' makes the check and the writing one step.
        with target.open("x", encoding="utf-8") as stream:
            stream.write(_TEMPLATE.read_text(encoding="utf-8"))
    except FileExistsError as error:
        raise UsageError(
            f"{target}: exists already and is left as it is", hint="Edit it, or name another folder."
        ) from error
    except OSError as error:
        raise UsageError(f"{target}: {error.strerror}") from error
    diagnostics.say(f"wrote {target}; every line in it is optional")
