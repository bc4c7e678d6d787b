"""Every file of the shared samples by name: which format reads it, and what comes out.

The figures are those of the samples' own descriptions and truth files, not of what the program printed.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from lab import Lab
from once import Once
from run_format import SHARED, unreadable

from infercost import engine
from infercost.ingest import identify
from infercost.ingest.registry import formats

if TYPE_CHECKING:
    from infercost.ingest.result import IngestResult

FIXTURES = SHARED / "fixtures"

pytestmark = pytest.mark.skipif(not FIXTURES.is_dir(), reason="../shared/fixtures is not beside this checkout")


class Read(NamedTuple):
    """What a file comes to by itself: its format, different calls or bill lines, and records that are rejected."""

    format: str
    calls: int
    rejected: int = 0


def answered(calls: int) -> Read:
    """Return what a file of truth comes to whose records look like logged answers of the Messages API."""
    return Read("anthropic-messages", 0, calls)


READ: dict[str, Read] = {
    "anthropic/console_cost.csv": Read("anthropic-console-cost", 4),
    "anthropic/console_usage.csv": Read("anthropic-console-usage", 11),  # kinds of tokens on four lines
    "anthropic/usage_report_messages.json": Read("anthropic-usage-report", 6),
    "bedrock/cloudwatch_array_of_message.json": Read("bedrock", 5),  # behind a byte order mark
    "bedrock/cloudwatch_events_envelope.json": Read("bedrock", 4),
    "bedrock/cloudwatch_insights_get_query_results.json": Read("bedrock", 6),  # fields of all rows in one list
    "bedrock/derived_model_invocation_logs.jsonl": Read("bedrock", 16),
    "bedrock/elastic_tail.jsonl": Read("bedrock", 3),
    "ccusage/fixtures__claude__projects__project-alpha__session-alpha__chat.jsonl": Read("claude-code", 3),
    "ccusage/fixtures__claude__projects__project-beta__session-beta__chat.jsonl": Read("claude-code", 2),
    "ccusage/fixtures__codex__sessions__project-alpha__session-alpha.jsonl": Read("codex", 2),
    "ccusage/test-transcript.jsonl": Read("claude-code", 0, 2),  # two answers without a time
    "claude_code/claude-code-log_edge_cases.jsonl": Read("claude-code", 4, 4),
    "claude_code/claude-code-log_representative_messages.jsonl": Read("claude-code", 5),
    "claude_code/claude-code-log_session_b.jsonl": Read("claude-code", 1),
    "claude_code/claude-code-log_todowrite_examples.jsonl": Read("claude-code", 6),
    "claude_code/multi_line_message.jsonl": Read("claude-code", 1),
    "codex/rollout_0142_repeated_token_count.jsonl": Read("codex", 1),
    "deepseek/amount.csv": Read("deepseek-usage", 4),
    "envoy_ai_gateway/access_log_examples.jsonl": Read("envoy-ai-gateway", 1),  # and a call of a tool server
    "focus/virtual_currency_pricing_model_a1.csv": Read("focus", 0),  # no charge of a model
    "focus/virtual_currency_pricing_model_a2.csv": Read("focus", 0),
    "genai_prices_usages/usages.json": answered(234),  # bodies without time, most of them of other providers
    "higress/ai_log_examples.jsonl": Read("higress", 0, 5),  # without their lines of the access log: no time
    **{
        f"langfuse/{name}.trace.json": Read("langfuse", calls)
        for name, calls in {
            "agno-2025-06-11": 2,
            "autogen-2025-06-06": 1,
            "beeai-2025-08-01": 5,
            "claude-agent-2025-12-22": 4,
            "crewai-2025-07-11": 1,
            "csharp-agent-with-gemini-2026-03-09": 3,
            "google-adk-2025-08-28": 2,
            "google-gemini-2025-08-01": 1,
            "koog-2025-08-26": 2,
            "langgraph-js-2025-10-30": 2,
            "langgraph-python-2025-08-22": 2,
            "llamaindex-2025-06-05": 1,
            "microsoft-agent-2025-12-17": 2,
            "openai-agents-2025-09-30": 2,
            "pydantic-ai-2025-06-06": 1,
            "pydantic-ai-tools-2025-06-06": 1,
            "pydantic-ai-tools-2025-12-04": 4,
            "pydantic-ai-with-gemini-2025-12-24": 1,
            "vercel-aisdk-2025-11-17": 1,
            "vertex-ai-2025-08-01": 1,
        }.items()
    },
    "litellm/generic_api/json_array.body.json": Read("litellm", 14),
    "litellm/generic_api/ndjson.body.ndjson": Read("litellm", 14),
    "litellm/pg_export/spendlogs.csv": Read("litellm-spendlogs", 415),
    "litellm/pg_export/spendlogs_row_to_json.jsonl": Read("litellm-spendlogs", 415),
    "litellm/s3_v2_objects/litellm-logs": Read("litellm", 12),  # one record an object
    "litellm/sdk_standard_logging_payload.jsonl": Read("litellm", 102),
    "litellm/spend_logs_rows.jsonl": Read("litellm-spendlogs", 415),
    "litellm/standard_logging_payload.jsonl": Read("litellm", 442),
    # A file of truth that looks like a log of several providers' answers; 71 of them are of the Messages API.
    "litellm/upstream_truth.jsonl": Read("anthropic-messages", 71),
    "openai/batch_output.jsonl": Read("openai-batch", 2),
    "openai/completions_usage_empty_export.csv": Read("openai-usage", 0),
    "openai/costs_page.json": Read("openai-costs", 1),
    "openai/costs_page_line_items.json": Read("openai-costs", 2, 1),  # one without an amount
    "openrouter/activity.csv": Read("openrouter-activity-daily", 8),
    "openrouter/activity_header.csv": Read("openrouter-activity", 0),
    "openrouter/broadcast_otlp_trimmed.ndjson": Read("openrouter-broadcast", 2),
    # Calls with usage after deduplication and failed ones, as compare_with_truth.md counts them, and of OpenAI a
    # stream whose usage nobody asked for; HTTP spans show every attempt.
    "otlp/anthropic_sdk_native.traces.jsonl": Read("otlp", 4 + 2),
    "otlp/genai_anthropic.traces.jsonl": Read("otlp", 4 + 2),
    "otlp/openinference_anthropic.traces.jsonl": Read("otlp", 4 + 2),
    "otlp/traceloop_anthropic.traces.jsonl": Read("otlp", 4 + 2),
    "otlp/genai_openai.traces.jsonl": Read("otlp", 7 + 2 + 1),
    "otlp/genai_openai_httpx.traces.jsonl": Read("otlp", 15),
    "otlp/openinference_openai.traces.jsonl": Read("otlp", 7 + 2 + 1),
    "otlp/traceloop_openai.traces.jsonl": Read("otlp", 7 + 2 + 1),
    "otlp/openai_sdk3/genai_openai.traces.jsonl": Read("otlp", 7 + 2 + 1),
    "otlp/openai_sdk3/openinference_openai.traces.jsonl": Read("otlp", 7 + 2 + 1),
    "otlp/openai_sdk3/traceloop_openai.traces.jsonl": Read("otlp", 7 + 2 + 1),
    "otlp/openai_v2.traces.jsonl": Read("otlp", 4 + 2 + 1),
    "otlp/openai_v2_latest.traces.jsonl": Read("otlp", 4 + 2 + 1),
    # Events of calls: those of the operation's details are calls, those with messages alone are none.
    "otlp/genai_anthropic.logs.jsonl": Read("otlp", 6),
    "otlp/genai_openai.logs.jsonl": Read("otlp", 9),
    "otlp/genai_openai_httpx.logs.jsonl": Read("otlp", 9),
    "otlp/openai_sdk3/genai_openai.logs.jsonl": Read("otlp", 9),
    "otlp/openai_v2.logs.jsonl": Read("otlp", 0),
    "otlp/openai_v2_latest.logs.jsonl": Read("otlp", 6),
    # Metrics are sums over time, not calls.
    "otlp/genai_anthropic.metrics.jsonl": Read("otlp", 0),
    "otlp/genai_openai.metrics.jsonl": Read("otlp", 0),
    "otlp/genai_openai_httpx.metrics.jsonl": Read("otlp", 0),
    "otlp/openai_sdk3/genai_openai.metrics.jsonl": Read("otlp", 0),
    "otlp/openai_sdk3/traceloop_openai.metrics.jsonl": Read("otlp", 0),
    "otlp/openai_v2.metrics.jsonl": Read("otlp", 0),
    "otlp/openai_v2_latest.metrics.jsonl": Read("otlp", 0),
    "otlp/traceloop_anthropic.metrics.jsonl": Read("otlp", 0),
    "otlp/traceloop_openai.metrics.jsonl": Read("otlp", 0),
    "otlp/console_exporter.txt": Read("otel-console", 1),
    "otlp/proto_json_format_base64.traces.jsonl": Read("otlp", 1),
    # Files of truth with four answers of the Messages API each, whose time has a name of its own.
    "otlp/anthropic_sdk_native.http_truth.jsonl": answered(4),
    "otlp/genai_anthropic.http_truth.jsonl": answered(4),
    "otlp/openinference_anthropic.http_truth.jsonl": answered(4),
    "otlp/traceloop_anthropic.http_truth.jsonl": answered(4),
    "vllm/vllm-0.29.0-otel.json": Read("otlp", 1),
}

NOT_READ: dict[str, str] = {
    "SOURCES.md": "describes the samples",
    "higress/default_accessLogFormat.txt": "the format's definition, no log",
    "kong/ai_log_example.json": "the member `ai` alone, without the line of the log around it",
    "litellm/client_view.jsonl": "what the client saw, without usage",
    "litellm/s3_v2_objects/_put_headers.jsonl": "headers of the requests that wrote the objects",
    "otlp/compare_with_truth.md": "describes the samples",
    **{
        f"otlp/{name}.http_truth.jsonl": "what the stand-in provider was asked, with usage in no shape of an answer"
        for name in (
            *("genai_openai", "genai_openai_httpx", "openai_v2", "openai_v2_latest"),
            *("openinference_openai", "traceloop_openai", "openai_sdk3/genai_openai"),
            *("openai_sdk3/openinference_openai", "openai_sdk3/traceloop_openai"),
        )
    },
}

GROUPS = ("litellm/s3_v2_objects/litellm-logs",)
"""Folders whose files have names that say nothing, taken as one."""


def group_of(path: Path) -> str:
    """Return the name under which the tables have a file."""
    name = path.relative_to(FIXTURES).as_posix()
    return next((group for group in GROUPS if name.startswith(f"{group}/")), name)


def grouped() -> dict[str, list[Path]]:
    """Return every file there is, by that name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(FIXTURES.rglob("*")):
        if path.is_file():
            found.setdefault(group_of(path), []).append(path)
    return found


