"""Bill lines are a table of their own: never attempts, counted once, replaced by what is more complete."""

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from lab import payloads

from infercost.config import Config

if TYPE_CHECKING:
    from pathlib import Path

    from lab import Lab

DAY = 1793491200
SUMS = "SELECT token_kind, sum(quantity)::BIGINT FROM bills WHERE token_kind IS NOT NULL GROUP BY 1 ORDER BY 1"


def bucket(*models: str, tokens: int = 1000, start: int = DAY, **changes: Any) -> dict[str, Any]:
    """Return a day of OpenAI's usage with one result a model; the key and the user are the same in all."""
    results = [
        {
            "object": "organization.usage.completions.result",
            "input_tokens": tokens,
            "input_cached_tokens": 0,
            "output_tokens": tokens // 10,
            "num_model_requests": 5,
            "user_id": "user-demo",
            "api_key_id": "key_demo",
            "model": model,
            **changes,
        }
        for model in models
    ]
    return {"object": "bucket", "start_time": start, "end_time": start + 86400, "results": results}


def page(*buckets: dict[str, Any]) -> str:
    """Return a page of the API."""
    return json.dumps({"object": "page", "data": list(buckets), "has_more": False, "next_page": None})


def snapshot_of(lab: "Lab", store: str = "store") -> list[tuple[Any, ...]]:
    return lab.rows(
        "SELECT bill_id, quantity, billed_cost, requests, epoch_us(period_start), source_file, source_line, load_id "
        "FROM bills ORDER BY ALL",
        store,
    )


def test_bills_are_no_attempts(lab: "Lab") -> None:
    result = lab.ingest(lab.write("usage.json", page(bucket("gpt-5.4", "gpt-5.4-mini"))))
    assert (result.total("attempts"), result.total("bill_lines")) == (0, 6)
    assert lab.value("SELECT count(*) FROM attempts") == 0
    assert lab.rows("SELECT format, records, attempts, bill_lines, rejected FROM loads") == [
        ("openai-usage", 6, 0, 6, 0)
    ]


def test_the_same_page_again_changes_nothing(lab: "Lab") -> None:
    text = page(bucket("gpt-5.4"))
    lab.ingest(lab.write("usage.json", text))
    before = snapshot_of(lab)
    assert lab.ingest(lab.folder / "usage.json").files[0].unchanged
    result = lab.ingest(lab.write("copy.json", text.replace(": ", ":")))
    assert (result.total("bill_lines"), result.total("duplicates")) == (0, 3)
    assert snapshot_of(lab) == before


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("together", [False, True])
def test_a_more_complete_page_wins_in_either_order(lab: "Lab", order: tuple[int, int], together: bool) -> None:
    other_day = bucket("gpt-5.4", start=DAY - 86400, tokens=70)
    files = [
        lab.write("early.json", page(other_day, bucket("gpt-5.4", tokens=1000))),
        lab.write("late.json", page(bucket("gpt-5.4", "gpt-5.4-mini", tokens=3000))),
    ]
    chosen = [files[place] for place in order]
    for part in [chosen] if together else [[each] for each in chosen]:
        lab.ingest(*part)
    assert lab.rows(SUMS) == [("input_uncached", 6070), ("output", 607)]
    assert lab.value("SELECT sum(requests)::INT FROM bills") == 15
    assert lab.value("SELECT count(*) = count(DISTINCT bill_id) FROM bills")


def test_a_file_that_is_fetched_again_under_its_name_replaces_its_lines(lab: "Lab") -> None:
    for tokens in (1000, 5000):
        lab.ingest(lab.write("usage.json", page(bucket("gpt-5.4", tokens=tokens))))
    assert lab.rows(SUMS) == [("input_uncached", 5000), ("output", 500)]


