"""Whatever bill meets whatever logs: causes add up to the gap to the picodollar, and no line is lost."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import bill_truth as truth
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from infercost import schema
from infercost.analyze.bill_gaps import CAUSES, COLUMNS

MODELS = (truth.SONNET, truth.HAIKU, "Claude Haiku 4.5", "claude-unheard-9", None)
DAYS = st.integers(0, 3).map(lambda number: truth.FIRST + timedelta(days=number))
MONEY = st.integers(-(10**13), 10**15).map(lambda amount: f"{Decimal(amount).scaleb(-12):f}")

cost_line = st.fixed_dictionaries(
    {
        "day": DAYS,
        "model": st.sampled_from(MODELS),
        "token_kind": st.sampled_from((*schema.TOKEN_KINDS[:3], "output_text", "reasoning", "input", "output", None)),
        "service_tier": st.sampled_from(("batch", None)),
        "region": st.sampled_from(("us", "eu", None)),
        "quantity": st.one_of(st.none(), st.integers(0, 10**7)),
        "measure": st.sampled_from(("cost", "cost", "usage")),
        "billed_cost": MONEY,
        "charge": st.sampled_from((None, "tokens", "Web search")),
        "grouping": st.sampled_from(("all", "none")),
        "currency": st.sampled_from(("USD", "USD", "USD", "EUR")),
    }
)
call = st.fixed_dictionaries(
    {
        "day": DAYS,
        "hour": st.integers(0, 23),
        "model": st.sampled_from(MODELS[:3]),
        "lane": st.sampled_from(("standard", "batch")),
        "region": st.sampled_from(("us", None)),
        "tokens": st.lists(st.integers(0, 10**6), min_size=3, max_size=3),
        "is_priced": st.booleans(),
        "extra": st.integers(0, 10**11),
    }
)


def _line(number: int, told: dict[str, Any]) -> dict[str, Any]:
    is_cost = told["measure"] == "cost"
    return {
        "bill_id": f"b{number}",
        "format": "anthropic-cost-report" if is_cost else "anthropic-usage-report",
        "provider_name": "anthropic",
        "measure": told["measure"],
        "period_start": f"{told['day']}T00:00:00Z",
        "period_end": f"{told['day'] + timedelta(days=1)}T00:00:00Z",
        "model": told["model"],
        "charge": told["charge"],
        "token_kind": told["token_kind"],
        "service_tier": told["service_tier"],
        "region": told["region"],
        "quantity": told["quantity"],
        "quantity_unit": None if told["quantity"] is None else "tokens",
        "billed_cost": told["billed_cost"] if is_cost else None,
        "currency": told["currency"] if is_cost else None,
        "tags": {"grouped_by": told["grouping"]},
    }


def _attempt(told: dict[str, Any]) -> dict[str, Any]:
    known = truth.SONNET if told["model"] == truth.SONNET else truth.HAIKU
    rates = truth.RATES[known, told["lane"]]
    costs = {kind: count * rates[kind] for kind, count in zip(truth.KINDS, told["tokens"], strict=True)}
    total = Decimal(sum(costs.values()) + told["extra"]).scaleb(-12)
    return {
        "started_at": f"{told['day']}T{told['hour']:02}:30:00Z",
        "provider_name": "anthropic",
        "price_model": told["model"],
        "service_tier": told["lane"],
        "region": told["region"],
        **{f"{kind}_tokens": count for kind, count in zip(truth.KINDS, told["tokens"], strict=True)},
        **{f"{kind}_cost": Decimal(cost).scaleb(-12) if told["is_priced"] else None for kind, cost in costs.items()},
        "input_tokens": told["tokens"][0] + told["tokens"][1],
        "output_tokens": told["tokens"][2],
        "effective_cost": total if told["is_priced"] else None,
        "price_id": f"{truth.BOOK_NAMES[known]} {told['lane']}" if told["is_priced"] else None,
    }


# Shrinking would take minutes, because every example is a store of its own.
@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(cost_line, min_size=1, max_size=25), st.lists(call, max_size=25))
def test_causes_add_up_and_nothing_is_lost(lines: list[dict[str, Any]], calls: list[dict[str, Any]]) -> None:
    bills = [_line(number, told) for number, told in enumerate(lines)]
    attempts = [_attempt(told) for told in calls]
    found = truth.compared(attempts, bills)

    for cell in found.cells:
        assert set(cell.causes) <= set(CAUSES)
        assert cell.gap is None or sum(cell.causes.values(), Decimal(0)) == cell.gap
    dollars = sum((Decimal(row["billed_cost"]) for row in bills if row["currency"] == "USD"), Decimal(0))
    left_out = sum((each.money for each in found.left_out if each.money is not None), Decimal(0))
    assert found.billed + left_out == dollars
    for column in COLUMNS:
        rows = found.rows([column])
        assert sum((row.billed for row in rows if row.billed is not None), Decimal(0)) == found.billed
        assert sum((row.gap for row in rows if row.gap is not None), Decimal(0)) == found.gap
    has_money = [cell for cell in found.cells if cell.billed is not None]
    days = {cell.day for cell in has_money}
    if days and not any(row["measure"] == "usage" or row["currency"] == "EUR" for row in bills):
        ours = sum(
            (
                row["effective_cost"]
                for row in attempts
                if row["effective_cost"] is not None
                and found.first_day.isoformat() <= row["started_at"][:10] <= found.last_day.isoformat()
            ),
            Decimal(0),
        )
        assert found.ours == ours
