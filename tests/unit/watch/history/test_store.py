"""The history holds every observation once, whatever the order, the duplicates and the batches it came in."""

import random
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

import hinoban.watch.history.database as database
from hinoban.watch.history import queries
from hinoban.watch.history.schema import launches, metadata, task_events, tasks
from hinoban.watch.history.store import History
from hinoban.watch.normalise import observation
from tests.unit.watch.samples import life, run_task, task_arn, task_event, task_id

RECORDED = [*life(1), *life(2, exit_code=3), *life(3)[:3], run_task(1, tasks=(task_arn(1),)), run_task(2, failures=("RESOURCE:CPU",))]


def remember(engine: Engine, events: list[bytes], history: History | None = None) -> int:
    history = history or History()
    with engine.begin() as connection:
        fresh = history.take(connection, [(raw, seen) for raw in events if (seen := observation(raw)) is not None])
        history.flush(connection)
    return len(fresh)


def content(engine: Engine) -> dict[str, object]:
    """Everything remembered, without the numbers that arrival gave."""
    with engine.connect() as connection:
        rows = list(connection.execute(select(tasks)).mappings())
        told = {row["id"]: queries.timeline(connection, row) for row in rows}
        flat = sorted([{k: v for k, v in row.items() if k not in ("key", "timeline")} for row in rows], key=lambda row: row["id"])
        called = sorted(tuple(row) for row in connection.execute(select(launches)))
    return {"tasks": flat, "timelines": told, "launches": called}


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_order_with_any_duplicates_in_any_batches_gives_the_same_history(data: st.DataObject) -> None:
    extra = data.draw(st.lists(st.sampled_from(RECORDED), max_size=10))
    shuffled = data.draw(st.permutations(RECORDED + extra))
    size = data.draw(st.integers(1, 12))
    restarts = data.draw(st.booleans())
    engine, expected = database.open_database("sqlite://"), database.open_database("sqlite://")
    remember(expected, RECORDED)
    history = History()
    total = 0
    for start in range(0, len(shuffled), size):
        total += remember(engine, shuffled[start : start + size], History() if restarts else history)
    assert total == len(RECORDED)
    assert content(engine) == content(expected)


def test_a_finished_task_is_folded_into_its_row(tmp_path: Path) -> None:
    engine = database.open_file(tmp_path / "watch.db")
    history = History()
    for raw in life(1):
        remember(engine, [raw], history)
    with engine.connect() as connection:
        assert connection.execute(select(task_events)).all() == []
        [row] = queries.tasks_by_prefix(connection, task_id(1)[:6])
        assert (row["open"], row["last_status"], row["version"], row["exit_code"]) == (False, "STOPPED", 5, 0)
        assert queries.timeline(connection, row) == life(1)


def test_an_older_event_never_overwrites_a_newer_one(tmp_path: Path) -> None:
    engine = database.open_file(tmp_path / "watch.db")
    remember(engine, [task_event(1, "RUNNING")])
    remember(engine, [task_event(1, "PENDING")])
    with engine.connect() as connection:
        [row] = queries.tasks_by_prefix(connection, task_id(1))
        assert (row["last_status"], row["version"]) == ("RUNNING", 3)


def test_what_a_failed_transaction_took_is_taken_again(tmp_path: Path) -> None:
    engine = database.open_file(tmp_path / "watch.db")
    history = History()
    with pytest.raises(RuntimeError), engine.begin() as connection:
        history.take(connection, [(raw, seen) for raw in life(1) if (seen := observation(raw)) is not None])
        history.flush(connection)
        raise RuntimeError("the disk is full")
    history.forget()
    assert remember(engine, life(1), history) == 5


def test_the_migrations_build_what_the_schema_says(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = database.open_file(tmp_path / "watch.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    folder = Path(database.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == database.HEAD


def test_a_task_costs_little_room() -> None:
    from hinoban.watch.history import blobs

    dice = random.Random(1)
    events = list(enumerate(life(dice.randrange(1 << 30), family="nightly-billing")))
    raw = sum(len(event) for _, event in events)
    assert len(blobs.pack(events)) < raw / 6


def test_what_an_older_dictionary_packed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from hinoban.watch.history import blobs

    monkeypatch.setattr(blobs, "_NEWEST", 1)
    old = blobs._compressor.__wrapped__().compress(b"\n".join(life(1)))
    assert blobs.unpack(old) == life(1)
