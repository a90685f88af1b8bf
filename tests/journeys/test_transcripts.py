"""What `hinoban why` prints, held against the transcripts of the specification: line 1, the labels in their order, the words.

Other journeys reproduce three of its seven: `why db-migrate` is test_overdue.py (test_why_db_migrate); `why daily-close@00:00`, label for
label, test_lost_runs.py (test_an_inactive_revision_is_told_before_midnight...); Slack, `schedules` and `status` are
test_transcript_screens.py.

In all of them ours differs so: a due time names the rule's expression also where a transcript has no room for it; the run of each attempt
has its line below the labels, also of an only attempt; `Changed` dates the last good run.
"""

from pathlib import Path
from typing import Any

import msgspec

from hinoban.base.clock import DAYS, HOURS, MINUTES
from hinoban.base.units import iso
from hinoban.watch.config import Policy, RetryRule, WatchConfig
from tests.support.transcripts import reproduces
from tests.unit.watch.ledgers import add_rule, fired, launch, task, until
from tests.unit.watch.samples import ACCOUNT, REGION, START, envelope, life, task_event, task_id
from tests.unit.watch.worlds import World

MIDNIGHT = START
"""Fri 27 Nov 2026 00:00 in Tokyo."""
NIGHTLY, AT_NINE = "cron(0 15 * * ? *)", "cron(0 0 * * ? *)"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/web-api"


def tokyo(folder: Path, begins: float, *policies: Policy) -> World:
    """A watch that speaks in Tokyo's time, from a moment on."""
    world = World(folder, WatchConfig(tz="Asia/Tokyo", policies=policies))
    world.clock._now = begins
    world.crash()
    return world


def definition(job: str) -> dict[str, Any]:
    """What an event or a launch says of its definition."""
    return {"taskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{job}"}


def edited(raw: bytes, app: dict[str, Any] | None = None, **detail: Any) -> bytes:
    """A task's event with other members; `app` are those of its container."""
    event = msgspec.json.decode(raw)
    event["detail"] |= detail
    event["detail"]["containers"][0] |= app or {}
    return msgspec.json.encode(event)


def registers(world: World, family: str, newest: int, at: float, by: str, of_revision: Any) -> None:
    """AWS describes a family's revisions; `of_revision` gives the container's members of one."""

    def described(params: dict[str, Any]) -> dict[str, Any]:
        asked = str(params["taskDefinition"]).rpartition(":")[2]
        number = int(asked) if asked.isdigit() else newest
        container = {"name": "app", "image": "app:1", **of_revision(number)}
        facts = {"family": family, "revision": number, "status": "ACTIVE", "registeredAt": at, "registeredBy": by}
        return {"taskDefinition": {**facts, "containerDefinitions": [container]}}

    setattr(world.aws, "DescribeTaskDefinition", described)  # noqa: B010  # mypy forbids the plain assignment


async def scheduled_run(world: World, job: str, slot: float, number: int, seconds: float, **ends: Any) -> None:
    """The run of a slot, from its rule to its end."""
    family = job.partition(":")[0]
    await until(world, slot, 600)
    began = edited(task(family, number, "RUNNING", slot), **definition(job))
    world.aws.emit(fired(family, slot), launch(family, slot, number, request={"taskDefinition": job}), began)
    await until(world, slot + 1 + seconds, 20)
    app = ends.pop("app", None)
    several = ends.pop("beside", [])
    raw = msgspec.json.decode(edited(task(family, number, "STOPPED", slot, at=world.clock.now(), **ends), app, **definition(job)))
    raw["detail"]["containers"] += several
    world.aws.emit(msgspec.json.encode(raw))
    await world.turns(20, step=5)


def why(world: World, name: str) -> list[str]:
    lines: list[str] = world.watch.why(name)["lines"]
    assert len(lines) <= 12
    return lines


