"""Windows are made of complete days and hours of the configured zone, also on the days that clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infercost.analyze.windows import baseline_window, counted_window, period_window, resolve_window, start_of_day
from infercost.errors import UsageError

NOW = datetime(2026, 11, 18, 14, 25, 30, 500, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "zone", "start", "end", "days"),
    [
        ("30d", None, "UTC", "2026-10-19T00:00", "2026-11-18T00:00", 30),
        ("2w", None, "UTC", "2026-11-04T00:00", "2026-11-18T00:00", 14),
        ("1D", None, "UTC", "2026-11-17T00:00", "2026-11-18T00:00", 1),
        ("12h", None, "UTC", "2026-11-18T02:00", "2026-11-18T14:00", None),
        ("14h", None, "UTC", "2026-11-18T00:00", "2026-11-18T14:00", None),
        ("2026-11-01", None, "UTC", "2026-11-01T00:00", "2026-11-18T00:00", 17),
        ("2026-11-01", "2026-11-10", "UTC", "2026-11-01T00:00", "2026-11-11T00:00", 10),
        ("7d", "2026-11-10", "UTC", "2026-11-04T00:00", "2026-11-11T00:00", 7),
        ("7d", "2026-11-10T00:00", "UTC", "2026-11-03T00:00", "2026-11-10T00:00", 7),
        ("7d", "2026-11-10T06:30", "UTC", "2026-11-03T06:30", "2026-11-10T06:30", None),
        ("12h", "2026-11-10", "UTC", "2026-11-10T12:00", "2026-11-11T00:00", None),
        ("24h", "2026-11-10", "UTC", "2026-11-10T00:00", "2026-11-11T00:00", 1),
        ("2026-11-10T06:00", None, "UTC", "2026-11-10T06:00", "2026-11-18T14:25:30", None),
        ("2026-11-10T06:00", "2026-11-10T07:00", BERLIN, "2026-11-10T05:00", "2026-11-10T06:00", None),
        ("2026-11-10T06:00Z", "2026-11-10T07:00-05:00", BERLIN, "2026-11-10T06:00", "2026-11-10T12:00", None),
        # Days are the zone's: 14:25 UTC is already the 19th in Auckland.
        ("1d", None, "Pacific/Auckland", "2026-11-17T11:00", "2026-11-18T11:00", 1),
        # Clocks are set back on 25 Oct 2026 (a day of 25 hours) and put forward on 29 Mar 2026 (23 hours).
        ("2026-10-25", "2026-10-25", BERLIN, "2026-10-24T22:00", "2026-10-25T23:00", 1),
        ("2026-03-29", "2026-03-29", BERLIN, "2026-03-28T23:00", "2026-03-29T22:00", 1),
        ("30d", None, BERLIN, "2026-10-18T22:00", "2026-11-17T23:00", 30),
        ("3h", "2026-10-25T04:00", BERLIN, "2026-10-25T00:00", "2026-10-25T03:00", None),
        # Clocks are put forward at midnight: the day starts at 01:00.
        ("2026-04-24", "2026-04-24", "Africa/Cairo", "2026-04-23T22:00", "2026-04-24T21:00", 1),
        # A zone that is off by half an hour has hours of its own.
        ("1h", None, "Asia/Kolkata", "2026-11-18T12:30", "2026-11-18T13:30", None),
    ],
)
def test_since_and_until(since: str, until: str | None, zone: str, start: str, end: str, days: int | None) -> None:
    window = resolve_window(since, until, NOW, zone)
    assert (window.start.astimezone(UTC), window.end.astimezone(UTC), window.days) == (utc(start), utc(end), days)
    assert window.start.tzinfo == window.end.tzinfo == ZoneInfo(zone)


def test_hours_end_with_the_last_complete_one_also_when_the_clock_repeats_it() -> None:
    window = resolve_window("2h", None, utc("2026-10-25T01:40"), BERLIN)
    assert (window.start.astimezone(UTC), window.end.astimezone(UTC)) == (
        utc("2026-10-24T23:00"),
        utc("2026-10-25T01:00"),
    )


@pytest.mark.parametrize(
    ("since", "until", "message", "hint"),
    [
        ("30", None, "--since 30: not understood", "30d, 2w, 12h"),
        ("3m", None, "--since 3m: not understood", "30d, 2w, 12h"),
        ("yesterday", None, "not understood", "a date such as 2026-11-01"),
        ("2026-02-30", None, "--since 2026-02-30: not understood", "a date"),
        ("7d", "tomorrow", "--until tomorrow: not understood", "that whole day is in"),
        ("0d", None, "a window of nothing", "30d"),
        ("2026-11-18", None, "holds nothing", "--since 12h"),
        ("2026-12-01", None, "holds nothing", "last complete day"),
        ("2026-11-10", "2026-11-09", "--since 2026-11-10 --until 2026-11-09: ", "--until must be later"),
        ("999999d", None, "before the calendar", None),
    ],
)
def test_what_cannot_be_a_window_is_refused(since: str, until: str | None, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_window(since, until, NOW, "UTC")
    assert message in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("since", "until", "compare", "start", "end", "days"),
    [
        ("30d", None, "previous", "2026-09-18T22:00", "2026-10-18T22:00", 30),
        ("7d", "2026-10-31", "previous", "2026-10-17T22:00", "2026-10-24T22:00", 7),
        ("7d", "2026-11-01", "previous", "2026-10-18T22:00", "2026-10-25T23:00", 7),
        ("12h", None, "previous", "2026-11-17T14:00", "2026-11-18T02:00", None),
        ("7d", None, "2026-10-20", "2026-10-19T22:00", "2026-10-26T23:00", 7),
        ("7d", None, "2026-10-20T06:00", "2026-10-20T04:00", "2026-10-27T04:00", None),
        ("12h", None, "2026-10-24", "2026-10-23T22:00", "2026-10-24T10:00", None),
        ("7d", None, "2026-11-18", "2026-11-17T23:00", "2026-11-24T23:00", 7),
    ],
)
def test_baseline(since: str, until: str | None, compare: str, start: str, end: str, days: int | None) -> None:
    baseline = baseline_window(resolve_window(since, until, NOW, BERLIN), compare)
    assert baseline is not None
    assert (baseline.start.astimezone(UTC), baseline.end.astimezone(UTC), baseline.days) == (utc(start), utc(end), days)


def test_no_baseline() -> None:
    assert baseline_window(resolve_window("7d", None, NOW, BERLIN), "none") is None


@pytest.mark.parametrize(
    ("compare", "message"), [("last-week", "--compare last-week: not understood"), ("2026-11-08", "shares time")]
)
def test_baseline_that_cannot_be_compared_with_is_refused(compare: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        baseline_window(resolve_window("7d", None, NOW, BERLIN), compare)
    assert message in caught.value.message
    assert "previous" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("moment", "period", "start", "end"),
    [
        ("2026-11-18T22:59:59", "day", "2026-11-17T23:00", "2026-11-18T23:00"),
        ("2026-11-18T22:59:59", "week", "2026-11-15T23:00", "2026-11-22T23:00"),
        ("2026-10-25T12:00", "week", "2026-10-18T22:00", "2026-10-25T23:00"),
        ("2026-12-31T22:59:59", "month", "2026-11-30T23:00", "2026-12-31T23:00"),
        ("2026-02-01T00:00", "month", "2026-01-31T23:00", "2026-02-28T23:00"),
    ],
)
def test_budget_periods(moment: str, period: str, start: str, end: str) -> None:
    window = period_window(utc(moment), period, BERLIN)
    assert (window.start.astimezone(UTC), window.end.astimezone(UTC)) == (utc(start), utc(end))


ZONES = st.sampled_from(["UTC", BERLIN, "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Apia"])
# Samoa left out a whole day in 2011; attempts before 2015 are rejected at ingest.
MOMENTS = st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.integers(1, 400), st.dates(date(2015, 1, 1), date(2030, 1, 1)), MOMENTS, ZONES)
def test_counted_periods_follow_each_other_from_their_first_day(
    days: int, starts: date, moment: datetime, zone: str
) -> None:
    window = counted_window(moment, days, starts, zone)
    assert window.start.astimezone(UTC) <= moment < window.end.astimezone(UTC)
    assert (window.start.date() - starts).days % days == 0
    assert (window.end.date() - window.start.date()).days == days


@given(st.integers(1, 400), MOMENTS, ZONES)
def test_a_window_of_days_is_complete_and_touches_its_baseline(days: int, now: datetime, zone: str) -> None:
    window = resolve_window(f"{days}d", None, now, zone)
    baseline = baseline_window(window, "previous")
    assert baseline is not None
    assert window.days == baseline.days == days
    assert window.end.astimezone(UTC) <= now
    assert now - window.end.astimezone(UTC) < timedelta(hours=25)
    assert baseline.end == window.start
    assert abs((window.end.astimezone(UTC) - window.start.astimezone(UTC)) - timedelta(days=days)) <= timedelta(
        hours=24
    )


@given(st.integers(1, 400), MOMENTS, ZONES)
def test_a_window_of_hours_lasts_exactly_as_long_as_its_baseline(hours: int, now: datetime, zone: str) -> None:
    window = resolve_window(f"{hours}h", None, now, zone)
    baseline = baseline_window(window, "previous")
    assert baseline is not None
    lengths = {part.end.astimezone(UTC) - part.start.astimezone(UTC) for part in (window, baseline)}
    if window.days is None:
        assert lengths == {timedelta(hours=hours)}


@given(st.dates(date(2012, 1, 1), date(2030, 1, 1)), ZONES)
def test_a_day_starts_where_the_day_before_ends(day: date, zone: str) -> None:
    start = start_of_day(day, ZoneInfo(zone))
    assert start.date() == day
    before = (start.astimezone(UTC) - timedelta(microseconds=1)).astimezone(ZoneInfo(zone))
    assert before.date() == day - timedelta(days=1)
