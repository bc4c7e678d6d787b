"""Holds the OTLP format against what the server saw, for every instrumentation that wrote a fixture."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from run_format import SHARED, map_file, mapped_rows

from infercost.engine import connect

FIXTURES = SHARED / "fixtures" / "otlp"

# What the pipeline does after a format: one attempt a key, the largest rank, the earliest start.
DEDUPED = """
    SELECT * EXCLUDE (started_at, copy), min(started_at) OVER (PARTITION BY dedupe_key) AS started_at
    FROM (
        SELECT *, row_number() OVER (PARTITION BY dedupe_key ORDER BY dedupe_rank DESC, record_number) AS copy
        FROM mapped WHERE is_call AND reject_reason IS NULL
    )
    QUALIFY copy = 1"""

INPUT = (
    "input_uncached_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_30m_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "input_image_tokens",
)
OUTPUT = ("output_text_tokens", "reasoning_tokens", "output_audio_tokens", "output_image_tokens")


class Variant(NamedTuple):
    """What one instrumentation lets us know: rows that report usage, attempts, failed ones, tokens, told retries."""

    name: str
    reporting: int
    metered: int
    attempts: int
    failed: int
    requests: int
    input_tokens: int
    output_tokens: int
    unlogged: int | None = None
    unseen: tuple[str, ...] = ()
    """Billed answers that the spans do not have, by the path of the request."""


RESPONSES = ("/v1/responses",) * 3
ANTHROPIC = (4, 6, 2, 6, 21504, 512, 4)
OPENAI = (7, 7, 10, 2, 10, 13836, 576)
VARIANTS = (
    Variant("anthropic_sdk_native", 4, *ANTHROPIC),
    Variant("genai_anthropic", 8, *ANTHROPIC),
    Variant("openinference_anthropic", 8, *ANTHROPIC),
    Variant("traceloop_anthropic", 8, *ANTHROPIC),
    Variant("genai_openai", *OPENAI),
    Variant("genai_openai_httpx", 7, 7, 15, 7, 10, 13836, 576, unlogged=0),
    Variant("openinference_openai", *OPENAI),
    Variant("traceloop_openai", *OPENAI),
    Variant("openai_sdk3/genai_openai", *OPENAI),
    Variant("openai_sdk3/openinference_openai", *OPENAI),
    Variant("openai_sdk3/traceloop_openai", *OPENAI),
    Variant("openai_v2", 4, 4, 7, 2, 7, 6924, 288, unseen=RESPONSES),
    Variant("openai_v2_latest", 4, 4, 7, 2, 7, 6924, 288, unseen=RESPONSES),
)


def _shared(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.name} is not beside this checkout (../shared)")
    return path


def _spans(variant: str) -> Path:
    return _shared(FIXTURES / f"{variant}.traces.jsonl")


def _truth(variant: str) -> list[dict[str, Any]]:
    text = _shared(FIXTURES / f"{variant}.http_truth.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _attempts(*paths: Path) -> list[dict[str, Any]]:
    with connect() as connection:
        map_file(connection, "otlp", *paths)
        connection.execute(f"CREATE TEMP TABLE once AS {DEDUPED}")
        return mapped_rows(connection, "once")


def _sum(rows: list[dict[str, Any]], kinds: tuple[str, ...]) -> int:
    return sum(row.get(kind, 0) for row in rows for kind in kinds)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_totals_are_those_of_the_table(variant: Variant) -> None:
    rows = _attempts(_spans(variant.name))
    metered = [row for row in rows if row["usage_source"] == "reported"]
    told = [row["unlogged_attempts"] for row in rows if "unlogged_attempts" in row]
    assert len(metered) == variant.metered
    assert (_sum(rows, INPUT), _sum(rows, OUTPUT)) == (variant.input_tokens, variant.output_tokens)
    assert len(rows) == variant.attempts
    assert sum(row["status"] == "error" for row in rows) == variant.failed
    assert len({row["request_id"] for row in rows}) == variant.requests
    assert (sum(told) if told else None) == variant.unlogged


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_span_is_a_row(variant: Variant) -> None:
    batches = [json.loads(line) for line in _spans(variant.name).read_text(encoding="utf-8").splitlines()]
    spans = sum(
        len(scope["spans"]) for batch in batches for each in batch["resourceSpans"] for scope in each["scopeSpans"]
    )
    with connect() as connection:
        rows = mapped_rows(map_file(connection, "otlp", _spans(variant.name)))
    assert len(rows) == spans
    assert sum(row.get("usage_source") == "reported" for row in rows) == variant.reporting


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_what_is_missing_is_the_unmetered_stream_and_what_the_emitter_does_not_cover(variant: Variant) -> None:
    rows = _attempts(_spans(variant.name))
    metered = {row["response_id"] for row in rows if row["usage_source"] == "reported" and "response_id" in row}
    unmetered = {row["response_id"] for row in rows if row["usage_source"] == "missing" and "response_id" in row}
    billed = {each["id"]: each for each in _truth(variant.name) if each["status"] == 200 and "id" in each}
    assert metered <= set(billed)
    missing = [billed[each] for each in billed if each not in metered]
    assert [each["path"] for each in missing if each["id"] not in unmetered] == list(variant.unseen)
    seen = [each for each in missing if each["id"] in unmetered]
    assert [(each["path"], each["stream"]) for each in seen] == (
        [] if "anthropic" in variant.name else [("/v1/chat/completions", True)]
    )


@pytest.mark.parametrize("variant", [each.name for each in VARIANTS if "anthropic" in each.name])
def test_anthropic_leaves_are_those_of_the_bill(variant: str) -> None:
    billed = {each["id"]: each["usage"] for each in _truth(variant) if each["status"] == 200}
    rows = [row for row in _attempts(_spans(variant)) if row["status"] == "ok"]
    assert len(rows) == len(billed)
    for row in rows:
        usage = billed[row["response_id"]]
        assert row["input_uncached_tokens"] == usage["input_tokens"]
        assert row["cache_read_tokens"] == usage["cache_read_input_tokens"]
        assert row["cache_write_5m_tokens"] == usage["cache_creation"]["ephemeral_5m_input_tokens"]
        assert row["cache_write_1h_tokens"] == usage["cache_creation"]["ephemeral_1h_input_tokens"]
        assert row["reasoning_tokens"] == usage["output_tokens_details"]["thinking_tokens"]
        assert row["output_text_tokens"] + row["reasoning_tokens"] == usage["output_tokens"]


@pytest.mark.parametrize("variant", [each.name for each in VARIANTS if "anthropic" in each.name])
def test_attempts_and_told_retries_are_the_requests_of_the_server(variant: str) -> None:
    rows = _attempts(_spans(variant))
    assert len(rows) + sum(row["unlogged_attempts"] for row in rows) == len(_truth(variant)) == 10
    assert {row["http_status"] for row in rows if row["status"] == "error"} == {529, 400}
    assert [row["attempt_number"] for row in rows] == [1, 1, 1, 3, 3, 1]
    assert [row["is_retry"] for row in rows] == [False, False, False, True, True, False]


def test_failure_told_by_two_emitters_is_one_attempt_of_the_better_one() -> None:
    rows = _attempts(_spans("traceloop_anthropic"))
    failed = [row for row in rows if row["status"] == "error"]
    assert [row["error_type"] for row in failed] == ["overloaded_error", "invalid_request_error"]
    # The key is that of the outer span, which the standard event names too; the provider's own SDK tells more.
    assert {row["tags"]["otel.scope.name"] for row in failed} == {"com.anthropic.sdk.python"}
    assert all(row["dedupe_key"].startswith(row["trace_id"] + ":") for row in failed)


def test_stream_counted_one_token_too_many_loses() -> None:
    with connect() as connection:
        rows = mapped_rows(map_file(connection, "otlp", _spans("traceloop_anthropic")))
    totals = Counter(_sum([row], OUTPUT) for row in rows if row.get("usage_source") == "reported")
    assert totals == {128: 6, 129: 2}
    assert {_sum([row], OUTPUT) for row in _attempts(_spans("traceloop_anthropic")) if row["status"] == "ok"} == {128}


@pytest.mark.parametrize("variant", ["genai_openai", "genai_openai_httpx", "openinference_openai"])
def test_openai_leaves_are_those_of_the_bill(variant: str) -> None:
    rows = {row["response_id"]: row for row in _attempts(_spans(variant)) if "response_id" in row}
    checked = 0
    for billed in (each for each in _truth(variant) if each.get("id") in rows and each["usage"]):
        row = rows[billed["id"]]
        if row["usage_source"] == "missing":
            continue
        usage = billed["usage"]
        read = usage.get("prompt_tokens_details") or usage["input_tokens_details"]
        wrote = usage.get("completion_tokens_details") or usage["output_tokens_details"]
        audio = read.get("audio_tokens", 0)
        total = usage.get("prompt_tokens") or usage["input_tokens"]
        assert row["cache_read_tokens"] == read["cached_tokens"]
        assert row["cache_write_30m_tokens"] == read["cache_write_tokens"]
        assert row.get("input_audio_tokens", 0) == audio
        assert row["input_uncached_tokens"] == total - read["cached_tokens"] - read["cache_write_tokens"] - audio
        assert row["reasoning_tokens"] == wrote["reasoning_tokens"]
        checked += 1
    assert checked == 6


@pytest.mark.parametrize("variant", [each.name for each in VARIANTS if "anthropic" not in each.name])
def test_embeddings_count_and_the_unmetered_stream_has_no_tokens(variant: str) -> None:
    rows = _attempts(_spans(variant))
    (embedding,) = [row for row in rows if row["operation_name"] == "embeddings"]
    assert (embedding["input_uncached_tokens"], embedding["output_text_tokens"]) == (12, 0)
    (unmetered,) = [row for row in rows if row["status"] == "ok" and row["usage_source"] == "missing"]
    assert not [kind for kind in (*INPUT, *OUTPUT) if kind in unmetered]
    failed = [row for row in rows if row["status"] == "error"]
    assert not [kind for row in failed for kind in (*INPUT, *OUTPUT) if kind in row]
    assert {429, 400} <= {row["http_status"] for row in failed}


def test_http_spans_show_every_attempt_in_order() -> None:
    rows = _attempts(_spans("genai_openai_httpx"))
    truth = _truth("genai_openai_httpx")
    assert len(rows) == len(truth) == 15
    assert [row["http_status"] for row in rows] == [each["status"] for each in truth]
    assert [row["attempt_number"] for row in rows] == [each["attempt"] + 1 for each in truth]
    assert [row["request_model"] for row in rows] == [each["model"] for each in truth]
    assert [row["endpoint"] for row in rows] == [each["path"] for each in truth]
    tries = Counter(row["request_id"] for row in rows)
    assert sorted(tries.values()) == [1, 1, 1, 1, 1, 1, 1, 2, 3, 3]


def test_emitter_without_cache_detail_leaves_it_unknown() -> None:
    for variant in ("openai_v2", "openai_v2_latest"):
        metered = [row for row in _attempts(_spans(variant)) if row["usage_source"] == "reported"]
        assert not [row for row in metered if "cache_read_tokens" in row]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_attributes_of_the_parent_and_the_resource_reach_the_call(variant: Variant) -> None:
    for row in _attempts(_spans(variant.name)):
        assert row["session_id"] == "sess-42"
        assert row["user_id"] == "user-7"
        assert row["tags"]["app.feature"] == "triage"
        assert row["tags"]["service.name"] == "support-bot"
        assert row["tags"]["team"] == "support"
        assert "user-7" not in row["tags"].values()
        if "openinference" in variant.name:
            assert (row["tags"]["cohort"], row["tags"]["prod"]) == ("enterprise", "")


def test_time_to_first_token_only_of_streams() -> None:
    for variant in VARIANTS:
        rows = _attempts(_spans(variant.name))
        timed = [row for row in rows if "time_to_first_token_seconds" in row]
        assert all(row["stream"] for row in timed)
        assert all(0 < row["time_to_first_token_seconds"] <= row["duration_seconds"] for row in timed)


def test_base64_ids_of_protobuf_json_become_hex() -> None:
    (row,) = _attempts(_shared(FIXTURES / "proto_json_format_base64.traces.jsonl"))
    assert row["trace_id"] == "5e6aaf4c76661df1098844798b21ea90"
    assert row["dedupe_key"] == "5e6aaf4c76661df1098844798b21ea90:cbb239824a16ec45"
    assert (_sum([row], INPUT), _sum([row], OUTPUT)) == (2304, 96)


def test_file_written_twice_counts_once() -> None:
    once, twice = (_attempts(*[_spans("genai_openai_httpx")] * copies) for copies in (1, 2))
    assert twice == once


def _value(given: object) -> dict[str, object]:
    kind = "boolValue" if isinstance(given, bool) else "intValue" if isinstance(given, int) else "stringValue"
    return {kind: str(given) if kind == "intValue" else given}


def _span(span_id: str, parent: str = "", /, **attributes: object) -> dict[str, object]:
    """Return a span of one trace; `__` in an attribute's name stands for a dot."""
    return {
        "traceId": "0123456789abcdef0123456789abcdef",
        "spanId": span_id * 16,
        "parentSpanId": parent * 16,
        "name": span_id,
        "startTimeUnixNano": str(1_795_000_000_000_000_000 + ord(span_id)),
        "endTimeUnixNano": str(1_795_000_001_000_000_000 + ord(span_id)),
        "attributes": [{"key": key.replace("__", "."), "value": _value(given)} for key, given in attributes.items()],
    }


