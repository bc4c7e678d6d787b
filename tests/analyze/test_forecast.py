"""Forecasts: flat spend goes on, weeks keep their shape, more variation makes wider intervals."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from infercost.analyze.forecast import Forecast, forecast

TODAY = date(2026, 11, 16)
"""A Monday."""

END = datetime(2026, 11, 16, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")


def days(*costs: float) -> dict[date, float]:
    """Return what the days before TODAY cost, the latest last."""
    return {TODAY - timedelta(days=len(costs) - place): cost for place, cost in enumerate(costs)}


def ahead(history: dict[date, float], length: float = 14, left: float = 1e9) -> Forecast:
    found = forecast(history, END, END + timedelta(days=length), UTC_ZONE, left=left)
    assert found is not None
    return found


def test_flat_spend_goes_on_as_it_was() -> None:
    found = ahead(days(*[10.0] * 28), length=3.5)
    assert found.low == pytest.approx(found.expected) == pytest.approx(found.high) == pytest.approx(35)
    assert found.gone_at is None


def test_quiet_weekends_are_expected_again() -> None:
    week = [30.0] * 5 + [2.0] * 2
    assert ahead(days(*week * 4), length=5).expected == pytest.approx(150)
    assert ahead(days(*week * 4), length=7).expected == pytest.approx(154)
    late = forecast(days(*week * 4), END + timedelta(days=5), END + timedelta(days=7), UTC_ZONE, left=1e9)
    assert late is not None
    assert late.expected == pytest.approx(4)


def test_the_rate_is_that_of_the_last_week() -> None:
    assert ahead(days(*[10.0] * 21, *[20.0] * 7), length=1).expected == pytest.approx(20, rel=0.01)


def test_more_variation_and_more_days_make_the_interval_wider() -> None:
    def width(found: Forecast) -> float:
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    calm, wild = days(*[10.0, 11.0] * 14), days(*[5.0, 16.0] * 14)
    assert 0 < width(ahead(calm)) < width(ahead(wild))
    assert width(ahead(wild, length=2)) < width(ahead(wild, length=14))


def test_it_says_when_the_money_will_be_gone() -> None:
    assert ahead(days(*[10.0] * 28), left=25).gone_at == END + timedelta(days=2.5)
    assert ahead(days(*[10.0] * 28), left=140.1).gone_at is None
    assert ahead(days(*[10.0] * 28), left=-5).gone_at is None


def test_few_days_give_a_figure_without_an_interval_and_none_give_nothing() -> None:
    found = ahead(days(4.0, 6.0))
    assert found.expected == pytest.approx(70)
    assert found.low is found.high is None
    assert forecast({}, END, END + timedelta(days=1), UTC_ZONE, left=1) is None


def test_a_period_that_is_over_costs_nothing_more() -> None:
    found = forecast(days(*[10.0] * 28), END, END, UTC_ZONE, left=3)
    assert found == Forecast(0.0, 0.0, 0.0, None)


def test_days_of_a_zone_that_changes_its_clock_are_days() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 10, 24, tzinfo=berlin)
    history = {date(2026, 10, 24) - timedelta(days=back): 10.0 for back in range(1, 29)}
    found = forecast(history, start, datetime(2026, 10, 27, tzinfo=berlin), berlin, left=1e9)
    assert found is not None
    assert found.expected == pytest.approx(30, rel=0.02)
