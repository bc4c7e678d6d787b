"""The sample logs are what their generator writes, have the size they should, and add up to their truth."""

import csv
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import pytest
import zstandard

SAMPLE = Path(__file__).resolve().parents[1] / "sample_logs"
TRUTH = Path(__file__).parent / "data" / "sample_truth.json"
FOLDERS = ("gateway", "agents", "otel")
MEGABYTE = 1_000_000

Json = dict[str, Any]


def log_files(root: Path) -> dict[str, Path]:
    files = [path for folder in FOLDERS for path in (root / folder).rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path for path in sorted(files)}


def unpacked(path: Path) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        with path.open("rb") as source, zstandard.ZstdDecompressor().stream_reader(source) as reader:
            return reader.read()
    return path.read_bytes()


def lines(path: Path) -> list[str]:
    return unpacked(path).decode().splitlines()


def litellm_records() -> Iterator[Json]:
    for path in sorted((SAMPLE / "gateway" / "litellm").iterdir()):
        if path.suffix == ".json":
            yield from json.loads(path.read_text())
        else:
            yield from map(json.loads, lines(path))


def spend_rows() -> list[dict[str, str]]:
    text = unpacked(SAMPLE / "gateway" / "spendlogs" / "spend_logs.csv.zst").decode()
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def truth() -> Json:
    content: Json = json.loads(TRUTH.read_text())
    return content


def generator(folder: Path) -> list[str]:
    script = str(SAMPLE / "generate.py")
    return [sys.executable, script, "--out", str(folder), "--truth", str(folder / "truth.json")]


def test_the_committed_sample_is_what_the_generator_writes(tmp_path: Path, truth: Json) -> None:
    command = [*generator(tmp_path), "--seed", str(truth["seed"])]
    subprocess.run(command, check=True, capture_output=True)
    committed, made = log_files(SAMPLE), log_files(tmp_path)
    assert list(committed) == list(made)
    # Unpacked, because another version of zlib or zstd may pack the same bytes differently.
    assert [name for name in made if unpacked(made[name]) != unpacked(committed[name])] == []
    assert (tmp_path / "truth.json").read_bytes() == TRUTH.read_bytes()


@pytest.mark.slow
def test_another_seed_gives_another_company(tmp_path: Path) -> None:
    command = [*generator(tmp_path), "--seed", "1"]
    subprocess.run(command, check=True, capture_output=True)
    name = "gateway/spendlogs/spend_logs.csv.zst"
    assert unpacked(tmp_path / name) != unpacked(SAMPLE / name)


def test_the_sample_is_three_to_five_megabytes() -> None:
    size = sum(path.stat().st_size for path in SAMPLE.rglob("*") if "__pycache__" not in path.parts and path.is_file())
    assert 3 * MEGABYTE < size < 5 * MEGABYTE


def test_gzip_headers_hold_neither_name_nor_time() -> None:
    heads = {path.read_bytes()[3:8] for path in log_files(SAMPLE).values() if path.suffix == ".gz"}
    assert heads == {bytes(5)}


def test_litellm_records_add_up_to_the_truth(truth: Json) -> None:
    expected = truth["formats"]["litellm"]
    records = list(litellm_records())
    called = [record for record in records if not record["cache_hit"]]
    assert len(records) == expected["records"]
    assert len({record["litellm_call_id"] for record in records}) == expected["requests"]
    assert sum(record["status"] == "failure" for record in records) == expected["failed_attempts"]
    assert len(records) - len(called) == expected["gateway_hits"]
    tokens = expected["tokens"]
    prompt = sum(tokens[kind] for kind in tokens if kind.startswith(("input", "cache")))
    assert sum(record["prompt_tokens"] for record in called) == prompt
    assert sum(record["completion_tokens"] for record in called) == tokens["output_text"] + tokens["reasoning"]
    reported = sum(Decimal(str(record["response_cost"])) for record in records)
    assert reported == pytest.approx(Decimal(expected["cost"]), abs=Decimal("0.000001"))


def test_spend_logs_rows_add_up_to_the_truth(truth: Json) -> None:
    expected = truth["formats"]["litellm-spendlogs"]
    rows = spend_rows()
    assert len(rows) == expected["records"] == len({row["litellm_call_id"] for row in rows})
    assert sum(row["cache_hit"] == "True" for row in rows) == expected["gateway_hits"]
    assert sum((Decimal(row["spend"]) for row in rows), Decimal()) == pytest.approx(
        Decimal(expected["cost"]), abs=Decimal("0.000001")
    )
    estimates = sum(int(row["prompt_tokens"]) for row in rows if row["status"] == "failure")
    assert estimates == expected["estimated_prompt_tokens_of_failures"] > 0


