"""Mapping files: what they may say, how every unit and place is read, and what an error says."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infercost import engine
from infercost.config import Config, load
from infercost.errors import ConfigError, MappingError
from infercost.ingest import mapping, mapping_paths, mapping_toml
from infercost.ingest.mapping_columns import CHOICES, FILLS, HELPERS, KINDS, MEANINGS, UNITS
from infercost.ingest.preview import preview
from infercost.ingest.registry import formats
from infercost.schema import MAPPED

if TYPE_CHECKING:
    from lab import Lab

ROOT = Path(__file__).resolve().parents[2]
Record = dict[str, Any]
Mapped = Callable[..., list[Record]]

BASE = """
name = "acme"
[columns]
id = "id"
started_at = "at"
model = "model"
input_tokens = "in"
output_tokens = "out"
"""


def record(number: int = 1, /, **changes: Any) -> Record:
    """Return a record that BASE reads."""
    base = {
        "id": f"c-{number}",
        "at": "2025-11-03T09:00:00Z",
        "model": "gpt-4o-mini",
        "in": 100 + number,
        "out": 10,
    }
    return {**base, **changes}


def toml(columns: str = "", top: str = "", tables: str = "", *, without: tuple[str, ...] = ()) -> str:
    """Return BASE with more keys, with more columns, with more tables, or without some of its columns."""
    lines = [line for line in BASE.splitlines() if line.split(" ")[0] not in without]
    return "\n".join([f"{lines[1]}\n{top}", *lines[2:], columns, tables])


@pytest.fixture
def mapped(lab: "Lab") -> Mapped:
    """Map records, or a file, with a mapping file; give the mapped rows as the engine's texts."""

    def run(text: str, log: list[Record] | Path) -> list[Record]:
        form = mapping.read(lab.write("acme.toml", text))
        path = log if isinstance(log, Path) else lab.write("acme.jsonl", log)
        columns = [each.name for each in MAPPED if each.name != "tags"]
        select = ", ".join(f"{name}::VARCHAR AS {name}" for name in columns)
        with engine.connect() as connection:
            assert not preview(connection, form, [path], 1 << 25)
            rows = connection.execute(
                f"SELECT {select}, to_json(tags)::VARCHAR FROM mapped ORDER BY record_number"
            ).fetchall()
        return [
            {**dict(zip(columns, row[:-1], strict=True)), "tags": json.loads(row[-1]) if row[-1] else {}}
            for row in rows
        ]

    return run


# What a file may say.


