"""Every format's sample gives the rows that a person has read, alone and through the whole ingest."""

import csv
import json
from typing import TYPE_CHECKING

import pytest
from run_format import expected_rows, sample_rows

from infercost.ingest.registry import formats

if TYPE_CHECKING:
    from lab import Lab

NAMES = sorted(formats())


def is_usable(row: dict[str, object]) -> bool:
    return bool(row.get("is_call")) and "reject_reason" not in row


@pytest.mark.parametrize("name", NAMES)
def test_sample_maps_to_the_expected_rows(name: str) -> None:
    assert sample_rows(name) == expected_rows(name)


@pytest.mark.parametrize("name", NAMES)
def test_ingest_of_the_sample_stores_the_expected_attempts(name: str, lab: "Lab") -> None:
    expected = expected_rows(name)
    result = lab.ingest(formats()[name].sample)
    keys = {row["dedupe_key"] for row in expected if is_usable(row)}
    assert result.files[0].format == name
    assert result.total("attempts") == lab.value("SELECT count(*) FROM attempts") == len(keys)
    assert result.total("records") == len(expected)
    assert result.total("skipped") == sum(not row.get("is_call") and "reject_reason" not in row for row in expected)
    assert result.total("rejected") == sum("reject_reason" in row for row in expected)
    assert result.total("duplicates") == sum(is_usable(row) for row in expected) - len(keys)


@pytest.mark.parametrize("name", NAMES)
def test_attempts_point_to_their_line(name: str, lab: "Lab") -> None:
    form = formats()[name]
    lab.ingest(form.sample)
    rows = lab.rows("SELECT source_line, response_id FROM attempts WHERE response_id IS NOT NULL")
    assert rows
    if form.shape == "csv":
        with form.sample.open(encoding="utf-8", newline="") as stream:
            records = ["", *(json.dumps(row) for row in csv.reader(stream))]
    else:
        records = ["", *form.sample.read_text(encoding="utf-8").splitlines()]
    wrong = [(line, text) for line, text in rows if text not in records[line]]
    assert not wrong
