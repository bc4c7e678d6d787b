"""Capacity that costs the same an hour however much it is used: whose it is, and that no picodollar is lost."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lab import START, Lab, payload

from infercost import config, engine, schema
from infercost.config import Config, Pool
from infercost.config.prices import WEIGHTS
from infercost.pricing import pools

HOUR = START - START % 3600
POOL = """
[[prices.pool]]
name = "h100"
model = "acme-*"
gpu_hour = 4.10
gpus = 8
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def configured(lab: Lab, text: str = POOL) -> Config:
    return config.load(lab.write("infercost.toml", text))


def call(number: int, second: int, prompt: int, completion: int, **changes: Any) -> dict[str, Any]:
    """Return a call of the house's own model that began so many seconds into the hour."""
    return payload(
        number,
        startTime=HOUR + second,
        endTime=HOUR + second + 1,
        model="acme-8b",
        model_group="acme-8b",
        custom_llm_provider="hosted_vllm",
        prompt_tokens=prompt,
        completion_tokens=completion,
        **changes,
    )


def test_an_hour_is_shared_by_the_weight_of_tokens(lab: Lab) -> None:
    calls = [call(1, 0, 500, 0), call(2, 1, 0, 200), call(3, 3600, 10, 10)]
    lab.ingest(lab.write("a.jsonl", calls), settings=configured(lab))

    # A token that is written weighs 2.5 of one that is read, so both calls of the first hour weigh the same.
    assert lab.rows("SELECT effective_cost, list_cost, price_basis, price_rule FROM attempts ORDER BY started_at") == [
        (Decimal("16.4"), None, "pool", "pool_share"),
        (Decimal("16.4"), None, "pool", "pool_share"),
        (Decimal("32.8"), None, "pool", "pool_share"),
    ]
    assert lab.rows("SELECT model, hour_fee FROM prices WHERE provider = 'pool'") == [("h100", 32_800_000_000_000)]


def test_what_comes_later_takes_its_share_of_an_hour_that_is_stored(lab: Lab) -> None:
    calls = [call(number, number, 100 + number, 7) for number in range(6)]
    for name, some in (("a", calls[:2]), ("b", calls[2:5]), ("c", calls[5:])):
        lab.ingest(lab.write(f"{name}.jsonl", some), settings=configured(lab))
    lab.ingest(lab.write("whole.jsonl", calls), store="whole", settings=configured(lab))

    costs = "SELECT attempt_id, effective_cost, input_uncached_cost FROM attempts ORDER BY attempt_id"
    assert lab.rows(costs) == lab.rows(costs, "whole")
    assert lab.value("SELECT sum(effective_cost) FROM attempts") == Decimal("32.8")


def test_a_pool_has_its_time_and_its_currency(lab: Lab) -> None:
    text = POOL + (
        'currency = "EUR"\nfrom = 2020-01-01\n[[prices.exchange]]\ncurrency = "EUR"\nusd = 1.1\n'
        f'[[prices.exchange]]\ncurrency = "EUR"\nfrom = {_day(1)}\nusd = 1.2\n'
    )
    calls = [call(1, 0, 5, 0), call(2, 86400, 5, 0)]
    lab.ingest(lab.write("a.jsonl", calls), settings=configured(lab, text))
    lab.ingest(lab.write("b.jsonl", calls), store="ended", settings=configured(lab, POOL + f"to = {_day(1)}\n"))

    costs = "SELECT effective_cost FROM attempts ORDER BY started_at"
    assert lab.rows(costs) == [(Decimal("36.08"),), (Decimal("39.36"),)]
    assert lab.rows(costs, "ended") == [(Decimal("32.8"),), (None,)]


def _day(after: int) -> str:
    from datetime import UTC, datetime, timedelta

    return f"{datetime.fromtimestamp(HOUR, UTC) + timedelta(days=after):%Y-%m-%d}"


def test_what_no_pool_served_keeps_its_price(lab: Lab) -> None:
    calls = [call(1, 0, 5, 0), payload(2, startTime=HOUR, endTime=HOUR + 1)]
    lab.ingest(lab.write("a.jsonl", calls), settings=configured(lab))
    lab.ingest(lab.write("b.jsonl", [payload(2, startTime=HOUR, endTime=HOUR + 1)]), store="plain")

    book = "SELECT effective_cost, price_id, price_basis FROM attempts WHERE price_model LIKE '%gpt%'"
    assert lab.rows(book) == lab.rows(book, "plain")


def test_served_calls_are_not_called_unpriced(lab: Lab) -> None:
    path = lab.write("a.jsonl", [call(1, 0, 5, 0)])
    assert lab.ingest(path, settings=configured(lab)).unpriced_models == {}
    assert lab.ingest(path, store="without").unpriced_models == {"acme-8b": 1}


LEAVES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**6)), max_size=12
)


@settings(deadline=None, max_examples=30)
@given(
    LEAVES,
    st.decimals(min_value=0, max_value=1000, places=4),
    st.decimals(min_value=0, max_value=10, places=3),
)
def test_shares_are_the_whole_to_the_last_picodollar(
    calls: Sequence[tuple[int, int, int, int]], hour: Decimal, decode: Decimal
) -> None:
    pool = Pool("p", hour, None, None, {"model": "*"}, {**WEIGHTS, "decode": decode})
    with engine.connect() as connection:
        connection.execute(f"CREATE TABLE attempts ({schema.columns_sql(schema.ATTEMPTS)})")
        for number, (hours, fresh, cached, written) in enumerate(calls):
            connection.execute(
                "INSERT INTO attempts (attempt_id, started_at, price_model, input_uncached_tokens, cache_read_tokens, "
                "output_text_tokens) VALUES (?, ?::TIMESTAMPTZ, 'm', ?, ?, ?)",
                [f"a{number}", f"2026-11-01 {hours:02}:30:00+00", fresh, cached, written],
            )
        pools.share(connection, "attempts", [pool])
        kinds = " + ".join(f"pool_costs.{kind}_cost" for kind in schema.TOKEN_KINDS)
        cost = "pool_costs.effective_cost"
        found = connection.execute(
            f"SELECT date_part('hour', started_at), sum({cost}), bool_and({cost} = {kinds}), bool_and({cost} >= 0) "
            "FROM pool_costs JOIN attempts AS a USING (attempt_id) GROUP BY 1"
        ).fetchall()
    for hours, total, adds_up, is_positive in found:
        weight = sum(fresh + written * decode for at, fresh, _, written in calls if at == hours)
        assert total == (hour if weight else 0)
        assert adds_up
        assert is_positive