FILES = grouped()


def test_every_file_has_its_line_in_the_tables() -> None:
    assert set(FILES) == {*READ, *NOT_READ}
    assert not READ.keys() & NOT_READ.keys()


def test_every_file_is_claimed_by_its_format_alone() -> None:
    paths = [path for files in FILES.values() for path in files]
    with engine.connect() as connection:
        found = identify.identify(connection, [identify.head_of(path) for path in paths], formats())
    claimed = {
        (group_of(path), each.format.name if each.format else None) for path, each in zip(paths, found, strict=True)
    }
    expected = {(name, READ[name].format if name in READ else None) for name in FILES}
    assert sorted(map(str, claimed - expected)) == sorted(map(str, expected - claimed)) == []
    assert not [each.problem for each in found if each.problem and "claimed by" in each.problem]


def read_alone(name: str) -> Read:
    """Return what the files of a name come to with the format of the table, by the format's SELECT."""
    form = formats()[READ[name].format]
    usable = "is_call AND reject_reason IS NULL"
    with engine.connect() as connection:
        broken = unreadable(connection, form.folder.name, *FILES[name])
        ((calls, rejected),) = connection.execute(
            f"SELECT count(DISTINCT dedupe_key) FILTER ({usable}), count(*) FILTER (reject_reason IS NOT NULL) "
            "FROM mapped"
        ).fetchall()
    return Read(form.name, calls, rejected + len(broken))