def test_pages_that_are_appended_are_read_on(lab: "Lab") -> None:
    lines = [page(bucket("gpt-5.4", start=DAY + day * 86400)) + "\n" for day in range(3)]
    lab.ingest(lab.write("usage.jsonl", "".join(lines[:2])))
    result = lab.ingest(lab.write("usage.jsonl", "".join(lines)))
    assert result.total("bill_lines") == 3
    assert lab.rows("SELECT count(DISTINCT period_start), max(source_line) FROM bills") == [(3, 3)]


def test_ids_are_hashed_like_those_of_attempts(lab: "Lab") -> None:
    attempt = {"metadata": {"user_api_key_hash": "key_demo"}, "end_user": "user-demo"}
    calls = lab.write("calls.jsonl", [each | attempt for each in payloads(1)])
    lab.ingest(lab.write("usage.json", page(bucket("gpt-5.4"))), calls)
    ids = lab.rows("SELECT DISTINCT user_id, api_key_id FROM bills")
    assert ids == lab.rows("SELECT user_id, api_key_id FROM attempts")
    assert all(ids[0])
    assert "demo" not in str(ids)


def test_ids_stay_plain_where_the_configuration_says_so(lab: "Lab") -> None:
    lab.ingest(lab.write("usage.json", page(bucket("gpt-5.4"))), settings=Config(hash_ids=False))
    assert lab.rows("SELECT DISTINCT user_id, api_key_id FROM bills") == [("user-demo", "key_demo")]


def test_rejects_are_named_with_their_place(lab: "Lab") -> None:
    good = bucket("gpt-5.4")
    lines = [good, bucket("gpt-5.4", start=-86400 * 365 * 300), {**good, "start_time": "soon"}, {**good, "results": []}]
    file = lab.write("usage.jsonl", lines)
    outcome = lab.read(file)
    assert (outcome.counts["bill_lines"], outcome.counts["skipped"], outcome.counts["rejected"]) == (3, 1, 4)
    reasons = {reason for _, reason in lab.rejects()}
    assert "start_time is no time: soon" in reasons
    assert any(reason.startswith("charge period out of range") for reason in reasons)
    assert {line for line, _ in lab.rejects()} == {2, 3}


def test_usage_and_cost_of_several_files_in_one_run(lab: "Lab") -> None:
    amounts = [{"object": "organization.costs.result", "amount": {"value": 2.5, "currency": "usd"}, "line_item": "x"}]
    costs = {"object": "bucket", "start_time": DAY, "end_time": DAY + 86400, "results": amounts}
    files: list[Path] = [
        lab.write("a.json", page(bucket("gpt-5.4"))),
        lab.write("b.json", page(bucket("gpt-5.4-mini"))),
        lab.write("c.json", page(costs)),
        lab.write("d.jsonl", payloads(2)),
    ]
    result = lab.ingest(*files)
    assert (result.total("attempts"), result.total("bill_lines")) == (2, 7)
    assert lab.rows("SELECT measure, count(*), sum(billed_cost) FROM bills GROUP BY 1 ORDER BY 1") == [
        ("cost", 1, Decimal("2.5")),
        ("usage", 6, None),
    ]
    assert lab.rows("SELECT source_file, bill_lines FROM loads WHERE bill_lines > 0 ORDER BY 1") == [
        (str(file), count) for file, count in zip(files, (3, 3, 1), strict=False)
    ]


def test_the_command_line_reads_and_shows_bills(lab: "Lab") -> None:
    outcome = lab.read(lab.write("usage.json", page(bucket("gpt-5.4"))))
    assert (outcome.code, outcome.counts["bill_lines"], outcome.counts["attempts"]) == (0, 3, 0)
    shown = lab.call("sql", "from bills", "--format", "json")
    assert shown.code == 0, shown.err
    assert "input_uncached" in shown.out
    assert lab.call("status").code == 0


def test_a_report_on_bills_alone_says_that_there_is_no_data(lab: "Lab") -> None:
    lab.ingest(lab.write("usage.json", page(bucket("gpt-5.4"))))
    outcome = lab.call("report")
    assert outcome.code == 4, outcome.err
    assert "Traceback" not in outcome.err
