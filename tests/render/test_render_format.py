"""Numbers, times and names as people read them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from infercost.render import format as fmt

DASH = fmt.EN_DASH


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1234.4", "$1,234"),
        ("1234567.8", "$1,234,568"),
        ("12.345", "$12.34"),
        ("12.355", "$12.36"),
        ("99.996", "$100"),
        ("-3", "-$3"),
        ("3", "$3"),
        ("0.5", "$0.50"),
        ("0.421", "$0.421"),
        ("0.99996", "$1.00"),
        ("0.0042", "$0.0042"),
        ("0.05123", "$0.0512"),
        ("0.000012", "$0.000012"),
        ("0.0000001", "<$0.000001"),
        ("-0.0000001", "-<$0.000001"),
        ("0", "$0"),
        ("0E-12", "$0"),
        ("-0.00", "$0"),
    ],
)
def test_dollars_have_the_digits_a_reader_needs(value: str, text: str) -> None:
    assert fmt.dollars(Decimal(value)) == text


def test_signed_dollars_show_a_rise_and_leave_zero_alone() -> None:
    assert fmt.dollars(Decimal("1234"), signed=True) == "+$1,234"
    assert fmt.dollars(Decimal("-1234"), signed=True) == "-$1,234"
    assert fmt.dollars(Decimal(0), signed=True) == "$0"
    assert fmt.dollars(None) == fmt.UNKNOWN


def test_a_column_of_dollars_lines_up_and_never_rounds_something_to_nothing() -> None:
    places = fmt.column_places(Decimal("41.2"))
    assert [fmt.money(Decimal(value), places) for value in ("41.2", "3", "0.004", "0")] == [
        "$41.20",
        "$3.00",
        "<$0.01",
        "$0.00",
    ]
    assert fmt.column_places(Decimal(2000)) == 0
    assert fmt.column_places(Decimal("0.5")) == 4
    assert fmt.column_places(Decimal("0.0005")) == 6
    assert fmt.money(Decimal("0.4"), 0) == "<$1"


def test_exact_dollars_keep_every_digit() -> None:
    assert fmt.exact_dollars(Decimal("1234.567890123456")) == "$1,234.567890123456"
    assert fmt.exact_dollars(Decimal("3")) == "$3.00"
    assert fmt.exact_dollars(Decimal("1E-12")) == "$0.000000000001"
    assert fmt.exact_dollars(Decimal("-0.5"), signed=True) == "-$0.50"
    assert fmt.exact_dollars(None) == "unknown"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.1234, "+12.3 %"),
        (-0.05, "-5.0 %"),
        (0.0, "0.0 %"),
        (0.0001, "+<0.1 %"),
        (-0.0001, "-<0.1 %"),
        (9.9994, "+999.9 %"),
        (9.9996, "+1,000 %"),
        (None, fmt.UNKNOWN),
    ],
)
def test_percent(ratio: float | None, text: str) -> None:
    assert fmt.percent(ratio, signed=True) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10.0 k"),
        (999_949, "999.9 k"),
        (999_950, "1.0 M"),
        (4_200_123, "4.2 M"),
        (1_500_000_000, "1.5 B"),
        (-15_394, "-15.4 k"),
        (None, fmt.UNKNOWN),
    ],
)
def test_count(value: int | None, text: str) -> None:
    assert fmt.count(value) == text


def test_windows_name_their_last_day_in_the_zone() -> None:
    start, end = datetime(2026, 11, 8, tzinfo=UTC), datetime(2026, 11, 15, tzinfo=UTC)
    assert fmt.span(start, end, "UTC", whole_days=True) == f"8{DASH}14 Nov 2026"
    assert fmt.span(start, start.replace(day=9), "UTC", whole_days=True) == "8 Nov 2026"
    before = datetime(2026, 10, 28, tzinfo=UTC)
    assert fmt.span(before, start, "UTC", whole_days=True) == f"28 Oct {DASH} 7 Nov 2026"
    berlin = fmt.span(
        datetime(2025, 12, 30, 23, tzinfo=UTC), datetime(2026, 1, 1, 23, tzinfo=UTC), "Europe/Berlin", whole_days=True
    )
    assert berlin == f"31 Dec 2025 {DASH} 1 Jan 2026"


def test_windows_of_hours_name_their_times() -> None:
    start = datetime(2026, 11, 14, 9, tzinfo=UTC)
    assert fmt.span(start, start.replace(hour=21), "UTC", whole_days=False) == f"14 Nov 2026 09:00 {DASH} 21:00"
    until = f"14 Nov 2026 09:00 {DASH} 15 Nov 2026 09:00"
    assert fmt.span(start, start.replace(day=15), "UTC", whole_days=False) == until


def test_days_moments_and_durations() -> None:
    assert fmt.day(date(2026, 11, 8), weekday=True) == "Sun 8 Nov 2026"
    assert fmt.moment(datetime(2026, 11, 8, 23, 5, tzinfo=UTC), "Asia/Tokyo") == "9 Nov 2026 08:05"
    lengths = [fmt.duration(seconds) for seconds in (0.84, 90, 7_500, 43_200, 90_000, 604_800)]
    assert lengths == ["0.8 s", "2 min", "2 h 5 min", "12 h", "1 d 1 h", "7 d"]


def test_names_show_what_would_hide_or_move() -> None:
    assert fmt.name("a\u202eb\x1b[31m\u2066") == "a[U+202E]b[U+001B][31m[U+2066]"
    assert fmt.name("two\nlines\tand a tab") == "two lines and a tab"
    assert fmt.name("\ud800") == "[U+D800]"
    assert fmt.name("  ") == "(empty)"
    assert fmt.name("Grüße 東京 👩\u200d💻") == "Grüße 東京 👩\u200d💻"


def test_long_names_are_cut_and_the_title_says_so() -> None:
    assert fmt.name("x" * 10_000) == "x" * (fmt.NAME_LENGTH - 1) + "…"
    assert fmt.full_name("x" * 10_000).endswith("… (10,000 characters)")
    assert len(fmt.full_name("\u202e" * 10_000)) < 10 * fmt.FULL_NAME_LENGTH
    assert fmt.full_name("short") == "short"