@pytest.mark.parametrize("name", READ)
def test_file_by_itself_gives_its_calls(name: str) -> None:
    if name not in FILES:
        pytest.skip(f"{name} is not there")
    assert read_alone(name) == READ[name]


@pytest.fixture(scope="module")
def all_together(once: Once) -> "tuple[Lab, IngestResult]":
    """Read the whole folder in one ingest."""

    def make(folder: Path) -> "tuple[Lab, IngestResult]":
        lab = Lab(folder)
        return lab, lab.ingest(FIXTURES)

    return once("fixtures", make)


def test_one_ingest_reads_every_file_with_its_format(all_together: "tuple[Lab, IngestResult]") -> None:
    _, result = all_together
    found = {(group_of(Path(each.source_file)), each.format) for each in result.files}
    texts = {name for name in FILES if name.endswith(".md")}
    assert {group_of(Path(name)) for name in result.left_out} == texts
    assert found == {(name, READ[name].format if name in READ else None) for name in FILES if name not in texts}


def test_one_ingest_rejects_what_each_file_alone_does(all_together: "tuple[Lab, IngestResult]") -> None:
    lab, result = all_together
    rejected: dict[str, int] = {}
    for each in result.files:
        name = group_of(Path(each.source_file))
        rejected[name] = rejected.get(name, 0) + each.rejected
    assert {name: count for name, count in rejected.items() if count} == {
        name: read.rejected for name, read in READ.items() if read.rejected
    }
    told = lab.rows("SELECT count(*), count(source_line), count(reason) FROM rejects")
    assert told == [(sum(rejected.values()),) * 3]


