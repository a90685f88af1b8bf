"""Two articles, command for command as their authors wrote them (only placeholders are filled in), with the AWS CLI against `hinoban up`.

The first sends ECS's service actions of kind WARN and ERROR to a topic. The second keeps why tasks stopped in a log group; its author's
resource policy does not cover that group by IAM's rules, and the events arrived nevertheless.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from hinoban.aws.client import Client
from hinoban.aws.sigv4 import Credentials
from hinoban.base.clock import SystemClock
from hinoban.base.units import parse_iso
from tests.real.daemon_support import Make, RealDaemon, until
from tests.real.daemon_support import daemons as daemons
from tests.real.seed_support import MailServer, Receiver, Terminal
from tests.real.seed_support import mail_server as mail_server
from tests.real.seed_support import receiver as receiver

ACCOUNT = "123456789012"
GROUP = "/aws/events/ecs/ECSStatus"
OPTIONS = ("--runtime", "process")

# As written -----------------------------------------------------------------------------------------------------------------------------

SERVICE_ACTIONS = """{
    "source": [
        "aws.ecs"
    ],
    "detail-type": [
        "ECS Service Action"
    ],
    "detail": {
        "eventType": [
            "WARN",
            "ERROR"
        ]
    }
}"""

CREATE_GROUP = "aws logs create-log-group --log-group-name /aws/events/ecs/ECSStatus"

PUT_POLICY = """aws --region ap-northeast-1 logs put-resource-policy --policy-name 'EventBridgeCloudWatchLogs' --policy-document '{
"Statement": [
{
"Action": [
"logs:CreateLogStream",
"logs:PutLogEvents"
],
"Effect": "Allow",
"Principal": {
"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]
},
"Resource": "arn:aws:logs:ap-northeast-1:xxx:log-group:/aws/events/ecs/ECSStatus/*:*",
"Sid": "TrustEventBridgeToStoreECSLifecycleLogEvents"
}
],
"Version": "2012-10-17"
}'""".replace("xxx", ACCOUNT)

DESCRIBE_POLICIES = "aws logs describe-resource-policies --region ap-northeast-1 --output json"

PUT_RULE = (
    r'aws events put-rule --name ECSStatus --description ECSStatusCheck --state "ENABLED" --event-pattern "{\"detail-type\":'
    r"[\"ECS Task State Change\"],\"source\":[\"aws.ecs\"],\"detail\":{\"desiredStatus\":[\"STOPPED\"],\"clusterArn\":"
    r'[\"arn:aws:ecs:ap-northeast-1:<アカウントID>:cluster/kensyo\"],\"lastStatus\":[\"STOPPED\"]}}"'
).replace("<アカウントID>", ACCOUNT)

PUT_TARGETS = (
    'aws events put-targets --rule "ECSStatus" --targets '
    '"Id"="1","Arn"="arn:aws:logs:ap-northeast-1:xxxx:log-group:/aws/events/ecs/ECSStatus"'
).replace("xxxx", ACCOUNT)

DESCRIBE_TASKS = "aws ecs describe-tasks --cluster <タスクが属するクラスタ名> --tasks <停止したタスクARN>"

UPDATE_SETTINGS = "aws ecs update-cluster-settings --cluster {ECSクラスタ名} --settings name=containerInsights,value=enabled"

# Around it ------------------------------------------------------------------------------------------------------------------------------

DEFINITION = {
    "family": "kensyo",
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "512",
    "memory": "1024",
    "containerDefinitions": [{"name": "web", "image": "httpd:2.4", "command": ["sleep", "600"]}],
}
ERROR_ACTION = {"eventType": "ERROR", "eventName": "SERVICE_TASK_PLACEMENT_FAILURE", "reason": "RESOURCE:FARGATE"}
FAULT = {
    "what": "event",
    "detail-type": "ECS Service Action",
    "resources": [f"arn:aws:ecs:ap-northeast-1:{ACCOUNT}:service/default/web"],
    "detail": ERROR_ACTION,
}

