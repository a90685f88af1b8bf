"""`hinoban rules` against a scripted daemon: the listing, one rule, and the policy that its targets need."""

import json

import msgspec
import pytest

from hinoban.aws.event_patterns import compile_text
from hinoban.cli.rules import looks_for, place

ARN = "arn:aws:{}:ap-northeast-1:123456789012:{}"
GROUP = ARN.format("logs", "log-group:/aws/events/ecs/ECSStatus")
OTHER_GROUP = ARN.format("logs", "log-group:/aws/events/all:*")
TOPIC = ARN.format("sns", "alerts")
QUEUE = ARN.format("sqs", "inbox")
CLUSTER = ARN.format("ecs", "cluster/batch")
SEED = '{"source": ["aws.ecs"], "detail-type": ["ECS Service Action"], "detail": {"eventType": ["WARN", "ERROR"]}}'
STATUS = '{"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]}'
REPAIR = (
    "hinoban rules ECSStatus --policy | aws logs put-resource-policy --policy-name EventBridgeCloudWatchLogs-ECSStatus "
    "--policy-document file:///dev/stdin --region ap-northeast-1"
)
NO_POLICY = {
    "at": "2026-11-27T05:34:38Z",
    "code": "NO_PERMISSIONS",
    "message": "User: events.amazonaws.com is not authorized to perform: logs:PutLogEvents",
    "why": "no resource policy lets events.amazonaws.com write to /aws/events/ecs/ECSStatus",
    "repair": REPAIR,
}
BLIND = (
    "sees only events of services, but schedules start standalone tasks here: one that does not start or fails makes no such event, "
    "and nobody is told."
)


@pytest.fixture(autouse=True)
def tokyo(monkeypatch):
    monkeypatch.setattr("hinoban.daemon.config.local_zone", lambda: "Asia/Tokyo")


def counted(delivered, failed, failure, failing=None):
    return {
        "delivered": delivered,
        "failed": failed,
        "failing": failure is not None if failing is None else failing,
        "last_failure": failure,
    }


def target(arn, identifier="1", delivered=0, failed=0, failure=None, failing=None):
    return {"id": identifier, "arn": arn} | counted(delivered, failed, failure, failing)


def rule(name, *targets, pattern=STATUS, schedule=None, **more):
    known = {"region": "ap-northeast-1", "bus": "default", "name": name, "arn": ARN.format("events", f"rule/{name}"), "state": "ENABLED"}
    return known | {"pattern": pattern, "schedule": schedule, "matched": 3, "targets": list(targets)} | more


def schedule(name, arn=CLUSTER, failed=0, failure=None):
    known = {"region": "ap-northeast-1", "group": "default", "name": name, "arn": ARN.format("scheduler", f"schedule/default/{name}")}
    return known | {"target": arn} | counted(7, failed, failure)


def answer(*rules, schedules=()):
    return {"rules": list(rules), "schedules": list(schedules)}


def test_each_rule_is_listed_with_what_it_looks_for_and_what_became_of_it(desk):
    desk.daemon.pages["rules"] = answer(
        rule("ECSStatus", target(GROUP, failed=1, failure=NO_POLICY), matched=1),
        rule("fan", target(TOPIC, "a", delivered=3), target(QUEUE, "b", delivered=2), bus="orders", pattern='{"source": ["my.shop"]}'),
        rule("idle", state="DISABLED", matched=0),
        schedules=[schedule("nightly")],
    )
    result = desk.run("rules")
    assert result.stdout.splitlines() == [
        "RULE        STATE     LOOKS FOR                       MATCHED  TARGET                               DELIVERED  FAILED",
        "ECSStatus   ENABLED   aws.ecs: ECS Task State Change  1        log group /aws/events/ecs/ECSStatus  0          1",
        "orders/fan  ENABLED   my.shop                         3        SNS topic alerts                     3          0",
        "                                                               SQS queue inbox                      2          0",
        "idle        DISABLED  aws.ecs: ECS Task State Change  0        none                                 -          -",
        "SCHEDULE         DELIVERED  FAILED",
        "default/nightly  7          0",
        "ECSStatus: 1 failed to log group /aws/events/ecs/ECSStatus, the last Fri 27 Nov 14:34 JST: "
        "no resource policy lets events.amazonaws.com write to /aws/events/ecs/ECSStatus.",
        f"  Repair: {REPAIR}",
    ]
    assert (result.exit_code, result.stderr) == (0, "") and desk.daemon.asked == [("rules", {})] and desk.daemon.closed


