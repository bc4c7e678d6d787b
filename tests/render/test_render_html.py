"""The HTML page as text: what it holds, what it must never load, and how it treats hostile names."""

import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import pytest
from sample_report import LONG_NAME, QUOTE_NAME, SCRIPT_NAME, TURNED_NAME, empty_report, sample_report, unpriced_report

from infercost.render import draw
from infercost.render.html import MOST_ROWS, PARTS, TOP_ROWS, render_html

VOID = {"meta", "input", "rect", "line", "br", "link", "img"}
REPORTS = {
    "two weeks": sample_report(),
    "one week": sample_report(compared=False),
    "nothing": empty_report(),
    "nothing priced": unpriced_report(),
}


class Page(HTMLParser):
    """Elements with their attributes, visible text, titles, and the content of scripts; knows unclosed elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            self.scripts.append(data)
        elif "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def titles(self) -> list[str]:
        return [attributes["title"] for _, attributes in self.elements if "title" in attributes]


@cache
def html(name: str) -> str:
    return render_html(REPORTS[name])


@pytest.mark.parametrize("name", REPORTS)
def test_every_element_is_closed_and_ids_are_unique(name: str) -> None:
    page = Page(html(name))
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    pointers = [attributes.get("for") or attributes.get("aria-labelledby") for _, attributes in page.elements]
    assert {pointer for pointer in pointers if pointer} <= set(ids)


@pytest.mark.parametrize("name", REPORTS)
def test_nothing_is_loaded_from_anywhere(name: str) -> None:
    text = html(name)
    for _, attributes in Page(text).elements:
        assert attributes.get("href", "#").startswith("#")
        assert not {"src", "srcset", "data", "action", "background", "poster"} & set(attributes)
    assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest|WebSocket|import\(|\bftp:", text)


def test_the_policy_allows_no_script_and_no_network() -> None:
    policy = next(
        attributes["content"]
        for _, attributes in Page(html("two weeks")).elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["style-src"] == "'unsafe-inline'"
    assert rules["img-src"] == "data:"
    assert not set(rules) & {"script-src", "connect-src", "font-src", "frame-src"}


def test_the_page_says_what_the_report_says() -> None:
    page = Page(html("two weeks"))
    report = REPORTS["two weeks"]
    for expected in (
        report.headline,
        "7 complete days",
        "acme-internal-7b, <b>m</b>",
        "Duplicates removed 25.9 k",
        "Not attributed 2.1 %",
        "Price book 2026-11-20",
        "2 models priced through another name",
        "gpt-4o-latest → openai gpt-4o (alias)",
        "$16,445",
        "By feature",
        "By model",
        "By route",
        "Sun 1 Nov 2026",
        "Sat 14 Nov 2026",
        "$17,104 of $15,000: 114.0 % used",
        "infercost 0.1.0 · report format 1 · store schema 1",
    ):
        assert expected in page.text
    for section in report.sections:
        assert " ".join(section.sql.split()) in page.text


def test_exact_values_are_in_titles() -> None:
    titles = Page(html("two weeks")).titles()
    assert "$7,215.904120".rstrip("0") in titles
    assert "2026-11-08T00:00:00+00:00 to 2026-11-15T00:00:00+00:00, end excluded" in titles
    assert "13,869 of 676,204 attempts" in titles


def test_hostile_names_are_text() -> None:
    page = Page(html("two weeks"))
    assert SCRIPT_NAME in page.text
    assert QUOTE_NAME in page.text
    assert not any(tag in {"img", "b"} or "onerror" in attributes for tag, attributes in page.elements)
    assert "invoice[U+202E]gnp.exe[U+2066]" in page.text
    assert TURNED_NAME not in html("two weeks")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f]", html("two weeks"))
    assert page.scripts == []


def test_long_names_are_cut_in_text_and_title() -> None:
    text = html("two weeks")
    assert LONG_NAME[:500] not in text
    assert "(10,005 characters)" in text
    assert max(map(len, Page(text).titles())) < 1000


def test_hostile_names_everywhere_they_can_be() -> None:
    report = sample_report()
    hostile = replace(
        report,
        headline=SCRIPT_NAME,
        zone="UTC",
        sections=(replace(report.sections[0], title=SCRIPT_NAME, dimensions=(QUOTE_NAME,), sql=SCRIPT_NAME),),
        budgets=(replace(report.budgets[0], name=SCRIPT_NAME, scope=QUOTE_NAME),),
        trust=replace(report.trust, price_books=(SCRIPT_NAME,)),
        daily_sql=SCRIPT_NAME,
    )
    plain, attacked = Page(draw(report, "html")), Page(draw(hostile, "html"))
    assert attacked.open == []
    assert attacked.scripts == plain.scripts == []
    assert attacked.text.count("alert('x')") >= 6


def test_less_saved_is_as_bad_as_more_wasted() -> None:
    text = html("two weeks").split('id="savings"')[1].split("</section>")[0]
    tones = [tone for tone, amount in re.findall(r'class="v (\w*)"[^>]*>([^<]*)', text) if amount[0] in "+-"]
    assert tones == ["up", "up"]
    assert "9,000 tokens read" in text
    alone = html("one week").split('id="savings"')[1].split("</section>")[0]
    assert "Before" not in alone


def test_same_report_same_bytes() -> None:
    assert render_html(sample_report()) == html("two weeks")


def test_a_chart_is_there_when_there_is_something_to_draw() -> None:
    assert html("two weeks").count('class="plot ') == 2 + 3
    assert 'class="plot ' not in html("nothing")
    assert len(html("two weeks")) < 250_000
    assert "There is no priced cost to draw." in Page(html("nothing priced")).text


def test_long_sections_are_folded_and_bounded() -> None:
    report = sample_report()
    rows = tuple(replace(report.sections[1].rows[0], values=(f"row-{number}",)) for number in range(1_000))
    text = render_html(replace(report, sections=(replace(report.sections[0], rows=rows),)))
    assert text.count('role="rowheader"') == MOST_ROWS + len(["beyond", "rest", "total"])
    assert f"{1_000 - TOP_ROWS} others" in text
    assert f"{1_000 - MOST_ROWS} others" in text


def test_without_a_baseline_no_comparison_is_shown() -> None:
    text = Page(html("one week")).text
    assert "Share of cost" in text
    assert "Share of change" not in text.split("How these figures are made")[0]
    assert "Compared with nothing" in text


def test_a_window_of_hours_says_so() -> None:
    report = sample_report()
    hours = replace(
        report,
        current=replace(report.current, days=None),
        baseline=report.baseline and replace(report.baseline, days=None),
    )
    text = Page(render_html(hours)).text
    assert "Cost by hour" in text
    assert "8 Nov 2026 00:00" in text


def test_one_day_is_a_number_and_not_a_line() -> None:
    report = sample_report()
    text = render_html(replace(report, daily=report.daily[:1]))
    assert "One day makes no line" in Page(text).text
    assert "plot " not in text.split("</style>")[1].split("Why spend changed")[0]


def test_large_unknowns_are_said_in_red_above_the_figures() -> None:
    page = Page(html("nothing priced"))
    assert "Read with care. 100.0 % of the attempts have no price" in page.text
    assert any(attributes.get("class") == "fact bad" for _, attributes in page.elements)


def test_every_part_has_its_partial() -> None:
    assert len({part.template for part in PARTS}) == len(PARTS)
    assert all(part.template.endswith(".html") for part in PARTS)
