"""Asks LiteLLM what attempts cost: a JSON list on standard input, one of dollars on standard output.

Runs in an environment of its own that has LiteLLM and nothing of ours.
"""

import importlib
import json
import sys
from typing import Any

TTLS = ("5m", "30m", "1h", "12h")


def main() -> None:
    calculator = importlib.import_module("litellm.cost_calculator")
    types = importlib.import_module("litellm.types.utils")
    costs = [sum(_cost(calculator, _usage(types, each), each)) for each in json.load(sys.stdin)]
    json.dump(costs, sys.stdout)


def _cost(calculator: Any, usage: Any, asked: dict[str, Any]) -> tuple[float, float]:
    model, provider, lane = asked["key"], asked["provider"], asked["lane"]
    result: tuple[float, float]
    if lane == "batch":
        result = calculator.batch_cost_calculator(usage, model, provider)
        return result
    if lane == "fast":
        usage.speed = "fast"
    tier = None if lane == "standard" else lane
    result = calculator.cost_per_token(model, custom_llm_provider=provider, usage_object=usage, service_tier=tier)
    return result


def _usage(types: Any, asked: dict[str, Any]) -> Any:
    tokens = asked["tokens"]
    written = {ttl: tokens[f"cache_write_{ttl}"] for ttl in TTLS}
    sent = tokens["input_uncached"] + tokens["cache_read"] + tokens["input_audio"] + sum(written.values())
    made = tokens["output_text"] + tokens["reasoning"] + tokens["output_audio"]
    by_ttl = types.CacheCreationTokenDetails(**{f"ephemeral_{ttl}_input_tokens": written[ttl] for ttl in TTLS})
    return types.Usage(
        prompt_tokens=sent,
        completion_tokens=made,
        total_tokens=sent + made,
        prompt_tokens_details=types.PromptTokensDetailsWrapper(
            text_tokens=tokens["input_uncached"],
            cached_tokens=tokens["cache_read"],
            audio_tokens=tokens["input_audio"],
            cache_creation_tokens=sum(written.values()),
            cache_creation_token_details=by_ttl if sum(written.values()) else None,
        ),
        completion_tokens_details=types.CompletionTokensDetailsWrapper(
            text_tokens=tokens["output_text"],
            reasoning_tokens=tokens["reasoning"],
            audio_tokens=tokens["output_audio"],
        ),
    )


if __name__ == "__main__":
    main()
