import csv
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from infercost import schema
from infercost.config import Alias, PriceOverride
from infercost.errors import ConfigError
from infercost.pricing.resolve import ModelName, Resolution, model_map, resolve

with (Path(__file__).parent / "model_names.csv").open(encoding="utf-8", newline="") as file:
    LABELLED = list(csv.DictReader(file))


def resolved(provider: str | None, model: str | None, *aliases: Alias) -> Resolution:
    return resolve([ModelName(provider, model)], aliases)[0]


@pytest.mark.parametrize("case", LABELLED, ids=lambda case: f"{case['provider_name']}|{case['price_model']}")
def test_labelled_names(case: dict[str, str]) -> None:
    found = resolved(case["provider_name"] or None, case["price_model"])
    assert (found.provider, found.model) == (case["provider"] or None, case["model"] or None)
    assert (found.method is None) == (found.model is None)


def test_there_are_enough_labels_and_each_priced_one_has_a_row(book: pa.Table) -> None:
    known = set(zip(book["provider"].to_pylist(), book["model"].to_pylist(), strict=True))
    assert len({(case["provider_name"], case["price_model"]) for case in LABELLED}) >= 190
    assert [case for case in LABELLED if case["model"] and (case["provider"], case["model"]) not in known] == []


def test_the_method_names_what_was_done() -> None:
    assert resolved("openai", "gpt-4o").method == "exact"
    assert resolved("azure", "azure/eu/gpt-4o").method == "prefix+region+fallback"
    assert resolved(None, "claude-sonnet-4-5").method == "maker"
    assert resolved("openai", "gpt-4o-2099-01-01").method == "date"


def test_nothing_logged_is_not_resolved() -> None:
    for name in (ModelName(None, None), ModelName("openai", None), ModelName("openai", "")):
        assert resolve([name]) == [Resolution(name, None, None, None)]


def test_an_alias_comes_first_and_may_be_a_glob() -> None:
    alias = Alias("my-prod-*", "azure", "gpt-4o")
    found = resolved("azure", "my-prod-east", alias)
    assert (found.provider, found.model, found.method) == ("azure", "gpt-4o", "alias")
    assert resolved("openai", "gpt-4o", Alias("gpt-4o", "anthropic", "claude-sonnet-4-5")).provider == "anthropic"


def test_an_alias_to_nothing_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"nothing-like-it.*not in genai-prices"):
        resolve([], [Alias("x", "openai", "nothing-like-it")])


def _own(provider: str | None, model: str) -> PriceOverride:
    return PriceOverride(provider, model, None, None, {"input_uncached": Decimal(1)}, None)


@pytest.mark.parametrize(
    ("override", "name", "expected"),
    [
        (_own(None, "My-Llama"), ModelName("hosted_vllm", "my-llama"), ("custom", "My-Llama")),
        (_own(None, "my-llama"), ModelName(None, "hosted_vllm/my-llama"), ("custom", "my-llama")),
        (_own("vllm", "my-llama"), ModelName("vllm", "my-llama"), ("vllm", "my-llama")),
        (_own("vllm", "my-llama"), ModelName("ollama", "my-llama"), (None, None)),
        (_own("azure.ai.openai", "prod-1"), ModelName("azure", "azure/prod-1"), ("azure", "prod-1")),
    ],
)
def test_a_model_that_only_the_configuration_prices(
    override: PriceOverride, name: ModelName, expected: tuple[str | None, str | None]
) -> None:
    found = resolve([name], (), [override])[0]
    assert (found.provider, found.model) == expected


def test_model_map_has_the_columns_of_the_contract() -> None:
    table = model_map(resolve([ModelName("openai", "gpt-4o"), ModelName(None, "who")]))
    assert table.column_names == [column.name for column in schema.MODEL_MAP]
    assert table["model"].to_pylist() == ["gpt-4o", None]
    assert table["book"].to_pylist()[1] is None
