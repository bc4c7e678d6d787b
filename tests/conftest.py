"""Fixtures for tests that run infercost on files of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Lab
from once import Once

OWN_TASK = {
    "real": "installs and runs real programs: just test-real",
    "slow": "takes a minute and more: just test-slow",
}
"""Markers of tests that are not part of the standard run, and why."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what has a task of its own, unless its marker is asked for."""
    for marker, reason in OWN_TASK.items():
        if marker in config.option.markexpr:
            continue
        skip = pytest.mark.skip(reason=reason)
        for item in items:
            if item.get_closest_marker(marker):
                item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the price book in a cache of the test run: no test reads or writes the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFERCOST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Once:
    """Make something once for all workers of the run: to be read, never written."""
    base = tmp_path_factory.getbasetemp()
    return Once(base if worker_id == "master" else base.parent)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A folder with log files and a store, and the ways to run infercost there."""
    return Lab(tmp_path)