def test_one_ingest_counts_every_call_once(all_together: "tuple[Lab, IngestResult]") -> None:
    """LiteLLM's three ways to log a call, and copies of files, count once; so does what a file of truth repeats."""
    lab, result = all_together
    assert [(each.kept, each.left_out) for each in result.overlaps] == [("litellm", "anthropic-messages")]
    assert (
        result.total("bill_lines")
        == lab.value("SELECT count(*) FROM bills")
        == sum(read.calls for read in READ.values() if formats()[read.format].table == "bills")
    )
    assert lab.value("SELECT count(*) FROM attempts") == lab.value("SELECT count(DISTINCT attempt_id) FROM attempts")
    # 442 records of the proxy, 102 of the SDK, and the 8 billed timeouts that only the table tells of.
    assert lab.value("SELECT count(*) FROM attempts WHERE format LIKE 'litellm%'") == 442 + 102 + 8
    for name in ("codex", "openai-batch", "openrouter-broadcast", "otel-console"):
        alone = sum(read.calls for read in READ.values() if read.format == name)
        assert lab.value(f"SELECT count(*) FROM attempts WHERE format = '{name}'") == alone


def test_second_ingest_finds_nothing_new(all_together: "tuple[Lab, IngestResult]") -> None:
    lab, first = all_together
    before = lab.value("SELECT count(*) FROM attempts")
    again = lab.ingest(FIXTURES)
    assert again.total("attempts") == again.total("bill_lines") == 0
    assert lab.value("SELECT count(*) FROM attempts") == before
    read = {each.source_file for each in first.files if each.format and each.records}
    assert {each.source_file for each in again.files if each.unchanged} >= read
