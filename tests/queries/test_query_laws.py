"""Laws that hold for any store: tables add up, cells hold every attempt, histograms keep their promised error."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import query_cases
from hypothesis import given, settings
from hypothesis import strategies as st

from infercost import schema
from infercost.analyze import queries

START = datetime(2026, 10, 24, tzinfo=UTC)

attempt = st.fixed_dictionaries(
    {
        "started_at": st.integers(0, 16 * 24 * 60).map(lambda minute: (START + timedelta(minutes=minute)).isoformat()),
        "status": st.sampled_from(["ok", "error", "cancelled"]),
        "feature": st.sampled_from(["chat", "search", "(unattributed)"]),
        "response_model": st.sampled_from(["small", "large", None]),
        "request_id": st.sampled_from(["r1", "r2", "r3", None]),
        "session_id": st.sampled_from(["s1", "s2", None]),
        "effective_cost": st.one_of(st.none(), st.integers(0, 10**13).map(lambda pico: str(Decimal(pico).scaleb(-12)))),
        "input_uncached_tokens": st.one_of(st.none(), st.integers(0, 10**6)),
        "output_text_tokens": st.one_of(st.none(), st.integers(0, 10**4)),
    }
)
attempts = st.lists(attempt, max_size=25)


def total(values: Iterable[Any]) -> Any:
    return sum((value for value in values if value is not None), Decimal(0))


def inside(row: dict[str, Any], since: str, until: str) -> bool:
    moment = datetime.fromisoformat(row["started_at"])
    return bool(query_cases.PARAMETERS[since] <= moment < query_cases.PARAMETERS[until])


@settings(max_examples=15, deadline=None)
@given(attempts)
def test_tables_add_up_to_the_attempts_of_the_window_whatever_they_are_cut_by(rows: list[dict[str, Any]]) -> None:
    connection = query_cases.store(rows)
    window = [row for row in rows if inside(row, "since", "until")]
    named = {row["request_id"] for row in window if row["request_id"]}
    requests = len(named) + sum(row["request_id"] is None for row in window)
    for name, by in (
        ("cost_by_feature", ()),
        ("cost_by_model", ()),
        ("cost_by_feature", ("status", "feature", "response_model")),
        ("cost_by_day", ()),
        ("cost_by_hour", ()),
        ("cost_change", ("response_model",)),
    ):
        query = queries.find(name)
        parameters = {key: query_cases.PARAMETERS[key] for key in query.parameters if key != "by"}
        found = queries.run(connection, query, parameters, by).to_pylist()
        assert total(row["cost_usd"] for row in found) == total(
            Decimal(row["effective_cost"]) for row in window if row["effective_cost"] is not None
        ), name
        assert sum(row["attempts"] for row in found) == len(window), name
        assert sum(row["requests"] for row in found) == requests, name
        tokens = total(row["input_uncached_tokens"] for row in window)
        assert total(row["input_tokens"] for row in found) == tokens, name


@settings(max_examples=15, deadline=None)
@given(attempts)
def test_cells_requests_and_sessions_hold_every_attempt(rows: list[dict[str, Any]]) -> None:
    connection = query_cases.store(rows)
    sums = "sum(effective_cost) AS cost, sum(input_tokens) AS input, sum(output_tokens) AS output"

    def one(select: str) -> dict[str, Any]:
        found: dict[str, Any] = connection.sql(select).to_arrow_table().to_pylist()[0]
        return found

    whole = one(f"SELECT count(*) AS attempts, {sums} FROM attempts")
    assert one(f"SELECT coalesce(sum(attempts), 0) AS attempts, {sums} FROM cells") == whole
    assert one(f"SELECT coalesce(sum(logged_attempts), 0) AS attempts, {sums} FROM requests") == whole
    counted = one("SELECT count(*) AS requests FROM requests")
    assert one("SELECT coalesce(sum(requests), 0) AS requests FROM cells") == counted
    in_sessions = one("SELECT count(session_id) AS requests FROM requests")
    assert one("SELECT coalesce(sum(requests), 0) AS requests FROM sessions") == in_sessions


def test_cells_have_every_dimension_and_every_token_kind() -> None:
    columns = query_cases.store([]).sql("FROM cells").columns
    assert columns[: len(schema.DIMENSIONS) + 1] == ["hour", *schema.DIMENSIONS]
    assert {f"{kind}_{measure}" for kind in schema.TOKEN_KINDS for measure in ("tokens", "cost")} < set(columns)


@pytest.mark.parametrize("column", ["input_tokens", "output_tokens"])
def test_histograms_of_cells_give_every_length_back_within_one_percent(column: str) -> None:
    lengths = sorted({0, 1, 2, 3, *(int(1.37**power) for power in range(1, 50)), 999_999, 1_000_000, 2_000_000})
    connection = query_cases.store({column: length, "attempt_id": f"a{length}"} for length in lengths)
    histogram = "prompt_histogram" if column == "input_tokens" else "output_histogram"
    merged = connection.sql(
        f"SELECT unnest(map_keys({histogram})) AS bucket, unnest(map_values({histogram})) AS attempts FROM cells"
    ).to_arrow_table()
    buckets = sorted(row["bucket"] for row in merged.to_pylist() for _ in range(row["attempts"]))
    assert len(buckets) == len(lengths)
    growth = 1.01 / 0.99
    for length, bucket in zip(lengths, buckets, strict=True):
        read = 0.0 if bucket == -1 else 2 * growth**bucket / (growth + 1)
        assert math.isclose(read, length, rel_tol=0.01 + 1e-9), (length, bucket)


@settings(max_examples=10, deadline=None)
@given(attempts, st.sampled_from(queries.BUCKETS), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]))
def test_signals_count_every_attempt_and_request_once_in_whatever_pieces(
    rows: list[dict[str, Any]], bucket: str, zone: str
) -> None:
    connection = query_cases.store(rows)
    window = [row for row in rows if inside(row, "since", "until")]
    named = {row["request_id"] for row in window if row["request_id"]}
    requests = len(named) + sum(row["request_id"] is None for row in window)
    given_ = {**query_cases.PARAMETERS, "bucket": bucket, "zone": zone}
    sums = {
        "token_rate": {"attempts": len(window), "cost_usd": total(paid(row) for row in window)},
        "routing_distribution": {"requests": requests, "cost_usd": total(paid(row) for row in window)},
        "retry_rate": {"requests": requests, "attempts": len(window)},
    }
    for name, wanted in sums.items():
        query = queries.find(name)
        parameters = {key: given_[key] for key in query.parameters if key != "by"}
        for by in ((), ("everything",), ("status", "response_model")):
            found = queries.run(connection, query, parameters, by).to_pylist()
            assert {key: total(row[key] for row in found) for key in wanted} == wanted, (name, by)


def paid(row: dict[str, Any]) -> Decimal | None:
    return None if row["effective_cost"] is None else Decimal(row["effective_cost"])


def test_the_hour_that_a_clock_repeats_is_two_hours() -> None:
    times = ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z")
    connection = query_cases.store([{"started_at": each, "input_uncached_tokens": 3600} for each in times])
    parameters = {**query_cases.PARAMETERS, "since": START, "bucket": "hour", "zone": "Europe/Berlin"}
    query = queries.find("token_rate")
    rows = queries.run(
        connection, query, {key: parameters[key] for key in query.parameters if key != "by"}, ("everything",)
    ).to_pylist()
    assert [row["bucket"].astimezone(UTC).hour for row in rows] == [0, 1]
    assert [row["tokens_per_second"] for row in rows] == [1.0, 1.0]


@settings(max_examples=15, deadline=None)
@given(attempts, st.sampled_from(["hour", "day"]), st.sampled_from(["UTC", "Europe/Berlin"]))
def test_what_is_usual_is_that_of_the_same_times_of_the_week_before(
    rows: list[dict[str, Any]], bucket: str, zone: str
) -> None:
    rows = [{**row, "request_id": None} for row in rows]
    connection = query_cases.store(rows)
    query = queries.find("retry_rate")
    given_ = {**query_cases.PARAMETERS, "bucket": bucket, "zone": zone}
    parameters = {key: given_[key] for key in query.parameters if key != "by"}
    for row in queries.run(connection, query, parameters, ("feature",)).to_pylist():
        at = row["bucket"].astimezone(ZoneInfo(zone))
        same = [
            past["status"] == "error"
            for past in rows
            if past["feature"] == row["feature"]
            and START <= datetime.fromisoformat(past["started_at"]) < given_["since"]
            and is_same_time(datetime.fromisoformat(past["started_at"]).astimezone(ZoneInfo(zone)), at, bucket)
        ]
        assert row["usual_retry_rate"] == (pytest.approx(sum(same) / len(same)) if same else None)
        if row["low_retry_rate"] is not None:
            assert row["low_retry_rate"] <= row["usual_retry_rate"] <= row["high_retry_rate"]


def is_same_time(one: datetime, other: datetime, bucket: str) -> bool:
    """Return whether two local times are of one day of the week, or of hours of the week at most one apart."""
    if bucket == "day":
        return one.weekday() == other.weekday()
    apart = (24 * (one.weekday() - other.weekday()) + one.hour - other.hour) % 168
    return apart in (0, 1, 167)
