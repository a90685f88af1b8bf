"""boto3 against the whole engine behind its front door, over a real socket: what a person's own tools see."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from hinoban.aws.sigv4 import sign
from hinoban.base.clock import SystemClock
from tests.support.served import CREDENTIALS, REGION, served

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
TOO_LARGE = 9 * 1024 * 1024


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    """In place of the JSON API: what it is handed."""
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(message["body"]))]})
    await send({"type": "http.response.body", "body": message["body"]})


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(tmp_path_factory.mktemp("engine"), _echo) as found:
        yield found


def client(port: int, secret: str = "secret") -> BaseClient:
    return boto3.client(
        "ecs",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=REGION,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, proxies={}, read_timeout=20),
    )


def define(ecs: BaseClient, family: str, script: str) -> None:
    ecs.register_task_definition(
        family=family,
        cpu="256",
        memory="512",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        containerDefinitions=[{"name": "app", "image": "busybox", "environment": [{"name": "HINOBAN_FAKE", "value": script}]}],
    )


def launch(ecs: BaseClient, family: str) -> str:
    answer = ecs.run_task(taskDefinition=family, launchType="FARGATE", networkConfiguration=NETWORK)
    assert answer["failures"] == []
    arn: str = answer["tasks"][0]["taskArn"]
    return arn


def wait(ecs: BaseClient, name: str, arn: str, attempts: int = 200) -> None:
    ecs.get_waiter(name).wait(tasks=[arn], WaiterConfig={"Delay": 0.05, "MaxAttempts": attempts})


def refused(caught: pytest.ExceptionInfo[ClientError]) -> tuple[int, str, str]:
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def ask(port: int, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_task_is_waited_for_until_it_runs_and_until_it_stops(port: int) -> None:
    ecs = client(port)
    define(ecs, "waited", "start_after=100ms run_for=forever")
    arn = launch(ecs, "waited")
    wait(ecs, "tasks_running", arn)
    ecs.stop_task(task=arn, reason="enough")
    wait(ecs, "tasks_stopped", arn)
    task = ecs.describe_tasks(tasks=[arn])["tasks"][0]
    assert (task["stopCode"], task["stoppedReason"], task["containers"][0]["exitCode"]) == ("UserInitiated", "enough", 143)
    assert task["createdAt"] <= task["startedAt"] <= task["stoppingAt"] <= task["stoppedAt"]
    assert task["createdAt"].tzinfo is not None


def test_waiting_for_a_task_to_run_fails_when_it_stops_or_is_missing(port: int) -> None:
    ecs = client(port)
    define(ecs, "short", "exit=3")
    arn = launch(ecs, "short")
    wait(ecs, "tasks_stopped", arn)
    for gone in (arn, "f" * 32):
        with pytest.raises(WaiterError, match="terminal failure"):
            wait(ecs, "tasks_running", gone)


def test_an_sdks_own_token_makes_each_call_a_launch(port: int) -> None:
    ecs = client(port)
    define(ecs, "twice", "exit=0")
    assert launch(ecs, "twice") != launch(ecs, "twice")


def test_a_paginator_gives_every_task_once(port: int) -> None:
    ecs = client(port)
    define(ecs, "many", "run_for=forever")
    arns = set()
    for _ in range(3):
        answer = ecs.run_task(taskDefinition="many", launchType="FARGATE", networkConfiguration=NETWORK, count=10)
        arns |= {task["taskArn"] for task in answer["tasks"]}
    found = [
        arn
        for page in ecs.get_paginator("list_tasks").paginate(family="many", PaginationConfig={"PageSize": 7})
        for arn in page["taskArns"]
    ]
    assert len(found) == 30
    assert set(found) == arns
    for arn in arns:
        ecs.stop_task(task=arn)


def test_an_operation_that_we_lack_is_named(port: int) -> None:
    with pytest.raises(ClientError) as caught:
        client(port).create_service(serviceName="web", taskDefinition="job")
    status, code, text = refused(caught)
    assert (status, code) == (400, "UnknownOperationException")
    assert "ecs:CreateService" in text


def test_a_wrong_secret(port: int) -> None:
    with pytest.raises(ClientError) as caught:
        client(port, secret="wrong").list_clusters()
    assert refused(caught)[:2] == (400, "InvalidSignatureException")


def test_a_malformed_body(port: int) -> None:
    ecs = client(port)
    ecs.meta.events.register("before-sign.ecs.ListClusters", lambda request, **rest: setattr(request, "data", b'{"maxResults":'))
    with pytest.raises(ClientError) as caught:
        ecs.list_clusters()
    assert refused(caught)[:2] == (400, "SerializationException")


def test_a_body_beyond_all_bounds(port: int) -> None:
    with pytest.raises(ClientError) as caught:
        client(port).list_clusters(nextToken="x" * TOO_LARGE)
    status, code, text = refused(caught)
    assert (status, code) == (413, "RequestEntityTooLargeException")
    assert "8388608 bytes" in text
    assert client(port).list_clusters()["clusterArns"]


def test_a_body_beyond_all_bounds_that_does_not_say_its_length(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    chunks = (b"x" * 65536 for _ in range(TOO_LARGE // 65536))
    connection.request("POST", "/", chunks, {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"}, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, b"RequestEntityTooLargeException" in answer.read()) == (413, True)
    connection.close()


def test_a_host_that_is_not_ours(port: int) -> None:
    for path in ("/", "/health", "/_hinoban/v1/status"):
        status, body = ask(port, "POST", path, b"{}", {"Host": "evil.example.com"})
        assert status == 403
        assert b"AccessDeniedException" in body
        assert b"evil.example.com" in body


def test_the_json_apis_refusals_have_its_own_shape(port: int) -> None:
    for path, headers, status, code in (
        ("/_hinoban/v1/reset", {}, 400, "MissingAuthenticationTokenException"),
        ("/_hinoban/v1/reset", {"Host": "evil.example.com"}, 403, "AccessDeniedException"),
        ("/_hinoban/v1/reset", {"Content-Length": str(TOO_LARGE)}, 413, "RequestEntityTooLargeException"),
    ):
        answered, body = ask(port, "POST", path, b"{}", headers)
        error = json.loads(body)
        assert (answered, error["error"], set(error)) == (status, code, {"error", "what", "why", "todo"})
        assert all(error.values())


def test_an_unsigned_request(port: int) -> None:
    target = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters"}
    for path, headers in (("/", target), ("/_hinoban/v1/reset", {})):
        status, body = ask(port, "POST", path, b"{}", headers)
        assert (status, b"MissingAuthenticationTokenException" in body) == (400, True)


def test_the_json_api_is_signed_as_aws_calls_are_and_gets_the_body(port: int) -> None:
    url, body = f"http://127.0.0.1:{port}/_hinoban/v1/faults?x=1", b'{"faults": []}'
    headers = sign("POST", url, {}, body, CREDENTIALS, REGION, "hinoban", SystemClock().now())
    assert ask(port, "POST", "/_hinoban/v1/faults?x=1", body, headers) == (200, body)
    assert ask(port, "POST", "/_hinoban/v1/faults?x=2", body, headers)[0] == 400
    assert ask(port, "POST", "/_hinoban/v1/faults?x=1", body + b" ", headers)[0] == 400


def test_a_signature_for_another_service_does_not_open_the_json_api(port: int) -> None:
    url = f"http://127.0.0.1:{port}/_hinoban/v1/reset"
    headers = sign("POST", url, {}, b"{}", CREDENTIALS, REGION, "ecs", SystemClock().now())
    status, body = ask(port, "POST", "/_hinoban/v1/reset", b"{}", headers)
    assert (status, b"scoped to correct service: 'hinoban'" in body) == (400, True)


def test_health_needs_no_signature(port: int) -> None:
    status, body = ask(port, "GET", "/health")
    assert (status, b'"status":"ok"' in body) == (200, True)


def test_anything_else_is_a_clear_client_error(port: int) -> None:
    assert ask(port, "GET", "/")[0] == 404
    assert ask(port, "GET", "/favicon.ico")[0] == 404
