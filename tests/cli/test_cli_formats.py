"""`infercost formats`: the list, a proposal for a log that nothing reads, and what a format makes of a file."""

import csv
import json
import re
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, lines

from cli.conftest import ROOT, Cli, infercost
from infercost.errors import ExitCode, MappingError
from infercost.ingest import mapping
from infercost.ingest.propose import propose
from infercost.ingest.registry import GROUPS, formats

Record = dict[str, Any]
ACME = ROOT / "tests" / "data" / "acme.toml"
ACME_LOG = ROOT / "tests" / "data" / "acme-gateway.jsonl"
LITELLM = formats()["litellm"].sample

# The list.


def test_the_list_names_every_format_and_what_it_cannot_tell(cli: Cli) -> None:
    done = cli("formats")

    assert (done.code, done.err) == (0, "")
    for form in formats().values():
        assert f"{form.name}: {form.title}\n" in done.text
    assert done.text.count("  written by   ") == len(formats())
    assert "(a bill, kept apart from the attempts)" in done.text


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_of_formats(cli: Cli, group: str) -> None:
    found = json.loads(cli("formats", "--group", group, "--json").text)

    assert found
    assert [each["name"] for each in found] == [each.name for each in formats().values() if each.group == group]


def test_an_unknown_group_names_those_there_are(cli: Cli) -> None:
    done = cli("formats", "--group", "proxies")

    assert (done.code, done.out) == (ExitCode.BAD_USAGE, b"")
    assert "--group proxies: not a group of formats" in done.err
    assert "Groups: gateway, provider, agent, " in done.err


def test_json_has_the_whole_declaration_and_no_paths_of_the_machine(cli: Cli) -> None:
    found = json.loads(cli("formats", "--json").text)
    kong = next(each for each in found if each["name"] == "kong")

    assert set(kong) >= {"title", "group", "grain", "written_by", "how_to_get", "dedupe", "tokens", "time", "cost"}
    assert isinstance(kong["cannot_tell"], list)
    assert not set(kong) & {"folder", "map_sql"}
    assert str(ROOT) not in json.dumps(found)


def test_the_users_mappings_are_listed(cli: Cli, tmp_path: Path) -> None:
    shutil.copy(ACME, tmp_path / "acme.toml")
    (tmp_path / "infercost.toml").write_text('[ingest]\nmappings = ["acme.toml"]\n')
    found = {each["name"]: each for each in json.loads(cli("formats", "--json").text)}

    assert found["acme"]["title"] == "Acme gateway"
    assert len(found) == len(formats()) + 1
    assert len(found["acme"]["cannot_tell"]) == 1
    assert found["acme"]["cannot_tell"][0].startswith("what is not mapped: request_id, ")
    assert "price_model" not in found["acme"]["cannot_tell"][0]


def test_a_broken_mapping_of_the_configuration_is_an_error(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text("name = 'acme'\n")
    (tmp_path / "infercost.toml").write_text('[ingest]\nmappings = ["acme.toml"]\n')
    for arguments in (["formats"], ["formats", "check", "litellm", str(LITELLM)], ["ingest", "logs", str(LITELLM)]):
        done = cli(*arguments)
        assert (done.code, done.out) == (ExitCode.BAD_USAGE, b"")
        assert "acme.toml: [columns] is required and must be a table" in done.err


def test_a_list_starts_no_slower_than_it_must(tmp_path: Path) -> None:
    infercost("formats", "--json", folder=tmp_path)
    began = time.perf_counter()
    infercost("formats", "--json", folder=tmp_path)

    assert time.perf_counter() - began < 3


# A proposal.

SAMPLES = [(name, sample) for name, form in formats().items() for sample in form.samples]


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=[f"{name}-{sample.name}" for name, sample in SAMPLES])
def test_a_proposal_for_any_log_is_a_mapping_file(name: str, sample: Path, tmp_path: Path) -> None:
    text = propose(sample, name)
    path = tmp_path / "acme.toml"
    path.write_text(text, encoding="utf-8")

    assert f'# instead_of = ["{name}"]  # the format {name} reads this log already' in text
    if "# started_at =" in text:
        with pytest.raises(MappingError, match=r"columns\.started_at is required"):
            mapping.read(path)
    else:
        assert mapping.read(path).identify


@pytest.mark.parametrize("name", ["litellm", "kong", "aws-cur", "claude-code"])
def test_a_log_that_a_format_reads_needs_no_mapping(cli: Cli, name: str) -> None:
    sample = formats()[name].sample
    done = cli("formats", "new", str(sample))

    assert done.code == 0
    assert f"{sample}: the format {name} reads this file already; a mapping is not needed" in done.err
    assert done.text.startswith("# Proposed from ")