def problem(lab: "Lab", text: str) -> str:
    path = lab.write("acme.toml", text)
    with pytest.raises(MappingError) as caught:
        mapping.read(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert caught.value.hint
    assert caught.value.exit_code == 2
    return caught.value.message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not valid TOML: "),
        (toml(top="colour = 1"), "colour is not known; allowed: name, title, gateway, grain, "),
        (BASE.replace('name = "acme"', ""), "name is required and must be text"),
        (BASE.replace('"acme"', '""'), "name is required and must be text"),
        (BASE.replace('"acme"', "7"), "name is required and must be text"),
        (BASE.replace('"acme"', '"../acme"'), "name '../acme' must be lower-case letters and digits, joined with -"),
        (BASE.replace('"acme"', '"Acme Gateway"'), "name 'Acme Gateway' must be lower-case letters and digits"),
        ('name = "acme"', "[columns] is required and must be a table"),
        ('name = "acme"\ncolumns = 3', "[columns] is required and must be a table"),
        (toml(without=("started_at",)), "columns.started_at is required: without a time"),
        (toml(top="title = 3"), "title must be text"),
        (toml(top="gateway = []"), "gateway must be text"),
        (toml(top='grain = "bucket"'), "grain must be attempt or request, not 'bucket'"),
        (toml(top='missing = "-"'), "missing must be a list of texts"),
        (toml(top='instead_of = "kong"'), "instead_of must be a list of texts"),
        (toml(top='instead_of = ["kongo"]'), "instead_of: 'kongo' is not a format"),
        (toml(top='input_includes_cache = "yes"'), "input_includes_cache must be true or false"),
        (toml(top="output_includes_reasoning = 1"), "output_includes_reasoning must be true or false"),
        (toml('cache_read_tokens = "c"'), "input_includes_cache is required where cache tokens are mapped"),
        (toml('colour = "c"'), "columns.colour is not a column that can be mapped; allowed: id, model, "),
        (toml('list_cost = "c"'), "columns.list_cost is not a column that can be mapped"),
        (toml("region = 3"), "columns.region must be the path of a value, such as usage.prompt_tokens"),
        (toml("region = []"), "columns.region must be the path of a value"),
        (toml('region = ""'), "columns.region must be the path of a value"),
        (toml('region = ["a", 3]'), "columns.region must be the path of a value"),
        (toml('region = { from = "a", value = "b" }'), "columns.region needs either a path (from) or a constant"),
        (toml('region = { unit = "s" }'), "columns.region needs either a path (from) or a constant"),
        (toml('region = { from = "a", form = "b" }'), "columns.region.form is not known; allowed: from, value, unit"),
        (toml('region = { from = "a", unit = "s" }'), "columns.region.unit 's' is not known; allowed: none"),
        (toml('duration_seconds = { from = "a", unit = "h" }'), "unit 'h' is not known; allowed: s, ms, us, ns"),
        (toml('duration_seconds = { from = "a", unit = ["s"] }'), "unit ['s'] is not known; allowed: s, ms, us, ns"),
        (toml('reported_cost = { from = "a", unit = "eur" }'), "allowed: usd, cents, microdollars, nanodollars"),
        (toml('started_at = { from = "a", unit = "h" }', without=("started_at",)), "allowed: text, s, ms, us, ns"),
        (toml('reported_cost = { from = "a", per_dollar = 0 }'), "per_dollar must be a number from 0.001 to 1e12"),
        (toml('reported_cost = { from = "a", per_dollar = nan }'), "per_dollar must be a number from 0.001 to 1e12"),
        (toml('reported_cost = { from = "a", per_dollar = true }'), "per_dollar must be a number from 0.001 to 1e12"),
        (toml('reported_cost = { from = "a", per_dollar = 7e11 }'), "makes units that are no whole picodollars"),
        (toml('duration_seconds = { from = "a", per_dollar = 5 }'), "per_dollar is for reported_cost"),
        (toml('reported_cost = { from = "a", unit = "usd", per_dollar = 5 }'), "in the place of unit"),
        (toml('status = { from = "a", map = "ok" }'), "columns.status.map must be a table of texts"),
        (toml('status = { from = "a", map = { done = 1 } }'), "columns.status.map must be a table of texts"),
        (toml('ended_at = { from = "a", zone = "Mars" }'), "columns.ended_at.zone 'Mars' is not a time zone, such as"),
        (toml('ended_at = { from = "a", zone = "../x" }'), "columns.ended_at.zone '../x' is not a time zone"),
        (toml('ended_at = { from = "a", zone = 1 }'), "columns.ended_at.zone must be text"),
        (toml('ended_at = { from = "a", format = 1 }'), "columns.ended_at.format must be text"),
        (toml('ended_at = { from = "a", unit = "s", format = "%Y" }'), "zone and format are for times that are text"),
        (toml('region = { from = "a", zone = "UTC" }'), "columns.region: zone and format are for times"),
        (toml('id = { value = "x" }', without=("id",)), "columns.id needs a path: it is another one for each record"),
        (toml('started_at = { value = "2025-01-01" }', without=("started_at",)), "columns.started_at needs a path"),
        (toml("region = { value = [] }"), "columns.region.value must be text, a number, true or false"),
        (toml('usage_source = { value = "guess" }'), "value must be one of reported, estimated, missing, not 'guess'"),
        (toml('stream = { value = "often" }'), "columns.stream.value must be true or false, not 'often'"),
        (toml('sampling_rate = { value = "half" }'), "columns.sampling_rate.value must be a number, not 'half'"),
        (toml("http_status = { value = 2.5 }"), "columns.http_status.value must be a whole number, not 2.5"),
        (toml(tables="[only]\nkind = []"), "only.kind must name at least one value"),
        (
            toml(tables="[only]\nlog.kind = 'call'"),
            'only.log must be a list of texts; a name with dots stands in "quotes"',
        ),
        (toml(tables="[only]\n'a..b' = 'call'"), "only: 'a..b' is not a path: keys are joined with dots"),
        (toml(top="only = 3"), "only must be a table"),
        (toml(tables="[tags]\nfeature = 3"), "tags.feature must be the path of a value"),
        (toml(tables="[tags]\na.b = 'x'"), 'such as usage.prompt_tokens; a name with dots stands in "quotes"'),
        (toml(tables="[identify]\nany = []"), "identify.any is not known; allowed: all"),
        (toml(tables="[identify]\nall = 'x'"), "identify.all must be a list of texts"),
        (
            toml(tables="[identify]\nall = ['record ->']"),
            "identify.all: 'record ->' is no predicate over record: Parser",
        ),
        (toml(tables="[identify]\nall = ['body.x = 1']"), "identify.all: 'body.x = 1' is no predicate over record"),
        (toml('region = "Model"'), "keys that differ only in capitals cannot be told apart: Model, model"),
        (toml('region = "source_file"'), "a key named source_file at the top of a record cannot be read"),
    ],
)
def test_an_error_names_the_file_the_key_and_what_is_allowed(lab: "Lab", text: str, message: str) -> None:
    assert message in problem(lab, text)


@pytest.mark.parametrize(
    "path", ["a..b", ".a", "a.", "[0]", "a[x]", "a[-1]", "a[*]", "a[0", 'a"b', 'a."b', "$.a.b", "$[0]"]
)
def test_what_is_no_path_is_refused(lab: "Lab", path: str) -> None:
    assert f"columns.region: {path!r} is not a path: " in problem(lab, toml(f"region = {json.dumps(path)}"))


def test_a_file_that_is_not_there_or_not_text(lab: "Lab") -> None:
    with pytest.raises(MappingError, match=r"nowhere\.toml: No such file") as caught:
        mapping.read(lab.folder / "nowhere.toml")
    assert caught.value.hint == "Write one with: infercost formats new FILE"
    assert "not valid TOML" in problem(
        lab, "name = '\udcff'".encode("utf-8", "surrogateescape").decode("latin-1") + "="
    )


def test_every_column_has_a_kind_and_every_kind_a_meaning() -> None:
    real = {each.name for each in MAPPED}
    assert set(KINDS) - real == {name for name in HELPERS if name not in real}
    assert set(KINDS.values()) == set(MEANINGS)
    assert set(UNITS) <= set(MEANINGS)
    assert set(FILLS.values()) <= real
    assert set(CHOICES) == {name for name, kind in KINDS.items() if kind == "choice"}


def test_every_column_that_a_log_can_have_can_be_mapped() -> None:
    own = {"is_call", "reject_reason", "dedupe_key", "dedupe_rank", "record_number", "gateway", "tags", "contradiction"}
    assert {each.name for each in MAPPED} - own == {name for name in KINDS if name not in HELPERS}


# How values are read.


