"""Names models of the book that look like an unknown one: a hint for the user to judge, which nothing is priced by."""

import difflib
from collections.abc import Iterable

from infercost.pricing.names import FIRST_PARTY, book_provider

SUGGESTIONS = 3
"""Names that are suggested at most."""

_CUTOFF = 0.55


def nearest(provider_name: str | None, logged: str, models: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the (provider, model) pairs of `models` whose names are most like `logged`, the nearest first.

    Only the last part of a path is compared, without regard to capitals; of the sellers of one model the logged
    provider is named, else its maker. Empty when nothing is alike.
    """
    order = [book_provider(provider_name), *FIRST_PARTY]
    by_name: dict[str, tuple[str, str]] = {}
    for provider, model in sorted(models, key=lambda pair: order.index(pair[0]) if pair[0] in order else len(order)):
        by_name.setdefault(_last(model), (provider, model))
    found = difflib.get_close_matches(_last(logged), by_name, n=SUGGESTIONS, cutoff=_CUTOFF)
    return [by_name[name] for name in found]


def _last(name: str) -> str:
    return name.strip().lower().rpartition("/")[2]
