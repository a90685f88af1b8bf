"""A night of scheduled runs on a street, and a one-off watch that reads what became of them."""

from typing import Any

from hinoban.aws.errors import AwsError
from hinoban.aws.profiles import Place, Profile, RegionalClient
from hinoban.aws.sigv4 import Credentials
from hinoban.base.clock import HOURS, MINUTES
from hinoban.daemon.one_off import OneOff
from tests.support.engine import CREDENTIALS, REGION
from tests.support.polled import passing
from tests.support.street import Street

NETWORK = {"awsvpcConfiguration": {"Subnets": ["subnet-1"]}}


class Night:
    """Three schedules due at 16:00 UTC: one runs well, one fails, one is refused. `calls` are those that the one-off watch made; of
    those, only the `taken` are answered where AWS takes its keys no more (`untaken`).
    """

    def __init__(self, street: Street) -> None:
        self.street = street
        self.calls: list[str] = []
        self.denied: set[str] = set()
        self.fails: tuple[str, str] | None = None
        """A call, and a word in its parameters, that AWS has no answer to."""
        self.untaken: AwsError | None = None
        self.taken: set[str] = set()

    async def schedule(self, name: str, script: str, expression: str = "cron(0 16 * * ? *)", **members: Any) -> None:
        target = _target(await self.street.bench.define(name, script, **members))
        asked = {"Name": name, "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
        await self.street.client.call("scheduler", "CreateSchedule", asked)

    async def rule(self, name: str, expression: str) -> None:
        target = _target(await self.street.bench.define(name, "run_for=60s"))
        await self.street.client.call("events", "PutRule", {"Name": name, "ScheduleExpression": expression})
        await self.street.client.call("events", "PutTargets", {"Rule": name, "Targets": [{"Id": "1", **target}]})

    async def fall(self) -> None:
        await self.schedule("billing", "run_for=60s")
        await self.schedule("report", "run_for=120s exit=3")
        await self.schedule("closing", "run_for=60s")
        await self.street.put_in(what="capacity", match={"family": ["closing"]})
        await self.street.bench.clock.advance(1 * HOURS + 20 * MINUTES)

    def one_off(self, tz: str = "UTC") -> OneOff:
        clock, night = self.street.bench.clock, self

        async def keys() -> Credentials:
            return CREDENTIALS

        class Heard(RegionalClient):
            async def call(self, service: str, operation: str, params: Any) -> dict[str, Any]:
                night.calls.append(f"{service}:{operation}")
                if night.calls[-1] in night.denied:
                    raise AwsError("AccessDeniedException", f"not authorized to perform {night.calls[-1]}")
                if night.fails is not None and night.fails[0] == night.calls[-1] and night.fails[1] in str(params):
                    raise AwsError("InternalFailure", "try again", 500)
                if night.untaken is not None and night.calls[-1] not in night.taken:
                    raise night.untaken
                return await super().call(service, operation, params)

        profile = Profile(None, REGION, "http://127.0.0.1:4566")
        transport = self.street.client._http._transport
        client = Heard(keys, lambda service, region: Place("http://127.0.0.1:4566", region), REGION, clock=clock, transport=transport)
        return OneOff(client, profile, 24 * HOURS, clock, tz=tz)

    async def ask(self, one_off: OneOff, path: str, **query: Any) -> dict[str, Any]:
        return await passing(self.street.bench.clock, one_off.get(path, query))


def _target(definition: str) -> dict[str, Any]:
    cluster = definition.partition(":task-definition/")[0] + ":cluster/default"
    ecs = {"TaskDefinitionArn": definition, "LaunchType": "FARGATE", "NetworkConfiguration": NETWORK}
    return {"Arn": cluster, "RoleArn": "arn:aws:iam::123456789012:role/events", "EcsParameters": ecs}
