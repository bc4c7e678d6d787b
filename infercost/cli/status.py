"""`infercost status`: what the store holds."""

import json
import sys
from typing import Annotated

import typer

from infercost import config
from infercost.cli.options import ConfigOption, StoreOption, open_store


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Show what the store holds: loads, days, rows, bytes, newest event, coverage.

    Example: infercost status
    """
    from infercost.analyze.status import store_status
    from infercost.cli import values
    from infercost.cli.tables import print_terms

    found = store_status(open_store(store, config.load(settings_file)))
    if as_json:
        sys.stdout.write(json.dumps(found, indent=2, default=str) + "\n")
        return
    print_terms((name.replace("_", " "), values.shown(value)) for name, value in found.items())