CHAT: dict[str, object] = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "m"}
USED: dict[str, object] = {"gen_ai__usage__input_tokens": 10, "gen_ai__usage__output_tokens": 2}


def _calls(folder: Path, *batches: list[dict[str, object]]) -> list[dict[str, Any]]:
    path = folder / "spans.jsonl"
    lines = [{"resourceSpans": [{"scopeSpans": [{"scope": {"name": "own"}, "spans": spans}]}]} for spans in batches]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return _attempts(path)


def test_sums_of_parents_do_not_count(tmp_path: Path) -> None:
    child = _span("c", "b", **CHAT, **USED)
    agent = _span("b", "a", gen_ai__operation__name="invoke_agent", **USED)
    router = _span("a", **CHAT, **USED)
    assert [row["dedupe_key"][-1] for row in _calls(tmp_path, [child], [agent, router])] == ["c", "a"]
    shell = _span("b", "a", **CHAT, **USED)
    rows = _calls(tmp_path, [child], [shell, router])
    assert [row["dedupe_key"][-1] for row in rows] == ["c"]
    assert rows[0]["request_id"] == "0123456789abcdef0123456789abcdef:" + "a" * 16


def test_details_below_a_metered_call_do_not_count_but_failures_do(tmp_path: Path) -> None:
    top = _span("a", **CHAT, **USED)
    rows = _calls(tmp_path, [top, _span("b", "a", **CHAT), _span("c", "a", error__type="503", **CHAT)])
    assert [(row["dedupe_key"][-1], row["status"]) for row in rows] == [("a", "ok"), ("c", "error")]
    assert rows[1]["http_status"] == 503
    assert rows[0]["request_id"] == rows[1]["request_id"]