async def test_why_nightly_billing(tmp_path: Path) -> None:
    """Ours differs: `Hops` is printed too; the cause names no zones and the attempts subnets, as RunTask tells subnets; `Done` counts retries
    without the policy's name; attempts say neither when they were seen nor that it was looked first.
    """
    world = tokyo(tmp_path, MIDNIGHT - 1 * HOURS, Policy(retry=RetryRule(attempts=6, rotate=True)))
    add_rule(world, "nightly-billing", NIGHTLY, job="nightly-billing:31")
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1a", "subnet-1c"]}}
    request = {"taskDefinition": "nightly-billing:31", "networkConfiguration": network}
    for number, slot in enumerate((MIDNIGHT, MIDNIGHT + 1 * DAYS)):
        await until(world, slot + 65, 600)
        world.aws.refuse = 1
        refused = launch("nightly-billing", slot, 900 + number, tasks=0, refused=1, at=slot + 7, request=request)
        world.aws.emit(fired("nightly-billing", slot), refused)
        while len(world.aws.launched) == number:
            await world.turns(5)
        await world.turns(372, step=4)
        world.aws.finish(world.aws.launched[-1][1])
        await world.turns(10)
    reproduces(
        why(world, "nightly-billing"),
        """
        nightly-billing:31 · due Sat 28 Nov 00:00 JST (rule, cron(0 15 * * ? *) UTC) · RECOVERED at attempt 3 · <inc>
        Cause    Fargate had no capacity. Your definition is fine; the program had not started, so no data was touched.
        Said     RunTask failures[0]: Capacity is unavailable at this time. Please try again later or in a different availability zone
        Hops     enabled ok · fired ok · RunTask REFUSED · task <id> · exit 0
        Done     Retried twice, ran once, exit 0.
        Next     Nothing now. 2 of the last 2 runs needed a retry: add a subnet in another zone to the target, or move it off :00.
        00:00:07  1  events-rule/nightly-billing  refused
        00:01:<second1>  2  hinoban, subnet-1c only      refused
        <time2>  3  hinoban, subnet-1a only      task <id>  RUNNING <time2> · STOPPED exit 0 <time3>
        """,
    )


async def test_why_of_a_task_of_web_api(tmp_path: Path) -> None:
    """Ours differs: `Changed` is worded alike everywhere, and does not add that nothing else changed; the one that speaks for all three
    would list the others.
    """
    world = tokyo(tmp_path, MIDNIGHT + 14 * HOURS)
    registers(
        world,
        "web-api",
        204,
        MIDNIGHT + 14 * HOURS + 2 * MINUTES,
        f"arn:aws:iam::{ACCOUNT}:role/ci-deploy",
        lambda number: {"image": f"{IMAGE}:v1.8.{2 if number == 203 else 3}"},
    )
    owned: dict[str, Any] = {"family": "web-api", "group": "service:web-api", "started_by": "ecs-svc/4821097730155826001", "cluster": "web"}
    world.aws.emit(*(edited(raw, **definition("web-api:203")) for raw in life(300, at=world.clock.now(), **owned)))
    await world.turns(10 * MINUTES, step=60)
    said = (
        f"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {IMAGE}:v1.8.3: "
        f"{IMAGE}:v1.8.3: not found"
    )
    for number in (42, 43, 0x91D0C2E7):
        ended = task_event(number, "STOPPED", at=world.clock.now(), code="TaskFailedToStart", reason=said, exit_code=None, **owned)
        world.aws.emit(edited(ended, {"image": f"{IMAGE}:v1.8.3"}, **definition("web-api:204")))
        await world.turns(20, step=10)
    await world.turns(30, step=10)
    reproduces(
        why(world, "91d0"),
        f"""
        web-api:204 · service web-api · task 91d0c2e7 · NOT STARTED · <inc> (3 tasks, one cause)
        Cause    The image tag does not exist: {IMAGE}:v1.8.3. Not network or rights: the registry answered "not found".
        Said     {said}
        Changed  since the last good run (Fri 27 Nov 14:00 JST): :203 → :204, image v1.8.2 → v1.8.3 (registered Fri 27 Nov 14:02 JST by ci-deploy)
        Next     Push it, or: aws ecs update-service --cluster web --service web-api --task-definition web-api:203      Not retried: it cannot help.
        """,
    )


async def test_why_of_a_task_of_report_export(tmp_path: Path) -> None:
    """Ours differs: `Log` says that nothing was printed; `Next` has no price, and says that the definition is to be registered;
    of peak memory, that it is unknown because Container Insights is not read.
    """
    world = tokyo(tmp_path, MIDNIGHT)
    add_rule(world, "report-export", AT_NINE, job="report-export:12")
    for day, seconds in enumerate((360, 480)):
        await scheduled_run(world, "report-export:12", MIDNIGHT + 9 * HOURS + day * DAYS, 100 + day, seconds)
    killed: dict[str, Any] = {"exit_code": 137, "container_reason": "OutOfMemoryError: Container killed due to memory usage"}
    await scheduled_run(world, "report-export:12", MIDNIGHT + 9 * HOURS + 2 * DAYS, 0xC02B77F1, 200, **killed)
    reproduces(
        why(world, "c02b"),
        """
        report-export:12 · due Sun 29 Nov 09:00 JST (rule, cron(0 0 * * ? *) UTC) · task c02b77f1 · OUT OF MEMORY after 3 m 20 s · <inc>
        Cause    Container app reached its limit of 512 MiB and was killed (exit 137).
        Said     Essential container in task exited · app: OutOfMemoryError: Container killed due to memory usage
        Log      It printed nothing.
        Usual    last 2 good runs 6–8 m; peak memory unknown (Container Insights is not read)
        Next     Set memory to 1024 (valid with cpu 256), register it, then: hinoban retry c02b77f1      Not retried: same input, same limit.
        09:00:01  1  events-rule/report-export  task c02b77f1  RUNNING 09:00:01 · STOPPED exit 137 09:03:21 · out of memory
        """,
    )
    # The command of `Next` works as it stands.
    answer = await world.watch.retry("c02b77f1", "s.tanaka")
    assert answer["incident"] == world.watch.why("c02b")["incident"] and answer["attempt"] == 2