def test_a_rule_of_service_events_alone_is_marked_while_a_schedule_starts_tasks(desk):
    desk.daemon.pages["rules"] = answer(rule("ecs-alert", target(TOPIC), pattern=SEED), schedules=[schedule("nightly")])
    *_, marked, words, pattern = desk.run("rules").stdout.splitlines()
    assert (marked, words) == (f"ecs-alert {BLIND}", "  This pattern would see them; refused launches only while a trail logs:")
    event = {"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {"lastStatus": "STOPPED", "group": "family:nightly"}}
    assert compile_text(pattern.strip())(event | {"detail": event["detail"] | {"stopCode": "TaskFailedToStart"}})


@pytest.mark.parametrize(
    "starter", [rule("nightly", target(CLUSTER), pattern=None, schedule="rate(5 minutes)"), rule("on-upload", target(CLUSTER))]
)
def test_a_rule_that_starts_tasks_counts_like_a_schedule(desk, starter):
    desk.daemon.pages["rules"] = answer(rule("ecs-alert", target(TOPIC), pattern=SEED), starter)
    assert f"ecs-alert {BLIND}" in desk.run("rules").stdout.splitlines()


def test_no_rule_is_marked_where_nothing_starts_standalone_tasks(desk):
    lambdas = schedule("lambda", arn=ARN.format("lambda", "function:x"))
    desk.daemon.pages["rules"] = answer(rule("ecs-alert", target(TOPIC), pattern=SEED), schedules=[lambdas])
    assert "sees only" not in desk.run("rules").stdout
    told = json.loads(desk.run("rules", "-o", "json").stdout)
    assert (told["rules"][0]["sees_only_services"], told["pattern_that_sees_tasks"]) == (False, None)


def test_json_is_the_engines_answer_with_the_marks(desk):
    desk.daemon.pages["rules"] = answer(rule("ecs-alert", target(TOPIC), pattern=SEED), rule("fine", target(CLUSTER)))
    told = json.loads(desk.run("rules", "-o", "json").stdout)
    assert [one["sees_only_services"] for one in told["rules"]] == [True, False]
    assert told["rules"][0] | {"sees_only_services": None} == desk.daemon.pages["rules"]["rules"][0] | {"sees_only_services": None}
    assert told["pattern_that_sees_tasks"]["source"] == ["aws.ecs"]


def test_one_rule_is_told_with_aws_own_words_and_the_command_that_repairs_it(desk):
    desk.daemon.pages["rules"] = answer(
        rule("ECSStatus", target(GROUP, failed=1, failure=NO_POLICY), target(QUEUE, "2", delivered=3), pattern=SEED),
        rule("nightly", target(CLUSTER), pattern=None, schedule="rate(5 minutes)"),
    )
    lines = desk.run("rules", "ECSStatus").stdout.splitlines()
    assert lines[:-1] == [
        "ECSStatus · ap-northeast-1 · bus default · ENABLED · matched 3 · 1 failed",
        "Looks    aws.ecs: ECS Service Action",
        f"Pattern  {SEED}",
        "Target   1 · log group /aws/events/ecs/ECSStatus · 0 delivered, 1 failed",
        "Failed   Fri 27 Nov 14:34 JST: no resource policy lets events.amazonaws.com write to /aws/events/ecs/ECSStatus.",
        "Said     NO_PERMISSIONS: User: events.amazonaws.com is not authorized to perform: logs:PutLogEvents",
        f"Next     {REPAIR}",
        "Target   2 · SQS queue inbox · 3 delivered, 0 failed",
        f"Blind    It {BLIND} This pattern would see them; refused launches only while a trail logs:",
    ]
    assert json.loads(lines[-1])["source"] == ["aws.ecs"]


def test_a_target_that_is_well_again_needs_no_repair(desk):
    failure = NO_POLICY | {"message": NO_POLICY["why"]}
    desk.daemon.pages["rules"] = answer(
        rule("ECSStatus", target(GROUP, failed=1, delivered=1, failure=failure, failing=False), pattern=STATUS)
    )
    told = f"{NO_POLICY['why']}. It is delivered again."
    assert desk.run("rules", "ECSStatus").stdout.splitlines()[-2:] == [f"Failed   Fri 27 Nov 14:34 JST: {told}", "Said     NO_PERMISSIONS"]
    (line,) = [line for line in desk.run("rules").stdout.splitlines() if line.startswith("ECSStatus: ")]
    assert line == f"ECSStatus: 1 failed to log group /aws/events/ecs/ECSStatus, the last Fri 27 Nov 14:34 JST: {told}"
    assert "Repair" not in desk.run("rules").stdout


def test_a_scheduled_rule_and_a_schedule_are_told_by_name(desk):
    failure = NO_POLICY | {"why": "the cluster batch does not exist", "repair": None}
    nightly = rule("nightly", pattern=None, schedule="cron(0 15 * * ? *)", matched=30)
    desk.daemon.pages["rules"] = answer(nightly, schedules=[schedule("nightly", failed=2, failure=failure)])
    assert desk.run("rules", "nightly").stdout.splitlines() == [
        "nightly · ap-northeast-1 · bus default · ENABLED · matched 30",
        "Looks    every day at 15:00 UTC",
        "Schedule cron(0 15 * * ? *) UTC",
        "Target   none: what it matches goes nowhere",
        "default/nightly · ap-northeast-1 · schedule · 7 delivered, 2 failed",
        "Target   ECS cluster batch",
        "Failed   Fri 27 Nov 14:34 JST: the cluster batch does not exist.",
        f"Said     NO_PERMISSIONS: {NO_POLICY['message']}",
    ]
    assert desk.run("rules", "default/nightly").stdout.startswith("default/nightly · ")


def test_an_unknown_name_is_told_with_the_near_ones(desk):
    desk.daemon.pages["rules"] = answer(rule("ECSStatus"), rule("fan", bus="orders"))
    result = desk.run("rules", "ECStatus")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[:2] == ["No rule or schedule ECStatus", "near to it: ECSStatus"]
    assert desk.run("rules", "zzz").stderr.splitlines()[1] == "2 are known, none with a name near to it"
    assert desk.run("rules", "an").stderr.splitlines()[1] == "near to it: orders/fan"


def test_without_rules_it_says_so(desk):
    desk.daemon.pages["rules"] = answer()
    result = desk.run("rules")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No rules.\n")
    assert desk.run("rules", "x").stderr.splitlines()[1] == "there is none"


def test_a_region_keeps_others_out_and_several_are_named(desk):
    there = rule("fan", target(TOPIC), region="eu-west-1")
    desk.daemon.pages["rules"] = answer(rule("fan", target(TOPIC)), there)
    assert [line.split("  ")[0] for line in desk.run("rules").stdout.splitlines()[1:]] == ["fan (ap-northeast-1)", "fan (eu-west-1)"]
    assert json.loads(desk.run("rules", "--region", "eu-west-1", "-o", "json").stdout)["rules"] == [there | {"sees_only_services": False}]


def resources(result):
    assert result.exit_code == 0, result.stderr
    return [statement["Resource"] for statement in json.loads(result.stdout)["Statement"]]


def test_the_policy_alone_is_printed_for_all_log_groups_of_a_rule(desk):
    desk.daemon.pages["rules"] = answer(rule("ECSStatus", target(GROUP), target(OTHER_GROUP, "2"), target(CLUSTER, "3")))
    result = desk.run("rules", "ECSStatus", "--policy")
    assert resources(result) == [[f"{GROUP}:*", OTHER_GROUP]]
    assert result.stderr == ""
    statement = json.loads(result.stdout)["Statement"][0]
    assert statement["Effect"] == "Allow" and "events.amazonaws.com" in statement["Principal"]["Service"]


def test_the_policy_of_the_same_group_twice_names_it_once(desk):
    desk.daemon.pages["rules"] = answer(rule("ECSStatus", target(GROUP), target(f"{GROUP}:*", "2")))
    assert resources(desk.run("rules", "ECSStatus", "--policy")) == [f"{GROUP}:*"]


def test_a_topics_policy_is_printed_where_it_is_the_only_one_or_asked_for(desk):
    desk.daemon.pages["rules"] = answer(
        rule("one", target(TOPIC), target(CLUSTER, "2")), rule("both", target(TOPIC, "t"), target(GROUP, "g"))
    )
    assert resources(desk.run("rules", "one", "--policy"))[-1] == TOPIC
    groups = desk.run("rules", "both", "--policy")
    assert resources(groups) == [f"{GROUP}:*"]
    assert groups.stderr == "SNS topic alerts has a policy of its own: hinoban rules both --policy --target t\n"
    topic = desk.run("rules", "both", "--policy", "--target", "t")
    assert resources(topic)[-1] == TOPIC and topic.stderr == ""


@pytest.mark.parametrize(
    ("words", "what", "why"),
    [
        ((), "No rule is named", "--policy is about one rule's targets"),
        (("two",), "two needs several policies", "each of the targets q, t has a policy of its own"),
        (("ecs",), "ecs needs no resource policy", "ECS cluster batch: EventBridge reaches such a target by the role it names"),
        (("two", "--target", "x"), "No target x of two", "its targets are q, t"),
        (("none",), "none needs no policy", "it has no targets"),
    ],
)
def test_where_there_is_no_one_policy_the_reason_is_told(desk, words, what, why):
    desk.daemon.pages["rules"] = answer(rule("two", target(QUEUE, "q"), target(TOPIC, "t")), rule("ecs", target(CLUSTER)), rule("none"))
    result = desk.run("rules", *words, "--policy")
    assert result.stdout == "" and result.exit_code != 0
    assert result.stderr.splitlines()[:2] == [what, why]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (STATUS, "aws.ecs: ECS Task State Change"),
        ('{"source": ["aws.ecs", "aws.s3"]}', "aws.ecs, aws.s3"),
        ('{"source": [{"prefix": "aws."}], "detail-type": [{"anything-but": ["a", "b"]}]}', 'prefix aws.: anything-but ["a","b"]'),
        ('{"account": ["123456789012"], "detail": {"a": [1]}}', "events by account, detail"),
        ('{"source": [null]}', "null"),
        ('{"source": ["a"]} and\nmore', '{"source": ["a"]} and more'),
    ],
)
def test_a_pattern_is_put_in_few_words(pattern, words):
    assert looks_for(rule("x", pattern=pattern)) == words


