"""One thing at a time is broken between calls and bill, and exactly that cause carries exactly that many dollars."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import bill_truth as truth
import pytest

from infercost.analyze.bill_gaps import Reconciliation
from infercost.errors import ExitCode, NoDataError

CALLS = truth.calls()
SETS = [{"usage": True}, {"usage": False, "quantities": True}, {"usage": True, "requests": True}]
"""How a bill tells tokens: in the usage report, on its cost lines, in the usage report with calls."""

THIRD = truth.FIRST + timedelta(days=2)


def causes(found: Reconciliation) -> dict[str, Decimal]:
    """Return the causes, after the law that they make up the gap in every cell."""
    for cell in found.cells:
        assert sum(cell.causes.values(), Decimal(0)) == cell.gap
    assert sum(found.causes().values(), Decimal(0)) == found.gap
    return found.causes()


def day_of(call: truth.Call) -> date:
    return call.at.date()


@pytest.mark.parametrize("told", [*SETS, {"usage": False}])
def test_equal_sides_have_no_gap(told: dict[str, bool]) -> None:
    found = truth.compared(truth.logged(CALLS), truth.bill(truth.billed(CALLS), **told))

    assert causes(found) == {}
    assert found.billed == found.ours == truth.cost_of(CALLS)
    assert (found.first_day, found.last_day) == (truth.FIRST, truth.FIRST + timedelta(days=truth.DAYS - 1))
    assert {cell.kind for cell in found.cells} == {"input_uncached", "cache_read", "output"}


@pytest.mark.parametrize("told", [*SETS, {"usage": False}])
def test_a_day_without_logs_is_missing_records(told: dict[str, bool]) -> None:
    kept = [call for call in CALLS if day_of(call) != THIRD]
    found = truth.compared(truth.logged(kept), truth.bill(truth.billed(CALLS), **told))

    assert causes(found) == {"missing": truth.cost_of(CALLS, lambda call: day_of(call) == THIRD)}
    assert {cell.day for cell in truth.cells_with(found, "missing")} == {THIRD}
    assert not any(cell.is_day_logged for cell in truth.cells_with(found, "missing"))


@pytest.mark.parametrize("told", [*SETS, {"usage": False}])
def test_hours_without_logs_are_missing_records_and_are_named(told: dict[str, bool]) -> None:
    def lost(call: truth.Call) -> bool:
        return day_of(call) == THIRD and 3 <= call.at.hour < 7

    found = truth.compared(
        truth.logged(call for call in CALLS if not lost(call)), truth.bill(truth.billed(CALLS), **told)
    )

    assert causes(found) == {"missing": truth.cost_of(CALLS, lost)}
    assert {cell.quiet_hours for cell in truth.cells_with(found, "missing")} == {(3, 4, 5, 6)}


@pytest.mark.parametrize("told", [*SETS, {"usage": False}])
def test_a_model_that_the_logs_never_have_bypasses_the_gateway(told: dict[str, bool]) -> None:
    kept = [call for call in CALLS if call.model != truth.HAIKU]
    found = truth.compared(truth.logged(kept), truth.bill(truth.billed(CALLS), **told))

    assert causes(found) == {"bypassed": truth.cost_of(CALLS, lambda call: call.model == truth.HAIKU)}
    assert {cell.model for cell in truth.cells_with(found, "bypassed")} == {"claude-haiku-4-5"}


def test_a_key_that_the_logs_never_have_bypasses_the_gateway() -> None:
    keyed = [replace(call, key="batch-job" if call.lane == "batch" else "gateway") for call in CALLS]
    kept = [call for call in keyed if call.key == "gateway"]
    found = truth.compared(truth.logged(kept), truth.bill(truth.billed(keyed)))

    assert causes(found) == {"bypassed": truth.cost_of(keyed, lambda call: call.key == "batch-job")}


def test_a_call_without_a_key_may_be_of_any_key() -> None:
    keyed = [replace(call, key="batch-job" if call.lane == "batch" else "gateway") for call in CALLS]
    kept = [replace(call, key=None) if call is keyed[-30] else call for call in keyed if call.key == "gateway"]
    found = truth.compared(truth.logged(kept), truth.bill(truth.billed(keyed)))

    assert causes(found) == {"missing": truth.cost_of(keyed, lambda call: call.key == "batch-job")}


def test_keys_of_another_kind_than_the_logs_say_nothing() -> None:
    keyed = [replace(call, key="key of the provider") for call in CALLS]
    found = truth.compared(truth.logged(CALLS, api_key_id="key of the gateway"), truth.bill(truth.billed(keyed)))

    assert causes(found) == {}


@pytest.mark.parametrize("told", SETS)
def test_a_discount_is_price(told: dict[str, bool]) -> None:
    lines = [replace(line, picodollars=line.picodollars * 9 // 10) for line in truth.billed(CALLS)]
    found = truth.compared(truth.logged(CALLS), truth.bill(lines, **told))

    assert causes(found) == {"price": -truth.cost_of(CALLS) / 10}


def test_a_discount_shows_without_counts_when_every_day_has_it() -> None:
    lines = [replace(line, picodollars=line.picodollars * 9 // 10) for line in truth.billed(CALLS)]
    found = truth.compared(truth.logged(CALLS), truth.bill(lines, usage=False))

    told = causes(found)
    # The ratio of one day stands for all, so that a picodollar can be off, which is rounding.
    assert abs(told.pop("rounding", Decimal(0))) < Decimal("0.00000001")
    assert set(told) == {"price"}
    assert told["price"] == pytest.approx(-truth.cost_of(CALLS) / 10, abs=Decimal("0.00000001"))


def test_without_counts_a_gap_of_two_days_is_not_explained() -> None:
    lines = [
        replace(line, picodollars=line.picodollars * 9 // 10)
        for line in truth.billed(CALLS, days=2)
        if line.model == truth.SONNET
    ]
    kept = [call for call in CALLS if call.model == truth.SONNET]

    assert set(causes(truth.compared(truth.logged(kept), truth.bill(lines, usage=False)))) == {"unexplained"}


@pytest.mark.parametrize("told", [*SETS, {"usage": False}])
def test_batch_billed_as_standard_is_tier_and_named(told: dict[str, bool]) -> None:
    lines = [
        replace(line, picodollars=line.picodollars * 2) if line.lane == "batch" else line
        for line in truth.billed(CALLS)
    ]
    found = truth.compared(truth.logged(CALLS), truth.bill(lines, **told))

    assert causes(found) == {"tier": truth.cost_of(CALLS, lambda call: call.lane == "batch")}
    assert {cell.tier for cell in truth.cells_with(found, "tier")} == {"standard instead of batch"}


@pytest.mark.parametrize("told", SETS)
def test_a_part_of_batch_billed_as_standard_is_tier_where_the_bill_tells_lanes(told: dict[str, bool]) -> None:
    def expired(call: truth.Call) -> bool:
        return call.lane == "batch" and call.at.hour % 3 == 0

    served = [replace(call, lane="standard") if expired(call) else call for call in CALLS]
    found = truth.compared(truth.logged(CALLS), truth.bill(truth.billed(served), **told))

    assert causes(found) == {"tier": truth.cost_of(CALLS, expired)}
    assert {cell.tier for cell in truth.cells_with(found, "tier")} == {"standard instead of batch"}


@pytest.mark.parametrize("hours", [-8, 8, 1])
@pytest.mark.parametrize("told", [*SETS, {"usage": False}])
def test_days_cut_at_another_hour_are_time_zone(told: dict[str, bool], hours: int) -> None:
    found = truth.compared(truth.logged(CALLS), truth.bill(truth.billed(CALLS, hours=hours), **told))

    assert set(causes(found)) == {"zone"}
    assert [(each.seller, each.hours) for each in found.shifts] == [("anthropic", hours)]
    by_day = [row.causes["zone"] for row in found.rows(["day"])]
    assert min(by_day) < 0 < max(by_day)


def test_days_cut_at_another_hour_do_not_hide_a_discount() -> None:
    lines = [replace(line, picodollars=line.picodollars * 9 // 10) for line in truth.billed(CALLS, hours=8)]
    found = truth.compared(truth.logged(CALLS), truth.bill(lines))

    assert causes(found)["price"] == -found.billed / 9
    assert set(causes(found)) == {"zone", "price"}


def test_a_grouping_that_tells_the_same_money_again_is_left_out() -> None:
    lines = truth.billed(CALLS)
    twice = truth.bill(lines) + [
        {**row, "bill_id": f"again {row['bill_id']}", "model": None, "token_kind": None, "charge": None}
        | {"tags": {"grouped_by": "none"}}
        for row in truth.bill(lines, usage=False)
    ]
    found = truth.compared(truth.logged(CALLS), twice)

    assert causes(found) == {}
    assert found.billed == truth.cost_of(CALLS)
    assert [(each.source, each.money) for each in found.left_out] == [
        ("anthropic-cost-report, grouped by none", truth.cost_of(CALLS))
    ]


def test_money_without_models_is_compared_in_total() -> None:
    lines = [
        {**row, "model": None, "token_kind": None, "charge": None, "billed_cost": row["billed_cost"] * 2}
        for row in truth.bill(truth.billed(CALLS), usage=False)
    ]
    found = truth.compared(truth.logged(CALLS), lines)

    assert {(cell.model, cell.kind) for cell in found.cells} == {("(all models)", "all")}
    assert found.gap == truth.cost_of(CALLS)
    causes(found)


def test_a_charge_that_is_not_by_the_token_is_a_fee() -> None:
    extra = [truth.fee(THIRD, "Web Search Usage", "0.12"), truth.fee(THIRD, "VAT", "3", tags={"line_item_type": "Tax"})]
    found = truth.compared(truth.logged(CALLS), [*truth.bill(truth.billed(CALLS)), *extra[:1]])

    assert causes(found) == {"fees": Decimal("0.12")}
    assert [cell.model for cell in truth.cells_with(found, "fees")] == ["Web Search Usage"]


def test_cents_are_rounding() -> None:
    found = truth.compared(truth.logged(CALLS), truth.bill(truth.cents(truth.billed(CALLS))))

    assert set(causes(found)) == {"rounding"}


def test_a_tolerance_is_rounding_too() -> None:
    lines = [replace(line, picodollars=line.picodollars + 10**10) for line in truth.billed(CALLS)]
    bill = truth.bill(lines)

    assert set(causes(truth.compared(truth.logged(CALLS), bill))) == {"price"}
    assert set(causes(truth.compared(truth.logged(CALLS), bill, tolerance=Decimal("0.02")))) == {"rounding"}


def test_tokens_that_the_bill_lacks_are_extra() -> None:
    def lost(line: truth.Line) -> bool:
        return line.day == THIRD and line.model == truth.SONNET

    found = truth.compared(truth.logged(CALLS), truth.bill([line for line in truth.billed(CALLS) if not lost(line)]))

    here = truth.cost_of(CALLS, lambda call: day_of(call) == THIRD and call.model == truth.SONNET)
    assert causes(found) == {"extra": -here}


def test_other_counts_in_the_same_calls_are_tokens() -> None:
    wrong = [
        replace(call, tokens={**call.tokens, "output_text": call.tokens["output_text"] // 2})
        if call.model == truth.SONNET
        else call
        for call in CALLS
    ]
    found = truth.compared(truth.logged(wrong), truth.bill(truth.billed(CALLS), requests=True))

    assert causes(found) == {"tokens": truth.cost_of(CALLS) - truth.cost_of(wrong)}
    assert {cell.kind for cell in truth.cells_with(found, "tokens")} == {"output"}


def test_fewer_calls_are_missing_records_even_with_calls_told() -> None:
    kept = [call for number, call in enumerate(CALLS) if number % 10]
    found = truth.compared(truth.logged(kept), truth.bill(truth.billed(CALLS), requests=True))

    assert causes(found) == {"missing": truth.cost_of(CALLS) - truth.cost_of(kept)}


def test_tokens_without_a_price_are_unpriced() -> None:
    nothing = {f"{kind}_cost": None for kind in truth.KINDS} | {"effective_cost": None, "price_id": None}
    attempts = [row | nothing if truth.SONNET in row["price_model"] else row for row in truth.logged(CALLS)]
    found = truth.compared(attempts, truth.bill(truth.billed(CALLS)))

    assert causes(found) == {"unpriced": truth.cost_of(CALLS, lambda call: call.model == truth.SONNET)}


def test_answers_of_the_gateways_own_cache_are_not_expected_on_the_bill() -> None:
    hits = truth.logged(CALLS, gateway_cache="exact", effective_cost=0)

    assert causes(truth.compared([*truth.logged(CALLS), *hits], truth.bill(truth.billed(CALLS)))) == {}


def test_another_currency_is_kept_apart() -> None:
    euros = truth.fee(THIRD, "Credit", "-5", currency="EUR")
    found = truth.compared(truth.logged(CALLS), [*truth.bill(truth.billed(CALLS)), euros])

    assert causes(found) == {}
    assert [(each.currency, each.amount) for each in found.other_currencies] == [("EUR", Decimal(-5))]


def test_quantities_alone_have_no_money() -> None:
    bill = [row for row in truth.bill(truth.billed(CALLS)) if row["measure"] == "usage"]
    found = truth.compared(truth.logged(CALLS), bill)

    assert found.priced == []
    assert {cell.gap for cell in found.cells} == {None}
    assert all(cell.billed_tokens == cell.our_tokens > 0 for cell in found.cells)


def test_names_of_consoles_and_snapshots_meet_the_logs() -> None:
    shown = {truth.SONNET: "Claude Sonnet 4.5", truth.HAIKU: "claude-haiku-4-5"}
    bill = [row | {"model": shown[row["model"]]} for row in truth.bill(truth.billed(CALLS))]

    assert causes(truth.compared(truth.logged(CALLS), bill)) == {}


def test_a_name_that_nothing_knows_is_a_row_of_its_own() -> None:
    stranger = {**truth.bill(truth.billed(CALLS))[0], "bill_id": "s", "model": "Claude Unheard 9", "billed_cost": "7"}
    found = truth.compared(truth.logged(CALLS), [*truth.bill(truth.billed(CALLS)), stranger])

    assert causes(found) == {"bypassed": Decimal(7)}
    assert [cell.model for cell in truth.cells_with(found, "bypassed")] == ["Claude Unheard 9"]


def test_hours_regions_and_names_of_aws_meet_the_logs() -> None:
    def west(number: int) -> bool:
        return number % 4 == 0

    kept = [call for call in CALLS if call.model == truth.SONNET]
    seen = [call for number, call in enumerate(kept) if not west(number)]
    attempts = truth.logged(
        seen,
        provider_name="aws.bedrock",
        price_model="bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        region="us-east-1",
    )
    lines = [
        row
        | {
            "bill_id": f"{number} {row['bill_id']}",
            "format": "aws-cur",
            "provider_name": "aws.bedrock",
            "period_start": call.at.replace(minute=0).isoformat(),
            "period_end": (call.at.replace(minute=0) + timedelta(hours=1)).isoformat(),
            "model": "Claude4.5Sonnet",
            "region": "us-west-2" if west(number) else "us-east-1",
            "tags": {"line_item_type": "Usage"},
        }
        for number, call in enumerate(kept)
        for row in truth.bill(truth.billed([call]), usage=False, quantities=True)
    ]
    found = truth.compared(attempts, lines)

    beyond = truth.cost_of([call for number, call in enumerate(kept) if west(number)])
    assert causes(found) == {"bypassed": beyond}
    assert {(cell.seller, cell.model) for cell in found.cells} == {("aws", "claude-sonnet-4-5")}


def test_days_in_a_zone_that_the_bill_tells_are_cut_there() -> None:
    bill = [
        row
        | {
            "period_start": row["period_start"].replace("T00:00:00Z", "T00:00:00+08:00"),
            "period_end": row["period_end"].replace("T00:00:00Z", "T00:00:00+08:00"),
        }
        for row in truth.bill(truth.billed(CALLS, hours=8))
    ]
    found = truth.compared(truth.logged(CALLS), bill)

    assert causes(found) == {}
    assert found.shifts == ()
    assert (found.first_day, found.last_day) == (truth.FIRST, truth.FIRST + timedelta(days=truth.DAYS - 1))


def test_a_bill_by_the_month_is_compared_by_the_month() -> None:
    inside = [call for call in CALLS if truth.FIRST <= day_of(call) < truth.FIRST + timedelta(days=truth.DAYS)]
    bill = [
        row | {"bill_id": f"{row['bill_id']}", "period_start": "2026-11-01T00:00:00Z", "period_end": "2026-12-01"}
        for row in truth.bill(truth.billed(inside), usage=False, quantities=True)
    ]
    found = truth.compared(truth.logged(inside), bill)

    assert causes(found) == {}
    assert {cell.day for cell in found.cells} == {date(2026, 11, 1)}
    assert found.billed == truth.cost_of(CALLS)


def test_a_day_without_a_bill_in_a_window_that_was_asked_for_is_extra() -> None:
    start = datetime(truth.FIRST.year, truth.FIRST.month, truth.FIRST.day, tzinfo=UTC)
    bill = truth.bill(truth.billed(CALLS, days=truth.DAYS - 1))
    last = truth.FIRST + timedelta(days=truth.DAYS - 1)
    found = truth.compared(truth.logged(CALLS), bill, since=start, until=start + timedelta(days=truth.DAYS))

    assert causes(found) == {"extra": -truth.cost_of(CALLS, lambda call: day_of(call) == last)}
    assert not any(cell.is_day_billed for cell in truth.cells_with(found, "extra"))


def test_a_roll_up_of_the_gateway_stands_in_only_where_no_bill_is() -> None:
    bill = truth.bill(truth.billed(CALLS))
    roll_up = [
        row
        | {
            "bill_id": f"r{row['bill_id']}",
            "format": "litellm-daily",
            "provider_name": "litellm",
            "token_kind": None,
            "charge": "spend",
            "tags": {"rollup": "user", "provider": "anthropic"},
        }
        for row in truth.bill(truth.billed(CALLS), usage=False)
    ]

    assert causes(truth.compared(truth.logged(CALLS), roll_up)) == {}
    both = truth.compared(truth.logged(CALLS), [*bill, *roll_up])
    assert causes(both) == {}
    assert both.billed == truth.cost_of(CALLS)
    assert [each.source for each in both.left_out] == ["litellm-daily, rollup user"]


def test_a_window_cuts_both_sides() -> None:
    start = datetime(THIRD.year, THIRD.month, THIRD.day, tzinfo=UTC)
    found = truth.compared(
        truth.logged(CALLS), truth.bill(truth.billed(CALLS)), since=start, until=start + timedelta(days=2)
    )

    assert causes(found) == {}
    assert (found.first_day, found.last_day) == (THIRD, THIRD + timedelta(days=1))


def test_a_store_without_bills_has_no_data() -> None:
    with pytest.raises(NoDataError, match="the store holds no bill") as caught:
        truth.compared(truth.logged(CALLS[:3]), [])
    assert caught.value.exit_code is ExitCode.NO_DATA
