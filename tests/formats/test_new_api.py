"""The traps of New API's logs: quota units, refunds, rows without an id of their own, retries with and without rows."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from infercost.analyze import queries

if TYPE_CHECKING:
    from lab import Lab

REQUESTS = queries.views()["requests"]


def row(number: int, other: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return a row of the table `logs`: a charged call of ten seconds after the one before."""
    return {
        "id": 5000 + number,
        "created_at": 1_795_510_800 + number * 10,
        "type": 2,
        "username": "alice",
        "token_name": "prod",
        "model_name": "gpt-4o",
        "quota": 500,
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "use_time": 2,
        "is_stream": False,
        "channel": 12,
        "other": json.dumps({"group_ratio": 1.5, **(other or {})}),
        **changes,
    }


def settled(quota: int) -> dict[str, Any]:
    """Return `other` of a task's settlement."""
    return {"task_id": "task-1", "pre_consumed": 50000, "actual_quota": 50000 + quota, "quota_delta": quota}


def test_cost_is_net_of_refunds_and_settlements(lab: "Lab") -> None:
    task: dict[str, Any] = {"model_name": "video", "prompt_tokens": 0, "completion_tokens": 0}
    rows = [
        row(1),
        row(2, quota=50000, **task),
        row(3, settled(-12000), quota=-12000, **task),
        row(4, quota=50000, **task),
        row(5, {"task_id": "task-2"}, type=6, quota=50000, **task),
    ]
    lab.ingest(lab.write("logs.jsonl", rows))
    assert lab.value("SELECT sum(reported_cost)::DOUBLE FROM attempts") == pytest.approx(
        (500 + 50000 - 12000 + 50000 - 50000) / 500_000
    )
    calls = "SELECT count(*) FROM attempts WHERE operation_name IS DISTINCT FROM 'billing_adjustment'"
    assert lab.value(calls) == 3
    adjustments = "SELECT tags['adjustment'], reported_cost::DOUBLE, input_tokens, output_tokens, unlogged_attempts"
    assert lab.rows(f"{adjustments} FROM attempts WHERE operation_name = 'billing_adjustment' ORDER BY started_at") == [
        ("settlement", -0.024, 0, 0, None),
        ("refund", -0.1, 0, 0, None),
    ]


def test_list_price_follows_from_the_tag(lab: "Lab") -> None:
    lab.ingest(lab.write("logs.jsonl", [row(1)]))
    assert lab.value("SELECT (reported_cost / tags['group_ratio']::DOUBLE)::DOUBLE FROM attempts") == pytest.approx(
        0.001 / 1.5
    )


@pytest.mark.parametrize(("claude", "uncached"), [(True, 1000), (False, 300)])
def test_prompt_excludes_the_cache_in_anthropic_s_format_only(lab: "Lab", claude: bool, uncached: int) -> None:
    other = {"cache_tokens": 600, "cache_creation_tokens": 100, **({"claude": True} if claude else {})}
    lab.ingest(lab.write("logs.jsonl", [row(1, other, prompt_tokens=1000)]))
    written = "coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_30m_tokens, 0)"
    found = lab.rows(f"SELECT input_uncached_tokens, cache_read_tokens, {written} FROM attempts")
    assert found == [(uncached, 600, 100)]


def test_rows_of_users_pages_share_ids_and_stay_apart(lab: "Lab") -> None:
    """Ids are modulo 1024 there: 7 stands for several rows, and the table's row of the same call has another id."""
    seen = [row(1, id=7), row(2, id=7), row(1, id=8)]
    result = lab.ingest(lab.write("page.json", json.dumps({"data": {"page": 1, "items": seen}})))
    assert result.total("attempts") == 3
    again = lab.ingest(lab.write("table.jsonl", [row(1, id=1024 * 90 + 7)]))
    assert (again.total("attempts"), again.total("duplicates")) == (0, 1)


def test_failed_channels_count_once_whether_they_have_rows_or_not(lab: "Lab") -> None:
    told = {"admin_info": {"use_channel": ["9", "10", "12"]}}
    failure = row(4, type=5, channel=9, created_at=1_795_510_849, prompt_tokens=0, completion_tokens=0, quota=0)
    lab.ingest(lab.write("logs.jsonl", [row(1, told), failure, row(5, told)]))
    found = lab.rows("SELECT status, attempt_number, unlogged_attempts FROM attempts ORDER BY started_at")
    assert found == [("ok", 3, 2), ("error", None, None), ("ok", 3, 1)]


def test_attempts_of_one_request_are_joined_where_the_version_has_request_ids(lab: "Lab") -> None:
    told = {"admin_info": {"use_channel": ["9", "12"]}}
    failure = row(1, {"status_code": 503}, type=5, channel=9, prompt_tokens=0, completion_tokens=0, quota=0)
    rows = [{**failure, "request_id": "r-1"}, row(2, told, request_id="r-1")]
    lab.ingest(lab.write("logs.jsonl", rows))
    assert lab.rows(f"SELECT attempts, failed_attempts, status FROM ({REQUESTS})") == [(2, 1, "ok")]


def test_time_is_the_start_and_units_differ(lab: "Lab") -> None:
    lab.ingest(lab.write("logs.jsonl", [row(1, {"frt": 850}, is_stream=True)]))
    columns = "epoch(started_at)::BIGINT, duration_seconds, time_to_first_token_seconds, stream"
    assert lab.rows(f"SELECT {columns} FROM attempts") == [(1_795_510_808, 2.0, 0.85, True)]


def test_other_rows_are_skipped_and_local_counts_are_estimates(lab: "Lab") -> None:
    rows = [row(1, {"admin_info": {"local_count_tokens": True}}), row(2, type=1), row(3, type=4), row(4, type=3)]
    result = lab.ingest(lab.write("logs.jsonl", rows))
    assert (result.total("attempts"), result.total("skipped")) == (1, 3)
    assert lab.value("SELECT usage_source FROM attempts") == "estimated"