def test_the_columns_of_a_plain_record(mapped: Mapped) -> None:
    (row,) = mapped(BASE, [record()])

    assert row["is_call"] == "true"
    assert (row["dedupe_key"], row["dedupe_rank"]) == ("c-1", "111")
    assert row["started_at"] == "2025-11-03 09:00:00+00"
    assert (row["request_model"], row["response_model"], row["price_model"]) == ("gpt-4o-mini",) * 3
    assert (row["input_uncached_tokens"], row["output_text_tokens"]) == ("101", "10")
    assert (row["cache_read_tokens"], row["reasoning_tokens"]) == (None, None)
    assert (row["usage_source"], row["status"]) == ("reported", "ok")
    assert row["tags"] == {}


@pytest.mark.parametrize(
    ("how", "value", "expected"),
    [
        ("", "2025-11-03T09:00:00Z", "2025-11-03 09:00:00+00"),
        ("", "2025-11-03T09:00:00z", "2025-11-03 09:00:00+00"),
        ("", "2025-11-03 10:00:00+01", "2025-11-03 09:00:00+00"),
        ("", "2025-11-03T10:00:00.123456+0100", "2025-11-03 09:00:00.123456+00"),
        ("", "2025-11-03T04:00:00-05:00", "2025-11-03 09:00:00+00"),
        ("", "2025-11-03 09:00:00 UTC", "2025-11-03 09:00:00+00"),
        ("", "2025-11-03 09:00:00", "2025-11-03 09:00:00+00"),
        ("", "2025-11-03", "2025-11-03 00:00:00+00"),
        ('zone = "Europe/Berlin"', "2025-11-03 10:00:00", "2025-11-03 09:00:00+00"),
        ('zone = "Europe/Berlin"', "2025-07-03 11:00:00", "2025-07-03 09:00:00+00"),
        ('zone = "Europe/Berlin"', "2025-11-03 09:00:00Z", "2025-11-03 09:00:00+00"),
        ('zone = "Europe/Berlin"', "2025-11-03", "2025-11-02 23:00:00+00"),
        ('format = "%d/%b/%Y:%H:%M:%S %z"', "03/Nov/2025:10:00:00 +0100", "2025-11-03 09:00:00+00"),
        ('format = "%d.%m.%Y %H:%M"', "03.11.2025 09:00", "2025-11-03 09:00:00+00"),
        ('format = "%d.%m.%Y %H:%M", zone = "Asia/Tokyo"', "03.11.2025 18:00", "2025-11-03 09:00:00+00"),
        ('unit = "s"', 1762160400, "2025-11-03 09:00:00+00"),
        ('unit = "s"', "1762160400.123456", "2025-11-03 09:00:00.123456+00"),
        ('unit = "s"', 1762160400.25, "2025-11-03 09:00:00.25+00"),
        ('unit = "s"', "1.7621604e9", "2025-11-03 09:00:00+00"),
        ('unit = "ms"', 1762160400123, "2025-11-03 09:00:00.123+00"),
        ('unit = "us"', "1762160400123456", "2025-11-03 09:00:00.123456+00"),
        ('unit = "ns"', 1762160400123456789, "2025-11-03 09:00:00.123456+00"),
    ],
)
def test_times(mapped: Mapped, how: str, value: Any, expected: str) -> None:
    started = f'started_at = {{ from = "at"{", " + how if how else ""} }}'
    (row,) = mapped(toml(started, without=("started_at",)), [record(at=value)])

    assert (row["started_at"], row["reject_reason"]) == (expected, None)


@pytest.mark.parametrize(
    ("how", "value", "reason"),
    [
        ("", "yesterday", "started_at (at): not a time as text: yesterday"),
        ("", 1762160400, "started_at (at): not a time as text: 1762160400"),
        ('unit = "ms"', "2025-11-03", "started_at (at): not a time in ms: 2025-11-03"),
        ('format = "%d.%m.%Y"', "2025-11-03", "started_at (at): not a time as text like %d.%m.%Y: 2025-11-03"),
        ("", None, "no time at at"),
        ("", "-", "no time at at"),
    ],
)
def test_a_record_without_a_time_is_rejected_with_the_reason(mapped: Mapped, how: str, value: Any, reason: str) -> None:
    started = f'started_at = {{ from = "at"{", " + how if how else ""} }}'
    (row,) = mapped(toml(started, without=("started_at",)), [record(at=value)])

    assert row["reject_reason"] == reason


@pytest.mark.parametrize(
    ("unit", "value", "dollars"),
    [
        ("", 0.0001512, "0.0001512"),
        ("", "1.512e-04", "0.0001512"),
        ("", "$ 0.0001512", "0.0001512"),
        ("", "0.000000000001", "0.000000000001"),
        ("", 12345.67, "12345.67"),
        ('unit = "usd"', "-0.5", "-0.5"),
        ('unit = "cents"', "0.0000000001", "0.000000000001"),
        ('unit = "cents"', 12.345678901, "0.12345678901"),
        ('unit = "microdollars"', 151.2, "0.0001512"),
        ('unit = "nanodollars"', 151200, "0.0001512"),
        ("per_dollar = 500000", 75.6, "0.0001512"),
        ("per_dollar = 100", "0.01512", "0.0001512"),
        ("per_dollar = 1e12", 151200000, "0.0001512"),
        ("per_dollar = 0.5", 3, "6"),
        ("per_dollar = 8", 1, "0.125"),
    ],
)
def test_amounts_are_exact(mapped: Mapped, unit: str, value: Any, dollars: str) -> None:
    cost = f'reported_cost = {{ from = "cost"{", " + unit if unit else ""} }}'
    (row,) = mapped(toml(cost), [record(cost=value)])

    assert row["reject_reason"] is None
    assert Decimal(row["reported_cost"]) == Decimal(dollars)


@pytest.mark.parametrize("value", ["0,0123", "1,234.5", "free", "1e40"])
def test_an_amount_that_is_not_certain_is_rejected(mapped: Mapped, value: str) -> None:
    (row,) = mapped(toml('reported_cost = "cost"'), [record(cost=value)])

    assert row["reject_reason"] == f"reported_cost (cost): not an amount in usd: {value}"


