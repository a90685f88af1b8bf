"""`why` by id stays fast with millions of tasks: each of its questions is an index look-up, by SQLite's own word."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from hinoban.watch.answers import Answers
from hinoban.watch.history import queries
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


@pytest.mark.parametrize("ask", [queries.last_good_run, queries.good_lengths, queries.good_runs_since])
async def test_a_familys_other_runs_are_found_by_family_and_moment(tmp_path: Path, ask: Callable[[Connection, Any], Any]) -> None:
    world = World(tmp_path)
    world.aws.emit(*everything())
    await world.turns()
    incident = next(one for one in world.watch.incidents()["incidents"] if one["task"] is not None)
    asked: list[tuple[str, Any]] = []
    with world.engine.connect() as connection:
        row = queries.task_by_arn(connection, incident["task"])
        [found] = queries.incidents_by_prefix(connection, incident["id"])
        event.listen(world.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
        ask(connection, found.finding if ask is queries.good_runs_since else row)
        text, given = asked[0]
        plan = [step[3] for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)]
    assert plan[0].startswith("SEARCH tasks USING INDEX tasks_by_family (family=?"), plan
    # Those that ended well since a failure are few, and are told in the order of their ends.
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan or ask is queries.good_runs_since, plan
