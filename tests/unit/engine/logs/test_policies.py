"""Resource policies, and deliveries into a group."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinoban.aws.errors import AwsError
from tests.unit.engine.logs.conftest import ACCOUNT, REGION, Desk

ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/g"


def document(resource: str = "*", service: str = "events.amazonaws.com") -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "logs:PutLogEvents", "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def put(desk: Desk, name: str, text: str | None = None, **members: Any) -> dict[str, Any]:
    return desk.ask("PutResourcePolicy", policyName=name, policyDocument=text or document(), **members)


def refused(desk: Desk, operation: str, **params: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        desk.ask(operation, **params)
    return caught.value.code, caught.value.message


async def test_a_policy_is_told_as_it_was_put_and_overwritten_by_its_name(desk: Desk) -> None:
    answer = put(desk, "a")
    assert answer == {
        "resourcePolicy": {"policyName": "a", "policyDocument": document(), "lastUpdatedTime": desk.now, "policyScope": "ACCOUNT"}
    }
    desk.tick(5)
    put(desk, "a", document("x"))
    (only,) = desk.ask("DescribeResourcePolicies")["resourcePolicies"]
    assert (only["policyDocument"], only["lastUpdatedTime"]) == (document("x"), desk.now)
    assert desk.logs.policies(REGION) == {"a": document("x")}
    assert desk.logs.policies("eu-west-1") == {}
    assert desk.ask("DeleteResourcePolicy", policyName="a") == {}
    assert refused(desk, "DeleteResourcePolicy", policyName="a") == (
        "ResourceNotFoundException",
        "Policy with name [a] does not exist.",
    )


async def test_the_eleventh_policy_is_refused_but_an_old_one_still_changes(desk: Desk) -> None:
    for number in range(10):
        put(desk, f"p{number}")
    assert refused(desk, "PutResourcePolicy", policyName="p10", policyDocument=document()) == (
        "LimitExceededException",
        "Resource limit exceeded.",
    )
    put(desk, "p9", document("y"))
    pages, token = [], None
    while True:
        answer = desk.ask("DescribeResourcePolicies", limit=4, **({"nextToken": token} if token else {}))
        pages.append([policy["policyName"] for policy in answer["resourcePolicies"]])
        token = answer.get("nextToken")
        if token is None:
            break
    assert pages == [["p0", "p1", "p2", "p3"], ["p4", "p5", "p6", "p7"], ["p8", "p9"]]
    # A log group's own policy does not count.
    put(desk, "own", resourceArn=ARN)
    assert refused(desk, "DescribeResourcePolicies", nextToken="?")[0] == "InvalidParameterException"


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[]", document(service="x").replace("Service", "Servce"), document().replace("Allow", "Yes")]
)
async def test_a_document_that_is_no_policy_is_refused(desk: Desk, text: str) -> None:
    found = refused(desk, "PutResourcePolicy", policyName="a", policyDocument=text)
    assert found == ("InvalidParameterException", "Could not convert to persistable policy.")
    assert desk.logs.policies(REGION) == {}


async def test_a_policy_needs_a_name(desk: Desk) -> None:
    assert refused(desk, "PutResourcePolicy", policyDocument=document())[0] == "InvalidParameterException"
    assert refused(desk, "DeleteResourcePolicy")[0] == "InvalidParameterException"


async def test_a_groups_own_policy_has_revisions_and_goes_with_its_group(desk: Desk) -> None:
    made = desk.ask("PutResourcePolicy", policyDocument=document(), resourceArn=ARN)
    revision = made["revisionId"]
    assert made["resourcePolicy"]["revisionId"] == revision
    assert (made["resourcePolicy"]["policyScope"], made["resourcePolicy"]["resourceArn"]) == ("RESOURCE", ARN)
    change = {"policyDocument": document("x"), "resourceArn": ARN}
    assert refused(desk, "PutResourcePolicy", **change)[0] == "InvalidParameterException"
    assert refused(desk, "PutResourcePolicy", **change, expectedRevisionId="old")[0] == "OperationAbortedException"
    second = desk.ask("PutResourcePolicy", **change, expectedRevisionId=revision)["revisionId"]
    assert second != revision
    assert desk.ask("DescribeResourcePolicies") == {"resourcePolicies": []}
    assert len(desk.ask("DescribeResourcePolicies", policyScope="RESOURCE")["resourcePolicies"]) == 1
    assert len(desk.ask("DescribeResourcePolicies", resourceArn=f"{ARN}:*")["resourcePolicies"]) == 1
    assert desk.logs.policies(REGION) == {ARN: document("x")}
    assert refused(desk, "DeleteResourcePolicy", resourceArn=ARN)[0] == "InvalidParameterException"
    assert refused(desk, "PutResourcePolicy", policyDocument=document(), resourceArn=ARN + "2") == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
    desk.ask("DeleteLogGroup", logGroupName="/g")
    assert desk.logs.policies(REGION) == {}
    desk.ask("CreateLogGroup", logGroupName="/g")
    third = desk.ask("PutResourcePolicy", policyDocument=document(), resourceArn=ARN)["revisionId"]
    desk.ask("DeleteResourcePolicy", resourceArn=ARN, expectedRevisionId=third)
    assert desk.logs.policies(REGION) == {}


async def test_a_delivered_event_makes_its_stream_but_not_its_group(desk: Desk) -> None:
    desk.logs.put_event(REGION, "/g", "new", desk.now, '{"id":1}')
    desk.logs.put_event(REGION, "/g", "new", desk.now + 1, '{"id":2}')
    found = desk.ask("GetLogEvents", logGroupName="/g", logStreamName="new", startFromHead=True)["events"]
    assert [(event["timestamp"], event["message"]) for event in found] == [(desk.now, '{"id":1}'), (desk.now + 1, '{"id":2}')]
    with pytest.raises(AwsError, match=r"The specified log group does not exist\."):
        desk.logs.put_event(REGION, "/none", "new", desk.now, "x")
    desk.reopen()
    assert len(desk.ask("GetLogEvents", logGroupName="/g", logStreamName="new")["events"]) == 2


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["put", "delete", "reopen", "clear"]), st.integers(0, 11), st.sampled_from("xyz")), max_size=25))
def test_what_is_put_is_there_in_every_life(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, str]]) -> None:
    async def live() -> None:
        desk = Desk(tmp_path_factory.mktemp("logs"))
        expected: dict[str, str] = {}
        for step, number, resource in steps:
            name = f"p{number}"
            if step == "reopen":
                desk.reopen()
            elif step == "clear":
                desk.logs.clear()
                expected = {}
            elif step == "delete":
                if name in expected:
                    desk.ask("DeleteResourcePolicy", policyName=name)
                    del expected[name]
                else:
                    assert refused(desk, "DeleteResourcePolicy", policyName=name)[0] == "ResourceNotFoundException"
            elif name in expected or len(expected) < 10:
                put(desk, name, document(resource))
                expected[name] = document(resource)
            else:
                assert refused(desk, "PutResourcePolicy", policyName=name, policyDocument=document())[0] == "LimitExceededException"
            assert desk.logs.policies(REGION) == expected
        desk.close()

    asyncio.run(live())
