"""1,577 real answers of providers: each is identified by its shape alone, and its tokens equal the expected ones.

Every answer is put into the envelope that the formats of bodies agree on, in a file of its own, because the bodies were
stored without the time that a log needs. Nothing tells the ingest which format it is.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from lab import Lab
from once import Once
from run_format import SHARED

Record = dict[str, Any]
BODIES = SHARED / "fixtures" / "genai_prices_usages" / "usages.json"
COUNTED = ("input", "cache_read", "cache_write", "output", "reasoning", "input_audio", "output_image")

# Format, and the expected reading of its wire shape.
SHAPES = {
    "anthropic": ("anthropic-messages", "anthropic", "default"),
    "bedrock": ("bedrock-converse", "aws", "default"),
    "chat": ("openai-chat", "openai", "chat"),
    "deepseek": ("openai-chat", "deepseek", "chat"),
    "top_level_cache": ("openai-chat", "moonshotai", "chat"),
    "cohere": ("cohere", "cohere", "default"),
    "cohere_embeddings": ("cohere", "cohere", "embeddings"),
    "embeddings": ("openai-embeddings", "openai", "embeddings"),
    "gemini": ("gemini", "google", "default"),
    "responses": ("openai-responses", "openai", "responses"),
}


def shape_of(body: Record) -> str:
    """Return which shape a body has, judged by names that only one provider's API uses."""
    usage = body.get("usage", {})
    tests = {
        "gemini": "usageMetadata" in body,
        "cohere_embeddings": "meta" in body,
        "cohere": "billed_units" in usage,
        "bedrock": "inputTokens" in usage,
        "responses": "input_tokens_details" in usage,
        "anthropic": "cache_creation_input_tokens" in usage,
        "deepseek": "prompt_cache_hit_tokens" in usage,
        "top_level_cache": "completion_tokens" in usage and "cached_tokens" in usage,
        "chat": "completion_tokens" in usage,
        "embeddings": "prompt_tokens" in usage,
    }
    return next(name for name, holds in tests.items() if holds)


def expected_of(entry: Record) -> Record | None:
    """Return the expected usage of the reading that belongs to the body's shape; None when it gives none."""
    _, provider, flavor = SHAPES[shape_of(entry["body"])]
    for reading in entry["extracted"]:
        if any((each["provider_id"], each["api_flavor"]) == (provider, flavor) for each in reading["extractors"]):
            usage: Record = reading["usage"]
            return usage
    return None


def samplings_of(entry: Record) -> int:
    """Return how many times the answer's own model was sampled, as far as its usage tells."""
    return sum(each["type"] == "message" for each in entry["body"].get("usage", {}).get("iterations", []))


def totals_of(usage: Record) -> dict[str, int]:
    """Return the expected usage as totals; a count that is left out is 0."""
    return {
        "input": usage.get("input_tokens", 0),
        "cache_read": usage.get("cache_read_tokens", 0),
        "cache_write": usage.get("cache_write_tokens", 0),
        "output": usage.get("output_tokens", 0),
        "reasoning": usage.get("output_reasoning_tokens", 0),
        # Ours is the part that was not cached.
        "input_audio": usage.get("input_audio_tokens", 0) - usage.get("cache_audio_read_tokens", 0),
        "output_image": usage.get("output_image_tokens", 0),
    }


def hidden_in(body: Record) -> int:
    """Return the tokens of Gemini that only the total of the chat shape counts; they are in no kind, and named."""
    usage = body.get("usage", {})
    if not str(body.get("model", "")).startswith("gemini-") or "completion_tokens" not in usage:
        return 0
    if usage.get("completion_tokens_details"):
        return 0
    return int(usage["total_tokens"] - usage["prompt_tokens"] - usage["completion_tokens"])


# An answer of Anthropic may be several attempts; the expected usage leaves out those of its advisor and compaction.
FOUND = """
    SELECT regexp_extract(source_file, '([0-9]+)\\.jsonl$', 1)::INTEGER AS number, any_value(format),
        sum(coalesce(input_tokens, 0))::BIGINT, sum(coalesce(cache_read_tokens, 0))::BIGINT,
        sum(coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_30m_tokens, 0)
        + coalesce(cache_write_1h_tokens, 0) + coalesce(cache_write_12h_tokens, 0))::BIGINT,
        sum(coalesce(output_tokens, 0))::BIGINT, sum(coalesce(reasoning_tokens, 0))::BIGINT,
        sum(coalesce(input_audio_tokens, 0))::BIGINT, sum(coalesce(output_image_tokens, 0))::BIGINT
    FROM attempts WHERE operation_name NOT IN ('advisor', 'compaction') GROUP BY source_file"""


@pytest.fixture(scope="module")
def entries() -> list[Record]:
    if not BODIES.exists():
        pytest.skip("genai_prices_usages is not beside this checkout (../shared)")
    found: list[Record] = json.loads(BODIES.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def read(entries: list[Record], once: Once) -> tuple[Lab, dict[int, tuple[Any, ...]]]:
    """Return the lab with every body read, and what was stored of each by its number."""

    def make(folder: Path) -> tuple[Lab, dict[int, tuple[Any, ...]]]:
        lab = Lab(folder)
        for number, entry in enumerate(entries):
            # `file` is where the collection has the body from.
            body = {name: value for name, value in entry["body"].items() if name != "file"}
            envelope = {
                "timestamp": f"2026-11-23T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z",
                "request_id": f"req-{number:04}",
                "response": body,
            }
            lab.write(f"bodies/{number:04}.jsonl", [envelope])
        result = lab.ingest(lab.folder / "bodies")
        problems = Counter(each.problem for each in result.files if each.problem)
        assert not problems
        return lab, {row[0]: row[1:] for row in lab.rows(FOUND)}

    return once("bodies", make)


def test_every_body_is_known_by_its_shape(entries: list[Record], read: tuple[Lab, dict[int, tuple[Any, ...]]]) -> None:
    lab, found = read
    assert lab.rejects() == []
    wrong = {
        number: (found.get(number, ("none",))[0], shape_of(entry["body"]))
        for number, entry in enumerate(entries)
        if found.get(number, ("none",))[0] != SHAPES[shape_of(entry["body"])][0]
    }
    assert wrong == {}
    assert len(found) == len(entries) == 1577


def test_every_total_equals_the_expected_usage(
    entries: list[Record], read: tuple[Lab, dict[int, tuple[Any, ...]]]
) -> None:
    _, found = read
    wrong = []
    together = 0
    for number, entry in enumerate(entries):
        usage = expected_of(entry)
        assert usage is not None, number
        totals = totals_of(usage)
        ours = dict(zip(COUNTED, found[number][1:], strict=True))
        if samplings_of(entry) > 1:
            # Anthropic tells the thinking of all samplings together, and each is an attempt here.
            ours["reasoning"] = totals["reasoning"]
            together += 1
        if ours != totals:
            wrong.append((number, shape_of(entry["body"]), ours, totals))
    assert wrong == []
    assert together == 3


def test_no_body_contradicts_its_format_but_two(
    entries: list[Record], read: tuple[Lab, dict[int, tuple[Any, ...]]]
) -> None:
    lab, _ = read
    rows = lab.rows("SELECT request_id, contradiction FROM attempts WHERE contradiction IS NOT NULL ORDER BY ALL")
    assert [row[0] for row in rows] == [
        f"req-{number:04}" for number, entry in enumerate(entries) if hidden_in(entry["body"]) > 0
    ]
    assert len(rows) == 2
    assert all("is not counted" in row[1] for row in rows)