def test_a_log_that_a_mapping_of_the_user_reads_needs_no_other(cli: Cli, tmp_path: Path) -> None:
    shutil.copy(ACME, tmp_path / "acme.toml")
    (tmp_path / "infercost.toml").write_text('[ingest]\nmappings = ["acme.toml"]\n')

    assert "the format acme reads this file already" in cli("formats", "new", str(ACME_LOG)).err


def test_a_proposal_is_valid_whatever_the_log_holds(lab: Lab) -> None:
    strange = {
        "at": 1762160400,
        "model": "gpt-4o-mini",
        "usage": {"prompt": 10, 'quo"te': "x", "new\nline": "x", "": "x", "é": "\u0000\x7f", "a.b": 3, "tokens[in]": 4},
        "text": "p" * 100,
        'say "it\'s"': 1,
        "lone": "\ud800",
        "deep": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}},
        "status": 'a "quoted" # word',
        "list": [{"x": 1}],
        "none": None,
    }
    text = propose(lab.write("acme.jsonl", [strange]))
    form = mapping.read(lab.write("acme.toml", text))

    assert form.name == "acme"
    assert "#   text  such as (102 characters)" in text
    assert "p" * 41 not in text


def test_nothing_to_propose_from(cli: Cli, tmp_path: Path) -> None:
    for content, problem in ((b"", "empty"), (b"plain words\nmore words\n", "CSV"), (b"\0\1\2", "binary")):
        (tmp_path / "a.log").write_bytes(content)
        done = cli("formats", "new", "a.log")
        assert (done.code, done.out) == (ExitCode.ERROR, b"")
        assert "a.log: " in done.err
        assert problem in done.err
        assert "Name a file with JSON records or a CSV table." in done.err


@pytest.mark.parametrize("file", ["nowhere.log", "."])
def test_what_is_no_file(cli: Cli, file: str) -> None:
    for arguments in (["new", file], ["check", "litellm", file]):
        done = cli("formats", *arguments)
        assert (done.code, done.out) == (ExitCode.BAD_USAGE, b"")
        assert f"error: {file}: " in done.err


# From a proposal to a mapping that is sound.

START = datetime(2025, 11, 3, 9, tzinfo=UTC)
CALLS = [(1000 + 7 * number, 100 + number, 20 + number) for number in range(12)]
"""Input, of which cached, and output tokens of the calls of every made-up log."""


def at(number: int) -> datetime:
    return START + timedelta(seconds=number, milliseconds=250)


def dollars(number: int) -> float:
    """What the call costs by the price of gpt-4o-mini."""
    total, cached, out = CALLS[number]
    return round(((total - cached) * 0.15 + cached * 0.075 + out * 0.60) / 1e6, 10)


def nested(number: int) -> Record:
    total, cached, out = CALLS[number]
    return {
        "timestamp": at(number).isoformat().replace("+00:00", "Z"),
        "requestId": f"r-{number}",
        "llm": {"model": "gpt-4o-mini", "provider": "openai"},
        "usage": {"promptTokens": total, "completionTokens": out, "cachedTokens": cached, "totalTokens": total + out},
        "durationMs": 500 + number,
        "costUSD": dollars(number),
        "labels": {"feature": "search"},
    }


def dotted(number: int) -> Record:
    total, cached, out = CALLS[number]
    return {
        "ts": int(at(number).timestamp() * 1000),
        "x-request-id": f"r-{number}",
        "gen_ai.request.model": "mini",
        "gen_ai.response.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": total,
        "gen_ai.usage.output_tokens": out,
        "gen_ai.usage.cached_tokens": cached,
        "gen_ai.usage.total_tokens": total + out,
        "response_code": 200,
    }


def seconds(number: int) -> Record:
    total, cached, out = CALLS[number]
    return {
        "created": at(number).timestamp(),
        "id": f"r-{number}",
        "model_name": "openai/gpt-4o-mini",
        "tokens": {"in": total - cached, "out": out, "cache_read": cached, "total": total + out},
        "cost_cents": dollars(number) * 100,
        "success": number != 3,
    }


def naive(number: int) -> Record:
    total, cached, out = CALLS[number]
    return {
        "event": {"kind": "llm", "start_time": f"{at(number):%Y-%m-%d %H:%M:%S.%f}"},
        "call_id": f"r-{number}",
        "model": "gpt-4o-mini",
        "metrics": f'{{"input_tokens": {total}, "output_tokens": {out}, "cached_input_tokens": {cached}}}',
        "latency": 0.5 + number,
        "spend": dollars(number),
        "outcome": "succeeded",
    }