async def test_why_of_a_task_of_point_expire(tmp_path: Path) -> None:
    """Ours differs: kept log lines have neither container nor time; `Usual` is told of every failed run."""
    world = tokyo(tmp_path, MIDNIGHT - 26 * HOURS)
    registers(
        world,
        "point-expire",
        9,
        MIDNIGHT - 6 * HOURS - 20 * MINUTES,
        f"arn:aws:iam::{ACCOUNT}:user/terraform",
        lambda number: {"environment": [{"name": "DB_HOST", "value": f"db{number}"}]},
    )
    error = 'psycopg.OperationalError: connection to server at "10.0.4.12" failed: timeout'
    world.aws.log = [*(f"row {number}" for number in range(19)), error]
    add_rule(world, "point-expire", NIGHTLY, job="point-expire:9")
    image = {"imageDigest": "sha256:1"}
    router = {"name": "log-router", "lastStatus": "STOPPED", "exitCode": 143}
    await scheduled_run(world, "point-expire:8", MIDNIGHT - 1 * DAYS, 200, 12, app=image)
    await scheduled_run(world, "point-expire:9", MIDNIGHT, 0x5F10AA3C, 12, app=image, beside=[router], exit_code=1)
    reproduces(
        why(world, "5f10"),
        f"""
        point-expire:9 · due Fri 27 Nov 00:00 JST (rule, cron(0 15 * * ? *) UTC) · task 5f10aa3c · EXIT 1 after 12 s · <inc>
        Cause    Your program ended with exit code 1. ECS did its part.
        Said     Essential container in task exited · app exit 1 · log-router exit 143 (stopped because app ended)
        Log      {error}      (20 lines kept: hinoban logs 5f10aa3c)
        Changed  since the last good run (Thu 26 Nov 00:00 JST): :8 → :9, environment DB_HOST (registered Thu 26 Nov 17:40 JST by terraform); same image digest
        Usual    the last good run 12 s
        Next     Look at DB_HOST, then: hinoban retry 5f10aa3c (same overrides; refuses while another run lives)      Not retried: no on_exit policy.
        00:00:01  1  events-rule/point-expire  task 5f10aa3c  RUNNING 00:00:01 · STOPPED exit 1 00:00:13
        """,
    )
    assert task_id(0x5F10AA3C).startswith("5f10aa3c")


async def test_why_web_api(tmp_path: Path) -> None:
    """Ours differs: a deployment is a matter of its own, beside that of its tasks (docs/incidents.md); the events tell neither revisions
    nor the service's desired count; `Next` names no command that does not exist (`hinoban wait`).
    """
    world = tokyo(tmp_path, MIDNIGHT + 14 * HOURS)
    service = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/web/web-api"

    def deployment(name: str, number: int, reason: str) -> bytes:
        at = world.clock.now()
        detail = {"eventName": f"SERVICE_DEPLOYMENT_{name}", "eventType": "INFO", "deploymentId": f"ecs-svc/{number}"}
        raw = envelope("ECS Deployment State Change", detail | {"updatedAt": iso(at), "reason": reason}, at, f"deployment-{at}")
        return msgspec.json.encode(msgspec.json.decode(raw) | {"resources": [service]})

    world.aws.emit(deployment("FAILED", 4821097730155826001, "ECS deployment circuit breaker: tasks failed to start."))
    await world.turns(704, step=8)
    back = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/4821097730155826000."
    world.aws.emit(deployment("IN_PROGRESS", 4821097730155826002, back))
    await world.turns(10)
    went_back = "so ECS went back to deployment ecs-svc/4821097730155826000. Users are served by the version before."
    reproduces(
        why(world, "web-api"),
        f"""
        web-api · ROLLED BACK at 14:11:44 JST · <inc>
        Cause    The new version of service web-api did not come up, {went_back}
        Said     {back}
        Next     Read why its tasks failed, then deploy again: hinoban history --service web-api --failed
        """,
    )