@pytest.mark.parametrize(("unit", "value"), [("s", 0.912), ("ms", "912"), ("us", 912000.0), ("ns", "9.12e8")])
def test_durations(mapped: Mapped, unit: str, value: Any) -> None:
    text = toml(f'duration_seconds = {{ from = "t", unit = "{unit}" }}\ntime_to_first_token_seconds = "f"')
    (row,) = mapped(text, [record(t=value, f=0.2)])

    assert float(row["duration_seconds"]) == pytest.approx(0.912)
    assert float(row["time_to_first_token_seconds"]) == 0.2


def test_the_end_gives_the_duration_unless_that_is_mapped(mapped: Mapped) -> None:
    end = {"end": "2025-11-03T09:00:02.5Z"}

    assert mapped(toml('ended_at = "end"'), [record(**end)])[0]["duration_seconds"] == "2.5"
    both = toml('ended_at = "end"\nduration_seconds = "t"')
    assert mapped(both, [record(**end, t=9)])[0]["duration_seconds"] == "9.0"


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("http_status", "200", "200"),
        ("http_status", 200.0, "200"),
        ("attempt_number", "2", "2"),
        ("web_search_requests", 3, "3"),
        ("stream", True, "true"),
        ("stream", "yes", "true"),
        ("stream", 0, "false"),
        ("is_retry", "False", "false"),
        ("weight", "10", "10.0"),
        ("region", 7, "7"),
        ("region", " eu ", "eu"),
        ("region", True, "true"),
        ("user_id", "0012", "0012"),
        ("user_id", "12e45", "12e45"),
        ("user_id", 12345678901234567890, "12345678901234567890"),
        ("error_type", {"type": "x", "message": "a prompt"}, None),
        ("error_type", ["a prompt"], None),
        ("error_type", "{not json", "{not json"),
        ("usage_source", "Estimated", "estimated"),
        ("gateway_cache", "HIT", "hit"),
        ("service_tier", "default", None),
        ("service_tier", "Flex", "flex"),
    ],
)
def test_values_by_kind(mapped: Mapped, column: str, value: Any, expected: str | None) -> None:
    (row,) = mapped(toml(f'{column} = "x"'), [record(x=value)])

    assert (row[column], row["reject_reason"]) == (expected, None)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("http_status", "OK", "http_status (x): not a whole number: OK"),
        ("cache_write_30m_tokens", 12.5, "cache_write_30m_tokens (x): not a whole number: 12.5"),
        ("reasoning_tokens", "1,024", "reasoning_tokens (x): not a whole number: 1,024"),
        ("duration_seconds", "fast", "duration_seconds (x): not a number in s: fast"),
        ("weight", "nan", "weight (x): not a number: nan"),
        ("stream", "maybe", "stream (x): not true or false: maybe"),
        ("status", "done", "status (x): not one of ok, error, cancelled (add it to map): done"),
        ("gateway_cache", "stale", "gateway_cache (x): not one of exact, semantic, hit, miss (add it to map): stale"),
        (
            "status",
            "it's " + "x" * 100,
            "status (x): not one of ok, error, cancelled (add it to map): it's " + "x" * 35,
        ),
    ],
)
def test_a_value_of_another_kind_rejects_the_record(mapped: Mapped, column: str, value: Any, reason: str) -> None:
    (row,) = mapped(toml(f'{column} = "x"', top="input_includes_cache = true"), [record(x=value)])

    assert row["reject_reason"] == reason


def test_the_status_is_mapped_or_follows_from_the_http_status_or_the_error(mapped: Mapped) -> None:
    text = toml(
        'status = { from = "s", map = { done = "ok", "it\'s late" = "error", true = "ok", gone = "cancelled" } }\n'
        'http_status = "h"\nerror_type = "e"'
    )
    rows = mapped(
        text,
        [
            record(s="done", h=500),
            record(s="it's late"),
            record(s=True),
            record(s="gone"),
            record(s="OK"),
            record(h=404),
            record(h=499),
            record(h=200, e="x"),
            record(e="timeout"),
            record(),
        ],
    )

    assert [row["status"] for row in rows] == [
        *("ok", "error", "ok", "cancelled", "ok"),
        *("error", "cancelled", "ok", "error", "ok"),
    ]


def test_constants(mapped: Mapped) -> None:
    text = toml(
        'provider_name = { value = "openai" }\nstream = { value = false }\nsampling_rate = { value = 0.1 }\n'
        'usage_source = { value = "estimated" }\nregion = { value = "it\'s" }\nattempt_number = { value = 1 }',
        top='title = "Acme"\ngateway = "acme_gateway"\ngrain = "request"',
    )
    (row,) = mapped(text, [record()])

    assert (row["provider_name"], row["stream"], row["region"], row["attempt_number"]) == (
        "openai",
        "false",
        "it's",
        "1",
    )
    assert (row["weight"], row["usage_source"]) == ("10.0", "estimated")


def test_the_first_place_with_a_value_is_taken(mapped: Mapped) -> None:
    text = toml('region = ["meta.region", "region", "zone"]')
    rows = mapped(
        text,
        [record(meta={"region": "a"}, region="b"), record(meta={}, region="b"), record(region="-", zone="c"), record()],
    )

    assert [row["region"] for row in rows] == ["a", "b", "c", None]


def test_missing_texts_are_none(mapped: Mapped) -> None:
    records = [record(region="-"), record(region="None"), record(region=" "), record(region="n/a"), record(region=0)]

    assert [row["region"] for row in mapped(toml('region = "region"'), records)] == [None, "None", None, "n/a", "0"]
    own = toml('region = "region"', top='missing = ["None", "n/a", 0]')
    assert [row["region"] for row in mapped(own, records)] == ["-", None, "", None, None]
    none = toml('region = "region"', top="missing = []")
    assert [row["region"] for row in mapped(none, records)] == ["-", "None", "", "n/a", "0"]


