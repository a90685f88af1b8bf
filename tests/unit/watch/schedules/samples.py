"""Schedules to test with, made through the same reading as AWS's answers, and an AWS that answers from dictionaries."""

from collections.abc import Mapping
from typing import Any

from hinoban.aws.errors import AwsError
from hinoban.base.clock import DAYS
from hinoban.watch.schedules import reading
from hinoban.watch.schedules.model import Schedule

REGION = "ap-northeast-1"
ACCOUNT = "123456789012"
MIDNIGHT = 1_795_737_600.0 - 1_795_737_600.0 % DAYS
"""A midnight in UTC, late in November 2026."""


def role_arn(name: str = "ecsEventsRole") -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def definition_arn(job: str, region: str = REGION) -> str:
    return f"arn:aws:ecs:{region}:{ACCOUNT}:task-definition/{job}"


def rule_body(name: str = "daily-close", expression: str = "cron(0 0 * * ? *)", region: str = REGION, **members: Any) -> dict[str, Any]:
    """A rule as ListRules tells it."""
    arn = f"arn:aws:events:{region}:{ACCOUNT}:rule/{name}"
    return {"Name": name, "Arn": arn, "State": "ENABLED", "ScheduleExpression": expression, "EventBusName": "default"} | members


def target_body(job: str = "daily-close:17", cluster: str = "batch", region: str = REGION, **members: Any) -> dict[str, Any]:
    """An ECS target of a rule; `ecs` holds further EcsParameters."""
    parameters = {"TaskDefinitionArn": definition_arn(job, region), "TaskCount": 1} | members.pop("ecs", {})
    arn = f"arn:aws:ecs:{region}:{ACCOUNT}:cluster/{cluster}"
    return {"Id": "1", "Arn": arn, "RoleArn": role_arn(), "EcsParameters": parameters} | members


def schedule_body(name: str = "report", expression: str = "cron(0 9 * * ? *)", **members: Any) -> dict[str, Any]:
    """A schedule as GetSchedule tells it; `target` holds the arguments of target_body."""
    group, region = members.pop("GroupName", "default"), members.pop("region", REGION)
    target = target_body(region=region, **({"job": "report"} | members.pop("target", {})))
    del target["Id"]
    return {
        "Arn": f"arn:aws:scheduler:{region}:{ACCOUNT}:schedule/{group}/{name}",
        "GroupName": group,
        "Name": name,
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": "UTC",
        "State": "ENABLED",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
        "CreationDate": MIDNIGHT - 30 * DAYS,
        "LastModificationDate": MIDNIGHT - 30 * DAYS,
    } | members


def rule(name: str = "daily-close", expression: str = "cron(0 0 * * ? *)", *, target: Mapping[str, Any] = {}, **members: Any) -> Schedule:
    return reading.of_rule(rule_body(name, expression, **members), target_body(**target))


def schedule(name: str = "report", expression: str = "cron(0 9 * * ? *)", **members: Any) -> Schedule:
    return reading.of_schedule(schedule_body(name, expression, **members))


class Answers:
    """An AWS of dictionaries. `fail` maps an operation, or (operation, name), to what its call raises; `calls` counts."""

    def __init__(self) -> None:
        self.rules: dict[str, dict[str, Any]] = {}
        self.targets: dict[str, list[dict[str, Any]]] = {}
        self.schedules: dict[tuple[str, str], dict[str, Any]] = {}
        self.definitions: dict[str, dict[str, Any]] = {}
        self.clusters: dict[str, str] = {"batch": "ACTIVE"}
        self.roles: set[str] = {"ecsEventsRole"}
        self.secrets: dict[str, dict[str, Any]] = {}
        self.parameters: set[str] = set()
        self.fail: dict[Any, list[Exception] | Exception] = {}
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.page = 2
        self.region = REGION

    def add_rule(self, body: Mapping[str, Any], *targets: Mapping[str, Any]) -> None:
        self.rules[body["Name"]] = dict(body)
        self.targets[body["Name"]] = [dict(target) for target in targets]

    def add_schedule(self, body: Mapping[str, Any]) -> None:
        self.schedules[body["GroupName"], body["Name"]] = dict(body)

    def in_region(self, region: str) -> "Answers":
        """All regions but ours are empty; IAM's is everywhere."""
        return self if region in (REGION, "us-east-1") else Answers()

    def asked(self, operation: str) -> list[dict[str, Any]]:
        return [params for _, name, params in self.calls if name == operation]

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append((service, operation, dict(params)))
        named = params.get("Rule") or params.get("Name") or params.get("taskDefinition") or params.get("RoleName") or params.get("SecretId")
        for key in ((operation, named), operation):
            trouble = self.fail.get(key)
            if isinstance(trouble, list) and trouble:
                raise trouble.pop(0)
            if isinstance(trouble, Exception):
                raise trouble
        found: dict[str, Any] = getattr(self, f"_{operation}")(params)
        return found

    def _paged(self, items: list[Any], key: str, params: Mapping[str, Any]) -> dict[str, Any]:
        start = int(params.get("NextToken") or 0)
        end = start + self.page
        return {key: items[start:end]} | ({"NextToken": str(end)} if end < len(items) else {})

    def _ListRules(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return self._paged(list(self.rules.values()), "Rules", params)

    def _DescribeRule(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["Name"] not in self.rules:
            raise AwsError("ResourceNotFoundException", f"Rule {params['Name']} does not exist on EventBus default.")
        return self.rules[params["Name"]]

    def _ListTargetsByRule(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return self._paged(self.targets[params["Rule"]], "Targets", params)

    def _ListSchedules(self, params: Mapping[str, Any]) -> dict[str, Any]:
        names = ("Arn", "Name", "GroupName", "State", "CreationDate", "LastModificationDate")
        summaries = [{name: body[name] for name in names} | {"Target": {"Arn": body["Target"]["Arn"]}} for body in self.schedules.values()]
        return self._paged(summaries, "Schedules", params)

    def _GetSchedule(self, params: Mapping[str, Any]) -> dict[str, Any]:
        key = (params["GroupName"], params["Name"])
        if key not in self.schedules:
            raise AwsError("ResourceNotFoundException", f"Schedule {params['Name']} does not exist.", 404)
        return self.schedules[key]

    def _DescribeTaskDefinition(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["taskDefinition"] not in self.definitions:
            raise AwsError("ClientException", "Unable to describe task definition.")
        return {"taskDefinition": self.definitions[params["taskDefinition"]]}

    def _DescribeClusters(self, params: Mapping[str, Any]) -> dict[str, Any]:
        known = [{"clusterName": name, "status": self.clusters[name]} for name in params["clusters"] if name in self.clusters]
        prefix = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/"
        return {
            "clusters": known,
            "failures": [{"arn": prefix + name, "reason": "MISSING"} for name in params["clusters"] if name not in self.clusters],
        }

    def _ListRoles(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"Roles": [{"RoleName": name} for name in sorted(self.roles)][:1]}

    def _GetRole(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["RoleName"] not in self.roles:
            raise AwsError("NoSuchEntity", f"The role with name {params['RoleName']} cannot be found.", 404)
        return {"Role": {"RoleName": params["RoleName"]}}

    def _DescribeSecret(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["SecretId"] not in self.secrets:
            raise AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return self.secrets[params["SecretId"]]

    def _DescribeParameters(self, params: Mapping[str, Any]) -> dict[str, Any]:
        (condition,) = params["ParameterFilters"]
        return {"Parameters": [{"Name": name} for name in condition["Values"] if name in self.parameters]}
