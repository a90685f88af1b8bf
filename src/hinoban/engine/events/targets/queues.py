"""Topics and queues as targets, at the neighbours' (moto); their policies are enforced here (facts/eventbridge.md §6.2, §5.3 of the SQS facts).

A rule needs a policy of the target that lets events.amazonaws.com in, or a role; Scheduler always has its role. That a topic or queue is
encrypted changes nothing here.
"""

import asyncio
from typing import Any, Protocol

from hinoban.aws import arns, iam_match
from hinoban.aws.call import Params
from hinoban.aws.errors import AwsError
from hinoban.base.clock import SECONDS
from hinoban.engine.events.targets import repairs
from hinoban.engine.events.targets.failure import Failure, of_answer
from hinoban.engine.events.targets.parcel import Mismatch, Parcel
from hinoban.engine.events.targets.queue import Delivery
from hinoban.engine.events.targets.transform import UnknownVariableError, dynamic

_SERVICE = "events.amazonaws.com"
_PATIENCE = 30 * SECONDS


class Ask(Protocol):
    """engine.neighbours.ask.Ask."""

    async def call(self, service: str, operation: str, params: Params, *, region: str) -> dict[str, Any]: ...


async def asked(ask: Ask, service: str, operation: str, params: Params, region: str) -> dict[str, Any]:
    """One call, with an end to waiting; a Failure where there is no answer, AwsError where it is an error."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await ask.call(service, operation, params, region=region)
    except TimeoutError:
        why = f"{service} did not answer {operation} within {_PATIENCE:.0f} s"
        raise Failure("TIMEOUT", why, why, transient=True, request=params) from None


class SnsTarget:
    """Publishes to topics."""

    def __init__(self, ask: Ask, account: str) -> None:
        self._ask = ask
        self._account = account

    async def deliver(self, parcel: Parcel) -> Mismatch | None:
        delivery, arn = parcel.delivery, parcel.delivery.target_arn
        region, name = _place(arn)
        request = {"TopicArn": arn, "Message": parcel.text}
        try:
            if _needs_policy(delivery):
                found = await asked(self._ask, "sns", "GetTopicAttributes", {"TopicArn": arn}, region)
                policy = found["Attributes"].get("Policy")
                if not _lets_in(policy, delivery, "sns:Publish", arn, self._account):
                    repair = repairs.topic_policy(arn, policy, rule_arn=delivery.owner_arn, account=self._account)
                    raise _denied(f"the policy of the topic {name} does not let {_SERVICE} publish to it", repair)
            await asked(self._ask, "sns", "Publish", request, region)
        except AwsError as error:
            gone = error.code in ("NotFound", "NotFoundException")
            why = f"the topic {name} does not exist" if gone else None
            raise of_answer(error, "Publish", why=why, repair=repairs.topic(name, region) if gone else None, request=request) from error
        return None


class SqsTarget:
    """Sends to queues."""

    def __init__(self, ask: Ask, account: str) -> None:
        self._ask = ask
        self._account = account

    async def deliver(self, parcel: Parcel) -> Mismatch | None:
        delivery = parcel.delivery
        parameters = delivery.target.get("SqsParameters", {})
        try:
            given = dynamic(parameters, delivery.event) if delivery.event is not None else parameters
        except UnknownVariableError as error:
            raise Failure("INVALID_PARAMETER", str(error), str(error)) from error
        await self.send(delivery, delivery.target_arn, {"MessageBody": parcel.text, **given}, checked=_needs_policy(delivery))
        return None

    async def send(self, delivery: Delivery, arn: str, message: Params, *, checked: bool) -> None:
        """Put a message into the queue `arn`; with `checked` only if the queue's policy lets the delivery's rule in. Failure otherwise."""
        region, name = _place(arn)
        request: Params = {"QueueName": name, **message}
        try:
            url = (await asked(self._ask, "sqs", "GetQueueUrl", {"QueueName": name}, region))["QueueUrl"]
            request = {"QueueUrl": url, **message}
            if checked:
                await self._check(delivery, arn, url)
            await asked(self._ask, "sqs", "SendMessage", request, region)
        except AwsError as error:
            gone = "NonExistentQueue" in error.code or "QueueDoesNotExist" in error.code
            why = f"the queue {name} does not exist" if gone else None
            raise of_answer(error, "SendMessage", why=why, repair=repairs.queue(name, region) if gone else None, request=request) from error

    async def _check(self, delivery: Delivery, arn: str, url: str) -> None:
        region, name = _place(arn)
        found = await asked(self._ask, "sqs", "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["Policy"]}, region)
        policy = found.get("Attributes", {}).get("Policy")
        if not _lets_in(policy, delivery, "sqs:SendMessage", arn, self._account):
            repair = repairs.queue_policy(arn, url, policy, rule_arn=delivery.owner_arn, account=self._account)
            raise _denied(f"the policy of the queue {name} does not let {_SERVICE} send to it for this rule", repair)


def _needs_policy(delivery: Delivery) -> bool:
    """Newer pages of AWS allow a role here, too (facts/eventbridge.md §6.2)."""
    return delivery.kind == "rule" and "RoleArn" not in delivery.target


def _lets_in(policy: str | None, delivery: Delivery, action: str, arn: str, account: str) -> bool:
    context = {"aws:SourceArn": delivery.owner_arn, "aws:SourceAccount": account}
    return bool(policy) and iam_match.allows(policy or "", service=_SERVICE, action=action, resource=arn, context=context)


def _place(arn: str) -> tuple[str, str]:
    parts = arns.parse(arn)
    return parts.region, parts.resource


def _denied(why: str, repair: str) -> Failure:
    return Failure("NO_PERMISSIONS", why, why, repair=repair, target_code="AccessDenied")
