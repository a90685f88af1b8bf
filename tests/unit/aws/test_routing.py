"""Who answers what: our operations first, then the neighbours, never a neighbour's twin of a service of ours."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from hinoban.aws.call import Call, Caller, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.aws.http import HttpRequest, HttpResponse
from hinoban.aws.server import Endpoint
from hinoban.aws.sigv4 import Credentials, TemporaryKey, Verified, Verifier, sign
from hinoban.base.clock import FakeClock
from hinoban.base.ids import SeededIds

KEY = Credentials("AKIDEXAMPLE", "secret")
MADE = Credentials("AKIDMADE", "made", "token")
CALLER = Caller(access_key_id=KEY.access_key_id, principal_arn="arn:aws:iam::123456789012:user/hinoban", principal_type="IAMUser")


class Street:
    """A neighbour that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[HttpRequest, Verified]] = []

    async def handle(self, request: HttpRequest, verified: Verified) -> HttpResponse:
        self.asked.append((request, verified))
        return HttpResponse(299, [("x", "y")], b"untouched")

    async def key(self, access_key_id: str) -> TemporaryKey | None:
        return TemporaryKey("made", CALLER, "token") if access_key_id == "AKIDMADE" else None


class House:
    def __init__(self, *, auth: bool = True) -> None:
        self.clock = FakeClock()
        self.street = Street()
        self.heard: list[tuple[str, Params]] = []
        self.endpoint = Endpoint(
            {
                "ecs": {"ListClusters": self.hear},
                "sns": {"ListTopics": self.hear, "Publish": self.hear, "CreateTopic": self.refuse},
                "scheduler": {"GetSchedule": self.hear},
            },
            account="123456789012",
            clock=self.clock,
            ids=SeededIds(),
            verifier=Verifier(lambda key: ("secret", CALLER) if key == KEY.access_key_id else None, self.clock, enabled=auth),
            settle=self.settle,
            audit=lambda call, params, outcome: None,
            neighbours=self.street,
            own=frozenset({"ecs", "scheduler", "cloudtrail"}),
        )

    def hear(self, call: Call, params: Params) -> Result:
        self.heard.append((call.operation, params))
        return {"Topics": [{"TopicArn": "a&b"}]} if call.operation == "ListTopics" else {}

    def refuse(self, call: Call, params: Params) -> Result:
        raise AwsError("InvalidParameter", "Invalid parameter: Name <>")

    async def settle(self) -> None:
        return None

    async def ask(
        self, service: str, body: bytes = b"", *, method: str = "POST", path: str = "/", target: str = "", kind: str = "",
        key: Credentials = KEY,
    ) -> HttpResponse:  # fmt: skip
        headers = {"x-amz-target": target} if target else {}
        if kind:
            headers["content-type"] = kind
        path_, _, query = path.partition("?")
        url = f"http://127.0.0.1:4566{path}"
        headers |= sign(method, url, headers, body, key, "eu-west-1", service, self.clock.now(), s3=service == "s3")
        return await self.endpoint.handle(HttpRequest(method, path_, query, headers, body, "127.0.0.1"))

    async def form(self, service: str, **members: str) -> HttpResponse:
        return await self.ask(service, urlencode(members).encode(), kind="application/x-www-form-urlencoded; charset=utf-8")


async def test_a_service_that_is_not_ours_goes_next_door_untouched() -> None:
    house = House()
    answer = await house.ask("s3", b"\x00body", method="PUT", path="/bucket/a%20b//c?tagging")
    assert (answer.status, answer.headers, answer.body) == (299, [("x", "y")], b"untouched")
    request, verified = house.street.asked[0]
    assert (request.path, request.query, request.body) == ("/bucket/a%20b//c", "tagging", b"\x00body")
    assert (verified.service, verified.region, verified.access_key_id) == ("s3", "eu-west-1", "AKIDEXAMPLE")


