"""The endpoint, bytes in and bytes out."""

import json
from typing import Any

import pytest

from hinoban.aws.call import Call, Caller, Params, Result
from hinoban.aws.errors import MAX_BODY, AwsError
from hinoban.aws.server import Endpoint, HttpRequest, HttpResponse
from hinoban.aws.sigv4 import Credentials, Verifier, sign
from hinoban.base.clock import FakeClock
from hinoban.base.ids import SeededIds

KEY = Credentials("AKIDEXAMPLE", "secret")
CALLER = Caller(access_key_id=KEY.access_key_id, principal_arn="arn:aws:iam::123456789012:user/hinoban", principal_type="IAMUser")
ECS = "AmazonEC2ContainerServiceV20141113"
LOGS = "Logs_20140328"
URL = "http://127.0.0.1:4566/"


class House:
    """An endpoint with a few handlers that remembers what happened, in order."""

    def __init__(self, *, auth: bool = True) -> None:
        self.clock = FakeClock()
        self.happened: list[Any] = []
        self.endpoint = Endpoint(
            {
                "ecs": {"ListClusters": self.list_clusters, "DescribeTasks": self.missing_cluster, "StopTask": self.bug},
                "logs": {"CreateLogGroup": lambda call, params: {}},
            },
            account="123456789012",
            clock=self.clock,
            ids=SeededIds(),
            verifier=Verifier(lambda key_id: ("secret", CALLER) if key_id == KEY.access_key_id else None, self.clock, enabled=auth),
            settle=self.settle,
            audit=lambda call, params, outcome: self.happened.append(("audit", call, params, outcome)),
        )

    def list_clusters(self, call: Call, params: Params) -> Result:
        self.happened.append(("handler", call, params))
        return {"clusterArns": ["arn"], "at": 12.5, "data": b"hi"}

    def missing_cluster(self, call: Call, params: Params) -> Result:
        raise AwsError("ClusterNotFoundException", "Cluster not found.", fields={"resourceIds": ["c"]})

    def bug(self, call: Call, params: Params) -> Result:
        raise ZeroDivisionError("a secret of the house")

    async def settle(self) -> None:
        self.happened.append("settled")

    async def ask(
        self, operation: str | None, body: bytes = b"{}", *, prefix: str = ECS, service: str = "ecs", method: str = "POST", path: str = "/",
        **more: str,
    ) -> HttpResponse:  # fmt: skip
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        if operation is not None:
            headers["x-amz-target"] = f"{prefix}.{operation}"
        url = URL.rstrip("/") + path
        headers |= sign(method, url, headers, body, KEY, "eu-west-1", service, self.clock.now())
        return await self.endpoint.handle(HttpRequest(method, path, "", headers, body, "127.0.0.1"))


def told(response: HttpResponse) -> tuple[int, str, str]:
    body = json.loads(response.body)
    return response.status, body["__type"], body.get("message", body.get("Message"))


async def test_a_call_is_answered_audited_and_kept_in_this_order() -> None:
    house = House()
    response = await house.ask("ListClusters", b'{"maxResults": 5, "unheard": 1}', user_agent="aws-cli/2")
    assert response.status == 200
    assert json.loads(response.body) == {"clusterArns": ["arn"], "at": 12.5, "data": "aGk="}
    headers = dict(response.headers)
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert headers["content-length"] == str(len(response.body))
    (handler, call, params), (audit, audited, audited_params, outcome), settled = house.happened
    assert (handler, audit, settled) == ("handler", "audit", "settled")
    assert call is audited
    assert call == Call(
        service="ecs", operation="ListClusters", region="eu-west-1", account="123456789012", request_id=headers["x-amzn-RequestId"],
        now=house.clock.now(), caller=CALLER, source_ip="127.0.0.1", user_agent="aws-cli/2",
    )  # fmt: skip
    assert params == audited_params == {"maxResults": 5}
    assert outcome["clusterArns"] == ["arn"]


async def test_an_empty_body_is_an_empty_input() -> None:
    assert (await House().ask("ListClusters", b"")).status == 200


async def test_an_operation_without_output_answers_nothing() -> None:
    response = await House().ask("CreateLogGroup", b'{"logGroupName":"g"}', prefix=LOGS, service="logs")
    assert (response.status, response.body) == (200, b"")


async def test_a_handlers_error_has_awss_form() -> None:
    house = House()
    response = await house.ask("DescribeTasks", b'{"tasks":["t"]}')
    assert response.status == 400
    assert json.loads(response.body) == {"__type": "ClusterNotFoundException", "message": "Cluster not found.", "resourceIds": ["c"]}
    assert house.happened[0][2] == {"tasks": ["t"]}
    assert house.happened[0][3].code == "ClusterNotFoundException"
    assert house.happened[1] == "settled"


