"""The drawing of a reconciliation: it fits, nothing in a name is markup, and words say what figures are."""

import csv
import io
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sample_report import HOSTILE

from infercost.analyze.bill_gaps import CAUSES, Cell, Left, OtherCurrency, Reconciliation, Shift
from infercost.render import gap_words
from infercost.render import reconcile as draw

DAY = date(2026, 11, 2)
BY = ("day", "model", "kind")


def cell(cause: str | None = None, amount: str = "1.5", **changes: Any) -> Cell:
    """Return a cell of ten dollars in the logs whose whole gap is of one cause."""
    told: dict[str, Any] = {
        "day": DAY,
        "seller": "openai",
        "model": "gpt-5.4",
        "kind": "input",
        "billed": Decimal(10) + (Decimal(amount) if cause else 0),
        "ours": Decimal(10),
        "causes": {cause: Decimal(amount)} if cause else {},
        "billed_tokens": 2_000_000,
        "our_tokens": 1_000_000,
        "billed_requests": None,
        "our_requests": 7,
        "tier": "standard instead of batch",
        "is_model_logged": True,
        "is_day_logged": True,
        "is_day_billed": True,
    }
    return Cell(**told | changes)


def found(*cells: Cell, **changes: Any) -> Reconciliation:
    return Reconciliation(first_day=DAY, last_day=DAY, cells=cells, **changes)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_fits_a_terminal_and_is_named(cause: str, width: int) -> None:
    made = found(cell(cause), *(cell(cause, model=name) for name in HOSTILE), shifts=(Shift("openai", 8),))
    text = draw.terminal_text(made, BY, width)

    assert max(map(len, text.splitlines())) <= width
    assert gap_words.LABELS[cause] in text
    assert not any(sign in text for sign in "\x1b\u202e")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (cell("missing", is_day_logged=False), "no logs that day"),
        (cell("missing", our_tokens=0, our_requests=0), "no record of the model that day"),
        (cell("missing", our_tokens=0), "none of this kind in the logs"),
        (cell("missing", quiet_hours=(3, 4, 9)), "no logs 03:00\N{EN DASH}05:00, 09:00\N{EN DASH}10:00"),
        (cell("missing", billed_requests=9), "7 of 9 calls are in the logs"),
        (cell("missing"), "50.0 % of the tokens are in the logs"),
        (cell("extra", is_day_billed=False), "nothing billed that day"),
        (cell("extra", billed_tokens=None), "not on the bill"),
        (cell("tokens"), "1.0 M in the logs, 2.0 M billed, in as many calls"),
        (cell("price", billed=Decimal(18), billed_tokens=2_000_000), "$9 a million instead of $10, -10.0 %"),
        (cell("price", amount="-1", billed_tokens=None), "-10.0 %"),
        (cell("tier"), "standard instead of batch"),
        (cell("bypassed", is_model_logged=False), "never in the logs"),
        (cell("bypassed"), "a key or region that the logs never have"),
    ],
)
def test_details_say_which(made: Cell, said: str) -> None:
    assert gap_words.detail(made.main_cause or "", made) == said


def test_the_headline_has_the_side_the_share_and_the_parts() -> None:
    lower = found(cell("price", "-0.5"), cell("fees", "0.3", model="Web search"))

    assert gap_words.headline(lower).startswith("The bills are $0.20 (1.0 %) lower than the logs: -$0.50 is price")
    assert gap_words.headline(found(cell())) == "The bills and the logs agree: $10.00."
    cancelled = gap_words.headline(found(cell("fees", "1"), cell("price", "-1")))
    assert cancelled.startswith("The bills and the logs agree in sum ($20.00), and differ in parts: ")
    assert "tell quantities and no money" in gap_words.headline(found(cell(billed=None)))


def test_a_gap_of_rounding_alone_is_no_row() -> None:
    made = found(cell("rounding", "0.001"))

    assert gap_words.headline(made) == "The bills are $0.001 (<0.1 %) higher than the logs: rounding."
    assert "1 row without a gap" in draw.markdown_text(made, BY)


def test_names_are_no_markup_in_markdown() -> None:
    text = draw.markdown_text(found(cell("bypassed", model=HOSTILE[0], is_model_logged=False)), BY)

    assert "<script>" not in text.replace(f"`{HOSTILE[0]}`", "")


def test_files_have_every_digit_and_unknown_stays_unknown() -> None:
    made = found(cell("price", "0.000000000001"), cell(billed=None, model="quantities only", billed_tokens=None))
    table = list(csv.DictReader(io.StringIO(draw.csv_text(made, ["model"]))))
    whole = json.loads(draw.json_text(made, ["model"]))

    assert [(row["gap_usd"], row["price_usd"], row["billed_tokens"]) for row in table] == [
        ("0.000000000001", "0.000000000001", "2000000"),
        ("", "", ""),
    ]
    assert [row["gap_usd"] for row in whole["rows"]] == ["0.000000000001", None]
    assert whole["rows"][1]["billed_tokens"] is None


def test_notes_name_what_is_left_out() -> None:
    made = found(
        cell("unexplained"),
        cell(billed=None),
        left_out=(Left("openai", "cost", "openai-costs, grouped by none", 1, 2, Decimal(5)),),
        other_currencies=(OtherCurrency("deepseek", "CNY", 3, Decimal("2.5")),),
        unbilled=(("aws", Decimal(4)),),
    )
    said = "\n".join(gap_words.notes(made))

    for part in (
        "deepseek CNY: 3 lines of 2.5 CNY are not compared",
        "openai-costs, grouped by none of openai (2 lines, $5.00)",
        "without a bill here: aws $4.00",
        "1 row without money in US dollars, 1 of which with other tokens",
        "a usage report of the same days",
    ):
        assert part in said
