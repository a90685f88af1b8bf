"""Which IAM rights Hinoban needs on somebody's AWS account, each with its reason: to watch, to retry, to stop, to change services. PURE.

docs/on-aws.md is checked against this table, and the table against the calls that the watch makes.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

Purpose = Literal["observe", "retry", "stop", "service"]


class Right(msgspec.Struct, frozen=True, kw_only=True):
    """One IAM action; `calls` are the API calls (botocore's `service:Operation`) that need it. `condition` narrows where it is used."""

    action: str
    calls: tuple[str, ...]
    why: str
    condition: dict[str, dict[str, Any]] | None = None


OBSERVE = (
    Right(action="ecs:ListClusters", calls=("ecs:ListClusters",), why="finds the clusters whose tasks are watched"),
    Right(action="ecs:ListTasks", calls=("ecs:ListTasks",), why="finds tasks that run, and those that stopped within the last hour"),
    Right(
        action="ecs:DescribeTasks",
        calls=("ecs:DescribeTasks",),
        why="reads exit codes and stop reasons before AWS forgets them, and the tags of tasks",
    ),
    Right(
        action="ecs:DescribeTaskDefinition",
        calls=("ecs:DescribeTaskDefinition",),
        why="sees that a schedule's definition was deregistered, and where a container logs",
    ),
    Right(action="ecs:DescribeClusters", calls=("ecs:DescribeClusters",), why="sees that a schedule's cluster was deleted"),
    Right(action="ecs:ListServices", calls=("ecs:ListServices",), why="finds the services whose deployments and counts are watched"),
    Right(action="ecs:DescribeServices", calls=("ecs:DescribeServices",), why="sees deployments that fail and services without tasks"),
    Right(action="cloudtrail:LookupEvents", calls=("cloudtrail:LookupEvents",), why="sees launches that were refused: no event tells"),
    Right(action="events:ListRules", calls=("events:ListRules",), why="knows which rules should run tasks, and when"),
    Right(action="events:ListTargetsByRule", calls=("events:ListTargetsByRule",), why="knows what a rule launches"),
    Right(action="events:DescribeRule", calls=("events:DescribeRule",), why="reads one rule again when somebody changed it"),
    Right(action="scheduler:ListSchedules", calls=("scheduler:ListSchedules",), why="knows which schedules should run tasks"),
    Right(action="scheduler:GetSchedule", calls=("scheduler:GetSchedule",), why="knows when a schedule runs, and what it launches"),
    Right(action="logs:GetLogEvents", calls=("logs:GetLogEvents",), why="shows the last lines of a task that failed"),
    Right(action="iam:GetRole", calls=("iam:GetRole",), why="sees that a schedule's role was deleted"),
    Right(action="iam:ListRoles", calls=("iam:ListRoles",), why="asks for one role, to tell an empty IAM from a role that is gone"),
    Right(
        action="secretsmanager:DescribeSecret",
        calls=("secretsmanager:DescribeSecret",),
        why="sees that a definition's secret was deleted; its value is never read",
    ),
    Right(
        action="ssm:DescribeParameters",
        calls=("ssm:DescribeParameters",),
        why="sees that a definition's parameter was deleted; its value is never read",
    ),
)
QUEUE = (
    Right(action="sqs:ReceiveMessage", calls=("sqs:ReceiveMessage",), why="reads events from the queue"),
    Right(action="sqs:DeleteMessage", calls=("sqs:DeleteMessageBatch",), why="deletes events that are remembered"),
    Right(
        action="sqs:ChangeMessageVisibility",
        calls=("sqs:ChangeMessageVisibilityBatch",),
        why="keeps events hidden while they are being remembered",
    ),
)
ASSUME = (Right(action="sts:AssumeRole", calls=("sts:AssumeRole",), why="takes the role that a further account gives to the watch"),)
_TASKS = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
RETRY = (
    Right(action="ecs:RunTask", calls=("ecs:RunTask",), why="launches a refused run again, with the same token if asked twice"),
    Right(
        action="ecs:TagResource",
        calls=("ecs:RunTask",),
        why="RunTask with tags needs it; a retry bears its schedule's tags and names who started it",
        condition={"StringEquals": {"ecs:CreateAction": "RunTask"}},
    ),
    Right(action="iam:PassRole", calls=("ecs:RunTask",), why="RunTask hands the task and execution roles over", condition=_TASKS),
)
STOP = (
    Right(action="ecs:StopTask", calls=("ecs:StopTask",), why="stops tasks that ran past a policy's stop_after, or past their lease"),
    Right(
        action="ecs:GetTaskProtection",
        calls=("ecs:GetTaskProtection",),
        why="leaves a task alone that is protected; what may not be asked is taken to be",
    ),
)
SERVICE = (
    Right(action="ecs:UpdateService", calls=("ecs:UpdateService",), why="scales a service in a crash loop to zero, or rolls it back"),
)

RIGHTS: dict[Purpose, Sequence[Right]] = {"observe": OBSERVE, "retry": RETRY, "stop": STOP, "service": SERVICE}
READS = frozenset(call for right in OBSERVE for call in right.calls)
"""All that a watch that observes only ever calls."""


def policy(purposes: Iterable[Purpose], *, queue_arn: str | None = None, role_arns: Sequence[str] = ()) -> dict[str, Any]:
    """The policy document that gives these rights and no other; with a queue, also those of reading it; with roles, of assuming them."""
    statements: list[dict[str, Any]] = []
    for purpose in dict.fromkeys(purposes):
        statements += _statements(f"Hinoban{purpose.capitalize()}", RIGHTS[purpose], "*")
    if queue_arn is not None:
        statements += _statements("HinobanQueue", QUEUE, queue_arn)
    if role_arns:
        statements += _statements("HinobanAssume", ASSUME, list(dict.fromkeys(role_arns)))
    return {"Version": "2012-10-17", "Statement": statements}


def _statements(name: str, rights: Sequence[Right], resource: str | list[str]) -> list[dict[str, Any]]:
    plain = [right.action for right in rights if right.condition is None]
    found: list[dict[str, Any]] = [{"Sid": name, "Effect": "Allow", "Action": plain, "Resource": resource}]
    for right in rights:
        if right.condition is not None:
            sid = name + right.action.partition(":")[2]
            found.append({"Sid": sid, "Effect": "Allow", "Action": right.action, "Resource": resource, "Condition": right.condition})
    return found