# Where values lie.

HOSTILE = [
    "it's",
    'say "hi"',
    "a'; DROP TABLE raw; --",
    "back\\slash",
    "*",
    "#",
    "a/b~c",
    "$",
    "$model",
    "tokens[in]",
    "with space",
    "é😀",
    "0",
    "?",
    "a,b",
    "{x}",
    "%s",
]


@pytest.mark.parametrize("key", HOSTILE)
def test_any_key_can_be_named_at_the_top_and_below(mapped: Mapped, key: str) -> None:
    quoted = mapping_paths.written([key])
    text = toml(
        f"region = {json.dumps(quoted, ensure_ascii=False)}\n"
        f"deployment = {json.dumps(f'inner.{quoted}', ensure_ascii=False)}\n"
    )
    (row,) = mapped(text, [record(**{key: "top", "inner": {key: "below"}})])

    assert (row["region"], row["deployment"]) == ("top", "below")


def test_a_dotted_path_is_one_key_or_leads_inside(mapped: Mapped) -> None:
    text = toml(
        'reasoning_tokens = "gen_ai.usage.reasoning"\nregion = \'labels."cloud.region"\'\n'
        'deployment = "choices[1].backend"\nendpoint = "matrix[0][1]"'
    )
    rows = mapped(
        text,
        [
            record(**{"gen_ai.usage.reasoning": 3, "labels": {"cloud.region": "eu"}}),
            record(gen_ai={"usage": {"reasoning": 4}}, labels={"cloud": {"region": "us"}}),
            record(choices=[{"backend": "a"}, {"backend": "b"}], matrix=[["x", "/v1"]]),
            record(**{"gen_ai.usage.reasoning": None, "gen_ai": {"usage": {"reasoning": 5}}}, choices=7),
        ],
    )

    assert [row["reasoning_tokens"] for row in rows] == ["3", "4", None, "5"]
    assert [row["region"] for row in rows] == ["eu", None, None, None]
    assert [row["deployment"] for row in rows] == [None, None, "b", None]
    assert [row["endpoint"] for row in rows] == [None, None, "/v1", None]


def test_an_object_that_is_kept_as_text_is_looked_into(mapped: Mapped) -> None:
    (row,) = mapped(toml('region = "meta.region"'), [record(meta='{"region": "eu"}')])
    assert row["region"] == "eu"
    (row,) = mapped(toml('region = "meta.region"'), [record(meta="no object")])
    assert row["region"] is None


NESTED = toml(
    'cache_read_tokens = "usage.cached"\nregion = "meta.region"\nuser_id = "user"\nreported_cost = "cost"',
    top="input_includes_cache = true",
    tables='[tags]\n"*" = "meta"',
)


def test_a_csv_table(mapped: Mapped, lab: "Lab") -> None:
    path = lab.write(
        "acme.csv",
        "id,at,model,in,out,usage,meta,user,cost,notes\n"
        'c-1,2025-11-03 09:00:00,gpt-4o-mini,120,10,"{""cached"": 20}","{""region"": ""eu"", ""n"": 3}",12e45,1e-05,x\n'
        "c-2,2025-11-03 09:00:01,gpt-4o-mini,120.0,,,,0012,-,\n",
    )
    rows = mapped(NESTED, path)

    assert [row["input_uncached_tokens"] for row in rows] == ["100", "120"]
    assert [row["user_id"] for row in rows] == ["12e45", "0012"]
    assert [row["reported_cost"] for row in rows] == ["0.000010000000", None]
    assert [row["tags"] for row in rows] == [{"region": "eu", "n": "3"}, {}]
    assert lab.ingest(path, settings=Config(mappings=(lab.folder / "acme.toml",))).total("attempts") == 2


def test_a_parquet_table(mapped: Mapped, lab: "Lab") -> None:
    start = datetime(2025, 11, 3, 9, tzinfo=UTC)
    rows = [
        {**record(n), "at": start + timedelta(microseconds=n), "usage": {"cached": n}, "meta": {"region": "eu"}}
        | {"user": "0012", "cost": Decimal("0.000000012345")}
        for n in range(1, 4)
    ]
    path = lab.folder / "acme.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    found = mapped(NESTED, path)

    assert [row["started_at"] for row in found] == [f"2025-11-03 09:00:00.00000{n}+00" for n in (1, 2, 3)]
    assert [row["input_uncached_tokens"] for row in found] == ["100"] * 3
    assert [row["region"] for row in found] == ["eu"] * 3
    assert [row["reported_cost"] for row in found] == ["0.000000012345"] * 3
    assert lab.ingest(path, settings=Config(mappings=(lab.folder / "acme.toml",))).total("attempts") == 3


def test_a_page_of_records(mapped: Mapped, lab: "Lab") -> None:
    path = lab.write("acme.json", json.dumps({"data": [record(1), record(2)], "next": None}, indent=1))

    assert [row["dedupe_key"] for row in mapped(BASE, path)] == ["c-1", "c-2"]


# Tokens.


def test_input_that_includes_the_cache(mapped: Mapped) -> None:
    text = toml(
        'cache_read_tokens = "r"\ncache_write_tokens = "w"\nreasoning_tokens = "t"\ninput_audio_tokens = "a"',
        top="input_includes_cache = true",
    )
    rows = mapped(text, [record(**{"in": 100, "r": 60, "w": 10, "a": 5, "out": 50, "t": 20}), record(**{"in": 100})])

    assert [row["input_uncached_tokens"] for row in rows] == ["25", "100"]
    assert [row["cache_write_5m_tokens"] for row in rows] == ["10", None]
    assert [row["output_text_tokens"] for row in rows] == ["30", "10"]
    assert [row["contradiction"] for row in rows] == [None, None]


