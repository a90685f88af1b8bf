"""What is said of services, and what only a memory tells, from the first event to the end of the incident."""

from pathlib import Path

import msgspec
from sqlalchemy import select

from hinoban.base.clock import MINUTES
from hinoban.base.units import iso, iso_seconds
from hinoban.watch.history.schema import incidents, memories
from tests.unit.watch.samples import ACCOUNT, REGION, task_event
from tests.unit.watch.worlds import World

SERVICE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/default/web"


def action(name: str, level: str, at: float) -> bytes:
    detail = {"eventType": level, "eventName": name, "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/default", "createdAt": iso(at)}
    envelope = {"version": "0", "id": f"{name}-{at}", "detail-type": "ECS Service Action", "source": "aws.ecs", "account": ACCOUNT}
    return msgspec.json.encode({**envelope, "time": iso_seconds(at), "region": REGION, "resources": [SERVICE], "detail": detail})


def crash(number: int, at: float, *, exit_code: int = 1) -> list[bytes]:
    return [
        task_event(number, "RUNNING", at=at, family="web", group="service:web", started_by="ecs-svc/1"),
        task_event(
            number, "STOPPED", at=at + 5, created=at, family="web", group="service:web", started_by="ecs-svc/1", exit_code=exit_code
        ),
    ]


def told_of(here: World) -> list[tuple[str, str]]:
    with here.engine.connect() as connection:
        return [(verdict, state) for verdict, state in connection.execute(select(incidents.c.verdict, incidents.c.state))]


def rows(here: World) -> list[str]:
    with here.engine.connect() as connection:
        return sorted(connection.execute(select(memories.c.name)).scalars())


async def test_an_impaired_service_is_told_until_it_is_steady_and_again_when_it_comes_back(tmp_path: Path) -> None:
    here = World(tmp_path)
    begun = here.clock.now()
    here.aws.emit(action("SERVICE_TASK_PLACEMENT_FAILURE", "ERROR", begun))
    await here.turns(2)
    assert told_of(here) == [("SERVICE IMPAIRED", "open")]
    here.aws.emit(action("SERVICE_STEADY_STATE", "INFO", begun + 60), action("SERVICE_TASK_PLACEMENT_FAILURE", "ERROR", begun))
    await here.turns(2)
    assert told_of(here) == [("SERVICE IMPAIRED", "resolved")]
    here.aws.emit(action("SERVICE_TASK_PLACEMENT_FAILURE", "ERROR", begun + 120))
    await here.turns(2)
    assert told_of(here) == [("SERVICE IMPAIRED", "open")]
    assert len(here.told()) == 3


async def test_a_storm_of_one_service_is_one_loop_and_ends_when_it_is_quiet(tmp_path: Path) -> None:
    here = World(tmp_path)
    for number in range(20):
        here.aws.emit(*crash(number, here.clock.now() + number))
    await here.turns(3)
    assert sorted(told_of(here)) == [("CRASH LOOP", "open"), *[("EXIT 1", "open")] * 4]
    here.crash()
    await here.turns(40 * MINUTES, step=60)
    assert ("CRASH LOOP", "resolved") in told_of(here)
    assert rows(here) == []


async def test_tasks_that_a_service_scales_in_or_somebody_stops_are_no_loop(tmp_path: Path) -> None:
    here = World(tmp_path)
    for number, code in enumerate(["ServiceSchedulerInitiated", "UserInitiated"] * 5):
        ended = {"family": "web", "group": "service:web", "started_by": "ecs-svc/1", "exit_code": 143}
        here.aws.emit(task_event(number, "STOPPED", at=here.clock.now(), code=code, reason="Scaling activity initiated by x", **ended))
    await here.turns(3)
    assert told_of(here) == [] and rows(here) == []
