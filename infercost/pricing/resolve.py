"""Resolves each distinct logged model name to a model of the price book, once, and says how.

The steps run from the surest to the least sure, and the first that names a model of the book wins. A name that no
step explains stays unresolved, so that its attempts are unpriced and listed, never priced as something similar.
"""

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from infercost import schema
from infercost.config import CONFIG_NAME, Alias, PriceOverride
from infercost.errors import ConfigError
from infercost.pricing import names, second_book
from infercost.pricing.book import book_version
from infercost.pricing.overrides import CUSTOM
from infercost.pricing.rows import arrow_schema

_SELF_HOSTED = (
    "custom",
    "custom_openai",
    "docker_model_runner",
    "hosted_vllm",
    "llama.cpp",
    "llamafile",
    "lm_studio",
    "localai",
    "nvidia_nim",
    "ollama",
    "ollama_chat",
    "openai_like",
    "self_hosted",
    "sglang",
    "tgi",
    "triton",
    "vllm",
    "xinference",
)
"""Providers whose price is that of the user's own machines."""

_NOT_IN_BOOK = (
    "deepinfra",
    "hyperbolic",
    "ibm.watsonx.ai",
    "lambda_ai",
    "nebius",
    "nscale",
    "replicate",
    "sagemaker",
    "sambanova",
    "watsonx",
)
"""Providers that sell known models at prices of their own, which the book does not have."""

_GATEWAYS = ("aisuite", "gateway", "helicone", "kong", "langfuse", "litellm", "litellm_proxy", "llmgateway", "portkey")
"""Names logged as a provider that say nothing about who answered."""

FALLBACK_BOOK = "fallback_book"
"""Method of a name that only the second book has."""

_MOST_CHARACTERS = 1000
"""A longer text names no model, and would keep the patterns busy for the square of its length."""

_PATH = re.compile(r".*(?:^|[/:])(?:publishers/[^/]+/models|models|foundation-model|inference-profile)/")
_REGION = re.compile(r"(?:(?:converse_like|converse|invoke|global|eu|us|[a-z]{2}(?:-gov)?-[a-z]+-\d)/)+")
_BEDROCK_AREA = re.compile(r"(?:us-gov|us|eu|apac|jp|au|ca)\.(?=[a-z0-9]+\.)")
_BEDROCK_NAME = re.compile(r"(?:[a-z-]+\.)?(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|nvidia|qwen)\.[a-z]")
_WINDOW = re.compile(r"\[\d+[mk]\]$")
_ROUTE = re.compile(r":(?:nitro|floor|online|thinking|extended|beta|exacto)$")
_AT_DATE = re.compile(r"@(?:20\d{6}|latest|default)$")
_EFFORT = re.compile(r"-(?:none|minimal|low|medium|high|xhigh)$")
_LATEST = re.compile(r"-latest$")
_DATE = re.compile(r"-(?:20\d{2}-\d{2}-\d{2}|20\d{6})$")


@dataclass(frozen=True, slots=True)
class ModelName:
    """A distinct pair of logged names: the provider's (None = not logged) and the model's."""

    provider_name: str | None
    price_model: str | None


@dataclass(frozen=True, slots=True)
class Resolution:
    """The book's provider and model of a logged name, and how they were found; all three None when unresolved.

    `method` is `alias`, `override`, or the steps joined by `+`: `exact` (the name as logged), `prefix` (the provider
    stood in the name), `maker` (no provider known), then `path`, `region`, `suffix`, `effort`, `latest`, `date` (what
    was taken off), and `fallback` (the provider sells another maker's model, at that maker's price). A name that the
    book does not explain may stand in the second book, exactly as logged: `fallback_book`.
    """

    name: ModelName
    provider: str | None
    model: str | None
    method: str | None


def resolve(
    model_names: Iterable[ModelName],
    aliases: Sequence[Alias] = (),
    overrides: Sequence[PriceOverride] = (),
) -> list[Resolution]:
    """Resolve each name; `overrides` make the models known that only the configuration prices.

    Raises ConfigError for an alias whose target neither the book nor an override knows.
    """
    own = _own_models(overrides)
    goals = [(alias.name.lower(), _alias_goal(alias, own)) for alias in aliases]
    return [_resolve_one(name, goals, own) for name in model_names]


def model_map(resolutions: Iterable[Resolution]) -> pa.Table:
    """Return the resolutions as a table with the columns of schema.MODEL_MAP."""
    resolutions = list(resolutions)
    book, second = book_version(), second_book.label()
    columns = [
        [item.name.provider_name for item in resolutions],
        [item.name.price_model for item in resolutions],
        [item.provider for item in resolutions],
        [item.model for item in resolutions],
        [item.method for item in resolutions],
        [None if item.model is None else second if item.method == FALLBACK_BOOK else book for item in resolutions],
    ]
    return pa.table([pa.array(column, pa.string()) for column in columns], arrow_schema(schema.MODEL_MAP))


_OwnModels = dict[str, tuple[str, str]]


