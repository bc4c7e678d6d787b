"""Brings the names of bills and of logs together: both go through the resolver of prices, then become one key.

A bill writes `Claude Sonnet 4.5`, `Claude4Sonnet` or a snapshot's name where a log has a model id. Only distinct names
come here, never rows.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from infercost.config import Alias, PriceOverride
from infercost.pricing import names
from infercost.pricing.resolve import ModelName, Resolution, resolve

SELLING_GATEWAYS = ("openrouter", "vercel")
"""Gateways that send a bill of their own for what they pass on."""

NO_MODEL = "(no model)"
UNKNOWN_SELLER = "(unknown)"

_AREA = re.compile(r"^(?:regional|global|us-gov|us|eu|apac|jp|au|ca)\.(?=[a-z0-9]+\.)")
_MAKER = re.compile(
    r"^(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|mistral|moonshotai|nvidia|openai|qwen|zai)\."
)
_VERSION = re.compile(r"(?:-20\d{6})?(?:-v?1)?:\d+$")
_DATE = re.compile(r"[-@]20\d{2}-?\d{2}-?\d{2}(?!\d)")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"\d+(?:\.\d+)*|[a-z]+")
_SPOKEN = {"embedding": "embed", "embeddings": "embed"}
_CHARGE_WORDS = re.compile(
    r"\b(?:inp|input|outp|output|cached|cache|read|write|hit|batch|tokens?|regional|regnl|global|glbl|data|zone|dzone)\b.*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a name belongs: the seller whose bill has it, the key that both sides share, and the name to show."""

    seller: str
    model: str
    shown_model: str


def place_logged(
    found: Iterable[tuple[str | None, str | None]],
    aliases: Sequence[Alias] = (),
    overrides: Sequence[PriceOverride] = (),
) -> dict[tuple[str | None, str | None], Placed]:
    """Return the place of each (provider or selling gateway, model) of the logs."""
    pairs = list(found)
    resolved = resolve([ModelName(*pair) for pair in pairs], aliases, overrides)
    return {pair: _placed(pair[0], pair[1] or NO_MODEL, each) for pair, each in zip(pairs, resolved, strict=True)}


def place_billed(
    found: Iterable[tuple[str, str]],
    logged: Mapping[tuple[str | None, str | None], Placed],
    aliases: Sequence[Alias] = (),
    overrides: Sequence[PriceOverride] = (),
) -> dict[tuple[str, str], Placed]:
    """Return the place of each (provider, model or charge) of bills; an empty name is a total or a fee.

    A name that the book does not know takes the place of the one logged model of the same seller that is made of the
    same words and numbers; without one it keeps its own name.
    """
    words: dict[tuple[str, str], set[Placed]] = {}
    for each in logged.values():
        words.setdefault((each.seller, _words(each.shown_model)), set()).add(each)
    places: dict[tuple[str, str], Placed] = {}
    for provider, name in found:
        readings = list(_readings(name))
        resolved = resolve([ModelName(provider, each) for each in readings], aliases, overrides)
        best = next((each for each in resolved if each.model), resolved[0])
        place = _placed(provider, name, best)
        alike = words.get((place.seller, _words(place.shown_model)), set())
        places[provider, name] = next(iter(alike)) if len(alike) == 1 and not best.model else place
    return places


def _placed(provider: str | None, name: str, resolution: Resolution) -> Placed:
    seller = _seller(provider, resolution)
    if not name:
        return Placed(seller, "", "")
    model = (resolution.model or name).strip()
    if seller == "aws":
        # A model is the same for the bill whichever profile or area it was called through.
        shown = _VERSION.sub("", _MAKER.sub("", _AREA.sub("", model.lower().rpartition("/")[2])))
        return Placed(seller, _words(shown), shown if resolution.model else name)
    if resolution.model:
        return Placed(seller, model.lower().rpartition("/")[2], model.rpartition("/")[2])
    return Placed(seller, model.lower(), name)


def _seller(provider: str | None, resolution: Resolution) -> str:
    stated = (provider or "").strip().lower()
    if stated in SELLING_GATEWAYS:
        return stated
    return names.book_provider(stated) or resolution.provider or stated or UNKNOWN_SELLER


def _readings(name: str) -> Iterator[str]:
    """Yield a billed name as it stands, then as a model id would spell it."""
    yield name
    bare = _CHARGE_WORDS.sub("", name).strip() or name
    for text in dict.fromkeys((name, bare)):
        dashed = re.sub(r"\s+", "-", text.strip()).lower()
        yield dashed
        yield dashed.replace(".", "-")


def _words(name: str) -> str:
    """Return the words of a name, sorted, then its numbers as they stand: `Claude4.5Sonnet` is `claude-sonnet-4-5`."""
    apart = _CAMEL.sub("-", name.rpartition("/")[2]).lower()
    text = _DATE.sub("", _VERSION.sub("", _MAKER.sub("", _AREA.sub("", apart))))
    parts = [re.sub(r"(?:\.0)+$", "", part).replace(".", "-") for part in _WORD.findall(text)]
    words = sorted(_SPOKEN.get(part, part) for part in parts if part.isalpha())
    return "-".join([*words, *(part for part in parts if not part.isalpha())])
