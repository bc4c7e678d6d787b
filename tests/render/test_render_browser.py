"""The page in headless Chromium, opened from disk: it draws, fits, is quiet, and asks the network for nothing."""

import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from browser import CHROMEDRIVER, CHROMIUM, Browser, browser
from sample_report import empty_report, sample_report, unpriced_report

from infercost.analyze.report import Row
from infercost.render import draw, write_whole

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason="chromium or chromedriver is not installed"),
]

REPORTS = {
    "hostile": sample_report(),
    "single": sample_report(compared=False),
    "nothing": empty_report(),
    "unpriced": unpriced_report(),
}

TOO_WIDE = """
return [...document.querySelectorAll('td, th, dd, p, h1, h2, .tile')].filter(
    e => e.clientWidth && e.scrollWidth > e.clientWidth + 1 && !e.closest('thead')).map(e => e.outerHTML)
"""
"""Elements whose content runs into their neighbours."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as session:
        yield session


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, report in REPORTS.items():
        write_whole(folder / f"{name}.html", draw(report, "html"))
    return {name: folder / f"{name}.html" for name in REPORTS}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 980, 900, 380, 320])
@pytest.mark.parametrize("name", REPORTS)
def test_the_page_fits_is_quiet_and_asks_for_nothing(
    chromium: Browser, pages: dict[str, Path], name: str, width: int, dark: bool, tmp_path: Path
) -> None:
    chromium.open(pages[name], width=width, dark=dark)
    lines = chromium.run("return [...document.querySelectorAll('#daily .plot .line')].map(e => e.getTotalLength())")
    assert len(lines) == {"hostile": 2, "single": 1}.get(name, 0)
    assert all(length > 50 for length in lines)
    assert chromium.run("return document.documentElement.scrollWidth") <= width
    assert chromium.run(TOO_WIDE) == []
    assert chromium.requested() == [pages[name].as_uri()]
    assert chromium.logged("browser") == []
    assert chromium.run("return performance.getEntriesByType('resource').length") == 0
    chromium.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000


def test_millions_of_dollars_fit(chromium: Browser, tmp_path: Path) -> None:
    report = sample_report(hostile=False)

    def times(row: Row) -> Row:
        current = replace(row.current, cost=row.current.cost * 100)
        baseline = row.baseline and replace(row.baseline, cost=row.baseline.cost * 100)
        return replace(row, current=current, baseline=baseline, change=row.change * 100)

    sections = tuple(
        replace(part, rows=tuple(map(times, part.rows)), total=times(part.total)) for part in report.sections
    )
    write_whole(tmp_path / "large.html", draw(replace(report, total=times(report.total), sections=sections), "html"))
    for width in (1200, 980, 380):
        chromium.open(tmp_path / "large.html", width=width)
        assert chromium.run(TOO_WIDE) == []


def test_the_bridge_falls_from_bar_to_bar(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["hostile"], width=1200)
    boxes = "[...document.querySelectorAll('#why .bridge rect:not(.track)')].map(e => e.getBoundingClientRect())"
    bars = chromium.run(f"return {boxes}.map(box => [box.left, box.right])")
    levels = [bars[0][1]]
    for left, right in bars[1:-1]:
        assert min(abs(left - levels[-1]), abs(right - levels[-1])) < 0.5
        levels.append(right if abs(left - levels[-1]) < 0.5 else left)
    assert abs(bars[-1][1] - levels[-1]) < 0.5


def test_a_drill_opens_and_its_numbers_are_those_of_the_report(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["hostile"], width=1200)
    first = "document.querySelector('#drill-feature-1')"
    shown = f"return {first}.querySelector('table').checkVisibility()"
    assert not chromium.run(shown)
    chromium.run(f"{first}.querySelector('summary').click()")
    assert chromium.run(shown)
    cells = "[...row.children].slice(0, 2).map(cell => cell.textContent)"
    rows = chromium.run(f"return [...{first}.querySelectorAll('tbody tr')].map(row => {cells})")
    explanation = REPORTS["hostile"].explanation
    assert explanation is not None
    child = explanation.tables[0].rows[0]
    titles = {line.title: line.name for line in explanation.drivers}
    found = {titles[title]: Decimal(text.replace(",", "")) for title, text in rows[1:]}
    assert Decimal(rows[0][1].replace(",", "")) == round(child.before, 2)
    assert found.keys() == {name for name, effect in child.effects.items() if round(effect, 2)}
    assert all(abs(found[name] - child.effects[name]) <= Decimal("0.01") for name in found)


def test_the_policy_stops_a_request_that_a_script_tries(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["hostile"], width=1200)
    answer = chromium.run("return fetch('http://127.0.0.1:9/').then(() => 'sent', error => error.name)")
    assert answer == "TypeError"
    assert any("Content Security Policy" in entry["message"] for entry in chromium.logged("browser"))


def test_a_hover_names_both_days_and_amounts(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["hostile"], width=1200)
    chromium.run("document.querySelectorAll('#daily .hit')[1].scrollIntoView({block: 'center'})")
    hit = "document.querySelectorAll('#daily .hit')[1].getBoundingClientRect()"
    box = chromium.run(f"return [{hit}.x, {hit}.y]")
    place = {"type": "mouseMoved", "x": box[0] + 5, "y": box[1] + 60, "pointerType": "mouse"}
    chromium.command("Input.dispatchMouseEvent", place)
    time.sleep(0.2)
    texts = "return [...document.querySelectorAll('.tip')].filter(e => e.getClientRects().length).map(e => e.innerText)"
    (text,) = chromium.run(texts)
    assert text.splitlines()[:2] == ["Mon 9 Nov 2026: $1,890", "Such a time in the baseline: $1,750"]


def test_rows_on_demand_open_with_the_keyboard(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["hostile"], width=1200)
    shown = "return [...document.querySelectorAll('#section-1 tbody tr')].filter(e => e.getClientRects().length).length"
    before = chromium.run(shown)
    chromium.run("document.getElementById('section-1-all').focus()")
    for kind in ("keyDown", "keyUp"):
        chromium.command("Input.dispatchKeyEvent", {"type": kind, "key": " ", "code": "Space", "text": " "})
    rows = len(REPORTS["hostile"].sections[0].rows)
    assert (before, chromium.run(shown)) == (11, rows)


def test_without_scripts_every_number_is_there(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["hostile"], width=380, scripts=False)
    document = chromium.command("DOM.getDocument", {"depth": -1})["root"]["nodeId"]
    text = chromium.command("DOM.getOuterHTML", {"nodeId": document})["outerHTML"]
    assert "Sat 14 Nov 2026" in text
    assert "<script" not in text


def test_it_prints(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["hostile"], width=1200, dark=True)
    printed = chromium.command("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.7})
    assert len(printed["data"]) > 50_000
    assert chromium.logged("browser") == []


def test_no_chart_is_cut_on_paper_and_no_sum_stands_before_its_rows(chromium: Browser, pages: dict[str, Path]) -> None:
    # The width of A4 within its margins.
    chromium.open(pages["hostile"], width=718)
    chromium.command("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert chromium.run(TOO_WIDE) == []
        styles = "[...document.querySelectorAll('{}')].map(e => getComputedStyle(e).{})"
        kept = chromium.run(f"return {styles.format('.chart, .signal, .budget', 'breakInside')}")
        assert len(kept) >= 6
        assert set(kept) == {"avoid"}
        assert set(chromium.run(f"return {styles.format('tfoot', 'display')}")) == {"table-row-group"}
        assert not chromium.run("return document.querySelector('#drill').checkVisibility()")
        assert chromium.run("return [...document.querySelectorAll('.hit')].every(e => !e.checkVisibility())")
    finally:
        chromium.command("Emulation.setEmulatedMedia", {"media": ""})


def test_the_signals_of_the_page_are_those_of_the_report(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["hostile"], width=1200)
    figures = "[...document.querySelectorAll('#signals .signal')]"
    report = REPORTS["hostile"]
    shown = chromium.run(f"return {figures}.map(e => [e.querySelector('.big').textContent.trim(), e.className])")
    assert [text for text, _ in shown] == ["43.0 %", "17.2 k tokens", "0.31 tokens/s"]
    assert ["bad" in kind for _, kind in shown] == [bool(each.outside) for each in report.signals]
    # The line leaves the band where the report says so: on the third day, above its top.
    shapes = f"[...{figures}[0].querySelectorAll('.area.band, .line.now')].map(e => e.getBBox())"
    heights = chromium.run(f"return {shapes}.map(box => [box.y, box.height])")
    (band_top, band_height), (line_top, line_height) = heights
    assert line_top < band_top < band_top + band_height
    assert line_top + line_height > band_top
