"""`infercost reattribute`: apply changed rules to what is stored."""

from typing import Annotated

import typer

from infercost import config
from infercost.cli import diagnostics
from infercost.cli.options import ConfigOption, StoreOption, open_store


def reattribute(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    store: StoreOption = None,
    settings_file: ConfigOption = None,
) -> None:
    """Apply the attribution rules of infercost.toml to every stored attempt, without the original logs.

    Costs stay as they are.

    Example: infercost reattribute --dry-run
    """
    from infercost.cli.tables import print_table
    from infercost.ingest.reattribute import reattribute as run

    settings = config.load(settings_file)
    changes = run(open_store(store, settings), settings, dry_run=dry_run)
    if not changes:
        diagnostics.say("nothing changes: the stored attempts agree with the rules")
        return
    print_table(["column", "before", "after", "attempts"], changes)
    diagnostics.say("not changed: --dry-run" if dry_run else "the store holds the new attribution")
