"""A state folder that an older version left is read as it is, without a daemon: nothing is asked of it that it does not hold."""

import asyncio
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from hinoban.watch import history
from hinoban.watch.answers import Answers
from hinoban.watch.history.database import HEAD, open_file
from tests.unit.watch.recordings import everything
from tests.unit.watch.samples import task_id
from tests.unit.watch.worlds import World

OLDER = [f"{number:04}" for number in range(1, int(HEAD))]


def left_by(revision: str, newest: Path, folder: Path) -> Path:
    """What a version of that schema would have of the same history."""
    path = folder / "old" / "watch.db"
    path.parent.mkdir()
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(history.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"ATTACH '{newest}' AS newest")
        tables = connection.exec_driver_sql("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name != 'alembic_version'")
        for table in tables.scalars().all():
            names = ", ".join(f'"{row[1]}"' for row in connection.exec_driver_sql(f"PRAGMA main.table_info({table})"))
            connection.exec_driver_sql(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM newest.{table}")
    engine.dispose()
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One that has seen everything."""
    world = World(tmp_path_factory.mktemp("newest"))
    world.aws.emit(*everything())
    asyncio.run(world.turns(60, step=20))
    return world


@pytest.mark.parametrize("revision", OLDER)
def test_every_question_is_answered_from_the_folder_of_an_older_version(world: World, tmp_path: Path, revision: str) -> None:
    new, old = Answers(world.engine, live=False), Answers.readonly(left_by(revision, world.path, tmp_path))
    incidents = new.incidents()["incidents"]
    assert len(incidents) > 5
    for incident in incidents:
        assert old.incident(incident["id"])["verdict"] == incident["verdict"]
        assert old.postmortem(incident["id"])["markdown"].startswith("#")
        assert old.why(incident["id"])["lines"][0] == new.why(incident["id"])["lines"][0]
    assert old.why("way-2")["task"] == old.why(task_id(2)[:8])["task"] == old.why(task_id(2))["task"]
    for leads in (True, False):
        assert {one["id"] for one in incidents} >= {one["id"] for one in old.incidents(leads=leads)["incidents"]} != set()
        assert old.incidents("open", leads=leads)["incidents"]
    assert [one["id"] for one in old.history({})["tasks"]] == [one["id"] for one in new.history({})["tasks"]]
    assert old.history({"schedule": "close", "outcome": "failed"}) is not None
    now = world.clock.now()
    assert old.orphans(now)["orphans"] == new.orphans(now)["orphans"]
    assert old.status(now)["tasks"] == new.status(now)["tasks"]
    assert old.schedules(now, 86_400.0, 1)["schedules"] in (0, new.schedules(now, 86_400.0, 1)["schedules"])


@pytest.mark.parametrize("revision", [OLDER[0], OLDER[-1]])
def test_what_ended_before_an_upgrade_has_the_class_that_its_incident_tells(world: World, tmp_path: Path, revision: str) -> None:
    path = left_by(revision, world.path, tmp_path)
    assert {task["class"] for task in Answers.readonly(path).history({})["tasks"]} == {None}
    known = {(one["task"], one["verdict"]) for one in world.watch.incidents()["incidents"]}
    failed = world.watch.history({"outcome": "failed"})["tasks"]
    then = {task["arn"]: task["class"] for task in failed if (task["arn"], task["verdict"]) in known}
    now = {task["arn"]: task["class"] for task in Answers(open_file(path)).history({"outcome": "failed"})["tasks"]}
    assert {"out_of_memory", "exit_non_zero", "eni_provisioning_timeout"} <= set(then.values())
    assert {arn: now[arn] for arn in then} == then
