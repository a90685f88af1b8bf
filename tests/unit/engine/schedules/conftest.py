from pathlib import Path

import pytest

from tests.support.slots import House


@pytest.fixture
async def house(tmp_path: Path):
    house = House(tmp_path)
    yield house
    await house.database.committed()
    house.database.close()
