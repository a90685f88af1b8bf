"""boto3 against the endpoint over a real socket: what an unmodified SDK sees."""

import http.client
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import boto3
import pytest
import uvicorn
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError

from hinoban.aws.call import Call, Caller, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.aws.server import Endpoint, HttpRequest
from hinoban.aws.sigv4 import Verifier
from hinoban.base.clock import SystemClock
from hinoban.base.ids import SystemIds

CALLER = Caller(access_key_id="AKIDEXAMPLE", principal_arn="arn:aws:iam::123456789012:user/hinoban", principal_type="IAMUser")
STARTED = 1_690_000_000.123


def list_clusters(call: Call, params: Params) -> Result:
    return {"clusterArns": [f"arn:aws:ecs:{call.region}:{call.account}:cluster/default"]}


def describe_tasks(call: Call, params: Params) -> Result:
    if params.get("cluster") != "default":
        raise AwsError("ClusterNotFoundException", "Cluster not found.")
    return {"tasks": [{"taskArn": task, "startedAt": STARTED} for task in params["tasks"]], "failures": []}


async def _settle() -> None:
    return None


class Bridge:
    """The smallest ASGI application in front of an endpoint; the daemon has its own."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        answer = await self._endpoint.handle(HttpRequest(scope["method"], scope["path"], query, headers, body, scope["client"][0]))
        coded = [(name.encode(), value.encode()) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": coded})
        await send({"type": "http.response.body", "body": answer.body})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    clock = SystemClock()
    endpoint = Endpoint(
        {"ecs": {"ListClusters": list_clusters, "DescribeTasks": describe_tasks}},
        account="123456789012",
        clock=clock,
        ids=SystemIds(),
        verifier=Verifier(lambda key_id: ("secret", CALLER) if key_id == "AKIDEXAMPLE" else None, clock),
        settle=_settle,
        audit=lambda call, params, outcome: None,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Bridge(endpoint), lifespan="off", log_level="warning", server_header=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)


def client(port: int, service: str = "ecs", secret: str = "secret", key_id: str = "AKIDEXAMPLE") -> BaseClient:
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-west-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False, proxies={}),
    )


def refused(caught: pytest.ExceptionInfo[ClientError]) -> tuple[int, str, str]:
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def test_an_operation_succeeds(port: int) -> None:
    answer = client(port).list_clusters()
    assert answer["clusterArns"] == ["arn:aws:ecs:eu-west-1:123456789012:cluster/default"]
    assert len(answer["ResponseMetadata"]["RequestId"]) == 36


def test_moments_arrive_as_moments(port: int) -> None:
    answer = client(port).describe_tasks(cluster="default", tasks=["a", "b"])
    assert [task["taskArn"] for task in answer["tasks"]] == ["a", "b"]
    assert answer["tasks"][0]["startedAt"].timestamp() == pytest.approx(STARTED, abs=1e-6)


def test_a_modeled_error_is_raised_as_its_class(port: int) -> None:
    ecs = client(port)
    with pytest.raises(ecs.exceptions.ClusterNotFoundException) as caught:
        ecs.describe_tasks(cluster="other", tasks=["a"])
    assert refused(caught) == (400, "ClusterNotFoundException", "Cluster not found.")


def test_a_missing_member_is_told_in_ecss_words(port: int) -> None:
    with pytest.raises(ClientError) as caught:
        client(port).describe_tasks(cluster="default")
    assert refused(caught) == (400, "InvalidParameterException", "Tasks cannot be empty.")


def test_a_wrong_type_is_a_serialization_error(port: int) -> None:
    with pytest.raises(ClientError) as caught:
        client(port).describe_tasks(cluster=7, tasks=["a"])
    assert refused(caught) == (400, "SerializationException", "NUMBER_VALUE can not be converted to a String")


def test_a_wrong_secret(port: int) -> None:
    with pytest.raises(ClientError) as caught:
        client(port, secret="wrong").list_clusters()
    assert refused(caught)[:2] == (400, "InvalidSignatureException")


def test_an_unknown_key(port: int) -> None:
    with pytest.raises(ClientError) as caught:
        client(port, key_id="AKIDOTHER").list_clusters()
    assert refused(caught) == (400, "UnrecognizedClientException", "The security token included in the request is invalid.")


def test_an_expired_date(port: int) -> None:
    with (
        patch("botocore.auth.get_current_datetime", lambda: datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None)),
        pytest.raises(ClientError) as caught,
    ):
        client(port).list_clusters()
    status, code, text = refused(caught)
    assert (status, code) == (400, "InvalidSignatureException")
    assert text.startswith("Signature expired: 20200101T000000Z is now earlier than ")


@pytest.mark.parametrize("service, operation", [("ecs", "list_services"), ("dynamodb", "list_tables"), ("sts", "get_caller_identity"),
                                                ("lambda", "list_functions"), ("s3", "list_buckets")])  # fmt: skip
def test_what_we_lack_is_a_clear_client_error_in_every_protocol(port: int, service: str, operation: str) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(client(port, service), operation)()
    status, code, text = refused(caught)
    assert (status, code) == (400, "UnknownOperationException")
    assert "Hinoban does not implement" in text
    assert service in text


def test_a_malformed_body(port: int) -> None:
    ecs = client(port)
    ecs.meta.events.register("before-sign.ecs.ListClusters", lambda request, **rest: setattr(request, "data", b'{"a":'))
    with pytest.raises(ClientError) as caught:
        ecs.list_clusters()
    assert refused(caught)[:2] == (400, "SerializationException")


def test_an_unsigned_request(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/", b"{}", {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"})
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (
        400,
        b'{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}',
    )
    connection.close()