def _own_models(overrides: Sequence[PriceOverride]) -> _OwnModels:
    """Return the models that overrides name in full, by lower-case name, with the provider they are priced under."""
    own: _OwnModels = {}
    for override in overrides:
        provider = names.book_provider(override.provider)
        known = names.find(provider, override.model) if provider else names.find_anywhere(override.model)
        if known is None and not any(sign in override.model for sign in "*?"):
            stated = (override.provider or CUSTOM).strip().lower()
            own[override.model.lower()] = (provider or stated, override.model)
    return own


def _alias_goal(alias: Alias, own: _OwnModels) -> tuple[str, str]:
    if alias.model.lower() in own:
        return own[alias.model.lower()]
    provider = names.book_provider(alias.provider)
    found = names.find(provider, alias.model) if provider else None
    second = second_book.find(provider or alias.provider.lower(), alias.model.lower()) if found is None else None
    if second is not None:
        return second
    if found is None:
        raise ConfigError(
            f"{CONFIG_NAME}: prices.alias {alias.name!r}: {alias.provider}/{alias.model} is not in {book_version()}",
            hint="Name a model of the book, or give the model a price with [[prices.override]].",
        )
    return found.provider, found.model


def _resolve_one(name: ModelName, goals: Sequence[tuple[str, tuple[str, str]]], own: _OwnModels) -> Resolution:
    logged = (name.price_model or "").strip().lower()
    if not logged or len(logged) > _MOST_CHARACTERS:
        return Resolution(name, None, None, None)
    for pattern, goal in goals:
        if pattern == logged or fnmatch.fnmatchcase(logged, pattern):
            return Resolution(name, *goal, "alias")
    stated = (name.provider_name or "").strip().lower() or None
    mine = _own(logged, stated, own)
    if mine:
        return Resolution(name, *mine, "override")
    for step, reference in _readings(logged):
        for how, provider, rest in _routes(stated, reference):
            found = names.find(provider, rest) if provider else names.find_anywhere(rest)
            if found:
                steps = [part for part in (how, step, "fallback" if found.fallback else "") if part]
                method = "+".join(part for part in steps if part != "exact") or "exact"
                return Resolution(name, found.provider, found.model, method)
    last = (
        None if _is_own_machine(logged, stated) else second_book.find(None if stated in _GATEWAYS else stated, logged)
    )
    return Resolution(name, *last, FALLBACK_BOOK) if last else Resolution(name, None, None, None)


def _is_own_machine(logged: str, stated: str | None) -> bool:
    return any(part.replace("-", "_") in _SELF_HOSTED for part in (stated or "", logged.partition("/")[0]))


def _own(logged: str, stated: str | None, own: _OwnModels) -> tuple[str, str] | None:
    head, _, tail = logged.partition("/")
    for reference, seller in ((logged, stated), (tail, stated), (tail, head)):
        goal = own.get(reference)
        if goal and (goal[0] == CUSTOM or seller in (None, goal[0]) or names.book_provider(seller) == goal[0]):
            return goal
    return None


def _routes(stated: str | None, reference: str) -> Iterator[tuple[str, str | None, str]]:
    """Yield how a name may be read: as (step, provider or None = find by the maker's patterns, model reference)."""
    head, slash, tail = reference.partition("/")
    provider, prefix = names.book_provider(stated), names.book_provider(head) if slash else None
    if _unpriced(stated) or (slash and _unpriced(head)):
        return
    if slash and head in _GATEWAYS:
        yield from _routes(stated, tail)
        return
    if provider:
        yield "exact", provider, reference
        if prefix == provider:
            yield "prefix", provider, tail
    if prefix and prefix != provider:
        yield "prefix", prefix, tail
    if stated is None or stated in _GATEWAYS:
        bedrock = _BEDROCK_NAME.match(reference)
        yield "maker", "aws" if bedrock else None, reference


def _unpriced(provider: str | None) -> bool:
    return provider is not None and provider.replace("-", "_") in (*_SELF_HOSTED, *_NOT_IN_BOOK)


def _readings(logged: str) -> Iterator[tuple[str, str]]:
    """Yield the name as logged, then with more and more taken off, each with the step that took it off."""
    yield "", logged
    seen = {logged}
    reference = logged
    steps: tuple[tuple[str, Callable[[str], str]], ...] = (
        ("path", lambda text: _PATH.sub("", text)),
        ("region", _without_region),
        ("suffix", lambda text: _AT_DATE.sub("", _ROUTE.sub("", _WINDOW.sub("", text)))),
        ("effort", lambda text: _EFFORT.sub("", text)),
        ("latest", lambda text: _LATEST.sub("", text)),
        ("date", lambda text: _DATE.sub("", text)),
    )
    taken: list[str] = []
    for step, take_off in steps:
        shorter = take_off(reference)
        if shorter not in seen:
            seen.add(shorter)
            taken.append(step)
            reference = shorter
            yield "+".join(taken), reference


def _without_region(text: str) -> str:
    head, slash, tail = text.partition("/")
    if slash and names.book_provider(head):
        return f"{head}/{_BEDROCK_AREA.sub('', _REGION.sub('', tail))}"
    return _BEDROCK_AREA.sub("", _REGION.sub("", text))
