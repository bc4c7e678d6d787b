"""Holds the LiteLLM formats against what the providers really answered, on records that the real program wrote."""

import csv
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from run_format import FORMATS, SHARED, claims, expected_rows, map_file, sample_rows, unreadable

from infercost.engine import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

FIXTURES = SHARED / "fixtures" / "litellm"
PAYLOADS = FIXTURES / "standard_logging_payload.jsonl"
SDK_PAYLOADS = FIXTURES / "sdk_standard_logging_payload.jsonl"
ROWS = FIXTURES / "spend_logs_rows.jsonl"
ROWS_TO_JSON = FIXTURES / "pg_export" / "spendlogs_row_to_json.jsonl"
ROWS_CSV = FIXTURES / "pg_export" / "spendlogs.csv"
DIFFERENCES = Path(__file__).with_name("litellm_truth_differences.tsv")

LITELLM_FORMATS = ("litellm", "litellm_spendlogs")
SPENDLOGS = (("litellm_spendlogs", ROWS), ("litellm_spendlogs", ROWS_TO_JSON), ("litellm_spendlogs", ROWS_CSV))

TOTALS = """
    input_uncached_tokens + cache_read_tokens + coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_30m_tokens, 0)
        + coalesce(cache_write_1h_tokens, 0) + coalesce(input_audio_tokens, 0) + coalesce(input_image_tokens, 0),
    cache_read_tokens,
    output_text_tokens + reasoning_tokens + coalesce(output_audio_tokens, 0) + coalesce(output_image_tokens, 0),
    reasoning_tokens"""

PATHS_WITHOUT_ID = {
    "/anthropic/v1/messages": "provider_name = 'anthropic'",
    "/gemini/models/gemini-2.5-flash:generateContent": "provider_name = 'gcp.gemini'",
    "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse": "provider_name = 'aws.bedrock'",
    "/ok/v1/embeddings": "operation_name = 'embeddings'",
    "/ok/v1/responses": "operation_name = 'responses'",
}
"""Paths whose answers LiteLLM renames or that have no id, with the mapped records that came over them."""


class Tokens(NamedTuple):
    """Input with its cache, the cached part, output with its reasoning, the reasoning."""

    input: int | None
    cached: int | None
    output: int | None
    reasoning: int | None


UNKNOWN = Tokens(None, None, None, None)


@pytest.fixture
def connection() -> "Iterator[duckdb.DuckDBPyConnection]":
    if not FIXTURES.is_dir():
        pytest.skip(f"the shared LiteLLM records are not at {FIXTURES}")
    with connect() as opened:
        yield opened


def one(connection: "duckdb.DuckDBPyConnection", query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row


def billed(usage: dict[str, Any]) -> Tokens:
    """Return the totals of a provider's own usage object, in the five dialects of the stand-in providers."""
    if "promptTokenCount" in usage:
        thoughts = usage["thoughtsTokenCount"]
        output = usage["candidatesTokenCount"] + thoughts
        return Tokens(usage["promptTokenCount"], usage.get("cachedContentTokenCount", 0), output, thoughts)
    if "inputTokens" in usage:
        cached = usage.get("cacheReadInputTokens", 0)
        whole = usage["inputTokens"] + cached + usage.get("cacheWriteInputTokens", 0)
        return Tokens(whole, cached, usage["outputTokens"], 0)
    if "cache_read_input_tokens" in usage:
        cached = usage["cache_read_input_tokens"]
        whole = usage["input_tokens"] + cached + usage["cache_creation_input_tokens"]
        return Tokens(whole, cached, usage["output_tokens"], 0)
    prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
    cached = (usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}).get("cached_tokens", 0)
    details = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    output = usage.get("completion_tokens", usage.get("output_tokens", 0))
    return Tokens(prompt, cached, output, details.get("reasoning_tokens", 0))