def test_input_that_excludes_the_cache(mapped: Mapped) -> None:
    text = toml(
        'cache_read_tokens = "r"\ncache_write_1h_tokens = "w"\nreasoning_tokens = "t"\ninput_audio_tokens = "a"',
        top="input_includes_cache = false\noutput_includes_reasoning = false",
    )
    (row,) = mapped(text, [record(**{"in": 100, "r": 900, "w": 10, "a": 5, "out": 50, "t": 70})])

    assert (row["input_uncached_tokens"], row["cache_read_tokens"], row["cache_write_1h_tokens"]) == ("95", "900", "10")
    assert (row["output_text_tokens"], row["reasoning_tokens"]) == ("50", "70")
    assert row["contradiction"] is None


def test_a_part_larger_than_the_total_contradicts_the_rule(mapped: Mapped) -> None:
    text = toml('cache_read_tokens = "r"\nreasoning_tokens = "t"', top="input_includes_cache = true")
    rows = mapped(text, [record(**{"in": 100, "r": 900}), record(out=10, t=11)])

    assert "cached tokens (900) exceeds input_tokens (100)" in rows[0]["contradiction"]
    assert (rows[0]["input_uncached_tokens"], rows[0]["cache_read_tokens"]) == ("100", "900")
    assert "reasoning tokens (11) exceeds output_tokens (10)" in rows[1]["contradiction"]


def test_cache_writes_in_all_and_by_lifetime_are_counted_once(mapped: Mapped) -> None:
    text = toml(
        'cache_write_tokens = "w"\ncache_write_5m_tokens = "w5"\ncache_write_1h_tokens = "w1"',
        top="input_includes_cache = true",
    )
    rows = mapped(
        text,
        [
            record(**{"in": 100, "w": 30, "w5": 10, "w1": 20}),
            record(**{"in": 100, "w": 30, "w1": 20}),
            record(**{"in": 100, "w": 30}),
            record(**{"in": 100, "w5": 10}),
            record(**{"in": 100}),
        ],
    )

    assert [row["cache_write_5m_tokens"] for row in rows] == ["10", "10", "30", "10", None]
    assert [row["cache_write_1h_tokens"] for row in rows] == ["20", "20", None, None, None]
    assert [row["input_uncached_tokens"] for row in rows] == ["70", "70", "70", "90", "100"]


def test_disjoint_columns_are_taken_as_they_are(mapped: Mapped) -> None:
    text = toml(
        'input_uncached_tokens = "i"\ncache_read_tokens = "r"\noutput_text_tokens = "o"',
        top="input_includes_cache = true",
        without=("input_tokens", "output_tokens"),
    )
    (row,) = mapped(text, [record(i=5, r=900, o=7)])

    assert (row["input_uncached_tokens"], row["cache_read_tokens"], row["output_text_tokens"]) == ("5", "900", "7")


def test_a_call_without_tokens_is_a_call_whose_usage_is_missing(mapped: Mapped) -> None:
    (row,) = mapped(BASE, [record(**{"in": None, "out": "-"})])

    assert (row["is_call"], row["usage_source"], row["input_uncached_tokens"]) == ("true", "missing", None)


def test_a_negative_count_is_rejected(lab: "Lab") -> None:
    result = lab.ingest(lab.write("a.jsonl", [record(**{"in": -5})]), chosen=str(lab.write("acme.toml", BASE)))

    assert (result.total("attempts"), result.total("rejected")) == (0, 1)
    assert lab.rejects() == [(1, "a token count is negative")]


# Which records are calls, and which are one.


def test_other_records_are_skipped(mapped: Mapped) -> None:
    other = {"at": "2025-11-03T09:00:00Z", "id": "x", "level": "info"}

    assert [row["is_call"] for row in mapped(BASE, [record(), other])] == ["true", "false"]


def test_only_names_the_calls(mapped: Mapped) -> None:
    text = toml(tables='[only]\n"log.kind" = ["llm", "embed"]\nbilled = true')
    rows = mapped(
        text,
        [
            record(log={"kind": "llm"}, billed=True),
            record(**{"log.kind": "embed", "billed": "true"}),
            record(log={"kind": "chat"}, billed=True),
            record(log={"kind": "llm"}, billed=False),
            record(),
            {"at": "2025-11-03T09:00:00Z", "log": {"kind": "llm"}, "billed": True},
        ],
    )

    assert [row["is_call"] for row in rows] == ["true", "true", "false", "false", "false", "true"]
    assert [row["reject_reason"] for row in rows] == [None] * 6


def test_one_id_is_one_call_and_the_fuller_copy_wins(lab: "Lab") -> None:
    records = [record(), record(out=None), record(out=90), record(2)]
    form = lab.write("acme.toml", BASE)
    for name, part in (("forward", records), ("backward", records[::-1])):
        result = lab.ingest(lab.write(f"{name}.jsonl", part), chosen=str(form), store=name)
        assert (result.total("attempts"), result.total("duplicates")) == (2, 2)
        found = lab.rows("SELECT input_tokens, output_tokens FROM attempts ORDER BY ALL", name)
        assert found == [(101, 90), (102, 10)]


def test_without_an_id_only_records_equal_in_everything_are_one(lab: "Lab") -> None:
    text = toml(tables='[tags]\nfeature = "feature"', without=("id",))
    records = [record(), record(), record(note="not mapped"), record(out=11), record(feature="x")]
    result = lab.ingest(lab.write("a.jsonl", records), chosen=str(lab.write("acme.toml", text)))

    assert (result.total("attempts"), result.total("duplicates")) == (3, 2)