async def test_a_bug_is_our_fault_and_tells_the_caller_nothing(caplog: pytest.LogCaptureFixture) -> None:
    house = House()
    response = await house.ask("StopTask", b'{"task":"t"}')
    assert told(response)[:2] == (500, "InternalFailure")
    assert b"secret" not in response.body
    assert "a secret of the house" in caplog.text
    assert house.happened[0][3].status == 500


async def test_a_bad_input_is_audited_without_params() -> None:
    house = House()
    status, code, text = told(await house.ask("DescribeTasks", b"{}"))
    assert (status, code, text) == (400, "InvalidParameterException", "Tasks cannot be empty.")
    assert house.happened[0][2] is None


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe", b'{"a": "\xff"}', b"[" * 100_000, b'{"a":' * 100_000, b"{} {}", b"nonsense", b'"\\ud800"']
)
async def test_a_malformed_body_is_a_clear_client_error(body: bytes) -> None:
    status, code, text = told(await House().ask("ListClusters", body))
    assert (status, code) == (400, "SerializationException")
    assert text


async def test_a_body_that_is_no_object() -> None:
    assert told(await House().ask("ListClusters", b"[]")) == (400, "SerializationException", "Start of list found where not expected")
    assert told(await House().ask("ListClusters", b"7")) == (400, "SerializationException", "Expected null")


async def test_a_huge_body() -> None:
    assert told(await House().ask("ListClusters", b" " * (MAX_BODY + 1)))[:2] == (413, "RequestEntityTooLargeException")


async def test_what_we_lack_is_named() -> None:
    status, code, text = told(await House().ask("CreateCluster"))
    assert (status, code) == (400, "UnknownOperationException")
    assert "does not implement ecs:CreateCluster yet" in text
    status, code, text = told(await House().ask("ListTables", prefix="DynamoDB_20120810", service="dynamodb"))
    assert (status, code) == (400, "UnknownOperationException")
    assert "does not implement the service dynamodb yet" in text


async def test_what_nobody_knows_is_named() -> None:
    assert told(await House().ask("FlyTask"))[2] == "The service ecs has no operation FlyTask."
    assert told(await House().ask("ListClusters", prefix="Teapot"))[2] == "The service ecs has no operation ListClusters."
    assert "X-Amz-Target" in told(await House().ask("ListClusters", prefix=""))[2]
    assert "X-Amz-Target" in told(await House().ask(None))[2]


async def test_a_scope_of_another_service_is_told_the_right_one() -> None:
    status, code, text = told(await House().ask("ListClusters", service="logs"))
    assert (status, code, text) == (400, "InvalidSignatureException", "Credential should be scoped to correct service: 'ecs'. ")


async def test_only_post_to_the_root_is_an_api_call() -> None:
    house = House()
    assert told(await house.ask("ListClusters", method="GET"))[:2] == (404, "UnknownOperationException")
    assert told(await house.ask("ListClusters", path="/teapot"))[:2] == (404, "UnknownOperationException")
    bare = await house.endpoint.handle(HttpRequest("GET", "/", "", {"host": "127.0.0.1"}, b"", "127.0.0.1"))
    assert told(bare) == (404, "UnknownOperationException", "There is no GET / here; AWS API calls are POST / with X-Amz-Target.")
    assert house.happened == []


async def test_other_protocols_are_told_in_their_own_shape() -> None:
    house = House()
    query = await house.ask(
        None, b"Action=GetCallerIdentity", service="sts", content_type="application/x-www-form-urlencoded; charset=utf-8"
    )
    assert b"<Error><Type>Sender</Type><Code>UnknownOperationException</Code>" in query.body
    s3 = await house.ask(None, b"", service="s3", method="GET", path="/bucket")
    assert s3.body.startswith(b"<Error><Code>UnknownOperationException</Code>")
    rest = await house.ask(None, b"", service="lambda", method="GET", path="/2015-03-31/functions/")
    assert dict(rest.headers)["x-amzn-ErrorType"] == "UnknownOperationException"


async def test_without_auth_the_target_finds_the_service() -> None:
    house = House(auth=False)
    headers = {"x-amz-target": f"{ECS}.ListClusters"}
    response = await house.endpoint.handle(HttpRequest("POST", "/", "", headers, b"{}", "127.0.0.1"))
    assert response.status == 200
    assert house.happened[0][1].region == "ap-northeast-1"


async def test_a_failed_settle_is_never_a_success() -> None:
    house = House()

    async def broken() -> None:
        raise OSError("disk full")

    house.endpoint._settle = broken
    assert told(await house.ask("ListClusters"))[:2] == (500, "InternalFailure")