def access_log(number: int) -> Record:
    total, cached, out = CALLS[number]
    return {
        "when": f"{at(number):%d/%b/%Y:%H:%M:%S} +0000",
        "req_id": f"r-{number}",
        "status": "200",
        "backend_model": "gpt-4o-mini",
        "backend_prompt_tokens": str(total),
        "backend_completion_tokens": str(out),
        "backend_cached_tokens": str(cached) if cached else "-",
        "cost_nano_usd": str(round(dollars(number) * 1e9)),
        "cache_status": "MISS",
    }


def flat(number: int) -> Record:
    total, cached, out = CALLS[number]
    return {
        "date": f"{at(number):%Y-%m-%dT%H:%M:%SZ}",
        "request_id": f"r-{number}",
        "model": "gpt-4o-mini",
        "prompt_tokens": total,
        "completion_tokens": out,
        "cached_tokens": cached,
        "latency_ms": 500,
        "total_cost": f"{dollars(number):.10f}",
        "team": "search",
        "prompt": "words, with a comma",
    }


def as_csv(path: Path, records: list[Record]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(records[0]))
        writer.writeheader()
        writer.writerows(records)


def as_lines(path: Path, records: list[Record]) -> None:
    path.write_bytes(lines(records))


def as_array(path: Path, records: list[Record]) -> None:
    path.write_text(json.dumps(records, indent=2), encoding="utf-8")


LAYOUTS: dict[str, tuple[Callable[[int], Record], Callable[[Path, list[Record]], None], str]] = {
    "flat CSV": (flat, as_csv, "acme.csv"),
    "nested JSON": (nested, as_lines, "acme.jsonl"),
    "dotted keys, epoch ms": (dotted, as_lines, "acme.log"),
    "epoch seconds, cents, input without cache": (seconds, as_lines, "acme.jsonl"),
    "times without a zone, JSON in text, an array": (naive, as_array, "acme.json"),
    "access log with nanodollars": (access_log, as_lines, "acme.log"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_proposal_reads_its_log(cli: Cli, tmp_path: Path, layout: str) -> None:
    make, write, name = LAYOUTS[layout]
    write(tmp_path / name, [make(number) for number in range(len(CALLS))])
    proposed = cli("formats", "new", name)
    assert (proposed.code, proposed.err) == (0, "")
    (tmp_path / "acme.toml").write_bytes(proposed.out)
    done = cli("formats", "check", "acme.toml", name, "--json")
    found = json.loads(done.text)

    assert (done.code, done.err, found["doubts"], found["rejects"]) == (0, "", [], [])
    assert (found["records"], found["calls"], found["distinct_calls"]) == (12, 12, 12)
    total, cached, out = (sum(column) for column in zip(*CALLS, strict=True))
    assert found["tokens"] == {"input_uncached": total - cached, "cache_read": cached, "output_text": out}
    filled = {each["column"]: each for each in found["filled"]}
    assert filled["started_at"]["example"].startswith("2025-11-03 09:00:00")
    assert filled["price_model"]["calls"] == 12
    if "reported_cost" in filled:
        assert float(filled["reported_cost"]["example"]) == pytest.approx(dollars(0))
    read = cli("ingest", "logs", name, "--format", "acme.toml", "--json")
    assert read.code == 0
    assert json.loads(read.text)["attempts"] == 12


# A check.


def test_a_sound_mapping(cli: Cli) -> None:
    done = cli("formats", "check", str(ACME), str(ACME_LOG))

    assert (done.code, done.err) == (ExitCode.OK, "")
    assert "calls           8\ndistinct calls  7\nother records   1\nrejected        0\n" in done.text
    assert "reported_cost                    6  0.0001512\n" in done.text
    assert "input_uncached  9,572\n" in done.text


def test_a_format_is_checked_like_a_mapping(cli: Cli) -> None:
    rejected = cli("formats", "check", "claude-code", str(formats()["claude-code"].sample))

    assert rejected.code == ExitCode.PARTLY_REJECTED
    assert "rejected: " in rejected.err
    assert "timestamp is missing" in rejected.err


def test_the_lines_of_a_bill_are_counted(cli: Cli) -> None:
    done = cli("formats", "check", "aws-cur", str(formats()["aws-cur"].sample))

    assert re.search(r"^bill lines +\d+$", done.text, re.MULTILINE)
    assert "billed_cost" in done.text


def test_nothing_is_stored_or_left_behind(cli: Cli, tmp_path: Path) -> None:
    cli("formats", "check", str(ACME), str(ACME_LOG))
    cli("formats", "new", str(ACME_LOG))

    assert list(tmp_path.iterdir()) == []


def changed(text: str, **changes: str) -> str:
    """Return the mapping with other lines for columns."""
    kept = [line for line in text.splitlines() if line.split(" ")[0] not in changes]
    place = kept.index("[columns]") + 1
    return "\n".join([*kept[:place], *(f"{name} = {value}" for name, value in changes.items() if value), *kept[place:]])


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"reported_cost": '"charge"'}, "the log's costs are 100 times what the price book makes of the tokens"),
        ({"reported_cost": '{ from = "charge", per_dollar = 0.01 }'}, "dollars: the cost has another unit"),
        ({"started_at": '{ from = "at", unit = "us" }'}, "start time out of range: 1970-01-21"),
        ({"duration_seconds": '"took_ms"'}, "a call takes 30,000 seconds: another unit?"),
        ({"time_to_first_token_seconds": '"first_ms"'}, "the first token of a call comes after its end"),
        ({"input_tokens": '"usage.input"', "output_tokens": "", "cache_read_tokens": ""}, "no call has token counts"),
        ({"request_model": '"llm.m"', "response_model": '"llm.m"'}, "no call has a model: nothing can be priced"),
        ({"cache_read_tokens": '"usage.prompt"', "input_tokens": '"usage.cached"'}, "calls contradict the rules: "),
        ({"id": '"who.team"'}, "only 2 of 8 calls are distinct: is the id that of a call?"),
        ({"status": '"outcome"'}, "not one of ok, error, cancelled (add it to map): done"),
        ({"started_at": '"start"'}, "would not be recognised by itself: no format recognises it"),
    ],
)
def test_what_looks_wrong_is_said(cli: Cli, tmp_path: Path, changes: dict[str, str], doubt: str) -> None:
    (tmp_path / "acme.toml").write_text(changed(ACME.read_text(encoding="utf-8"), **changes))
    done = cli("formats", "check", "acme.toml", str(ACME_LOG))

    assert done.code == ExitCode.PARTLY_REJECTED
    assert doubt in done.err


