"""What infercost prints as JSON keeps to its published schema, on the sample logs and on made-up reports."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from cli.conftest import ROOT, UNTIL, Cli

COMMANDS: dict[str, tuple[str, ...]] = {
    "report": ("report", "--since", "14d"),
    "report without a baseline": ("report", "--since", "14d", "--compare", "none"),
    "report of hours": ("report", "--since", "36h"),
    "explain": ("explain", "--since", "7d", "--by", "feature,feature+session_class,day"),
    "whatif": ("whatif", "--since", "7d", "--set", "cache_hit_rate=60%", "--move-model", "openai/gpt-5.5=gpt-5-mini"),
}


def validator(command: str) -> Draft202012Validator:
    schema = json.loads((ROOT / f"docs/schemas/{command}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


@pytest.mark.parametrize("name", COMMANDS)
def test_output_keeps_to_its_schema(ask: Cli, name: str) -> None:
    command, *options = COMMANDS[name]
    document = json.loads(ask(command, *options, "--until", UNTIL, "--format", "json").text)
    validator(command).validate(document)


def test_the_schema_finds_what_does_not_belong(ask: Cli) -> None:
    document: dict[str, Any] = json.loads(ask("explain", "--since", "7d", "--until", UNTIL, "--format", "json").text)
    schema = validator("explain")
    schema.validate(document)
    for change in ({"extra": 1}, {"before": 1.5}, {"format_version": 99}, {"generated_at": "today"}):
        with pytest.raises(ValidationError):
            schema.validate(document | change)
    with pytest.raises(ValidationError):
        schema.validate({name: value for name, value in document.items() if name != "drivers"})
