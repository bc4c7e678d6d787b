"""Turns `--since`, `--until` and `--compare` into half-open windows; pure, because the caller passes the present in.

Days and clock times are those of the configured zone, so a day may last 23 or 25 hours. Differences are taken in UTC:
Python compares two moments of one zone by their clocks, which is wrong in the hour that is repeated.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from infercost.analyze.report import Window
from infercost.errors import UsageError

_SPAN = re.compile(r"(?P<count>\d{1,6})\s*(?P<unit>[hdw])", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

SINCE_FORMS = "30d, 2w, 12h, a date such as 2026-11-01, or a time such as 2026-11-01T06:00"
MOMENT_FORMS = "a date such as 2026-11-01, or a time such as 2026-11-01T06:00"
UNTIL_FORMS = (
    "a date such as 2026-11-18 (that whole day is in) or a time such as 2026-11-18T06:00 (the first moment out)"
)
EXPLAIN_FORMS = (
    "previous, a span directly before the window such as 4w or 28d, or the start of a window of the same length"
)
SHORT_DAYS = 4
"""A window of fewer days is followed by the hour, a longer one by the day."""

COMPARE_FORMS = "previous, none, or the start of a window of the same length: a date or a time"


def resolve_window(since: str, until: str | None, now: datetime, zone: str) -> Window:
    """Return the window that `--since` and `--until` mean at `now` (aware), in the IANA zone `zone`.

    Days and weeks, and a date as `since`, make a window of complete days: it ends where today starts. Hours make a
    window of complete hours: it ends where the running hour starts. A time as `since` ends now. `until` as a date takes
    that whole day in, as a time it is the first moment left out. Raises UsageError with what is allowed.
    """
    local = ZoneInfo(zone)
    end = _default_end(since, now, local) if until is None else _until(until, local)
    start = _start(since, end, local)
    if _utc(start) >= _utc(end):
        raise UsageError(_empty(since, until, start, end), hint=_empty_hint(until))
    return _window(start, end)


def baseline_window(window: Window, compare: str, allowed: str = COMPARE_FORMS) -> Window | None:
    """Return the window to compare `window` with: `previous` (as long, directly before), `none`, or one from a start.

    A window of days is compared with as many days, any other with the same time elapsed. Raises UsageError when
    `compare` cannot be read (the hint says what is `allowed`), or when both windows would share a moment.
    """
    local = zone_of(window)
    if compare == "none":
        return None
    if compare == "previous":
        if window.days is None:
            return _window(_elapsed(window.start, _utc(window.start) - _utc(window.end)), window.start)
        return _window(start_of_day(window.start.date() - timedelta(days=window.days), local), window.start)
    start = _moment(compare, local, "--compare", allowed)
    if window.days is not None and _is_day_start(start):
        baseline = _window(start, start_of_day(start.date() + timedelta(days=window.days), local))
    else:
        baseline = _window(start, _elapsed(start, _utc(window.end) - _utc(window.start)))
    if _utc(baseline.start) < _utc(window.end) and _utc(window.start) < _utc(baseline.end):
        raise UsageError(
            f"--compare {compare}: that window ends at {_shown(baseline.end)} and shares time with the one from "
            f"{_shown(window.start)}",
            hint="choose an earlier start, or --compare previous",
        )
    return baseline


def bucket_unit(window: Window) -> str:
    """Return whether a window is followed by the `day` or by the `hour`."""
    return "day" if window.days is not None and window.days >= SHORT_DAYS else "hour"


def explained_baseline(window: Window, compare: str) -> Window | None:
    """Return the window to explain `window` against: as `baseline_window`, or a span such as `4w` directly before it.

    Windows of other lengths can be explained, because their hours are matched. Raises UsageError as it does.
    """
    if _SPAN.fullmatch(compare.strip()):
        return _window(_start(compare, window.start, zone_of(window)), window.start)
    return baseline_window(window, compare, EXPLAIN_FORMS)


def period_window(moment: datetime, period: str, zone: str) -> Window:
    """Return the day, week (from Monday) or calendar month of `zone` that holds `moment` (aware)."""
    local = ZoneInfo(zone)
    today = moment.astimezone(local).date()
    if period == "month":
        first = today.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    else:
        first = today - timedelta(days=today.weekday() if period == "week" else 0)
        after = first + timedelta(days=7 if period == "week" else 1)
    return _window(start_of_day(first, local), start_of_day(after, local))


def counted_window(moment: datetime, days: int, starts: date, zone: str) -> Window:
    """Return the period of `days` days of `zone`, counted from the day `starts`, that holds `moment` (aware)."""
    local = ZoneInfo(zone)
    gone = (moment.astimezone(local).date() - starts).days // days
    first = starts + timedelta(days=gone * days)
    return _window(start_of_day(first, local), start_of_day(first + timedelta(days=days), local))


def moment(text: str, zone: str, flag: str) -> datetime:
    """Return what a date (its first moment in `zone`) or a time means; raises UsageError that names `flag`."""
    return _moment(text, ZoneInfo(zone), flag, MOMENT_FORMS)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of `day` in `zone`, which is not midnight where clocks are put forward at midnight."""
    return datetime.combine(day, time.min, zone).astimezone(UTC).astimezone(zone)


