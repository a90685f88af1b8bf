"""One turn of the event loop is one transaction; a failed one is told and nobody is told that it held."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hinoban.store.database import Database, NewerSchemaError, Table

SCHEMA = "CREATE TABLE things (name TEXT PRIMARY KEY, value BLOB NOT NULL); CREATE TABLE lines (text TEXT NOT NULL CHECK (text <> 'bad'));"
THINGS = Table("things", "name")
LINE = "INSERT INTO lines (text) VALUES (?)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


@pytest.fixture
async def database(path: Path) -> Iterator[Database]:
    made = Database(path, [SCHEMA])
    yield made
    made.close()


def on_disk(path: Path) -> list[tuple[str, ...]]:
    with sqlite3.connect(path) as other:
        return other.execute("SELECT name FROM things UNION ALL SELECT text FROM lines ORDER BY 1").fetchall()


async def test_the_writes_of_a_turn_are_one_transaction(database: Database, path: Path) -> None:
    begun: list[str] = []
    database._connection.set_trace_callback(lambda text: begun.append(text) if text.startswith(("BEGIN", "COMMIT")) else None)
    database.put(THINGS, ("a",), {"n": 1})
    database.append(LINE, ("b",))
    database.put(THINGS, ("c",), {"n": 2})
    assert on_disk(path) == []
    await database.committed()
    assert on_disk(path) == [("a",), ("b",), ("c",)]
    assert begun == ["BEGIN IMMEDIATE", "COMMIT"]


async def test_requests_that_arrive_together_share_a_commit(database: Database) -> None:
    commits: list[str] = []
    database._connection.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)

    async def request(name: str) -> None:
        database.put(THINGS, (name,), name)
        await database.committed()

    await asyncio.gather(*(request(name) for name in "abcde"))
    assert commits == ["COMMIT"]


async def test_the_last_value_of_a_turn_is_the_one_that_is_kept(database: Database) -> None:
    for number in range(3):
        database.put(THINGS, ("a",), number)
    database.put(THINGS, ("gone",), 1)
    database.put(THINGS, ("gone",), None)
    await database.committed()
    assert list(database.rows(THINGS)) == [("a", b"2")]
    database.put(THINGS, ("a",), None)
    await database.committed()
    assert list(database.rows(THINGS)) == []


async def test_appends_are_made_in_the_order_of_the_calls(database: Database) -> None:
    database.append(LINE, ("a",))
    database.append("DELETE FROM lines WHERE text = ?", ("a",))
    database.append(LINE, ("a",))
    database.append(LINE, ("b",))
    await database.committed()
    assert database.query("SELECT text FROM lines ORDER BY rowid") == [("a",), ("b",)]


async def test_what_follows_a_commit_is_done_in_order_and_not_before(database: Database) -> None:
    done: list[str] = []
    database.after_commit(lambda: done.append("at once: nothing is pending"))
    database.put(THINGS, ("a",), 1)
    for name in ("first", "second"):
        database.after_commit(lambda name=name: done.append(name))
    assert len(done) == 1
    await database.committed()
    assert done[1:] == ["first", "second"]


async def test_a_write_made_by_what_follows_is_another_turn(database: Database) -> None:
    database.put(THINGS, ("a",), 1)
    database.after_commit(lambda: database.put(THINGS, ("b",), 2))
    await database.committed()
    await database.committed()
    assert [row[0] for row in database.rows(THINGS)] == ["a", "b"]


async def test_a_failed_commit_is_told_and_nothing_of_its_turn_is_kept(path: Path) -> None:
    failures: list[BaseException] = []
    database = Database(path, [SCHEMA], on_failure=failures.append)
    followed: list[int] = []
    database.put(THINGS, ("a",), 1)
    database.append(LINE, ("bad",))
    database.after_commit(lambda: followed.append(1))
    with pytest.raises(sqlite3.IntegrityError):
        await database.committed()
    assert [type(error) for error in failures] == [sqlite3.IntegrityError]
    assert (followed, on_disk(path)) == ([], [])
    database.close()


async def test_a_value_that_cannot_be_encoded_fails_the_turn_too(path: Path) -> None:
    failures: list[BaseException] = []
    database = Database(path, [SCHEMA], on_failure=failures.append)
    database.put(THINGS, ("a",), object())
    with pytest.raises(TypeError):
        await database.committed()
    assert len(failures) == 1
    database.close()


async def test_closing_commits_what_is_pending(path: Path) -> None:
    database = Database(path, [SCHEMA])
    database.put(THINGS, ("a",), 1)
    database.close()
    assert on_disk(path) == [("a",)]


async def test_nothing_to_wait_for_is_not_waited_for(database: Database) -> None:
    await asyncio.wait_for(database.committed(), 1)


def test_migrations_are_applied_once_and_in_order(path: Path) -> None:
    Database(path, [SCHEMA]).close()
    Database(path, [SCHEMA, "ALTER TABLE lines ADD COLUMN more TEXT"]).close()
    database = Database(path, [SCHEMA, "ALTER TABLE lines ADD COLUMN more TEXT"])
    assert database.query("PRAGMA user_version") == [(2,)]
    database.close()


def test_a_newer_file_is_refused(path: Path) -> None:
    Database(path, [SCHEMA, "CREATE TABLE later (x)"]).close()
    with pytest.raises(NewerSchemaError, match="schema 2, this version knows 1"):
        Database(path, [SCHEMA])


def test_durability_is_sqlites_synchronous(path: Path) -> None:
    for durability, level in (("process", 1), ("power-loss", 2)):
        database = Database(path, [SCHEMA], durability=durability)  # type: ignore[arg-type]
        assert database.query("PRAGMA synchronous") == [(level,)]
        assert database.query("PRAGMA journal_mode") == [("wal",)]
        database.close()
