"""The queue and its loop: attempts, retries, giving up, dead letters, counts and what is told."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from hinoban.aws.errors import AwsError
from hinoban.base.clock import settle
from hinoban.engine.events.targets.retries import Again, GiveUp, after_failure
from tests.support.targets import CLUSTER, EVENT, QUEUE, RULE_ARN, SCHEDULE_ARN, World, open_policy

POLICY = open_policy("*", "sqs:SendMessage")
DLQ = QUEUE.replace("orders", "dead")


async def test_a_delivery_is_made_once_and_counted(world: World) -> None:
    world.ask.queues["orders"] = POLICY
    await world.send(world.delivery())
    assert [msgspec.json.decode(each["MessageBody"]) for each in world.ask.sent["orders"]] == [EVENT]
    assert world.queue.counts()[RULE_ARN].targets["1"].delivered == 1
    assert len(world.queue) == 0
    assert world.told() == []


async def test_a_delivery_that_is_due_later_waits(world: World) -> None:
    world.ask.queues["orders"] = POLICY
    await world.send(world.delivery(due_at=world.clock.now() + 60))
    assert world.ask.sent == {}
    await world.clock.advance(60)
    assert len(world.ask.sent["orders"]) == 1


async def test_what_came_after_the_wait_began_wakes_the_loop(world: World) -> None:
    world.ask.queues["orders"] = POLICY
    await world.send(world.delivery(due_at=world.clock.now() + 3600))
    await world.send(world.delivery(due_at=world.clock.now() + 1))
    await world.clock.advance(1)
    assert len(world.ask.sent["orders"]) == 1


async def test_a_transient_error_is_tried_again_until_it_passes(world: World) -> None:
    world.ask.queues["orders"] = POLICY
    world.ask.errors["SendMessage"] = AwsError("ServiceUnavailable", "try later", 503)
    await world.send(world.delivery())
    await world.clock.advance(30)
    assert len(world.queue) == 1
    del world.ask.errors["SendMessage"]
    await world.clock.advance(3600)
    assert len(world.ask.sent["orders"]) == 1
    assert world.told() == []


async def test_retries_end_at_the_policys_number_and_are_told_once(world: World) -> None:
    world.ask.queues |= {"orders": POLICY, "dead": POLICY}
    world.launcher.errors[CLUSTER] = AwsError("ServerException", "boom", 500)
    target = {"RetryPolicy": {"MaximumRetryAttempts": 3}, "DeadLetterConfig": {"Arn": DLQ}, "EcsParameters": {"TaskDefinitionArn": "job"}}
    await world.send(world.delivery(CLUSTER, target=target))
    await world.clock.advance(3600)
    assert len(world.launcher.calls) == 4
    (told,) = world.told()
    assert (told["attempts"], told["dlq"], told["code"]) == (4, "sent", "ERROR_FROM_TARGET")
    (letter,) = world.ask.sent["dead"]
    assert msgspec.json.decode(letter["MessageBody"]) == EVENT
    assert {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()} == {
        "RULE_ARN": RULE_ARN,
        "TARGET_ARN": CLUSTER,
        "ERROR_CODE": "ERROR_FROM_TARGET",
        "ERROR_MESSAGE": "RunTask ServerException: boom",
        "RETRY_ATTEMPTS": "3",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
    }


async def test_retries_end_when_the_event_is_too_old(world: World) -> None:
    world.launcher.errors[CLUSTER] = AwsError("ServerException", "boom", 500)
    await world.send(world.delivery(CLUSTER, target={"RetryPolicy": {"MaximumEventAgeInSeconds": 60}}))
    await world.clock.advance(120)
    (told,) = world.told()
    assert told["attempts"] == len(world.launcher.calls) >= 2
    assert world.clock.now() >= world.queue.counts()[RULE_ARN].targets["1"].last_failure.at


async def test_a_slot_that_was_decided_before_a_long_absence_is_told_and_not_launched(world: World) -> None:
    slot = world.clock.now()
    target = {"EcsParameters": {"TaskDefinitionArn": "job"}}
    world.queue.add(world.delivery(CLUSTER, target=target, slot=slot))
    world.queue.add(world.delivery(CLUSTER, target=target, slot=slot, due_at=slot + 600))  # within a flexible window
    world.queue.add(world.delivery(CLUSTER, target=target))  # an event: at least once, however late
    world.database.commit()
    await world.kill()
    await world.clock.advance(660)
    world.open()
    await settle()
    assert sorted(params["clientToken"] for _, _, params, _, _ in world.launcher.calls) == ["token-2", "token-3"]
    (told,) = world.told()
    assert (told["token"], told["code"], told["attempts"]) == ("token-1", "NOT_RUNNING", 0)
    assert told["why"].startswith("hinoban was not running from ")


async def test_a_slot_that_was_tried_before_an_absence_is_tried_again_as_on_aws(world: World) -> None:
    world.launcher.errors[CLUSTER] = AwsError("ServerException", "boom", 500)
    await world.send(world.delivery(CLUSTER, target={"EcsParameters": {"TaskDefinitionArn": "job"}}, slot=world.clock.now()))
    await world.database.committed()
    await world.kill()
    del world.launcher.errors[CLUSTER]
    await world.clock.advance(9 * 3600)
    world.open()
    await settle()
    assert len(world.launcher.calls) == 2
    assert world.told() == []


async def test_a_permanent_error_is_given_up_at_once(world: World) -> None:
    world.ask.queues["dead"] = POLICY
    await world.send(world.delivery(target={"DeadLetterConfig": {"Arn": DLQ}}))
    (told,) = world.told()
    assert told == {
        "kind": "rule",
        "name": "nightly",
        "arn": RULE_ARN,
        "bus": "default",
        "target": {"id": "1", "arn": QUEUE},
        "code": "NO_RESOURCE",
        "message": "SendMessage AWS.SimpleQueueService.NonExistentQueue: The specified queue does not exist.",
        "why": "the queue orders does not exist",
        "repair": 'aws sqs --endpoint-url "$AWS_ENDPOINT_URL" create-queue --queue-name orders --region ap-northeast-1',
        "attempts": 1,
        "event": {"id": EVENT["id"], "detail-type": EVENT["detail-type"], "source": EVENT["source"]},
        "slot": None,
        "token": "token-1",
        "dlq": "sent",
    }
    (letter,) = world.ask.sent["dead"]
    assert letter["MessageAttributes"]["RETRY_ATTEMPTS"]["StringValue"] == "0"
    assert "EXHAUSTED_RETRY_CONDITION" not in letter["MessageAttributes"]


@pytest.mark.parametrize(
    ("dlq", "queues", "told"),
    [
        (None, {}, "none"),
        (DLQ, {}, "failed: the queue dead does not exist"),
        (DLQ, {"dead": None}, "failed: the policy of the queue dead does not let events.amazonaws.com send to it for this rule"),
        (f"{DLQ}.fifo", {}, "failed: a dead-letter queue must be a standard queue"),
    ],
)
async def test_a_letter_that_could_not_be_sent_says_why(world: World, dlq: str | None, queues: dict[str, str | None], told: str) -> None:
    world.ask.queues |= queues
    await world.send(world.delivery(target={} if dlq is None else {"DeadLetterConfig": {"Arn": dlq}}))
    assert [each["dlq"] for each in world.told()] == [told]


async def test_a_schedules_letter_has_the_request_and_its_own_attributes(world: World) -> None:
    world.ask.queues["dead"] = None
    delivery = world.scheduled(
        QUEUE, input="do it", target={"RoleArn": "arn:aws:iam::123456789012:role/r", "DeadLetterConfig": {"Arn": DLQ}}
    )
    await world.send(delivery)
    (letter,) = world.ask.sent["dead"]
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes.pop("EXECUTION_ID")
    assert attributes == {
        "SCHEDULE_ARN": SCHEDULE_ARN,
        "TARGET_ARN": QUEUE,
        "SCHEDULED_TIME": "2026-11-26T15:00:00Z",
        "ERROR_CODE": "AWS.SimpleQueueService.NonExistentQueue",
        "ERROR_MESSAGE": "The specified queue does not exist.",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
    }
    assert msgspec.json.decode(letter["MessageBody"]) == {"QueueName": "orders", "MessageBody": "do it"}


async def test_the_first_success_after_a_failure_is_told_once(world: World) -> None:
    await world.send(world.delivery())
    world.ask.queues["orders"] = POLICY
    await world.send(world.delivery())
    await world.send(world.delivery())
    recovered = world.told("Hinoban Delivery Recovered")
    assert recovered == [{"kind": "rule", "name": "nightly", "arn": RULE_ARN, "target": {"id": "1", "arn": QUEUE}, "bus": "default"}]
    counts = world.queue.counts()[RULE_ARN].targets["1"]
    assert (counts.delivered, counts.failed, counts.failing) == (2, 1, False)


async def test_that_a_target_failed_is_known_after_a_restart(world: World) -> None:
    await world.send(world.delivery())
    world.database.commit()
    await world.kill()
    world.open()
    world.ask.queues["orders"] = POLICY
    await world.send(world.delivery())
    assert len(world.told("Hinoban Delivery Recovered")) == 1
    assert world.queue.counts()[RULE_ARN].targets["1"].failed == 1


async def test_a_slow_target_holds_up_no_other(world: World) -> None:
    world.ask.queues |= {"orders": POLICY, "other": POLICY}
    gate = world.ask.gates["http://127.0.0.1:4566/123456789012/orders"] = asyncio.Event()
    for _ in range(50):
        world.queue.add(world.delivery())
    for _ in range(3):
        world.queue.add(world.delivery(QUEUE.replace("orders", "other")))
    await settle(200)
    assert len(world.ask.sent["other"]) == 3
    assert "orders" not in world.ask.sent
    gate.set()
    await settle(500)
    assert len(world.ask.sent["orders"]) == 50
    assert world.targets.deliverer.idle


async def test_a_target_is_asked_by_few_at_a_time_and_by_more_than_one(world: World) -> None:
    world.ask.queues["orders"] = POLICY
    under_way = most = 0
    answer = world.ask._SendMessage

    async def slow(service: str, operation: str, params: dict[str, object], *, region: str) -> dict[str, object]:
        nonlocal under_way, most
        if operation == "SendMessage":
            under_way += 1
            most = max(most, under_way)
            await settle(5)
            under_way -= 1
        return answer({}) if operation == "SendMessage" else await original(service, operation, params, region=region)

    original = world.ask.call
    world.ask.call = slow
    for _ in range(30):
        world.queue.add(world.delivery())
    await settle(500)
    assert 1 < most <= 8
    assert len(world.queue) == 0


async def test_what_waits_for_a_deleted_target_is_dropped(world: World) -> None:
    world.launcher.errors[CLUSTER] = AwsError("ServerException", "boom", 500)
    await world.send(world.delivery(CLUSTER))
    world.queue.drop(RULE_ARN, "1")
    await world.clock.advance(3600)
    assert len(world.launcher.calls) == 1
    assert world.told() == []
    assert world.queue.counts() == {}


async def test_what_is_under_way_to_a_deleted_rule_is_not_tried_again(world: World) -> None:
    world.ask.queues["orders"] = POLICY
    gate = world.ask.gates["http://127.0.0.1:4566/123456789012/orders"] = asyncio.Event()
    await world.send(world.delivery())
    world.queue.drop(RULE_ARN)
    gate.set()
    await settle()
    assert world.queue.counts() == {}
    assert len(world.queue) == 0


class _Rule(msgspec.Struct):
    arn: str
    targets: dict[str, dict[str, object]]


async def test_a_rules_change_drops_what_its_lost_targets_wait_for(world: World) -> None:
    later = world.clock.now() + 60
    world.queue.add(world.delivery(due_at=later))
    world.queue.add(world.delivery(due_at=later, target={"Id": "2"}))
    both = _Rule(RULE_ARN, {"1": {}, "2": {}})
    world.queue.hear(None, both)
    assert len(world.queue) == 2
    world.queue.hear(both, _Rule(RULE_ARN, {"2": {}}))
    assert len(world.queue) == 1
    world.queue.hear(both, None)
    assert len(world.queue) == 0


async def test_our_own_error_is_tried_again_and_said_so(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.launcher.errors[CLUSTER] = KeyError("oops")
    await world.send(world.delivery(CLUSTER, target={"RetryPolicy": {"MaximumRetryAttempts": 1}}))
    await world.clock.advance(60)
    assert [told["why"] for told in world.told()] == ["Hinoban failed on it (KeyError); its log says more"]
    assert len(world.launcher.calls) == 2


async def test_a_delivery_that_outlived_its_event_while_nobody_ran_is_given_up(tmp_path: Path) -> None:
    world = World(tmp_path).open()
    world.launcher.errors[CLUSTER] = AwsError("ServerException", "boom", 500)
    await world.send(world.delivery(CLUSTER, target={"RetryPolicy": {"MaximumEventAgeInSeconds": 3600}}))
    world.database.commit()
    await world.kill()
    world.clock._now += 7200
    world.open()
    await settle()
    (told,) = world.told()
    assert (told["attempts"], told["message"]) == (1, "RunTask ServerException: boom")
    assert len(world.launcher.calls) == 1
    await world.close()


async def test_clearing_forgets_deliveries_counts_and_connections(world: World) -> None:
    await world.send(world.delivery())
    world.queue.add(world.delivery(due_at=world.clock.now() + 60))
    world.queue.matched(RULE_ARN)
    world.targets.clear()
    assert (len(world.queue), world.queue.counts()) == (0, {})
    world.database.commit()
    await world.kill()
    world.open()
    assert (len(world.queue), world.queue.counts()) == (0, {})


async def test_a_rules_matches_are_counted_over_a_restart(world: World) -> None:
    world.queue.matched(RULE_ARN)
    world.queue.matched(RULE_ARN)
    world.database.commit()
    await world.kill()
    world.open()
    assert world.queue.counts()[RULE_ARN].matched == 2


@pytest.mark.parametrize("dice", [0.0, 0.5, 0.999])
def test_pauses_grow_and_185_retries_fill_about_a_day(dice: float) -> None:
    pauses = []
    for attempts in range(1, 186):
        decision = after_failure({}, attempts=attempts, created_at=1e12, transient=True, retry_after=0.0, now=0.0, dice=dice)
        assert isinstance(decision, Again)
        pauses.append(decision.due_at)
    assert pauses == sorted(pauses)
    assert max(pauses) <= 900
    if dice == 0.5:
        assert 0.8 * 86400 < sum(pauses) < 86400
    assert after_failure({}, attempts=186, created_at=0, transient=True, retry_after=0, now=0, dice=dice) == GiveUp("MaximumRetryAttempts")


def test_retry_after_is_waited_for_and_a_negative_one_ends_it() -> None:
    def after(seconds: float) -> Again | GiveUp:
        return after_failure({}, attempts=1, created_at=0.0, transient=True, retry_after=seconds, now=10.0, dice=0.5)

    assert after(120.0) == Again(130.0)
    assert after(-1.0) == GiveUp(None)
    assert after(1e9) == GiveUp("MaximumEventAgeInSeconds")


@pytest.mark.parametrize("letters", ["dead", CLUSTER])
async def test_a_dead_letter_queue_that_is_none_is_told_and_holds_nothing_up(world: World, letters: str) -> None:
    """PutTargets takes any text for it."""
    world.ask.queues["orders"] = POLICY
    await world.send(world.delivery(QUEUE.replace("orders", "gone"), target={"DeadLetterConfig": {"Arn": letters}}))
    await world.send(world.delivery())
    (told,) = world.told()
    assert told["dlq"] == f"failed: {letters} is no queue"
    assert len(world.ask.sent["orders"]) == 1


async def test_a_failure_of_ours_on_a_dead_letter_holds_nothing_up(world: World) -> None:
    world.ask.queues["orders"] = POLICY
    world.ask.queues["dead"] = POLICY
    world.ask.errors["SendMessage"] = RuntimeError("ours")
    await world.send(world.delivery(QUEUE.replace("orders", "gone"), target={"DeadLetterConfig": {"Arn": DLQ}}))
    del world.ask.errors["SendMessage"]
    await world.send(world.delivery())
    (told,) = world.told()
    assert told["dlq"] == "failed: Hinoban failed on it (RuntimeError); its log says more"
    assert len(world.ask.sent["orders"]) == 1


async def test_a_queues_policy_that_is_nonsense_is_repaired(world: World) -> None:
    world.ask.queues["orders"] = '{"Statement": "x"}'
    await world.send(world.delivery())
    (told,) = world.told()
    assert "set-queue-attributes" in told["repair"]