pytestmark = pytest.mark.timeout(300)


async def begun(daemon: RealDaemon) -> Terminal:
    """A daemon with the article's cluster and a definition."""
    await daemon.start()
    terminal = Terminal(daemon)
    await terminal.ok("aws ecs create-cluster --cluster-name kensyo")
    await terminal.ok(f"aws ecs register-task-definition --cli-input-json '{json.dumps(DEFINITION)}'")
    return terminal


async def stopped_task(terminal: Terminal) -> str:
    """A task of the cluster that was stopped by hand: its ARN, once it has ended."""
    network = "awsvpcConfiguration={subnets=[subnet-1]}"
    launch = f"aws ecs run-task --cluster kensyo --launch-type FARGATE --task-definition kensyo --network-configuration {network}"
    arn: str = (await terminal.ok(launch))["tasks"][0]["taskArn"]
    await terminal.status(arn, "RUNNING")
    await terminal.ok(f"aws ecs stop-task --cluster kensyo --task {arn}")
    await terminal.status(arn, "STOPPED")
    return arn


async def put_in(daemon: RealDaemon, fault: dict[str, Any]) -> dict[str, Any]:
    """A fault through the JSON API; what it answers."""
    keys = json.loads((daemon.state / "credentials.json").read_bytes())
    facts = json.loads((daemon.state / "daemon.json").read_bytes())
    credentials = Credentials(keys["access_key_id"], keys["secret_access_key"])
    client = Client(facts["url"], credentials, facts["region"], clock=SystemClock())
    try:
        (answer,) = (await client.post("faults", {"faults": [fault]}))["faults"]
    finally:
        await client.close()
    found: dict[str, Any] = answer
    return found


async def journal_of(daemon: RealDaemon, event_id: str) -> str:
    """The event as the journal has it, in the text that targets get."""
    _, envelopes = await daemon.feed()
    (found,) = [one for one in envelopes if one["id"] == event_id]
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


async def policy_names(terminal: Terminal) -> list[str]:
    return sorted(policy["policyName"] for policy in (await terminal.ok(DESCRIBE_POLICIES))["resourcePolicies"])


