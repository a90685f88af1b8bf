"""Ended tasks and events of services for the detectors' tests."""

from typing import Any

from hinoban.base.units import iso
from hinoban.watch.detect.services import Over, Told
from hinoban.watch.model import Launch, TaskChange
from hinoban.watch.service_model import DeploymentChange, ServiceAction, ServiceReading

NOW = 1_795_705_200.0
ACCOUNT, REGION = "123456789012", "ap-northeast-1"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/web"
SERVICE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/web/web-api"
NEW, OLD, BACK = "ecs-svc/2222222222222222222", "ecs-svc/1111111111111111111", "ecs-svc/3333333333333333333"


def task(
    number: int = 1, *, at: float = NOW, lived: float | None = 60.0, owned: bool = False, codes: dict[str, int] | None = None, **fields: Any
) -> TaskChange:
    """A STOPPED task; `lived` seconds after it began to run (None: it never ran), `owned` by service web-api."""
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/web/{number:032x}"
    detail: dict[str, Any] = {
        "taskArn": arn,
        "taskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/web-api:204",
        "clusterArn": CLUSTER,
        "group": "service:web-api" if owned else "family:web-api",
        "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "createdAt": iso(at - (lived or 0) - 20),
        "stoppedAt": iso(at),
        "containers": [{"name": name, "exitCode": code} for name, code in ({"app": 0} if codes is None else codes).items()],
    }
    if owned:
        detail["startedBy"] = NEW
    if lived is not None:
        detail |= {"startedAt": iso(at - lived), "executionStoppedAt": iso(at)}
    detail = {name: value for name, value in {**detail, **fields}.items() if value is not None}
    return TaskChange(event_id=f"t{number}", at=at, account=ACCOUNT, region=REGION, task_arn=arn, version=6, detail=detail)


def launch(number: int = 1, *, at: float = NOW, **fields: Any) -> Launch:
    request = {"taskDefinition": "nightly:7", "cluster": "web", **fields.pop("request", {})}
    caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/run-1"
    common: dict[str, Any] = {"at": at, "account": ACCOUNT, "region": REGION, "request": request, "caller_arn": caller, **fields}
    return Launch(event_id=f"ct-{number}", launch_id=f"lch-{number}", **common)


def action(name: str, level: str = "ERROR", *, at: float = NOW, reason: str = "", service: str = SERVICE) -> ServiceAction:
    return ServiceAction(
        event_id=f"{name}{at}",
        at=at,
        account=ACCOUNT,
        region=REGION,
        service_arn=service,
        cluster="web",
        level=level,
        name=name,
        reason=reason,
    )


def deployment(state: Any, deployment_id: str = NEW, *, at: float = NOW, reason: str = "", back_to: str | None = None) -> DeploymentChange:
    return DeploymentChange(
        event_id=f"{state}{deployment_id}{at}",
        at=at,
        account=ACCOUNT,
        region=REGION,
        service_arn=SERVICE,
        cluster="web",
        deployment_id=deployment_id,
        state=state,
        reason=reason,
        back_to=back_to,
    )


def reading(
    running: int, desired: int = 4, *, at: float = NOW, status: str = "ACTIVE", created: float | None = NOW - 86400
) -> ServiceReading:
    return ServiceReading(
        event_id=f"r{at}",
        at=at,
        account=ACCOUNT,
        region=REGION,
        service_arn=SERVICE,
        cluster="web",
        status=status,
        desired=desired,
        running=running,
        pending=0,
        created_at=created,
        definition=f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/web-api:204",
    )


def feed(module: Any, state: Any, observations: list[Any]) -> tuple[Any, list[Told]]:
    """What a detector with a memory told of these, and its state behind them."""
    told: list[Told] = []
    for one in observations:
        state, more = module.seen(state, one)
        told.extend(more)
    return state, told


def verdicts(told: list[Told]) -> list[str]:
    """The verdicts, `over` for an end."""
    return ["over" if isinstance(one, Over) else one.verdict for one in told]
