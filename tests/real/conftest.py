"""Real programs and a provider for them."""

import shutil
from collections.abc import Iterator

import pytest

from real.programs import Programs


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """Programs to install; they are large, so they go when the session ends."""
    folder = tmp_path_factory.mktemp("programs")
    yield Programs(folder)
    shutil.rmtree(folder, ignore_errors=True)
