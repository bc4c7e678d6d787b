"""Options that several commands share, and what they mean."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infercost import config

if TYPE_CHECKING:
    from infercost.analyze.reading import Reading
    from infercost.config import Config
    from infercost.store import Store

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        envvar="INFERCOST_STORE",
        metavar="FOLDER",
        help="Store folder; else INFERCOST_STORE, else infercost.toml, else ./infercost-store.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration; else infercost.toml in this folder, else defaults."),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE instead of standard output.")
]


UntilOption = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="End of the window; default now.")]
PricesOption = Annotated[
    str,
    typer.Option(
        "--prices",
        metavar="WHICH",
        help="stored; latest: installed book and configuration of today; as-of=DATE: prices of that day for all.",
    ),
]
AtCommitOption = Annotated[
    int | None,
    typer.Option("--at-commit", metavar="N", help="Read the store as it was: infercost reprice --history."),
]


COLUMN_ALIASES = {
    "model": "response_model",
    "provider": "provider_name",
    "tier": "model_tier",
    "user": "user_id",
    "session": "session_id",
}
"""Short names that --by takes for columns."""


def columns(by: str, short: Mapping[str, str] = COLUMN_ALIASES) -> str:
    """Return `by` with short names in full: `feature+model` is `feature+response_model`."""
    return re.sub(r"\w+", lambda word: short.get(word.group(), word.group()), by)


def store_folder(option: Path | None, settings: "Config") -> Path:
    """Return the store that the option, the environment, the configuration or the default names, in this order."""
    return option or settings.store or Path(config.DEFAULT_STORE)


def open_store(option: Path | None, settings: "Config") -> "Store":
    """Open the store for reading; raises StoreError when there is none."""
    from infercost.store import Store

    return Store.open(store_folder(option, settings))


def open_reading(option: Path | None, settings: "Config", at_commit: int | None, prices: str) -> "Reading":
    """Open the store for reading at a commit and by the prices that the options name."""
    from infercost.analyze.reading import Reading, parse_prices

    return Reading(open_store(option, settings), at_commit, parse_prices(prices, settings))
