"""An explanation as text and JSON: golden files, cents that add up, sentences whose numbers stand in rows."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from golden import TextFile
from hypothesis import given
from hypothesis import strategies as st
from sample_explanation import sample_explanation
from sample_report import HOSTILE, SCRIPT_NAME, TURNED_NAME
from syrupy.assertion import SnapshotAssertion

from infercost.analyze.drivers import factors
from infercost.analyze.explanation import Explanation
from infercost.render import bridge, why
from infercost.render.cents import CENT, closed
from infercost.render.explanation import json_text, markdown_text, terminal_text

Draw = Callable[[Explanation], str]
WEEKS = sample_explanation(Decimal("12265.5"))
HOSTILE_WEEKS = sample_explanation(Decimal("12265.5"), HOSTILE)


@pytest.fixture
def golden(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(TextFile)


@pytest.mark.parametrize("explanation", [WEEKS, HOSTILE_WEEKS], ids=["weeks", "hostile"])
@pytest.mark.parametrize("draw", [terminal_text, markdown_text, json_text])
def test_drawn_as_in_the_golden_file(draw: Draw, explanation: Explanation, golden: SnapshotAssertion) -> None:
    assert draw(explanation) == golden


def test_a_narrow_terminal_keeps_every_effect() -> None:
    drawn = terminal_text(WEEKS, width=80)
    assert max(map(len, drawn.splitlines())) <= 80
    assert all(bridge.amount(cents) in drawn for _, cents in bridge.bridge_rows(WEEKS) if cents)


def test_markdown_is_short() -> None:
    assert len(markdown_text(HOSTILE_WEEKS).splitlines()) < 60


@pytest.mark.parametrize("draw", [terminal_text, markdown_text])
def test_hostile_names_are_text(draw: Draw) -> None:
    drawn = draw(HOSTILE_WEEKS)
    assert "\x1b" not in drawn
    assert "\u202e" not in drawn
    assert len(drawn) < 20_000


def test_markdown_has_no_markup_from_names() -> None:
    outside = re.sub(r"(`+).*?\1(?!`)", "", markdown_text(HOSTILE_WEEKS))
    assert not re.search(r"(?<!\\)[<\[]", outside)


def test_json_holds_every_figure_exactly() -> None:
    document = json.loads(json_text(HOSTILE_WEEKS))
    assert Decimal(document["change"]) == sum(Decimal(each["effect"]) for each in document["drivers"])
    assert Decimal(document["residual"]) == 0
    assert document["requests"][0]["feature"] == SCRIPT_NAME
    assert document["drivers"][factors.NAMES.index("routing")]["segment"]["values"][0][2] == TURNED_NAME


def test_sentences_name_rows_that_exist() -> None:
    rows = {"total", *(why.row_id(line) for line in WEEKS.drivers)}
    for sentence in (why.headline(WEEKS), *why.sentences(WEEKS)):
        assert set(sentence.rows) <= rows
        assert sentence.rows


def test_what_is_within_normal_variation_gets_no_sentence() -> None:
    named = {line.name for line in WEEKS.main_lines}
    assert "routing" in named
    assert "gateway_cache" not in named
    quiet = tuple(replace(line, verdict="within") for line in WEEKS.drivers)
    assert "no driver moved by more than it usually does" in why.headline(replace(WEEKS, drivers=quiet)).text


def test_a_wide_range_is_said() -> None:
    texts = [sentence.text for sentence in why.sentences(WEEKS)]
    assert any("works together with other drivers" in text and text.startswith("Routing") for text in texts)
    assert not any("works together" in text and text.startswith("Prompt length") for text in texts)


amounts = st.lists(st.decimals(-(10**6), 10**6, places=9, allow_nan=False), max_size=30)


@given(amounts)
def test_cents_add_up_to_the_rounded_sum(values: list[Decimal]) -> None:
    rounded = closed(values)
    assert sum(rounded, Decimal(0)) == sum(values, Decimal(0)).quantize(CENT, rounding="ROUND_HALF_EVEN")
    for value, cents in zip(values, rounded, strict=True):
        assert abs(value - cents) < CENT
        assert value or not cents


@pytest.mark.parametrize(
    ("before", "after", "decimals", "shown"),
    [
        ("1500", "0", 2, "+0.01"),
        ("0", "0", 2, "+0.01"),
        ("0.2", "0.99", 4, "+0.0123"),
        ("0.001", "0.002", 6, "+0.012346"),
    ],
)
def test_small_spend_has_more_decimals_than_cents(before: str, after: str, decimals: int, shown: str) -> None:
    small = replace(sample_explanation(Decimal(1500)), before=Decimal(before), after=Decimal(after))
    assert bridge.places(small) == decimals
    assert bridge.amount(Decimal("0.0123456"), bridge.places(small)) == shown
    assert bridge.amount(Decimal("1e-9"), decimals) == f"{0:.{decimals}f}"
