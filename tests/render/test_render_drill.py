"""The parts of the spend on the page: each has a sentence and a bridge that adds up, and the rest is one part more."""

from dataclasses import replace
from decimal import Decimal

from sample_explanation import sample_explanation

from infercost.analyze.explanation import Child, SplitTable
from infercost.render import charts, drill

EXPLANATION = sample_explanation(Decimal("12121.285116"))
TABLE = EXPLANATION.tables[0]


def many(count: int) -> SplitTable:
    """Return a table of `count` parts of which each moved a cent less than the one before, by turns up and down."""
    names = [line.name for line in EXPLANATION.drivers]
    rows = []
    for number in range(count):
        change = Decimal(count - number) / 100 * (-1) ** number
        effects = dict.fromkeys(names, Decimal(0)) | {"routing": change * 3, "prompt_cache": change * -2}
        rows.append(Child((f"part {number}",), Decimal(10), Decimal(10) + change, effects))
    return SplitTable(("feature",), tuple(rows))


def test_every_bridge_adds_up_in_cents() -> None:
    for part in drill.parts(EXPLANATION, TABLE):
        assert part.before + sum(step.cents for step in part.steps) == part.after
        assert part.after - part.before == part.change
    total = sum(part.change for part in drill.parts(EXPLANATION, TABLE))
    assert abs(total - EXPLANATION.change) < Decimal("0.02")


def test_a_sentence_names_the_drivers_that_made_the_change() -> None:
    first, *_ = drill.parts(EXPLANATION, TABLE)
    assert first.sentence == (
        "Rose $1,045 (+34.5 %) from $3,030 to $4,075: routing +$600, prompt length +$301, retries and failures +$101."
    )
    still = Child(("quiet",), Decimal(5), Decimal(5), dict.fromkeys(TABLE.rows[0].effects, Decimal(0)))
    assert drill.parts(EXPLANATION, SplitTable(("feature",), (still,)))[0].sentence == "Stayed at $5."


def test_what_does_not_fit_is_one_part() -> None:
    parts = drill.parts(EXPLANATION, many(40))
    assert [part.name for part in parts][-2:] == [f"part {drill.MOST - 1}", f"All others ({40 - drill.MOST})"]
    whole = sum((row.after - row.before for row in many(40).rows), Decimal(0))
    assert sum(part.change for part in parts) == whole


def test_contributors_add_up_and_show_offsetting_drivers_on_both_sides() -> None:
    table = many(40)
    change = sum((row.after - row.before for row in table.rows), Decimal(0))
    explanation = replace(EXPLANATION, before=Decimal(400), after=400 + change)
    rows = drill.contributors(explanation, table, charts.hues(explanation), 10)
    assert len(rows) == 11
    assert sum(row.change for row in rows) == change
    assert sum(row.share or 0 for row in rows) == 1 or abs(sum(row.share or 0 for row in rows) - 1) < 1e-9
    rise = rows[0]
    assert {block.x >= 50 for block in rise.blocks} == {True, False}
    assert max(block.x + block.width for row in rows for block in row.blocks) == 100
    assert min(block.x for row in rows for block in row.blocks) >= 0
