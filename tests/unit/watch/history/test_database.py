"""watch.db comes into being as a whole or not at all."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, inspect

from hinoban.watch.history.database import open_file
from hinoban.watch.history.schema import metadata


class Killed(BaseException):
    """The process ends here: nothing after it runs."""


@pytest.mark.parametrize("statements", [8, 10, 16, 22])
def test_a_first_start_that_is_killed_halfway_is_made_up_for_by_the_next(tmp_path: Path, statements: int) -> None:
    left = statements

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    event.listen(Engine, "after_cursor_execute", count)
    try:
        with pytest.raises(Killed):
            open_file(tmp_path / "watch.db")
    finally:
        event.remove(Engine, "after_cursor_execute", count)
    assert set(metadata.tables) <= set(inspect(open_file(tmp_path / "watch.db")).get_table_names())
