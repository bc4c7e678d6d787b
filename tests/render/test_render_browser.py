"""The page in headless Chromium, opened from disk: it draws, fits, is quiet, and asks the network for nothing."""

import time
from collections.abc import Iterator
from dataclasses import replace
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
    charts = chromium.run("return document.querySelectorAll('[data-chart] .main-svg').length")
    assert (charts > 0) == (name in {"hostile", "single"})
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


def test_the_policy_stops_a_request_that_a_script_tries(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["hostile"], width=1200)
    answer = chromium.run("return fetch('http://127.0.0.1:9/').then(() => 'sent', error => error.name)")
    assert answer == "TypeError"
    assert any("Content Security Policy" in entry["message"] for entry in chromium.logged("browser"))


def test_a_hover_names_both_days_and_amounts(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["hostile"], width=1200)
    chromium.run("document.querySelector('.nsewdrag').scrollIntoView({block: 'center'})")
    box = chromium.run("const b = document.querySelector('.nsewdrag').getBoundingClientRect(); return [b.x, b.y]")
    for step in (100, 120, 140):
        place = {"type": "mouseMoved", "x": box[0] + step, "y": box[1] + 60, "pointerType": "mouse"}
        chromium.command("Input.dispatchMouseEvent", place)
        time.sleep(0.1)
    text = chromium.run("return document.querySelector('.hoverlayer').textContent")
    assert "Nov 2026  $1,8" in text
    assert "Nov 2026  $1,7" in text


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
    assert "The chart needs JavaScript" in text
    assert "Sat 14 Nov 2026" in text
    assert "main-svg" not in text.split("<script>")[0] + text.split("</main>")[0].rsplit("</script>", 1)[-1]


def test_it_prints(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["hostile"], width=1200, dark=True)
    printed = chromium.command("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.7})
    assert len(printed["data"]) > 50_000
    assert chromium.logged("browser") == []
