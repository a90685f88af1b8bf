"""An open engine for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.engine import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = await Bench(tmp_path).open()
    yield made
    await made.close()
