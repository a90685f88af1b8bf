"""What ECS says of services, as the watch takes it: their actions, deployments and counts. Frozen values, no I/O."""

from typing import Literal

import msgspec


class ServiceAction(msgspec.Struct, frozen=True, kw_only=True):
    """One "ECS Service Action", or the same read from a service's own messages (facts/ecs.md §5.5, §6.3). It has no version:
    (service_arn, name, at) names it."""

    event_id: str
    at: float
    account: str
    region: str
    service_arn: str
    cluster: str
    level: str
    """`INFO`, `WARN` or `ERROR`; an unknown one is kept as it came."""
    name: str
    """`SERVICE_STEADY_STATE`, `SERVICE_TASK_PLACEMENT_FAILURE` ..."""
    reason: str = ""
    providers: tuple[str, ...] = ()
    """Names of the capacity providers it is about."""

    @property
    def service(self) -> str:
        return self.service_arn.rpartition("/")[2]


class DeploymentChange(msgspec.Struct, frozen=True, kw_only=True):
    """One "ECS Deployment State Change", or a deployment's rolloutState as DescribeServices tells it (facts/ecs.md §5.3, §6.4)."""

    event_id: str
    at: float
    account: str
    region: str
    service_arn: str
    cluster: str
    deployment_id: str
    """`ecs-svc/4821097730155826001`."""
    state: Literal["in_progress", "completed", "failed"]
    reason: str = ""
    back_to: str | None = None
    """The deployment that this one, a rollback, brings back."""
    definition: str | None = None
    """Where DescribeServices tells it: the ARN of its task definition."""

    @property
    def service(self) -> str:
        return self.service_arn.rpartition("/")[2]


class ServiceReading(msgspec.Struct, frozen=True, kw_only=True):
    """A service's counts at one moment, as DescribeServices tells them (facts/ecs.md §5.1)."""

    event_id: str
    at: float
    account: str
    region: str
    service_arn: str
    cluster: str
    status: str
    """`ACTIVE`, `DRAINING` or `INACTIVE`."""
    desired: int
    running: int
    pending: int
    created_at: float | None = None
    definition: str | None = None
    deployments: int = 1
    """How many it has: more than one while one replaces another."""

    @property
    def service(self) -> str:
        return self.service_arn.rpartition("/")[2]


ServiceNews = ServiceAction | DeploymentChange | ServiceReading
