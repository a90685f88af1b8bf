"""How far things are decided: what is due first, and that old moments do not pile up."""

from pathlib import Path

from hinoban.engine.schedules.marks import MIGRATION, Marks
from hinoban.engine.schedules.model import Mark
from hinoban.store.database import Database


async def test_a_mark_that_is_put_anew_again_and_again_leaves_nothing_behind(tmp_path: Path) -> None:
    """A schedule that is due in a year and updated every minute until then."""
    database = Database(tmp_path / "engine.db", [MIGRATION])
    marks = Marks(database)
    marks.put("other", Mark(0.0, 5000.5, 0.0))
    for number in range(10_000):
        marks.put("one", Mark(0.0, 1e6 + number, 0.0))
    assert len(marks._heap) < 300
    assert marks.take(1e9) == "other"
    marks.drop("other")
    assert marks.take(1e9) == "one"
    assert marks.take(1e9) is None
    database.close()
