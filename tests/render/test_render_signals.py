"""Signals, sessions that stand out, burn rate and budgets, in the words and shapes of the page."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sample_report import budgets as sample_budgets
from sample_report import sample_report
from sample_report import signals as sample_signals

from infercost.analyze.report import Burn
from infercost.render import budgets, plot, signals
from infercost.render import format as fmt
from infercost.render.axis import amounts
from infercost.render.html import render_html

SHARE, LENGTH, RATE = sample_signals(compared=True, hostile=False)


def test_values_have_their_units() -> None:
    assert signals.value_text(SHARE, 0.4321) == "43.2 %"
    assert signals.value_text(LENGTH, 17_204.5) == "17.2 k tokens"
    assert signals.value_text(RATE, 0.3061) == "0.306 tokens/s"
    assert signals.value_text(RATE, 0.0) == "0 tokens/s"
    assert signals.value_text(RATE, None) == fmt.UNKNOWN


def test_a_signal_says_whether_and_since_when_it_is_outside() -> None:
    assert signals.verdict_text(SHARE, "UTC") == "outside its band in 4 of 6 days, first on Tue 10 Nov 2026"
    assert signals.verdict_text(RATE, "UTC") == "within its band"
    assert signals.verdict_text(LENGTH, "UTC") == "not judged: less than three weeks of history"
    hours = replace(SHARE, bucket_unit="hour")
    assert signals.verdict_text(hours, "Asia/Kolkata").endswith("6 hours, first on 10 Nov 2026 05:30")


def test_a_band_is_drawn_where_it_is_known_and_nowhere_else() -> None:
    scale = amounts(0, 1)
    assert plot.band((None, None), (None, None), scale).area == ""
    drawn = plot.band((0.1, None, 0.2, 0.2), (0.5, None, 0.6, 0.7), scale).area
    assert drawn == "M12.5 50.0 L12.5 90.0 Z M62.5 40.0 L87.5 30.0 L87.5 80.0 L62.5 80.0 Z"


def test_the_page_has_every_signal_with_its_dollars() -> None:
    page = render_html(sample_report(hostile=False))
    section = page[page.index('id="signals"') : page.index("</section>", page.index('id="signals"'))]
    for text in ("Routing to frontier", "43.0 %", "+$2,401", "of the change", "no dollars", "outside its band in 4"):
        assert text in section
    assert section.count("<svg") == 3
    alone = render_html(sample_report(hostile=False, compared=False))
    assert (
        "of the change"
        not in alone[alone.index('id="signals"') : alone.index("</section>", alone.index('id="signals"'))]
    )


def test_sessions_that_stand_out_are_shown_against_their_like() -> None:
    page = render_html(sample_report(hostile=False))
    section = page[page.index('id="outliers"') : page.index("</section>", page.index('id="outliers"'))]
    for text in ("31 of 4,100 sessions", "18.0 x", "$0.50", "2 (2.5)", f"1,000 → {fmt.UNKNOWN}"):
        assert text in section


def test_burn_and_the_change_of_a_year_in_words() -> None:
    report = sample_report(hostile=False)
    assert budgets.burn_text(report) == "$97.89 and 4.1 M tokens an hour, after $73.01 and 3.9 M tokens before"
    assert budgets.annual_text(report) == "If spend stays as it is now, the change comes to +$217,364 in a year."
    unknown = replace(report, burn=Burn(None, 12.0), baseline_burn=None, annual_change=None)
    assert budgets.burn_text(unknown) == "12 tokens (cost not known) an hour"
    assert budgets.annual_text(unknown) == ""


def test_a_forecast_has_its_interval_and_when_the_money_is_gone() -> None:
    first, second = sample_budgets()
    assert budgets.forecast_text(first, "UTC") == (
        "At the rate of the last week $60,890 by its end (four times in five $58,000 to $63,781); "
        "gone on 30 Nov 2026 02:30."
    )
    assert budgets.forecast_text(second, "UTC") == ""
    assert budgets.forecast_text(replace(first, elapsed_ratio=1.0), "UTC") == ""


@pytest.mark.parametrize(
    ("spent", "gone", "projected", "state"),
    [
        ("61000", False, True, "bad"),
        ("100", True, True, "warn"),
        ("100", False, True, "ok"),
        ("30000", False, False, "warn"),
    ],
)
def test_a_budget_is_judged_by_where_it_will_be(spent: str, gone: bool, projected: bool, state: str) -> None:
    first, _ = sample_budgets()
    use = replace(
        first,
        spent=Decimal(spent),
        used_ratio=float(spent) / 60_000,
        gone_at=first.gone_at if gone else None,
        projected=first.projected if projected else None,
    )
    assert budgets.state(use) == state


def test_budgets_of_tokens_and_of_sessions_in_words() -> None:
    first, _ = sample_budgets()
    tokens = replace(first, unit="tokens", period="14d")
    assert budgets.used_text(tokens) == "28.4 k tokens of 60.0 k tokens every 14 days"
    assert "60.9 k tokens by its end" in budgets.forecast_text(tokens, "UTC")
    talk = replace(first, period="session", sessions=210, sessions_over=4, projected=None, gone_at=None)
    assert budgets.used_text(talk) == (
        "$28,416 at most, of $60,000 a session; 4 of 210 sessions of the last day are over it"
    )
    assert budgets.state(talk) == "ok"
    assert budgets.state(replace(first, gone_at=None, soft=0.4)) == "warn"
    assert budgets.state(replace(first, hard=0.4)) == "bad"
