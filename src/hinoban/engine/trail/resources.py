"""The resources that a record tells of, for LookupEvents: types as in CloudFormation, names as they stand in the request. PURE."""

from typing import Any

# Event source -> request parameter -> type. UNCONFIRMED which of them AWS tells.
_TYPES = {
    "ecs.amazonaws.com": {
        "cluster": "AWS::ECS::Cluster",
        "clusterName": "AWS::ECS::Cluster",
        "taskDefinition": "AWS::ECS::TaskDefinition",
        "family": "AWS::ECS::TaskDefinition",
        "service": "AWS::ECS::Service",
        "serviceName": "AWS::ECS::Service",
        "task": "AWS::ECS::Task",
    },
    "events.amazonaws.com": {"rule": "AWS::Events::Rule", "eventBusName": "AWS::Events::EventBus"},
    "scheduler.amazonaws.com": {"groupName": "AWS::Scheduler::ScheduleGroup"},
    "logs.amazonaws.com": {"logGroupName": "AWS::Logs::LogGroup"},
    "cloudtrail.amazonaws.com": {"name": "AWS::CloudTrail::Trail", "trailName": "AWS::CloudTrail::Trail"},
}
# What a request calls `name` depends on the operation.
_NAMED = {
    ("events.amazonaws.com", "Rule"): "AWS::Events::Rule",
    ("events.amazonaws.com", "EventBus"): "AWS::Events::EventBus",
    ("scheduler.amazonaws.com", "ScheduleGroup"): "AWS::Scheduler::ScheduleGroup",
    ("scheduler.amazonaws.com", "Schedule"): "AWS::Scheduler::Schedule",
}


def resources(detail: dict[str, Any]) -> list[dict[str, str]]:
    """`[{"ResourceType", "ResourceName"}]`, in the order of the request."""
    source, operation = detail["eventSource"], detail["eventName"]
    types = _TYPES.get(source, {})
    named = next((kind for (of, word), kind in _NAMED.items() if of == source and operation.endswith(word)), None)
    found = []
    for name, value in (detail["requestParameters"] or {}).items():
        kind = named if name == "name" and named else types.get(name)
        if kind and isinstance(value, str):
            found.append({"ResourceType": kind, "ResourceName": value})
    return found