def test_cycle_of_parents_ends(tmp_path: Path) -> None:
    first = _span("a", "b", feature="search", **CHAT, **USED)
    assert [row["tags"]["feature"] for row in _calls(tmp_path, [first, _span("b", "a")])] == ["search"]


def test_nearest_ancestor_wins(tmp_path: Path) -> None:
    top = _span("a", feature="outer", cohort="eu", session__id="s")
    middle = _span("b", "a", feature="inner")
    (row,) = _calls(tmp_path, [_span("c", "b", **CHAT, **USED), middle, top])
    assert (row["tags"]["feature"], row["tags"]["cohort"], row["session_id"]) == ("inner", "eu", "s")


@pytest.mark.parametrize(
    ("usage", "leaves"),
    [
        # read + write above the input proves that the input excludes them
        ({"input": 10, "output": 5, "read": 400, "write": 50}, (10, 400, 50, 5, None)),
        # the total counts them again: outside as well
        ({"input": 500, "output": 5, "read": 400, "write": 0, "total": 905}, (500, 400, 0, 5, None)),
        ({"input": 500, "output": 5, "read": 400, "write": 0, "total": 505}, (100, 400, 0, 5, None)),
        # reasoning above the output lies outside of it
        ({"input": 10, "output": 5, "reasoning": 30}, (10, 0, None, 5, 30)),
        ({"input": 10, "output": 50, "reasoning": 30, "total": 90}, (10, 0, None, 50, 30)),
        ({"input": 10, "output": 50, "reasoning": 30, "total": 60}, (10, 0, None, 20, 30)),
        ({"output": 7}, (None, None, None, 7, None)),
    ],
)
def test_exclusive_counts_are_known_by_their_numbers(
    tmp_path: Path, usage: dict[str, int], leaves: tuple[int | None, ...]
) -> None:
    names = {
        "input": "gen_ai__usage__input_tokens",
        "output": "gen_ai__usage__output_tokens",
        "read": "gen_ai__usage__cache_read__input_tokens",
        "write": "gen_ai__usage__cache_creation__input_tokens",
        "reasoning": "gen_ai__usage__reasoning__output_tokens",
        "total": "gen_ai__usage__total_tokens",
    }
    (row,) = _calls(tmp_path, [_span("a", **CHAT, **{names[key]: count for key, count in usage.items()})])
    kinds = ("input_uncached_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_text_tokens")
    assert tuple(row.get(kind) for kind in (*kinds, "reasoning_tokens")) == leaves


@pytest.mark.parametrize(
    ("logged", "provider"),
    [
        ("az.ai.openai", "azure.ai.openai"),
        ("AWS", "aws.bedrock"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("gemini", "gcp.gemini"),
        ("xai", "x_ai"),
        ("Mistral", "mistral_ai"),
        ("deepseek", "deepseek"),
    ],
)
def test_providers_have_their_opentelemetry_name(tmp_path: Path, logged: str, provider: str) -> None:
    (row,) = _calls(tmp_path, [_span("a", gen_ai__system=logged, **CHAT, **USED)])
    assert row["provider_name"] == provider


def test_long_flat_trace_is_not_quadratic(tmp_path: Path) -> None:
    spans = []
    for number in range(20_000):
        span = _span("b", "a", **CHAT, **USED)
        span["spanId"] = f"{number:016x}"
        spans.append(span)
    rows = _calls(tmp_path, [*spans, _span("a", feature="bulk")])
    assert len(rows) == 20_000
    assert {row["tags"]["feature"] for row in rows} == {"bulk"}
