"""`infercost formats`: what can be read."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer


def formats(
    as_json: Annotated[bool, typer.Option("--json", help="Print the declarations as JSON.")] = False,
) -> None:
    """List the log formats: who writes them, how to get a file, and what they cannot tell.

    Example: infercost formats
    """
    from infercost.cli.tables import print_terms
    from infercost.ingest.registry import formats as registry

    found = registry()
    if as_json:
        hidden = ("folder", "map_sql")
        data = [{key: value for key, value in asdict(each).items() if key not in hidden} for each in found.values()]
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return
    for each in found.values():
        sys.stdout.write(f"{each.name}: {each.title}\n")
        told = [("written by", each.written_by), ("get it by", each.how_to_get), ("one record", each.grain)]
        told += [("cannot tell" if number == 0 else "", missing) for number, missing in enumerate(each.cannot_tell)]
        print_terms(told, indent=2)
        sys.stdout.write("\n")
