"""Numbers, times and names for people: short text to read; the exact value goes to a title or to JSON.

Every function is pure. Unknown (None) is drawn as `UNKNOWN`, never as 0.
"""

import unicodedata
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

EN_DASH = "\N{EN DASH}"
"""Between the ends of a range."""

UNKNOWN = EN_DASH
"""What is drawn where a value is not known."""

NAME_LENGTH = 56
"""Characters of a name from the logs that a table shows."""

FULL_NAME_LENGTH = 400
"""Characters of a name that a title shows; only JSON carries longer names whole."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_COUNT_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
_SMALLEST_PLACES = 6
_JOINERS = "\u200c\u200d"


def dollars(value: Decimal | None, *, signed: bool = False) -> str:
    """Return US dollars with as many digits as a reader needs: `$1,234`, `$12.35`, `$0.0042`, `-$3`."""
    if value is None:
        return UNKNOWN
    return money(value, _places(value), signed=signed)


def money(value: Decimal | None, places: int, *, signed: bool = False) -> str:
    """Return US dollars with `places` decimals, so that a column lines up; what rounds to nothing is `<$0.01`."""
    if value is None:
        return UNKNOWN
    size = f"{abs(value):,.{places}f}"
    if value and not Decimal(size.replace(",", "")):
        return f"{_sign(value, signed=signed)}<${Decimal(1).scaleb(-places):f}"
    return f"{_sign(value, signed=signed)}${size}"


def column_places(largest: Decimal) -> int:
    """Return the decimals of a column of dollars whose largest absolute value is `largest`."""
    size = abs(largest)
    if size >= 1000 or not size:
        return 0
    if size >= 1:
        return 2
    return 4 if size >= Decimal("0.01") else _SMALLEST_PLACES


def exact_dollars(value: Decimal | None, *, signed: bool = False) -> str:
    """Return every digit of an amount, with at least two decimals: `$1,234.567890123456`."""
    if value is None:
        return "unknown"
    whole, _, fraction = f"{abs(value):,f}".partition(".")
    return f"{_sign(value, signed=signed)}${whole}.{fraction.rstrip('0').ljust(2, '0')}"


def _places(value: Decimal) -> int:
    """Return the decimals that show cents of a middling amount and three significant digits of a small one."""
    size = abs(value)
    if size >= Decimal("99.995") or size == size.to_integral_value():
        return 0
    if size >= Decimal("0.9995"):
        return 2
    short = f"{size:.{min(_SMALLEST_PLACES, 2 - size.adjusted())}f}".rstrip("0")
    return max(2, len(short) - 2) if Decimal(short) else _SMALLEST_PLACES


def _sign(value: Decimal | float, *, signed: bool) -> str:
    if value < 0:
        return "-"
    return "+" if signed and value > 0 else ""


def percent(ratio: float | None, *, signed: bool = False) -> str:
    """Return a ratio in percent with one decimal: 0.1234 is `12.3 %`, or `+12.3 %` when signed."""
    if ratio is None:
        return UNKNOWN
    size = abs(ratio) * 100
    sign = _sign(ratio, signed=signed)
    if 0 < size < 0.05:
        return f"{sign}<0.1 %"
    return f"{sign}{size:,.0f} %" if size >= 999.95 else f"{sign}{size:.1f} %"


def exact_percent(ratio: float | None) -> str:
    """Return a ratio in percent with its digits: 0.1234567 is `12.34567 %`."""
    return "unknown" if ratio is None else f"{ratio * 100:,.10g} %"


def count(value: int | None) -> str:
    """Return a count: whole up to 9,999, then three digits and a unit: `12.3 k`, `4.2 M`, `1.5 B`."""
    if value is None:
        return UNKNOWN
    if abs(value) < 10_000:
        return f"{value:,}"
    for size, unit in _COUNT_UNITS:
        if abs(value) >= size * 0.99995:
            return f"{value / size:,.1f} {unit}"
    return f"{value:,}"


def exact_count(value: int | None) -> str:
    """Return a count with every digit: `4,200,123`."""
    return "unknown" if value is None else f"{value:,}"


def ratio(value: float, *, places: int = 2) -> str:
    """Return a plain number such as attempts per request: `1.04`."""
    return f"{value:,.{places}f}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 model`, `12 models`, `12.3 k attempts`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


@cache
def zone(name: str) -> tzinfo:
    """Return the time zone `name` (IANA); UTC needs no zone data on the machine."""
    return UTC if name == "UTC" else ZoneInfo(name)


def day(value: date, *, weekday: bool = False) -> str:
    """Return a day: `8 Nov 2026`, or `Sun 8 Nov 2026`."""
    text = f"{value.day} {_MONTHS[value.month - 1]} {value.year}"
    return f"{_WEEKDAYS[value.weekday()]} {text}" if weekday else text


def short_day(value: date) -> str:
    """Return a day without its year: `8 Nov`."""
    return f"{value.day} {_MONTHS[value.month - 1]}"


def moment(value: datetime, zone_name: str) -> str:
    """Return a time to the minute in the zone: `8 Nov 2026 14:05`."""
    local = value.astimezone(zone(zone_name))
    return f"{day(local)} {local:%H:%M}"


def span(start: datetime, end: datetime, zone_name: str, *, whole_days: bool) -> str:
    """Return the half-open window [start, end): `8-14 Nov 2026` (last day included), or with times.

    The dash is an en dash, as typeset for ranges.
    """
    first = start.astimezone(zone(zone_name))
    last = (end - timedelta(microseconds=1) if whole_days else end).astimezone(zone(zone_name))
    if not whole_days:
        until = f"{last:%H:%M}" if first.date() == last.date() else f"{day(last)} {last:%H:%M}"
        return f"{day(first)} {first:%H:%M} {EN_DASH} {until}"
    return day_span(first.date(), last.date())


def day_span(first: date, last: date) -> str:
    """Return two days and what lies between them, both included: `8-14 Nov 2026`, with an en dash."""
    if first == last:
        return day(first)
    if first.year != last.year:
        return f"{day(first)} {EN_DASH} {day(last)}"
    if first.month != last.month:
        return f"{short_day(first)} {EN_DASH} {day(last)}"
    return f"{first.day}{EN_DASH}{day(last)}"


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units: `2 h 5 min`, `3 d`, `0.8 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if number]
    return " ".join(parts[:2])


def name(value: str, length: int = NAME_LENGTH) -> str:
    """Return a name from the logs, made visible and cut: no control, direction or line characters, `length` at most."""
    text = clean(value[: length + 1])
    if not text.strip():
        return "(empty)"
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def full_name(value: str) -> str:
    """Return a name for a title: as `name`, but longer, and it says how much was cut."""
    if len(value) <= FULL_NAME_LENGTH:
        return name(value, FULL_NAME_LENGTH)
    return f"{name(value, FULL_NAME_LENGTH)} ({len(value):,} characters)"


def clean(text: str) -> str:
    """Return `text` with every character that could move, hide or reorder its neighbours written as `U+XXXX`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character in _JOINERS:
        return character
    category = unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp"} and character.isspace():
        return " "
    return f"[U+{ord(character):04X}]" if category in {"Cc", "Cf", "Cs", "Zl", "Zp"} else character
