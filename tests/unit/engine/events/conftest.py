"""EventBridge without targets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.events import Hall


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    hall = Hall(tmp_path)
    yield hall
    hall.database.close()
