"""Each kind of target: what it is asked, what lets a delivery in, and how a failure is told."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hinoban.aws.errors import AwsError
from tests.support.targets import (
    CLUSTER,
    EVENT,
    GROUP,
    GROUP_ARN,
    QUEUE,
    REGION,
    RULE_ARN,
    SCHEDULE_ARN,
    TOPIC,
    World,
    open_policy,
)

ROLE = "arn:aws:iam::123456789012:role/service/ecsEvents"
DEFINITION = f"arn:aws:ecs:{REGION}:123456789012:task-definition/job:17"
NETWORK = {"awsvpcConfiguration": {"Subnets": ["subnet-1"], "SecurityGroups": ["sg-1"], "AssignPublicIp": "DISABLED"}}
BUS = f"arn:aws:events:{REGION}:123456789012:event-bus/"
LOG_ACTIONS = ["logs:CreateLogStream", "logs:PutLogEvents"]
TRANSFORM = {"InputPathsMap": {"t": "$.time", "s": "$.detail.lastStatus"}, "InputTemplate": '{"timestamp": <t>, "message": "it is <s>"}'}


def log_policy(resource: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": ["events.amazonaws.com"]}, "Action": LOG_ACTIONS, "Resource": resource}
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()


# ECS ----------------------------------------------------------------------------------------------------------------------------------


async def test_a_cluster_is_asked_to_run_the_task_in_its_own_spelling(world: World) -> None:
    target = {"RoleArn": ROLE, "EcsParameters": {"TaskDefinitionArn": DEFINITION, "TaskCount": 2, "NetworkConfiguration": NETWORK}}
    await world.send(world.delivery(CLUSTER, target=target))
    ((service, operation, request, region, caller),) = world.launcher.calls
    assert (service, operation, region) == ("ecs", "RunTask", REGION)
    assert request == {
        "cluster": CLUSTER,
        "taskDefinition": DEFINITION,
        "count": 2,
        "startedBy": "events-rule/nightly",
        "clientToken": "token-1",
        "networkConfiguration": {
            "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}
        },
    }
    assert caller.access_key_id.startswith("ASIA")
    assert len(caller.access_key_id) == 20
    assert caller.principal_arn.startswith("arn:aws:sts::123456789012:assumed-role/ecsEvents/")
    assert (caller.principal_type, caller.invoked_by) == ("AssumedRole", "events.amazonaws.com")


async def test_input_is_the_tasks_override_and_the_event_is_not(world: World) -> None:
    override = {"containerOverrides": [{"name": "app", "command": ["x"]}]}
    await world.send(world.delivery(CLUSTER, target={"Input": msgspec.json.encode(override).decode()}))
    await world.send(world.delivery(CLUSTER))
    assert [call[2].get("overrides") for call in world.launcher.calls] == [override, None]


async def test_a_template_becomes_an_override(world: World) -> None:
    template = '{"containerOverrides": [{"name": "app", "environment": [{"name": "S", "value": <s>}]}]}'
    target = {"InputTransformer": {"InputPathsMap": {"s": "$.detail.lastStatus"}, "InputTemplate": template}}
    await world.send(world.delivery(CLUSTER, target=target))
    environment = world.launcher.calls[0][2]["overrides"]["containerOverrides"][0]["environment"]
    assert environment == [{"name": "S", "value": "STOPPED"}]


@pytest.mark.parametrize(
    ("target", "code", "why"),
    [
        ({"Input": "not json"}, "INVALID_JSON", "the input is not JSON"),
        ({"Input": "[]"}, "INVALID_JSON", "the input is not a TaskOverride"),
        ({"EcsParameters": {"Group": "$.detail.nowhere"}}, "INVALID_PARAMETER", "the path $.detail.nowhere selects nothing of the event"),
    ],
)
async def test_what_is_no_override_fails_for_good(world: World, target: dict[str, Any], code: str, why: str) -> None:
    await world.send(world.delivery(CLUSTER, target=target))
    (told,) = world.told()
    assert told["code"] == code
    assert told["why"].startswith(why)
    assert world.launcher.calls == []


async def test_a_parameter_that_is_a_path_comes_from_the_event(world: World) -> None:
    await world.send(world.delivery(CLUSTER, target={"EcsParameters": {"TaskDefinitionArn": DEFINITION, "Group": "$.detail.group"}}))
    assert world.launcher.calls[0][2]["group"] == "family:job"


async def test_a_launch_that_ecs_could_not_place_is_delivered(world: World) -> None:
    world.launcher.answer = {"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time."}]}
    await world.send(world.delivery(CLUSTER))
    assert world.queue.counts()[RULE_ARN].targets["1"].delivered == 1
    assert world.told() == []


async def test_an_inactive_revision_fails_with_the_command_that_unpins_it(world: World) -> None:
    world.launcher.errors[CLUSTER] = AwsError("InvalidParameterException", "TaskDefinition is inactive")
    await world.send(world.delivery(CLUSTER, target={"EcsParameters": {"TaskDefinitionArn": DEFINITION}}))
    (told,) = world.told()
    assert told["why"] == "its target is pinned to job:17, which is inactive"
    assert told["message"] == "RunTask InvalidParameterException: TaskDefinition is inactive"
    assert told["repair"].startswith("aws events put-targets --rule nightly --targets '[{")
    assert DEFINITION.removesuffix(":17") + '"' in told["repair"]
    assert told["attempts"] == 1


@pytest.mark.parametrize(
    ("error", "code", "why", "repair"),
    [
        (
            AwsError("ClusterNotFoundException", "Cluster not found."),
            "NO_RESOURCE",
            "the cluster batch does not exist",
            "aws ecs create-cluster --cluster-name batch --region ap-northeast-1",
        ),
        (AwsError("ClientException", "TaskDefinition not found."), "INVALID_PARAMETER", "the task definition job:17 does not exist", None),
        (
            AwsError("AccessDeniedException", "no"),
            "NO_PERMISSIONS",
            "RunTask answered AccessDeniedException: no",
            None,
        ),
    ],
)
async def test_what_runtask_raises_fails_for_good(world: World, error: AwsError, code: str, why: str, repair: str | None) -> None:
    world.launcher.errors[CLUSTER] = error
    await world.send(world.delivery(CLUSTER, target={"EcsParameters": {"TaskDefinitionArn": DEFINITION}}))
    (told,) = world.told()
    assert (told["code"], told["why"], told["repair"], told["attempts"]) == (code, why, repair, 1)


async def test_throttling_is_tried_again(world: World) -> None:
    world.launcher.errors[CLUSTER] = AwsError("ThrottlingException", "Rate exceeded")
    await world.send(world.delivery(CLUSTER))
    world.launcher.errors.clear()
    await world.clock.advance(60)
    assert len(world.launcher.launched) == 1
    assert {call[2]["clientToken"] for call in world.launcher.calls} == {"token-1"}


async def test_a_schedule_launches_as_scheduler_with_its_context_filled_in(world: World) -> None:
    text = '{"containerOverrides": [{"name": "app", "command": ["<aws.scheduler.scheduled-time>", "<aws.scheduler.attempt-number>"]}]}'
    await world.send(world.scheduled(CLUSTER, input=text, target={"RoleArn": ROLE}))
    ((_, _, request, _, caller),) = world.launcher.calls
    assert request["startedBy"] == "chronos-schedule/nightly"
    assert request["overrides"]["containerOverrides"][0]["command"] == ["2026-11-26T15:00:00Z", "1"]
    assert caller.invoked_by == "scheduler.amazonaws.com"


# Log groups ---------------------------------------------------------------------------------------------------------------------------


async def test_a_log_group_gets_the_event_at_its_own_time(world: World) -> None:
    world.logs.groups.add(GROUP)
    world.logs.documents["p"] = log_policy(f"{GROUP_ARN}:*")
    await world.send(world.delivery(f"{GROUP_ARN}:*"))
    await world.send(world.delivery(GROUP_ARN))
    (group, stream, moment, message), again = world.logs.written
    assert (group, moment) == (GROUP, 1_795_498_478_000)
    assert msgspec.json.decode(message) == EVENT
    assert len(stream) == 36
    assert again[1] == stream
    assert world.told("Hinoban Policy Mismatch") == []


async def test_without_a_group_nothing_arrives(world: World) -> None:
    await world.send(world.delivery(GROUP_ARN))
    (told,) = world.told()
    assert (told["code"], told["why"]) == ("NO_RESOURCE", f"the log group {GROUP} does not exist")
    assert told["repair"] == f"aws logs create-log-group --log-group-name {GROUP} --region ap-northeast-1"


async def test_without_a_policy_nothing_arrives_and_the_repair_is_told(world: World) -> None:
    world.logs.groups.add(GROUP)
    world.logs.documents["other"] = log_policy(f"{GROUP_ARN.replace('ECSStatus', 'Other')}:*")
    await world.send(world.delivery(GROUP_ARN))
    (told,) = world.told()
    assert (told["code"], told["attempts"]) == ("NO_PERMISSIONS", 1)
    assert told["why"] == "no resource policy lets events.amazonaws.com write to /aws/events/ecs/ECSStatus"
    assert told["repair"] == (
        "hinoban rules nightly --policy | aws logs put-resource-policy --policy-name EventBridgeCloudWatchLogs-nightly"
        " --policy-document file:///dev/stdin --region ap-northeast-1"
    )
    assert world.logs.written == []


async def test_a_repair_writes_over_no_policy_that_allows_anything_else(world: World) -> None:
    world.logs.groups.add(GROUP)
    of_the_group, other = log_policy(f"{GROUP_ARN}/*:*"), f"{GROUP_ARN.replace('ECSStatus', 'Other')}:*"

    async def name_told() -> str:
        await world.send(world.delivery(GROUP_ARN))
        told = [*world.told(), *world.told("Hinoban Policy Mismatch")][-1]
        return str(told["repair"].partition("--policy-name ")[2].partition(" ")[0])

    world.logs.documents["Mine"] = of_the_group
    assert await name_told() == "Mine"
    for more in (
        {"Resource": [f"{GROUP_ARN}/*:*", other]},
        {"Action": "logs:*"},
        {"Principal": {"Service": ["events.amazonaws.com", "es.amazonaws.com"]}},
        {"Principal": {"Service": "events.amazonaws.com", "AWS": "arn:aws:iam::123456789012:root"}},
    ):
        document = msgspec.json.decode(of_the_group)
        document["Statement"][0] |= more
        world.logs.documents["Mine"] = msgspec.json.encode(document).decode()
        assert await name_told() == "EventBridgeCloudWatchLogs-nightly", more
    document = msgspec.json.decode(of_the_group)
    document["Statement"] += msgspec.json.decode(log_policy(other))["Statement"]
    world.logs.documents["Mine"] = msgspec.json.encode(document).decode()
    world.logs.documents["EventBridgeCloudWatchLogs-nightly"] = log_policy(other)
    assert await name_told() == "EventBridgeCloudWatchLogs-nightly-2"
    # Without any that is near.
    world.logs.documents["Mine"] = log_policy(other)
    assert await name_told() == "EventBridgeCloudWatchLogs-nightly-2"


async def test_a_policy_that_was_meant_for_the_group_delivers_and_is_told_once(world: World) -> None:
    world.logs.groups.add(GROUP)
    world.logs.documents["Mine"] = log_policy(f"{GROUP_ARN}/*:*")
    for _ in range(3):
        await world.send(world.delivery(GROUP_ARN))
    assert len(world.logs.written) == 3
    (told,) = world.told("Hinoban Policy Mismatch")
    assert told == {
        "kind": "rule",
        "name": "nightly",
        "arn": RULE_ARN,
        "target": {"id": "1", "arn": GROUP_ARN},
        "policy": "Mine",
        "allows": f"{GROUP_ARN}/*:*",
        "needs": f"{GROUP_ARN}:*",
        "repair": "hinoban rules nightly --policy | aws logs put-resource-policy --policy-name Mine --policy-document file:///dev/stdin"
        " --region ap-northeast-1",
    }
    world.logs.documents["Mine"] = log_policy(f"{GROUP_ARN}/*")
    await world.send(world.delivery(GROUP_ARN))
    assert len(world.told("Hinoban Policy Mismatch")) == 2
    assert world.told("Hinoban Policy Covers") == []
    for document in (f"{GROUP_ARN}:*", f"{GROUP_ARN}/*"):
        world.logs.documents["Mine"] = log_policy(document)
        for _ in range(2):
            await world.send(world.delivery(GROUP_ARN))
    # A mended policy is told once, one that is broken again once more.
    about = {"kind": "rule", "name": "nightly", "arn": RULE_ARN, "target": {"id": "1", "arn": GROUP_ARN}}
    assert world.told("Hinoban Policy Covers") == [about]
    assert len(world.told("Hinoban Policy Mismatch")) == 3


async def test_a_strict_house_refuses_such_a_policy(tmp_path: Path) -> None:
    world = World(tmp_path, strict=True).open()
    world.logs.groups.add(GROUP)
    world.logs.documents["Mine"] = log_policy(f"{GROUP_ARN}/*:*")
    await world.send(world.delivery(GROUP_ARN))
    (told,) = world.told()
    assert told["why"] == "the resource policy Mine allows …/ECSStatus/*:* but the group is …/ECSStatus:*"
    assert world.logs.written == []
    await world.close()


async def test_a_deny_wins(world: World) -> None:
    world.logs.groups.add(GROUP)
    world.logs.documents["yes"] = log_policy(f"{GROUP_ARN}:*")
    world.logs.documents["no"] = log_policy("*").replace("Allow", "Deny")
    await world.send(world.delivery(GROUP_ARN))
    assert [told["why"] for told in world.told()] == [f"a resource policy denies events.amazonaws.com to write to {GROUP}"]


async def test_a_log_groups_template_says_timestamp_and_message(world: World) -> None:
    world.logs.groups.add(GROUP)
    world.logs.documents["p"] = log_policy("*")
    await world.send(world.delivery(GROUP_ARN, target={"InputTransformer": TRANSFORM}))
    assert world.logs.written[0][2:] == (1_795_498_478_000, "it is STOPPED")
    await world.send(world.delivery(GROUP_ARN, target={"Input": '{"timestamp": 1795498478123, "message": {"a": 1}}'}))
    assert world.logs.written[1][2:] == (1_795_498_478_123, '{"a":1}')
    await world.send(world.delivery(GROUP_ARN, target={"InputTransformer": TRANSFORM | {"InputTemplate": '"it is <s>"'}}))
    assert [told["code"] for told in world.told()] == ["INVALID_JSON"]


async def test_a_full_disk_is_tried_again(world: World) -> None:
    world.logs.groups.add(GROUP)
    world.logs.documents["p"] = log_policy("*")
    world.logs.full = True
    await world.send(world.delivery(GROUP_ARN))
    world.logs.full = False
    await world.clock.advance(60)
    assert len(world.logs.written) == 1


# Topics and queues --------------------------------------------------------------------------------------------------------------------


async def test_a_topic_gets_the_event_as_its_message(world: World) -> None:
    world.ask.topics[TOPIC] = open_policy(TOPIC, "sns:Publish")
    await world.send(world.delivery(TOPIC))
    (sent,) = world.ask.published
    assert msgspec.json.decode(sent.pop("Message")) == EVENT
    assert sent == {"TopicArn": TOPIC}


@pytest.mark.parametrize("policy", [None, open_policy(TOPIC, "sns:Subscribe")])
async def test_a_topic_that_does_not_let_eventbridge_in_gets_nothing(world: World, policy: str | None) -> None:
    world.ask.topics[TOPIC] = policy
    await world.send(world.delivery(TOPIC))
    (told,) = world.told()
    assert told["why"] == "the policy of the topic alerts does not let events.amazonaws.com publish to it"
    assert told["repair"].startswith(f"aws sns set-topic-attributes --topic-arn {TOPIC} --attribute-name Policy --attribute-value '{{")
    assert world.ask.published == []


async def test_a_topic_that_is_gone_is_told(world: World) -> None:
    await world.send(world.delivery(TOPIC))
    (told,) = world.told()
    assert (told["why"], told["repair"]) == (
        "the topic alerts does not exist",
        "aws sns create-topic --name alerts --region ap-northeast-1",
    )


async def test_a_queues_policy_must_name_the_rule(world: World) -> None:
    def for_rule(arn: str) -> str:
        policy = msgspec.json.decode(open_policy(QUEUE, "sqs:SendMessage"))
        policy["Statement"][0]["Condition"] = {"ArnEquals": {"aws:SourceArn": arn}}
        return msgspec.json.encode(policy).decode()

    world.ask.queues["orders"] = for_rule(f"{RULE_ARN}-other")
    await world.send(world.delivery())
    (told,) = world.told()
    assert told["why"] == "the policy of the queue orders does not let events.amazonaws.com send to it for this rule"
    assert told["repair"].startswith(
        'aws sqs --endpoint-url "$AWS_ENDPOINT_URL" set-queue-attributes --queue-url http://127.0.0.1:4566/123456789012/orders'
    )
    world.ask.queues["orders"] = for_rule(RULE_ARN)
    await world.send(world.delivery())
    assert len(world.ask.sent["orders"]) == 1


async def test_the_repair_of_a_policy_keeps_what_is_in_it(world: World) -> None:
    world.ask.queues["orders"] = open_policy(QUEUE, "sqs:ReceiveMessage").replace('"Effect"', '"Sid":"mine","Effect"')
    await world.send(world.delivery())
    command = world.told()[0]["repair"]
    attributes = msgspec.json.decode(command.partition("--attributes '")[2].partition("' --region")[0])
    sids = [statement["Sid"] for statement in msgspec.json.decode(attributes["Policy"])["Statement"]]
    assert sids[0] == "mine"
    assert len(sids) == 2


async def test_a_target_with_a_role_and_a_schedule_need_no_policy(world: World) -> None:
    world.ask.queues["orders"] = None
    world.ask.topics[TOPIC] = None
    await world.send(world.delivery(target={"RoleArn": ROLE}))
    await world.send(world.scheduled(QUEUE, input="now", target={"RoleArn": ROLE}))
    await world.send(world.scheduled(TOPIC, input="now", target={"RoleArn": ROLE}))
    assert [sent["MessageBody"] for sent in world.ask.sent["orders"]][1] == "now"
    assert [sent["Message"] for sent in world.ask.published] == ["now"]


async def test_a_fifo_queue_gets_the_message_group(world: World) -> None:
    world.ask.queues["orders.fifo"] = open_policy("*", "sqs:SendMessage")
    await world.send(world.delivery(f"{QUEUE}.fifo", target={"SqsParameters": {"MessageGroupId": "$.detail.group"}}))
    assert [sent["MessageGroupId"] for sent in world.ask.sent["orders.fifo"]] == ["family:job"]


async def test_a_schedule_without_input_sends_scheduler_s_notification(world: World) -> None:
    world.ask.queues["orders"] = None
    await world.send(world.scheduled(QUEUE))
    body = msgspec.json.decode(world.ask.sent["orders"][0]["MessageBody"])
    assert (body["source"], body["resources"]) == ("aws.scheduler", [SCHEDULE_ARN])


# Buses --------------------------------------------------------------------------------------------------------------------------------


async def test_an_event_goes_on_to_another_bus_once(world: World) -> None:
    await world.send(world.delivery(f"{BUS}orders"))
    assert world.published == [(REGION, "orders", EVENT, True)]
    await world.send(world.delivery(f"{BUS}orders", forwarded=True))
    assert len(world.published) == 1
    assert [told["code"] for told in world.told()] == ["THIRD_ACCOUNT_HOP_DETECTED"]


@pytest.mark.parametrize(
    ("arn", "why"),
    [
        (f"{BUS}nowhere", "the event bus nowhere does not exist"),
        (
            f"{BUS}orders".replace("123456789012", "999999999999"),
            "the bus orders belongs to the account 999999999999, and Hinoban has 123456789012 alone",
        ),
    ],
)
async def test_a_bus_that_is_not_here_is_told(world: World, arn: str, why: str) -> None:
    await world.send(world.delivery(arn))
    assert [told["why"] for told in world.told()] == [why]


async def test_a_schedule_puts_its_input_as_an_event(world: World) -> None:
    names = {"EventBridgeParameters": {"DetailType": "Closed", "Source": "shop"}}
    await world.send(world.scheduled(f"{BUS}orders", input='{"day": "<aws.scheduler.scheduled-time>"}', target=names))
    ((_, bus, event, forwarded),) = world.published
    assert (bus, event["detail-type"], event["source"], forwarded) == ("orders", "Closed", "shop", False)
    assert (event["detail"], event["resources"]) == ({"day": "2026-11-26T15:00:00Z"}, [SCHEDULE_ARN])
    await world.send(world.scheduled(f"{BUS}orders", input="text", target=names))
    assert [told["code"] for told in world.told()] == ["INVALID_JSON"]


# Universal targets, and the others ------------------------------------------------------------------------------------------------------


async def test_a_universal_target_calls_any_operation_in_the_services_spelling(world: World) -> None:
    request = {"Cluster": "batch", "TaskDefinition": "job", "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["s"]}}}
    text = msgspec.json.encode(request | {"Tags": [{"Key": "Team", "Value": "x"}]}).decode()
    await world.send(world.scheduled("arn:aws:scheduler:::aws-sdk:ecs:runTask", input=text))
    ((service, operation, asked, _, caller),) = world.launcher.calls
    assert (service, operation, caller.invoked_by) == ("ecs", "RunTask", "scheduler.amazonaws.com")
    assert asked == {
        "cluster": "batch",
        "taskDefinition": "job",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}},
        "tags": [{"key": "Team", "value": "x"}],
        "clientToken": "token-1",
    }


async def test_a_universal_target_of_a_neighbour_asks_it(world: World) -> None:
    await world.send(world.scheduled("arn:aws:scheduler:::aws-sdk:sqs:purgeQueue", input='{"QueueUrl": "u"}'))
    assert world.ask.others == [("sqs", "PurgeQueue", {"QueueUrl": "u"})]


@pytest.mark.parametrize(
    ("arn", "text", "why"),
    [
        ("arn:aws:scheduler:::aws-sdk:ecs:nothing", "{}", "arn:aws:scheduler:::aws-sdk:ecs:nothing names no operation of AWS"),
        ("arn:aws:scheduler:::aws-sdk:nobody:act", "{}", "arn:aws:scheduler:::aws-sdk:nobody:act names no operation of AWS"),
        ("arn:aws:scheduler:::aws-sdk:ecs:runTask", "[]", "the schedule's Input is not a JSON object"),
    ],
)
async def test_a_universal_target_that_cannot_be_called_is_told(world: World, arn: str, text: str, why: str) -> None:
    await world.send(world.scheduled(arn, input=text))
    assert [told["why"] for told in world.told()] == [why]


@pytest.mark.parametrize(
    ("arn", "why"),
    [
        ("arn:aws:lambda:ap-northeast-1:123456789012:function:f", "Hinoban does not run Lambda functions yet"),
        ("arn:aws:states:ap-northeast-1:123456789012:stateMachine:m", "Hinoban does not run Step Functions state machines yet"),
        (
            "arn:aws:rocket:ap-northeast-1:123456789012:launch",
            "Hinoban does not know how to deliver to arn:aws:rocket:ap-northeast-1:123456789012:launch",
        ),
    ],
)
async def test_other_kinds_fail_for_good_and_say_so(world: World, arn: str, why: str) -> None:
    await world.send(world.delivery(arn))
    assert [(told["why"], told["attempts"]) for told in world.told()] == [(why, 1)]


async def test_a_repair_runs_nothing_that_an_arn_says(world: World) -> None:
    await world.send(world.delivery(f"{BUS}a;reboot"))
    (told,) = world.told()
    assert told["repair"] == f"aws events create-event-bus --name 'a;reboot' --region {REGION}"


@pytest.mark.parametrize("moment", ["-5", "1000000000000000000000000000000", '"99999999999999999999"', "1e300", '"1969-12-31T00:00:00Z"'])
async def test_a_moment_that_no_log_event_can_have_is_refused(world: World, moment: str) -> None:
    """It would be counted as delivered and never be seen."""
    world.logs.groups.add(GROUP)
    world.logs.documents["yes"] = log_policy(f"{GROUP_ARN}:*")
    await world.send(world.delivery(GROUP_ARN, target={"Input": f'{{"timestamp": {moment}, "message": "m"}}'}))
    assert [told["code"] for told in world.told()] == ["INVALID_JSON"]
    assert world.logs.written == []


async def test_an_event_from_before_1970_is_logged_when_it_came(world: World) -> None:
    world.logs.groups.add(GROUP)
    world.logs.documents["yes"] = log_policy(f"{GROUP_ARN}:*")
    await world.send(world.delivery(GROUP_ARN, event={**EVENT, "time": "1960-01-01T00:00:00Z"}))
    ((_, _, moment, _),) = world.logs.written
    assert moment == round(world.clock.now() * 1000)