async def test_the_articles_commands_keep_why_a_task_stopped(daemons: Make, receiver: Receiver) -> None:
    daemon = daemons(*OPTIONS)
    terminal = await begun(daemon)
    await terminal.ok(CREATE_GROUP)
    await terminal.ok(PUT_POLICY)
    (policy,) = (await terminal.ok(DESCRIBE_POLICIES))["resourcePolicies"]
    assert policy["policyName"] == "EventBridgeCloudWatchLogs"
    assert policy["policyDocument"] in PUT_POLICY
    assert (await terminal.ok(PUT_RULE))["RuleArn"] == f"arn:aws:events:ap-northeast-1:{ACCOUNT}:rule/ECSStatus"
    assert await terminal.ok(PUT_TARGETS) == {"FailedEntryCount": 0, "FailedEntries": []}
    url = await also_to_a_queue_and_an_endpoint(terminal, receiver)
    settings = (await terminal.ok(UPDATE_SETTINGS.replace("{ECSクラスタ名}", "kensyo")))["cluster"]["settings"]
    assert settings == [{"name": "containerInsights", "value": "enabled"}]

    arn = await stopped_task(terminal)
    answer = await terminal.ok(DESCRIBE_TASKS.replace("<タスクが属するクラスタ名>", "kensyo").replace("<停止したタスクARN>", arn))
    (task,) = answer["tasks"]
    assert answer["failures"] == []
    assert (task["cpu"], task["memory"], task["launchType"], task["platformVersion"], task["platformFamily"]) == (
        "512", "1024", "FARGATE", "1.4.0", "Linux",
    )  # fmt: skip
    assert (task["desiredStatus"], task["lastStatus"], task["healthStatus"]) == ("STOPPED", "STOPPED", "UNKNOWN")
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "Task stopped by user")
    assert task["overrides"] == {"containerOverrides": [{"name": "web"}], "inferenceAcceleratorOverrides": []}

    (logged,) = await terminal.arrived(GROUP, 1)
    event = json.loads(logged["message"])
    assert list(event) == ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"]
    assert (event["detail-type"], event["source"], event["resources"]) == ("ECS Task State Change", "aws.ecs", [arn])
    assert (event["detail"]["stopCode"], event["detail"]["stoppedReason"]) == ("UserInitiated", "Task stopped by user")
    assert logged["timestamp"] == round(parse_iso(event["time"]) * 1000)
    assert logged["message"] == await journal_of(daemon, event["id"])
    assert await terminal.received(url, 1) == [logged["message"]]
    await until(lambda: receiver.heard, "the endpoint hears")
    ((path, headers, body),) = receiver.heard
    assert (path, body) == ("/ecs", logged["message"])
    assert (headers["user-agent"], headers["content-type"]) == ("Amazon/EventBridge/ApiDestinations", "application/json; charset=utf-8")
    assert headers["x-api-key"] == "secret"

    # By IAM's rules the policy does not cover the group: that is said once, in an incident of its own, and by whoever is asked.
    repair = await terminal.repair("ECSStatus", "POLICY MISMATCH")
    assert "it allows …/ECSStatus/*:*, they need …/ECSStatus:*." in daemon.output
    await stopped_task(terminal)
    await terminal.arrived(GROUP, 2)
    assert await terminal.incidents() == [("policy_mismatch", "ECSStatus", "open")]
    assert "POLICY MISMATCH" in (await terminal.run("hinoban incidents")).stdout
    why = (await terminal.run("hinoban why ECSStatus")).stdout
    assert "by IAM's rules the policy EventBridgeCloudWatchLogs does not cover them" in why
    assert repair in why
    # The repair takes the place of that policy, and ends the incident with the next event.
    await terminal.ok(repair)
    assert await policy_names(terminal) == ["EventBridgeCloudWatchLogs"]
    await stopped_task(terminal)
    await terminal.told(r"ECSStatus · POLICY MISMATCH · RESOLVED · inc-\S+\n +Done     A policy covers it now\.")
    await terminal.arrived(GROUP, 3)
    assert daemon.output.count("POLICY MISMATCH") == 2


