"""Which calls are kept."""

import pytest

from hinoban.engine.neighbours.classify import kept, operation_of, writes


@pytest.mark.parametrize(
    ("service", "operation", "method", "expected"),
    [
        ("ssm", "PutParameter", "POST", True),
        ("ssm", "GetParameter", "POST", False),
        ("sqs", "ReceiveMessage", "POST", True),
        ("sqs", "ListQueues", "POST", False),
        ("sts", "AssumeRole", "POST", True),
        ("sts", "GetCallerIdentity", "POST", False),
        ("kms", "Decrypt", "POST", False),
        ("kms", "Sign", "POST", False),
        ("cognito-idp", "SignUp", "POST", True),
        ("cognito-identity", "GetId", "POST", True),
        ("dynamodb", "BatchGetItem", "POST", False),
        ("dynamodb", "BatchWriteItem", "POST", True),
        ("s3", "", "GET", False),
        ("s3", "", "HEAD", False),
        ("s3", "", "PUT", True),
        ("s3", "", "DELETE", True),
        ("nobody", "Frobnicate", "POST", True),
    ],
)
def test_a_call_writes_unless_it_is_known_to_read(service: str, operation: str, method: str, expected: bool) -> None:
    assert writes(service, operation, method, "/") is expected


@pytest.mark.parametrize(
    ("method", "path", "target", "form", "expected"),
    [
        ("POST", "/", "AmazonSSM.GetParameter", "", "GetParameter"),
        ("POST", "/", "", "Action=CreateTopic&Name=x", "CreateTopic"),
        ("GET", "/", "", "Version=1&Action=ListTopics", "ListTopics"),
        ("POST", "/", "", "Name=Action&Body=Action%3DX", ""),
        ("POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData", "", "", "PutMetricData"),
        ("PUT", "/bucket/key", "", "", ""),
    ],
)
def test_the_operation_is_where_its_protocol_puts_it(method: str, path: str, target: str, form: str, expected: str) -> None:
    assert operation_of(method, path, target, form) == expected


def test_what_is_told_and_over_is_never_kept() -> None:
    assert not kept("monitoring", "PutMetricData", "/")
    assert not kept("email", "SendEmail", "/")
    assert not kept("xray", "PutTraceSegments", "/")
    assert not kept("lambda", "", "/2015-03-31/functions/f/invocations")
    assert kept("lambda", "", "/2015-03-31/functions")
    assert kept("monitoring", "PutMetricAlarm", "/")
    assert kept("sqs", "SendMessage", "/")