def test_a_record_without_its_id_is_told_by_everything_else(lab: "Lab") -> None:
    records = [record(id=None), record(id="-"), record(id=None, out=3)]
    result = lab.ingest(lab.write("a.jsonl", records), chosen=str(lab.write("acme.toml", BASE)))

    assert (result.total("attempts"), result.total("duplicates")) == (2, 1)


def test_ids_of_people_and_keys_are_hashed(lab: "Lab") -> None:
    text = toml('user_id = "user"\napi_key_id = "key"\napi_key_name = "alias"')
    log = lab.write("a.jsonl", [record(user="anna", key="key-demo", alias="prod")])
    form = lab.write("acme.toml", text)
    lab.ingest(log, chosen=str(form))
    lab.ingest(log, chosen=str(form), store="plain", settings=Config(hash_ids=False))
    select = "SELECT user_id, api_key_id, api_key_name FROM attempts"

    ((user, key, alias),) = lab.rows(select)
    assert alias == "prod"
    assert user not in ("anna", None)
    assert key not in ("key-demo", None)
    assert lab.rows(select, "plain") == [("anna", "key-demo", "prod")]


def test_tags(mapped: Mapped) -> None:
    text = toml(
        tables='[tags]\nfeature = "labels.feature"\n"it\'s" = "owner"\n"*" = "labels"\n'
        '"app.*" = "app"\n"bare*" = "text"'
    )
    rows = mapped(
        text,
        [
            record(
                labels={"feature": "search", "n": 3, "deep": {"x": 1}, "none": None, "long": "p" * 300},
                owner="-",
                app={"name": "web"},
                text="no object",
            ),
            record(labels='{"feature": "chat"}', owner="anna"),
            record(),
        ],
    )

    assert [row["tags"] for row in rows] == [
        {"feature": "search", "n": "3", "app.name": "web"},
        {"feature": "chat", "it's": "anna"},
        {},
    ]


# How a log is recognised, and what a mapping stands beside.


def test_the_log_is_recognised_by_the_places_of_its_values(lab: "Lab") -> None:
    lab.write("acme.toml", BASE)
    settings = Config(mappings=(lab.folder / "acme.toml",))
    result = lab.ingest(lab.write("a.jsonl", [{"level": "info"}, record()]), settings=settings)
    other = lab.ingest(lab.write("b.jsonl", [{**record(), "in": 1, "model": 1} | {"out2": 1}]), settings=settings)
    strange = lab.ingest(lab.write("c.jsonl", [{"at": 1, "id": 2}]), settings=settings)

    assert [(each.format, each.problem) for each in result.files] == [("acme", None)]
    assert [each.format for each in other.files] == ["acme"]
    assert strange.files[0].format is None


def test_predicates_of_ones_own(lab: "Lab") -> None:
    text = toml(tables="[identify]\nall = [\"record ->> '$.source' = 'acme'\"]")
    settings = Config(mappings=(lab.write("acme.toml", text),))
    result = lab.ingest(
        lab.write("a.jsonl", [record(source="acme")]), lab.write("b.jsonl", [record(source="b")]), settings=settings
    )

    assert [each.format for each in result.files] == ["acme", None]


ENVOY = """
name = "edge"
instead_of = ["envoy-ai-gateway"]
input_includes_cache = false
[columns]
id = "x-request-id"
started_at = "start_time"
duration_seconds = { from = "duration", unit = "ms" }
model = "gen_ai.response.model"
input_tokens = "gen_ai.usage.input_tokens"
cache_read_tokens = "gen_ai.usage.cached_input_tokens"
output_tokens = "gen_ai.usage.output_tokens"
http_status = "response_code"
"""


def test_a_mapping_takes_the_place_of_a_packaged_format(lab: "Lab") -> None:
    sample = formats()["envoy-ai-gateway"].sample
    lab.write("edge.toml", ENVOY)
    settings = Config(mappings=(lab.folder / "edge.toml",))
    before = lab.ingest(sample, store="before")
    after = lab.ingest(sample, settings=settings)
    lab.write("edge.toml", ENVOY.replace('instead_of = ["envoy-ai-gateway"]', ""))
    both = lab.ingest(sample, settings=settings, store="both")

    assert [each.format for each in before.files] == ["envoy-ai-gateway"]
    assert [each.format for each in after.files] == ["edge"]
    assert lab.value("SELECT count(*) FROM attempts") == after.total("attempts") > 0
    assert both.files[0].problem == "claimed by edge and envoy-ai-gateway; choose one with --format"


def test_a_name_that_a_packaged_format_has_is_refused(lab: "Lab") -> None:
    lab.write("acme.toml", BASE.replace('"acme"', '"kong"'))
    done = lab.call("ingest", "logs", lab.write("a.jsonl", [record()]), "--config", configured(lab, "acme.toml"))

    assert done.code != 0
    assert "two formats are named 'kong'" in done.err


def configured(lab: "Lab", *patterns: str) -> Path:
    return lab.write("infercost.toml", f"[ingest]\nmappings = {json.dumps(patterns)}\n")


def test_in_the_configuration_or_chosen_it_reads_the_same(lab: "Lab") -> None:
    log = lab.write("a.jsonl", [record(n) for n in range(5)])
    form = lab.write("maps/acme.toml", BASE)
    found = load(configured(lab, "maps/*.toml"))
    lab.ingest(log, settings=found)
    lab.ingest(log, chosen=str(form), store="chosen")

    assert found.mappings == (form,)
    assert lab.attempts(without=("load_id",)) == lab.attempts("chosen", without=("load_id",))
    assert lab.rows("SELECT DISTINCT format, gateway, grain FROM attempts") == [("acme", "acme", "attempt")]
    again = lab.ingest(log, chosen=str(form), store="store")
    assert again.files[0].unchanged


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('["nowhere/a.toml"]', "ingest.mappings: 'nowhere/a.toml' names no file"),
        ('"acme.toml"', "ingest.mappings: must be a list of texts"),
        ("[1]", "ingest.mappings: must be a list of texts"),
    ],
)
def test_a_configuration_that_names_no_mapping(lab: "Lab", value: str, message: str) -> None:
    path = lab.write("infercost.toml", f"[ingest]\nmappings = {value}\n")
    with pytest.raises(ConfigError, match="mappings") as caught:
        load(path)
    assert message in caught.value.message