def test_a_mapped_column_without_any_value_is_shown(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text(changed(ACME.read_text(encoding="utf-8"), region='"place.region"'))
    done = cli("formats", "check", "acme.toml", str(ACME_LOG))

    assert done.code == ExitCode.OK
    assert "\nregion                           0\n" in done.text


def test_another_format_that_claims_the_log_is_named(cli: Cli, tmp_path: Path) -> None:
    text = propose(LITELLM)
    (tmp_path / "mine.toml").write_text(text)
    done = cli("formats", "check", "mine.toml", str(LITELLM))

    assert done.code == ExitCode.PARTLY_REJECTED
    assert "claimed by litellm and sample; choose one with --format" in done.err
    (tmp_path / "mine.toml").write_text(text.replace("name =", 'instead_of = ["litellm"]\nname =', 1))
    assert "claimed by" not in cli("formats", "check", "mine.toml", str(LITELLM)).err


def test_models_without_a_price_are_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text(changed(ACME.read_text(encoding="utf-8"), response_model=""))
    done = cli("formats", "check", "acme.toml", str(ACME_LOG))

    assert done.code == ExitCode.OK
    assert "no price for large (3), mini (3); add [[prices.override]]" in done.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nope", str(ACME_LOG)], "nope: not a format"),
        (["nope.toml", str(ACME_LOG)], "nope.toml: No such file or directory"),
        (["litellm"], "Missing argument 'FILE'"),
        ([str(ACME), "nowhere.jsonl"], "nowhere.jsonl: No such file or directory"),
    ],
)
def test_a_check_of_nothing_is_a_wrong_command_line(cli: Cli, arguments: list[str], problem: str) -> None:
    done = cli("formats", "check", *arguments)

    assert (done.code, done.out) == (ExitCode.BAD_USAGE, b"")
    assert problem in done.err


def test_several_files_are_checked_as_one_log(cli: Cli, tmp_path: Path) -> None:
    lines_of = ACME_LOG.read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "a.jsonl").write_text("".join(lines_of[:6]))
    (tmp_path / "b.jsonl").write_text("".join(lines_of[4:]))
    found = json.loads(cli("formats", "check", str(ACME), "a.jsonl", "b.jsonl", "--json").text)

    assert (found["records"], found["distinct_calls"]) == (11, 7)
    assert found["tokens"] == {"input_uncached": 9572, "cache_read": 7168, "output_text": 1026}
