"""Finds a model of the book by name, without ever guessing: what is not clearly a model of the book is no match."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from genai_prices.data import providers
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    ModelInfo,
)

from infercost.pricing import corrections

_BY_ID = {provider.id: provider for provider in providers}

_OTHER_NAMES: dict[str, str] = {
    "anthropic": "anthropic",
    "amazon": "aws",
    "amazon_bedrock": "aws",
    "aws": "aws",
    "aws.bedrock": "aws",
    "aws_bedrock": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "azure_text": "azure",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "gcp": "google",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gemini": "google",
    "google_ai_studio": "google",
    "google_genai": "google",
    "vertex_ai": "google",
    "vertexai": "google",
    "github_copilot": "github-copilot",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "togetherai": "together",
    "voyage": "voyageai",
    "voyage_ai": "voyageai",
    "x.ai": "x-ai",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "z.ai": "zai",
    "z_ai": "zai",
}
"""Provider names of OpenTelemetry, gateways and SDKs, as the book's provider."""

FIRST_PARTY = ("openai", "anthropic", "google", "mistral", "cohere", "deepseek", "x-ai", "voyageai", "perplexity")
"""Providers among which a model name without a provider is looked for, by its full name only."""

_SAFE_WORDS = (
    r"v?\d+(?:\.\d+)*|latest|stable|preview|exp|experimental|beta|thinking"
    r"|us|eu|apac|jp|au|ca|global|gov|anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai"
)
_SAFE_REST = re.compile(rf"(?:[-_.:@/]*(?:{_SAFE_WORDS})(?![a-z0-9]))*[-_.:@/]*")
"""What may stand beside the part of a name that a book's prefix matches without making it another model."""


_COMPACT_DATE = re.compile(r"-(20\d{2})(\d{2})(\d{2})$")
"""Gateways write the date of a model without the dashes that the maker puts in it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A model of the book; `fallback` when the provider sells it at the price of the model's maker."""

    provider: str
    model: str
    fallback: bool


def book_provider(name: str | None) -> str | None:
    """Return the book's provider for a logged provider name, or None when the book has none."""
    if not name:
        return None
    text = name.strip().lower()
    if text in _BY_ID:
        return text
    mapped = _OTHER_NAMES.get(text) or _OTHER_NAMES.get(text.replace("-", "_"))
    if mapped is None and text.startswith("vertex_ai"):
        mapped = "google"
    return mapped


def find(provider_id: str, reference: str) -> Found | None:
    """Return the model of `provider_id` (or of those whose models it sells) that `reference` clearly names."""
    provider = _BY_ID.get(provider_id)
    reference = reference.lower()
    if provider is None or not reference:
        return None
    if any((name.provider, name.name) == (provider_id, reference) for name in corrections.load().moved):
        return Found(provider_id, reference, fallback=False)
    for reading in dict.fromkeys((reference, _COMPACT_DATE.sub(r"-\1-\2-\3", reference))):
        exact = next((model for model in provider.models if model.id.lower() == reading), None)
        model = exact or provider.find_model(reading, all_providers=providers)
        if model is not None and (exact or _is_clear(model, reading)):
            return Found(provider_id, model.id, fallback=not any(own is model for own in provider.models))
    return None


def find_anywhere(reference: str) -> Found | None:
    """Return the model that `reference` names without a provider: by its maker's pattern, else in full."""
    reference = reference.lower()
    for provider in providers:
        if provider.model_match is not None and provider.model_match.is_match(reference):
            return find(provider.id, reference)
    owners = [name for name in FIRST_PARTY if any(model.id.lower() == reference for model in _BY_ID[name].models)]
    return find(owners[0], reference) if len(owners) == 1 else None


def _is_clear(model: ModelInfo, reference: str) -> bool:
    free = reference.endswith(":free")
    return free == model.id.endswith(":free") and any(_clear_matches(model.match, reference))


def _clear_matches(clause: object, reference: str) -> Iterator[bool]:
    """Yield whether each matching alternative of a clause leaves nothing of the name unexplained."""
    match clause:
        case ClauseOr():
            for part in clause.or_:
                yield from _clear_matches(part, reference)
        case ClauseAnd():
            yield clause.is_match(reference) and all(any(_clear_matches(part, reference)) for part in clause.and_)
        case ClauseStartsWith():
            yield clause.is_match(reference) and _is_safe(reference[len(clause.starts_with) :])
        case ClauseEndsWith():
            yield clause.is_match(reference) and _is_safe(reference[: -len(clause.ends_with)])
        case ClauseContains():
            before, found, after = reference.partition(clause.contains.lower())
            yield bool(found) and _is_safe(before) and _is_safe(after)
        case ClauseEquals() | ClauseRegex():
            yield clause.is_match(reference)


def _is_safe(rest: str) -> bool:
    return _SAFE_REST.fullmatch(rest) is not None
