"""Tells which logged regions have prices of their own, and what the price book calls them."""

from infercost.pricing import names

GLOBAL = ("global", "")


def region_class(provider_name: str | None, region: str) -> str | None:
    """Return the class of a logged region as `prices.region` names it, or None where every region costs the same.

    Vertex AI: every endpoint but the global one is `regional`. Anthropic and OpenAI: the geography that was asked for.
    """
    provider = names.book_provider(provider_name)
    place = region.strip().lower()
    if place in GLOBAL:
        return None
    if provider == "google":
        return "regional"
    if provider in ("anthropic", "openai"):
        return place
    return None