def test_a_store_with_calls_of_a_mapping_that_is_gone_can_still_be_read_and_written(lab: "Lab") -> None:
    form = lab.write("acme.toml", BASE)
    lab.ingest(lab.write("a.jsonl", [record()]), chosen=str(form))
    lab.ingest(formats()["litellm"].sample)

    assert lab.value("SELECT count(DISTINCT format) FROM attempts") == 2


def test_the_sample_of_the_documentation(lab: "Lab") -> None:
    data = ROOT / "tests" / "data"
    result = lab.ingest(data / "acme-gateway.jsonl", chosen=str(data / "acme.toml"))

    assert (result.total("attempts"), result.total("duplicates"), result.total("skipped")) == (7, 1, 1)
    assert lab.rows(
        "SELECT sum(input_tokens), sum(output_tokens), sum(reported_cost) = sum(effective_cost) FROM attempts"
    ) == [(16740, 1026, True)]
    assert lab.rows("SELECT status, count(*) FROM attempts GROUP BY ALL ORDER BY ALL") == [
        ("cancelled", 1),
        ("error", 1),
        ("ok", 5),
    ]


# Whatever the layout, what was put in comes out.

KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=8)
COLUMNS = ("id", "started_at", "model", "input_tokens", "cache_read_tokens", "output_tokens", "reported_cost", "region")
COUNTS = st.integers(0, 10**9)
TEXTS = st.text(st.sampled_from("abc-_/.:'\" é"), min_size=1, max_size=12).map(lambda text: f"x{text}x")
TIMES = st.integers(1_580_000_000, 1_740_000_000).map(lambda second: datetime(1970, 1, 1) + timedelta(0, second))  # noqa: DTZ001 - as DuckDB gives UTC back
UNITS_OF_TIME = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
UNITS_OF_COST = {"usd": 0, "cents": 2, "microdollars": 6, "nanodollars": 9}


@st.composite
def layouts(draw: st.DrawFn) -> tuple[str, list[Record], list[Record]]:
    """Return a mapping file, records in its layout, and what went into them."""
    # One letter more for each, so that no path leads through another, nor differs from it in capitals alone.
    paths = {
        column: tuple(f"{chr(97 + place)}{key}" for key in draw(st.lists(KEYS, min_size=1, max_size=3)))
        for place, column in enumerate(COLUMNS)
    }
    time_unit = draw(st.sampled_from(list(UNITS_OF_TIME)))
    cost_unit = draw(st.sampled_from(list(UNITS_OF_COST)))
    units = {"started_at": time_unit, "reported_cost": cost_unit}
    truth = [
        {
            "id": f"c-{number}",
            "started_at": draw(TIMES).replace(microsecond=0),
            "model": draw(TEXTS),
            "input_tokens": draw(COUNTS),
            "cache_read_tokens": draw(COUNTS),
            "output_tokens": draw(COUNTS),
            "reported_cost": Decimal(draw(st.integers(0, 10**12))).scaleb(-9),
            "region": draw(TEXTS),
        }
        for number in range(draw(st.integers(1, 4)))
    ]
    columns = "\n".join(
        f"{column} = {{ from = {_toml_text(mapping_paths.written(keys))}"
        + (f', unit = "{units[column]}"' if column in units else "")
        + " }"
        for column, keys in paths.items()
    )
    text = f'name = "acme"\ninput_includes_cache = false\nmissing = []\n[columns]\n{columns}\n'
    as_text = draw(st.booleans())
    return text, [_laid_out(each, paths, time_unit, cost_unit, as_text=as_text) for each in truth], truth


def _toml_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _laid_out(
    truth: Mapping[str, Any], paths: Mapping[str, tuple[str, ...]], time_unit: str, cost_unit: str, *, as_text: bool
) -> Record:
    found: Record = {}
    for column, keys in paths.items():
        value = truth[column]
        if column == "started_at":
            value = int(value.replace(tzinfo=UTC).timestamp()) * UNITS_OF_TIME[time_unit]
        elif column == "reported_cost":
            value = value.scaleb(UNITS_OF_COST[cost_unit])
            value = f"{value:f}" if as_text else float(value)
        place = found
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = str(value) if as_text else value
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layouts())
def test_a_mapping_recovers_what_was_put_in(lab: "Lab", layout: tuple[str, list[Record], list[Record]]) -> None:
    text, records, truth = layout
    form = mapping.as_format(mapping_toml.parse(lab.write("acme.toml", text)))
    path = lab.write("acme.jsonl", records)
    with engine.connect() as connection:
        assert not preview(connection, form, [path], 1 << 25)
        rows = connection.execute(
            "SELECT dedupe_key, started_at AT TIME ZONE 'UTC', price_model, input_uncached_tokens, cache_read_tokens, "
            "output_text_tokens, reported_cost, region, reject_reason FROM mapped ORDER BY record_number"
        ).fetchall()

    assert [row[:-1] for row in rows] == [tuple(each.values()) for each in truth]
    assert {row[-1] for row in rows} == {None}


@given(st.lists(KEYS, min_size=1, max_size=5))
def test_a_written_path_leads_over_its_keys(keys: list[str]) -> None:
    assert mapping_paths.steps(mapping_paths.written(keys)) == tuple(keys)
