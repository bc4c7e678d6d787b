"""Exactly one format claims a file."""

from typing import TYPE_CHECKING

import pytest

from infercost import engine
from infercost.ingest import identify
from infercost.ingest.registry import formats

if TYPE_CHECKING:
    from lab import Lab


LINES = [each.name for each in formats().values() if each.sample.suffix == ".jsonl"]
"""Formats whose first sample has a record a line."""


def claimants(*heads: identify.Head) -> list[str | None]:
    with engine.connect() as connection:
        found = identify.identify(connection, list(heads), formats())
    return [each.format.name if each.format else None for each in found]


@pytest.mark.slow
@pytest.mark.parametrize("name", LINES)
def test_every_record_of_a_sample_alone_is_claimed_by_no_other_format(name: str, lab: "Lab") -> None:
    records = formats()[name].sample.read_bytes().splitlines()
    heads = [identify.Head("lines", records=(record.decode(),)) for record in records]
    found = claimants(*heads)
    assert set(found) <= {name, None}
    assert name in found


@pytest.mark.parametrize("name", LINES)
def test_broken_first_line_does_not_hide_the_format(name: str, lab: "Lab") -> None:
    sample = formats()[name].sample.read_bytes()
    firsts = (b"{broken", b"\xff\xfe{", b"null", b"plain words, with a comma")
    paths = [lab.write(f"{number}.log", first + b"\n" + sample) for number, first in enumerate(firsts)]
    assert claimants(*map(identify.head_of, paths)) == [name] * len(paths)


def test_first_record_longer_than_the_usual_head_is_looked_at_whole(lab: "Lab") -> None:
    sample = formats()["litellm"].sample.read_text(encoding="utf-8").splitlines()[0]
    long = sample.replace("{", '{"messages": "' + "x" * (2 * identify.HEAD_BYTES) + '", ', 1)
    path = lab.write("a.log", long + "\n" + long + "\n")
    assert claimants(identify.head_of(path)) == ["litellm"]
