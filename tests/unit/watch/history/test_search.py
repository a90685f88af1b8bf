"""The history is asked by whatever is known of a task."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, update

from hinoban.base.errors import HinobanError
from hinoban.base.units import iso
from hinoban.watch.history.book import Book
from hinoban.watch.history.database import open_file
from hinoban.watch.history.schema import tasks
from hinoban.watch.history.search import Search, find, search_of
from hinoban.watch.history.store import History
from hinoban.watch.normalise import observation
from hinoban.watch.schedules.slot import Slot
from tests.unit.watch.samples import ACCOUNT, REGION, START, life, task_arn, task_event, task_id

HOUR = 3600.0


@pytest.fixture
def remembered(tmp_path: Path) -> Iterator[Connection]:
    """1: a good run of `job`; 2: job failed with 3, an hour later; 3: a service's task that still runs; 4: a run of rule `nightly`."""
    engine = open_file(tmp_path / "watch.db")
    events = [
        *life(1),
        *life(2, exit_code=3, at=START + HOUR),
        task_event(3, "RUNNING", family="web", group="service:web", at=START + 2 * HOUR, cluster="front"),
        *life(4, started_by="events-rule/nightly", at=START + 3 * HOUR),
    ]
    with engine.begin() as connection:
        history = History()
        history.take(connection, [(raw, seen) for raw in events if (seen := observation(raw)) is not None])
        history.flush(connection)
        connection.execute(update(tasks).where(tasks.c.id == task_id(2)).values({"verdict": "EXIT 3", "class": "exit_non_zero"}))
        yield connection


def numbers(connection: Connection, **asked: object) -> list[int]:
    rows = find(connection, search_of({name: str(value) for name, value in asked.items()})).tasks
    return [int(row["id"][:8], 16) for row in rows]


def test_without_a_question_everything_is_told_the_newest_first(remembered: Connection) -> None:
    assert numbers(remembered) == [4, 3, 2, 1]
    assert numbers(remembered, limit=2) == [4, 3]


@pytest.mark.parametrize(
    "asked, found",
    [
        ({"family": "job"}, [4, 2, 1]),
        ({"family": "job", "outcome": "failed"}, [2]),
        ({"outcome": "good"}, [4, 1]),
        ({"outcome": "open"}, [3]),
        ({"exit_code": 3}, [2]),
        ({"verdict": "exit 3"}, [2]),
        ({"stop_code": "EssentialContainerExited"}, [4, 2, 1]),
        ({"cluster": "front"}, [3]),
        ({"service": "web"}, [3]),
        ({"started_by": "events-rule/nightly"}, [4]),
        ({"schedule": "nightly"}, [4]),
        ({"schedule": "weekly"}, []),
        ({"id": task_id(3)[:8]}, [3]),
        ({"class": "exit_non_zero"}, [2]),
        ({"class": "program"}, [2]),
        ({"class": "capacity"}, []),
        ({"region": "eu-west-1"}, []),
        ({"since": iso(START + HOUR)}, [4, 3, 2]),
        ({"until": iso(START + HOUR)}, [2, 1]),
        ({"family": "job", "revision": 99}, []),
    ],
)
def test_each_field_narrows(remembered: Connection, asked: dict[str, object], found: list[int]) -> None:
    assert numbers(remembered, **asked) == found


@pytest.mark.parametrize("asked", [{}, {"family": "job"}, {"outcome": "good"}])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_page_by_page_every_task_comes_once(remembered: Connection, asked: dict[str, str], limit: int) -> None:
    # Of one moment, and of an unknown one: a page may end between them.
    remembered.execute(
        insert(tasks), [_filler(key) | {"family": "job", "created_at": None if key % 2 else START} for key in range(1000, 1005)]
    )
    every = [row["id"] for row in find(remembered, search_of(asked)).tasks]
    assert len(every) > 5
    paged, after = list[str](), None
    while True:
        page = find(remembered, search_of(asked | {"limit": str(limit)} | ({"after": after} if after else {})))
        assert 1 <= len(page.tasks) <= limit
        paged += [row["id"] for row in page.tasks]
        if (after := page.next) is None:
            break
    assert paged == every


@pytest.mark.parametrize("after", ["yesterday", "@", "1@x"])
def test_only_what_was_answered_as_next_can_be_asked_for(remembered: Connection, after: str) -> None:
    with pytest.raises(HinobanError, match="cannot be served"):
        find(remembered, Search(after=after))


def test_a_schedules_runs_include_what_made_up_for_a_lost_slot(remembered: Connection) -> None:
    slot = Slot(
        key="arn#1", at=START, name="nightly", kind="rule", arn="arn", region=REGION, account=ACCOUNT, cluster="default", due_by=START + 300
    )
    made_up = {task_arn(1): "exit 0"}
    book = Book()
    book.put_slots(remembered, [Slot(**{name: getattr(slot, name) for name in slot.__struct_fields__} | {"tasks": made_up})])
    book.flush(remembered)
    assert numbers(remembered, schedule="nightly") == [4, 1]


@pytest.mark.parametrize(
    "query, words",
    [
        ({"colour": "red"}, "no such field"),
        ({"since": "yesterday"}, "yesterday"),
        ({"exit_code": "three"}, "exit_code"),
        ({"outcome": "middling"}, "outcome"),
        ({"class": "colour"}, "class=colour cannot be asked for"),
        ({"limit": "0"}, "from 1 to"),
        ({"limit": "99999"}, "from 1 to"),
    ],
)
def test_what_cannot_be_asked_is_named(query: dict[str, str], words: str) -> None:
    with pytest.raises(HinobanError) as refused:
        search_of(query)
    assert words in f"{refused.value.what} {refused.value.why}"


def test_nothing_else_is_read_for_a_familys_latest_run(remembered: Connection) -> None:
    remembered.execute(insert(tasks), [_filler(key) for key in range(1000, 2000)])
    assert [row["family"] for row in find(remembered, Search(family="web")).tasks] == ["web"]


def _filler(key: int) -> dict[str, object]:
    return {
        "key": key,
        "id": f"{key:032x}",
        "region": REGION,
        "account": ACCOUNT,
        "arn": f"arn/{key}",
        "family": "filler",
        "cluster": "default",
        "last_status": "STOPPED",
        "created_at": START + key,
        "version": 1,
        "open": False,
        "versions": b"\1",
    }
