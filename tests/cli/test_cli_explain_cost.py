"""`infercost explain-cost`: the sum is the stored cost to the digit, and what is missing is said."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab import payload, payloads

from infercost.analyze.database import connect
from infercost.analyze.explain_cost import explain_cost
from infercost.config import Alias, Config, PriceOverride
from infercost.store import Store

if TYPE_CHECKING:
    from lab import Lab

    from cli.conftest import Cli


def test_every_line_is_tokens_by_rate_and_the_total_is_the_stored_cost(lab: "Lab") -> None:
    lab.read(lab.write("a.jsonl", [payload(1, prompt_tokens=10_000, completion_tokens=500, response_cost=0.002)]))
    (attempt_id,) = lab.rows("SELECT attempt_id FROM attempts")[0]

    lines = [" ".join(line.split()) for line in lab.call("explain-cost", attempt_id[:8]).out.splitlines()]

    assert "input uncached tokens 10,000 0.15 1,500,000,000" in lines
    assert "output text tokens 500 0.6 300,000,000" in lines
    assert "total = 0.001800000000 USD 1,800,000,000" in lines
    assert "stored cost 0.001800000000 USD" in lines
    assert "check the sum is the stored amount, to the digit" in lines
    assert "reported cost 0.002000000000 USD, +0.000200000000 USD" in lines
    assert any(line.startswith("name openai / gpt-4o-mini, by exact") for line in lines)
    assert any(line.startswith("input tier from 0 with no end; the attempt has 10,000 input tokens") for line in lines)


def test_the_three_formats_say_the_same(lab: "Lab") -> None:
    lab.read(lab.write("a.jsonl", [payload(1)]))

    found = json.loads(lab.call("explain-cost", "chatcmpl-000001", "-f", "json").out)
    text = lab.call("explain-cost", "chatcmpl-000001", "-f", "markdown").out

    assert found["agrees"] is True
    assert found["effective"]["total"] == sum(line["amount"] for line in found["effective"]["lines"])
    assert Decimal(found["stored"]) * 10**12 == found["effective"]["total"]
    assert f"| total |  | = {found['stored']} USD | {found['effective']['total']:,} |" in text


def test_a_discount_shows_the_list_row_beside_the_effective_row(lab: "Lab") -> None:
    lab.write("infercost.toml", '[[prices.override]]\nmodel = "gpt-4o-mini"\ndiscount = 0.5\n')
    own = Config(price_overrides=(PriceOverride(None, "gpt-4o-mini", None, None, {}, Decimal("0.5")),))
    lab.ingest(lab.write("a.jsonl", [payload(1)]), settings=own)

    found = json.loads(lab.call("explain-cost", "chatcmpl-000001", "-f", "json").out)

    assert found["listed"]["total"] == 2 * found["effective"]["total"]
    assert (found["effective"]["row"]["basis"], found["listed"]["row"]["basis"]) == ("override", "book")
    assert Decimal(found["attempt"]["list_cost"]) * 10**12 == found["listed"]["total"]


def test_a_sum_that_is_not_the_stored_cost_is_said(lab: "Lab") -> None:
    lab.read(lab.write("a.jsonl", [payload(1)]))
    with connect(lab.store()) as connection:
        connection.execute(
            "CREATE TABLE broken AS SELECT * REPLACE (effective_cost + 1 AS effective_cost) FROM attempts"
        )
        connection.execute("CREATE OR REPLACE TEMP VIEW attempts AS FROM broken")
        found = explain_cost(connection, Config(), "chatcmpl-000001")

    from infercost.render import cost

    assert found.agrees is False
    assert dict(cost.verdict(found))["check"].startswith("DIFFERENT: the sum is 0.00")


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({"model": "gpt-4o-minni", "model_group": "x"}, "unknown_model", "names alike openai / gpt-4o-mini, "),
        ({"prompt_tokens": None, "completion_tokens": None}, "no_usage", "no token counts"),
        ({"model": "gpt-4o-mini", "prompt_tokens": 600_000_000}, "broken_count", "500,000,000"),
    ],
)
def test_an_attempt_without_a_cost_says_why(lab: "Lab", changes: dict[str, object], reason: str, said: str) -> None:
    lab.read(lab.write("a.jsonl", [payload(1, **changes)]))

    found = json.loads(lab.call("explain-cost", "chatcmpl-000001", "-f", "json").out)
    text = " ".join(lab.call("explain-cost", "chatcmpl-000001").out.split())

    assert found["unpriced"]["reason"] == reason
    assert said in text
    assert "stored cost unknown" in text


def test_a_kind_without_a_rate_is_named(lab: "Lab") -> None:
    changes = {"model": "in-house", "model_group": "in-house"}
    own = Config(price_overrides=(PriceOverride(None, "in-house", None, None, {"input_uncached": Decimal(1)}, None),))
    lab.ingest(lab.write("a.jsonl", [payload(1, **changes)]), settings=own)

    with connect(lab.store()) as connection:
        found = explain_cost(connection, own, "chatcmpl-000001")

    assert found.unpriced is not None
    assert (found.unpriced.reason, found.unpriced.kinds) == ("no_rate", ("output_text",))


def test_an_alias_made_later_is_said_with_what_it_would_give(lab: "Lab") -> None:
    lab.ingest(lab.write("a.jsonl", [payload(1, model="in-house", model_group="in-house")]))

    with connect(lab.store()) as connection:
        found = explain_cost(
            connection, Config(aliases=(Alias("in-house", "openai", "gpt-4o-mini"),)), "chatcmpl-000001"
        )

    assert found.unpriced is not None
    assert (found.unpriced.reason, found.unpriced.cost_today) == ("priced_today", Decimal("0.000021150000"))


def test_an_id_of_several_attempts_names_them_and_an_id_of_none_says_how_to_find_one(lab: "Lab") -> None:
    lab.read(lab.write("a.jsonl", payloads(17)))
    shared = lab.value("SELECT attempt_id[1] FROM attempts GROUP BY ALL HAVING count(*) > 1 LIMIT 1")

    several = lab.call("explain-cost", shared)
    none = lab.call("explain-cost", "nothing")

    assert (several.code, none.code) == (2, 2)
    assert f"attempts have the id '{shared}': {shared}" in several.err
    assert "select attempt_id, response_id from attempts" in none.err


def test_the_sum_is_the_stored_cost_for_every_kind_of_attempt_of_the_sample(ask: "Cli", sample_store: Path) -> None:
    with connect(Store.open(sample_store)) as connection:
        connection.execute(
            "CREATE TABLE kinds AS FROM attempts QUALIFY row_number() OVER (PARTITION BY format, price_basis, "
            "price_rule, gateway_cache, price_id, status ORDER BY attempt_id) = 1"
        )
        connection.execute("CREATE OR REPLACE TEMP VIEW attempts AS FROM kinds")
        kinds = connection.execute("SELECT attempt_id FROM kinds").fetchall()
        found = [explain_cost(connection, Config(), attempt_id) for (attempt_id,) in kinds]

    bases = {each.attempt["price_basis"] for each in found}
    assert {"book", "rule", None} <= bases
    assert [each.attempt["attempt_id"] for each in found if each.agrees is False] == []
    assert {each.agrees for each in found if each.attempt["price_basis"] == "book"} == {True}
    assert all(each.unpriced is not None for each in found if each.attempt["effective_cost"] is None)
