"""Markdown, terminal and JSON against golden files, and what must hold for any report.

Golden files are made again with `pytest tests/render --snapshot-update`, and read before they are kept.
"""

import dataclasses
import io
import json
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from golden import TextFile
from rich.console import Console
from sample_report import HOSTILE, QUOTE_NAME, SCRIPT_NAME, TURNED_NAME, empty_report, sample_report, unpriced_report
from syrupy.assertion import SnapshotAssertion

from infercost import __version__
from infercost.analyze.explanation import Explanation
from infercost.analyze.report import REPORT_FORMAT_VERSION, Report, Section
from infercost.render import FORMATS, draw
from infercost.render.escapes import code, escape
from infercost.render.json import report_to_dict
from infercost.render.markdown import MOST_LINES
from infercost.render.terminal import render_terminal, spark

REPORTS = {
    "two weeks": sample_report(),
    "one week": sample_report(compared=False),
    "nothing": empty_report(),
    "nothing priced": unpriced_report(),
}


@pytest.fixture
def golden(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(TextFile)


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("format_name", ["markdown", "terminal"])
def test_drawn_as_in_the_golden_file(format_name: str, name: str, golden: SnapshotAssertion) -> None:
    assert draw(REPORTS[name], format_name) == golden


def test_json_as_in_the_golden_file(golden: SnapshotAssertion) -> None:
    assert draw(sample_report(hostile=False), "json") == golden


def test_html_as_in_the_golden_file(golden: SnapshotAssertion) -> None:
    page = draw(sample_report(hostile=False), "html")
    # How it looks is seen in a browser; what it says is held here.
    assert page[page.index("<body>") :].replace(f"infercost {__version__}", "infercost VERSION") == golden


@pytest.mark.parametrize("format_name", [name for name in FORMATS if name != "html"])
def test_same_report_same_text_with_a_newline_at_the_end(format_name: str) -> None:
    first, second = draw(sample_report(), format_name), draw(sample_report(), format_name)
    assert first == second
    assert first.endswith("\n")
    assert not first.endswith("\n\n")


def rebuild(kind: Any, value: Any) -> Any:
    """Read a value of the JSON report back as the type that the dataclass declares."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind, localns={"Explanation": Explanation})
        fields: dict[str, Any] = {name: rebuild(hints[name], item) for name, item in value.items()}
        return typing.cast("Any", kind)(**fields)
    if isinstance(kind, types.UnionType):
        return None if value is None else rebuild(typing.get_args(kind)[0], value)
    if typing.get_origin(kind) is Mapping:
        return {name: rebuild(typing.get_args(kind)[1], item) for name, item in value.items()}
    if typing.get_origin(kind) is tuple:
        return tuple(rebuild(typing.get_args(kind)[0], item) for item in value)
    if kind in (datetime, date):
        return kind.fromisoformat(value)
    return Decimal(value) if kind is Decimal else value


@pytest.mark.parametrize("name", REPORTS)
def test_json_holds_the_whole_report(name: str) -> None:
    data = json.loads(draw(REPORTS[name], "json"))
    assert data["format_version"] == REPORT_FORMAT_VERSION
    assert rebuild(Report, data) == REPORTS[name]


def test_json_money_is_text_without_exponent() -> None:
    report = sample_report()
    tiny = replace(report.total, change=Decimal("1E-12"))
    assert report_to_dict(replace(report, total=tiny))["total"]["change"] == "0.000000000001"


def first_names(report: Report, names: tuple[str, ...]) -> Report:
    """Give the largest rows of the first section the names."""
    section = report.sections[0]
    rows = [replace(row, values=(name,)) for row, name in zip(section.rows, names, strict=False)]
    changed = replace(section, rows=(*rows, *section.rows[len(rows) :]))
    return replace(report, sections=(changed, *report.sections[1:]))


def test_hostile_names_stay_in_their_markdown_cell() -> None:
    # Without an explanation there is room for more rows.
    report = replace(sample_report(), explanation=None)
    text = draw(first_names(report, (*HOSTILE, "@everyone [x](javascript:1)")), "markdown")
    table = [line for line in text.splitlines() if line.startswith("| `")]
    for line in table:  # six cells, and what is left and right of the outer pipes
        assert len(re.split(r"(?<!\\)\|", line)) == 8
    assert f"| `{SCRIPT_NAME}` |" in text
    assert "| `@everyone [x](javascript:1)` |" in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200f\x1b]", text)


def test_markdown_escapes() -> None:
    assert code("a|b") == r"`a\|b`"
    assert code(r"a\|b") == "`a\\\N{BROKEN BAR}b`"
    assert code("`a`") == "`` `a` ``"
    assert escape("*a* <b> [c](d) ~e~ #1") == r"\*a\* \<b\> \[c\](d) \~e\~ \#1"
    assert "@\u200bteam" in escape("ping @team")


@pytest.mark.parametrize("sections", [0, 1, 3, 7, 12, 40])
def test_markdown_fits_a_message(sections: int) -> None:
    report = sample_report()
    many: tuple[Section, ...] = tuple(report.sections[number % 3] for number in range(sections))
    trust = replace(report.trust, unpriced_attempts=400_000, no_usage_attempts=400_000, rejected=300_000)
    text = draw(replace(report, sections=many, trust=trust), "markdown")
    assert len(text.splitlines()) <= MOST_LINES < 60
    assert text.count("**Total**") <= sections
    if sections == 40:
        assert "more tables in the HTML report" in text


@pytest.mark.parametrize("name", REPORTS)
def test_terminal_fits_80_columns_without_control_characters(name: str) -> None:
    text = draw(
        first_names(REPORTS[name], (*HOSTILE, "[bold red]x[/]")) if name != "nothing" else REPORTS[name], "terminal"
    )
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", text)


def test_terminal_prints_names_as_they_are_not_as_markup() -> None:
    text = draw(first_names(sample_report(), ("[bold red]x[/]", QUOTE_NAME, TURNED_NAME)), "terminal")
    assert "[bold red]x[/]" in text
    assert "\"'><img src=x" in text


def test_terminal_has_colours_only_where_the_console_has() -> None:
    drawn = {}
    for system in ("truecolor", None):
        file = io.StringIO()
        colours: Any = system
        render_terminal(
            sample_report(), Console(file=file, width=80, color_system=colours, force_terminal=bool(system))
        )
        drawn[system] = file.getvalue()
    assert "\x1b[" in drawn["truecolor"]
    assert "\x1b[" not in drawn[None]


def test_sparks_share_a_scale_and_long_windows_are_averaged() -> None:
    largest = Decimal(8)
    assert spark([Decimal(0), Decimal(4), Decimal(8), None], largest) == "▁▅█ "
    assert spark([Decimal(0)] * 3, Decimal(0)) == "▁▁▁"
    assert len(spark([Decimal(1)] * 365, largest)) <= 40