def answers() -> list[dict[str, Any]]:
    lines = (FIXTURES / "upstream_truth.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["status"] == 200]


def named_differences() -> dict[str, dict[str, str]]:
    with DIFFERENCES.open(encoding="utf-8", newline="") as file:
        return {row["upstream_id"]: row for row in csv.DictReader(file, delimiter="\t")}


def tokens_by_response(connection: "duckdb.DuckDBPyConnection") -> dict[str, Tokens]:
    rows = connection.execute(
        f"SELECT response_id, {TOTALS} FROM mapped "
        "WHERE response_id IS NOT NULL AND gateway_cache IS DISTINCT FROM 'hit'"
    ).fetchall()
    return {row[0]: Tokens(*row[1:]) for row in rows}


def as_text(tokens: Tokens | None) -> str:
    return "no record" if tokens is None else " ".join("?" if count is None else str(count) for count in tokens)


def without_id(connection: "duckdb.DuckDBPyConnection", condition: str) -> Counter[Tokens]:
    rows = connection.execute(
        f"SELECT {TOTALS} FROM mapped WHERE status = 'ok' AND gateway_cache IS DISTINCT FROM 'hit' AND {condition}"
    ).fetchall()
    return Counter(Tokens(*row) for row in rows)


@pytest.mark.parametrize(("name", "path"), [("litellm", PAYLOADS), *SPENDLOGS])
def test_answers_with_an_id_have_the_tokens_that_the_provider_billed(
    connection: "duckdb.DuckDBPyConnection", name: str, path: Path
) -> None:
    map_file(connection, name, path)
    mapped = tokens_by_response(connection)
    found: dict[str, tuple[str, str]] = {}
    equal = 0
    for answer in answers():
        if "id" not in answer or answer["path"] in PATHS_WITHOUT_ID:
            continue
        truth = billed(answer["usage"])
        if mapped.get(answer["id"]) == truth:
            equal += 1
        else:
            found[answer["id"]] = (as_text(truth), as_text(mapped.get(answer["id"])))
    named = {key: (row["billed"], row["mapped"]) for key, row in named_differences().items()}
    assert found == named
    assert equal == 229


@pytest.mark.parametrize(("name", "path"), [("litellm", PAYLOADS), *SPENDLOGS])
@pytest.mark.parametrize("route", PATHS_WITHOUT_ID)
def test_answers_without_a_common_id_agree_as_a_multiset(
    connection: "duckdb.DuckDBPyConnection", name: str, path: Path, route: str
) -> None:
    map_file(connection, name, path)
    truth = Counter(billed(answer["usage"]) for answer in answers() if answer["path"] == route)
    assert sum(truth.values()) > 0
    assert without_id(connection, PATHS_WITHOUT_ID[route]) == truth


def test_every_messages_record_joins_its_answer_by_id(connection: "duckdb.DuckDBPyConnection") -> None:
    map_file(connection, "litellm", PAYLOADS)
    mapped = tokens_by_response(connection)
    truth = {answer["id"]: billed(answer["usage"]) for answer in answers() if answer.get("id", "").startswith("msg_")}
    joined = {key: tokens for key, tokens in mapped.items() if key.startswith("msg_")}
    assert len(joined) == 22
    assert joined == {key: truth[key] for key in joined}


def test_payloads_are_442_attempts_of_407_requests(connection: "duckdb.DuckDBPyConnection") -> None:
    map_file(connection, "litellm", PAYLOADS)
    counts = one(
        connection,
        """SELECT count(*), count(DISTINCT request_id), count(DISTINCT dedupe_key), count(*) FILTER (is_call),
                  count(reject_reason), count(*) FILTER (status = 'ok'), count(*) FILTER (status = 'error'),
                  count(*) FILTER (status = 'cancelled')
           FROM mapped""",
    )
    assert counts == (442, 407, 442, 442, 0, 377, 61, 4)
    shared = connection.execute(
        """SELECT records, count(*) FROM (SELECT count(*) AS records FROM mapped GROUP BY request_id)
           GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    assert shared == [(1, 372), (2, 35)]


@pytest.mark.parametrize(("name", "path"), SPENDLOGS)
def test_spendlogs_rows_are_415_attempts_of_407_requests(
    connection: "duckdb.DuckDBPyConnection", name: str, path: Path
) -> None:
    map_file(connection, name, path)
    counts = one(
        connection,
        """SELECT count(*), count(DISTINCT request_id), count(DISTINCT dedupe_key), count(reject_reason),
                  count(*) FILTER (status = 'ok'), count(*) FILTER (status = 'error'),
                  count(*) FILTER (status = 'cancelled'), sum(unlogged_attempts)::INTEGER
           FROM mapped""",
    )
    assert counts == (415, 407, 415, 0, 377, 34, 4, 72)


def test_the_three_exports_of_the_table_map_to_the_same_attempts(connection: "duckdb.DuckDBPyConnection") -> None:
    for (name, path), table in zip(SPENDLOGS, ("callback", "export", "csv"), strict=True):
        map_file(connection, name, path, table=table)
    apart = "EXCLUDE (record_number)"
    assert one(connection, f"SELECT count(*) FROM (SELECT * {apart} FROM export EXCEPT SELECT * {apart} FROM csv)") == (
        0,
    )
    # The table keeps milliseconds and orders the keys of its metadata; the callback has microseconds.
    unrounded = "EXCLUDE (record_number, started_at, duration_seconds, time_to_first_token_seconds, tags)"
    assert one(
        connection, f"SELECT count(*) FROM (SELECT * {unrounded} FROM export EXCEPT SELECT * {unrounded} FROM callback)"
    ) == (0,)
    late = "abs(epoch_us(callback.started_at) - epoch_us(export.started_at)) > 500"
    assert one(connection, f"SELECT count(*) FROM callback JOIN export USING (dedupe_key) WHERE {late}") == (0,)


@pytest.mark.parametrize(("name", "path"), SPENDLOGS)
def test_payloads_and_rows_together_count_every_attempt_once(
    connection: "duckdb.DuckDBPyConnection", name: str, path: Path
) -> None:
    map_file(connection, "litellm", PAYLOADS, table="payloads")
    map_file(connection, name, path, table="log_rows")
    connection.execute(
        """CREATE TEMP TABLE kept AS
           SELECT * FROM (SELECT 'payload' AS origin, * FROM payloads UNION ALL SELECT 'row', * FROM log_rows)
           QUALIFY row_number() OVER (PARTITION BY dedupe_key ORDER BY dedupe_rank DESC) = 1"""
    )
    assert one(connection, "SELECT count(*), count(DISTINCT request_id) FROM kept") == (450, 407)
    # The rows win where only they know usage: four timeouts, and eight earlier attempts of those that have no payload.
    won = connection.execute("SELECT origin, usage_source, count(*) FROM kept GROUP BY ALL ORDER BY ALL").fetchall()
    assert won == [
        ("payload", "estimated", 7),
        ("payload", "missing", 54),
        ("payload", "reported", 377),
        ("row", "estimated", 12),
    ]
    assert one(connection, "SELECT sum(reported_cost) FROM kept") == one(
        connection, "SELECT sum(reported_cost) FROM log_rows"
    )


@pytest.mark.parametrize(
    ("name", "path", "hits"),
    [("litellm", PAYLOADS, 14), ("litellm", SDK_PAYLOADS, 9), *((*pair, 14) for pair in SPENDLOGS)],
)
def test_gateway_cache_hits_cost_nothing_and_keep_their_tokens(
    connection: "duckdb.DuckDBPyConnection", name: str, path: Path, hits: int
) -> None:
    map_file(connection, name, path)
    counts = one(
        connection,
        """SELECT count(*), sum(reported_cost), min(input_uncached_tokens) > 0, bool_and(usage_source = 'reported'),
                  bool_and(starts_with(dedupe_key, 'hit:')), count(*) FILTER (contains(response_id, 'cache_hit'))
           FROM mapped WHERE gateway_cache = 'hit'""",
    )
    assert counts == (hits, Decimal(0), True, True, True, 0)


def test_sdk_attempts_fold_into_requests_by_trace(connection: "duckdb.DuckDBPyConnection") -> None:
    map_file(connection, "litellm", SDK_PAYLOADS)
    assert one(connection, "SELECT count(*), count(DISTINCT request_id), count(DISTINCT dedupe_key) FROM mapped") == (
        102,
        66,
        102,
    )
    shapes = connection.execute(
        """SELECT attempts, failures, path, count(*)
           FROM (SELECT count(*) AS attempts, count(*) FILTER (status = 'error') AS failures,
                        arg_max(routing_path, attempt_number) AS path FROM mapped GROUP BY request_id)
           WHERE attempts > 1 GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    assert shapes == [(3, 3, "limited", 6), (4, 3, "broken > smart", 8)]
    numbers = connection.execute(
        """SELECT list(attempt_number ORDER BY attempt_number), list(is_retry ORDER BY attempt_number),
                  list(is_fallback ORDER BY attempt_number) FROM mapped WHERE session_id = 't0'"""
    ).fetchall()
    assert numbers == [([1, 2, 3, 4], [False, True, True, False], [False, False, False, True])]
    # Five calls of one session without a failure stay five requests.
    assert one(connection, "SELECT count(DISTINCT request_id) FROM mapped WHERE session_id = 's0'") == (5,)


def test_requests_are_the_calls_that_clients_made(connection: "duckdb.DuckDBPyConnection") -> None:
    lines = (FIXTURES / "client_view.jsonl").read_text(encoding="utf-8").splitlines()
    asked = {call["call_id"]: call["model"] for call in map(json.loads, lines) if call.get("call_id")}
    for name, path in (("litellm", PAYLOADS), SPENDLOGS[0]):
        map_file(connection, name, path)
        rows = connection.execute("SELECT DISTINCT request_id, request_model FROM mapped").fetchall()
        # One call with a bad key is in both logs and not in the client's list; the table calls an unknown model so.
        differing = {request: model for request, model in rows if asked.get(request) not in (model, None)}
        unknown = [model for request, model in rows if request not in asked]
        assert unknown == ["gpt-4o"]
        assert set(differing.values()) <= {"unknown-model"}


@pytest.mark.parametrize("name", LITELLM_FORMATS)
def test_no_gateway_noise_in_tags(connection: "duckdb.DuckDBPyConnection", name: str) -> None:
    paths = {"litellm": PAYLOADS, **dict(SPENDLOGS)}
    map_file(connection, name, paths[name])
    keys = {row[0] for row in connection.execute("SELECT DISTINCT unnest(map_keys(tags)) FROM mapped").fetchall()}
    assert keys == {"feature", "cohort", "chat", "classify", "summarize", "autocomplete"} | {
        f"routing.{part}" for part in ("tier", "cause", "router", "model")
    }


def test_estimates_of_unbilled_failures_are_not_usage(connection: "duckdb.DuckDBPyConnection") -> None:
    map_file(connection, *SPENDLOGS[1])
    counts = connection.execute(
        """SELECT usage_source, count(*), count(input_uncached_tokens), sum(reported_cost) FROM mapped
           WHERE status = 'error' GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    assert counts == [("estimated", 15, 15, Decimal("0.001476800000")), ("missing", 19, 0, Decimal(0))]


@pytest.mark.parametrize("name", LITELLM_FORMATS)
def test_sample_maps_to_the_expected_rows(name: str) -> None:
    assert sample_rows(name) == expected_rows(name)


@pytest.mark.parametrize("name", LITELLM_FORMATS)
def test_files_are_claimed_by_their_own_format_only(connection: "duckdb.DuckDBPyConnection", name: str) -> None:
    files = {
        "litellm": [PAYLOADS, SDK_PAYLOADS, *sorted((FIXTURES / "generic_api").glob("*.body.*"))],
        "litellm_spendlogs": [ROWS, ROWS_TO_JSON, ROWS_CSV],
    }
    files["litellm"] += sorted((FIXTURES / "s3_v2_objects").rglob("time-*.json"))
    for owner, paths in files.items():
        for path in [*paths, *(FORMATS / owner).glob("sample*.*")]:
            assert claims(connection, name, path) == (owner == name), path


def test_payload_arrays_and_single_objects_read_like_lines(connection: "duckdb.DuckDBPyConnection") -> None:
    bodies = FIXTURES / "generic_api"
    map_file(connection, "litellm", bodies / "json_array.body.json", table="from_array")
    objects = sorted((FIXTURES / "s3_v2_objects").rglob("time-*.json"))
    map_file(connection, "litellm", *objects, table="objects")
    map_file(connection, "litellm", PAYLOADS)
    for table, count in (("from_array", 14), ("objects", 12)):
        inside = f"SELECT count(*), count(*) FILTER (dedupe_key IN (SELECT dedupe_key FROM mapped)) FROM {table}"
        assert one(connection, inside) == (count, count)
    # A batch of one record maps it alone, so what other records of its request tell may be missing, and nothing else.
    told = (
        "EXCLUDE (record_number, unlogged_attempts, request_model, routing_path, attempt_number, is_retry, is_fallback)"
    )
    assert one(
        connection, f"SELECT count(*) FROM (SELECT * {told} FROM objects EXCEPT SELECT * {told} FROM mapped)"
    ) == (0,)


OLD_KEYS = {
    "1.81": ("litellm_call_id", "session_id", "user_agent", "zero_cost_diagnostic"),
    "1.75": ("litellm_call_id", "session_id", "user_agent", "zero_cost_diagnostic", "cost_breakdown", "status_fields"),
    "1.65": ("litellm_call_id", "session_id", "user_agent", "zero_cost_diagnostic", "cost_breakdown", "status_fields"),
}


@pytest.mark.parametrize("version", OLD_KEYS)
def test_older_versions_keep_tokens_and_requests(
    connection: "duckdb.DuckDBPyConnection", tmp_path: Path, version: str
) -> None:
    records = [json.loads(line) for line in PAYLOADS.read_text(encoding="utf-8").splitlines()]
    for record in records:
        for key in OLD_KEYS[version]:
            record.pop(key, None)
        if version == "1.65":
            record["metadata"].pop("usage_object", None)
    old = tmp_path / "old.jsonl"
    old.write_text("not a record\n" + "".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    assert claims(connection, "litellm", old)
    old.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    map_file(connection, "litellm", PAYLOADS, table="today")
    map_file(connection, "litellm", old)
    sums = "sum(a)::BIGINT, sum(b)::BIGINT, sum(c)::BIGINT, sum(d)::BIGINT"
    totals = f"SELECT {sums} FROM (SELECT {TOTALS} FROM {{}}) AS t (a, b, c, d)"
    assert one(connection, totals.format("mapped")) == one(connection, totals.format("today"))
    assert one(connection, "SELECT count(*), count(DISTINCT dedupe_key) FROM mapped") == (442, 442)
    # Where the trace is one request's own, requests fold as they do by call id.
    folded = """SELECT list(DISTINCT requests) FROM (
        SELECT count(DISTINCT request_id) AS requests FROM {} WHERE length(trace_id) = 36 GROUP BY trace_id)"""
    assert one(connection, folded.format("mapped")) == one(connection, folded.format("today")) == ([1],)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("metadata", '{"usage_object": {"prom', "metadata is not a JSON object (cut off by the export?)"),
        ("prompt_tokens", "12a", 'prompt_tokens: expected a bigint, found "12a"'),
        ("spend", "$0.01", 'spend: expected a double, found "$0.01"'),
        ("startTime", "yesterday", "startTime is not a timestamp"),
        ("completion_tokens", "-1", "a token count is negative"),
    ],
)
def test_values_that_do_not_cast_are_rejected_with_a_reason(
    tmp_path: Path, column: str, value: str, reason: str
) -> None:
    with (FORMATS / "litellm_spendlogs" / "sample_export.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[2][column] = value
    broken = tmp_path / "broken.csv"
    with broken.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with connect() as connection:
        unread = [(each.source_line, each.reason) for each in unreadable(connection, "litellm_spendlogs", broken)]
        found = connection.execute(
            "SELECT record_number + 2, reject_reason FROM mapped WHERE reject_reason IS NOT NULL"
        ).fetchall()
    assert found + unread == [(4, reason)]


def payload(**changed: Any) -> dict[str, Any]:
    """Return a small SDK payload of our own with `changed` keys."""
    record = {
        "id": "r1",
        "litellm_call_id": "c1",
        "trace_id": "s",
        "call_type": "completion",
        "status": "success",
        "startTime": 1795447842.0,
        "endTime": 1795447843.5,
        "model": "gpt-4o",
        "model_group": "smart",
        "custom_llm_provider": "openai",
        "response_cost": 0.01,
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "metadata": {},
    }
    return record | changed


def mapped(tmp_path: Path, query: str, *records: dict[str, Any]) -> list[tuple[Any, ...]]:
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    with connect() as connection:
        return map_file(connection, "litellm", path).execute(query).fetchall()


def headers(retries: int, fallbacks: int) -> dict[str, Any]:
    told = {"x-litellm-attempted-retries": retries, "x-litellm-attempted-fallbacks": fallbacks}
    return {"additional_headers": told}


def attempt(
    number: int, *, failed: bool = False, told: tuple[int, int] | None = None, trace: str = "s"
) -> dict[str, Any]:
    record = payload(
        id=f"c{number}" if failed else f"r{number}",
        litellm_call_id=f"c{number}",
        trace_id=trace,
        status="failure" if failed else "success",
        startTime=1795447842.0 + number,
        endTime=1795447842.5 + number,
    )
    return record | ({"hidden_params": headers(*told)} if told else {})


@pytest.mark.parametrize(
    ("attempts", "requests"),
    [
        # The next success says that it retried: one request.
        ([attempt(1, failed=True), attempt(2, failed=True), attempt(3, told=(2, 0))], ["c3", "c3", "c3"]),
        # It says that it did not: the failures are a request that failed.
        ([attempt(1, failed=True), attempt(2, failed=True), attempt(3, told=(0, 0))], ["c2", "c2", "c3"]),
        # A stream says nothing, and it is the only success of its trace.
        ([attempt(1, failed=True), attempt(2)], ["c2", "c2"]),
        # In a session of several calls a silent success does not take up failures.
        ([attempt(1), attempt(2, failed=True), attempt(3)], ["c1", "c2", "c3"]),
        # Failures after a success are another request, in whatever order the file has them.
        ([attempt(3, failed=True), attempt(2, failed=True), attempt(1, told=(0, 0))], ["c3", "c3", "c1"]),
        # Other traces are other requests.
        ([attempt(1, failed=True), attempt(2, told=(1, 0), trace="other")], ["c1", "c2"]),
    ],
)
def test_sdk_failures_belong_to_the_success_that_tells_of_them(
    tmp_path: Path, attempts: list[dict[str, Any]], requests: list[str]
) -> None:
    rows = mapped(tmp_path, "SELECT request_id FROM mapped ORDER BY record_number", *attempts)
    assert [row[0] for row in rows] == requests


def test_tags_come_from_tags_then_metadata_and_hold_no_ids(tmp_path: Path) -> None:
    record = payload(
        request_tags=[
            "feature:chat", "feature:late", "User-Agent: curl", "user-agent: x",
            "beta", " ", ":odd", "a:b:c", "k" * 300,
        ],
        metadata={
            "requester_metadata": {
                "feature": "free", "plan": "pro", "seats": 3, "trial": True, "nothing": None, "note": "[draft]",
                "headers": {"host": "x"}, "list": [1],
                "user_id": "eve", "session_id": "s", "trace_id": "t", "user_api_key_spend": 1,
            },
            "spend_logs_metadata": {"plan": "free", "cohort": "eu"},
        },
    )  # fmt: skip
    ((tags,),) = mapped(tmp_path, "SELECT tags FROM mapped", record)
    assert tags == {
        "feature": "chat", "beta": "", ":odd": "", "a": "b:c", "k" * 256: "",
        "plan": "pro", "seats": "3", "trial": "true", "note": "[draft]", "cohort": "eu",
    }  # fmt: skip


def test_at_most_64_tags_are_kept(tmp_path: Path) -> None:
    ((count,),) = mapped(
        tmp_path,
        "SELECT cardinality(tags) FROM mapped",
        payload(request_tags=[f"tag-{number}" for number in range(100)]),
    )
    assert count == 64


@pytest.mark.parametrize(
    ("provider", "usage", "expected"),
    [
        # (uncached, read, write 5m, write 30m, write 1h, audio in, image in, text, reasoning, audio out)
        ("openai", {}, (100, 0, None, None, None, None, None, 20, 0, None)),
        ("openai", {"prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 10, "image_tokens": 90}},
         (0, 60, None, None, None, 10, 30, 20, 0, None)),
        ("openai", {"prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30}},
         (10, 60, None, 30, None, None, None, 20, 0, None)),
        ("anthropic", {"cache_read_input_tokens": 60, "cache_creation_input_tokens": 30},
         (10, 60, 30, None, None, None, None, 20, 0, None)),
        ("anthropic", {"prompt_tokens_details": {"cached_tokens": 0, "cache_creation_tokens": 50,
         "cache_creation_token_details": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 30}}},
         (50, 0, 20, None, 30, None, None, 20, 0, None)),
        # More cache than prompt: this prompt leaves the cache out.
        ("anthropic", {"cache_read_input_tokens": 4000}, (100, 4000, None, None, None, None, None, 20, 0, None)),
        ("openai", {"completion_tokens_details": {"reasoning_tokens": 15, "audio_tokens": 4}},
         (100, 0, None, None, None, None, None, 1, 15, 4)),
        ("xai", {"completion_tokens_details": {"reasoning_tokens": 50}},
         (100, 0, None, None, None, None, None, 20, 50, None)),
    ],
)  # fmt: skip
def test_token_kinds_are_disjoint(
    tmp_path: Path, provider: str, usage: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    counts = {"prompt_tokens": 100, "completion_tokens": 20} | usage
    rows = mapped(
        tmp_path,
        """SELECT input_uncached_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_30m_tokens,
                  cache_write_1h_tokens, input_audio_tokens, input_image_tokens, output_text_tokens, reasoning_tokens,
                  output_audio_tokens FROM mapped""",
        payload(custom_llm_provider=provider, metadata={"usage_object": counts}),
    )
    assert rows == [expected]


def test_success_without_any_usage_is_unknown_and_not_zero(tmp_path: Path) -> None:
    record = payload(
        call_type="aimage_generation", prompt_tokens=0, completion_tokens=0, metadata={"usage_object": None}
    )
    rows = mapped(
        tmp_path, "SELECT usage_source, input_uncached_tokens, output_text_tokens, operation_name FROM mapped", record
    )
    assert rows == [("missing", None, None, "image_generation")]


def test_management_calls_are_skipped_and_impossible_numbers_refused(tmp_path: Path) -> None:
    upload = payload(call_type="acreate_file", prompt_tokens=0, completion_tokens=0, response_cost=0)
    milliseconds = payload(id="r2", startTime=1795447842000.0)
    negative = payload(id="r3", completion_tokens=-1)
    rows = mapped(
        tmp_path, "SELECT is_call, reject_reason FROM mapped ORDER BY record_number", upload, milliseconds, negative
    )
    assert rows == [(False, None), (True, "startTime is not in epoch seconds"), (True, "a token count is negative")]
