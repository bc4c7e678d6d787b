"""Every format's samples give the rows that a person has read, alone and through the whole ingest."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from run_format import expected_of, expected_rows, names, sample_rows

from infercost import engine
from infercost.ingest import identify
from infercost.ingest.registry import FORMATS_FOLDER, formats

if TYPE_CHECKING:
    from lab import Lab

SAMPLES = [(name, sample) for name, form in formats().items() for sample in form.samples]
IDS = [f"{name}-{sample.name}" for name, sample in SAMPLES]
every_sample = pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=IDS)


def is_usable(row: dict[str, object]) -> bool:
    return bool(row.get("is_call")) and "reject_reason" not in row


@pytest.mark.parametrize("name", names())
def test_a_format_is_one_folder_with_samples_and_their_rows(name: str) -> None:
    form = formats()[name.replace("_", "-")]
    assert form.samples
    assert all(expected_of(sample).is_file() for sample in form.samples)
    assert form.folder == FORMATS_FOLDER / name


@every_sample
def test_sample_maps_to_the_expected_rows(name: str, sample: Path) -> None:
    assert sample_rows(name, sample) == expected_rows(name, sample)


@every_sample
def test_ingest_of_the_sample_stores_the_expected_rows(name: str, sample: Path, lab: "Lab") -> None:
    expected = expected_rows(name, sample)
    table = formats()[name].table
    result = lab.ingest(sample)
    keys = {row["dedupe_key"] for row in expected if is_usable(row)}
    assert [(each.format, each.problem) for each in result.files] == [(name, None)]
    written = result.total("bill_lines" if table == "bills" else "attempts")
    assert written == lab.value(f"SELECT count(*) FROM {table}") == len(keys)
    assert result.total("skipped") == sum(not row.get("is_call") and "reject_reason" not in row for row in expected)
    assert result.total("rejected") >= sum("reject_reason" in row for row in expected)
    assert result.total("duplicates") == sum(is_usable(row) for row in expected) - len(keys)
    if table == "attempts" and sample.suffix == ".jsonl":
        attempts_point_to_their_record(sample, lab)


def attempts_point_to_their_record(sample: Path, lab: "Lab") -> None:
    """The line of an attempt holds what its columns say: a response id that the file has stands on that very line."""
    lines = ["", *sample.read_text(encoding="utf-8").splitlines()]
    rows = lab.rows("SELECT source_line, response_id FROM attempts WHERE response_id IS NOT NULL")
    whole = "\n".join(lines)
    assert not [(line, text) for line, text in rows if text in whole and text not in lines[line]]


def test_every_sample_is_claimed_by_exactly_one_format() -> None:
    """The cross matrix: every sample against every format's predicates."""
    heads = [identify.head_of(sample) for _, sample in SAMPLES]
    with engine.connect() as connection:
        found = identify.identify(connection, heads, formats())
    claimed = [
        (sample.name, each.format.name if each.format else each.problem)
        for (_, sample), each in zip(SAMPLES, found, strict=True)
    ]
    assert claimed == [(sample.name, name) for name, sample in SAMPLES]


@every_sample
def test_no_text_of_a_prompt_or_an_answer_is_mapped(name: str, sample: Path) -> None:
    source = sample.read_text(encoding="utf-8").replace('\\"', '"').replace('""', '"')
    texts = re.findall(r'"(?:content|text|prompt|completion|question|answer|arguments)"\s*:\s*"([^"]{12,})"', source)
    mapped = expected_of(sample).read_text(encoding="utf-8")
    assert not [text for text in texts if text in mapped]