def start_of_hour(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the start of the hour of `zone`'s clock that holds `moment` (aware)."""
    local = moment.astimezone(zone)
    return _elapsed(local, -timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond))


def zone_of(window: Window) -> ZoneInfo:
    """Return the zone in which the window was cut."""
    zone = window.start.tzinfo
    if not isinstance(zone, ZoneInfo):
        raise UsageError(f"a window needs a named zone, not {zone}")
    return zone


def _default_end(since: str, now: datetime, zone: ZoneInfo) -> datetime:
    span = _SPAN.fullmatch(since.strip())
    if span and span["unit"].lower() == "h":
        return start_of_hour(now, zone)
    if span or _DATE.fullmatch(since.strip()):
        return start_of_day(now.astimezone(zone).date(), zone)
    return now.astimezone(zone).replace(microsecond=0)


def _until(until: str, zone: ZoneInfo) -> datetime:
    end = _moment(until, zone, "--until", UNTIL_FORMS)
    if _DATE.fullmatch(until.strip()):
        return start_of_day(end.date() + timedelta(days=1), zone)
    return end


def _start(since: str, end: datetime, zone: ZoneInfo) -> datetime:
    span = _SPAN.fullmatch(since.strip())
    if span is None:
        return _moment(since, zone, "--since", SINCE_FORMS)
    count, unit = int(span["count"]), span["unit"].lower()
    if count == 0:
        raise UsageError(f"--since {since}: a window of nothing", hint=f"allowed: {SINCE_FORMS}")
    try:
        if unit == "h":
            return _elapsed(end, -timedelta(hours=count))
        days = timedelta(days=count * (7 if unit == "w" else 1))
        if _is_day_start(end):
            return start_of_day(end.date() - days, zone)
        return (end - days).astimezone(UTC).astimezone(zone)
    except OverflowError as error:
        raise UsageError(f"--since {since} reaches back before the calendar starts") from error


def _moment(text: str, zone: ZoneInfo, flag: str, allowed: str) -> datetime:
    """Return a date (its first moment) or a time as a moment in `zone`; a time without a zone is on `zone`'s clock."""
    try:
        if _DATE.fullmatch(text.strip()):
            return start_of_day(date.fromisoformat(text.strip()), zone)
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC).astimezone(zone)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{flag} {text}: not understood", hint=f"allowed: {allowed}") from error


def _window(start: datetime, end: datetime) -> Window:
    whole = _is_day_start(start) and _is_day_start(end)
    return Window(start=start, end=end, days=(end.date() - start.date()).days if whole else None)


def _is_day_start(moment: datetime) -> bool:
    zone = moment.tzinfo
    return isinstance(zone, ZoneInfo) and _utc(moment) == _utc(start_of_day(moment.date(), zone))


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _elapsed(moment: datetime, delta: timedelta) -> datetime:
    """Return the moment `delta` of real time later, on the same zone's clock."""
    return (_utc(moment) + delta).astimezone(moment.tzinfo)


def _shown(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="minutes")


def _empty(since: str, until: str | None, start: datetime, end: datetime) -> str:
    asked = f"--since {since}" + (f" --until {until}" if until else "")
    return f"{asked}: the window would start at {_shown(start)} and end at {_shown(end)}, which holds nothing"


def _empty_hint(until: str | None) -> str:
    if until is None:
        return "a window ends at the last complete day (or hour); use --since 12h for today, or name an --until"
    return f"--until must be later than --since; allowed: {UNTIL_FORMS}"
