"""Charts: round axes, shapes where the numbers are, marks where something began, stacks that add up."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_report import sample_report

from infercost.render import axis, bridge, charts

REPORT = sample_report()
EXPLANATION = REPORT.explanation
amounts = st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 6))


@given(amounts, amounts)
def test_an_axis_holds_its_values_between_few_round_ticks(one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = axis.amounts(low, high)
    # A value may stand out by what no eye sees.
    dust = (found.high - found.low) * 1e-8
    assert found.low <= min(low, 0) + dust
    assert found.high >= max(high, 0) - dust
    assert 0 in found.ticks
    assert 2 <= len(found.ticks) <= 8
    assert found.at(found.low) == 0
    assert found.at(found.high) == 100


@pytest.mark.parametrize(
    ("high", "ticks"),
    [
        (108, (0, 25, 50, 75, 100, 125)),
        (0.0042, (0, 0.001, 0.002, 0.003, 0.004, 0.005)),
        (0, (0, 0.2, 0.4, 0.6, 0.8, 1)),
    ],
)
def test_ticks_are_round(high: float, ticks: tuple[float, ...]) -> None:
    assert axis.amounts(0, high).ticks == ticks


def test_a_line_is_broken_where_a_value_is_unknown() -> None:
    gap = [replace(point, baseline_cost=None) if number == 3 else point for number, point in enumerate(REPORT.daily)]
    before, now = charts.daily(replace(REPORT, daily=tuple(gap), explanation=None)).lines
    assert before.path.count("M") == 2
    assert now.path.count("M") == 1
    assert now.area.endswith("Z")


def test_the_baseline_is_drawn_where_its_hours_of_the_week_belong() -> None:
    assert EXPLANATION is not None
    assert charts.is_matched(REPORT)
    matched, _ = charts.daily(REPORT).lines
    by_position, _ = charts.daily(replace(REPORT, explanation=None)).lines
    assert matched.path != by_position.path
    other = replace(REPORT, explanation=replace(EXPLANATION, buckets=EXPLANATION.buckets[1:]))
    assert not charts.is_matched(other)
    assert charts.daily(other).lines[0].path == by_position.path


def test_marks_stand_where_drivers_began_and_names_were_new() -> None:
    found = {mark.texts: mark.at for mark in charts.daily(REPORT).marks}
    days = len(REPORT.daily)
    assert any("Routing began" in text for texts in found for text in texts)
    assert all(round(at / 100 * days - 0.5, 3).is_integer() for at in found.values())


def test_stacks_add_up_to_the_effects_and_meet_at_zero() -> None:
    assert EXPLANATION is not None
    hues = charts.hues(EXPLANATION)
    assert len(hues) == charts.HUES + 1
    dated = [line for line in EXPLANATION.drivers if any(line.series) and line.name != "calendar"]
    total = sum((sum(line.series, Decimal(0)) for line in dated), Decimal(0))
    assert sum((sum(hue.series, Decimal(0)) for hue in hues), Decimal(0)) == total
    chart = charts.stacked(REPORT, EXPLANATION, hues)
    first = [block for block in chart.blocks if block.x < 100 / 7]
    edges = {round(block.y, 1) for block in first} | {round(block.y + block.height, 1) for block in first}
    assert round(chart.zero, 1) in edges
    height = sum(block.height for block in first)
    scale = sum(abs(float(hue.series[0])) for hue in hues)
    assert all(
        block.height / height == pytest.approx(abs(float(hue.series[0])) / scale, rel=0.01)
        for block, hue in zip(first, hues, strict=True)
    )


def test_the_waterfall_steps_from_before_to_after() -> None:
    assert EXPLANATION is not None
    fall = bridge.waterfall(EXPLANATION)
    assert len(fall.steps) == len(bridge.bridge_rows(EXPLANATION))
    assert fall.before[0] == fall.after[0] == 0
    assert 0 < fall.floor < EXPLANATION.before
    assert max(end for _, end in fall.steps) == 100
    nothing = replace(EXPLANATION, before=Decimal(0))
    assert bridge.waterfall(nothing).floor <= 0
    assert "nothing is left over" in bridge.check_text(EXPLANATION)
