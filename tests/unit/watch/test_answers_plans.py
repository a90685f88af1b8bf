"""`why` by id stays fast with millions of tasks: each of its questions is an index look-up, by SQLite's own word."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from hinoban.watch.answers import Answers
from tests.unit.watch.recordings import everything
from tests.unit.watch.samples import task_arn, task_id
from tests.unit.watch.worlds import World

GROWING = ("tasks", "task_events", "launches", "stops", "incidents", "slots", "outbox")


@pytest.mark.parametrize("name", [task_id(1), task_id(2), task_id(2)[:8], task_arn(5), task_id(10)])
async def test_no_question_of_why_reads_a_whole_table(tmp_path: Path, name: str) -> None:
    world = World(tmp_path)
    world.aws.emit(*everything())
    await world.turns()
    asked: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, several: bool) -> None:
        asked.append((statement, parameters))

    event.listen(world.engine, "before_cursor_execute", note)
    Answers(world.engine).why(name)
    event.remove(world.engine, "before_cursor_execute", note)
    questions = [(text, given) for text, given in asked if text.startswith("SELECT")]
    assert any("FROM tasks" in text for text, _ in questions)
    with world.engine.connect() as connection:
        for text, given in questions:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)]
            assert not any(step.startswith("SCAN") and step.split()[1] in GROWING for step in plan), (text, plan)
            # Of one task there are few stops.
            assert "USE TEMP B-TREE FOR ORDER BY" not in plan or "FROM stops" in text, (text, plan)
