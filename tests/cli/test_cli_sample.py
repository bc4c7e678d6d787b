"""The sample logs, by the commands alone: the store agrees with the truth that their generator wrote."""

import json
from decimal import Decimal
from typing import Any

import pytest

from cli.conftest import ROOT, UNTIL, Cli

TRUTH = json.loads((ROOT / "tests/data/sample_truth.json").read_text(encoding="utf-8"))
FORMATS = {
    "litellm": "litellm",
    "litellm-spendlogs": "litellm-spendlogs",
    "claude-code": "claude-code",
    "otlp": "otlp",
}
KINDS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output_text", "reasoning")


def _rows(ask: Cli, statement: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(ask("sql", statement, "-f", "json").text)
    return rows


@pytest.mark.parametrize("name", TRUTH["formats"])
def test_totals_of_a_format(ask: Cli, name: str) -> None:
    truth = TRUTH["formats"][name]
    tokens = ", ".join(
        f"coalesce(sum({kind}_tokens) filter (where {where}), 0)::bigint as {kind}_{part}"
        for kind in KINDS
        for part, where in (("paid", "not hit"), ("hit", "hit"))
    )
    found = _rows(
        ask,
        f"with of_format as (select *, coalesce(gateway_cache in ('hit', 'exact', 'semantic'), false) as hit "
        f"from attempts where format = '{FORMATS[name]}') "
        f"select count(*) as attempts, count(distinct request_id) as requests, "
        f"sum(effective_cost) as cost, coalesce(sum(avoided_cost), 0) as avoided, {tokens} from of_format",
    )[0]

    assert found["attempts"] == truth["attempts"]
    assert found["requests"] == truth["requests"]
    assert Decimal(found["cost"]) == Decimal(truth["cost"])
    assert Decimal(found["avoided"]) == Decimal(truth["avoided_cost"])
    assert {kind: found[f"{kind}_paid"] for kind in KINDS} == {kind: truth["tokens"].get(kind, 0) for kind in KINDS}
    assert {kind: found[f"{kind}_hit"] for kind in KINDS} == {
        kind: truth["gateway_hit_tokens"].get(kind, 0) for kind in KINDS
    }


@pytest.mark.parametrize("name", TRUTH["formats"])
def test_cost_per_feature_of_a_format(ask: Cli, name: str) -> None:
    rows = _rows(
        ask,
        f"select feature, sum(effective_cost) as usd from attempts where format = '{FORMATS[name]}' "
        "group by feature having usd > 0",
    )

    assert {row["feature"]: Decimal(row["usd"]) for row in rows} == {
        feature: Decimal(usd) for feature, usd in TRUTH["formats"][name]["cost_by_feature"].items() if Decimal(usd)
    }


def test_the_report_finds_the_three_planted_causes(ask: Cli) -> None:
    report = json.loads(ask("report", "--since", "30d", "--until", UNTIL, "--format", "json").text)
    rows = next(section["rows"] for section in report["sections"] if section["dimensions"] == ["feature"])
    planted = {cause["feature"] for cause in TRUTH["incident"]["causes"]}
    largest = sorted(rows, key=lambda row: Decimal(row["change"]), reverse=True)[:3]

    assert {row["values"][0] for row in largest} == planted
