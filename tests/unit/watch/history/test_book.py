"""The book of scheduled runs: what is kept, and for how long."""

from pathlib import Path

from sqlalchemy import select

from hinoban.base.clock import DAYS
from hinoban.watch.history.book import KEEP_CAUSES, KEEP_GOOD, Book, Known
from hinoban.watch.history.database import open_file
from hinoban.watch.history.schema import schedules
from hinoban.watch.model import Doing
from hinoban.watch.schedules import slot as slots
from tests.unit.watch.schedules.samples import ACCOUNT, MIDNIGHT, REGION, rule

NOW = MIDNIGHT + 500 * DAYS


def doing(number: int, at: float, subject: str) -> Doing:
    return Doing(event_id=f"e{number}", at=at, account=ACCOUNT, region=REGION, name="PutRule", subject=subject, caller="arn:x")


def test_what_is_over_for_long_is_forgotten_and_lost_runs_are_not(tmp_path: Path) -> None:
    book, one = Book(), rule()
    with open_file(tmp_path / "watch.db").begin() as connection:
        for age, state in ((KEEP_GOOD + 1, "done"), (KEEP_GOOD + 2, "missed"), (1 * DAYS, "recovered")):
            book.put_slots(connection, [slots.Slot(**{**as_words(slots.due(one, NOW - age)), "state": state})])
        gone = rule("old")
        book.put_schedule(connection, Known(schedule=gone, expected_until=NOW, gone_at=NOW - KEEP_GOOD - 1))
        book.put_schedule(connection, Known(schedule=one, expected_until=NOW))
        for number, (age, subject) in enumerate(
            ((KEEP_GOOD + 1, "rule/a"), (1.0, "rule/a"), (KEEP_GOOD + 1, "definition/b:1"), (KEEP_CAUSES + 1, "definition/b:1"))
        ):
            book.note(connection, doing(number, NOW - age, subject))
        book.trim(connection, NOW)
        kept = [at for at in (KEEP_GOOD + 1, KEEP_GOOD + 2, 1 * DAYS) if book.slot(connection, one.key, NOW - at) is not None]
        assert kept == [KEEP_GOOD + 2, 1 * DAYS]
        assert set(connection.execute(select(schedules.c.name)).scalars()) == {one.name}
        assert len(book.doings(connection, ["rule/a"], 0)) == len(book.doings(connection, ["definition/b:1"], 0)) == 1


def test_a_slot_that_came_due_makes_no_schedule_another(tmp_path: Path) -> None:
    book, one = Book(), rule()
    with open_file(tmp_path / "watch.db").begin() as connection:
        book.put_schedule(connection, Known(schedule=one, expected_until=NOW))
        before = book.changes
        book.put_schedule(connection, Known(schedule=one, expected_until=NOW + 60))
        assert book.changes == before


def as_words(slot: slots.Slot) -> dict[str, object]:
    return {name: getattr(slot, name) for name in slot.__struct_fields__}
