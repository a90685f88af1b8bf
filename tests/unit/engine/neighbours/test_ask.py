"""The neighbours asked from inside, against a street that notes what it hears."""

import msgspec
import pytest

from hinoban.aws.errors import AwsError
from hinoban.aws.http import HttpRequest, HttpResponse
from hinoban.aws.sigv4 import Verified
from hinoban.engine.neighbours.ask import Ask

XML = b"<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>"


class Street:
    def __init__(self, answer: HttpResponse) -> None:
        self.answer = answer
        self.heard: list[tuple[HttpRequest, Verified]] = []

    async def handle(self, request: HttpRequest, verified: Verified) -> HttpResponse:
        self.heard.append((request, verified))
        return self.answer


async def test_a_call_is_the_accounts_own_in_the_region_asked_for() -> None:
    street = Street(HttpResponse(200, [], b'{"MessageId":"m"}'))
    ask = Ask(street, "123456789012", host="localhost:9")
    answer = await ask.call("sqs", "SendMessage", {"QueueUrl": "http://q", "MessageBody": "b"}, region="eu-west-1")
    assert answer == {"MessageId": "m"}
    ((request, verified),) = street.heard
    assert msgspec.json.decode(request.body) == {"QueueUrl": "http://q", "MessageBody": "b"}
    assert (request.headers["host"], request.headers["x-amz-target"]) == ("localhost:9", "AmazonSQS.SendMessage")
    assert (verified.region, verified.service, verified.caller.principal_arn) == (
        "eu-west-1",
        "sqs",
        "arn:aws:iam::123456789012:user/hinoban",
    )


async def test_a_topic_is_asked_in_its_own_protocol_and_its_error_is_an_aws_error() -> None:
    assert await Ask(Street(HttpResponse(200, [], XML)), "1").call("sns", "Publish", {"Message": "m"}, region="eu-west-1") == {
        "MessageId": "m-1"
    }
    error = b"<ErrorResponse><Error><Code>NotFound</Code><Message>Topic does not exist</Message></Error></ErrorResponse>"
    with pytest.raises(AwsError, match="NotFound: Topic does not exist"):
        await Ask(Street(HttpResponse(404, [], error)), "1").call("sns", "Publish", {"Message": "m"}, region="eu-west-1")


async def test_what_nobody_has_is_said_without_asking() -> None:
    street = Street(HttpResponse(200, [], b""))
    for service, operation in (("frobnicate", "Do"), ("sqs", "Frobnicate"), ("s3", "ListBuckets")):
        with pytest.raises(AwsError, match="UnknownOperationException"):
            await Ask(street, "1").call(service, operation, {}, region="eu-west-1")
    assert street.heard == []
