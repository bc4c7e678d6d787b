"""What signals are counted from: everything is the sum of its parts, and what is kept is what is counted."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.check_world import FIRST, TAIL
from infercost.analyze.database import connect_to
from infercost.analyze.parts import Part, read
from infercost.analyze.sums import FIVE_MINUTES, HOURS, Sums
from infercost.store import Store

BY = ((), ("feature",), ("model_tier",))


def same(one: Part, other: Part) -> bool:
    """Return whether two parts have the same of everything, but for the rounding of money."""
    grids: list[list[Any]] = [[*each.columns.values(), *each.tiers.values(), each.lengths] for each in (one, other)]
    return one.day == other.day and all(np.allclose(a, b, rtol=1e-12) for a, b in zip(*grids, strict=True))


def test_everything_is_the_sum_of_its_parts(calm_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # So few requests would not be judged by five minutes.
    monkeypatch.setattr("infercost.analyze.parts.LEAST_COUNT", 1)
    snapshot = Store.open(calm_store).snapshot()
    with connect_to(snapshot) as connection:
        sums = Sums(connection, snapshot, None)
        counted, summed = (read(sums, by, FIRST, TAIL, FIRST) for by in ((), ("feature",)))
    assert not counted.parts[0].scope
    assert counted.parts[0].lengths.any()
    assert same(counted.parts[0], summed.parts[0])
    assert [dict(part.scope) for part in summed.parts] == [{}, {"feature": "chat"}, {"feature": "search"}]
    assert (len(counted.fine), len(summed.fine)) == (1, 2)
    for (one, hours), (other, other_hours) in zip(counted.fine, summed.fine, strict=False):
        assert same(one, other)
        assert same(hours, other_hours)


@pytest.mark.parametrize("bucket", [HOURS, FIVE_MINUTES])
def test_kept_rows_are_the_counted_ones_whatever_was_asked_before(
    calm_store: Path, tmp_path: Path, bucket: str
) -> None:
    snapshot = Store.open(calm_store).snapshot()
    spans = [(4, 3), (9, 5), (4, 0), (2, 1), (9, 0)]
    with connect_to(snapshot) as connection:
        kept, counted = (Sums(connection, snapshot, folder) for folder in (tmp_path / "check", None))
        for begins, ends in spans:
            first, until = (TAIL - timedelta(days=days) for days in (begins, ends))
            for by in BY:
                tables = [each.figures(by, first, until, bucket, ("small", "none")) for each in (kept, counted)]
                one, other = (table.sort_by([(name, "ascending") for name in table.column_names]) for table in tables)
                assert one.num_rows > 0
                assert one.equals(other)
    assert sorted(file.suffix for file in (tmp_path / "check").iterdir()) == [".parquet"] * 2 * len(BY)