async def test_our_operations_come_first_and_the_rest_of_the_service_goes_next_door() -> None:
    house = House()
    answer = await house.form("sns", Action="Publish", Message="m", TopicArn="t")
    assert (answer.status, house.heard) == (200, [("Publish", {"Message": "m", "TopicArn": "t"})])
    assert (await house.form("sns", Action="Subscribe", TopicArn="t", Protocol="sqs")).status == 299
    listed = await house.form("sns", Action="ListTopics")
    assert b"<ListTopicsResult><Topics><member><TopicArn>a&amp;b</TopicArn></member></Topics></ListTopicsResult>" in listed.body
    refused = await house.form("sns", Action="CreateTopic", Name="n")
    assert refused.status == 400
    assert b"<Code>InvalidParameter</Code><Message>Invalid parameter: Name &lt;&gt;</Message>" in refused.body


async def test_rest_json_of_ours() -> None:
    house = House()
    answer = await house.ask("scheduler", method="GET", path="/schedules/nightly?groupName=g")
    assert (answer.status, house.heard) == (200, [("GetSchedule", {"Name": "nightly", "GroupName": "g"})])
    lacking = await house.ask("scheduler", method="GET", path="/schedules")
    assert json.loads(lacking.body)["__type"] == "UnknownOperationException"


@pytest.mark.parametrize(
    ("service", "target"), [("ecs", "AmazonEC2ContainerServiceV20141113.ListServices"), ("cloudtrail", "CloudTrail_20131101.ListTrails")]
)
async def test_what_we_lack_of_our_own_services_is_never_asked_next_door(service: str, target: str) -> None:
    house = House()
    answer = await house.ask(service, b"{}", target=target)
    assert (answer.status, json.loads(answer.body)["__type"]) == (400, "UnknownOperationException")
    assert house.street.asked == []


async def test_a_key_that_was_made_next_door_opens_ours_with_its_token() -> None:
    house = House()
    target = "AmazonEC2ContainerServiceV20141113.ListClusters"
    assert (await house.ask("ecs", b"{}", target=target, key=MADE)).status == 200
    for wrong in (Credentials("AKIDMADE", "made", "other"), Credentials("AKIDMADE", "made"), Credentials("AKIDOTHER", "made", "token")):
        assert json.loads((await house.ask("ecs", b"{}", target=target, key=wrong)).body)["__type"] == "UnrecognizedClientException"
    assert json.loads((await house.ask("ecs", b"{}", target=target, key=Credentials("AKIDMADE", "bad", "token"))).body)["__type"] == (
        "InvalidSignatureException"
    )


@pytest.mark.parametrize(
    ("service", "kind", "code"),
    [
        ("sns", "application/x-www-form-urlencoded", b"<Code>SignatureDoesNotMatch</Code>"),
        ("s3", "", b"<Code>SignatureDoesNotMatch</Code>"),
    ],
)
async def test_a_bad_signature_is_told_in_the_protocols_own_words(service: str, kind: str, code: bytes) -> None:
    answer = await House().ask(service, b"Action=ListTopics", kind=kind, key=Credentials(KEY.access_key_id, "wrong"))
    assert answer.status == 403
    assert code in answer.body


async def test_without_auth_an_unsigned_form_goes_next_door_and_our_targets_stay() -> None:
    house = House(auth=False)
    request: dict[str, Any] = {"content-type": "application/x-www-form-urlencoded"}
    assert (await house.endpoint.handle(HttpRequest("POST", "/", "", request, b"Action=ListQueues", "127.0.0.1"))).status == 299
    assert (await house.endpoint.handle(HttpRequest("GET", "/bucket", "", {}, b"", "127.0.0.1"))).status == 299
    target = {"x-amz-target": "AmazonEC2ContainerServiceV20141113.ListClusters"}
    assert (await house.endpoint.handle(HttpRequest("POST", "/", "", target, b"{}", "127.0.0.1"))).status == 200