def test_a_rule_with_a_pattern_and_a_schedule_looks_for_both():
    assert looks_for(rule("x", pattern='{"source":["a"]}', schedule="rate(5 minutes)")) == "every 5 minutes and a"


@pytest.mark.parametrize(
    ("arn", "words"),
    [
        (GROUP, "log group /aws/events/ecs/ECSStatus"),
        (OTHER_GROUP, "log group /aws/events/all"),
        (TOPIC, "SNS topic alerts"),
        (QUEUE, "SQS queue inbox"),
        (CLUSTER, "ECS cluster batch"),
        (ARN.format("events", "event-bus/orders"), "bus orders"),
        (ARN.format("events", "api-destination/hook/1234"), "API destination hook/1234"),
        (ARN.format("lambda", "function:clean"), "Lambda function clean"),
        (ARN.format("kinesis", "stream/x"), ARN.format("kinesis", "stream/x")),
        ("not an arn", "not an arn"),
    ],
)
def test_a_target_is_named_by_what_it_is(arn, words):
    assert place(arn) == words


def test_the_printed_policy_is_one_json_document(desk):
    desk.daemon.pages["rules"] = answer(rule("ECSStatus", target(GROUP)))
    assert msgspec.json.decode(desk.run("rules", "ECSStatus", "--policy").stdout)["Version"] == "2012-10-17"