async def also_to_a_queue_and_an_endpoint(terminal: Terminal, receiver: Receiver) -> str:
    """Two targets more for the article's rule; the queue's URL."""
    url, arn = await terminal.queue("stopped")
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    attributes = json.dumps({"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})})
    await terminal.ok(f"aws --endpoint-url {terminal.url} sqs set-queue-attributes --queue-url {url} --attributes '{attributes}'")
    key = "'ApiKeyAuthParameters={ApiKeyName=x-api-key,ApiKeyValue=secret}'"
    made = await terminal.ok(f"aws events create-connection --name hook --authorization-type API_KEY --auth-parameters {key}")
    # Spelled as JSON: AWS CLI 1 would fetch a URL that is an argument.
    asked = {"Name": "hook", "ConnectionArn": made["ConnectionArn"], "InvocationEndpoint": receiver.url, "HttpMethod": "POST"}
    destination = await terminal.ok(f"aws events create-api-destination --cli-input-json '{json.dumps(asked)}'")
    role = f"arn:aws:iam::{ACCOUNT}:role/hook"
    targets = f"Id=2,Arn={arn} Id=3,Arn={destination['ApiDestinationArn']},RoleArn={role}"
    assert (await terminal.ok(f"aws events put-targets --rule ECSStatus --targets {targets}"))["FailedEntryCount"] == 0
    return url


async def test_without_a_policy_the_console_says_why_and_its_command_repairs_it(daemons: Make) -> None:
    daemon = daemons(*OPTIONS)
    terminal = await begun(daemon)
    for command in (CREATE_GROUP, PUT_RULE, PUT_TARGETS):
        await terminal.ok(command)
        await terminal.ok(command.replace("ECSStatus", "everything"))
    other = GROUP.replace("ECSStatus", "everything")
    await stopped_task(terminal)
    repairs = [await terminal.repair(name) for name in ("ECSStatus", "everything")]
    why = "and could not deliver it: no resource policy lets events.amazonaws.com write to /aws/events/ecs/ECSStatus."
    await terminal.told(f"The rule ECSStatus matched an event \\(ECS Task State Change\\) {why}".replace(".amazonaws.", r"\.amazonaws\."))
    assert await terminal.streams(GROUP) == await terminal.streams(other) == []
    assert await terminal.incidents() == [("delivery_failed", "ECSStatus", "open"), ("delivery_failed", "everything", "open")]
    listed = (await terminal.run("hinoban rules")).stdout
    assert f"Repair: {repairs[0]}" in listed

    # The second repair leaves the first's policy alone.
    for command in repairs:
        await terminal.ok(command)
    assert await policy_names(terminal) == ["EventBridgeCloudWatchLogs-ECSStatus", "EventBridgeCloudWatchLogs-everything"]
    arn = await stopped_task(terminal)
    for group in (GROUP, other):
        (logged,) = await terminal.arrived(group, 1)
        assert json.loads(logged["message"])["resources"] == [arn]
    for name in ("ECSStatus", "everything"):
        await terminal.told(rf"{name} · NOT DELIVERED · RESOLVED · inc-\S+\n +Done     It is delivered again\.")
    assert await terminal.incidents() == [("delivery_failed", "ECSStatus", "resolved"), ("delivery_failed", "everything", "resolved")]
    assert "Repair" not in (await terminal.run("hinoban rules")).stdout


async def test_strict_resource_policies_refuse_the_articles(daemons: Make, tmp_path: Path) -> None:
    (tmp_path / "hinoban.toml").write_text("[events]\nstrict_resource_policies = true\n")
    daemon = daemons(*OPTIONS, "--config", str(tmp_path / "hinoban.toml"))
    terminal = await begun(daemon)
    for command in (CREATE_GROUP, PUT_POLICY, PUT_RULE, PUT_TARGETS):
        await terminal.ok(command)
    await stopped_task(terminal)
    repair = await terminal.repair("ECSStatus")
    assert "the resource policy EventBridgeCloudWatchLogs allows …/ECSStatus/*:* but the group is …/ECSStatus:*" in daemon.output
    assert await terminal.streams(GROUP) == []
    await terminal.ok(repair)
    assert await policy_names(terminal) == ["EventBridgeCloudWatchLogs"]
    await stopped_task(terminal)
    await terminal.arrived(GROUP, 1)
    await terminal.told("ECSStatus · NOT DELIVERED · RESOLVED")


async def test_a_service_action_of_kind_error_reaches_the_topic_and_who_listens(
    daemons: Make, mail_server: MailServer, tmp_path: Path
) -> None:
    (tmp_path / "hinoban.toml").write_text(f'[smtp]\nhost = "127.0.0.1"\nport = {mail_server.port}\nstarttls = false\n')
    daemon = daemons(*OPTIONS, "--config", str(tmp_path / "hinoban.toml"))
    await daemon.start()
    terminal = Terminal(daemon)
    (tmp_path / "pattern.json").write_text(SERVICE_ACTIONS)
    await terminal.ok(f"aws events put-rule --name task-start-failures --event-pattern file://{tmp_path}/pattern.json")
    topic = f"arn:aws:sns:ap-northeast-1:{ACCOUNT}:operators"
    await terminal.ok(f"aws events put-targets --rule task-start-failures --targets Id=1,Arn={topic}")

    # No topic, and then a topic whose own policy lets no service in: each is said with what repairs it.
    for why in ("the topic operators does not exist", "the policy of the topic operators does not let events.amazonaws.com publish to it"):
        await put_in(daemon, FAULT)
        await terminal.told(f"The rule task-start-failures matched an event .ECS Service Action. and could not deliver it: {why}")
        await terminal.ok(await terminal.repair("task-start-failures"))
    # The action itself is a matter of the service; that it did not reach the topic is one more.
    assert sorted(one[0] for one in await terminal.incidents()) == ["delivery_failed", "service_impaired"]
    url, queue = await terminal.queue("alerts")
    await terminal.ok(f"aws sns subscribe --topic-arn {topic} --protocol sqs --notification-endpoint {queue}")
    await terminal.ok(f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint night@example.com")
    for kind in ("INFO", "WARN", "ERROR"):
        answer = await put_in(daemon, FAULT | {"detail": ERROR_ACTION | {"eventType": kind}})
    warned, failed = sorted((json.loads(body) for body in await terminal.received(url, 2)), key=lambda body: "ERROR" in body["Message"])
    assert '"eventType":"WARN"' in warned["Message"]
    assert (failed["Type"], failed["TopicArn"]) == ("Notification", topic)
    assert failed["Message"] == await journal_of(daemon, answer["id"])
    event = json.loads(failed["Message"])
    assert (event["source"], event["account"], event["region"], event["time"]) == ("aws.ecs", ACCOUNT, "ap-northeast-1", answer["time"])
    assert event["detail"] == ERROR_ACTION | {
        "clusterArn": f"arn:aws:ecs:ap-northeast-1:{ACCOUNT}:cluster/default", "createdAt": event["detail"]["createdAt"],
    }  # fmt: skip
    await terminal.told("task-start-failures · NOT DELIVERED · RESOLVED")
    await until(lambda: sum("rcpt TO:<night@example.com>" in line for line in mail_server.heard) == 2, "two mails")
    assert sorted(await terminal.incidents()) == [
        ("delivery_failed", "task-start-failures", "resolved"),
        ("service_impaired", "web", "open"),
    ]


async def test_a_mail_without_a_mail_server_is_told_as_unsent(daemons: Make) -> None:
    daemon = daemons(*OPTIONS)
    await daemon.start()
    terminal = Terminal(daemon)
    topic = (await terminal.ok("aws sns create-topic --name operators"))["TopicArn"]
    await terminal.ok(f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint night@example.com")
    await terminal.ok(f"aws sns publish --topic-arn {topic} --message fire")
    await terminal.told(r"operators · MAIL NOT SENT · inc-\S+\n +Cause    The mail of topic operators to night@example\.com was not sent")
    await asyncio.wait_for(daemon.watched(), 60)
    assert await terminal.incidents() == [("delivery_failed", "operators", "open")]


async def test_the_repair_of_a_queue_works_as_printed(daemons: Make) -> None:
    daemon = daemons(*OPTIONS)
    await daemon.start()
    terminal = Terminal(daemon)
    await terminal.ok("""aws events put-rule --name orders --event-pattern '{"source":["shop"]}'""")
    arn = f"arn:aws:sqs:ap-northeast-1:{ACCOUNT}:inbox"
    await terminal.ok(f"aws events put-targets --rule orders --targets Id=1,Arn={arn}")
    put = """aws events put-events --entries '[{"Source":"shop","DetailType":"order placed","Detail":"{\\"id\\":7}"}]'"""
    for why in (
        "the queue inbox does not exist",
        "the policy of the queue inbox does not let events.amazonaws.com send to it for this rule",
    ):
        await terminal.ok(put)
        await terminal.told(f"could not deliver it: {why}")
        await terminal.ok(await terminal.repair("orders"))
    answer = await terminal.ok(put)
    url, _ = await terminal.queue("inbox")
    assert url == f"{terminal.url}/{ACCOUNT}/inbox"
    (body,) = await terminal.received(url, 1)
    event = json.loads(body)
    assert (event["id"], event["source"], event["detail"]) == (answer["Entries"][0]["EventId"], "shop", {"id": 7})
    await terminal.told("orders · NOT DELIVERED · RESOLVED")
