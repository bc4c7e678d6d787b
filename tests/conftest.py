"""Fixtures for tests that run infercost on files of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Lab


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what installs programs, unless the marker is asked for."""
    if "real" in config.option.markexpr:
        return
    skip = pytest.mark.skip(reason="installs and runs real programs: just test-real")
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the price book in a cache of the test run: no test reads or writes the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFERCOST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A folder with log files and a store, and the ways to run infercost there."""
    return Lab(tmp_path)
