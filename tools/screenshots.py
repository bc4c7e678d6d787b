"""Takes pictures of a report: the one in README.md, and whole pages at two widths to look at.

    PYTHONPATH=tests/render python tools/screenshots.py build/report.html

Writes docs/images/report.png, and page-1200.png, page-380.png and page-1200-dark.png beside the report.
"""

import sys
from pathlib import Path

from browser import browser

SHOWN = Path(__file__).parents[1] / "docs" / "images" / "report.png"
SHOWN_HEIGHT = 1900


def main() -> None:
    report = Path(sys.argv[1])
    with browser() as session:
        for width, dark in ((1200, False), (380, False), (1200, True)):
            session.open(report, width=width, dark=dark)
            session.screenshot(report.parent / f"page-{width}{'-dark' if dark else ''}.png")
        session.open(report, width=1200)
        session.screenshot(SHOWN, SHOWN_HEIGHT)


if __name__ == "__main__":
    main()