def test_claude_code_lines_add_up_to_the_truth(truth: Json) -> None:
    expected = truth["formats"]["claude-code"]
    answers: dict[str, Json] = {}
    answer_lines = other_lines = broken = 0
    for path in (SAMPLE / "agents").rglob("*.jsonl"):
        for text in lines(path):
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                broken += 1
                continue
            if line["type"] != "assistant" or line.get("isApiErrorMessage"):
                other_lines += 1
                continue
            answer_lines += 1
            message = line["message"]
            known = answers.setdefault(message["id"], message["usage"])
            known["output_tokens"] = max(known["output_tokens"], message["usage"]["output_tokens"])
    assert len(answers) == expected["answers"] < answer_lines
    assert (answer_lines, other_lines, broken) == (expected["answer_lines"], expected["other_lines"], 1)
    assert sum(usage["output_tokens"] for usage in answers.values()) == expected["tokens"]["output_text"]
    assert sum(usage["cache_read_input_tokens"] for usage in answers.values()) == expected["tokens"]["cache_read"]


def test_spans_add_up_to_the_truth(truth: Json) -> None:
    expected = truth["formats"]["otlp"]
    texts = [text for path in sorted((SAMPLE / "otel").iterdir()) for text in lines(path)]
    scopes = [
        scope for text in texts for resource in json.loads(text)["resourceSpans"] for scope in resource["scopeSpans"]
    ]
    spans = [span for scope in scopes for span in scope["spans"]]
    assert (len(texts), len(spans)) == (expected["traces"], expected["spans"])
    assert sum(span["name"].startswith("chat ") for span in spans) == expected["model_spans"]
    failed = [span for span in spans if span["status"].get("code") == 2]
    assert sum(span["name"] == "POST" for span in failed) == expected["http_failures_logged"]
    assert sum(span["name"] != "POST" for span in failed) == expected["failed_model_spans"]
    assert sum(span["name"] == "POST" for span in spans) == expected["http_attempts_logged"]
    assert len({span["spanId"] for span in spans}) == len(spans)


def test_days_and_formats_give_the_same_total(truth: Json) -> None:
    days = truth["daily_cost_by_feature"]
    assert len(days) == 60
    by_day = sum(Decimal(cost) for row in days.values() for cost in row.values())
    incident = truth["incident"]
    assert by_day == sum(Decimal(total["cost"]) for total in truth["formats"].values())
    assert by_day == Decimal(incident["base_cost"]) + Decimal(incident["current_cost"])
    late = sum(Decimal(cost) for day, row in days.items() if day >= incident["current"][0] for cost in row.values())
    assert late == Decimal(incident["current_cost"])


def test_each_cause_is_a_fair_part_of_the_rise(truth: Json) -> None:
    incident = truth["incident"]
    shares = [Decimal(cause["dollars"]) / Decimal(incident["rise"]) for cause in incident["causes"]]
    assert len(shares) == 3
    assert all(Decimal("0.1") < share < Decimal("0.45") for share in shares)
    # The causes touch different features, so they add up without a remainder.
    alone = sum(Decimal(cause["dollars"]) for cause in incident["causes"])
    assert alone == Decimal(incident["all_causes_together"])
    assert alone + Decimal(incident["rest"]) == Decimal(incident["rise"])


def test_the_planted_causes_show_in_the_records() -> None:
    shares: dict[tuple[str, bool], list[int]] = {}
    for record in litellm_records():
        if record["status"] == "failure" or record["cache_hit"]:
            continue
        november = datetime.fromtimestamp(record["startTime"], UTC) >= datetime(2026, 11, 5, tzinfo=UTC)
        if "feature:doc_summarize" in record["request_tags"]:
            read = record["metadata"]["usage_object"]["prompt_tokens_details"]["cached_tokens"]
            counted = shares.setdefault(("cache", november), [0, 0])
            counted[0] += read
            counted[1] += record["prompt_tokens"]
        if record["model_group"] == "smart-router":
            counted = shares.setdefault(("frontier", november), [0, 0])
            counted[0] += "opus" in record["model"]
            counted[1] += 1
    part = {name: counted[0] / counted[1] for name, counted in shares.items()}
    assert part["cache", False] == pytest.approx(0.70, abs=0.03)
    assert part["cache", True] == pytest.approx(0.25, abs=0.03)
    assert part["frontier", True] == pytest.approx(0.55, abs=0.05)
    assert part["frontier", False] < 0.2


def test_the_generator_prices_like_the_book(truth: Json) -> None:
    sys.path.insert(0, str(SAMPLE))
    try:
        import prices
    finally:
        sys.path.remove(str(SAMPLE))
    first = datetime.fromisoformat(truth["first_day"]).replace(tzinfo=UTC)
    usage = genai_prices.Usage(
        input_tokens=200_000, cache_read_tokens=50_000, cache_write_tokens=30_000, output_tokens=1_000
    )
    for rates in prices.BOOK:
        writes = bool(rates.write_5m)
        asked = (
            usage
            if writes
            else genai_prices.Usage(
                input_tokens=200_000, cache_read_tokens=50_000 if rates.read else 0, output_tokens=1_000
            )
        )
        tokens = prices.Tokens(
            uncached=120_000 if writes else 150_000 if rates.read else 200_000,
            read=50_000 if rates.read else 0,
            write_5m=30_000 if writes else 0,
            text=1_000,
        )
        for days in (0, 29, 59):
            price = genai_prices.calc_price(
                asked,
                model_ref=rates.model,
                provider_id=rates.provider,
                genai_request_timestamp=first + timedelta(days=days),
            )
            assert int(price.total_price * 10**12) == rates.cost(tokens), rates.model
