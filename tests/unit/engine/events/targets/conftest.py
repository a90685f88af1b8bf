"""A room of deliveries for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.targets import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = World(tmp_path).open()
    yield opened
    await opened.close()
