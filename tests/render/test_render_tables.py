"""Tables, totals and trust facts as text cells."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sample_report import sample_report, unpriced_report

from infercost.analyze.report import Figures, Row, Section
from infercost.render import format as fmt
from infercost.render import tables, trust
from infercost.render.measures import measures


def simple(rows: int) -> Section:
    def one(number: int) -> Row:
        now = Figures(Decimal(number), 1, 1, 10, 1, 0)
        before = Figures(Decimal(0), 1, 1, 10, 1, 0)
        return Row((f"n{number}",), now, before, Decimal(number), None, None)

    listed = tuple(one(number) for number in range(rows, 0, -1))
    empty = Row((), Figures(Decimal(0), 0, 0, 0, 0, 0), Figures(Decimal(0), 0, 0, 0, 0, 0), Decimal(0), None, None)
    return Section("feature", "By feature", ("feature",), listed, tables.fold(listed, empty), "SELECT 1")


@pytest.mark.parametrize(("rows", "top", "rest"), [(3, 3, 0), (7, 7, 0), (8, 5, 3), (40, 5, 35)])
def test_a_rest_of_one_or_two_rows_is_drawn_instead(rows: int, top: int, rest: int) -> None:
    drawn = tables.table(simple(rows), 5)
    assert len(drawn.top) == top
    assert (drawn.rest.name.text if drawn.rest else "") == (f"{rest} others" if rest else "")


def test_rows_on_demand_stop_at_the_limit_and_the_remainder_is_summed() -> None:
    drawn = tables.table(simple(40), 5, 30)
    assert [len(drawn.top), len(drawn.more)] == [5, 25]
    assert drawn.beyond
    assert drawn.beyond.name.text == "10 others"
    assert drawn.beyond.now.exact == "$55.00"


def test_top_and_rest_add_up_to_the_total_of_the_section() -> None:
    section = sample_report().sections[0]
    folded = tables.fold(section.rows, section.total)
    assert folded.current == section.total.current
    assert folded.baseline == section.total.baseline
    assert folded.change == section.total.change


def test_new_and_gone_segments_are_called_so() -> None:
    lines = {line.name.text: line for line in tables.table(sample_report().sections[0], 50).top}
    assert lines["onboarding-tour"].ratio.text == "new"
    assert lines["legacy-classifier"].ratio.text == "gone"
    assert lines["search"].ratio.text == "+67.4 %"


def test_bars_grow_from_the_middle_and_the_largest_change_fills_its_half() -> None:
    lines = {line.name.text: line.bar for line in tables.table(sample_report().sections[0], 50).top}
    assert lines["search"] == tables.Bar(50.0, 50.0, "up")
    fall = lines["code-review"]
    assert (fall.start + fall.width, fall.tone) == (50.0, "down")


def test_what_has_no_price_is_never_drawn_as_zero() -> None:
    report = unpriced_report()
    line = tables.table(report.sections[0], 5).top[0]
    assert [line.before.text, line.now.text, line.change.text] == ["no price", "no price", fmt.UNKNOWN]
    assert line.note.endswith("attempts not priced")
    costs = {measure.name: measure for measure in measures(report)}
    assert costs["Cost"].now.text == "not known"
    assert costs["Cost per request"].now.text == "not known"
    assert costs["Requests"].now.text == "321.0 k"


def test_totals_have_unit_costs_with_exact_values() -> None:
    found = {measure.name: measure for measure in measures(sample_report())}
    assert found["Cost"].change.text == "+$4,180"
    assert found["Cost per request"].now.exact == "$0.051233119545"
    assert found["Cost per request"].before.text == "$0.0365"
    assert found["Tokens"].ratio.tone == ""


def test_one_window_alone_has_shares_of_cost_and_no_change() -> None:
    report = sample_report(compared=False)
    line = tables.table(report.sections[0], 5).top[0]
    assert [line.change.text, line.before.text, line.ratio.text] == ["", "", ""]
    assert line.share.text == "43.9 %"
    assert {measure.change.text for measure in measures(report)} == {""}


def test_small_unknowns_are_marked_and_large_ones_become_a_sentence() -> None:
    report = sample_report()
    states = {fact.label: fact.state for fact in trust.facts(report)}
    assert states["Not priced"] == states["Not attributed"] == "warn"
    assert states["Duplicates removed"] == "ok"
    assert trust.warnings(report) == ()

    worse = replace(report, trust=replace(report.trust, unpriced_attempts=67_621, rejected=702_118 // 2))
    assert {fact.label: fact.state for fact in trust.facts(worse)}["Not priced"] == "bad"
    unpriced, rejected = trust.warnings(worse)
    assert unpriced.startswith("10.0 % of the attempts have no price")
    assert "acme-internal-7b" in unpriced
    assert rejected.startswith("50.0 % of the records")


def test_models_priced_through_another_name_are_said_and_are_no_fault() -> None:
    report = sample_report()
    fact = next(fact for fact in trust.facts(report) if fact.label == "Aliases")
    assert (fact.text, fact.state) == ("2 models priced through another name", "ok")
    assert fact.exact == "4,208 of 676,204 attempts"
    assert fact.detail.startswith("gpt-4o-latest → openai gpt-4o (alias), ")
    many = tuple(replace(report.trust.aliased_models[0], name=f"m{number}") for number in range(1, 13))
    fact = next(
        fact
        for fact in trust.facts(replace(report, trust=replace(report.trust, aliased_models=many)))
        if fact.label == "Aliases"
    )
    assert fact.detail.endswith("m5 → openai gpt-4o (alias), 7 more")
    none = replace(report, trust=replace(report.trust, aliased_models=()))
    assert "Aliases" not in [fact.label for fact in trust.facts(none)]


def test_only_a_few_unpriced_models_are_named() -> None:
    models = tuple(replace(sample_report().trust.unpriced_models[0], name=f"m{number}") for number in range(1, 13))
    assert trust.named_models(models) == "m1, m2, m3, m4, m5, 7 more"
